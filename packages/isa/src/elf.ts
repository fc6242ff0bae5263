/**
 * The ELF loader: a MIPS executable file to its entry point, its loadable segments and its symbols.
 *
 * The file is a stranger's: every number in it is checked before it is used, and nothing is allocated in proportion to
 * a number that the file merely claims. What is returned views the caller's bytes; do not change them while the result
 * is in use. Only what a bare machine can start is accepted: ELF32, little-endian, EM_MIPS, ET_EXEC, statically linked.
 *
 * Source: [ELF].
 */
import { IsaError } from './error.ts';

/** One loadable segment: `bytes` go to `vaddr`, then zeros up to `memSize` bytes. `flags`: 4 read, 2 write, 1 execute. */
export interface ElfSegment {
  readonly vaddr: number;
  readonly bytes: Uint8Array;
  readonly memSize: number;
  readonly flags: number;
}

/** What a file asks to be loaded. */
export interface ElfImage {
  /** Address of the first instruction; word-aligned and inside a segment. */
  readonly entry: number;
  /** In ascending order of `vaddr`; they do not overlap. */
  readonly segments: readonly ElfSegment[];
  /**
   * Named functions, objects and labels. Absent in a stripped file, and where the section headers or tables contradict the file, because
   * execution does not need them [ELF]. A global name wins over a local one.
   */
  readonly symbols?: ReadonlyMap<string, number>;
  /** What its maker has noted; none where the file contradicts itself. */
  readonly notes: readonly ElfNote[];
}

/** A note: whose it is, and what that one means by type and bytes. */
export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

const EHDR_SIZE = 52;
const PHDR_SIZE = 32;
const SHDR_SIZE = 40;
const SYM_SIZE = 16;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
/** Assumption: no executable for this machine has more program headers. */
const MAX_SEGMENTS = 64;
/** Assumption: a longer name of a symbol is of no use. */
const MAX_NAME = 32768;
/** Assumption: the names of all symbols are no more than so many times their string table, even if they share its bytes. */
const NAMES_PER_TABLE = 4;

/**
 * Reads an executable. Throws `IsaError` `elf-format` for a file of another kind (not ELF, 64-bit, big-endian, another
 * machine, not an executable, dynamically linked) and `elf-range` for a number that contradicts the file or the address
 * space.
 */
export function loadElf(bytes: Uint8Array): ElfImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(view);
  const segments = readSegments(bytes, view);
  const entry = view.getUint32(24, true);
  if (entry % 4 !== 0 || !segments.some((s) => entry >= s.vaddr && entry < s.vaddr + s.memSize)) {
    throw range('entry', entry, 'is no instruction address inside a loadable segment');
  }
  const symbols = readSymbols(bytes, view);
  const notes = readNotes(bytes, view);
  return symbols === undefined ? { entry, segments, notes } : { entry, segments, symbols, notes };
}

function checkHeader(view: DataView): void {
  if (view.byteLength < 4 || view.getUint32(0, false) !== 0x7f454c46) throw format('magic', 'is not that of ELF');
  if (view.byteLength < EHDR_SIZE) throw range('file size', view.byteLength, `is less than a header of ${EHDR_SIZE}`);
  const expect = (what: string, value: number, wanted: number, meaning: string): void => {
    if (value !== wanted) throw format(what, `must be ${wanted}, ${meaning}`, value);
  };
  expect('class', view.getUint8(4), 1, '32-bit');
  expect('data encoding', view.getUint8(5), 1, 'little-endian');
  expect('identification version', view.getUint8(6), 1, 'the only one');
  expect('type', view.getUint16(16, true), 2, 'an executable');
  expect('machine', view.getUint16(18, true), 8, 'MIPS');
  expect('version', view.getUint32(20, true), 1, 'the only one');
}

function readSegments(bytes: Uint8Array, view: DataView): ElfSegment[] {
  const table = view.getUint32(28, true);
  const count = view.getUint16(44, true);
  if (view.getUint16(42, true) !== PHDR_SIZE) {
    throw range('program header size', view.getUint16(42, true), `must be ${PHDR_SIZE}`);
  }
  if (count === 0 || count > MAX_SEGMENTS) throw range('program header count', count, `must be 1 to ${MAX_SEGMENTS}`);
  checkExtent('program header table', table, count * PHDR_SIZE, bytes.length);
  const segments: ElfSegment[] = [];
  for (let at = table; at < table + count * PHDR_SIZE; at += PHDR_SIZE) {
    const type = view.getUint32(at, true);
    if (type === PT_INTERP) throw format('program header type', 'asks for a dynamic linker', type);
    const memSize = view.getUint32(at + 20, true);
    if (type !== PT_LOAD || memSize === 0) continue;
    const offset = view.getUint32(at + 4, true);
    const vaddr = view.getUint32(at + 8, true);
    const fileSize = view.getUint32(at + 16, true);
    if (fileSize > memSize) throw range('segment file size', fileSize, `exceeds its memory size ${memSize}`);
    checkExtent('segment', offset, fileSize, bytes.length);
    if (vaddr + memSize > 2 ** 32) throw range('segment address', vaddr, `wraps with its memory size ${memSize}`);
    segments.push({
      vaddr,
      bytes: bytes.subarray(offset, offset + fileSize),
      memSize,
      flags: view.getUint32(at + 24, true) & 7,
    });
  }
  if (segments.length === 0) throw format('program header table', 'has no loadable segment', count);
  segments.sort((a, b) => a.vaddr - b.vaddr);
  segments.forEach((segment, i) => {
    const next = segments[i + 1];
    if (next !== undefined && segment.vaddr + segment.memSize > next.vaddr) {
      throw range('segment address', next.vaddr, `lies inside the segment at 0x${segment.vaddr.toString(16)}`);
    }
  });
  return segments;
}

