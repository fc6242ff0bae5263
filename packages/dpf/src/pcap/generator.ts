/**
 * What the generators of tests share: the layer, words of memory, loads relative to a header, comparisons of fields.
 *
 * The order of loads and the words of memory that are used are those of libpcap. Both can be seen in a verdict: a load beyond the
 * packet's end makes the whole expression false, and a test after `geneve or` reads words that were perhaps never set.
 */
import { BPF, BPF_MEMORY_WORDS } from '../bpf/instruction.ts';
import { and, BlockMaker, not, type Statement, type Test } from './blocks.ts';
import { outermost, type Layer, type LinkType, type Place } from './link-types.ts';
import type { Names } from './names.ts';
import { refuse, type Place as Where } from './refusal.ts';

/** A header that offsets count from. `llc` is the payload without MPLS labels, `label` the MPLS entry before the network header. */
export type Base = 'header' | 'type' | 'llc' | 'label' | 'network' | 'iso' | 'transport4' | 'transport6';

/** Bytes of a field. */
export type Size = 1 | 2 | 4;

const ABSOLUTE = { 1: BPF.LDB_ABS, 2: BPF.LDH_ABS, 4: BPF.LD_ABS } as const;
const INDEXED = { 1: BPF.LDB_IND, 2: BPF.LDH_IND, 4: BPF.LD_IND } as const;

/** Length of the IPv6 header. */
export const IPV6_HEADER = 40;

/** Shorthand for a statement. */
export const statement = (code: number, k = 0): Statement => ({ code, k });

/** What the caller chose. */
export interface GeneratorOptions {
  readonly linkType: LinkType;
  readonly netmask: number | null;
  readonly linuxExtensions: boolean;
  readonly protochainHeaders: number;
  readonly names: Names;
  readonly mostInstructions: number;
}

/** The state of one compilation. */
export class Generator {
  readonly options: GeneratorOptions;
  readonly blocks: BlockMaker;
  /** The layer that the next test reads. */
  layer: Layer;
  /** The piece of the expression that is being compiled, for refusals. */
  where: Where = { column: 1, text: '' };
  /** Words of memory that must be 0 at the beginning. */
  readonly cleared: Set<number> = new Set();
  #used = new Array<boolean>(BPF_MEMORY_WORDS).fill(false);
  #next = 0;

  constructor(options: GeneratorOptions) {
    this.options = options;
    this.blocks = new BlockMaker(options.mostInstructions, () => this.tooLong());
    this.layer = outermost(options.linkType);
  }

  /** Takes a word of memory. */
  allocate(): number {
    for (let tries = 0; tries < BPF_MEMORY_WORDS; tries += 1) {
      if (this.#used[this.#next] !== true) {
        this.#used[this.#next] = true;
        return this.#next;
      }
      this.#next = (this.#next + 1) % BPF_MEMORY_WORDS;
    }
    return refuse('limit', this.where, `the expression needs more than ${BPF_MEMORY_WORDS} words of memory`);
  }

  /** Gives a word of memory back. */
  release(register: number): void {
    this.#used[register] = false;
  }

  /** Compiles what stands in parentheses so that neither its layer nor its words of memory outlive it. */
  scoped(make: () => Test): Test {
    const [layer, used] = [this.layer, [...this.#used]];
    const test = make();
    this.layer = layer;
    this.#used = used;
    return test;
  }

  /** Loads the variable part of a place into X; no statement if it has none. */
  variable({ register }: Place): Statement[] {
    return register === null ? [] : [statement(BPF.LDX_MEM, register)];
  }

  /** The place and the distance that offsets from a base are added to. Transport headers of IPv4 are not among them. */
  #base(base: Exclude<Base, 'transport4'>): readonly [place: Place, distance: number] {
    const { header, type, payload, network, iso } = this.layer;
    switch (base) {
      case 'header':
        return [header, 0];
      case 'type':
        return [type, 0];
      case 'llc':
        return [payload, 0];
      case 'label':
        return [payload, network - 4];
      case 'network':
        return [payload, network];
      case 'iso':
        return [payload, iso];
      case 'transport6':
        return [payload, network + IPV6_HEADER];
    }
  }

  /** Loads a field into A. */
  load(base: Base, offset: number, size: Size): Statement[] {
    if (base === 'transport4')
      return [...this.ipv4HeaderLength(), statement(INDEXED[size], this.networkConstant + offset)];
    const [place, distance] = this.#base(base);
    const k = (offset + place.constant + distance) >>> 0;
    const variable = this.variable(place);
    return [...variable, statement(variable.length === 0 ? ABSOLUTE[size] : INDEXED[size], k)];
  }

  /** The constant part of the network header's place. */
  get networkConstant(): number {
    return this.layer.payload.constant + this.layer.network;
  }

  /** Loads into X the variable part of the place behind the IPv4 header. */
  ipv4HeaderLength(): Statement[] {
    const variable = this.variable(this.layer.payload);
    if (variable.length === 0) return [statement(BPF.LDX_MSH, this.networkConstant)];
    return [
      ...variable,
      statement(BPF.LDB_IND, this.networkConstant),
      statement(BPF.AND_K, 0xf),
      statement(BPF.LSH_K, 2),
      statement(BPF.ADD_X),
      statement(BPF.TAX),
    ];
  }

  /** Tests a field: `code` compares it, after the mask, with `value`. */
  compare(code: number, base: Base, offset: number, size: Size, value: number, mask = 0xffff_ffff): Test {
    const statements = this.load(base, offset, size);
    if (mask !== 0xffff_ffff) statements.push(statement(BPF.AND_K, mask));
    return this.blocks.test(statements, statement(code, value >>> 0));
  }

  /** Whether a field has this value. */
  equal(base: Base, offset: number, size: Size, value: number): Test {
    return this.compare(BPF.JEQ_K, base, offset, size, value);
  }

  /** Whether some bits of a field have this value. Without any bit the packet is not read. */
  masked(base: Base, offset: number, size: Size, value: number, mask: number): Test {
    if (mask === 0) return this.blocks.constant(value === 0);
    return this.compare(BPF.JEQ_K, base, offset, size, value, mask);
  }

  /** Whether a field is at most this. */
  atMost(base: Base, offset: number, size: Size, value: number): Test {
    return not(this.compare(BPF.JGT_K, base, offset, size, value));
  }

  /** Whether an Ethernet address stands at this offset of the link header: its lower four bytes are looked at first. */
  ethernet(offset: number, upper: number, lower: number): Test {
    return and(this.equal('header', offset + 2, 4, lower), this.equal('header', offset, 2, upper));
  }

  /** Refuses a number of the expression that is too large. */
  atMostOrRefuse(what: string, value: number, most: number): void {
    if (value > most) refuse('range', this.where, `${what} ${value} is greater than ${most}`);
  }

  /** Refuses a test that the link type has not. */
  unsupported(what: string): never {
    return refuse('unsupported', this.where, `${what} is not possible on link type ${this.layer.linkType}`);
  }

  /** Refuses an expression that needs too many instructions. */
  tooLong(): never {
    return refuse('limit', this.where, `the expression needs more than ${this.options.mostInstructions} instructions`);
  }

  /** Refuses an address or a number that is none. */
  invalid(reason: string): never {
    return refuse('range', this.where, reason);
  }

  /** Refuses a name. */
  unknown(reason: string, among: Iterable<string>): never {
    return refuse('name', this.where, reason, { among });
  }

  /** Refuses a qualifier. */
  misfit(qualifier: string, what: string): never {
    return refuse('syntax', this.where, `"${qualifier}" cannot qualify ${what}`);
  }
}
