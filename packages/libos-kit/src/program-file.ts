/**
 * A linked program as a file: an executable that any tool for MIPS reads, with the names of its functions. A note says the rest: which
 * library operating system it calls, and where its instructions come from.
 *
 * A file is a stranger's: what the note says is checked, and only the pages reach the machine.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { loadElf, writeElf, type ElfImage, type ElfSymbol } from '@exokernel/isa';
import type { CodeMap } from './code-map.ts';
import { LibosError } from './error.ts';
import { ENTRY_POINTS, type InterfaceName } from './interfaces.ts';
import { PAGED_BASE, PAGED_END } from './layout.ts';
import type { Pages } from './pages.ts';
import type { LinkedProgram } from './program.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const OWNER = 'exokernel';
/** The one type of note, and the version of what is in it. */
const TYPE = 1;
/** Permissions of segments: read and execute, read and write. */
const [TEXT, DATA] = [5, 6];
/** What a compiled program's pages are, in their order. */
const NAMES = ['.text', '.record', '.stack', '.data'];

/** What the note holds, as JSON. */
interface Note {
  readonly name: string;
  readonly libos: string;
  readonly runtime: number;
  readonly needs: readonly string[];
  /** Where the code ends; nothing of what is behind belongs to a function. */
  readonly end: number;
  readonly functions: readonly (readonly [address: number, name: string])[];
  readonly routines: readonly (readonly [address: number, name: string])[];
  readonly files: readonly string[];
  readonly lines: readonly (readonly [address: number, file: number, line: number, column: number])[];
}

/** The file of a program. */
export function writeProgram(program: LinkedProgram<InterfaceName>): Uint8Array<ArrayBuffer> {
  const { name, libos, runtime, needs, pages, code } = program;
  const { functions = [], routines = [], lines = [], end = PAGED_BASE } = code ?? {};
  const files = [...new Set(lines.map(({ place }) => place.file))];
  const note: Note = {
    name,
    libos,
    runtime,
    needs,
    end,
    functions: functions.map((one) => [one.address, one.name]),
    routines: routines.map((one) => [one.address, one.name]),
    files,
    lines: lines.map(({ address, place }) => [address, files.indexOf(place.file), place.line, place.column]),
  };
  const symbols: ElfSymbol[] = functions.map((one, i) => {
    const next = functions[i + 1]?.address ?? end;
    return { name: one.name, address: one.address, size: next - one.address };
  });
  return writeElf({
    entry: PAGED_BASE,
    segments: pages.map(({ va, bytes, writable }, i) => ({
      name: NAMES[i] ?? `.data${i}`,
      vaddr: va,
      bytes: withoutZeros(bytes),
      memSize: bytes.length,
      flags: writable ? DATA : TEXT,
    })),
    symbols: [
      { name: '_start', address: PAGED_BASE, size: (functions[0]?.address ?? end) - PAGED_BASE },
      ...symbols,
      ...routines.map((one) => ({ ...one, size: 0 })),
    ],
    notes: [{ name: OWNER, type: TYPE, bytes: encodeUtf8(JSON.stringify(note)) }],
  });
}

/**
 * The program in a file, or nothing: then it is another executable. Throws `IsaError` for what is no executable at all, `LibosError` `image` for a
 * note that cannot be.
 */
export function readProgram(file: Uint8Array): LinkedProgram<InterfaceName> | undefined {
  const elf = loadElf(file);
  const note = elf.notes.find(({ name, type }) => name === OWNER && type === TYPE);
  if (note === undefined) return undefined;
  const said = parse(decodeUtf8(note.bytes));
  const pages = pagesOf(elf);
  if (said === undefined || pages === undefined) {
    throw new LibosError('image', 'the file says that it is a program for a library operating system, but not which');
  }
  const { name, libos, runtime, needs, functions, routines, end, lines, files } = said;
  const places = lines.map(([address, index, line, column]) => ({
    address,
    place: { file: files[index] ?? '', line, column },
  }));
  const named = (entries: Note['functions']): CodeMap['functions'] =>
    entries.map(([address, one]) => ({ address, name: one }));
  const code: CodeMap = { functions: named(functions), routines: named(routines), end, lines: places };
  return { kind: 'linked', name, libos, runtime, needs: needs as InterfaceName[], pages, code };
}

/** Up to the last word that is not zero. */
function withoutZeros(bytes: Uint8Array): Uint8Array {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return bytes.subarray(0, Math.min(bytes.length, Math.ceil(length / 4) * 4));
}

/** What begins at a page; nothing for a file with others, or with its code somewhere else. */
function pagesOf({ entry, segments }: ElfImage): Pages[] | undefined {
  const isFit = segments.every(
    ({ vaddr, memSize }) => vaddr >= PAGED_BASE && vaddr + memSize <= PAGED_END && vaddr % PAGE_BYTES === 0,
  );
  if (!isFit || entry !== PAGED_BASE) return undefined;
  return segments.map(({ vaddr, bytes, memSize, flags }) => {
    const whole = new Uint8Array(memSize);
    whole.set(bytes);
    return { va: vaddr, bytes: whole, writable: (flags & 2) !== 0 };
  });
}

function parse(text: string): Note | undefined {
  try {
    const note: unknown = JSON.parse(text);
    return isNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isNote(value: unknown): value is Note {
  if (typeof value !== 'object' || value === null) return false;
  const { name, libos, runtime, needs, end, functions, routines, files, lines } = value as Record<keyof Note, unknown>;
  return (
    [name, libos].every(isText) &&
    [runtime, end].every(isWord) &&
    isList(needs, (one) => isText(one) && Object.hasOwn(ENTRY_POINTS, one)) &&
    [functions, routines].every((list) => isAscending(list, 1, isText)) &&
    isList(files, isText) &&
    isAscending(lines, 3, isWord)
  );
}

/** Text that is printed: without control characters. */
const isText = (value: unknown): value is string => typeof value === 'string' && !/\p{Cc}/u.test(value);
const isWord = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
const isList = (value: unknown, isOne: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(isOne);

/** Rows that begin with an address, each behind the one before; `more` of one kind follow it. */
function isAscending(value: unknown, more: number, isRest: (one: unknown) => boolean): boolean {
  let before = -1;
  return isList(value, (row) => {
    if (!Array.isArray(row)) return false;
    const [address, ...rest] = row as unknown[];
    if (!isWord(address) || address < before || rest.length !== more || !rest.every(isRest)) return false;
    before = address;
    return true;
  });
}
