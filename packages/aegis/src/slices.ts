/**
 * The slice vector: who owns which position. [SOSP95 §5.1.1]
 *
 * A position is both an order and a deadline: an environment chooses positions that suit it, contiguous ones to run long,
 * spread ones to answer soon. The machine code of the switch reads the vector; here it is only written. An environment
 * may own slices before it is started: until then they are passed over.
 *
 * A slice that took too many cycles (text/schedule.ts) owes them, and loses as many of its instances. When its owner loses it with a
 * debt, the family owes that (`FAMILY.credit`), and all slices of the family are pledged (`PLEDGED`): none begins until what they
 * are worth, whichever comes first, has paid it. So no debt lies where it is never paid: one slice that had all debts could be freed again and
 * again, while the others went on. What an environment owes by itself (`ENV.credit`) when it ends, or has no slice any more, its family owes.
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
import { KP, KSEG0, MOST_DEBT, PHYSICAL, PLEDGED } from './layout.ts';
import { envAddress, envPhysical, type KernelMemory } from './memory.ts';
import { TABLES } from './tables.ts';

/** Who pays for what one of this family caused whose record is another's by now: a number that no environment has. */
export function familyAsPayer(family: number): number {
  return ENV_LIMIT + family;
}

/** The position whose record of the vector lies at this address; of another address: no position. */
export function positionOf(address: number): number {
  return ((address >>> 0) - sliceAddress(0)) / SLICE_BYTES;
}

function sliceAddress(position: number): number {
  return KSEG0 + PHYSICAL.slices + position * SLICE_BYTES;
}

