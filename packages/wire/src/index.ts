/** In-memory Ethernet: wires, faults, links to outside, captures. */
export { Wire, type WireCounters, type WireOptions } from './wire.ts';
export { type Attachment, type SeenFrame, type Station, type Transmission } from './station.ts';
export { MAX_FRAME, MIN_FRAME } from './frame.ts';
export { type FaultCounters, type FaultOptions } from './faults.ts';
export { type WireClock, type WireTimer } from './clock.ts';
export { type WireState } from './state.ts';
export { TimeBase } from './time-base.ts';
export { captureWire } from './capture.ts';
export { crc32 } from './crc32.ts';
export { Link, type LinkCounters, type Transport } from './link.ts';
export { withoutPadding } from './padding.ts';
export { encodeStreamFrame, MAX_STREAM_FRAME, StreamDecoder } from './stream-framing.ts';
export { webSocketLink, type WebSocketLike } from './websocket-link.ts';
export { WireError, type WireErrorCode } from './error.ts';
