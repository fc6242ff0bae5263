/**
 * Packet filters and handlers: downloaded, checked, merged and compiled when they are bound. [SOSP95 §5.5], [DPF96], [ASH96]
 *
 * Filters of all environments form one DPF trie, compiled to kernel text; a handler is compiled to kernel text of its own with its
 * owner's pinned frame as its only memory. What runs at arrival is machine code (text/receive.ts). The filters
 * themselves are believed: one that claims another's packets is not found out here, but identical ones are refused.
 */
import { ERRORS, PACKET_BYTES_MAX, PAGE_BYTES } from '@exokernel/abi';
import { AshError, checkHandler, decodeHandler } from '@exokernel/ash';
import { DpfError, FilterSet, decodeFilter } from '@exokernel/dpf';
import { VcodeError, compileMips, type MipsProgram } from '@exokernel/vcode';
import type { Frames } from './frames.ts';
import { FILTER, FILTER_LIMIT, FILTER_SHIFT, HANDLER, HANDLER_LIMIT, KP, KSEG0, PHYSICAL } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';
import { ringPhysical } from './rings.ts';

/** Fuel of one run of a handler, in instructions. Assumption: ten times what copying the longest packet takes. */
const HANDLER_FUEL = 20_000;

/** Words of the region of downloaded code, in an activation record: base and length of each region. */
const REGION = { window: 16, reply: 24 } as const;

interface Binding {
  readonly env: number;
  /** Place of its handler, and the frame that the handler may use; or undefined. */
  handler: { readonly place: number; readonly window: number } | undefined;
}

export class Filters {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #set = new FilterSet({ maxFilters: FILTER_LIMIT });
  readonly #bindings = new Map<number, Binding>();
  readonly #places: boolean[] = Array.from({ length: HANDLER_LIMIT }, () => false);
  /** Instructions that were made since power-on: what compiling is charged by. */
  made = 0;

  constructor(memory: KernelMemory, frames: Frames) {
    this.#memory = memory;
    this.#frames = frames;
    memory.setKernelPage(KP.demuxActivation, KSEG0 + PHYSICAL.demuxActivation);
  }

  /** Binds the filter in `bytes` to a receive ring of `env`. Returns its number or an error. */
  bind(env: number, bytes: Uint8Array, ring: number): number {
    const id = this.#insert(bytes);
    if (id < 0) return id;
    if (!this.#compile()) {
      this.#set.delete(id);
      this.#compile();
      return ERRORS.E_NONE;
    }
    this.#bindings.set(id, { env, handler: undefined });
    const at = filterPhysical(id);
    for (let i = 0; i < 1 << FILTER_SHIFT; i += 4) this.#memory.set(at + i, 0);
    this.#memory.set(at + FILTER.env, envAddress(env));
    this.#memory.set(at + FILTER.ring, KSEG0 + ringPhysical(ring));
    this.#memory.set(at + FILTER.id, id);
    return id;
  }

  free(env: number, id: number): number {
    const binding = this.#bindings.get(id);
    if (binding?.env !== env) return ERRORS.E_CAP;
    this.#set.delete(id);
    this.#bindings.delete(id);
    // Should the rest not compile, the old code stays, and what it still accepts for this filter goes nowhere.
    this.#memory.set(filterPhysical(id) + FILTER.ring, 0);
    this.#compile();
    this.#detach(id, binding);
    return ERRORS.E_OK;
  }

