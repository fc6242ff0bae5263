/**
 * pcapng: sections of blocks, each with its length before and behind it. [PCAPNG §3, §4]
 *
 * The loop that takes packets makes no object. All else is rare and becomes records.
 */
import { ENHANCED, OBSOLETE, SIMPLE, type PacketBatch } from '../batch.ts';
import { CaptureError } from '../error.ts';
import type { CaptureLimits } from '../limits.ts';
import {
  IF_FCSLEN,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  integerOf,
  parseOptions,
  textOf,
  type CaptureOption,
} from '../options.ts';
import type { InterfaceRecord, NameEntry, OtherRecord, SectionRecord } from '../records.ts';
import { MICROSECONDS, type Resolution } from '../time.ts';
import type { Input } from './input.ts';
import { tooLarge } from './pcap-parser.ts';

export const SECTION_HEADER = 0x0a0d0d0a;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
export const SIMPLE_PACKET = 3;
export const NAME_RESOLUTION = 4;
export const INTERFACE_STATISTICS = 5;
export const ENHANCED_PACKET = 6;
export const CUSTOM_BLOCK = 0x0bad;
export const CUSTOM_BLOCK_NO_COPY = 0x40000bad;

/** Shortest block of each type. */
const MINIMUM: Readonly<Record<number, number>> = {
  [SECTION_HEADER]: 28,
  [INTERFACE_DESCRIPTION]: 20,
  [OBSOLETE_PACKET]: 32,
  [SIMPLE_PACKET]: 16,
  [NAME_RESOLUTION]: 12,
  [INTERFACE_STATISTICS]: 24,
  [ENHANCED_PACKET]: 32,
  [CUSTOM_BLOCK]: 16,
  [CUSTOM_BLOCK_NO_COPY]: 16,
};

/** Records that are no packets in one batch: a file of nothing else must not become one array. */
const MOST_OTHERS = 4096;

export class PcapngParser {
  readonly #limits: Required<CaptureLimits>;
  readonly #interfaces: InterfaceRecord[];
  readonly #keep: ReadonlySet<OtherRecord['kind']>;
  #little = true;
  #section: SectionRecord | undefined;
  /** The number in the file of the section's interface 0. */
  #base = 0;

  constructor(limits: Required<CaptureLimits>, interfaces: InterfaceRecord[], keep: ReadonlySet<OtherRecord['kind']>) {
    this.#limits = limits;
    this.#interfaces = interfaces;
    this.#keep = keep;
  }

