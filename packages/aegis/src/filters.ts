/**
 * Packet filters: downloaded, checked, merged and compiled when they are bound. [SOSP95 §5.5], [DPF96]
 *
 * Filters of all environments form one DPF trie, compiled to kernel text; those that get copies form a second. What runs at
 * arrival is machine code (text/receive.ts). The filters themselves are believed, but not in secret: the record of each,
 * its atoms and the number of others' filters that it overlaps can be read by everyone.
 */
import {
  ERRORS,
  FILTER,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  NO_ENV,
  POLICIES,
  RIGHTS,
  type CapabilityWords,
} from '@exokernel/abi';
import { DpfError, FilterSet, decodeFilter, type OverlapPolicy } from '@exokernel/dpf';
import { VcodeError, compileMips, type Program } from '@exokernel/vcode';
import type { Capabilities } from './capabilities.ts';
import type { Frames } from './frames.ts';
import { Handlers } from './handlers.ts';
import { FILTER_SHIFT, KP, KSEG0, PHYSICAL } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';
import { ringPhysical } from './rings.ts';

/** Where the activation record of the second program has base and length of the words that it fills. */
const FOUND = { base: 16, length: 20 } as const;
const ACTIVATION_ROOM = PHYSICAL.copiesActivation - PHYSICAL.demuxActivation;

interface Binding {
  readonly env: number;
  readonly bytes: Uint8Array;
  readonly policy: OverlapPolicy;
}

/** What a filter is bound with. */
export interface FilterRequest {
  readonly bytes: Uint8Array;
  readonly ring: number;
  /** One of POLICIES; any word. */
  readonly policy: number;
}

export class Filters {
  readonly #memory: KernelMemory;
  readonly #capabilities: Capabilities;
  readonly #set = new FilterSet({ maxFilters: FILTER_LIMIT });
  readonly #bindings = new Map<number, Binding>();
  readonly handlers: Handlers;
  #made = 0;

  constructor(memory: KernelMemory, frames: Frames, capabilities: Capabilities) {
    this.#memory = memory;
    this.#capabilities = capabilities;
    this.handlers = new Handlers(memory, frames);
    memory.setKernelPage(KP.demuxActivation, KSEG0 + PHYSICAL.demuxActivation);
    memory.set(PHYSICAL.copiesActivation + FOUND.base, KSEG0 + PHYSICAL.copies);
    memory.set(PHYSICAL.copiesActivation + FOUND.length, 4 * FILTER_LIMIT);
    capabilities.guard('filter', (id) =>
      this.#bindings.has(id) ? memory.get(filterPhysical(id) + FILTER.generation) : undefined,
    );
    for (let id = 0; id < FILTER_LIMIT; id += 1) memory.set(filterPhysical(id) + FILTER.owner, NO_ENV);
  }

  /** Instructions that were made since power-on: what compiling is charged by. */
  get made(): number {
    return this.#made + this.handlers.made;
  }

  /** Binds a filter of `env`. Returns its number or an error. */
  bind(env: number, { bytes, ring, policy }: FilterRequest): number {
    const name = policyName(policy);
    if (name === undefined) return ERRORS.E_RANGE;
    const id = this.#insert(bytes, name);
    if (id < 0) return id;
    this.#bindings.set(id, { env, bytes, policy: name });
    if (!this.#compile() || !this.#storeBytes()) {
      this.#remove(id);
      return ERRORS.E_NONE;
    }
    const at = filterPhysical(id);
    const generation = this.#memory.get(at + FILTER.generation) + 1;
    for (const [field, value] of [
      [FILTER.owner, env],
      [FILTER.env, envAddress(env)],
      [FILTER.ring, KSEG0 + ringPhysical(ring)],
      [FILTER.id, id],
      [FILTER.policy, policy],
      [FILTER.accepted, 0],
      [FILTER.consumed, 0],
      [FILTER.aborted, 0],
      [FILTER.generation, generation],
      [FILTER.handler, 0],
    ] as const) {
      this.#memory.set(at + field, value);
    }
    this.#countOverlaps();
    return id;
  }

  /** The capability of a filter: to free it and to attach a handler (control). */
  capability(id: number): CapabilityWords {
    return this.#capabilities.make('filter', RIGHTS.control, id);
  }

  /** The filter that a capability names, if it grants these rights; else E_CAP. */
  check(words: CapabilityWords, rights: number): number {
    return this.#capabilities.check(words, 'filter', rights);
  }

  free(id: number): void {
    const at = filterPhysical(id);
    // Should the rest not compile, the old code stays, and what it still accepts for this filter goes nowhere.
    this.#memory.set(at + FILTER.ring, 0);
    this.#memory.set(at + FILTER.owner, NO_ENV);
    this.#memory.set(at + FILTER.length, 0);
    this.handlers.remove(at);
    this.#remove(id);
    this.#countOverlaps();
  }

