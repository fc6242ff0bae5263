/**
 * Snapshots: the bytes of a machine, or of a network of machines, between two runs.
 *
 *     envelope (`envelope.ts`) | u32 seal of the base, 0: none | u32 bytes of the state | description, state, padding
 *     | of each memory a byte per page: zeros, here, as in the base; padding | the pages that are here
 *
 * The description says what the machines are made of; a snapshot is loaded only into machines made of the same. Translated code
 * is not in it: code whose pages are equal stays, the rest is made again. Nothing of a restore is visible when it is refused: the
 * small state is saved before it is read, and memory is written when everything else has been accepted.
 *
 * A delta holds only the pages that differ from those of another snapshot, its base, and names that by its checksum.
 */
import { ENVELOPE_HEADER, refuse, seal, sealOf, unwrap, type Envelope } from './envelope.ts';
import { StateReader, StateWriter, type StateStream } from './state-stream.ts';

/** The version of the format. Others are refused. */
export const SNAPSHOT_VERSION = 3;

export const SNAPSHOT: Envelope = { name: 'snapshot', magic: 'EXOKSNAP', version: SNAPSHOT_VERSION };
const PAGE = 4096;
const PAGE_WORDS = PAGE >>> 2;
/** What a page is: zeros, in the snapshot, or as the base has it. */
const ZERO = 0;
const HERE = 1;
const BASE = 2;

/** Memory of a whole number of pages: as it is, and how to write to it, which is through the port. */
export interface SavedMemory {
  readonly bytes: Uint8Array;
  /** Whether the page that begins at byte `at` is zeros. */
  isZero(at: number): boolean;
  write(at: number, bytes: Uint8Array): void;
}

/** What can be saved: a machine, a wire, what is attached to them. */
export interface Stateful {
  /** One line that says what it is made of. */
  readonly description: string;
  /** Walks its state. Reading, it may leave a part of it read when it throws: it is then called again with what there was. */
  state(s: StateStream): void;
  readonly memories?: readonly SavedMemory[];
  /** All of the state is in place, memory too: makes again what follows from it. If it throws, the snapshot is refused. */
  restored?(): void;
}

/** The bytes of all these together; with a base, of what differs. Throws what the parts throw. */
export function saveSnapshot(parts: readonly Stateful[], base?: Uint8Array): Uint8Array<ArrayBuffer> {
  const state = stateOf(parts);
  const memories = memoriesOf(parts);
  const before = base === undefined ? undefined : pagesOf(unwrap(SNAPSHOT, base), memories);
  if (before?.base !== undefined && before.base !== 0) refuse(SNAPSHOT, 'its base is a delta itself', {});
  const kinds = memories.map((memory, i) => kindsOf(memory, before?.memories[i]));
  const tables = kinds.reduce((sum, { length }) => sum + padded(length), 0);
  const pages = kinds.reduce((sum, table) => sum + table.reduce((n, kind) => n + (kind === HERE ? 1 : 0), 0), 0);
  const bytes = new Uint8Array(ENVELOPE_HEADER + 8 + padded(state.length) + tables + pages * PAGE);
  const view = new DataView(bytes.buffer, ENVELOPE_HEADER);
  view.setUint32(0, base === undefined ? 0 : sealOf(base), true);
  view.setUint32(4, state.length, true);
  let at = ENVELOPE_HEADER + 8;
  bytes.set(state, at);
  at += padded(state.length);
  for (const table of kinds) {
    bytes.set(table, at);
    at += padded(table.length);
  }
  memories.forEach((memory, i) => {
    for (const [first, end] of runsOf(kinds[i] ?? NOTHING)) {
      bytes.set(memory.bytes.subarray(first * PAGE, end * PAGE), at);
      at += (end - first) * PAGE;
    }
  });
  return seal(SNAPSHOT, bytes);
}

/**
 * Loads them. `base` is that of a delta. Throws `snapshot`, with nothing changed, for bytes that are none of this version of parts
 * like these.
 */
export function loadSnapshot(bytes: Uint8Array, parts: readonly Stateful[], base?: Uint8Array): void {
  const memories = memoriesOf(parts);
  const rest = unwrap(SNAPSHOT, bytes);
  const reader = new StateReader(SNAPSHOT, smallState(rest));
  const made = reader.text();
  const here = describe(parts);
  if (made !== here) refuse(SNAPSHOT, `it is of ${made}, not of ${here}`, { made, here });
  const saved = pagesOf(rest, memories);
  const below = baseOf(saved, memories, base);
  const before = stateOf(parts);
  const old: (() => void)[] = [];
  try {
    for (const part of parts) part.state(reader);
    reader.finish();
    memories.forEach((memory, i) => {
      writePages(memory, saved.memories[i] ?? NO_PAGES, below?.memories[i], old);
    });
    for (const part of parts) part.restored?.();
  } catch (error) {
    for (const undo of old) undo();
    const back = new StateReader(SNAPSHOT, before);
    back.text();
    for (const part of parts) part.state(back);
    back.finish();
    if (old.length > 0) for (const part of parts) part.restored?.();
    throw error;
  }
}

/** The pages of one memory in a snapshot: what each is, and its place in the bytes. */
interface Pages {
  readonly kinds: Uint8Array;
  readonly places: Int32Array;
  readonly bytes: Uint8Array;
}

interface Contents {
  /** Seal of the base; 0: there is none. */
  readonly base: number;
  readonly memories: readonly Pages[];
}

const NOTHING: Uint8Array = new Uint8Array(0);
const NO_PAGES: Pages = { kinds: NOTHING, places: new Int32Array(0), bytes: NOTHING };
const ZEROS: Uint8Array = new Uint8Array(PAGE);

