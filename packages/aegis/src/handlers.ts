/**
 * Message handlers: downloaded, checked and compiled to kernel text of their own when they are attached to a filter. [ASH96]
 *
 * A handler's only memory is its window: pinned frames of the environment that attached it, one to WINDOW_FRAMES_MAX that follow each other
 * physically, so that one test of bounds guards them. What it does to its window stands also when it is stopped; undoing
 * that is the handler's own business [ASH96].
 */
import {
  ERRORS,
  FILTER,
  FILTER_BYTES,
  FILTER_LIMIT,
  PACKET_BYTES_MAX,
  PAGE_BYTES,
  WINDOW_FRAMES_MAX,
} from '@exokernel/abi';
import { AshError, REPLY, WINDOW, checkHandler, decodeHandler } from '@exokernel/ash';
import { VcodeError, activationRegion, compileMips, type MipsProgram } from '@exokernel/vcode';
import { COSTS } from './costs.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { HANDLER, HANDLER_LIMIT, KSEG0, PHYSICAL } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { boundedFuel } from './stalls.ts';
import { FILTER_STATE, TABLES } from './tables.ts';

/** What it costs at most to find a place for a handler and to clear it. */
const COST_OF_PLACE = 6000;

/** How many instructions so many bytes of a handler make at most. */
function wordsOf(bytes: number): number {
  return 1.5 * bytes + 30;
}

export class Handlers {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #families: Families;
  readonly #filters: Records;
  /** Window and place of the handler, by filter. The frames of windows are pinned. */
  readonly #state: Records;

  constructor(memory: KernelMemory, frames: Frames, families: Families) {
    this.#memory = memory;
    this.#frames = frames;
    this.#families = families;
    this.#filters = new Records(memory, PHYSICAL.filters, FILTER_BYTES, FILTER_LIMIT);
    this.#state = new Records(memory, TABLES.filterState);
  }

  /** The frames that windows pin. */
  get windows(): readonly number[] {
    return this.#state.filter(() => true).flatMap((filter) => this.#window(filter));
  }

  /**
   * Makes a frame the window of a filter, or its next page, by a capability of this node of the filter. Returns how many frames it
   * has; E_RANGE; E_CAP: the pages before came by another branch.
   */
  window(filter: number, ppn: number, append: boolean, node: number): number {
    const old = this.#window(filter);
    const last = old.at(-1);
    const before = append ? this.#state.get(filter, FILTER_STATE.windowNode) : 0;
    if (before !== 0 && node !== 0 && node !== before) return ERRORS.E_CAP;
    if (append && (last === undefined || ppn !== last + 1 || old.length === WINDOW_FRAMES_MAX)) return ERRORS.E_RANGE;
    // Pinned before the old window is let go: that may be the same frame, with no other pin.
    this.#frames.pin(ppn);
    if (append) this.#state.set(filter, FILTER_STATE.frames, old.length + 1);
    else this.#setWindow(filter, ppn, 1);
    this.#state.set(filter, FILTER_STATE.windowNode, before === 0 ? node : before);
    this.#showWindow(filter);
    if (append) return old.length + 1;
    for (const gone of old) this.#frames.unpin(gone);
    return 1;
  }

