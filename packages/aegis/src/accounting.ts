/**
 * Accounting: what each environment used, read off the machine's event stream.
 *
 * An observer outside the machine: it costs no cycle and the kernel does not know of it. User time is what passes between a
 * return to user mode and the next exception; the kernel's time is the rest.
 */
import { ENV, ENV_LIMIT, EXCEPTIONS } from '@exokernel/abi';
import { EVENT_KINDS, type Machine } from '@exokernel/hardware';
import { KSEG0 } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** Counts of one environment since boot. Instructions and cycles are those in user mode. */
export interface Usage {
  readonly instructions: number;
  readonly cycles: number;
  readonly slices: number;
  /** Of these slices, how many others owned: they were donated. */
  readonly borrowed: number;
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

interface Counts {
  instructions: number;
  cycles: number;
  systemCalls: number;
  exceptions: number;
  refills: number;
  nativeSteps: number;
}

/** Status.KUc: user mode. */
const USER = 2;

export class Accounting {
  readonly #machine: Machine;
  readonly #memory: KernelMemory;
  #counts: Counts[] = [];
  #running = -1;
  #instructions = 0;
  #cycles = 0;

  constructor(machine: Machine, memory: KernelMemory) {
    this.#machine = machine;
    this.#memory = memory;
    for (let i = 0; i < ENV_LIMIT; i += 1) this.reset(i);
    machine.listen((kind, _cycle, a, b, c) => {
      this.#observe(kind, a, b, c);
    });
  }

  /** Starts again from zero for a record that is reused. */
  reset(env: number): void {
    this.#counts[env] = { instructions: 0, cycles: 0, systemCalls: 0, exceptions: 0, refills: 0, nativeSteps: 0 };
  }

  usage(env: number): Usage {
    const counts = this.#of(env);
    const field = (offset: number): number => this.#memory.env(env, offset);
    return {
      instructions: counts.instructions,
      cycles: counts.cycles,
      slices: field(ENV.slices),
      borrowed: field(ENV.borrowed),
      systemCalls: counts.systemCalls,
      exceptions: counts.exceptions,
      stlbHits: counts.refills - field(ENV.stlbMisses),
      guaranteed: field(ENV.stlbMisses) - field(ENV.tlbUpcalls),
      tlbUpcalls: field(ENV.tlbUpcalls),
      nativeSteps: counts.nativeSteps,
      packetsIn: field(ENV.packetsIn),
      packetsOut: field(ENV.packetsOut),
      packetsDropped: field(ENV.packetsDropped),
    };
  }

  #of(env: number): Counts {
    const counts = this.#counts[env];
    if (counts === undefined) throw new RangeError(`no environment ${env}`);
    return counts;
  }

  #observe(kind: number, a: number, b: number, c: number): void {
    switch (kind) {
      case EVENT_KINDS.return.kind:
        if ((a & USER) === 0) return;
        this.#running = this.#memory.current;
        this.#instructions = this.#machine.instructions;
        this.#cycles = this.#machine.cycles;
        return;
      case EVENT_KINDS.exception.kind:
        this.#leave(a, c);
        return;
      case EVENT_KINDS.native.kind:
        if (b >= 0 && this.#running >= 0) this.#of(this.#running).nativeSteps += 1;
        return;
      default:
    }
  }

  #leave(code: number, vector: number): void {
    if (this.#running < 0) return;
    const counts = this.#of(this.#running);
    counts.instructions += this.#machine.instructions - this.#instructions;
    counts.cycles += this.#machine.cycles - this.#cycles;
    this.#running = -1;
    if (vector === KSEG0) counts.refills += 1;
    else if (code === EXCEPTIONS.syscall) counts.systemCalls += 1;
    else if (code !== EXCEPTIONS.interrupt) counts.exceptions += 1;
  }
}
