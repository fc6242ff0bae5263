/**
 * ASIDs, revoked unseen: an environment has one only while it needs one, and never hears of it. [SOSP95 §3.3]
 *
 * The processor has 64, there are more environments. Who is started while some are free, or is dispatched or called without one gets one: a free one, else that of
 * the environment whose last dispatch is longest ago, whose translations are flushed first. What names an address space by its
 * ASID follows here: the tags of guaranteed mappings, the native functions, and the gates of protected control transfer,
 * which are the entries while there is an ASID and 0 otherwise, so that a transfer costs nothing for all this.
 *
 * Whoever runs keeps its ASID: the machine code of a call that needs one for another goes on in the caller's address space.
 */
import { ENV, GUARANTEED_LIMIT, NO_ENV, PAGE_BYTES, type NativeFunction } from '@exokernel/abi';
import { KP } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';
import type { TlbKeeper } from './tlb-keeper.ts';

/** ASID 0 is nobody's: an EntryHi of page 0 would be the zero that ends a list. */
const FIRST = 1;
const LIMIT = 64;
/** Where an ASID stands in EntryHi. */
const SHIFT = 6;
/** The tag of a guaranteed mapping while its environment has no ASID: no EntryHi is like it, and it is not zero. */
export const NO_ASID_TAG = 1;

/** Installs native functions in an address space; an empty list removes them. */
export type InstallNatives = (asid: number, functions: readonly NativeFunction[]) => void;

export class Asids {
  readonly #memory: KernelMemory;
  readonly #tlb: TlbKeeper;
  readonly #install: InstallNatives;
  readonly #owners: number[] = Array.from({ length: LIMIT }, () => NO_ENV);
  readonly #functions = new Map<number, readonly NativeFunction[]>();
  /** Where the search for the next victim starts, so that of equals each has its turn. */
  #hand = FIRST;

  constructor(memory: KernelMemory, tlb: TlbKeeper, install: InstallNatives) {
    this.#memory = memory;
    this.#tlb = tlb;
    this.#install = install;
  }

  /** A new environment, and its native functions: it has no ASID yet. */
  enter(env: number, functions: readonly NativeFunction[]): void {
    this.#functions.set(env, functions);
  }

  /** An environment is started: it gets an ASID if one is free, so that its first entry costs no more than the others. */
  start(env: number): void {
    if (this.#memory.env(env, ENV.asid) === 0 && this.#owners.includes(NO_ENV, FIRST)) this.give(env);
  }

  /** An environment ends: its translations are flushed, its ASID is free. */
  leave(env: number): void {
    this.#take(env);
    this.#functions.delete(env);
  }

  /** Who has an ASID, or NO_ENV. */
  owner(asid: number): number {
    return this.#owners[asid] ?? NO_ENV;
  }

  /** Gives `env`, which has none, an ASID. Returns whether somebody else lost it. */
  give(env: number): boolean {
    let asid = this.#owners.indexOf(NO_ENV, FIRST);
    const recycled = asid < 0;
    if (recycled) {
      asid = this.#victim();
      this.#take(this.owner(asid));
    }
    this.#owners[asid] = env;
    this.#memory.setEnv(env, ENV.asid, asid << SHIFT);
    this.#memory.setEnv(env, ENV.dispatched, this.#memory.kernelPage(KP.tick));
    this.#tag(env, asid << SHIFT);
    this.openGates(env);
    this.#install(asid, this.#functions.get(env) ?? []);
    return recycled;
  }

  /** The gates of an environment as its entries and its ASID have it. */
  openGates(env: number): void {
    const open = this.#memory.env(env, ENV.asid) !== 0;
    this.#memory.setEnv(env, ENV.syncGate, open ? this.#memory.env(env, ENV.syncEntry) : 0);
    this.#memory.setEnv(env, ENV.asyncGate, open ? this.#memory.env(env, ENV.asyncEntry) : 0);
  }

  #take(env: number): void {
    const asid = this.#memory.env(env, ENV.asid) >>> SHIFT;
    if (asid === 0) return;
    this.#tlb.flushEnv(env);
    this.#owners[asid] = NO_ENV;
    this.#memory.setEnv(env, ENV.asid, 0);
    this.#tag(env, NO_ASID_TAG);
    this.openGates(env);
    this.#install(asid, []);
  }

  /** The ASID, not that of whoever runs, whose owner was dispatched the longest ago. */
  #victim(): number {
    const running = this.#memory.kernelPage(KP.env);
    const now = this.#memory.kernelPage(KP.tick);
    let victim = -1;
    let longest = -1;
    for (let i = 0; i < LIMIT - FIRST; i += 1) {
      const asid = FIRST + ((this.#hand - FIRST + i) % (LIMIT - FIRST));
      const env = this.owner(asid);
      const age = (now - this.#memory.env(env, ENV.dispatched)) >>> 0;
      if (envAddress(env) === running || age <= longest) continue;
      victim = asid;
      longest = age;
    }
    this.#hand = victim + 1;
    return victim;
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
