/** Packet captures: pcapng, written as a stream. */
export { PcapngWriter, type CaptureInterface } from './pcapng.ts';
export { CaptureError, type CaptureErrorCode } from './error.ts';
