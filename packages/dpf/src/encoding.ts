/**
 * The bytes in which a filter is downloaded: a version, the number of atoms, ten or fourteen bytes per atom.
 *
 *     'D' version count:u16    per atom: kind:u8 size:u8 offset:u16 then value:u32 | mask:u32 value:u32 | mask:u32 shift:u8
 *
 * Numbers are big-endian. `decodeFilter` accepts any bytes and throws `DpfError` `malformed` or `limit`.
 */
import { normalize, type Atom, type FieldSize } from './atoms.ts';
import { DpfError } from './error.ts';

const MAGIC = 0x44;
const VERSION = 1;
const KINDS = ['eq', 'meq', 'shift'] as const;
const MAX_ATOMS = 256;

/** Encodes a filter. Throws `DpfError` `malformed` or `limit`. */
export function encodeFilter(atoms: readonly Atom[]): Uint8Array<ArrayBuffer> {
  if (atoms.length > MAX_ATOMS) throw new DpfError('limit', `${atoms.length} atoms are more than ${MAX_ATOMS}`);
  normalize(atoms);
  const bytes: number[] = [MAGIC, VERSION, atoms.length >> 8, atoms.length & 0xff];
  const word = (value: number): void => {
    bytes.push(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  };
  for (const atom of atoms) {
    bytes.push(KINDS.indexOf(atom.kind), atom.size, atom.offset >> 8, atom.offset & 0xff);
    if (atom.kind !== 'eq') word(atom.mask);
    if (atom.kind === 'shift') bytes.push(atom.shift);
    else word(atom.value);
  }
  return Uint8Array.from(bytes);
}

/** Decodes and validates a filter. Throws `DpfError` `malformed` or `limit`, and nothing else, for any bytes. */
export function decodeFilter(bytes: Uint8Array): readonly Atom[] {
  let at = 0;
  const refuse = (what: string): never => {
    throw new DpfError('malformed', `byte ${at}: ${what}`, { at, what });
  };
  const byte = (): number => {
    const value = bytes[at] ?? refuse('the bytes end too early');
    at += 1;
    return value;
  };
  const half = (): number => byte() * 256 + byte();
  const word = (): number => half() * 65536 + half();
  if (byte() !== MAGIC || byte() !== VERSION) refuse('this is no filter of a known version');
  const count = half();
  if (count > MAX_ATOMS) throw new DpfError('limit', `${count} atoms are more than ${MAX_ATOMS}`, { atoms: count });
  const atoms = Array.from({ length: count }, (): Atom => {
    const kind = KINDS[byte()] ?? refuse('the kind of an atom');
    // What is no size is refused with everything else below.
    const size = byte() as FieldSize;
    const offset = half();
    switch (kind) {
      case 'eq':
        return { kind, offset, size, value: word() };
      case 'meq':
        return { kind, offset, size, mask: word(), value: word() };
      case 'shift':
        return { kind, offset, size, mask: word(), shift: byte() };
    }
  });
  if (at !== bytes.length) refuse('bytes are left over');
  normalize(atoms);
  return atoms;
}
