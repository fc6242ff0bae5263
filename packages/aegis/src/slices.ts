/**
 * The slice vector: who owns which position. [SOSP95 §5.1.1]
 *
 * A position is both an order and a deadline: an environment chooses positions that suit it, contiguous ones to run long,
 * spread ones to answer soon. The machine code of the switch reads the vector; here it is only written. An environment
 * may own slices before it is started: until then nobody runs in them.
 */
import { ENV, ENV_STATUS, ERRORS, NO_ENV, SLICE, SLICE_BYTES, SLICE_LIMIT } from '@exokernel/abi';
import { KP, KSEG0, PHYSICAL } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';

export class Slices {
  readonly #memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    for (let p = 0; p < SLICE_LIMIT; p += 1) memory.setSlice(p, NO_ENV, 0);
  }

  /** Gives `env` the slice at `position`, or the first free one (−1). Returns the position or an error. */
  allocate(env: number, position: number): number {
    const p = position === -1 ? this.#run(1) : position;
    if (p === ERRORS.E_NONE && position === -1) return p;
    if (p < 0 || p >= SLICE_LIMIT) return ERRORS.E_RANGE;
    if (this.#memory.slice(p, SLICE.owner) !== NO_ENV) return ERRORS.E_BUSY;
    this.#memory.setSlice(p, env, this.#runner(env));
    this.#measure();
    return p;
  }

  /** The first of `count` contiguous slices given to `env` (0 if it wants none), or E_NONE. */
  allocateRun(env: number, count: number): number {
    if (count === 0) return 0;
    const first = this.#run(count);
    for (let i = 0; first >= 0 && i < count; i += 1) this.allocate(env, first + i);
    return first;
  }

  free(env: number, position: number): number {
    if (position < 0 || position >= SLICE_LIMIT) return ERRORS.E_RANGE;
    if (this.#memory.slice(position, SLICE.owner) !== env) return ERRORS.E_CAP;
    this.#empty(position);
    this.#measure();
    return ERRORS.E_OK;
  }

  /** An environment is started: it runs in the slices that it owns. */
  start(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const idle = this.#memory.slice(p, SLICE.owner) === env && this.#memory.slice(p, SLICE.running) === 0;
      if (idle) this.#memory.setSlice(p, env, this.#runner(env));
    }
  }

  /** An environment ends: its slices are free, and those donated to it go back to their owners. */
  release(env: number): void {
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      const owner = this.#memory.slice(p, SLICE.owner);
      if (owner === env) this.#empty(p);
      else if (this.#memory.slice(p, SLICE.running) === envAddress(env)) {
        this.#memory.setSlice(p, owner, this.#runner(owner));
      }
    }
    this.#measure();
  }

  /** Whoever runs in a slice that is freed runs on to its end, but has nothing to donate any more. */
  #empty(position: number): void {
    this.#memory.setSlice(position, NO_ENV, 0);
    const here = KSEG0 + PHYSICAL.slices + position * SLICE_BYTES;
    if (this.#memory.kernelPage(KP.slice) === here) {
      this.#memory.setKernelPage(KP.slice, this.#memory.kernelPage(KP.noSlice));
    }
  }

  #runner(env: number): number {
    return this.#memory.env(env, ENV.status) === ENV_STATUS.runnable ? envAddress(env) : 0;
  }

  #run(count: number): number {
    let length = 0;
    for (let p = 0; p < SLICE_LIMIT; p += 1) {
      length = this.#memory.slice(p, SLICE.owner) === NO_ENV ? length + 1 : 0;
      if (length === count) return p - count + 1;
    }
    return ERRORS.E_NONE;
  }

  /** The vector ends after the last position that is taken. */
  #measure(): void {
    let end = 0;
    for (let p = 0; p < SLICE_LIMIT; p += 1) if (this.#memory.slice(p, SLICE.owner) !== NO_ENV) end = p + 1;
    this.#memory.setKernelPage(KP.vectorBytes, end * SLICE_BYTES);
  }
}
