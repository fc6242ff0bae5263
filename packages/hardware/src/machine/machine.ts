/**
 * The machine: CPU, memory, clock and devices of a DECstation KN01, driven by `run`.
 *
 * `run(n)` and n times `run(1)` leave the same state and give the same events, so a host may drive it in any steps. It
 * must not touch the machine while `run` is under way, except in native functions of the kernel (see `cpu/native-unit.ts`).
 * Nothing here reads the host's clock: the same inputs at the same cycles give the same machine.
 */
import { EXTENSIONS, type Extension } from '@exokernel/isa';
import { crc32, type Wire } from '@exokernel/wire';
import { Bus } from '../bus/bus.ts';
import { InterruptLines } from '../bus/interrupt-lines.ts';
import { attachDevice, describeDevice, deviceRanges, type AttachedDevice } from '../devices/attached-device.ts';
import { Clock } from '../bus/clock.ts';
import { Cpu } from '../cpu/cpu.ts';
import { Dz11 } from '../devices/dz11.ts';
import { Lance } from '../devices/lance.ts';
import { LanceWindow } from '../devices/lance-window.ts';
import { RealTimeClock } from '../devices/rtc.ts';
import { VirtioDisk } from '../devices/virtio-disk.ts';
import { SystemRegister } from '../devices/system-register.ts';
import { CpuView } from '../cpu/view.ts';
import { interpret } from '../cpu/interpreter.ts';
import { HardwareError } from '../error.ts';
import { isIdle } from '../cpu/idle.ts';
import { EVENT_KINDS, EventStream, type EventListener } from '../bus/events.ts';
import { PhysicalMemory, type DeviceMemory } from '../memory/physical-memory.ts';
import { LANCE_MEMORY, PROM } from '../memory/places.ts';
import type { MemoryPort } from '../memory/port.ts';
import { NativeUnit } from '../cpu/native-unit.ts';
import { seeded } from './seeded.ts';
import { clockOf, findProfile, PROFILES } from '../timing/profiles.ts';
import { Translator } from '../translator/translator.ts';
import { loadSnapshot, saveSnapshot, type SavedMemory, type Stateful } from '../state/snapshot.ts';
import { MOST_LATE, type StateStream } from '../state/state-stream.ts';
import type { Engine, MachineOptions } from './options.ts';

/** What one `run` did. */
export interface RunResult {
  /** Cycles by which time advanced: the budget, more or less what the last instruction overshot. */
  readonly cycles: number;
  readonly instructions: number;
  /** Cycles that passed in idle loops at once; a host may sleep for them. Smaller budgets leave more to execute. */
  readonly idleCycles: number;
}

/** One DECstation. */
export class Machine {
  /** Memory, as everything outside the CPU reads and writes it. */
  readonly memory: MemoryPort;
  /** The buffer memory of its Ethernet controller, addresses from 0; undefined without one. */
  readonly lanceMemory: MemoryPort | undefined;
  /** Registers, pc, CP0 and TLB; readable and writable between runs. */
  readonly cpu: CpuView;
  readonly native: NativeUnit;
  readonly clock: Clock;
  /** What its Ethernet controller is plugged into. */
  readonly wire: Wire | undefined;
  readonly #cpu: Cpu;
  readonly #memory: PhysicalMemory;
  readonly #events: EventStream = new EventStream();
  readonly #execute: (n: number) => void;
  readonly #fastIdle: boolean;
  readonly #translator: Translator | undefined;
  readonly #serial: Dz11;
  /** What it is made of, for snapshots, and its devices that have a state. */
  readonly #description: string;
  #inputs: readonly ((to: number | string, bytes: Uint8Array) => void)[] = [];
  readonly #devices: { state(s: StateStream): void; restored?(): void }[];
  readonly #drive: VirtioDisk | undefined;
  readonly #attached: Stateful[] = [];
  readonly #named = new Map<string, AttachedDevice>();
  #isOff = false;
  #target = 0;
  #running = false;