  /** Attaches the handler in `bytes` to a filter, by a capability of this node of it. Returns an error code. */
  attach(filter: number, bytes: Uint8Array, node: number): number {
    const taken = new Set(this.#state.filter(() => true).map((one) => this.#state.get(one, FILTER_STATE.place)));
    let place = 0;
    while (taken.has(place + 1)) place += 1;
    const isFirst = this.#state.get(filter, FILTER_STATE.place) === 0;
    const family = this.#families.of(this.#filters.get(filter, FILTER.owner));
    if (place >= HANDLER_LIMIT || (isFirst && !this.#families.may('handlers', family))) return ERRORS.E_NONE;
    const base = PHYSICAL.handlers + place * HANDLER.bytes;
    const compiled = compileHandler(bytes, KSEG0 + base + HANDLER.code, this.#window(filter).length * PAGE_BYTES);
    this.#memory.charge(compiled?.code.words.length ?? wordsOf(bytes.length), COSTS.compiledWord);
    if (compiled === undefined) return ERRORS.E_CODE;
    const { code, fuel } = compiled;
    if (isFirst) this.#families.take('handlers', family);
    this.#state.set(filter, FILTER_STATE.place, place + 1);
    this.#state.set(filter, FILTER_STATE.handlerNode, node);
    this.#memory.installCode(base + HANDLER.code, code.words);
    // The last tenant's replies are not for this one.
    this.#memory.zero(base + HANDLER.reply, HANDLER.bytes - HANDLER.reply);
    const activation = base + HANDLER.activation;
    this.#memory.set(activation + activationRegion(REPLY), KSEG0 + base + HANDLER.reply);
    this.#memory.set(activation + activationRegion(REPLY) + 4, PACKET_BYTES_MAX);
    this.#showWindow(filter);
    this.#filters.fill(filter, [
      [FILTER.activation, KSEG0 + activation],
      [FILTER.reply, KSEG0 + base + HANDLER.reply],
      [FILTER.fuel, fuel],
      [FILTER.handler, KSEG0 + base + HANDLER.code],
    ]);
    return ERRORS.E_OK;
  }

  /** What it costs at most to attach a handler of so many bytes. */
  costOfAttaching(bytes: number): number {
    return COST_OF_PLACE + wordsOf(bytes) * (COSTS.compiledWord + COSTS.copiedWord);
  }

  /** Removes handler and window of a filter. */
  remove(filter: number): void {
    const window = this.#window(filter);
    this.#detach(filter);
    this.#setWindow(filter, 0, 0);
    this.#state.set(filter, FILTER_STATE.windowNode, 0);
    for (const ppn of window) this.#frames.unpin(ppn);
  }

  /** Takes a frame away from the window of a filter: with it goes the handler, and the whole window. */
  releaseFrame(filter: number, ppn: number): void {
    if (this.#window(filter).includes(ppn)) this.remove(filter);
  }

  /** Capabilities of a filter end: what was made with them goes, the window with its handler. */
  revoke(filter: number, nodes: ReadonlySet<number>): void {
    if (nodes.has(this.#state.get(filter, FILTER_STATE.windowNode))) this.remove(filter);
    if (nodes.has(this.#state.get(filter, FILTER_STATE.handlerNode))) this.#detach(filter);
  }

  #detach(filter: number): void {
    if (this.#state.get(filter, FILTER_STATE.place) === 0) return;
    this.#families.give('handlers', this.#families.of(this.#filters.get(filter, FILTER.owner)));
    this.#filters.set(filter, FILTER.handler, 0);
    this.#state.set(filter, FILTER_STATE.place, 0);
    this.#state.set(filter, FILTER_STATE.handlerNode, 0);
  }

  #window(filter: number): number[] {
    const first = this.#state.get(filter, FILTER_STATE.first);
    const length = Math.min(this.#state.get(filter, FILTER_STATE.frames), WINDOW_FRAMES_MAX);
    return Array.from({ length }, (_, i) => first + i);
  }

  #setWindow(filter: number, first: number, frames: number): void {
    this.#state.set(filter, FILTER_STATE.first, first);
    this.#state.set(filter, FILTER_STATE.frames, frames);
  }

  /** Tells the handler, if there is one, where its window is. */
  #showWindow(filter: number): void {
    const place = this.#state.get(filter, FILTER_STATE.place) - 1;
    if (place < 0) return;
    const at = PHYSICAL.handlers + place * HANDLER.bytes + HANDLER.activation + activationRegion(WINDOW);
    this.#memory.set(at, KSEG0 + this.#state.get(filter, FILTER_STATE.first) * PAGE_BYTES);
    this.#memory.set(at + 4, this.#state.get(filter, FILTER_STATE.frames) * PAGE_BYTES);
  }
}

interface Compiled {
  readonly code: MipsProgram;
  /** Of one run, in instructions. */
  readonly fuel: number;
}

/** The handler's MIPS code for `origin`, or `undefined` if the bytes are no handler that keeps within its bounds. */
function compileHandler(bytes: Uint8Array, origin: number, window: number): Compiled | undefined {
  try {
    const { program, windowBytes } = decodeHandler(bytes);
    if (windowBytes > window) return undefined;
    const code = compileMips(program, origin);
    const fuel = boundedFuel(code);
    if (fuel === undefined) return undefined;
    checkHandler(program, {
      fuel,
      words: HANDLER.activation / 4,
      activationBytes: HANDLER.reply - HANDLER.activation,
    });
    return { code, fuel };
  } catch (error) {
    if (error instanceof AshError || error instanceof VcodeError) return undefined;
    throw error;
  }
}
