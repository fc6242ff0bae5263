/**
 * Quotas: how much of each kind a family has, and what every family is guaranteed. [SOSP95 §3.4]
 *
 * A family is an environment that the loader made, and all its descendants, also after their makers have died: a quota of
 * environments would be none, because an environment makes as many as it likes. What an environment makes through another's
 * capability counts for the family of the one that makes it; docs/mechanisms/quotas.md says of each kind who that is.
 *
 * The rule: within its guarantee a family takes whatever is free; beyond it, only if afterwards as many are free as all other
 * families lack of their guarantees, and as one family that is still to come will want. The guarantee is set aside when the family
 * begins. Frames have no such reserve, because idle memory is of no use: there the guarantee is kept by revocation
 * (revocation.ts), and this file only counts.
 *
 * Every answer is a look at two or three counters. The part of the kernel in which a thing begins or ends calls `take` and `give`,
 * each in one place.
 */
import {
  BUFFER_LIMIT,
  ENV,
  ENV_LIMIT,
  EXTENT_LIMIT,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  FRAME_MINIMUM,
  NODE_LIMIT,
  NO_ENV,
  NO_TARGET,
  REQUEST_LIMIT,
  RING_LIMIT,
  SLICE_LIMIT,
  SLICE_MINIMUM,
} from '@exokernel/abi';
import { FILTER_TIME, HANDLER_LIMIT, KP, KSEG0, PREDICATE_LIMIT } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { FAMILY, QUOTA, QUOTA_KINDS, TABLES, VARIABLES, type QuotaKind } from './tables.ts';

/** How many there are of a kind, and how many each family is guaranteed. */
interface Quota {
  readonly total: number;
  readonly minimum: number;
}

/**
 * Assumption: all minima. A thirty-second part of the table, so that the guarantees of sixteen families leave half of it to whatever
 * family wants more; of rings and handlers, which are few, a sixteenth.
 */
export const QUOTAS: Readonly<Record<QuotaKind, Quota>> = {
  /** As many as memory has. */
  frames: { total: Infinity, minimum: FRAME_MINIMUM },
  environments: { total: ENV_LIMIT, minimum: 4 },
  slices: { total: SLICE_LIMIT, minimum: SLICE_MINIMUM },
  nodes: { total: NODE_LIMIT - 1, minimum: 32 },
  rings: { total: RING_LIMIT, minimum: 2 },
  filters: { total: FILTER_LIMIT, minimum: 8 },
  /** Half of the room: merged and compiled, filters grew to 3.5 times what they count, and the room for code holds 3.8 times. */
  filterBytes: { total: FILTER_CODE_BYTES / 2, minimum: FILTER_CODE_BYTES / 64 },
  handlers: { total: HANDLER_LIMIT, minimum: 1 },
  predicates: { total: PREDICATE_LIMIT, minimum: 2 },
  extents: { total: EXTENT_LIMIT, minimum: 4 },
  requests: { total: REQUEST_LIMIT, minimum: 4 },
  buffers: { total: BUFFER_LIMIT, minimum: 32 },
  filterTime: { total: FILTER_TIME.total, minimum: FILTER_TIME.minimum },
};

const KINDS = Object.keys(QUOTA_KINDS) as QuotaKind[];
/** A family's count and guarantee of a kind are the halves of one word. */
const HALF = 0x10000;

export class Families {
  readonly #memory: KernelMemory;
  /** By family: counts and guarantees, founder, limit of frames. */
  readonly #families: Records;
  /** By kind: how many are taken, and how many are kept for guarantees. */
  readonly #kinds: Records;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.#families = new Records(memory, TABLES.families);
    this.#kinds = new Records(memory, TABLES.quotas);
    memory.setKernelPage(KP.families, KSEG0 + this.#families.address(0));
    for (let family = 0; family < ENV_LIMIT; family += 1) this.#families.set(family, FAMILY.founder, NO_ENV);
  }