  /** Who bound a filter that exists. */
  owner(id: number): number {
    return this.#memory.get(filterPhysical(id) + FILTER.owner);
  }

  /** Makes a frame the window of a filter's handler, or its next page. Returns how many it has, or an error. */
  window(id: number, ppn: number, append: boolean): number {
    return this.handlers.window(filterPhysical(id), ppn, append);
  }

  /** Attaches the handler in `bytes`. Returns an error code: E_RANGE for a filter that gets copies, which only reads along. */
  attach(id: number, bytes: Uint8Array): number {
    if (this.#bindings.get(id)?.policy === 'all') return ERRORS.E_RANGE;
    return this.handlers.attach(filterPhysical(id), bytes);
  }

  /** A ring is gone: filters that delivered to it deliver nowhere. */
  ringFreed(ring: number): void {
    for (const id of this.#bindings.keys()) {
      const at = filterPhysical(id) + FILTER.ring;
      if (this.#memory.get(at) === KSEG0 + ringPhysical(ring)) this.#memory.set(at, 0);
    }
  }

  /** Frees every filter of an environment. */
  release(env: number): void {
    for (const id of this.#ofEnv(env)) this.free(id);
  }

  /** Takes a frame away from the windows of an environment's filters, or (undefined) of all. */
  releaseFrame(env: number | undefined, ppn: number): void {
    for (const id of this.#ofEnv(env)) this.handlers.releaseFrame(filterPhysical(id), ppn);
  }

  #ofEnv(env: number | undefined): number[] {
    return [...this.#bindings].filter(([, binding]) => env === undefined || binding.env === env).map(([id]) => id);
  }

  #insert(bytes: Uint8Array, policy: OverlapPolicy): number {
    try {
      return this.#set.insert(decodeFilter(bytes), policy);
    } catch (error) {
      if (!(error instanceof DpfError)) throw error;
      return error.code === 'overlap' ? ERRORS.E_OVERLAP : error.code === 'limit' ? ERRORS.E_NONE : ERRORS.E_CODE;
    }
  }

  #remove(id: number): void {
    this.#set.delete(id);
    this.#bindings.delete(id);
    this.#compile();
    this.#storeBytes();
  }

  /** Compiles both tries anew. Returns whether they fit; otherwise what was there stays. */
  #compile(): boolean {
    // Packets lie at word boundaries in the controller's buffers.
    const align = { align: 4 } as const;
    const copies = this.#set.copyCount > 0;
    try {
      const winner = this.#set.size === this.#set.copyCount ? [] : make(this.#set.program(align), PHYSICAL.demux);
      const second = copies ? make(this.#set.copiesProgram(align), PHYSICAL.demux + 4 * winner.length) : [];
      if (4 * (winner.length + second.length) > PHYSICAL.demuxActivation - PHYSICAL.demux) return false;
      this.#memory.setKernelPage(KP.demux, winner.length === 0 ? 0 : KSEG0 + PHYSICAL.demux);
      this.#memory.setKernelPage(KP.copies, copies ? KSEG0 + PHYSICAL.demux + 4 * winner.length : 0);
      this.#memory.port.installCode(PHYSICAL.demux, [...winner, ...second]);
      this.#made += winner.length + second.length;
      return true;
    } catch (error) {
      if (error instanceof VcodeError) return false;
      throw error;
    }
  }

  /** Lays the bytes of all filters out for everyone to read. Returns whether they fit. */
  #storeBytes(): boolean {
    let at = PHYSICAL.filterCode;
    const end = at + FILTER_CODE_BYTES;
    for (const [id, { bytes }] of this.#bindings) {
      if (at + bytes.length > end) return false;
      this.#memory.port.write(at, bytes);
      this.#memory.set(filterPhysical(id) + FILTER.code, at);
      this.#memory.set(filterPhysical(id) + FILTER.length, bytes.length);
      at += (bytes.length + 3) & ~3;
    }
    return true;
  }

  #countOverlaps(): void {
    for (const [id, { env }] of this.#bindings) {
      const others = this.#set.overlapping(id).filter((other) => this.#bindings.get(other)?.env !== env);
      this.#memory.set(filterPhysical(id) + FILTER.overlaps, others.length);
    }
  }
}

function policyName(policy: number): OverlapPolicy | undefined {
  return (Object.keys(POLICIES) as OverlapPolicy[]).find((name) => POLICIES[name] === policy);
}

/** The MIPS code of a program. Throws `VcodeError` if it does not fit. */
function make(program: Program, physical: number): number[] {
  const code = compileMips(program, KSEG0 + physical);
  if (code.activationBytes > ACTIVATION_ROOM) throw new VcodeError('limit', 'the filters need too many words');
  return [...code.words];
}

/** Physical address of a filter's record. */
function filterPhysical(id: number): number {
  return PHYSICAL.filters + (id << FILTER_SHIFT);
}
