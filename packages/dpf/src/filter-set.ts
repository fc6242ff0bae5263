/**
 * A set of filters, merged: insert, delete, find the filter of a packet, and give the whole as one program.
 *
 * Of several filters that match a packet the one that tests the most bits wins; of equals, the one inserted first. Ids are
 * the smallest free numbers from 0 on and are reused after `delete`. Source: [DPF96] and its release [XOK], which
 * refuses duplicates and limits filters and atoms in the same way.
 *
 * Deviation: length is counted in tested bits, not in atoms, so that a longer prefix wins over a shorter one.
 */
import type { Program, RegionOptions } from '@exokernel/vcode';
import { normalize, testedBits, type Atom } from './atoms.ts';
import { DpfError } from './error.ts';
import { explainTrie } from './explain.ts';
import { generate } from './generate.ts';
import { search } from './search.ts';
import { addFilter, emptyNode, findFilter, removeFilter, type Filter } from './trie.ts';

/** Bounds of a set. */
export interface FilterSetOptions {
  /** Most filters in the set; 256 unless told. */
  readonly maxFilters?: number;
  /** Most atoms in one filter; 256 unless told. */
  readonly maxAtoms?: number;
}

interface Entry extends Filter {
  readonly bits: number;
  readonly sequence: number;
}

/** Filters, merged. */
export class FilterSet {
  readonly #maxFilters: number;
  readonly #maxAtoms: number;
  readonly #root = emptyNode();
  readonly #entries = new Map<number, Entry>();
  readonly #programs = new Map<string, Program>();
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

  /** Changes whenever the set does: whoever compiles compares it. */
  version = 0;

  /**
   * Adds a filter and returns its id. Throws `DpfError`: `malformed`; `limit` (filters or atoms); `overlap`, with the id of
   * the filter that has these very atoms in `details`.
   */
  insert(atoms: readonly Atom[]): number {
    if (atoms.length > this.#maxAtoms) {
      throw new DpfError('limit', `${atoms.length} atoms are more than ${this.#maxAtoms}`, { atoms: atoms.length });
    }
    const normal = normalize(atoms);
    const same = findFilter(this.#root, normal);
    if (same !== undefined) throw new DpfError('overlap', `filter ${same.id} has the same atoms`, { id: same.id });
    if (this.#entries.size >= this.#maxFilters) {
      throw new DpfError('limit', `there are ${this.#maxFilters} filters already`, { filters: this.#maxFilters });
    }
    let id = this.#entries.size;
    if (this.#entries.has(id)) for (id = 0; this.#entries.has(id);) id += 1;
    this.#sequence += 1;
    const entry: Entry = { id, atoms: normal, rank: 0, bits: testedBits(normal), sequence: this.#sequence };
    addFilter(this.#root, entry);
    this.#entries.set(id, entry);
    this.#changed();
    return id;
  }

  /** Removes a filter. Throws `DpfError` `unknown-filter`. */
  delete(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new DpfError('unknown-filter', `there is no filter ${id}`, { id });
    removeFilter(this.#root, entry);
    this.#entries.delete(id);
    this.#changed();
  }

  /** The id of the filter that wins this packet, or -1. Needs no compiled code; for speed see `compileFilters`. */
  demux(packet: Uint8Array): number {
    this.#rank();
    return search(this.#root, packet, 0)?.id ?? -1;
  }

  /**
   * The set as a program: one region, the message; it returns the winner's id plus 1, or 0. `message` says what whoever
   * runs it promises about the address of the message. Throws `VcodeError` `limit` when the set outgrows the IR.
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

  /** The merged trie as text, for people. */
  explain(): string {
    return explainTrie(this.#root);
  }

  #changed(): void {
    this.version += 1;
    this.#programs.clear();
    this.#ranked = false;
  }

  #rank(): void {
    if (this.#ranked) return;
    const order = [...this.#entries.values()].sort((a, b) => a.bits - b.bits || b.sequence - a.sequence);
    order.forEach((entry, i) => {
      entry.rank = i + 1;
    });
    this.#ranked = true;
  }
}
