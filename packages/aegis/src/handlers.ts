/**
 * Message handlers: downloaded, checked and compiled to kernel text of their own when they are attached to a filter. [ASH96]
 *
 * A handler's only memory is its window: pinned frames of whoever attached it, one to WINDOW_FRAMES_MAX that follow each other
 * physically, so that one test of bounds guards them. What it does to its window stands also when it is stopped; undoing
 * that is the handler's own business [ASH96].
 */
import { ERRORS, FILTER, PACKET_BYTES_MAX, PAGE_BYTES, WINDOW_FRAMES_MAX } from '@exokernel/abi';
import { AshError, checkHandler, decodeHandler } from '@exokernel/ash';
import { VcodeError, compileMips, type MipsProgram } from '@exokernel/vcode';
import type { Frames } from './frames.ts';
import { HANDLER, HANDLER_LIMIT, KSEG0, PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** Fuel of one run of a handler, in instructions. Assumption: ten times what copying the longest packet takes. */
const HANDLER_FUEL = 20_000;

/** Words of the region of downloaded code, in an activation record: base and length of each region. */
const REGION = { window: 16, reply: 24 } as const;

/** What a filter has for its handler. */
interface Attached {
  /** Frames of the window, pinned. */
  readonly window: number[];
  /** Where the handler stands; undefined: there is none. */
  place: number | undefined;
}

export class Handlers {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  /** By the physical address of the filter's record. */
  readonly #attached = new Map<number, Attached>();
  readonly #places: boolean[] = Array.from({ length: HANDLER_LIMIT }, () => false);
  /** Instructions that were made since power-on: what compiling is charged by. */
  made = 0;

  constructor(memory: KernelMemory, frames: Frames) {
    this.#memory = memory;
    this.#frames = frames;
  }

  /** The frames that windows pin. */
  get windows(): readonly number[] {
    return [...this.#attached.values()].flatMap(({ window }) => window);
  }

  /** Makes a frame the window of a filter, or its next page. Returns how many frames it has, or E_RANGE. */
  window(filter: number, ppn: number, append: boolean): number {
    const attached = this.#of(filter);
    const { window } = attached;
    const last = window.at(-1);
    if (append && (last === undefined || ppn !== last + 1 || window.length === WINDOW_FRAMES_MAX))
      return ERRORS.E_RANGE;
    // Pinned before the old window is let go, which may be the same frame and have nobody else.
    this.#frames.pin(ppn);
    const old = append ? [] : window.splice(0);
    window.push(ppn);
    this.#showWindow(attached);
    for (const gone of old) this.#frames.unpin(gone);
    return window.length;
  }

  /** Attaches the handler in `bytes` to the filter whose record is at `filter`. Returns an error code. */
  attach(filter: number, bytes: Uint8Array): number {
    const place = this.#places.indexOf(false);
    if (place === -1) return ERRORS.E_NONE;
    const attached = this.#of(filter);
    const base = PHYSICAL.handlers + place * HANDLER.bytes;
    const code = compileHandler(bytes, KSEG0 + base + HANDLER.code, attached.window.length * PAGE_BYTES);
    if (code === undefined) return ERRORS.E_CODE;
    this.#detach(filter, attached);
    this.#places[place] = true;
    attached.place = place;
    this.#memory.port.installCode(base + HANDLER.code, code.words);
    this.made += code.words.length;
    // The last tenant's replies are not for this one.
    this.#memory.port.zero(base + HANDLER.reply, HANDLER.bytes - HANDLER.reply);
    const activation = base + HANDLER.activation;
    this.#memory.set(activation + REGION.reply, KSEG0 + base + HANDLER.reply);
    this.#memory.set(activation + REGION.reply + 4, PACKET_BYTES_MAX);
    this.#showWindow(attached);
    this.#memory.set(filter + FILTER.activation, KSEG0 + activation);
    this.#memory.set(filter + FILTER.reply, KSEG0 + base + HANDLER.reply);
    this.#memory.set(filter + FILTER.fuel, HANDLER_FUEL);
    this.#memory.set(filter + FILTER.handler, KSEG0 + base + HANDLER.code);
    return ERRORS.E_OK;
  }

  /** Removes handler and window of a filter. */
  remove(filter: number): void {
    const attached = this.#attached.get(filter);
    if (attached === undefined) return;
    this.#detach(filter, attached);
    this.#attached.delete(filter);
    for (const ppn of attached.window) this.#frames.unpin(ppn);
  }

  /** Takes a frame away from the window of a filter: with it goes the handler, and the whole window. */
  releaseFrame(filter: number, ppn: number): void {
    if (this.#attached.get(filter)?.window.includes(ppn) === true) this.remove(filter);
  }

  #of(filter: number): Attached {
    let attached = this.#attached.get(filter);
    if (attached === undefined) this.#attached.set(filter, (attached = { window: [], place: undefined }));
    return attached;
  }

  #detach(filter: number, attached: Attached): void {
    if (attached.place === undefined) return;
    this.#memory.set(filter + FILTER.handler, 0);
    this.#places[attached.place] = false;
    attached.place = undefined;
  }

  /** Tells the handler, if there is one, where its window is. */
  #showWindow({ window, place }: Attached): void {
    if (place === undefined) return;
    const at = PHYSICAL.handlers + place * HANDLER.bytes + HANDLER.activation + REGION.window;
    this.#memory.set(at, KSEG0 + (window[0] ?? 0) * PAGE_BYTES);
    this.#memory.set(at + 4, window.length * PAGE_BYTES);
  }
}

/** The handler's MIPS code for `origin`, or `undefined` if the bytes are no handler that keeps within its bounds. */
function compileHandler(bytes: Uint8Array, origin: number, window: number): MipsProgram | undefined {
  try {
    const { program, windowBytes } = decodeHandler(bytes);
    if (windowBytes > window) return undefined;
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
