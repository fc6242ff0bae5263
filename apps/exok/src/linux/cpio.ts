/**
 * A cpio archive ("newc"), as Linux unpacks it into its first file system: folders, files and devices, owned by root.
 *
 * Pure: the same entries give the same bytes. Names are relative, without a leading slash; a folder comes before what is
 * in it. Source: cpio(5), and the kernel's description of the buffer format.
 */

/** One entry of an archive. `mode` is the permission bits alone. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly name: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly name: string; readonly mode?: number; readonly data: Uint8Array }
  | { readonly kind: 'device'; readonly name: string; readonly mode?: number; readonly device: CharacterDevice };

/** A character device by its numbers. */
interface CharacterDevice {
  readonly major: number;
  readonly minor: number;
}

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const ALIGNMENT = 4;
/** Bits of the mode that say what an entry is. */
const TYPES = { folder: 0o040000, file: 0o100000, device: 0o020000 } as const;
const DEFAULT_MODES = { folder: 0o755, file: 0o644, device: 0o600 } as const;
const NOTHING = new Uint8Array();

/** The archive's bytes. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.map((entry, i) => {
    const mode = TYPES[entry.kind] | (entry.mode ?? DEFAULT_MODES[entry.kind]);
    const data = entry.kind === 'file' ? entry.data : NOTHING;
    const device = entry.kind === 'device' ? entry.device : { major: 0, minor: 0 };
    return record(entry.name, data, { inode: i + 1, mode, links: entry.kind === 'folder' ? 2 : 1, device });
  });
  return concatenate([
    ...parts,
    record(TRAILER, NOTHING, { inode: 0, mode: 0, links: 1, device: { major: 0, minor: 0 } }),
  ]);
}

interface Attributes {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly device: CharacterDevice;
}

/** Header, name and data, each padded to a multiple of four bytes. Every number is eight hexadecimal digits. */
function record(name: string, data: Uint8Array, { inode, mode, links, device }: Attributes): Uint8Array {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const owner = 0;
  const time = 0;
  const place = 0; // major and minor number of the file system that it was on
  const checksum = 0;
  const fields = [inode, mode, owner, owner, links, time, data.length, place, place];
  const header = [...fields, device.major, device.minor, nameBytes.length, checksum]
    .map((field) => field.toString(16).padStart(8, '0'))
    .join('');
  return concatenate([pad(concatenate([new TextEncoder().encode(MAGIC + header), nameBytes])), pad(data)]);
}

function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT);
  padded.set(bytes);
  return padded;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
