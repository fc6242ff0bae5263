/**
 * Snapshots: the bytes of a machine, or of a network of machines, between two runs.
 *
 *     envelope (`envelope.ts`) | description | state
 *
 * The description says what the machines are made of; a snapshot is loaded only into machines made of the same. Everything
 * is checked before anything is changed. What a snapshot does not hold: the disk's contents (the store's owner keeps
 * them), translated code (it is made again), and native functions: a machine that has some is not saved, for its
 * TypeScript may be in the middle of something. Such a machine is brought back by replaying its inputs (`recording.ts`).
 *
 * Pages of memory that hold only zeros take no room.
 */
import { refuse, unwrap, wrap, type Envelope } from './envelope.ts';
import type { PhysicalMemory } from './memory/physical-memory.ts';
import type { MemoryPort } from './memory/port.ts';
import { StateReader, StateWriter, type StateStream } from './state-stream.ts';

/** The version of the format. Others are refused. */
export const SNAPSHOT_VERSION = 1;

const ENVELOPE: Envelope = { name: 'snapshot', magic: 'EXOKSNAP', version: SNAPSHOT_VERSION };
const PAGE = 4096;

/** What can be saved: a machine, a wire. */
export interface Stateful {
  /** One line that says what it is made of. */
  readonly description: string;
  state(s: StateStream): void;
}

/** The bytes of all these together. */
export function saveSnapshot(parts: readonly Stateful[]): Uint8Array {
  const writer = new StateWriter();
  writer.text(describe(parts));
  for (const part of parts) part.state(writer);
  return wrap(ENVELOPE, writer.take());
}

/** Loads them. Throws `snapshot`, with nothing changed, for bytes that are none of this version of parts like these. */
export function loadSnapshot(bytes: Uint8Array, parts: readonly Stateful[]): void {
  const reader = new StateReader(unwrap(ENVELOPE, bytes));
  const made = reader.text();
  const here = describe(parts);
  if (made !== here) refuse(ENVELOPE, `it is of ${made}, not of ${here}`, { made, here });
  for (const part of parts) part.state(reader);
  reader.armTimers();
}

function describe(parts: readonly Stateful[]): string {
  return parts.map(({ description }) => description).join('; ');
}

/** RAM, without its pages of zeros. */
export function memoryState(memory: PhysicalMemory, s: StateStream): void {
  const { bytes, words } = memory;
  const pages = bytes.length / PAGE;
  const full = new Uint8Array(Math.ceil(pages / 8));
  const kept = new Uint8Array(PAGE);
  if (!s.reads) {
    for (let page = 0; page < pages; page += 1) {
      const isFull = words.subarray(page << 10, (page + 1) << 10).some((word) => word !== 0);
      if (isFull) full[page >>> 3] = (full[page >>> 3] ?? 0) | (1 << (page & 7));
    }
  }
  s.bytes(full);
  for (let page = 0; page < pages; page += 1) {
    const contents = bytes.subarray(page * PAGE, (page + 1) * PAGE);
    const isFull = ((full[page >>> 3] ?? 0) & (1 << (page & 7))) !== 0;
    if (!s.reads) {
      if (isFull) s.bytes(contents);
      continue;
    }
    kept.fill(0);
    if (isFull) s.bytes(kept);
    if (contents.some((byte, i) => byte !== kept[i])) memory.port.write(page * PAGE, kept);
  }
}

/** The LANCE's buffer memory. */
export function lanceState(memory: MemoryPort, s: StateStream): void {
  const bytes = memory.read(0, new Uint8Array(memory.ramBytes));
  s.bytes(bytes);
  if (s.reads) memory.write(0, bytes);
}
