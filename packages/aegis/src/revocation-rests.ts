/**
 * What deadlines of revocation have taken beyond a stretch, by the family that pays for it: a piece a tick. [docs/mechanisms/revocation.md]
 *
 * One family's rest keeps no other from what it is guaranteed: what families lack is looked for meanwhile (Revocation.due).
 */
import { ENV, ENV_LIMIT, NO_ENV } from '@exokernel/abi';
import { PIECE } from './costs.ts';
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { familyAsPayer } from './slices.ts';
import { TABLES } from './tables.ts';

export class Rests {
  readonly #memory: KernelMemory;
  readonly #rests: Records;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.#rests = new Records(memory, TABLES.familyRests);
  }

  /** Whether there is any. */
  get some(): boolean {
    return this.#memory.kernelPage(KP.revokeRest) !== 0;
  }

  /** So many cycles are to be paid by a payer (`familyAsPayer`; NO_ENV: the family of the environment that runs). */
  add(payer: number, cycles: number): void {
    const family = payer === NO_ENV ? this.#memory.env(this.#memory.current, ENV.family) : payer - ENV_LIMIT;
    this.#rests.set(family, 0, this.#rests.get(family, 0) + cycles);
    this.#memory.setKernelPage(KP.revokeRest, this.#memory.kernelPage(KP.revokeRest) + cycles);
  }

  /** One piece of the first of them takes its time now. Returns who pays for it, or undefined: there is none. */
  pay(): number | undefined {
    if (!this.some) return undefined;
    const [family = 0] = this.#rests.filter((one) => this.#rests.get(one, 0) !== 0);
    const piece = Math.min(this.#rests.get(family, 0), PIECE);
    this.#rests.set(family, 0, this.#rests.get(family, 0) - piece);
    this.#memory.setKernelPage(KP.revokeRest, this.#memory.kernelPage(KP.revokeRest) - piece);
    this.#memory.charge(piece, 1);
    return familyAsPayer(family);
  }
}
