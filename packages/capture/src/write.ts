/** Writes records as a stream of bytes, at the pace of its reader. */
import { PcapWriter, type PcapOptions } from './pcap.ts';
import { PcapngWriter, type PcapngOptions } from './pcapng.ts';
import type { CaptureRecord } from './records.ts';

/** Bytes that are collected before they are given on. */
const PIECE = 64 * 1024;

/** What `writeCapture` writes. */
export type WriteOptions =
  ({ readonly format: 'pcap' } & PcapOptions) | ({ readonly format: 'pcapng' } & Omit<PcapngOptions, 'begin'>);

/**
 * The bytes of a capture file with these records, in pieces of about 64 KB. Holds no more than a piece and the record
 * that ends it. Throws what `PcapWriter.add` and `PcapngWriter.add` throw.
 */
export async function* writeCapture(
  records: AsyncIterable<CaptureRecord> | Iterable<CaptureRecord>,
  options: WriteOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  const write = (bytes: Uint8Array): void => {
    waiting.push(bytes);
    size += bytes.length;
  };
  const writer =
    options.format === 'pcap' ? new PcapWriter(write, options) : new PcapngWriter(write, { ...options, begin: false });
  for await (const record of records) {
    writer.add(record);
    if (size >= PIECE) {
      yield joined(waiting, size);
      waiting = [];
      size = 0;
    }
  }
  if (size > 0) yield joined(waiting, size);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
