/** Captures put together by hand, byte by byte, for the tests. */
import {
  openCapture,
  type CaptureRecord,
  type CaptureSource,
  type PacketRecord,
  type ReadOptions,
} from '../src/index.ts';

/** Integers of one byte order, and blocks made of them. */
export class Maker {
  readonly little: boolean;

  constructor(little: boolean) {
    this.little = little;
  }

  u16(value: number): Buffer {
    const bytes = Buffer.alloc(2);
    if (this.little) bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  }

  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    if (this.little) bytes.writeUInt32LE(value >>> 0);
    else bytes.writeUInt32BE(value >>> 0);
    return bytes;
  }

  u64(value: bigint): Buffer {
    const bytes = Buffer.alloc(8);
    if (this.little) bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    else bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
    return bytes;
  }

  /** A time as two words, the upper one first in either order. */
  ticks(value: bigint): Buffer {
    return Buffer.concat([this.u32(Number(value >> 32n)), this.u32(Number(value & 0xffffffffn))]);
  }

  block(type: number, ...body: readonly Uint8Array[]): Buffer {
    const all = padded(Buffer.concat(body));
    const length = this.u32(12 + all.length);
    return Buffer.concat([this.u32(type), length, all, length]);
  }

  option(code: number, value: Uint8Array): Buffer {
    return Buffer.concat([this.u16(code), this.u16(value.length), padded(value)]);
  }

  section(...options: readonly Uint8Array[]): Buffer {
    return this.block(0x0a0d0d0a, this.u32(0x1a2b3c4d), this.u16(1), this.u16(0), this.u64(-1n), ...options);
  }

  interface(linkType: number, snapshotLength: number, ...options: readonly Uint8Array[]): Buffer {
    return this.block(1, this.u16(linkType), this.u16(0), this.u32(snapshotLength), ...options);
  }

  packet(
    to: number,
    ticks: bigint,
    data: Uint8Array,
    original = data.length,
    ...options: readonly Uint8Array[]
  ): Buffer {
    const head = [this.u32(to), this.ticks(ticks), this.u32(data.length), this.u32(original)];
    return this.block(6, ...head, padded(data), ...options);
  }

  /** The header of a classic pcap. */
  pcap(magic: number, linkType = 1, snapshotLength = 65535, major = 2, minor = 4): Buffer {
    const zone = [this.u32(0), this.u32(0)];
    const versions = [this.u16(major), this.u16(minor)];
    return Buffer.concat([this.u32(magic), ...versions, ...zone, this.u32(snapshotLength), this.u32(linkType)]);
  }

  record(seconds: number, fraction: number, data: Uint8Array, original = data.length): Buffer {
    return Buffer.concat([this.u32(seconds), this.u32(fraction), this.u32(data.length), this.u32(original), data]);
  }
}

export const LITTLE = new Maker(true);
export const BIG = new Maker(false);
export const END: Uint8Array = new Uint8Array(4);

export function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** `length` bytes that differ from packet to packet. */
export function data(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed * 37 + i * 11) & 0xff);
}

/** A list, and the error that ended it. */
export interface Outcome<T> {
  readonly list: readonly T[];
  readonly error: unknown;
}

async function collect<T>(from: Promise<AsyncIterable<T>>): Promise<Outcome<T>> {
  const list: T[] = [];
  try {
    for await (const one of await from) list.push(one);
    return { list, error: undefined };
  } catch (error) {
    return { list, error };
  }
}

export function records(source: CaptureSource, options?: ReadOptions): Promise<Outcome<CaptureRecord>> {
  return collect(openCapture(source, options).then((reader) => reader.records()));
}

export function packets(source: CaptureSource, options?: ReadOptions): Promise<Outcome<PacketRecord>> {
  return collect(openCapture(source, options));
}

/** Pieces of `length` bytes. */
export function* pieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.slice(at, at + length);
}

/** A pcapng with most that there is: two sections of both byte orders, three interfaces, every known block. */
export function everything(first = LITTLE, second = BIG): Buffer {
  const text = (words: string): Buffer => Buffer.from(words);
  return Buffer.concat([
    first.section(first.option(1, text('a section')), first.option(4, text('by hand')), END),
    first.interface(1, 0, first.option(2, text('eth0')), first.option(9, Buffer.of(9)), first.option(8, first.u64(10n ** 9n)), END), // prettier-ignore
    first.packet(0, 1_700_000_000_123_456_789n, data(1, 60), 60, first.option(1, text('first')), first.option(1, text('again')), first.option(2, first.u32(1)), END), // prettier-ignore
    first.interface(101, 96, first.option(9, Buffer.of(0x8a)), first.option(14, first.u64(1_600_000_000n))),
    first.packet(1, 1024n * 5n + 512n, data(2, 96), 1500),
    first.block(3, first.u32(42), padded(data(3, 42))),
    first.block(2, first.u16(1), first.u16(7), first.ticks(2048n), first.u32(5), first.u32(9), padded(data(4, 5)), first.option(2, first.u32(2)), END), // prettier-ignore
    first.block(4, first.u16(1), first.u16(9), padded(Buffer.from([10, 0, 0, 1, 0x61, 0, 0x62, 0x63, 0])), first.u16(0), first.u16(0)), // prettier-ignore
    first.block(5, first.u32(1), first.ticks(4096n), first.option(4, first.u64(99n)), END),
    second.section(),
    second.interface(1, 65535, second.option(2, text('eth1')), END),
    second.packet(0, 1_700_000_001_000_000n, data(5, 61), 61, second.option(4, second.u64(3n)), END),
    second.block(0xbad, second.u32(32473), text('own')),
    second.block(0x40000bad, second.u32(32473), text('mine')),
    second.block(0x70000001, text('unknown!')),
    second.packet(0, 1_700_000_002_000_000n, data(6, 1)),
  ]);
}
