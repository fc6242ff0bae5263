/**
 * Accounting: what each environment used, read off the machine's event stream.
 *
 * An observer outside the machine: it costs no cycle and the kernel does not know of it. User time is what passes between a
 * return to user mode and the next exception; the kernel's time is the rest.
 *
 * The counts stand in the table `usage`, so that they are saved with the machine. Here they stand once more, to be counted
 * fast: every event writes what it has changed to the table, which holds no code, and reads nothing.
 */
import { ENV, ENV_LIMIT, EXCEPTIONS } from '@exokernel/abi';
import { EVENT_KINDS, type Machine, type MemoryPort } from '@exokernel/hardware';
import { KSEG0 } from './layout.ts';
import type { KernelMemory } from './memory.ts';
import { TABLES, USAGE } from './tables.ts';

/** Counts of one environment since boot. Instructions and cycles are those in user mode. */
export interface Usage {
  readonly instructions: number;
  readonly cycles: number;
  readonly slices: number;
  /** Of these slices, how many others owned: they were donated. */
  readonly borrowed: number;
  /** A call that is executed again because it takes long counts once. */
  readonly systemCalls: number;
  /** Exceptions other than system calls, interrupts and TLB refills. */
  readonly exceptions: number;
  readonly stlbHits: number;
  /** Misses of TLB and STLB that a guaranteed mapping answered. */
  readonly guaranteed: number;
  readonly tlbUpcalls: number;
  readonly nativeSteps: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly packetsDropped: number;
}

/** Status.KUc: user mode. */
const USER = 2;
const HIGH = 2 ** 32;
/** Counts of one environment: two words each in the table. */
const COUNTS: number = TABLES.usage.bytes / 8;

export class Accounting {
  readonly #machine: Machine;
  readonly #memory: KernelMemory;
  readonly #port: MemoryPort;
  /** Where the tables `usage` and `entered` lie. */
  readonly #usage: number;
  readonly #entered: number;
  /** Derived: the table `usage`. */
  readonly #counts: Float64Array = new Float64Array(ENV_LIMIT * COUNTS);
  /** Derived: who runs in user mode, or −1; and the table `entered`. */
  #running = -1;
  #instructions = 0;
  #cycles = 0;

  constructor(machine: Machine, memory: KernelMemory) {
    this.#machine = machine;
    this.#memory = memory;
    this.#port = memory.port;
    this.#usage = memory.table(TABLES.usage);
    this.#entered = memory.table(TABLES.entered);
    machine.listen((kind, _cycle, a, b, c) => {
      this.#observe(kind, a, b, c);
    });
  }

  /** Starts again from zero for a record that is reused. */
  reset(env: number): void {
    this.#counts.fill(0, env * COUNTS, (env + 1) * COUNTS);
    this.#memory.port.zero(this.#usage + env * TABLES.usage.bytes, TABLES.usage.bytes);
  }

  /** The tables have been replaced, and the CPU: what is derived from them is made again. */
  restored(): void {
    const words = this.#memory.words(this.#usage, 2 * this.#counts.length);
    this.#counts.forEach((_, i) => {
      this.#counts[i] = (words[2 * i] ?? 0) + HIGH * (words[2 * i + 1] ?? 0);
    });
    const [low = 0, high = 0, cyclesLow = 0, cyclesHigh = 0] = this.#memory.words(this.#entered, 4);
    this.#instructions = low + HIGH * high;
    this.#cycles = cyclesLow + HIGH * cyclesHigh;
    const running = this.#machine.cpu.userMode ? this.#memory.current : -1;
    this.#running = running < ENV_LIMIT ? running : -1;
  }

  usage(env: number): Usage {
    const field = (offset: number): number => this.#memory.env(env, offset);
    const count = (of: number): number => this.#counts[env * COUNTS + of / 8] ?? 0;
    return {
      instructions: count(USAGE.instructions),
      cycles: count(USAGE.cycles),
      slices: field(ENV.slices),
      borrowed: field(ENV.borrowed),
      systemCalls: count(USAGE.systemCalls) - field(ENV.repeated),
      exceptions: count(USAGE.exceptions),
      stlbHits: count(USAGE.refills) - field(ENV.stlbMisses),
      guaranteed: field(ENV.stlbMisses) - field(ENV.tlbUpcalls),
      tlbUpcalls: field(ENV.tlbUpcalls),
      nativeSteps: count(USAGE.nativeSteps),
      packetsIn: field(ENV.packetsIn),
      packetsOut: field(ENV.packetsOut),
      packetsDropped: field(ENV.packetsDropped),
    };
  }

  #observe(kind: number, a: number, b: number, c: number): void {
    switch (kind) {
      case EVENT_KINDS.return.kind:
        if ((a & USER) !== 0) this.#enter();
        return;
      case EVENT_KINDS.exception.kind:
        if (this.#running >= 0) this.#leave(a, c);
        return;
      case EVENT_KINDS.native.kind:
        if (b >= 0 && this.#running >= 0) this.#count(USAGE.nativeSteps, 1);
        return;
      default:
    }
  }

  #enter(): void {
    const { instructions, cycles } = this.#machine;
    const running = this.#memory.current;
    this.#store(this.#entered, instructions, instructions - this.#instructions);
    this.#store(this.#entered + 8, cycles, cycles - this.#cycles);
    this.#instructions = instructions;
    this.#cycles = cycles;
    // A snapshot that was made up may name what is no environment.
    this.#running = running < ENV_LIMIT ? running : -1;
  }

  #leave(code: number, vector: number): void {
    this.#count(USAGE.instructions, this.#machine.instructions - this.#instructions);
    this.#count(USAGE.cycles, this.#machine.cycles - this.#cycles);
    if (vector === KSEG0) this.#count(USAGE.refills, 1);
    else if (code === EXCEPTIONS.syscall) this.#count(USAGE.systemCalls, 1);
    else if (code !== EXCEPTIONS.interrupt) this.#count(USAGE.exceptions, 1);
    this.#running = -1;
  }

  /** Adds to a count, one of USAGE, of the environment that runs. */
  #count(of: number, delta: number): void {
    const i = this.#running * COUNTS + (of >> 3);
    const value = (this.#counts[i] as number) + delta;
    this.#counts[i] = value;
    this.#store(this.#usage + 8 * i, value, delta);
  }

  /** Stores a value of two words that has grown by `delta`. */
  #store(physical: number, value: number, delta: number): void {
    this.#port.store32(physical, value);
    // The low word has gone round.
    if (value >>> 0 < delta) this.#port.store32(physical + 4, Math.floor(value / HIGH));
  }
}
