/**
 * ASIDs, revoked unseen: an environment has one only while it needs one, and never hears of it. [SOSP95 §3.3]
 *
 * The processor has 64, there are more environments. Who is started while some are free, or is dispatched or called without one gets one: a free one, else that of
 * the environment whose last dispatch is longest ago, whose translations are flushed first. What names an address space by its
 * ASID follows here: the tags of guaranteed mappings, the native functions, and the gates of protected control transfer,
 * which are the entries while there is an ASID and 0 otherwise, so that a transfer costs nothing for all this.
 *
 * The slice that runs pays for the look through all translations. The loser owes the clearing of its own, which may be all that there are.
 *
 * The environment that runs keeps its ASID: the machine code of a call that needs one for another goes on in the caller's address space.
 */
import { ENV, GUARANTEED_LIMIT, NO_ENV, PAGE_BYTES } from '@exokernel/abi';
import { KP } from './layout.ts';
import { Records, envAddress, type KernelMemory } from './memory.ts';
import type { Natives } from './natives.ts';
import type { Slices } from './slices.ts';
import { ASID_LIMIT, TABLES, VARIABLES } from './tables.ts';
import type { TlbKeeper } from './tlb-keeper.ts';

/** ASID 0 is given to none: an EntryHi of page 0 would be the zero that ends a list. */
const FIRST = 1;
/** Assumption: a sixteenth of them, so that as many families as there are guarantees for have some. */
const FAMILY_SHARE = 3;
/** Where an ASID stands in EntryHi. */
const SHIFT = 6;
/** The tag of a guaranteed mapping while its environment has no ASID: no EntryHi is like it, and it is not zero. */
export const NO_ASID_TAG = 1;

/** A gate that is shut has a word that no transfer to this record brings: the low bits are another's number. */
export function syncGate(name: number, open: boolean): number {
  return open ? name : (name ^ 1) >>> 0;
}

export class Asids {
  readonly #memory: KernelMemory;
  readonly #tlb: TlbKeeper;
  readonly #natives: Natives;
  readonly #slices: Slices;
  readonly #owners: Records;

  constructor(memory: KernelMemory, tlb: TlbKeeper, natives: Natives, slices: Slices) {
    this.#memory = memory;
    this.#tlb = tlb;
    this.#natives = natives;
    this.#slices = slices;
    this.#owners = new Records(memory, TABLES.asidOwners);
    for (let asid = 0; asid < ASID_LIMIT; asid += 1) this.#owners.set(asid, 0, NO_ENV);
    memory.setVariable(VARIABLES.asidHand, FIRST);
  }

  /** An environment is started: it gets an ASID if one is free, so that its first entry costs no more than the others. */
  start(env: number): void {
    if (this.#memory.env(env, ENV.asid) === 0 && this.#free() >= 0) this.give(env);
  }

  /** An environment ends: its translations are flushed, its ASID is free. */
  leave(env: number): void {
    this.#take(env);
  }

  /** The environment that has an ASID, or NO_ENV. */
  owner(asid: number): number {
    return this.#owners.get(asid, 0);
  }

  /** Gives `env` an ASID, if it has none: with two, its translations under the first would be another's one day. */
  give(env: number): void {
    if (this.#memory.env(env, ENV.asid) !== 0) return;
    let asid = this.#free();
    if (asid < 0) {
      asid = this.#victim(this.#memory.env(env, ENV.family));
      const loser = this.owner(asid);
      this.#slices.bear(loser, this.#take(loser));
    }
    this.#owners.set(asid, 0, env);
    this.#memory.setEnv(env, ENV.asid, asid << SHIFT);
    this.#memory.setEnv(env, ENV.dispatched, this.#memory.kernelPage(KP.tick));
    this.#tag(env, asid << SHIFT);
    this.openGates(env);
    this.#natives.install(asid, env);
  }

  /** The gates of an environment as its entries and its ASID have it. */
  openGates(env: number): void {
    const open = this.#memory.env(env, ENV.asid) !== 0;
    this.#memory.setEnv(
      env,
      ENV.syncGate,
      syncGate(this.#memory.env(env, ENV.name), open && this.#memory.env(env, ENV.syncEntry) !== 0),
    );
    this.#memory.setEnv(env, ENV.asyncGate, open ? this.#memory.env(env, ENV.asyncEntry) : 0);
  }

  /** Returns the cycles of clearing its translations. */
  #take(env: number): number {
    const asid = this.#memory.env(env, ENV.asid) >>> SHIFT;
    if (asid === 0) return 0;
    const cycles = this.#tlb.flushEnv(env);
    this.#owners.set(asid, 0, NO_ENV);
    this.#memory.setEnv(env, ENV.asid, 0);
    this.#tag(env, NO_ASID_TAG);
    this.openGates(env);
    this.#natives.remove(asid);
    return cycles;
  }

  /** The first free ASID, or −1. */
  #free(): number {
    return this.#owners.find(0, NO_ENV, FIRST);
  }

  /**
   * The ASID whose owner was dispatched the longest ago, but not that of the running environment: of a member of this family, if it has
   * more than FAMILY_SHARE. Otherwise a family with many members would take them from all others, who pay for the flush each time.
   */
  #victim(family: number): number {
    const running = this.#memory.kernelPage(KP.env);
    const now = this.#memory.kernelPage(KP.tick);
    const any = { asid: -1, age: -1 };
    const member = { asid: -1, age: -1 };
    let members = 0;
    const hand = this.#memory.variable(VARIABLES.asidHand);
    for (let i = 0; i < ASID_LIMIT - FIRST; i += 1) {
      const asid = FIRST + ((hand - FIRST + i) % (ASID_LIMIT - FIRST));
      const env = this.owner(asid);
      if (envAddress(env) === running) continue;
      const age = (now - this.#memory.env(env, ENV.dispatched)) >>> 0;
      if (age > any.age) Object.assign(any, { asid, age });
      if (this.#memory.env(env, ENV.family) !== family) continue;
      members += 1;
      if (age > member.age) Object.assign(member, { asid, age });
    }
    const { asid } = members > FAMILY_SHARE ? member : any;
    this.#memory.setVariable(VARIABLES.asidHand, asid + 1);
    return asid;
  }

  /** Gives the guaranteed mappings of an environment another tag in the place of the ASID. */
  #tag(env: number, tag: number): void {
    for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
      const at = ENV.guaranteed + 8 * slot;
      const hi = this.#memory.env(env, at);
      if (hi !== 0) this.#memory.setEnv(env, at, (hi & -PAGE_BYTES) | tag);
    }
  }
}
