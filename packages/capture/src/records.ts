/**
 * What a capture consists of, in the order of the file: sections, interfaces, packets, and the other blocks of pcapng.
 *
 * A classic pcap reads as one section with one interface. Interfaces are numbered through the whole file, not from 0 in
 * each section as in its blocks. Writers take the same records. Source: [PCAPNG §4].
 */
import { decodeUtf8, type CaptureOption } from './options.ts';
import type { Resolution } from './time.ts';

/** Of the integers in a section. */
export type ByteOrder = 'little' | 'big';

/** The beginning of a section; the first one is the beginning of the file. */
export interface SectionRecord {
  readonly kind: 'section';
  readonly format: 'pcap' | 'pcapng';
  readonly byteOrder: ByteOrder;
  readonly version: readonly [major: number, minor: number];
  readonly options: readonly CaptureOption[];
}

/** An interface, before its first packet. */
export interface InterfaceRecord {
  readonly kind: 'interface';
  /** Its number in the file, from 0. */
  readonly interface: number;
  /** Its LINKTYPE_ number; 1 is Ethernet. */
  readonly linkType: number;
  /** Bytes that were kept of a packet; 0 is no limit. Records may be longer: they are given whole. */
  readonly snapshotLength: number;
  /** Bytes of the FCS at the end of each packet, if the file says so. */
  readonly fcsLength?: number;
  readonly resolution: Resolution;
  /** What tick 0 is, in seconds since 1970. */
  readonly epoch: bigint;
  readonly name?: string;
  /** All options but those that the fields above hold (`if_tsresol`, `if_tsoffset`, `if_fcslen`). The name is in both. */
  readonly options: readonly CaptureOption[];
}

/** A packet. */
export interface PacketRecord {
  readonly kind: 'packet';
  /** The number of its interface in the file. */
  readonly interface: number;
  /** When, in ticks of the interface's clock; exact. Without one in a Simple Packet Block, which has no time. */
  readonly ticks?: bigint;
  /** When, in nanoseconds since 1970: exact for resolutions of 10^-9 s and coarser powers of ten, else rounded down. */
  readonly time?: bigint;
  /** What was captured. */
  readonly data: Uint8Array;
  /** Length in bytes on the network. */
  readonly originalLength: number;
  readonly options: readonly CaptureOption[];
}

/** One entry of a Name Resolution Block. */
export interface NameEntry {
  /** 1 IPv4, 2 IPv6, 3 EUI-48, 4 EUI-64. */
  readonly type: number;
  /** The address and the names behind it, each ended by a zero byte. `addressNames` takes it apart. */
  readonly value: Uint8Array;
}

/** A Name Resolution Block. */
export interface NamesRecord {
  readonly kind: 'names';
  readonly entries: readonly NameEntry[];
  readonly options: readonly CaptureOption[];
}

/** An Interface Statistics Block. */
export interface StatisticsRecord {
  readonly kind: 'statistics';
  /** The number of the interface in the file. */
  readonly interface: number;
  /** When the counters were read, in ticks of the interface's clock. */
  readonly ticks: bigint;
  readonly options: readonly CaptureOption[];
}

/** A Custom Block. Its data may end in options that only their owner can find. */
export interface CustomRecord {
  readonly kind: 'custom';
  /** Private Enterprise Number of its owner. */
  readonly enterprise: number;
  readonly data: Uint8Array;
  /** Whether programs that change a capture may copy it. */
  readonly copy: boolean;
}

/** A block of another type. Integers in `body` have the byte order of their section. */
export interface UnknownRecord {
  readonly kind: 'unknown';
  readonly type: number;
  readonly byteOrder: ByteOrder;
  /** All between the two lengths. */
  readonly body: Uint8Array;
}

/** Blocks that are kept or skipped by choice. */
export type OtherRecord = NamesRecord | StatisticsRecord | CustomRecord | UnknownRecord;

/** Anything in a capture. */
export type CaptureRecord = SectionRecord | InterfaceRecord | PacketRecord | OtherRecord;

/** Address and names of an entry of a Name Resolution Block; `undefined` if it is of an unknown type, or cut. */
export function addressNames({
  type,
  value,
}: NameEntry): { readonly address: Uint8Array; readonly names: readonly string[] } | undefined {
  const length = [undefined, 4, 16, 6, 8][type];
  if (length === undefined || value.length < length) return undefined;
  const names: string[] = [];
  for (let at = length; at < value.length;) {
    const zero = value.indexOf(0, at);
    const end = zero < 0 ? value.length : zero;
    if (end > at) names.push(decodeUtf8(value.slice(at, end)));
    at = end + 1;
  }
  return { address: value.slice(0, length), names };
}
