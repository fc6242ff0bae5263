/** Packet captures: pcap and pcapng, read and written as streams. */
export { openCapture, type CaptureReader, type ReadOptions } from './reader.ts';
export { type BatchColumns, type PacketBatch, type PlacedRecord } from './batch.ts';
export { type ByteSource, type ByteStream, type CaptureSource } from './source.ts';
export { DEFAULT_LIMITS, type CaptureLimits } from './limits.ts';
export {
  addressNames,
  type ByteOrder,
  type CaptureRecord,
  type CustomRecord,
  type InterfaceRecord,
  type NameEntry,
  type NamesRecord,
  type OtherRecord,
  type PacketRecord,
  type SectionRecord,
  type StatisticsRecord,
  type UnknownRecord,
} from './records.ts';
export { comment, commentsOf, integerOf, integerOption, textOf, textOption, type CaptureOption } from './options.ts';
export { MICROSECONDS, NANOSECONDS, nanosecondsToTicks, ticksToNanoseconds, type Resolution } from './time.ts';
export { PcapngWriter, type CaptureInterface, type CapturePacket, type PcapngOptions } from './pcapng.ts';
export { PcapWriter, type PcapOptions, type PcapPacket } from './pcap.ts';
export { writeCapture, type WriteOptions } from './write.ts';
export { CaptureError, type CaptureErrorCode } from './error.ts';
