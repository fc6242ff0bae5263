/**
 * The slice vector: who owns which position. [SOSP95 §5.1.1]
 *
 * A position is both an order and a deadline: an environment chooses positions that suit it, contiguous ones to run long,
 * spread ones to answer soon. The machine code of the switch reads the vector; here it is only written. An environment
 * may own slices before it is started: until then they are passed over.
 *
 * A slice that took too many cycles (text/schedule.ts) owes them, whichever environment owns it. When it is freed its owner owes
 * them (`ENV.credit`), and the next slice that the owner takes begins with that; of an owner that ends, the environment that made it,
 * or another of its family.
 */
import {
  ENV,
  ENV_STATUS,
  ERRORS,
  NO_ENV,
  RIGHTS,
  SLICE,
  SLICE_BYTES,
  SLICE_LIMIT,
  type CapabilityWords,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { Families } from './families.ts';
import { KP, KSEG0, PHYSICAL } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';
import { TABLES } from './tables.ts';

/** No environment owes more, so that credits stay words. */
const MOST_DEBT = 2 ** 30;

export class Slices {
  readonly #memory: KernelMemory;

  readonly #capabilities: Capabilities;
  readonly #families: Families;
  /** The machine's cycles now. */
  readonly #now: () => number;

  constructor(memory: KernelMemory, capabilities: Capabilities, families: Families, now: () => number) {
    this.#memory = memory;
    this.#now = now;
    this.#capabilities = capabilities;
    this.#families = families;
    capabilities.guard('slice', (p) => this.#generation(p));
    for (let p = 0; p < SLICE_LIMIT; p += 1) memory.setSlice(p, NO_ENV, 0);
  }

  /** The capability of a slice that has an owner: to exchange it (write), and to free it or give it away (control). */
  capability(position: number): CapabilityWords {
    return this.#capabilities.make('slice', RIGHTS.write | RIGHTS.control, position);
  }

  /** Gives `env` the slice at `position`, or the first free one (−1). Returns the position or an error. */
  allocate(env: number, position: number): number {
    const p = position === -1 ? this.#run(1) : position;
    if (p === ERRORS.E_NONE && position === -1) return p;
    if (p < 0 || p >= SLICE_LIMIT) return ERRORS.E_RANGE;
    const owner = this.#memory.slice(p, SLICE.owner);
    if (owner === env) return p;
    if (owner !== NO_ENV) return ERRORS.E_BUSY;
    if (!this.#families.take('slices', this.#families.of(env))) return ERRORS.E_NONE;
    this.#memory.setSlice(p, env, this.#runner(env));
    this.#setCredit(p, this.#memory.env(env, ENV.credit));
    this.#memory.setEnv(env, ENV.credit, 0);
    this.#measure();
    return p;
  }

  /** The positions that an environment owns, in order. */
  of(env: number): number[] {
    const positions: number[] = [];
    for (let p = 0; p < SLICE_LIMIT; p += 1) if (this.#memory.slice(p, SLICE.owner) === env) positions.push(p);
    return positions;
  }

  /** The first of `count` contiguous slices given to `env` (0 if it wants none), or E_NONE: then it has none of them. */
  allocateRun(env: number, count: number): number {
    if (count === 0) return 0;
    if (!this.#families.may('slices', this.#families.of(env), count)) return ERRORS.E_NONE;
    const first = this.#run(count);
    for (let i = 0; first >= 0 && i < count; i += 1) this.allocate(env, first + i);
    return first;
  }

  free(position: number): number {
    this.#empty(position);
    this.#measure();
    return ERRORS.E_OK;
  }

  /** Makes `env` the owner of a slice that is owned; it runs there from its next instance on. */
  give(position: number, env: number): void {
    const owner = this.#memory.slice(position, SLICE.owner);
    this.#families.move('slices', this.#families.of(owner), this.#families.of(env));
    this.#own(position, env);
  }

  #own(position: number, env: number): void {
    this.#forgetInstance(position);
    this.#memory.setSlice(position, env, this.#runner(env));
    this.#age(position);
  }

  /** Exchanges the owners of two slices that are owned. Both are the owners' own again if they were donated. */
  swap(one: number, other: number): void {
    const owner = this.#memory.slice(one, SLICE.owner);
    this.#own(one, this.#memory.slice(other, SLICE.owner));
    this.#own(other, owner);
  }

  /** An environment is started: it runs in the slices that it owns. */
  start(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const idle = this.#memory.slice(p, SLICE.owner) === env && this.#memory.slice(p, SLICE.running) === 0;
      if (idle) this.#memory.setSlice(p, env, this.#runner(env));
    }
  }

  /** An environment ends: its slices are free, those donated to it go back to their owners, and another owes what it owed. */
  release(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const owner = this.#memory.slice(p, SLICE.owner);
      if (owner === env) this.#empty(p);
      else if (this.#memory.slice(p, SLICE.running) === envAddress(env)) {
        this.#memory.setSlice(p, owner, this.#runner(owner));
      }
    }
    this.#owe(env, -(this.#memory.env(env, ENV.credit) | 0));
    this.#measure();
  }

  #empty(position: number): void {
    this.#forgetInstance(position);
    const owner = this.#memory.slice(position, SLICE.owner);
    this.#families.give('slices', this.#families.of(owner));
    this.#owe(owner, -(this.#memory.slice(position, SLICE.credit) | 0));
    this.#setCredit(position, 0);
    this.#memory.setSlice(position, NO_ENV, 0);
    this.#age(position);
  }

  /**
   * An environment that runs in a slice that changes its owner runs on to its end, has nothing to donate any more, and pays for
   * itself from here on.
   */
  #forgetInstance(position: number): void {
    const here = KSEG0 + PHYSICAL.slices + position * SLICE_BYTES;
    if (this.#memory.kernelPage(KP.slice) === here) {
      this.#memory.setKernelPage(KP.slice, this.#memory.kernelPage(KP.noSlice));
    }
    if (this.#memory.kernelPage(KP.payer) !== here) return;
    const [now, paid] = [this.#now(), this.#memory.kernelPage(KP.paid)];
    this.#setCredit(position, this.#memory.slice(position, SLICE.credit) - ((now - paid) | 0));
    this.#memory.setKernelPage(KP.paid, now);
    this.#memory.setKernelPage(KP.payer, envAddress(this.#memory.current) + ENV.credit - SLICE.credit);
  }

  /** An environment pays for the interrupt under way; NO_ENV: none does. */
  charge(env: number): void {
    const debtor = this.#debtor(env);
    if (debtor !== NO_ENV) this.#memory.setKernelPage(KP.claimant, envAddress(debtor) + ENV.credit);
  }

  /** The slices of an environment that it has donated are its own again. */
  takeBack(env: number): void {
    for (const position of this.of(env)) this.#memory.setSlice(position, env, this.#runner(env));
  }

  /** An environment owes so many cycles. */
  #owe(env: number, cycles: number): void {
    const debtor = this.#debtor(env);
    if (cycles <= 0 || debtor === NO_ENV) return;
    const credit = this.#memory.env(debtor, ENV.credit) | 0;
    this.#memory.setEnv(debtor, ENV.credit, Math.max(credit - cycles, -MOST_DEBT));
  }

  /** Who pays for an environment: itself if slices of its own can, else the one that made it, else any of its family. */
  #debtor(env: number): number {
    if (env === NO_ENV) return NO_ENV;
    for (const debtor of [env, this.#memory.env(env, ENV.parent)]) {
      const runs = debtor !== NO_ENV && this.#memory.env(debtor, ENV.status) === ENV_STATUS.runnable;
      if (runs && this.of(debtor).length > 0) return debtor;
    }
    return this.#payerOf(this.#families.of(env));
  }

  /** The first member of a family that runs in a slice of its own, or NO_ENV. */
  #payerOf(family: number): number {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const owner = this.#memory.slice(p, SLICE.owner);
      const pays = owner !== NO_ENV && this.#families.of(owner) === family;
      if (pays && this.#memory.env(owner, ENV.status) === ENV_STATUS.runnable) return owner;
    }
    return NO_ENV;
  }

  #setCredit(position: number, cycles: number): void {
    this.#memory.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.credit, cycles);
  }

  #age(position: number): void {
    this.#capabilities.forget('slice', position);
    this.#memory.setWide(this.#life(position) + 1, ...this.#words(position));
  }

  #generation(position: number): number | undefined {
    const owned = position < SLICE_LIMIT && this.#memory.slice(position, SLICE.owner) !== NO_ENV;
    return owned ? this.#life(position) : undefined;
  }

  #life(position: number): number {
    return this.#memory.wide(...this.#words(position));
  }

  /** Where the two words of a slice's generation lie. */
  #words(position: number): readonly [low: number, high: number] {
    const more = this.#memory.table(TABLES.sliceState) + TABLES.sliceState.bytes * position;
    return [PHYSICAL.slices + SLICE_BYTES * position + SLICE.generation, more];
  }

  #runner(env: number): number {
    return this.#memory.env(env, ENV.status) === ENV_STATUS.runnable ? envAddress(env) : 0;
  }

  #run(count: number): number {
    let length = 0;
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      length = this.#memory.slice(p, SLICE.owner) === NO_ENV ? length + 1 : 0;
      if (length === count) return p - count + 1;
    }
    return ERRORS.E_NONE;
  }

  /** The vector ends after the last position that is taken. */
  #measure(): void {
    let end = 0;
    for (let p = 0; p < SLICE_LIMIT; p += 1) if (this.#memory.slice(p, SLICE.owner) !== NO_ENV) end = p + 1;
    this.#memory.setKernelPage(KP.vectorBytes, end * SLICE_BYTES);
  }
}
