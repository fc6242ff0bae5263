/** Copies packets of a batch to a writer: neighbours together and as they stand where the writer allows it. */
import type { PacketBatch, PlacedRecord } from '../batch.ts';
import type { PacketRecord } from '../records.ts';

/** What a writer does with the parts of a batch. */
export interface Copying {
  other(record: PlacedRecord['record']): void;
  packet(record: PacketRecord): void;
  /** Whether packet `i`'s bytes in the batch are what the writer would write. */
  verbatim(i: number): boolean;
  /** Gets bytes that hold until it returns. */
  write(bytes: Uint8Array): void;
  readonly scratch: Scratch;
}

/** A buffer that grows, for records that do not lie side by side. */
export class Scratch {
  #bytes: Uint8Array = new Uint8Array(0);

  take(length: number): Uint8Array {
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
    return this.#bytes.subarray(0, length);
  }
}

/** `selected`: places of packets in rising order; without it, all. */
export function copyRecords(batch: PacketBatch, selected: ArrayLike<number> | undefined, to: Copying): void {
  const total = selected === undefined ? batch.count : selected.length;
  let next = 0;
  for (const { before, record } of batch.others) {
    let until = next;
    while (until < total && place(selected, until) < before) until += 1;
    copyPackets(batch, selected, next, until, to);
    next = until;
    to.other(record);
  }
  copyPackets(batch, selected, next, total, to);
}

function copyPackets(
  batch: PacketBatch,
  selected: ArrayLike<number> | undefined,
  from: number,
  until: number,
  to: Copying,
): void {
  // prettier-ignore
  for (let i = from; i < until;) {
    let size = 0;
    let end = i;
    for (; end < until; end += 1) {
      const at = place(selected, end);
      if (at >= batch.count) throw new RangeError(`packet ${at} of a batch of ${batch.count}`);
      if (!to.verbatim(at)) break;
      size += (batch.ends[at] ?? 0) - (batch.starts[at] ?? 0);
    }
    if (end > i) {
      to.write(joined(batch, selected, i, end, size, to.scratch));
      i = end;
    } else {
      to.packet(batch.packet(place(selected, i)));
      i += 1;
    }
  }
}

/** The records of packets `from` to `until` of the selection, one after the other: where they lie, if they lie so. */
function joined(
  { bytes, starts, ends }: PacketBatch,
  selected: ArrayLike<number> | undefined,
  from: number,
  until: number,
  size: number,
  scratch: Scratch,
): Uint8Array {
  const first = starts[place(selected, from)] ?? 0;
  if (first + size === ends[place(selected, until - 1)]) return bytes.subarray(first, first + size);
  const out = scratch.take(size);
  let to = 0;
  for (let i = from; i < until;) {
    const start = starts[place(selected, i)] ?? 0;
    let end = ends[place(selected, i)] ?? 0;
    i += 1;
    // Records that follow one another in the file are one piece.
    while (i < until && starts[place(selected, i)] === end) {
      end = ends[place(selected, i)] ?? 0;
      i += 1;
    }
    out.set(bytes.subarray(start, end), to);
    to += end - start;
  }
  return out;
}

function place(selected: ArrayLike<number> | undefined, i: number): number {
  return selected === undefined ? i : (selected[i] ?? 0);
}