  /** The family of an environment that lives or that ends right now. */
  of(env: number): number {
    return this.#memory.env(env, ENV.family);
  }

  /** Whether a child of `parent`, or of the loader (NO_ENV), can have a record. What the host loads is the host's to judge. */
  mayJoin(parent: number): boolean {
    if (parent === NO_ENV) return this.#unused() >= 0 && this.#free('environments') > 0;
    return this.may('environments', this.of(parent));
  }

  /** A new environment joins the family of its maker, or (NO_ENV) begins one; `mayJoin` has said that it may. */
  join(env: number, parent: number): void {
    const family = parent === NO_ENV ? this.#unused() : this.of(parent);
    this.#memory.setEnv(env, ENV.family, family);
    if (parent === NO_ENV) this.#begin(family, env);
    this.#add('environments', family, 1);
  }

  /** An environment has ended, and has given back what it had. Its family ends with the last of its members. */
  leave(env: number): void {
    const family = this.of(env);
    if (this.#families.get(family, FAMILY.founder) === env) this.#families.set(family, FAMILY.founder, NO_ENV);
    this.#add('environments', family, -1);
    if (this.has('environments', family) === 0)
      for (const kind of KINDS) this.#set(kind, family, this.has(kind, family), 0);
  }

  /** Whether a family may take so many more of a kind. */
  may(kind: QuotaKind, family: number, count: number = 1): boolean {
    const { has, guaranteed } = this.#get(kind, family);
    const left = this.#free(kind) - count;
    if (has + count <= guaranteed) return left >= 0;
    const ownLack = Math.max(0, guaranteed - has);
    return left >= this.#kinds.get(QUOTA_KINDS[kind], QUOTA.reserved) - ownLack + QUOTAS[kind].minimum;
  }

  /** A family takes so many more of a kind, if it may. Returns whether it has. */
  take(kind: QuotaKind, family: number, count: number = 1): boolean {
    const may = this.may(kind, family, count);
    if (may) this.#add(kind, family, count);
    return may;
  }

  /**
   * Filters that no family is guaranteed take so much of filterTime together from now on, however many they are: they are merged. Returns
   * whether they may, by the same rule. If not, they take what they took.
   */
  share(time: number): boolean {
    const row = QUOTA_KINDS.filterTime;
    const left = QUOTAS.filterTime.total - this.used('filterTime') - time;
    const mayMore = left >= this.#kinds.get(row, QUOTA.reserved) + QUOTAS.filterTime.minimum;
    const may = mayMore || time <= this.#shared;
    if (may) this.#memory.setVariable(VARIABLES.filterTime, time);
    return may;
  }

  get #shared(): number {
    return this.#memory.variable(VARIABLES.filterTime);
  }

  /** Whether so many more of a kind are within the guarantee of a family. */
  isGuaranteed(kind: QuotaKind, family: number, count: number): boolean {
    return this.beyond(kind, family) + count <= 0;
  }

  /** So many of a kind that counted for a family are free. */
  give(kind: QuotaKind, family: number, count: number = 1): void {
    this.#add(kind, family, -count);
  }

  /** A frame more (1) or less (−1) is held by a member of a family: frames count without being refused here. */
  countFrame(family: number, delta: 1 | -1): void {
    this.#add('frames', family, delta);
  }

  /** One of a kind becomes another family's. */
  move(kind: QuotaKind, from: number, to: number): void {
    if (from === to) return;
    this.#add(kind, from, -1);
    this.gaveAway(kind, from);
    this.#add(kind, to, 1);
  }

  /**
   * A family has one less of a kind, because it has given that away. What it gives away of its guarantee it is not guaranteed any more, or it
   * could have that again and again at the cost of others.
   */
  gaveAway(kind: QuotaKind, family: number): void {
    const { has, guaranteed } = this.#get(kind, family);
    if (has < guaranteed) this.#set(kind, family, has, guaranteed - 1);
  }

