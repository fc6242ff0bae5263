/**
 * Message rings: an environment gives a frame, and messages of eight words that others send land in its slots. [XOK]
 *
 * Binding is here; a message is an access (text/message.ts). Anyone may send; the kernel stamps the sender, and what to make
 * of a message is the receiver's. A full ring refuses: nothing is overwritten.
 */
import { ENV, ENV_LIMIT, ERRORS, PAGE_BYTES } from '@exokernel/abi';
import type { Frames } from './frames.ts';
import { KSEG0 } from './layout.ts';
import type { KernelMemory } from './memory.ts';

export class Messages {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;

  constructor(memory: KernelMemory, frames: Frames) {
    this.#memory = memory;
    this.#frames = frames;
  }

  /** Makes a frame, which `env` may write, its message ring; the slots are used from the first. Returns an error code. */
  bind(env: number, ppn: number): number {
    if (this.#memory.env(env, ENV.messageRing) !== 0) return ERRORS.E_BUSY;
    this.#frames.pin(ppn);
    this.#memory.setEnv(env, ENV.messageNext, 0);
    this.#memory.setEnv(env, ENV.messageRing, KSEG0 + ppn * PAGE_BYTES);
    return ERRORS.E_OK;
  }

  /** Unbinds the ring of `env`. Returns E_NONE if it has none. */
  free(env: number): number {
    const ring = this.#memory.env(env, ENV.messageRing);
    if (ring === 0) return ERRORS.E_NONE;
    this.#memory.setEnv(env, ENV.messageRing, 0);
    this.#frames.unpin((ring - KSEG0) / PAGE_BYTES);
    return ERRORS.E_OK;
  }

  /** An environment, or every one (undefined), loses its binding to a frame. */
  releaseFrame(env: number | undefined, ppn: number): void {
    for (let id = env ?? 0; id < (env === undefined ? ENV_LIMIT : env + 1); id += 1) {
      if (this.#memory.env(id, ENV.messageRing) === KSEG0 + ppn * PAGE_BYTES) this.free(id);
    }
  }

  release(env: number): void {
    this.free(env);
  }
}
