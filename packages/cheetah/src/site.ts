/**
 * A site on disk, as Cheetah wants it: each file is its whole HTTP response, header formatted beforehand and checksums of its TCP
 * segments stored with it, in consecutive blocks. [SOSP97 §7.3]
 *
 *     block 0 …   magic, version, files, directory bytes; then per file: first block, header bytes, body bytes,
 *                 path bytes, and the path, padded to a word
 *     each file   header, body; at the next word one checksum word per segment of 1460 bytes
 *
 * All words are 32 bits, little-endian; files lie in the order of their entries. What is read from a disk is checked: a
 * bad directory is refused whole. A file's bytes are not: what went bad fits its checksums no more, and no client accepts it.
 */
import { PAGED_PAGES, decodeUtf8, encodeUtf8 } from '@exokernel/libos-kit';
import { sumBytes } from '@exokernel/net';
import { CheetahError } from './error.ts';

export const BLOCK_BYTES = 4096;
/** What a segment carries on Ethernet: 1500 − 20 − 20. */
export const SEGMENT_BYTES = 1460;

const MAGIC = 0x48544843;
const VERSION = 1;
const HEAD_BYTES = 16;
const ENTRY_BYTES = 16;
const PATH_BYTES_MAX = 1024;
/** Assumption: a directory of 64 KiB and files of 2 MiB are enough. */
const DIRECTORY_BYTES_MAX = 65536;
const FILE_BYTES_MAX = 2 ** 21;
/** All of a site is in memory at once: the paged region without room for packet rings and downloaded code. */
const SITE_BLOCKS_MAX = PAGED_PAGES - 32;

/** One file to be served. */
export interface SiteFile {
  /** Absolute path, as a request names it. */
  readonly path: string;
  /** Content-Type. */
  readonly type: string;
  readonly body: Uint8Array;
}

/** One entry of the directory. */
export interface SiteEntry {
  readonly path: string;
  readonly block: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
}

