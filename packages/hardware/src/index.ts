/** The machine: a DECstation KN01. */
export {
  Machine,
  type DiskOptions,
  type Engine,
  type LanceOptions,
  type MachineOptions,
  type RunResult,
} from './machine.ts';
export { type TranslationOptions } from './translator/translator.ts';
export { PROFILES, type Profile, type TimingProfile } from './timing/profiles.ts';
export { type CpuView, type Cp0View, type TlbView } from './cpu/view.ts';
export { type MemoryPort } from './memory/port.ts';
export { type NativeCpu } from './native-access.ts';
export { KERNEL_SPACE, type NativeFailure, type NativeFunction, type NativeUnit } from './native-unit.ts';
export { EVENTS_VERSION, EVENT_KINDS, type EventListener, type EventName } from './events.ts';
export { type Clock, type Timer } from './clock.ts';
export {
  Wire,
  type Attachment,
  type SeenFrame,
  type Station,
  type Transmission,
  type WireCounters,
  type WireOptions,
} from './wire.ts';
export { type FaultCounters, type FaultOptions } from './wire-faults.ts';
export { Network } from './network.ts';
export { SNAPSHOT_VERSION } from './snapshot.ts';
export { Recorder, RECORDING_VERSION, Replay } from './recording.ts';
export { Link, type LinkCounters, type Transport } from './links/link.ts';
export { encodeStreamFrame, MAX_STREAM_FRAME, StreamDecoder } from './links/stream-framing.ts';
export { webSocketLink, type WebSocketLike } from './links/websocket-link.ts';
export { PcapngWriter, type CaptureInterface } from './pcapng.ts';
export { memoryStore, SECTOR_BYTES, type BlockStore } from './block-store.ts';
export { seekSeconds, type DiskGeometry } from './devices/disk-mechanics.ts';
export { HardwareError, type HardwareErrorCode } from './error.ts';
export { PROM_ADDRESS, PROM_ENTRIES, PROM_STACK, bootProm, type BootOptions } from './prom.ts';
