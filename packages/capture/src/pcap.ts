/**
 * Writes classic pcap: one link type, no comments, times of 10^-6 or 10^-9 s. [PCAP]
 *
 * Everything reads it. What it cannot hold is left out (names, comments, statistics) or refused (a second link type).
 */
import type { PacketBatch } from './batch.ts';
import { CaptureError } from './error.ts';
import { copyRecords, Scratch } from './internal/copy.ts';
import type { ByteOrder, CaptureRecord, InterfaceRecord } from './records.ts';

/** libpcap's largest snapshot length, which tcpdump takes by default. */
const MOST_KEPT = 262_144;
const SECOND = 1_000_000_000n;

/** How a file is written. */
export interface PcapOptions {
  /** A LINKTYPE_ number. Without it, the file begins with the first interface record, and has its link type. */
  readonly linkType?: number;
  /** Bytes that are kept of a packet at most. It is noted, not enforced; libpcap cuts packets there. Default 262,144. */
  readonly snapshotLength?: number;
  /** Bytes of the FCS at the end of each packet: an even number up to 30. */
  readonly fcsLength?: number;
  /** Times in 10^-9 s instead of 10^-6 s. Default: where an interface record's resolution is finer than 10^-6 s. */
  readonly nanoseconds?: boolean;
  /** Default: that of the section record before the first interface, and little-endian without one. */
  readonly byteOrder?: ByteOrder;
}

/** A packet to be written. */
export interface PcapPacket {
  readonly data: Uint8Array;
  /** Length in bytes on the network. Default: that of `data`. */
  readonly originalLength?: number;
  /** When, in nanoseconds since 1970, before 2106; rounded down to the file's resolution. Default 0. */
  readonly time?: bigint;
}

interface Header {
  readonly linkType: number;
  readonly snapshotLength: number;
  readonly fcsLength?: number | undefined;
  readonly nanoseconds: boolean;
}

/** A capture under way. Errors of its methods: `value`, and `interface` for a second link type. */
export class PcapWriter {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #options: PcapOptions;
  readonly #scratch = new Scratch();
  #little: boolean;
  #header: Header | undefined;

  /** `write` gets the file's bytes, in whole records; the header at once if `linkType` is given. */
  constructor(write: (bytes: Uint8Array) => void, options: PcapOptions = {}) {
    this.#write = write;
    this.#options = options;
    this.#little = options.byteOrder !== 'big';
    const { linkType, snapshotLength = MOST_KEPT, fcsLength, nanoseconds = false } = options;
    if (linkType !== undefined) this.#begin({ linkType, snapshotLength, fcsLength, nanoseconds });
  }

  /** Adds a packet. */
  addPacket({ data, originalLength = data.length, time = 0n }: PcapPacket): void {
    if (this.#header === undefined) {
      throw new CaptureError('interface', 'a pcap begins with its link type: give one, or add an interface record');
    }
    const seconds = time / SECOND;
    if (time < 0n || seconds >= 2n ** 32n) {
      throw new CaptureError('value', `time ${String(time)} ns: pcap has those from 1970 to 2106`, { time });
    }
    check(originalLength, 'length on the network');
    const bytes = new Uint8Array(16 + data.length);
    const view = new DataView(bytes.buffer);
    const little = this.#little;
    view.setUint32(0, Number(seconds), little);
    view.setUint32(4, Number((time % SECOND) / (this.#header.nanoseconds ? 1n : 1000n)), little);
    view.setUint32(8, data.length, little);
    view.setUint32(12, originalLength, little);
    bytes.set(data, 16);
    this.#write(bytes);
  }

  /** Adds what a reader gave: packets, and the first interface as the header. Comments, names and the like are left out. */
  add(record: CaptureRecord): void {
    if (record.kind === 'packet') this.addPacket(record);
    else if (record.kind === 'interface') this.#interface(record);
    else if (record.kind === 'section' && this.#header === undefined) {
      this.#little = (this.#options.byteOrder ?? record.byteOrder) === 'little';
    }
  }

  /**
   * Adds the packets of a batch, or those whose places in it `selected` lists in rising order. What `write` gets
   * of it, it must use before it returns: records are copied from the batch as they are where nothing has to change.
   */
  addBatch(batch: PacketBatch, selected?: ArrayLike<number>): void {
    const { section } = batch;
    copyRecords(batch, selected, {
      other: (record) => {
        this.add(record);
      },
      packet: (record) => {
        this.addPacket(record);
      },
      verbatim: (i) => {
        const nano = batch.interfaceRecords[0]?.resolution.exponent === 9;
        // Records with more than the four words, or with the lengths exchanged, are written anew.
        const plain = section?.version[1] === 4 && (batch.offsets[i] ?? 0) - (batch.starts[i] ?? 0) === 16;
        // The first batch's section and interface begin the file, so this is asked only now.
        const same = section?.format === 'pcap' && (section.byteOrder === 'little') === this.#little;
        return same && plain && nano === this.#header?.nanoseconds;
      },
      write: this.#write,
      scratch: this.#scratch,
    });
  }

  #interface(record: InterfaceRecord): void {
    const { linkType, fcsLength } = record;
    const header = this.#header;
    if (header === undefined) {
      const { base, exponent } = record.resolution;
      const nanoseconds = base === 2 ? exponent > 19 : exponent > 6;
      this.#begin({
        linkType,
        snapshotLength: this.#options.snapshotLength ?? record.snapshotLength,
        fcsLength: this.#options.fcsLength ?? fcsLength,
        nanoseconds: this.#options.nanoseconds ?? nanoseconds,
      });
    } else if (header.linkType !== linkType) {
      throw new CaptureError('interface', `interface ${record.interface} has link type ${linkType}, and the file has ${header.linkType}: write pcapng`, { interface: record.interface, linkType }); // prettier-ignore
    }
  }

  #begin(header: Header): void {
    const { linkType, snapshotLength, fcsLength, nanoseconds } = header;
    if (linkType > 0xffff) throw new CaptureError('value', `link type ${linkType}`, { linkType });
    check(linkType, 'link type');
    check(snapshotLength, 'snapshot length');
    if (fcsLength !== undefined && !(fcsLength >= 0 && fcsLength <= 30 && fcsLength % 2 === 0)) {
      throw new CaptureError('value', `an FCS of ${fcsLength} bytes: even numbers up to 30 can be noted`, {
        fcsLength,
      });
    }
    this.#header = header;
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    const little = this.#little;
    view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little);
    view.setUint16(4, 2, little);
    view.setUint16(6, 4, little);
    view.setUint32(16, snapshotLength, little);
    const fcs = fcsLength === undefined ? 0 : 0x04000000 + (fcsLength / 2) * 2 ** 28;
    view.setUint32(20, linkType + fcs, little);
    this.#write(bytes);
  }
}

function check(value: number, what: string): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= 0xffffffff)) {
    throw new CaptureError('value', `${what} ${value}: an integer of 32 bits is needed`, { value });
  }
}