/** Nothing needs notes for execution, so what contradicts the file is left out. The table of segments has been checked. */
function readNotes(bytes: Uint8Array, view: DataView): ElfNote[] {
  const table = view.getUint32(28, true);
  const notes: ElfNote[] = [];
  for (let i = 0; i < view.getUint16(44, true); i += 1) {
    const header = table + i * PHDR_SIZE;
    if (view.getUint32(header, true) !== PT_NOTE) continue;
    let at = view.getUint32(header + 4, true);
    const end = at + view.getUint32(header + 16, true);
    while (end <= bytes.length && at + 12 <= end) {
      const [nameSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
      const start = at + 12 + roundUp(nameSize);
      if (start + size > end) break;
      const name = readName(bytes.subarray(0, at + 12 + nameSize), at + 12);
      notes.push({ name, type: view.getUint32(at + 8, true), bytes: bytes.subarray(start, start + size) });
      at = start + roundUp(size);
    }
  }
  return notes;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 4) * 4;

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

/** Sections are optional for execution, so symbols that contradict the file are as good as none. */
function readSymbols(bytes: Uint8Array, view: DataView): ReadonlyMap<string, number> | undefined {
  const table = view.getUint32(32, true);
  const count = view.getUint16(48, true);
  const isWhole = table + count * SHDR_SIZE <= bytes.length;
  if (table === 0 || view.getUint16(46, true) !== SHDR_SIZE || !isWhole) return undefined;
  const sections = Array.from({ length: count }, (_, index): Section => {
    const at = table + index * SHDR_SIZE;
    const word = (field: number): number => view.getUint32(at + field, true);
    return { type: word(4), offset: word(16), size: word(20), link: word(24), entrySize: word(36) };
  });
  const symtab = sections.find(({ type }) => type === SHT_SYMTAB);
  const strings = symtab === undefined ? undefined : sections[symtab.link];
  if (symtab?.entrySize !== SYM_SIZE || strings?.type !== SHT_STRTAB) return undefined;
  if ([symtab, strings].some(({ offset, size }) => offset + size > bytes.length)) return undefined;
  return collect(view, symtab, bytes.subarray(strings.offset, strings.offset + strings.size));
}

function collect(view: DataView, symtab: Section, strings: Uint8Array): ReadonlyMap<string, number> {
  const symbols = new Map<string, number>();
  const globals = new Set<string>();
  const end = symtab.offset + symtab.size - (symtab.size % SYM_SIZE);
  // Names may share bytes; without a limit a small file could ask for a huge map.
  let room = NAMES_PER_TABLE * strings.length;
  for (let at = symtab.offset; at < end && room > 0; at += SYM_SIZE) {
    const info = view.getUint8(at + 12);
    const defined = view.getUint16(at + 14, true) !== 0;
    // Types above 2 name sections and files; binding 0 is local.
    if (!defined || (info & 15) > 2) continue;
    const name = readName(strings, view.getUint32(at, true));
    room -= name.length;
    const isGlobal = info >>> 4 !== 0;
    if (name === '' || globals.has(name) || (!isGlobal && symbols.has(name))) continue;
    if (isGlobal) globals.add(name);
    symbols.set(name, view.getUint32(at + 4, true));
  }
  return symbols;
}

/** The name at an offset, or '' if there is none, or one too long. */
function readName(strings: Uint8Array, from: number): string {
  const end = from < strings.length ? strings.indexOf(0, from) : -1;
  if (end < 0 || end - from > MAX_NAME) return '';
  return String.fromCharCode(...strings.subarray(from, end));
}

/** A part without bytes may say any offset: linkers write one behind the file's end for a segment of zeros alone. */
function checkExtent(what: string, offset: number, size: number, fileSize: number): void {
  if (size > 0 && offset + size > fileSize) {
    throw range(`${what} offset`, offset, `with ${size} bytes ends outside the file of ${fileSize} bytes`);
  }
}

function format(field: string, complaint: string, value?: number): IsaError {
  const shown = value === undefined ? '' : ` ${value}`;
  return new IsaError('elf-format', `ELF ${field}${shown} ${complaint}`, { field, value });
}

function range(field: string, value: number, complaint: string): IsaError {
  return new IsaError('elf-range', `ELF ${field} 0x${value.toString(16)} ${complaint}`, { field, value });
}