  /** How many of a kind count for a family. */
  has(kind: QuotaKind, family: number): number {
    return this.#get(kind, family).has;
  }

  /** How many of a kind there are. */
  used(kind: QuotaKind): number {
    return this.#kinds.get(QUOTA_KINDS[kind], QUOTA.used);
  }

  /** How many a family has beyond its guarantee; below 0: what it lacks. */
  beyond(kind: QuotaKind, family: number): number {
    const { has, guaranteed } = this.#get(kind, family);
    return has - guaranteed;
  }

  /** The families that have more of a kind than they are guaranteed, those with most beyond it first; of equals the lower number. */
  richest(kind: QuotaKind): number[] {
    const all = Array.from({ length: ENV_LIMIT }, (_, family) => ({ family, more: this.beyond(kind, family) }));
    const rich = all.filter(({ more }) => more > 0).sort((a, b) => b.more - a.more || a.family - b.family);
    return rich.map(({ family }) => family);
  }

  /** Physical address of what a family owes (slices.ts), as a credit. */
  creditOf(family: number): number {
    return this.#families.address(family) + FAMILY.credit;
  }

  /** Whether a family holds as many frames as its founder may: the limits of all members together are no more. */
  isFull(family: number): boolean {
    return this.has('frames', family) >= this.#families.get(family, FAMILY.frameLimit);
  }

  /** The limit of an environment is set; that of a founder is its family's, also after its death. */
  limit(env: number, frames: number): void {
    const family = this.of(env);
    if (this.#families.get(family, FAMILY.founder) === env) this.#families.set(family, FAMILY.frameLimit, frames);
  }

  /** The smallest number that no family has: none of its members lives, and nothing that outlived them counts for it. Or −1. */
  #unused(): number {
    const [family] = this.#families.filter((one) => KINDS.every((kind) => this.has(kind, one) === 0));
    return family ?? -1;
  }

  #begin(family: number, founder: number): void {
    this.#families.set(family, FAMILY.founder, founder);
    this.#families.set(family, FAMILY.frameLimit, NO_TARGET);
    this.#families.set(family, FAMILY.credit, 0);
    for (const kind of KINDS) {
      // Later families get what the guarantees of earlier ones have left.
      const left = this.#free(kind) - this.#kinds.get(QUOTA_KINDS[kind], QUOTA.reserved);
      this.#set(kind, family, 0, Math.max(0, Math.min(QUOTAS[kind].minimum, left)));
    }
  }

  #free(kind: QuotaKind): number {
    return QUOTAS[kind].total - this.used(kind) - (kind === 'filterTime' ? this.#shared : 0);
  }

  #get(kind: QuotaKind, family: number): { readonly has: number; readonly guaranteed: number } {
    const word = this.#families.get(family, FAMILY.kinds + 4 * QUOTA_KINDS[kind]);
    return { has: word % HALF, guaranteed: Math.floor(word / HALF) };
  }

  #add(kind: QuotaKind, family: number, count: number): void {
    const { has, guaranteed } = this.#get(kind, family);
    if (has + count < 0 || has + count >= HALF) throw new RangeError(`family ${family}: ${has + count} ${kind}`);
    this.#set(kind, family, has + count, guaranteed);
  }

  #set(kind: QuotaKind, family: number, has: number, guaranteed: number): void {
    const old = this.#get(kind, family);
    const row = QUOTA_KINDS[kind];
    const lacked = Math.max(0, old.guaranteed - old.has);
    const lacks = Math.max(0, guaranteed - has);
    this.#families.set(family, FAMILY.kinds + 4 * row, HALF * guaranteed + has);
    this.#kinds.set(row, QUOTA.used, this.#kinds.get(row, QUOTA.used) + has - old.has);
    this.#kinds.set(row, QUOTA.reserved, this.#kinds.get(row, QUOTA.reserved) + lacks - lacked);
  }
}
