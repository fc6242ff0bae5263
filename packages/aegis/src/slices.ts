/**
 * The slice vector: who owns which position. [SOSP95 §5.1.1]
 *
 * A position is both an order and a deadline: an environment chooses positions that suit it, contiguous ones to run long,
 * spread ones to answer soon. The machine code of the switch reads the vector; here it is only written. An environment
 * may own slices before it is started: until then they are passed over.
 *
 * A slice that took too many cycles (text/schedule.ts) owes them, whichever member of a family owns it. When it leaves the family,
 * freed or given to another one, the debt waits (`FAMILY.credit`) for the next slice that any member takes. Else a family could leave
 * its debts with a member that never runs, and go on in fresh slices. What an environment owes by itself (`ENV.credit`) when it ends,
 * the one that made it owes, or another of its family.
 */
import {
  ENV,
  ENV_LIMIT,
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
import { KP, KSEG0, MOST_DEBT, PHYSICAL } from './layout.ts';
import { envAddress, envPhysical, type KernelMemory } from './memory.ts';
import { TABLES } from './tables.ts';

/** Who pays for what one of this family caused whose record is another's by now: a number that no environment has. */
export function familyAsPayer(family: number): number {
  return ENV_LIMIT + family;
}

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
    this.#inherit(p, env);
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
    const moves = this.#familyOf(position) !== this.#families.of(env);
    this.#leave(position, moves);
    this.#memory.setSlice(position, env, this.#runner(env));
    this.#age(position);
    if (moves) this.#inherit(position, env);
  }

  /** Exchanges the owners of two slices that are owned. Both are the owners' own again if they were donated. */
  swap(one: number, other: number): void {
    const [mine, others] = [this.#memory.slice(one, SLICE.owner), this.#memory.slice(other, SLICE.owner)];
    // What both owe, before either family takes one.
    const moves = this.#families.of(mine) !== this.#families.of(others);
    for (const position of [one, other]) this.#leave(position, moves);
    this.#own(one, others);
    this.#own(other, mine);
  }

  /** An environment is started: it runs in the slices that it owns. */
  start(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const idle = this.#memory.slice(p, SLICE.owner) === env && this.#memory.slice(p, SLICE.running) === 0;
      if (!idle) continue;
      this.#memory.setSlice(p, env, this.#runner(env));
      this.#inherit(p, env);
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
    this.#leave(position, true);
    this.#families.give('slices', this.#familyOf(position));
    this.#setCredit(position, 0);
    this.#memory.setSlice(position, NO_ENV, 0);
    this.#age(position);
  }

  /**
   * An environment that runs in a slice that changes its owner runs on to its end, and has nothing to donate any more. If the slice
   * `moves` to another family, the one that it leaves owes what it owes, and what is still to come of this instance.
   */
  #leave(position: number, moves: boolean): void {
    const here = KSEG0 + PHYSICAL.slices + position * SLICE_BYTES;
    if (this.#memory.kernelPage(KP.slice) === here) {
      this.#memory.setKernelPage(KP.slice, this.#memory.kernelPage(KP.noSlice));
    }
    if (!moves) return;
    const family = this.#familyOf(position);
    if (this.#memory.kernelPage(KP.payer) === here) {
      const [now, paid] = [this.#now(), this.#memory.kernelPage(KP.paid)];
      this.#setCredit(position, this.#memory.slice(position, SLICE.credit) - ((now - paid) | 0));
      this.#memory.setKernelPage(KP.paid, now);
      this.#memory.setKernelPage(KP.payer, KSEG0 + this.#families.creditOf(family) - SLICE.credit);
    }
    const credit = this.#memory.slice(position, SLICE.credit) | 0;
    if (credit >= 0) return;
    this.#subtract(this.#families.creditOf(family), -credit);
    this.#setCredit(position, 0);
  }

  /** What waits for a slice of the family of `env` is what this one begins with, if it can pay. */
  #inherit(position: number, env: number): void {
    const at = this.#families.creditOf(this.#families.of(env));
    const credit = this.#memory.get(at) | 0;
    if (credit === 0 || this.#runner(env) === 0) return;
    this.#subtract(PHYSICAL.slices + position * SLICE_BYTES + SLICE.credit, -credit);
    this.#memory.set(at, 0);
  }

  #familyOf(position: number): number {
    return this.#families.of(this.#memory.slice(position, SLICE.owner));
  }

  /** An environment, or a family (`familyAsPayer`), pays for the interrupt under way; NO_ENV: none does. */
  charge(payer: number): void {
    if (payer === NO_ENV) return;
    const at =
      payer < ENV_LIMIT ? this.#debt(payer) : this.#debtOf(this.#payerOf(payer - ENV_LIMIT), payer - ENV_LIMIT);
    this.#memory.setKernelPage(KP.claimant, KSEG0 + at);
  }

  /** The slices of an environment that it has donated are its own again. */
  takeBack(env: number): void {
    for (const position of this.of(env)) this.#memory.setSlice(position, env, this.#runner(env));
  }

  /**
   * Whether an environment that ends is to stop for now, and goes on in a later slice: in its own; or, when what is left of this one is used
   * up, in one of who pays for it, which is donated to it until it has ended. If its family has none it waits until it gets time again: no
   * other environment waits for it, and one that gave it the rest of a slice has given no more.
   */
  lend(env: number): boolean {
    if (this.of(env).length > 0) return true;
    if ((this.#memory.get(this.#memory.kernelPage(KP.payer) - KSEG0 + SLICE.credit) | 0) > 0) return false;
    for (let p = 0; p < SLICE_LIMIT; p += 1) if (this.#memory.slice(p, SLICE.running) === envAddress(env)) return true;
    const debtor = this.#debtor(env);
    const [position] = debtor === NO_ENV ? [] : this.of(debtor);
    if (position === undefined) return true;
    this.#memory.setSlice(position, this.#memory.slice(position, SLICE.owner), envAddress(env));
    return true;
  }

  /** Of the kernel's work under way so many cycles are not the slice's that pays: an environment owes them. */
  bear(env: number, cycles: number): void {
    const whole = Math.floor(cycles);
    this.#subtract(envPhysical(env) + ENV.credit, whole);
    this.#memory.setKernelPage(KP.paid, this.#memory.kernelPage(KP.paid) + whole);
  }

  /** An environment owes so many cycles. */
  #owe(env: number, cycles: number): void {
    if (cycles > 0) this.#subtract(this.#debt(env), cycles);
  }

  /** Takes cycles from the credit at a physical address. */
  #subtract(at: number, cycles: number): void {
    this.#memory.set(at, Math.max((this.#memory.get(at) | 0) - cycles, -MOST_DEBT));
  }

  /** Physical address of the credit that what an environment owes is taken from: of who pays for it, or of its family. */
  #debt(env: number): number {
    return this.#debtOf(this.#debtor(env), this.#families.of(env));
  }

  /** The same, of a debtor; if there is none (NO_ENV), of the family. */
  #debtOf(debtor: number, family: number): number {
    if (debtor !== NO_ENV) return envPhysical(debtor) + ENV.credit;
    const at = this.#families.creditOf(family);
    // No slice pays it meanwhile, so it must not come round.
    this.#subtract(at, 0);
    return at;
  }

  /** Who pays for an environment: itself if slices of its own can, else the one that made it, else any of its family. */
  #debtor(env: number): number {
    const family = this.#families.of(env);
    for (const debtor of [env, this.#memory.env(env, ENV.parent)]) {
      const runs = debtor !== NO_ENV && this.#memory.env(debtor, ENV.status) === ENV_STATUS.runnable;
      // When both have ended the maker's record may be a stranger's.
      if (runs && this.#families.of(debtor) === family && this.#owns(debtor)) return debtor;
    }
    return this.#payerOf(family);
  }

  #owns(env: number): boolean {
    for (let p = 0; p < SLICE_LIMIT; p += 1) if (this.#memory.slice(p, SLICE.owner) === env) return true;
    return false;
  }

  /**
   * Whether who pays for an environment owes more than a quantum. Then it is to cause no more: it may run in slices of accomplices, and have
   * none of its own that could pay.
   */
  isDebtor(env: number): boolean {
    const debtor = this.#debtor(env);
    const positions = debtor === NO_ENV ? [] : this.of(debtor);
    const credits = positions.map((p) => Math.min(0, this.#memory.slice(p, SLICE.credit) | 0));
    const own = this.#memory.get(this.#debtOf(debtor, this.#families.of(env))) | 0;
    return credits.reduce((sum, credit) => sum + credit, own) < -this.#memory.kernelPage(KP.quantum);
  }

  /** An environment takes over what waits for a slice of its family, if it has none: by that its packets are measured. */
  adopt(env: number): void {
    const at = this.#families.creditOf(this.#families.of(env));
    if (this.#memory.get(at) === 0) return;
    this.#subtract(envPhysical(env) + ENV.credit, -(this.#memory.get(at) | 0));
    this.#memory.set(at, 0);
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
