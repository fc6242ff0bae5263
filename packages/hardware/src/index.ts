/** The machine: a DECstation KN01. */
export { Machine, type RunResult } from './machine/machine.ts';
export type { DiskOptions, Engine, LanceOptions, MachineOptions } from './machine/options.ts';
export { type TranslationOptions } from './translator/translator.ts';
export { PROFILES, type Profile, type TimingProfile } from './timing/profiles.ts';
export { cycleColumn, staticCycles, type CycleColumn } from './timing/static-cycles.ts';
export { type CpuView, type Cp0View, type TlbView } from './cpu/view.ts';
export { type MemoryPort } from './memory/port.ts';
export { type NativeCpu } from './cpu/native-access.ts';
export { KERNEL_SPACE, type NativeFailure, type NativeFunction, type NativeUnit } from './cpu/native-unit.ts';
export { EVENTS_VERSION, EVENT_KINDS, type EventListener, type EventName } from './bus/events.ts';
export { type Bus, type Device } from './bus/bus.ts';
export {
  type AddressRange,
  type AttachedDevice,
  type DeviceHost,
  type DeviceOptions,
} from './devices/attached-device.ts';
export { type Stateful } from './state/snapshot.ts';
export { type StateStream } from './state/state-stream.ts';
export { type Clock, type Timer } from './bus/clock.ts';
export { Wire } from '@exokernel/wire';
export { Network } from './machine/network.ts';
export { SNAPSHOT_VERSION } from './state/snapshot.ts';
export { Recorder, RECORDING_VERSION, Replay } from './machine/recording.ts';
export { memoryStore, SECTOR_BYTES, type BlockStore } from './devices/block-store.ts';
export { seekSeconds, type DiskGeometry } from './devices/disk-mechanics.ts';
export { HardwareError, type HardwareErrorCode } from './error.ts';
export { PROM_ADDRESS, PROM_ENTRIES, PROM_STACK, bootProm, type BootOptions } from './prom/prom.ts';
