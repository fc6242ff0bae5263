/**
 * A set of filters, merged: insert, delete, find the filters of a packet, and give the whole as programs.
 *
 * Each filter says what becomes of packets that others accept too, its `policy`:
 *
 * - `specific`: of two that match, the one that tests more bits wins; of equals, the one inserted first;
 * - `first`: of this and any other that match, the one inserted first wins;
 * - `refuse`: its packets are its alone. It is not inserted beside a filter that could accept any of them. Against later filters it wins
 *   every packet that it accepts, copies too, and a later filter that would get nothing is not inserted;
 * - `all`: it competes with no other filter, and gets a copy of each packet that it matches.
 *
 * So no filter keeps others from being inserted but those that want a part of its own packets alone.
 *
 * The winner is decided between pairs. A filter that would have no place (this wins over that, that over a third, the third
 * over this) is refused like a duplicate. Ids are the smallest free numbers from 0 on and are reused after `delete`.
 *
 * What a set is follows from the list of its filters with their ids and policies, in the order in which they were inserted, and
 * from nothing else: inserted again in that order with these ids, they give the same programs.
 *
 * Source: [DPF96] and its release [XOK], which refuses duplicates and limits filters and atoms in the same way; it says
 * nothing of overlaps.
 *
 * Deviation: length is counted in tested bits, not in atoms, so that a longer prefix wins over a shorter one.
 */
import type { Program, RegionOptions } from '@exokernel/vcode';
import { normalize, testedBits, type Atom } from './atoms.ts';
import { DpfError } from './error.ts';
import { explainTrie } from './explain.ts';
import { generate, generateCopies } from './generate.ts';
import { canOverlap, isWithin } from './overlap.ts';
import { search, searchAll } from './search.ts';
import { addFilter, emptyNode, findFilter, type Filter, type Node } from './trie.ts';
import { heaviest, ownWeight, type Weigh } from './weight.ts';

/** Bounds of a set. */
export interface FilterSetOptions {
  /** Most filters in the set; 256 unless told. */
  readonly maxFilters?: number;
  /** Most atoms in one filter; 256 unless told. */
  readonly maxAtoms?: number;
}

/** What becomes of packets that another filter accepts too. */
export type OverlapPolicy = 'specific' | 'first' | 'refuse' | 'all';

interface Entry extends Filter {
  readonly bits: number;
  readonly sequence: number;
  readonly policy: OverlapPolicy;
}

/** Filters, merged. */
export class FilterSet {
  readonly #maxFilters: number;
  readonly #maxAtoms: number;
  #root = emptyNode();
  /** Those that get copies. */
  #copies = emptyNode();
  readonly #entries = new Map<number, Entry>();
  readonly #programs = new Map<string, Program>();
  /** Whether two filters can accept one packet, by the pair of their ids; what has been asked so far. */
  readonly #overlaps = new Map<number, boolean>();
  /** Filters that do not stand beside just any other, and win otherwise than by what they test. */
  #choosy = 0;
  #sequence = 0;
  #ranked = true;

  constructor({ maxFilters = 256, maxAtoms = 256 }: FilterSetOptions = {}) {
    this.#maxFilters = maxFilters;
    this.#maxAtoms = Math.min(maxAtoms, 256);
  }

  /** How many filters there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** Changes whenever the set does, so that a compiled form can be seen to be old. */
  version = 0;