  /** Throws `HardwareError` `profile`, `clock`, `extension`, `engine`, `ram-bytes`, `prom`, `start-time`, `mac`, `disk-geometry` or `block-store`. */
  constructor(options: MachineOptions = {}) {
    const { ramBytes = 16 * 1024 * 1024, profile = 'ideal', fastIdle = true, startTime = 0 } = options;
    const timing = findProfile(profile);
    if (timing === undefined) {
      const names = Object.keys(PROFILES).join(', ');
      throw new HardwareError('profile', `no profile ${profile}: use one of ${names}`, { profile });
    }
    const extensions = checkExtensions(options.extensions ?? []);
    const { lance } = options;
    if (lance !== undefined && lance.mac.length !== 6) {
      throw new HardwareError('mac', `a station address has 6 bytes, not ${lance.mac.length}`, { mac: lance.mac });
    }
    const { devices = [] } = options;
    const isLinear = lance !== undefined && lance.geometry !== 'kn01';
    const memory = new PhysicalMemory(ramBytes, isLinear, options.prom, deviceRanges(devices));
    this.#memory = memory;
    this.memory = memory.port;
    this.lanceMemory = lance === undefined ? undefined : memory.lance;
    const hz = clockOf(profile, timing.hz, options.hz);
    this.clock = new Clock(hz);
    const bus = new Bus();
    this.#cpu = new Cpu(memory, bus, this.clock, this.#events, timing, extensions);
    this.cpu = new CpuView(this.#cpu);
    this.native = new NativeUnit(this.#cpu);
    this.#execute = (n) => {
      this.native.execute(n);
    };
    this.#fastIdle = fastIdle;
    this.#description = describe(ramBytes, hz === timing.hz ? profile : `${profile} at ${hz} Hz`, extensions, options);
    this.#translator = makeTranslator(this.#cpu, options);
    if (!Number.isInteger(startTime) || startTime < 0 || startTime > 2 ** 40) {
      throw new HardwareError('start-time', `no start time ${startTime}: use seconds since 1970`, { startTime });
    }

    const lines = new InterruptLines((line, level) => {
      this.#cpu.setLine(line, level);
    });
    const setLine = (line: number, level: boolean): void => {
      lines.drive(line, level);
    };
    const { serial } = options;
    const system = new SystemRegister(setLine);
    bus.writeTimeout = (physical) => {
      system.writeTimeout(physical);
    };
    this.#serial = new Dz11(this.clock, setLine, (line, byte) => {
      if (!system.transmitDisabled) serial?.(line, byte);
    });
    bus.attach('the system register', system);
    bus.attach('the error register', system.addressRegister);
    bus.attach('the serial lines', this.#serial);
    const rtc = new RealTimeClock(this.clock, setLine, startTime, lance?.mac ?? new Uint8Array(6));
    bus.attach('the real-time clock', rtc);
    if (options.prom !== undefined) bus.reserve('the PROM', PROM);
    this.#devices = [lines, system, this.#serial, rtc];
    this.wire = lance?.wire;
    if (lance !== undefined) {
      const controller = new Lance(this.clock, this.#events, setLine, memory.lance, lance.wire);
      bus.attach('the LANCE', controller);
      this.#devices.push(controller);
      bus.reserve("the LANCE's memory", LANCE_MEMORY);
      if (lance.geometry === 'kn01') bus.attach("the LANCE's memory", new LanceWindow(memory.lance));
    }
    const { disk } = options;
    if (disk !== undefined) {
      this.#drive = new VirtioDisk(this.clock, this.#events, setLine, this.memory, disk.store, disk.geometry);
      bus.attach('the disk', this.#drive.registers);
      this.#devices.push(this.#drive);
    }
    let port = 0;
    for (const device of devices) {
      if (device.memory !== undefined) port += 1;
      const own = device.memory === undefined ? undefined : memory.devices[port]?.port;
      const made = attachDevice(device, { bus, clock: this.clock, ram: this.memory, lines, memory: own });
      this.#named.set(device.name, made);
      this.#devices.push(made);
    }
  }

  /** What executes instructions in this machine. */
  get engine(): Engine {
    return this.#translator === undefined ? 'interpreter' : 'translator';
  }

  /** Cycles per second. */
  get hz(): number {
    return this.clock.hz;
  }

  /** Cycles since power-on. */
  get cycles(): number {
    return this.clock.now;
  }

  /** Instructions begun since power-on, those that took an exception included. */
  get instructions(): number {
    return this.#cpu.instructions;
  }

  /** The cycle before which the guest does nothing: that of a device's next event when it waits for one, else now. */
  get quietUntil(): number {
    return isIdle(this.#cpu) ? Math.max(this.cycles, this.clock.next) : this.cycles;
  }

  /**
   * Everything that it is now, with what differs on its disk from the image that it was given (`state/snapshot.ts`). With a
   * `base`, an earlier snapshot that is whole, only the pages of memory that differ from it. Throws `snapshot` during a run, with native
   * functions that may keep something of their own, and for a machine that shares its wire with others: a `Network` saves those.
   */
  snapshot(base?: Uint8Array): Uint8Array<ArrayBuffer> {
    return saveSnapshot(this.#parts(), base);
  }

  /**
   * Becomes what a machine of the same options was when it was saved; `base` is that of a snapshot that has one. Throws `snapshot`,
   * with nothing changed, for bytes that are not such a snapshot, and where `snapshot` would throw.
   */
  restore(snapshot: Uint8Array, base?: Uint8Array): void {
    loadSnapshot(snapshot, this.#parts(), base);
  }

  /**
   * Makes something outside the machine a part of its snapshots: a kernel's labels, what the host derives from memory. To be called
   * once for each, before the machine runs.
   */
  attachState(part: Stateful): void {
    this.#attached.push(part);
  }

  /**
   * Power is lost. Of what was written to the disk since the last flush any subset has happened, in any order, each sector of 512
   * bytes whole or not at all; `seed` (an integer) says which. What was flushed is there. The machine does not run again: `run`
   * throws `power`; make another one on the same store. Throws `running` during a run, and what the store throws.
   */
  powerCut(seed: number = 1): void {
    if (this.#running) throw new HardwareError('running', 'power was cut during a run: do it between two');
    if (this.#isOff) return;
    this.#isOff = true;
    this.#drive?.powerCut(seeded(seed));
  }

  #parts(): readonly Stateful[] {
    if ((this.wire?.clocks.length ?? 0) > 1) {
      throw new HardwareError('snapshot', 'this machine shares its wire with others: the network saves them together');
    }
    return this.wire === undefined ? this.stateful : [...this.stateful, this.wire];
  }

  /** For snapshots. Throws `snapshot` as they do. */
  get stateful(): readonly Stateful[] {
    if (this.#running) throw new HardwareError('snapshot', 'a snapshot was asked for during a run');
    if (this.#isOff) throw new HardwareError('snapshot', 'this machine has lost its power');
    const memory = this.#memory;
    const own: Stateful = {
      description: this.#description,
      memories: [savedMemory(memory, memory), ...memory.devices.map((of) => savedMemory(memory, of))],
      state: (s) => {
        this.#cpu.cpuState(s);
        this.#target = s.integer(this.#target, Math.max(0, this.cycles - MOST_LATE), this.cycles);
        for (const device of this.#devices) device.state(s);
      },
      restored: () => {
        this.#translator?.cachesReplaced();
        for (const device of this.#devices) device.restored?.();
      },
    };
    const natives: Stateful = {
      description: 'natives',
      state: (s) => {
        const [space] = this.native.stateful;
        if (space === undefined) return;
        s.refuse(
          `native functions of ${space === 'kernel' ? 'the kernel' : `address space ${space}`} may keep something`,
          {
            space,
          },
        );
      },
    };
    // Attached parts refuse first: the kernel can name the environments that have native functions.
    return [own, ...this.#attached, natives];
  }

  /** Size of its disk in sectors of 512 bytes; 0 without a disk. */
  get diskSectors(): number {
    return this.#drive?.sectors ?? 0;
  }

  /** For recordings: what differs on its disk from the image. `takeDisk` then makes what was read the disk's contents. */
  diskState(s: StateStream): void {
    this.#drive?.contentsState(s);
  }

  takeDisk(): void {
    this.#drive?.restored();
  }

  /** For the kernel: something of its own happens now, which the event stream tells. */
  announce(name: 'environment-end', a: number, b: number, c: number): void {
    this.#events.emit(EVENT_KINDS[name].kind, this.clock.now, a, b, c);
  }

  /** Adds a listener to the event stream; the function returned removes it. */
  listen(listener: EventListener): () => void {
    return this.#events.listen(listener);
  }

  /**
   * Characters arrive on serial line 0 to 3, one after the other at the line's speed from now on. Throws `serial-line`.
   */
  serialInput(line: number, bytes: Uint8Array): void {
    checkSerialLine(line);
    if (bytes.length === 0) return;
    for (const entered of this.#inputs) entered(line, bytes);
    this.#serial.input(line, bytes);
  }

  /** A break arrives on serial line 0 to 3, after the characters that are on their way. Throws `serial-line`. */
  serialBreak(line: number): void {
    checkSerialLine(line);
    for (const entered of this.#inputs) entered(line, NO_BYTES);
    this.#serial.inputBreak(line);
  }

  /** Whether a device of this name is attached. */
  hasDevice(name: string): boolean {
    return this.#named.has(name);
  }

  /** Tells an attached device something. Throws `device` if there is none of this name. */
  deviceInput(name: string, bytes: Uint8Array): void {
    const device = this.#named.get(name);
    if (device === undefined) throw new HardwareError('device', `no device ${name} is attached`, { name });
    for (const entered of this.#inputs) entered(name, bytes);
    device.input?.(bytes);
  }

  /**
   * `entered` gets what `serialInput` is given, with the number of the line, and no bytes for a break; and what `deviceInput` is given,
   * with the name of the device. The wire has its own (`Wire.listenInputs`). The function returned removes it.
   */
  listenInputs(entered: (to: number | string, bytes: Uint8Array) => void): () => void {
    this.#inputs = [...this.#inputs, entered];
    return () => {
      this.#inputs = this.#inputs.filter((other) => other !== entered);
    };
  }

  /** The fingerprint of CPU and memory, and a number for what is on the disk. */
  get fingerprint(): string {
    return this.#drive === undefined
      ? this.cpuFingerprint
      : `${this.cpuFingerprint} ${this.#drive.contentsSum.toString(16)}`;
  }

  /** What it is made of, as far as its state depends on it; and a number for its CPU and its memory now. */
  get cpuFingerprint(): string {
    let hash = 0;
    for (const word of this.#cpu.state) hash = (Math.imul(hash, 31) + word) | 0;
    for (const word of this.#memory.words) hash = (Math.imul(hash, 31) + word) | 0;
    return `${this.#description} ${(hash >>> 0).toString(16)}`;
  }

  /**
   * Advances time by `cycles` (a non-negative integer). Whole instructions are executed: what the last one overshoots is
   * taken from the next run. Throws `budget`, `running` when called during a run, and `kernel-native` when a native
   * function of the kernel throws; the rest of the budget is then void.
   */
  run(cycles: number): RunResult {
    if (!Number.isSafeInteger(cycles) || cycles < 0) {
      throw new HardwareError('budget', `cannot run ${cycles} cycles: use a non-negative integer`, { cycles });
    }
    return this.runTo(this.#target + cycles);
  }

  /** Advances time to `cycle` (an integer), as `run` does; if that is past, does nothing. */
  runTo(cycle: number): RunResult {
    if (!Number.isSafeInteger(cycle)) {
      throw new HardwareError('budget', `cannot run to cycle ${cycle}: use an integer`, { cycle });
    }
    if (this.#running) throw new HardwareError('running', 'run was called during a run');
    if (this.#isOff) throw new HardwareError('power', 'this machine has lost its power: make another one');
    const before = this.cycles;
    const instructions = this.instructions;
    this.#target = Math.max(this.#target, cycle);
    this.#running = true;
    try {
      const idleCycles = interpret(this.#cpu, this.#execute, this.#target, this.#fastIdle, this.#translator);
      return { cycles: this.cycles - before, instructions: this.instructions - instructions, idleCycles };
    } catch (error) {
      this.#target = this.cycles;
      throw error;
    } finally {
      this.#running = false;
    }
  }
}

/** What a machine is made of, as far as its state depends on it. */
function describe(
  ramBytes: number,
  profile: string,
  extensions: readonly Extension[],
  options: MachineOptions,
): string {
  const { prom, lance, disk, startTime = 0, program } = options;
  const words = [`${ramBytes / 2 ** 20} MiB`, profile, ...extensions];
  if (prom !== undefined) words.push(`PROM ${crc32(prom, prom.length).toString(16)}`);
  if (lance !== undefined) words.push(`LANCE ${lance.geometry ?? 'linear'} ${[...lance.mac].join('.')}`);
  if (disk !== undefined) words.push(`disk of ${disk.store.blocks} sectors ${JSON.stringify(disk.geometry ?? {})}`);
  if (startTime !== 0) words.push(`since ${startTime}`);
  for (const device of options.devices ?? []) words.push(describeDevice(device));
  if (program !== undefined) words.push(`program ${program}`);
  return `a machine (${words.join(', ')})`;
}

/** Each extension once, in the order of the tables. Throws `extension`. */
function checkExtensions(named: readonly Extension[]): readonly Extension[] {
  const known = Object.keys(EXTENSIONS) as Extension[];
  const unknown: string | undefined = named.find((extension) => !known.includes(extension));
  if (unknown === undefined) return known.filter((extension) => named.includes(extension));
  throw new HardwareError('extension', `no extension ${unknown}: use ${known.join(', ')}`, { extension: unknown });
}

/** The translator of a machine that is to have one. Throws `engine`. */
function makeTranslator(cpu: Cpu, { engine, translation }: MachineOptions): Translator | undefined {
  const named: string | undefined = engine; // a caller without types may name any
  if (named === 'interpreter') return undefined;
  if (named !== undefined && named !== 'translator') {
    throw new HardwareError('engine', `no engine ${named}: use 'interpreter' or 'translator'`, { engine });
  }
  try {
    return new Translator(cpu, translation);
  } catch (error) {
    // A page may forbid WebAssembly.
    if (engine === undefined) return undefined;
    throw new HardwareError('engine', 'this host does not let WebAssembly be compiled', {}, { cause: error });
  }
}

function savedMemory(memory: PhysicalMemory, { bytes, port }: DeviceMemory): SavedMemory {
  return {
    bytes,
    isZero: (at) => memory.isZero(bytes.byteOffset + at),
    write: (at, from) => {
      port.write(at, from);
    },
  };
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

function checkSerialLine(line: number): void {
  if (Number.isInteger(line) && line >= 0 && line <= 3) return;
  throw new HardwareError('serial-line', `no serial line ${line}: use 0 to 3`, { line });
}
