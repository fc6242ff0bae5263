/**
 * Writes pcapng, which Wireshark and its kin read: bytes out, nothing else.
 *
 * Packets are added one by one, by records as a reader gives them, or by whole batches of a reader, whose blocks are
 * copied as they stand where nothing has to change. Source: [PCAPNG].
 */
import type { PacketBatch } from './batch.ts';
import { CaptureError } from './error.ts';
import { copyRecords, Scratch } from './internal/copy.ts';
import {
  BYTE_ORDER_MAGIC,
  CUSTOM_BLOCK,
  CUSTOM_BLOCK_NO_COPY,
  ENHANCED_PACKET,
  INTERFACE_DESCRIPTION,
  INTERFACE_STATISTICS,
  NAME_RESOLUTION,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from './internal/pcapng-parser.ts';
import {
  encodeOptions,
  integerOption,
  textOption,
  EPB_FLAGS,
  IF_FCSLEN,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  SHB_USERAPPL,
  type CaptureOption,
} from './options.ts';
import type { ByteOrder, CaptureRecord, InterfaceRecord, NameEntry, OtherRecord } from './records.ts';
import { NANOSECONDS, nanosecondsToTicks, sameResolution, type Resolution } from './time.ts';

const LINK_ETHERNET = 1;
const FLAG_CRC_ERROR = 0x01000000;

/** One interface of a capture to be written. */
export interface CaptureInterface {
  readonly name?: string;
  /** What time 0 is, in seconds since 1970, an integer. Default 0. */
  readonly epoch?: number | bigint;
  /** A LINKTYPE_ number. Default 1, Ethernet. */
  readonly linkType?: number;
  /** Bytes that are kept of a packet at most; 0, the default, is no limit. It is noted, not enforced. */
  readonly snapshotLength?: number;
  /** Default 10^-9 s. */
  readonly resolution?: Resolution;
  /** Bytes of the FCS at the end of each packet. */
  readonly fcsLength?: number;
  readonly options?: readonly CaptureOption[];
}

/** A packet to be written. */
export interface CapturePacket {
  /** The number of its interface in the file. */
  readonly interface: number;
  readonly data: Uint8Array;
  /** Length in bytes on the network. Default: that of `data`. */
  readonly originalLength?: number;
  /** When, in ticks of the interface. It counts before `time`. */
  readonly ticks?: bigint;
  /** When, in nanoseconds since 1970. */
  readonly time?: bigint;
  readonly options?: readonly CaptureOption[];
}

/** How a file is written. */
export interface PcapngOptions {
  /** Of all sections. Default: that of each section record, and little-endian for sections of the writer's own. */
  readonly byteOrder?: ByteOrder;
  /** Of all interfaces added by a record. Default: that of the record. */
  readonly resolution?: Resolution;
  /** False: the file begins with a section record, or with `addSection`. Default true: a section begins at once. */
  readonly begin?: boolean;
}

interface Written {
  readonly local: number;
  readonly resolution: Resolution;
  readonly epoch: bigint;
  readonly snapshotLength: number;
  /** What a reader said of it, if it was added by a record. */
  readonly record: InterfaceRecord | undefined;
}

/** A capture under way. Interfaces are numbered through the whole file. Errors of its methods: `value` and `interface`. */
export class PcapngWriter {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #options: PcapngOptions;
  readonly #interfaces: Written[] = [];
  readonly #scratch = new Scratch();
  #little = true;
  #begun = false;
  /** The number of the section's first interface. */
  #base = 0;

  /** `write` gets the file's bytes, in whole blocks, beginning now with the section header. They are its to keep but for those of `addBatch`. */
  constructor(write: (bytes: Uint8Array) => void, options: PcapngOptions = {}) {
    this.#write = write;
    this.#options = options;
    if (options.begin !== false) this.addSection();
  }

  /** Begins a section. Interfaces of the ones before end with them. */
  addSection({ byteOrder, options }: { byteOrder?: ByteOrder; options?: readonly CaptureOption[] } = {}): void {
    this.#little = (this.#options.byteOrder ?? byteOrder ?? 'little') === 'little';
    this.#begun = true;
    this.#base = this.#interfaces.length;
    const list = encodeOptions(options ?? [textOption(SHB_USERAPPL, '@exokernel/capture')], this.#little, 'section');
    this.#block(SECTION_HEADER, 16, list, (view) => {
      view.setUint32(0, BYTE_ORDER_MAGIC, this.#little);
      view.setUint16(4, 1, this.#little);
      // Version 1.0; the section's length is not known.
      view.setBigInt64(8, -1n, this.#little);
    });
  }

  /** Adds an interface; returns its number. */
  addInterface(from: CaptureInterface): number {
    return this.#addInterface(from, undefined);
  }

  /** Adds a frame to an interface. `time` in nanoseconds from its epoch. */
  addFrame(to: number, frame: Uint8Array, time: number, damaged = false): void {
    const found = this.#find(to);
    const at = Math.round(time);
    if (!(at >= 0 && at < 2 ** 64)) throw new CaptureError('value', `time ${time} ns`, { time });
    const options = damaged ? [integerOption(EPB_FLAGS, FLAG_CRC_ERROR, 4)] : [];
    if (sameResolution(found.resolution, NANOSECONDS)) {
      this.#packet(found.local, Math.floor(at / 2 ** 32), at % 2 ** 32, frame, frame.length, options);
    } else this.#timed(found.local, nanosecondsToTicks(BigInt(at), found.resolution, 0n), frame, frame.length, options);
  }

  /**
   * Adds a packet. One without a time becomes a Simple Packet Block if that can hold it (the section's first interface,
   * no options, cut at the snapshot length or not at all), and has time 0 otherwise.
   */
  addPacket({ interface: to, data, originalLength = data.length, ticks, time, options = [] }: CapturePacket): void {
    const found = this.#find(to);
    const { local, resolution, epoch, snapshotLength } = found;
    if (ticks === undefined && time === undefined && local === 0 && options.length === 0) {
      const kept = snapshotLength > 0 ? Math.min(snapshotLength, originalLength) : originalLength;
      if (kept === data.length) {
        this.#simple(data, originalLength);
        return;
      }
    }
    const at = ticks ?? (time === undefined ? 0n : nanosecondsToTicks(time, resolution, epoch));
    this.#timed(local, at, data, originalLength, options);
  }

  /** Adds what a reader gave. Interfaces keep their numbers if all sections and interfaces of a file are added. */
  add(record: CaptureRecord): void {
    switch (record.kind) {
      case 'section':
        this.addSection({ byteOrder: record.byteOrder, options: record.options });
        break;
      case 'interface':
        this.#addInterface({ ...record, resolution: this.#options.resolution ?? record.resolution }, record);
        break;
      case 'packet': {
        // Ticks are the record's interface's: without a record of it, or with another resolution, time counts.
        const { record: from, resolution } = this.#find(record.interface);
        if ((from !== undefined && sameResolution(from.resolution, resolution)) || record.time === undefined) {
          this.addPacket(record);
        } else {
          const { interface: to, data, originalLength, time, options } = record;
          this.addPacket({ interface: to, data, originalLength, time, options });
        }
        break;
      }
      default:
        this.#other(record);
    }
  }

  /**
   * Adds the packets of a batch, or those whose places in it `selected` lists in rising order, and all that stands
   * between them in the capture. Blocks are copied as they are if their section's byte order and interfaces were kept;
   * what `write` gets of them, it must use before it returns.
   */
  addBatch(batch: PacketBatch, selected?: ArrayLike<number>): void {
    copyRecords(batch, selected, {
      other: (record) => {
        this.add(record);
      },
      packet: (record) => {
        this.add(record);
      },
      verbatim: (i) => {
        const number = batch.interfaces[i] ?? 0;
        const local = this.#interfaces[this.#base + number - batch.firstInterface];
        return (
          batch.section?.format === 'pcapng' &&
          (batch.section.byteOrder === 'little') === this.#little &&
          local?.record !== undefined &&
          local.record === batch.interfaceRecords[number] &&
          sameResolution(local.record.resolution, local.resolution)
        );
      },
      write: this.#write,
      scratch: this.#scratch,
    });
  }

  #find(number: number): Written {
    const found = this.#interfaces[number];
    if (found === undefined || number < this.#base) {
      throw new CaptureError('interface', `interface ${number} is not of this section, which has ${this.#base} up to ${this.#interfaces.length - 1}`, { interface: number }); // prettier-ignore
    }
    return found;
  }

  #addInterface(from: CaptureInterface, record: InterfaceRecord | undefined): number {
    const { name, linkType = LINK_ETHERNET, snapshotLength = 0, resolution = NANOSECONDS, fcsLength } = from;
    const { options = [], epoch = 0 } = from;
    const { base, exponent } = resolution;
    check(linkType, 0xffff, 'link type');
    check(snapshotLength, 0xffffffff, 'snapshot length');
    check(exponent, 127, 'exponent of a resolution');
    check(fcsLength ?? 0, 255, 'FCS length');
    if (!this.#begun) this.addSection();
    const start = BigInt(epoch);
    if (BigInt.asIntN(64, start) !== start) throw new CaptureError('value', `epoch ${String(epoch)}`, { epoch });
    const list: CaptureOption[] = [];
    const named =
      options.find(({ code }) => code === IF_NAME) ?? (name === undefined ? undefined : textOption(IF_NAME, name));
    if (named !== undefined) list.push(named);
    list.push(integerOption(IF_TSRESOL, base === 2 ? 0x80 | exponent : exponent, 1));
    if (fcsLength !== undefined) list.push(integerOption(IF_FCSLEN, fcsLength, 1));
    if (start !== 0n) list.push(integerOption(IF_TSOFFSET, start, 8));
    list.push(...options.filter((option) => option !== named));
    this.#block(INTERFACE_DESCRIPTION, 8, encodeOptions(list, this.#little, 'interface'), (view) => {
      view.setUint16(0, linkType, this.#little);
      view.setUint32(4, snapshotLength, this.#little);
    });
    const local = this.#interfaces.length - this.#base;
    return this.#interfaces.push({ local, resolution, epoch: start, snapshotLength, record }) - 1;
  }

  #other(record: OtherRecord): void {
    const little = this.#little;
    switch (record.kind) {
      case 'names': {
        const entries = encodeNames(record.entries, little);
        const options = encodeOptions(record.options, little, 'other');
        this.#block(NAME_RESOLUTION, entries.length, options, (_, bytes) => bytes.set(entries));
        break;
      }
      case 'statistics': {
        const { local, record: from, resolution } = this.#find(record.interface);
        if (from !== undefined && !sameResolution(from.resolution, resolution)) {
          throw new CaptureError('value', 'statistics of an interface whose resolution was changed', { ...record });
        }
        const ticks = checkTicks(record.ticks);
        this.#block(INTERFACE_STATISTICS, 12, encodeOptions(record.options, little, 'statistics'), (view) => {
          view.setUint32(0, local, little);
          view.setUint32(4, Number(ticks >> 32n), little);
          view.setUint32(8, Number(ticks & 0xffffffffn), little);
        });
        break;
      }
      case 'custom': {
        check(record.enterprise, 0xffffffff, 'enterprise number');
        const type = record.copy ? CUSTOM_BLOCK : CUSTOM_BLOCK_NO_COPY;
        this.#block(type, 4 + record.data.length, NOTHING, (view, bytes) => {
          view.setUint32(0, record.enterprise, little);
          bytes.set(record.data, 4);
        });
        break;
      }
      case 'unknown':
        if ((record.byteOrder === 'little') !== little) {
          throw new CaptureError('value', `block type ${record.type} cannot be written in another byte order: its layout is not known`, { type: record.type }); // prettier-ignore
        }
        this.#block(record.type, record.body.length, NOTHING, (_, bytes) => bytes.set(record.body));
    }
  }

  #timed(local: number, ticks: bigint, data: Uint8Array, original: number, options: readonly CaptureOption[]): void {
    checkTicks(ticks);
    this.#packet(local, Number(ticks >> 32n), Number(ticks & 0xffffffffn), data, original, options);
  }

  #packet(
    local: number,
    high: number,
    low: number,
    data: Uint8Array,
    original: number,
    options: readonly CaptureOption[],
  ): void {
    // prettier-ignore
    check(original, 0xffffffff, 'length on the network');
    const padded = (data.length + 3) & ~3;
    const little = this.#little;
    this.#block(ENHANCED_PACKET, 20 + padded, encodeOptions(options, little, 'packet'), (view, bytes) => {
      view.setUint32(0, local, little);
      view.setUint32(4, high, little);
      view.setUint32(8, low, little);
      view.setUint32(12, data.length, little);
      view.setUint32(16, original, little);
      bytes.set(data, 20);
    });
  }

  #simple(data: Uint8Array, original: number): void {
    check(original, 0xffffffff, 'length on the network');
    this.#block(SIMPLE_PACKET, 4 + data.length, NOTHING, (view, bytes) => {
      view.setUint32(0, original, this.#little);
      bytes.set(data, 4);
    });
  }

  /** A block of `length` bytes that `fill` sets, padding, and options. */
  #block(type: number, length: number, options: Uint8Array, fill: (view: DataView, body: Uint8Array) => void): void {
    const padded = Math.ceil(length / 4) * 4;
    const total = 12 + padded + options.length;
    if (total > 0xffffffff) throw new CaptureError('value', `a block of ${total} bytes`, { length: total });
    const bytes = new Uint8Array(total);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, this.#little);
    view.setUint32(4, total, this.#little);
    fill(new DataView(bytes.buffer, 8, padded), bytes.subarray(8, 8 + padded));
    bytes.set(options, 8 + padded);
    view.setUint32(total - 4, total, this.#little);
    this.#write(bytes);
  }
}

const NOTHING = new Uint8Array(0);

function check(value: number, most: number, what: string): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most)) {
    throw new CaptureError('value', `${what} ${value}: an integer from 0 to ${most} is needed`, { value });
  }
}

function checkTicks(ticks: bigint): bigint {
  if (ticks >> 64n !== 0n) throw new CaptureError('value', `${String(ticks)} ticks do not fit 64 bits`, { ticks });
  return ticks;
}

/** The entries of a Name Resolution Block, and their end mark. */
function encodeNames(entries: readonly NameEntry[], little: boolean): Uint8Array {
  const size = entries.reduce((sum, { value }) => sum + 4 + ((value.length + 3) & ~3), 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { type, value } of entries) {
    check(type, 0xffff, 'type of a name');
    check(value.length, 0xffff, 'length of a name');
    view.setUint16(at, type, little);
    view.setUint16(at + 2, value.length, little);
    bytes.set(value, at + 4);
    at += 4 + ((value.length + 3) & ~3);
  }
  return bytes;
}
