/**
 * Devices of others: how something that this package does not know becomes a part of a machine.
 *
 * It has registers, memory that the CPU sees as RAM, or both, and perhaps an interrupt line. Registers answer loads and stores one
 * by one; memory is as fast as RAM in both engines, and nothing hears of an access to it. Everything that the device
 * keeps goes through `state`, so that snapshots hold it; what comes to it from the host enters through `Machine.deviceInput`, so that
 * recordings hold that. `docs/devices.md` makes one.
 */
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../bus/clock.ts';
import type { InterruptLines } from '../bus/interrupt-lines.ts';
import { HardwareError } from '../error.ts';
import type { DeviceRange } from '../memory/physical-memory.ts';
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';

/** Some physical addresses: from 0x10000000 on, below 0x20000000, within 16 MB that begin at a multiple of 16 MB. */
export interface AddressRange {
  /** Of registers a multiple of 4, of memory a multiple of 64 KB. */
  readonly base: number;
  /** Of registers a multiple of 4, of memory a multiple of 4096. */
  readonly bytes: number;
}

/** What a device finds where it is attached. It must use nothing else of the host, or runs differ. */
export interface DeviceHost {
  /** Time, and timers. */
  readonly clock: Clock;
  /** All memory by physical address, for DMA. */
  readonly ram: MemoryPort;
  /** The device's own memory, addresses from 0; undefined without. */
  readonly memory: MemoryPort | undefined;
  /** Drives the device's interrupt line; without one it does nothing. */
  readonly setLine: (level: boolean) => void;
}

/** A device at work. None of its methods may throw. */
export interface AttachedDevice {
  /** The word at a word-aligned offset into the registers, as an int32. May have side effects. Default: 0. */
  read?(offset: number): number;
  /** Stores the bits of `value` that `mask` selects. Default: nothing happens. */
  write?(offset: number, value: number, mask: number): void;
  /** The host has said something (`Machine.deviceInput`). */
  input?(bytes: Uint8Array): void;
  /** Walks everything that it keeps but for its memory. Reading, it checks ranges (`s.integer`). */
  state(s: StateStream): void;
  /** State and memory are in place: makes again what follows from them. */
  restored?(): void;
}

/** A device to be attached. */
export interface DeviceOptions {
  /** Its name in messages and in the machine's description. No two devices of a machine have the same. */
  readonly name: string;
  readonly registers?: AddressRange;
  readonly memory?: AddressRange;
  /** Its interrupt line, a bit of Cause.IP from 2 to 6. Lines may be shared. */
  readonly line?: number;
  readonly make: (host: DeviceHost) => AttachedDevice;
}

const FIRST = 0x10000000;
const END = 0x20000000;
const SLOT = 0x1000000;

/** One line that says what it is. */
export function describeDevice({ name, registers, memory, line }: DeviceOptions): string {
  const range = (what: string, at?: AddressRange): string =>
    at === undefined ? '' : ` ${what} ${at.base.toString(16)}+${at.bytes.toString(16)}`;
  return `${name}${range('registers', registers)}${range('memory', memory)}${line === undefined ? '' : ` line ${line}`}`;
}

/** The memory that these devices want, in their order. Throws `device` for what cannot be. */
export function deviceRanges(devices: readonly DeviceOptions[]): DeviceRange[] {
  const names = new Set<string>();
  for (const { name, registers, memory, line } of devices) {
    const fail = (why: string): never => {
      throw new HardwareError('device', `the device ${name} ${why}`, { name, registers, memory, line });
    };
    if (names.has(name)) fail('is there twice: names differ');
    names.add(name);
    if (registers === undefined && memory === undefined) fail('has neither registers nor memory');
    if (registers !== undefined && !fits(registers, 4, 4)) fail('has registers where none can be');
    if (memory !== undefined && !fits(memory, 0x10000, 4096)) fail('has memory where none can be');
    if (line !== undefined && (!Number.isInteger(line) || line < 2 || line > 6)) fail('has no line from 2 to 6');
    if (registers !== undefined && memory !== undefined && overlap(registers, memory))
      fail('has registers in its memory');
  }
  return devices.flatMap(({ memory }) => (memory === undefined ? [] : [memory]));
}

/** Makes a device and puts it on the bus. Throws `bus-slot` if its slot is another's, and what its maker throws. */
export function attachDevice(
  options: DeviceOptions,
  {
    bus,
    clock,
    ram,
    lines,
    memory,
  }: Omit<DeviceHost, 'setLine'> & { readonly bus: Bus; readonly lines: InterruptLines },
): AttachedDevice {
  const { name, registers, line } = options;
  if (options.memory !== undefined) bus.reserve(name, options.memory.base);
  if (registers !== undefined) bus.reserve(name, registers.base);
  const setLine = line === undefined ? (): void => undefined : lines.source(line);
  const device = options.make({ clock, ram, memory, setLine });
  if (registers !== undefined) {
    bus.attach(name, {
      ...registers,
      read: (offset) => device.read?.(offset) ?? 0,
      write: (offset, value, mask) => device.write?.(offset, value, mask),
    });
  }
  return device;
}

function fits({ base, bytes }: AddressRange, alignment: number, unit: number): boolean {
  const isWhole = Number.isInteger(base) && Number.isInteger(bytes) && base % alignment === 0 && bytes % unit === 0;
  return isWhole && bytes > 0 && base >= FIRST && base + bytes <= END && (base % SLOT) + bytes <= SLOT;
}

function overlap(a: AddressRange, b: AddressRange): boolean {
  return a.base < b.base + b.bytes && b.base < a.base + a.bytes;
}