/** The description and the small state. Throws `snapshot` if the rest of a snapshot has not the form. */
function smallState(rest: Uint8Array): Uint8Array {
  if (rest.length < 8) endsTooSoon(rest);
  const length = new DataView(rest.buffer, rest.byteOffset, rest.byteLength).getUint32(4, true);
  if (8 + padded(length) > rest.length) endsTooSoon(rest);
  return rest.subarray(8, 8 + length);
}

function endsTooSoon({ length }: Uint8Array): never {
  refuse(SNAPSHOT, `its parts do not fit into ${length} bytes`, { bytes: length });
}

/** The pages of a snapshot. Throws `snapshot` if it has not the form, or not the pages of these memories. */
function pagesOf(rest: Uint8Array, memories: readonly SavedMemory[]): Contents {
  let at = 8 + padded(smallState(rest).length);
  const base = new DataView(rest.buffer, rest.byteOffset, rest.byteLength).getUint32(0, true);
  const tables = memories.map((memory) => {
    const kinds = rest.subarray(at, at + memory.bytes.length / PAGE);
    at += padded(kinds.length);
    return kinds;
  });
  if (at > rest.length) endsTooSoon(rest);
  const all = tables.map((kinds): Pages => {
    const places = new Int32Array(kinds.length);
    kinds.forEach((kind, page) => {
      if (kind > (base === 0 ? HERE : BASE)) refuse(SNAPSHOT, `page ${page} is of kind ${kind}`, { page, kind });
      places[page] = at;
      if (kind === HERE) at += PAGE;
    });
    return { kinds, places, bytes: rest };
  });
  if (at !== rest.length) endsTooSoon(rest);
  return { base, memories: all };
}

/** The base of a delta. Throws `snapshot` unless it is given exactly where there is one, and is that one. */
function baseOf(saved: Contents, memories: readonly SavedMemory[], base?: Uint8Array): Contents | undefined {
  if (saved.base === 0) {
    if (base !== undefined) refuse(SNAPSHOT, 'it is whole and has no base', {});
    return undefined;
  }
  if (base === undefined) refuse(SNAPSHOT, 'it is a delta: give its base too', { base: saved.base });
  const contents = pagesOf(unwrap(SNAPSHOT, base), memories);
  if (sealOf(base) !== saved.base || contents.base !== 0) {
    refuse(SNAPSHOT, 'it is a delta of another base', { base: saved.base, given: sealOf(base) });
  }
  return contents;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function describe(parts: readonly Stateful[]): string {
  return parts.map(({ description }) => description).join('; ');
}

function memoriesOf(parts: readonly Stateful[]): readonly SavedMemory[] {
  return parts.flatMap(({ memories = [] }) => memories);
}

/** The small state, with the description before it. */
function stateOf(parts: readonly Stateful[]): Uint8Array {
  const writer = new StateWriter(SNAPSHOT);
  writer.text(describe(parts));
  for (const part of parts) part.state(writer);
  return writer.take();
}

/** What each page of a memory is. */
function kindsOf(memory: SavedMemory, base: Pages | undefined): Uint8Array {
  const { bytes } = memory;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const before = base === undefined ? undefined : wordsOf(base.bytes);
  const kinds = new Uint8Array(bytes.length / PAGE);
  for (let page = 0; page < kinds.length; page += 1) {
    const first = page * PAGE_WORDS;
    if (memory.isZero(page * PAGE)) kinds[page] = ZERO;
    else if (before !== undefined && base?.kinds[page] === HERE) {
      const place = (base.places[page] ?? 0) >>> 2;
      kinds[page] = isEqual(words, first, before, place) ? BASE : HERE;
    } else kinds[page] = HERE;
  }
  return kinds;
}

/** Bytes that are aligned where they are, else in a copy, as words. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
}

function isEqual(a: Int32Array, first: number, b: Int32Array, other: number): boolean {
  for (let i = 0; i < PAGE_WORDS; i += 1) if (a[first + i] !== b[other + i]) return false;
  return true;
}

/** Runs of pages that are here: the first, and the one after the last. */
function* runsOf(kinds: Uint8Array): Generator<readonly [number, number]> {
  for (let page = 0; page < kinds.length; page += 1) {
    if (kinds[page] !== HERE) continue;
    const first = page;
    while (page < kinds.length && kinds[page] === HERE) page += 1;
    yield [first, page];
  }
}

/** Makes a memory what a snapshot says. Pages that are so already are left alone. `old` gets what puts the others back. */
function writePages(memory: SavedMemory, saved: Pages, base: Pages | undefined, old: (() => void)[]): void {
  const { bytes } = memory;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const [savedWords, baseWords] = [saved, base ?? NO_PAGES].map((pages) => wordsOf(pages.bytes));
  saved.kinds.forEach((kind, page) => {
    const from = kind === BASE ? (base?.kinds[page] === HERE ? base : undefined) : kind === HERE ? saved : undefined;
    const source = kind === BASE ? baseWords : savedWords;
    const place = from?.places[page] ?? 0;
    const first = page * PAGE_WORDS;
    if (
      from === undefined || source === undefined
        ? memory.isZero(page * PAGE)
        : isEqual(words, first, source, place >>> 2)
    ) {
      return;
    }
    const kept = bytes.slice(page * PAGE, (page + 1) * PAGE);
    old.push(() => {
      memory.write(page * PAGE, kept);
    });
    memory.write(page * PAGE, from === undefined ? ZEROS : from.bytes.subarray(place, place + PAGE));
  });
}