  /**
   * Adds a filter and returns its id: `wanted`, an integer from 0 on, or the smallest free one. Throws `DpfError`: `malformed`;
   * `limit` (filters, atoms, or an id that there is already or that is no id); `overlap`, with the id of the filter that has
   * these very atoms, or that it may not overlap, in `details`.
   */
  insert(atoms: readonly Atom[], policy: OverlapPolicy = 'specific', wanted?: number): number {
    if (atoms.length > this.#maxAtoms) {
      throw new DpfError('limit', `${atoms.length} atoms are more than ${this.#maxAtoms}`, { atoms: atoms.length });
    }
    const normal = normalize(atoms);
    const root = policy === 'all' ? this.#copies : this.#root;
    const same = findFilter(root, normal);
    if (same !== undefined && policy !== 'all') {
      throw new DpfError('overlap', `filter ${same.id} has the same atoms`, { id: same.id });
    }
    if (this.#entries.size >= this.#maxFilters) {
      throw new DpfError('limit', `there are ${this.#maxFilters} filters already`, { filters: this.#maxFilters });
    }
    let id = wanted ?? this.#entries.size;
    if (wanted === undefined && this.#entries.has(id)) for (id = 0; this.#entries.has(id);) id += 1;
    if (!Number.isInteger(id) || id < 0 || id >= this.#maxFilters || this.#entries.has(id)) {
      throw new DpfError('limit', `a filter cannot have the id ${id}: use a free one below ${this.#maxFilters}`, {
        id,
      });
    }
    this.#sequence += 1;
    const entry: Entry = {
      id,
      atoms: normal,
      isExclusive: policy === 'refuse',
      rank: 0,
      twins: [],
      bits: testedBits(normal),
      sequence: this.#sequence,
      policy,
    };
    this.#admit(entry);
    this.#plant(entry);
    this.#entries.set(id, entry);
    if (isChoosy(policy)) this.#choosy += 1;
    this.#changed();
    return id;
  }

  /** Removes a filter. Throws `DpfError` `unknown-filter`. */
  delete(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new DpfError('unknown-filter', `there is no filter ${id}`, { id });
    this.#entries.delete(id);
    // The tries grow anew: otherwise the order of their branches would tell of filters that are gone.
    [this.#root, this.#copies] = [emptyNode(), emptyNode()];
    for (const one of this.#entries.values()) {
      one.twins.splice(0);
      this.#plant(one);
    }
    if (isChoosy(entry.policy)) this.#choosy -= 1;
    this.#forget(id);
    this.#changed();
  }

  /** The ids of the filters that could accept a packet which this one accepts. Throws `DpfError` `unknown-filter`. */
  overlapping(id: number): number[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new DpfError('unknown-filter', `there is no filter ${id}`, { id });
    return [...this.#entries.values()]
      .filter((other) => other !== entry && this.#overlap(entry, other))
      .map((e) => e.id);
  }

  /** The id of the filter that wins this packet, or -1. Needs no compiled code; for speed see `compileFilters`. */
  demux(packet: Uint8Array): number {
    this.#rank();
    return search(this.#root, packet, 0)?.id ?? -1;
  }

  /**
   * The set as a program: one region, the message; it returns the winner's id plus 1, or 0. `message` says what the
   * caller of the program promises about the address of the message. Throws `VcodeError` `limit` when the set outgrows the IR.
   */
  program(message: RegionOptions = {}): Program {
    const key = `${message.align ?? 1}.${message.skew ?? 0}`;
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    this.#rank();
    const program = generate(this.#root, message);
    this.#programs.set(key, program);
    return program;
  }

  /** The ids of the filters with policy `all` that get copies of this packet, in no particular order. */
  copies(packet: Uint8Array): number[] {
    const found = searchAll(this.#copies, packet, 0);
    return found.some((id) => this.#entries.get(id)?.isExclusive === true) ? [] : found;
  }

  /** How many filters have policy `all`, so that `copiesProgram` may find them. */
  get copyCount(): number {
    return [...this.#entries.values()].filter(({ policy }) => policy === 'all').length;
  }

  /**
   * The filters with policy `all` as a program: two regions, the message and `found`, in which it stores a word with the id
   * of each that gets a copy; it returns how many these are. `found` has a word for every filter of the set, and lies at a word
   * boundary. Throws `VcodeError` `limit`.
   */
  copiesProgram(message: RegionOptions = {}): Program {
    return generateCopies(this.#copies, message);
  }

  /** What a run of either program weighs at most, of those filters that count. */
  weight(weigh: Weigh, counts: (id: number) => boolean): number {
    return Math.max(
      heaviest(this.#root, weigh, { counts, copies: false }),
      heaviest(this.#copies, weigh, { counts, copies: true }),
    );
  }

  /** What a filter adds to `weight` at most, whatever other filters there are. Throws `DpfError` `unknown-filter`. */
  weightOf(id: number, weigh: Weigh): number {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new DpfError('unknown-filter', `there is no filter ${id}`, { id });
    return ownWeight(entry.atoms, weigh, entry.policy === 'all' || entry.isExclusive);
  }

  /** The merged trie as text, for people. */
  explain(): string {
    if (this.copyCount === 0) return explainTrie(this.#root);
    return `${explainTrie(this.#root)}\ncopies\n${explainTrie(this.#copies)}`;
  }

  #changed(): void {
    this.version += 1;
    this.#programs.clear();
    this.#ranked = false;
  }

  /** Whether a filter may stand beside those that are there. Throws `DpfError` `overlap`. */
  #admit(entry: Entry): void {
    const { policy } = entry;
    if (this.#choosy === 0 && !isChoosy(policy)) return;
    const others = [...this.#entries.values()];
    for (const other of others) {
      const isInTheWay =
        policy === 'refuse'
          ? this.#overlap(entry, other)
          : other.policy === 'refuse' && isWithin(entry.atoms, other.atoms);
      if (!isInTheWay) continue;
      this.#forget(entry.id);
      throw new DpfError('overlap', `packets could be filter ${other.id}'s too`, { id: other.id });
    }
    if (this.#order([...others, entry]) !== undefined) return;
    this.#forget(entry.id);
    throw new DpfError('overlap', 'the filter wins over one that wins over one that wins over it', {});
  }

  /** Puts a filter into its trie, or beside the one that has its atoms; one whose packets are its alone also into that of copies. */
  #plant(entry: Entry): void {
    if (entry.policy !== 'all') plant(this.#root, entry);
    if (entry.policy === 'all' || entry.isExclusive) plant(this.#copies, entry);
  }

  #forget(id: number): void {
    for (const other of this.#entries.keys()) this.#overlaps.delete(pair(id, other));
  }

  #overlap(a: Entry, b: Entry): boolean {
    const key = pair(a.id, b.id);
    let known = this.#overlaps.get(key);
    if (known === undefined) this.#overlaps.set(key, (known = canOverlap(a.atoms, b.atoms)));
    return known;
  }

  #rank(): void {
    if (this.#ranked) return;
    this.#order([...this.#entries.values()])?.forEach((entry, i) => {
      entry.rank = i + 1;
    });
    this.#ranked = true;
  }

  /** The filters that compete, the weakest first; undefined if there is no such order. */
  #order(entries: readonly Entry[]): readonly Entry[] | undefined {
    const rivals = entries.filter(({ policy }) => policy !== 'all').sort(bySpecificity);
    // Specific filters alone have this order already, also where they overlap.
    if (!rivals.some(({ policy }) => isChoosy(policy))) return rivals;
    // The weakest first: a filter that beats none of those left. Of several such filters the less specific is first.
    const beaten = rivals.map((one) => rivals.filter((other) => other !== one && this.#beats(one, other)));
    const beats = new Map(rivals.map((one, i) => [one, beaten[i]?.length ?? 0]));
    const left = new Set(rivals);
    const ordered: Entry[] = [];
    for (;;) {
      const next = [...left].find((one) => beats.get(one) === 0);
      if (next === undefined) return left.size === 0 ? ordered : undefined;
      ordered.push(next);
      left.delete(next);
      rivals.forEach((one, i) => {
        if (beaten[i]?.includes(next) === true) beats.set(one, (beats.get(one) ?? 0) - 1);
      });
    }
  }

  /** Whether packets of both are `a`'s. */
  #beats(a: Entry, b: Entry): boolean {
    if (!this.#overlap(a, b)) return false;
    if (isChoosy(a.policy) || isChoosy(b.policy)) return a.sequence < b.sequence;
    return bySpecificity(a, b) > 0;
  }
}

function plant(root: Node, entry: Entry): void {
  const same = findFilter(root, entry.atoms);
  if (same === undefined) addFilter(root, entry);
  else same.twins.push(entry);
}

function isChoosy(policy: OverlapPolicy): boolean {
  return policy === 'first' || policy === 'refuse';
}

function bySpecificity(a: Entry, b: Entry): number {
  return a.bits - b.bits || b.sequence - a.sequence;
}

/** Ids are far below 2^20: there are no more filters than fit in memory. */
function pair(a: number, b: number): number {
  return Math.min(a, b) * 0x100000 + Math.max(a, b);
}