/** The blocks of a site. Throws `CheetahError` `site-path` or `site-size`. */
export function formatSite(files: readonly SiteFile[]): Uint8Array<ArrayBuffer> {
  const seen = new Set<string>();
  const entries = files.map((file) => {
    const path = encodeUtf8(file.path);
    const isPath = file.path.startsWith('/') && file.path.isWellFormed() && path.length <= PATH_BYTES_MAX;
    const isText = /^[\x20-\x7e]+$/.test(file.type);
    if (!isPath || seen.has(file.path) || !isText) {
      const message = `${file.path} (${file.type}): not an absolute path of ${PATH_BYTES_MAX} bytes, no type, or twice`;
      throw new CheetahError('site-path', message, { path: file.path, type: file.type });
    }
    seen.add(file.path);
    const header = encodeUtf8(
      `HTTP/1.1 200 OK\r\nServer: Cheetah\r\nContent-Type: ${file.type}\r\nContent-Length: ${file.body.length}\r\n\r\n`,
    );
    if (header.length + file.body.length > FILE_BYTES_MAX) {
      throw new CheetahError('site-size', `${file.path} has ${file.body.length} bytes: too many`, { path: file.path });
    }
    return { path, header, body: file.body };
  });
  const directoryBytes = entries.reduce((n, { path }) => n + ENTRY_BYTES + roundUp(path.length, 4), HEAD_BYTES);
  if (directoryBytes > DIRECTORY_BYTES_MAX) {
    throw new CheetahError('site-size', `${files.length} files: the directory has ${directoryBytes} bytes`, {});
  }
  const first = Math.ceil(directoryBytes / BLOCK_BYTES);
  const sizes = entries.map(({ header, body }) => fileBlocks(header.length + body.length));
  const blocks = sizes.reduce((n, size) => n + size, first);
  if (blocks > SITE_BLOCKS_MAX) {
    throw new CheetahError('site-size', `a site of ${blocks} blocks: at most ${SITE_BLOCKS_MAX} fit`, { blocks });
  }
  const bytes = new Uint8Array(blocks * BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  [MAGIC, VERSION, entries.length, directoryBytes].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  let at = HEAD_BYTES;
  let block = first;
  entries.forEach(({ path, header, body }, i) => {
    [block, header.length, body.length, path.length].forEach((word, k) => {
      view.setUint32(at + 4 * k, word, true);
    });
    bytes.set(path, at + ENTRY_BYTES);
    at += ENTRY_BYTES + roundUp(path.length, 4);
    writeFile(bytes.subarray(block * BLOCK_BYTES), header, body);
    block += sizes[i] ?? 0;
  });
  return bytes;
}

/** Bytes of the directory, by the first block of a site. Throws `CheetahError` `site-format`. */
export function directoryLength(firstBlock: Uint8Array): number {
  const view = viewOf(firstBlock);
  if (firstBlock.length < HEAD_BYTES || view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION) {
    throw new CheetahError('site-format', 'the disk holds no site', {});
  }
  const length = view.getUint32(12, true);
  if (length < HEAD_BYTES || length > DIRECTORY_BYTES_MAX) {
    throw new CheetahError('site-format', `a directory of ${length} bytes`, { length });
  }
  return length;
}

/** The entries of a directory whose files lie within `blocks`. Throws `CheetahError` `site-format`. */
export function readDirectory(directory: Uint8Array, blocks: number): SiteEntry[] {
  const end = Math.min(directoryLength(directory), directory.length);
  const view = viewOf(directory);
  const count = view.getUint32(8, true);
  const entries = new Map<string, SiteEntry>();
  let free = Math.ceil(end / BLOCK_BYTES);
  for (let at = HEAD_BYTES; entries.size < count;) {
    const entry = at + ENTRY_BYTES <= end ? readEntry(view, directory, at, end) : undefined;
    const after = entry === undefined ? Infinity : entry.block + fileBlocks(entry.headerBytes + entry.bodyBytes);
    if (entry === undefined || entry.block < free || after > blocks || entries.has(entry.path)) {
      throw new CheetahError('site-format', `entry ${entries.size} of the directory is damaged`, { at });
    }
    entries.set(entry.path, entry);
    free = after;
    at += ENTRY_BYTES + roundUp(view.getUint32(at + 12, true), 4);
  }
  return [...entries.values()];
}

/** The entry at `at`, if its words make sense on their own. */
function readEntry(view: DataView, directory: Uint8Array, at: number, end: number): SiteEntry | undefined {
  const word = (i: number): number => view.getUint32(at + 4 * i, true);
  const [block, headerBytes, bodyBytes, pathBytes] = [word(0), word(1), word(2), word(3)];
  const from = at + ENTRY_BYTES;
  if (headerBytes === 0 || headerBytes + bodyBytes > FILE_BYTES_MAX) return undefined;
  if (pathBytes > PATH_BYTES_MAX || from + pathBytes > end) return undefined;
  const path = decodeUtf8(directory.subarray(from, from + pathBytes));
  return path.startsWith('/') ? { path, block, headerBytes, bodyBytes } : undefined;
}

/** Blocks that a response of this length takes, with its checksums. */
export function fileBlocks(responseBytes: number): number {
  return Math.ceil((sumsOffset(responseBytes) + 4 * segments(responseBytes)) / BLOCK_BYTES);
}

/** Offset of the checksums in a file. */
export function sumsOffset(responseBytes: number): number {
  return roundUp(responseBytes, 4);
}

/** Segments of a response of this length. */
export function segments(responseBytes: number): number {
  return Math.ceil(responseBytes / SEGMENT_BYTES);
}

function writeFile(into: Uint8Array, header: Uint8Array, body: Uint8Array): void {
  into.set(header);
  into.set(body, header.length);
  const total = header.length + body.length;
  const view = viewOf(into);
  for (let i = 0; i < segments(total); i += 1) {
    const sum = sumBytes(into, i * SEGMENT_BYTES, Math.min((i + 1) * SEGMENT_BYTES, total));
    view.setUint32(sumsOffset(total) + 4 * i, sum, true);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
