/**
 * The requests of visible revocation: of whom something is asked, who waits for it, and until which tick. revocation.ts makes and ends them.
 *
 * Ticks wrap, so two of them are compared by their distance from now. Tick 0 is past and stands for none.
 */
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { REVOCATION, TABLES } from './tables.ts';

/** The deadline of a family that has lost what could be taken: while others are asked it is not asked again. */
export const TAKEN = 1;

export class Requests {
  /** By environment: what is asked of it, and what it waits for. */
  readonly state: Records;
  /** By family: until when it was asked for what others lack. */
  readonly asks: Records;
  readonly #memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.state = new Records(memory, TABLES.revocation);
    this.asks = new Records(memory, TABLES.familyAsks);
  }

  isAsked(env: number): boolean {
    return this.state.get(env, REVOCATION.asked) !== 0;
  }

  /** Whether it is asked for what other families lack. */
  isForced(env: number): boolean {
    return this.state.get(env, REVOCATION.forced) === 1;
  }

  /** Of whom something is asked. */
  asked(): number[] {
    return this.state.filter((env) => this.isAsked(env));
  }

  /** The same, the oldest request first. */
  inOrder(): number[] {
    const number = (env: number): number => this.state.get(env, REVOCATION.asked);
    return this.asked().sort((a, b) => (number(a) - number(b)) | 0);
  }

  /** Who waits for frames that others were asked for. */
  needy(): number[] {
    return this.state.filter((env) => this.state.get(env, REVOCATION.needy) === 1);
  }

  get now(): number {
    return this.#memory.kernelPage(KP.tick);
  }

  ticksTo(tick: number): number {
    return (tick - this.now) | 0;
  }

  /** The earliest of some ticks; 0 if there is none. */
  first(ticks: readonly number[]): number {
    const some = ticks.filter((tick) => tick !== 0);
    if (some.length === 0) return 0;
    return some.reduce((first, tick) => (this.ticksTo(tick) < this.ticksTo(first) ? tick : first));
  }

  /** Whether a deadline, of a family or of all, has come. */
  isDue(tick: number): boolean {
    return tick !== 0 && tick !== TAKEN && this.ticksTo(tick) <= 0;
  }
}