  /** Attaches the handler in `bytes` to a filter of `env`, with the frame `window` as its memory. Returns an error code. */
  attach(env: number, id: number, bytes: Uint8Array, window: number): number {
    const binding = this.#bindings.get(id);
    if (binding?.env !== env) return ERRORS.E_CAP;
    const place = this.#places.indexOf(false);
    if (place === -1) return ERRORS.E_NONE;
    const base = PHYSICAL.handlers + place * HANDLER.bytes;
    const code = compileHandler(bytes, KSEG0 + base + HANDLER.code);
    if (code === undefined) return ERRORS.E_CODE;
    // Pinned before the old handler lets go of its window, which may be the same frame and have nobody else.
    this.#frames.pin(window);
    this.#detach(id, binding);
    this.#places[place] = true;
    binding.handler = { place, window };
    this.#store(base + HANDLER.code, code.words);
    const activation = base + HANDLER.activation;
    // The last tenant's replies are not for this one.
    this.#memory.ram.bytes.fill(0, base + HANDLER.reply, base + HANDLER.bytes);
    this.#memory.set(activation + REGION.window, KSEG0 + window * PAGE_BYTES);
    this.#memory.set(activation + REGION.window + 4, PAGE_BYTES);
    this.#memory.set(activation + REGION.reply, KSEG0 + base + HANDLER.reply);
    this.#memory.set(activation + REGION.reply + 4, PACKET_BYTES_MAX);
    const at = filterPhysical(id);
    this.#memory.set(at + FILTER.activation, KSEG0 + activation);
    this.#memory.set(at + FILTER.reply, KSEG0 + base + HANDLER.reply);
    this.#memory.set(at + FILTER.fuel, HANDLER_FUEL);
    this.#memory.set(at + FILTER.handler, KSEG0 + base + HANDLER.code);
    return ERRORS.E_OK;
  }

  /** A ring is gone: filters that delivered to it deliver nowhere. */
  ringFreed(ring: number): void {
    for (const id of this.#bindings.keys()) {
      const at = filterPhysical(id) + FILTER.ring;
      if (this.#memory.get(at) === KSEG0 + ringPhysical(ring)) this.#memory.set(at, 0);
    }
  }

  release(env: number): void {
    for (const [id, binding] of this.#bindings) if (binding.env === env) this.free(env, id);
  }

  #insert(bytes: Uint8Array): number {
    try {
      return this.#set.insert(decodeFilter(bytes));
    } catch (error) {
      if (!(error instanceof DpfError)) throw error;
      return error.code === 'overlap' ? ERRORS.E_OVERLAP : error.code === 'limit' ? ERRORS.E_NONE : ERRORS.E_CODE;
    }
  }

  /** Compiles the trie anew. Returns whether it fits. */
  #compile(): boolean {
    if (this.#set.size === 0) {
      this.#memory.setKernelPage(KP.demux, 0);
      return true;
    }
    const space = PHYSICAL.demuxActivation - PHYSICAL.demux;
    const room = PHYSICAL.handlers - PHYSICAL.demuxActivation;
    try {
      // Packets lie at word boundaries in the controller's buffers.
      const code = compileMips(this.#set.program({ align: 4 }), KSEG0 + PHYSICAL.demux);
      if (4 * code.words.length > space || code.activationBytes > room) return false;
      this.#store(PHYSICAL.demux, code.words);
      this.#memory.setKernelPage(KP.demux, KSEG0 + PHYSICAL.demux);
      return true;
    } catch (error) {
      if (error instanceof VcodeError) return false;
      throw error;
    }
  }

  #detach(id: number, binding: Binding): void {
    const { handler } = binding;
    if (handler === undefined) return;
    binding.handler = undefined;
    this.#memory.set(filterPhysical(id) + FILTER.handler, 0);
    this.#places[handler.place] = false;
    this.#frames.unpin(handler.window);
  }

  #store(physical: number, words: Uint32Array): void {
    this.made += words.length;
    words.forEach((word, i) => {
      this.#memory.set(physical + 4 * i, word);
    });
  }
}

/** The handler's MIPS code for `origin`, or `undefined` if the bytes are no handler that keeps within its bounds. */
function compileHandler(bytes: Uint8Array, origin: number): MipsProgram | undefined {
  try {
    const { program, windowBytes } = decodeHandler(bytes);
    if (windowBytes > PAGE_BYTES) return undefined;
    checkHandler(program, {
      fuel: HANDLER_FUEL,
      words: HANDLER.activation / 4,
      activationBytes: HANDLER.reply - HANDLER.activation,
    });
    return compileMips(program, origin);
  } catch (error) {
    if (error instanceof AshError || error instanceof VcodeError) return undefined;
    throw error;
  }
}

/** Physical address of a filter's record. */
function filterPhysical(id: number): number {
  return PHYSICAL.filters + (id << FILTER_SHIFT);
}
