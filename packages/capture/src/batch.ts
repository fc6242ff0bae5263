/**
 * Packets of a capture by the thousand, without an object for each: columns of numbers beside the bytes of the file.
 *
 * A batch belongs to its reader, which fills it again: everything in it holds until the next `readBatch`. `packet(i)`
 * makes a record that lasts. All packets of a batch are of one section.
 */
import { parseOptions, integerOption, EPB_DROPCOUNT, type CaptureOption } from './options.ts';
import type { InterfaceRecord, OtherRecord, PacketRecord, SectionRecord } from './records.ts';
import { ticksToNanoseconds } from './time.ts';

/** Kinds of packet blocks, in `PacketBatch.kinds`. */
export const RECORD = 0;
export const ENHANCED = 1;
export const SIMPLE = 2;
export const OBSOLETE = 3;

/** A record that is no packet, and its place: before packet `before` of its batch. */
export interface PlacedRecord {
  readonly before: number;
  readonly record: SectionRecord | InterfaceRecord | OtherRecord;
}

/** Columns of the caller's, for one: in the memory of a compiled filter. A batch has as many packets as the shortest. */
export interface BatchColumns {
  readonly offsets: Uint32Array;
  readonly capturedLengths: Uint32Array;
  readonly originalLengths: Uint32Array;
}

/** Packets of a capture, in columns. */
export class PacketBatch {
  /** A piece of the file: the caller's window, the reader's own, or the whole file; a view of it if that is a Node `Buffer`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where `bytes[0]` stands in the file. */
  fileOffset = 0;
  /** How many packets there are. It may be 0 where there are only `others`. */
  count = 0;
  /** Where the data of each packet begin in `bytes`. */
  readonly offsets: Uint32Array;
  readonly capturedLengths: Uint32Array;
  /** Lengths in bytes on the network. */
  readonly originalLengths: Uint32Array;
  /** Numbers of the interfaces in the file. */
  readonly interfaces: Uint32Array;
  /** In classic pcap, seconds since 1970; in pcapng, the upper half of the ticks. `ticks(i)` and `time(i)` put them together. */
  readonly timesHigh: Uint32Array;
  /** In classic pcap, micro- or nanoseconds; in pcapng, the lower half of the ticks. */
  readonly timesLow: Uint32Array;
  /** Where the whole record or block of each packet begins in `bytes`, its header included. */
  readonly starts: Uint32Array;
  /** Where it ends. */
  readonly ends: Uint32Array;
  /** 0 a record of classic pcap, 1 an Enhanced, 2 a Simple, 3 an obsolete Packet Block. */
  readonly kinds: Uint8Array;
  /** What stands between the packets: sections, interfaces, and the blocks that the reader keeps. */
  readonly others: PlacedRecord[] = [];
  /** The section of all its packets. */
  section: SectionRecord | undefined;
  /** The number in the file of the section's first interface, which its blocks call 0. */
  firstInterface = 0;
  /** All interfaces of the file up to here, by number. */
  readonly interfaceRecords: readonly InterfaceRecord[];

  /** Most packets that it holds. */
  readonly capacity: number;

  /** Readers make batches; callers only read them. `columns` may be a number of packets. */
  constructor(columns: number | BatchColumns, interfaceRecords: readonly InterfaceRecord[]) {
    let capacity: number;
    if (typeof columns === 'number') {
      capacity = columns;
      this.offsets = new Uint32Array(capacity);
      this.capturedLengths = new Uint32Array(capacity);
      this.originalLengths = new Uint32Array(capacity);
    } else {
      ({
        offsets: this.offsets,
        capturedLengths: this.capturedLengths,
        originalLengths: this.originalLengths,
      } = columns);
      capacity = Math.min(columns.offsets.length, columns.capturedLengths.length, columns.originalLengths.length);
    }
    this.capacity = capacity;
    this.interfaces = new Uint32Array(capacity);
    this.timesHigh = new Uint32Array(capacity);
    this.timesLow = new Uint32Array(capacity);
    this.starts = new Uint32Array(capacity);
    this.ends = new Uint32Array(capacity);
    this.kinds = new Uint8Array(capacity);
    this.interfaceRecords = interfaceRecords;
  }

  /** The data of packet `i`: a part of `bytes`, not a copy. */
  data(i: number): Uint8Array {
    const start = at(this.offsets, i);
    return this.bytes.subarray(start, start + at(this.capturedLengths, i));
  }

  /** When packet `i` was captured, in ticks of its interface; `undefined` for a Simple Packet Block. Exact. */
  ticks(i: number): bigint | undefined {
    const [high, low] = [BigInt(at(this.timesHigh, i)), BigInt(at(this.timesLow, i))];
    if (this.kinds[i] === SIMPLE) return undefined;
    if (this.kinds[i] !== RECORD) return (high << 32n) | low;
    return high * (this.#interface(i).resolution.exponent === 9 ? 1_000_000_000n : 1_000_000n) + low;
  }

  /** When packet `i` was captured, in nanoseconds since 1970, rounded down; `undefined` for a Simple Packet Block. */
  time(i: number): bigint | undefined {
    const ticks = this.ticks(i);
    if (ticks === undefined) return undefined;
    const { resolution, epoch } = this.#interface(i);
    return ticksToNanoseconds(ticks, resolution, epoch);
  }

  /** Options of packet `i`, comments among them. Throws `options` if the list is bad. */
  options(i: number): readonly CaptureOption[] {
    const kind = this.kinds[i];
    if (kind === RECORD || kind === SIMPLE) return [];
    const little = this.section?.byteOrder === 'little';
    const padded = (at(this.capturedLengths, i) + 3) & ~3;
    const from = at(this.offsets, i) + padded;
    const list = parseOptions(this.bytes, from, at(this.ends, i) - 4, little, 'packet', this.fileOffset);
    if (kind !== OBSOLETE) return list;
    // The obsolete block counts losses in its header, where the new one has an option. 65,535 is "not known".
    const dropped = this.#dropped(i, little);
    return dropped === 0xffff ? list : [...list, integerOption(EPB_DROPCOUNT, dropped, 8)];
  }

  /** Packet `i` as a record with a copy of its data, which lasts. Throws `options` if its options are bad. */
  packet(i: number): PacketRecord {
    const ticks = this.ticks(i);
    const { resolution, epoch } = this.#interface(i);
    return {
      kind: 'packet',
      interface: at(this.interfaces, i),
      ...(ticks === undefined ? {} : { ticks, time: ticksToNanoseconds(ticks, resolution, epoch) }),
      data: this.data(i).slice(),
      originalLength: at(this.originalLengths, i),
      options: this.options(i),
    };
  }

  #interface(i: number): InterfaceRecord {
    const found = i < this.count ? this.interfaceRecords[at(this.interfaces, i)] : undefined;
    if (found === undefined) throw new RangeError(`packet ${i} of a batch of ${this.count}`);
    return found;
  }

  #dropped(i: number, little: boolean): number {
    const [first, second] = [at(this.bytes, at(this.starts, i) + 10), at(this.bytes, at(this.starts, i) + 11)];
    return little ? first | (second << 8) : (first << 8) | second;
  }
}

function at(column: Uint32Array | Uint8Array, i: number): number {
  return column[i] ?? 0;
}