  /** Takes the blocks that the window holds whole, until the batch is full or a section begins behind a packet. */
  parse(input: Input, batch: PacketBatch): void {
    const { view, end } = input;
    batch.section = this.#section;
    batch.firstInterface = this.#base;
    const { capacity } = batch;
    input.wanted = 12;
    while (batch.count < capacity && batch.others.length < MOST_OTHERS && end - input.start >= 12) {
      const at = input.start;
      const type = view.getUint32(at, this.#little);
      if (type === SECTION_HEADER) {
        // Its byte order may be another one; a batch has one section.
        if (batch.count > 0) break;
        this.#byteOrder(input, at);
      }
      const length = view.getUint32(at + 4, this.#little);
      if (length < (MINIMUM[type] ?? 12) || (length & 3) !== 0) {
        throw bad(input.offset + at, `a block of type ${type} has an impossible length, ${length}`);
      }
      if (length > this.#limits.block) throw tooLarge(input.offset + at, length, this.#limits.block);
      if (length > end - at) {
        input.wanted = length;
        break;
      }
      if (view.getUint32(at + length - 4, this.#little) !== length) {
        throw bad(input.offset + at, `the two lengths of a block of type ${type} differ`);
      }
      if (type === ENHANCED_PACKET) this.#packet(input, batch, at, length, view.getUint32(at + 8, this.#little));
      else if (type === OBSOLETE_PACKET) {
        this.#packet(input, batch, at, length, view.getUint16(at + 8, this.#little));
        batch.kinds[batch.count - 1] = OBSOLETE;
      } else if (type === SIMPLE_PACKET) this.#simple(input, batch, at, length);
      else this.#other(input, batch, type, at, length);
      input.start = at + length;
    }
  }

  /** Enhanced and obsolete packet blocks: they differ in the first four bytes. */
  #packet(input: Input, batch: PacketBatch, at: number, length: number, local: number): void {
    const { view } = input;
    const little = this.#little;
    const captured = view.getUint32(at + 20, little);
    if (captured > length - 32) {
      throw bad(input.offset + at, `a block of ${length} bytes holds no packet of ${captured}`);
    }
    const number = this.#number(local, input.offset + at);
    const { count } = batch;
    batch.offsets[count] = at + 28;
    batch.capturedLengths[count] = captured;
    batch.originalLengths[count] = view.getUint32(at + 24, little);
    batch.interfaces[count] = number;
    batch.timesHigh[count] = view.getUint32(at + 12, little);
    batch.timesLow[count] = view.getUint32(at + 16, little);
    batch.starts[count] = at;
    batch.ends[count] = at + length;
    batch.kinds[count] = ENHANCED;
    batch.count = count + 1;
  }

  /** No time, no captured length, no interface: the section's first, and what its snapshot length left. */
  #simple(input: Input, batch: PacketBatch, at: number, length: number): void {
    const original = input.view.getUint32(at + 8, this.#little);
    const number = this.#number(0, input.offset + at);
    const most = this.#interfaces[number]?.snapshotLength ?? 0;
    const captured = most > 0 && most < original ? most : original;
    if (captured > length - 16) {
      throw bad(input.offset + at, `a block of ${length} bytes holds no packet of ${captured}`);
    }
    const { count } = batch;
    batch.offsets[count] = at + 12;
    batch.capturedLengths[count] = captured;
    batch.originalLengths[count] = original;
    batch.interfaces[count] = number;
    batch.timesHigh[count] = 0;
    batch.timesLow[count] = 0;
    batch.starts[count] = at;
    batch.ends[count] = at + length;
    batch.kinds[count] = SIMPLE;
    batch.count = count + 1;
  }

  #number(local: number, offset: number): number {
    const number = this.#base + local;
    if (number < this.#interfaces.length) return number;
    const has = this.#interfaces.length - this.#base;
    throw new CaptureError('interface', `the block at byte ${offset} is of interface ${local}, and its section has ${has}`, { offset, interface: local }); // prettier-ignore
  }

  #byteOrder(input: Input, at: number): void {
    if (input.view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) this.#little = true;
    else if (input.view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) this.#little = false;
    else throw bad(input.offset + at, 'a section header has no byte-order magic');
  }

  #other(input: Input, batch: PacketBatch, type: number, at: number, length: number): void {
    const before = batch.count;
    if (type === SECTION_HEADER) {
      const record = this.#sectionHeader(input, at, length);
      this.#section = record;
      this.#base = this.#interfaces.length;
      batch.section = record;
      batch.firstInterface = this.#base;
      batch.others.push({ before, record });
    } else if (type === INTERFACE_DESCRIPTION) {
      const record = this.#description(input, at, length);
      this.#interfaces.push(record);
      batch.others.push({ before, record });
    } else {
      const kind = KINDS[type] ?? 'unknown';
      if (!this.#keep.has(kind)) return;
      batch.others.push({ before, record: this.#kept(input, kind, type, at, length) });
    }
  }

  #sectionHeader(input: Input, at: number, length: number): SectionRecord {
    const { view } = input;
    const [major, minor] = [view.getUint16(at + 12, this.#little), view.getUint16(at + 14, this.#little)];
    // 1.2 was written by mistake, with the layout of 1.0.
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      const offset = input.offset + at;
      throw new CaptureError('version', `pcapng ${major}.${minor} at byte ${offset}: 1.0 is known`, { offset, major, minor }); // prettier-ignore
    }
    return {
      kind: 'section',
      format: 'pcapng',
      byteOrder: this.#little ? 'little' : 'big',
      version: [major, minor],
      options: this.#options(input, at + 24, at + length - 4, 'section'),
    };
  }

  #description(input: Input, at: number, length: number): InterfaceRecord {
    const number = this.#interfaces.length;
    if (number >= this.#limits.interfaces) {
      const offset = input.offset + at;
      throw new CaptureError('limit', `more than ${this.#limits.interfaces} interfaces, at byte ${offset}`, { offset, limit: this.#limits.interfaces }); // prettier-ignore
    }
    const all = this.#options(input, at + 16, at + length - 4, 'interface');
    for (const { code, value } of all) {
      const right = INTERFACE_LENGTHS[code];
      if (right === undefined || value.length === right) continue;
      const offset = input.offset + at;
      throw new CaptureError('options', `option ${code} of the interface at byte ${offset} has ${value.length} bytes, not ${right}`, { offset, code }); // prettier-ignore
    }
    const fcs = integerOf(all, IF_FCSLEN);
    const name = textOf(all, IF_NAME);
    return {
      kind: 'interface',
      interface: number,
      linkType: input.view.getUint16(at + 8, this.#little),
      snapshotLength: input.view.getUint32(at + 12, this.#little),
      ...(fcs === undefined ? {} : { fcsLength: Number(fcs) }),
      resolution: resolutionOf(integerOf(all, IF_TSRESOL)),
      epoch: BigInt.asIntN(64, integerOf(all, IF_TSOFFSET) ?? 0n),
      ...(name === undefined ? {} : { name }),
      options: all.filter(({ code }) => INTERFACE_LENGTHS[code] === undefined),
    };
  }

  #kept(input: Input, kind: OtherRecord['kind'], type: number, at: number, length: number): OtherRecord {
    const { view, bytes } = input;
    const [start, end] = [at + 8, at + length - 4];
    switch (kind) {
      case 'names': {
        const { entries, next } = this.#names(input, start, end);
        return { kind, entries, options: this.#options(input, next, end, 'other') };
      }
      case 'statistics':
        return {
          kind,
          interface: this.#number(view.getUint32(start, this.#little), input.offset + at),
          ticks:
            (BigInt(view.getUint32(start + 4, this.#little)) << 32n) | BigInt(view.getUint32(start + 8, this.#little)),
          options: this.#options(input, start + 12, end, 'statistics'),
        };
      case 'custom':
        return {
          kind,
          enterprise: view.getUint32(start, this.#little),
          data: bytes.slice(start + 4, end),
          copy: type === CUSTOM_BLOCK,
        };
      case 'unknown':
        return { kind, type, byteOrder: this.#little ? 'little' : 'big', body: bytes.slice(start, end) };
    }
  }

  #names(input: Input, start: number, end: number): { readonly entries: readonly NameEntry[]; readonly next: number } {
    const { view, bytes } = input;
    const entries: NameEntry[] = [];
    for (let at = start; at < end;) {
      if (end - at < 4) throw bad(input.offset + at, 'a name ends with its block');
      const type = view.getUint16(at, this.#little);
      const length = view.getUint16(at + 2, this.#little);
      at += 4;
      if (type === 0) return { entries, next: at };
      if (length > end - at) throw bad(input.offset + at, `a name of ${length} bytes reaches beyond its block`);
      entries.push({ type, value: bytes.slice(at, at + length) });
      at += (length + 3) & ~3;
    }
    return { entries, next: end };
  }

  #options(
    input: Input,
    start: number,
    end: number,
    context: Parameters<typeof parseOptions>[4],
  ): readonly CaptureOption[] {
    // prettier-ignore
    return parseOptions(input.bytes, start, end, this.#little, context, input.offset);
  }
}

const KINDS: Readonly<Record<number, OtherRecord['kind']>> = {
  [NAME_RESOLUTION]: 'names',
  [INTERFACE_STATISTICS]: 'statistics',
  [CUSTOM_BLOCK]: 'custom',
  [CUSTOM_BLOCK_NO_COPY]: 'custom',
};

/** Lengths of the interface's options that become fields of its record. */
const INTERFACE_LENGTHS: Readonly<Record<number, number>> = { [IF_TSRESOL]: 1, [IF_FCSLEN]: 1, [IF_TSOFFSET]: 8 };

function resolutionOf(value: bigint | undefined): Resolution {
  if (value === undefined) return MICROSECONDS;
  const byte = Number(value);
  return { base: byte >= 0x80 ? 2 : 10, exponent: byte & 0x7f };
}

function bad(offset: number, what: string): CaptureError {
  return new CaptureError('block', `${what}, at byte ${offset}`, { offset });
}
