/**
 * Classic pcap: a header for the file, and a header for each record.
 *
 *   file     magic, version, zone, accuracy, snapshot length, link type (24 bytes; IXIA's lcap has 4 more)
 *   record   seconds, fraction, captured length, original length (16 bytes; Kuznetzov's has 8 more)
 *
 * Seconds are unsigned, as in tshark: they end in 2106. libpcap takes them as signed. Zone and accuracy mean nothing to
 * any reader. Source: [PCAP], libpcap's sf-pcap.c (versions before 2.4), Wireshark's libpcap.h (magics).
 */
import { RECORD, type PacketBatch } from '../batch.ts';
import { CaptureError } from '../error.ts';
import type { CaptureLimits } from '../limits.ts';
import type { ByteOrder, InterfaceRecord, SectionRecord } from '../records.ts';
import { MICROSECONDS, NANOSECONDS, type Resolution } from '../time.ts';
import type { Input } from './input.ts';

interface Variant {
  readonly resolution: Resolution;
  readonly fileHeader: number;
  readonly recordHeader: number;
}

const VARIANTS: ReadonlyMap<number, Variant> = new Map([
  [0xa1b2c3d4, { resolution: MICROSECONDS, fileHeader: 24, recordHeader: 16 }],
  [0xa1b23c4d, { resolution: NANOSECONDS, fileHeader: 24, recordHeader: 16 }],
  // Kuznetzov's: an interface, a protocol and a packet type follow the lengths.
  [0xa1b2cd34, { resolution: MICROSECONDS, fileHeader: 24, recordHeader: 24 }],
  // IXIA's lcap, in hardware and in software: the length of all records follows the header.
  [0x1c0001ac, { resolution: NANOSECONDS, fileHeader: 28, recordHeader: 16 }],
  [0x1c0001ab, { resolution: MICROSECONDS, fileHeader: 28, recordHeader: 16 }],
]);

/** Which of the two lengths of a record comes first depends on the version. */
type Lengths = 'captured-first' | 'original-first' | 'smaller-is-captured';

/** The link type's field: bits 28–31 are the FCS length in 16-bit words, if bit 26 is set. */
const FCS_PRESENT = 0x04000000;

/** Whether four bytes are the magic of a classic pcap; which order its integers have. */
export function pcapOrder(bytes: Uint8Array): ByteOrder | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (VARIANTS.has(view.getUint32(0, true))) return 'little';
  return VARIANTS.has(view.getUint32(0, false)) ? 'big' : undefined;
}

export class PcapParser {
  readonly #little: boolean;
  readonly #limits: Required<CaptureLimits>;
  readonly #interfaces: InterfaceRecord[];
  #recordHeader = 0;
  #lengths: Lengths = 'captured-first';
  #section: SectionRecord | undefined;

  constructor(order: ByteOrder, limits: Required<CaptureLimits>, interfaces: InterfaceRecord[]) {
    this.#little = order === 'little';
    this.#limits = limits;
    this.#interfaces = interfaces;
  }

  /** Takes the records that the window holds whole, until the batch is full. */
  parse(input: Input, batch: PacketBatch): void {
    if (this.#section === undefined && !this.#header(input, batch)) return;
    batch.section = this.#section;
    const { view, end } = input;
    const little = this.#little;
    const header = this.#recordHeader;
    const limit = this.#limits.block;
    const { capacity } = batch;
    let { count } = batch;
    let at = input.start;
    input.wanted = header;
    while (count < capacity && end - at >= header) {
      let captured = view.getUint32(at + 8, little);
      let original = view.getUint32(at + 12, little);
      if (this.#lengths !== 'captured-first' && (this.#lengths === 'original-first' || captured > original)) {
        [captured, original] = [original, captured];
      }
      const length = header + captured;
      if (length > limit) {
        input.start = at;
        batch.count = count;
        throw tooLarge(input.offset + at, length, limit);
      }
      if (length > end - at) {
        input.wanted = length;
        break;
      }
      batch.offsets[count] = at + header;
      batch.capturedLengths[count] = captured;
      batch.originalLengths[count] = original;
      batch.interfaces[count] = 0;
      batch.timesHigh[count] = view.getUint32(at, little);
      batch.timesLow[count] = view.getUint32(at + 4, little);
      batch.starts[count] = at;
      batch.ends[count] = at + length;
      batch.kinds[count] = RECORD;
      count += 1;
      at += length;
    }
    input.start = at;
    batch.count = count;
  }

  /** The file's header. False if the window does not hold it yet. */
  #header(input: Input, batch: PacketBatch): boolean {
    const { view, start } = input;
    const little = this.#little;
    input.wanted = 24;
    if (input.end - start < input.wanted) return false;
    const variant = VARIANTS.get(view.getUint32(start, little));
    if (variant === undefined) throw new CaptureError('format', 'no capture', { offset: 0 });
    input.wanted = variant.fileHeader;
    if (input.end - start < input.wanted) return false;
    const [major, minor] = [view.getUint16(start + 4, little), view.getUint16(start + 6, little)];
    this.#lengths = lengthsOf(major, minor);
    this.#recordHeader = variant.recordHeader;
    const link = view.getUint32(start + 20, little);
    this.#section = {
      kind: 'section',
      format: 'pcap',
      byteOrder: little ? 'little' : 'big',
      version: [major, minor],
      options: [],
    };
    const record: InterfaceRecord = {
      kind: 'interface',
      interface: 0,
      linkType: link & 0xffff,
      snapshotLength: view.getUint32(start + 16, little),
      ...((link & FCS_PRESENT) === 0 ? {} : { fcsLength: 2 * (link >>> 28) }),
      resolution: variant.resolution,
      epoch: 0n,
      options: [],
    };
    this.#interfaces.push(record);
    batch.others.push({ before: 0, record: this.#section }, { before: 0, record });
    input.start += variant.fileHeader;
    return true;
  }
}

export function tooLarge(offset: number, length: number, limit: number): CaptureError {
  return new CaptureError('limit', `${length} bytes at byte ${offset} are announced, and the limit is ${limit}`, { offset, length, limit }); // prettier-ignore
}

/** Throws `version` for versions that libpcap refuses too. */
function lengthsOf(major: number, minor: number): Lengths {
  if (major === 2 && minor === 4) return 'captured-first';
  if (major === 2 && minor === 3) return 'smaller-is-captured';
  if ((major === 2 && minor < 3) || (major === 543 && minor === 0)) return 'original-first';
  throw new CaptureError('version', `pcap ${major}.${minor}: versions up to 2.4 are known`, {
    offset: 4,
    major,
    minor,
  });
}
