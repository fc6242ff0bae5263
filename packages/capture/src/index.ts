/** Packet captures: pcap and pcapng, read and written as streams. */
export { openCapture, type CaptureReader, type ReadOptions } from './reader.ts';
export { type PacketBatch, type PlacedRecord } from './batch.ts';
export { PcapngWriter, type CaptureInterface } from './pcapng.ts';
export { CaptureError, type CaptureErrorCode } from './error.ts';