/** Of a slice with this credit; halfway between the highest of those that are pledged and the lowest of others, with an instance more. */
function isPledged(credit: number): boolean {
  return (credit | 0) < (PLEDGED - 2 * MOST_DEBT) / 2;
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

  /** The same for `env`, which ends with a node of another resource; or an error code. */
  capabilityUnder(node: number, position: number, env: number): CapabilityWords | number {
    return this.#capabilities.under(node, 'slice', RIGHTS.write | RIGHTS.control, position, env);
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
    this.#take(p, env);
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
    const owner = this.#memory.slice(position, SLICE.owner);
    this.#empty(position);
    this.#settle(owner);
    this.#measure();
    return ERRORS.E_OK;
  }

  /** Makes `env` the owner of a slice that is owned; it runs there from its next instance on. */
  give(position: number, env: number): void {
    const owner = this.#memory.slice(position, SLICE.owner);
    this.#families.move('slices', this.#families.of(owner), this.#families.of(env));
    this.#own(position, env);
    this.#settle(owner);
  }

  #own(position: number, env: number): void {
    this.#leave(position);
    this.#take(position, env);
    this.#age(position);
  }

  /** A slice that is none's, or that its owner has left, is of `env`, with what it has. */
  #take(position: number, env: number): void {
    const rest = Math.max(0, this.#credit(position));
    this.#memory.setSlice(position, env, this.#runner(env));
    this.#setCredit(position, rest + (this.#owes(this.#families.of(env)) ? PLEDGED : 0));
  }

  /** Exchanges the owners of two slices that are owned. Both are the owners' own again if they were donated. */
  swap(one: number, other: number): void {
    const [mine, others] = [this.#memory.slice(one, SLICE.owner), this.#memory.slice(other, SLICE.owner)];
    // What both owe, before either family takes one.
    for (const position of [one, other]) this.#leave(position);
    this.#own(one, others);
    this.#own(other, mine);
  }

  /** An environment is started: it runs in the slices that it owns. */
  start(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const idle = this.#memory.slice(p, SLICE.owner) === env && this.#memory.slice(p, SLICE.running) === 0;
      if (idle) this.#take(p, env);
    }
  }

  /** An environment ends: its slices are free, those donated to it go back to their owners, and its family owes what it owed. */
  release(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const owner = this.#memory.slice(p, SLICE.owner);
      if (owner === env) this.#empty(p);
      else if (this.#memory.slice(p, SLICE.running) === envAddress(env)) {
        this.#memory.setSlice(p, owner, this.#runner(owner));
      }
    }
    this.#settle(env);
    this.#measure();
  }

  #empty(position: number): void {
    this.#leave(position);
    this.#families.give('slices', this.#familyOf(position));
    this.#setCredit(position, 0);
    this.#memory.setSlice(position, NO_ENV, 0);
    this.#age(position);
  }

  /**
   * A slice leaves its owner, and what it owes stays with the family. An environment that runs in it runs on to the end of the instance,
   * for which the family pays, and has nothing to donate any more.
   */
  #leave(position: number): void {
    if (this.#memory.kernelPage(KP.slice) === sliceAddress(position)) {
      this.#memory.setKernelPage(KP.slice, this.#memory.kernelPage(KP.noSlice));
    }
    const pays = this.#memory.kernelPage(KP.payer) === sliceAddress(position);
    if (pays || this.#credit(position) < 0) this.#pledge(this.#familyOf(position));
  }

  /** An environment without a slice leaves what it owes by itself to its family. */
  #settle(env: number): void {
    const debt = -(this.#memory.env(env, ENV.credit) | 0);
    if (debt <= 0 || this.#owns(env)) return;
    const family = this.#families.of(env);
    this.#memory.setEnv(env, ENV.credit, 0);
    if (this.#paysNow(family, debt)) return;
    this.#subtract(this.#families.creditOf(family), debt);
    this.#pledge(family);
  }

  /** Whether the slice of a family that runs has so much left. Then it pays that. */
  #paysNow(family: number, debt: number): boolean {
    const position = positionOf(this.#memory.kernelPage(KP.payer));
    if (position < 0 || position >= SLICE_LIMIT || this.#familyOf(position) !== family) return false;
    const unpaid = (this.#now() - this.#memory.kernelPage(KP.paid)) | 0;
    const credit = this.#memory.slice(position, SLICE.credit) | 0;
    if (credit - unpaid < debt) return false;
    this.#setCredit(position, credit - debt);
    return true;
  }

  /** What slices of a family owe the family owes, and they are pledged for it. So is the one that runs: the family pays for its instance. */
  #pledge(family: number): void {
    const account = this.#families.creditOf(family);
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const owner = this.#memory.slice(p, SLICE.owner);
      if (owner === NO_ENV || this.#families.of(owner) !== family) continue;
      const credit = this.#credit(p);
      const pays = this.#memory.kernelPage(KP.payer) === sliceAddress(p);
      const moved = pays ? credit : Math.min(credit, 0);
      if (pays) this.#memory.setKernelPage(KP.payer, this.#accountAsPayer(family));
      if (moved !== 0) this.#subtract(account, -moved);
      this.#setCredit(p, PLEDGED + credit - moved);
    }
  }

  /** Whether a family owes something, or pays for what runs at present: then its slices are pledged. */
  #owes(family: number): boolean {
    const owes = (this.#memory.get(this.#families.creditOf(family)) | 0) < 0;
    return owes || this.#memory.kernelPage(KP.payer) === this.#accountAsPayer(family);
  }

  /** Address of what is like a slice, so that KP.payer can hold it, and has the credit of a family. */
  #accountAsPayer(family: number): number {
    return KSEG0 + this.#families.creditOf(family) - SLICE.credit;
  }

  /**
   * The switch has come to a slice whose credit, with an instance more, is lower than any debt. If it is pledged, it pays what its family
   * owes, and has the rest. Returns whether it begins.
   */
  redeem(position: number): boolean {
    if (!isPledged(this.#memory.slice(position, SLICE.credit))) {
      this.#setCredit(position, -MOST_DEBT);
      return false;
    }
    const account = this.#families.creditOf(this.#familyOf(position));
    const owed = this.#memory.get(account) | 0;
    const left = owed + this.#credit(position);
    const owes = owed < 0 && left < 0;
    this.#memory.set(account, owes ? Math.max(left, -MOST_DEBT) : 0);
    this.#setCredit(position, owes ? PLEDGED : left);
    return left > this.#memory.kernelPage(KP.quantum) / 2;
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

  /** Whether what begins at cycle `count` is over at the next tick, and that comes within a quarter of a quantum. Assumption: a quarter. */
  isShort(count: number): boolean {
    const quantum = this.#memory.kernelPage(KP.quantum);
    const left = (this.#memory.kernelPage(KP.due) + quantum - count) | 0;
    const unpaid = count - this.#memory.kernelPage(KP.paid);
    const credit = (this.#memory.get(this.#memory.kernelPage(KP.payer) - KSEG0 + SLICE.credit) - unpaid) | 0;
    return left < quantum / 4 && credit - left < quantum / 2;
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

  /** Of the kernel's work under way so many cycles are not the slice’s that pays: who pays for an environment owes them. */
  bear(env: number, cycles: number): void {
    const whole = Math.floor(cycles);
    this.#subtract(this.#debt(env), whole);
    this.#memory.setKernelPage(KP.paid, this.#memory.kernelPage(KP.paid) + whole);
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
   * Whether who pays for an environment, with its family, owes more than a quantum. Then it is to cause no more: it may run in slices of
   * accomplices, and have none of its own that could pay.
   */
  isDebtor(env: number): boolean {
    const debtor = this.#debtor(env);
    const positions = debtor === NO_ENV ? [] : this.of(debtor);
    const credits = positions.map((p) => this.#credit(p));
    credits.push(this.#memory.env(debtor === NO_ENV ? env : debtor, ENV.credit) | 0);
    credits.push(this.#memory.get(this.#families.creditOf(this.#families.of(env))) | 0);
    return credits.reduce((sum, credit) => sum + Math.min(credit, 0), 0) < -this.#memory.kernelPage(KP.quantum);
  }

  /** Whether a member of a family runs in a slice of its own, and so pays what the family owes. */
  pays(family: number): boolean {
    return this.#payerOf(family) !== NO_ENV;
  }

  /** Whether an environment is a debtor (`isDebtor`) of whose family none pays: it runs in slices of accomplices. */
  neverPays(env: number): boolean {
    return !this.pays(this.#families.of(env)) && this.isDebtor(env);
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

  /** What a slice has or owes by itself, whether it is pledged or not. */
  #credit(position: number): number {
    const credit = this.#memory.slice(position, SLICE.credit);
    return (credit | 0) - (isPledged(credit) ? PLEDGED : 0);
  }

  #setCredit(position: number, cycles: number): void {
    this.#memory.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.credit, cycles);
  }

  #age(position: number): void {
    this.#capabilities.forget('slice', position);
    this.#memory.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.passed, 0);
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
