/**
 * What deadlines of revocation have taken beyond a stretch, by the family that pays for it: a piece a tick. [docs/mechanisms/revocation.md]
 *
 * One family's rest keeps no other from what it is guaranteed: what families lack is looked for meanwhile (Revocation.due). A family of which none
 * runs in a slice of its own never pays. Its rest takes a part in 256 of every other tick, after those of families that do.
 */
import { ENV, ENV_LIMIT, NO_ENV } from '@exokernel/abi';
import { PIECE } from './costs.ts';
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { familyAsPayer, type Slices } from './slices.ts';
import { TABLES } from './tables.ts';

export class Rests {
  readonly #memory: KernelMemory;
  readonly #slices: Slices;
  readonly #rests: Records;

  constructor(memory: KernelMemory, slices: Slices) {
    this.#memory = memory;
    this.#slices = slices;
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

  /** One piece of one of them takes its time now. Returns who pays for it, or undefined: there is none for this tick. */
  pay(): number | undefined {
    if (!this.some) return undefined;
    const owing = this.#rests.filter((one) => this.#rests.get(one, 0) !== 0);
    const family = owing.find((one) => this.#slices.pays(one)) ?? owing[0] ?? 0;
    const pays = this.#slices.pays(family);
    if (!pays && (this.#memory.kernelPage(KP.tick) & 1) === 1) return undefined;
    const most = pays ? PIECE : this.#memory.kernelPage(KP.quantum) >>> 8;
    const piece = Math.min(this.#rests.get(family, 0), most);
    this.#rests.set(family, 0, this.#rests.get(family, 0) - piece);
    this.#memory.setKernelPage(KP.revokeRest, this.#memory.kernelPage(KP.revokeRest) - piece);
    this.#memory.charge(piece, 1);
    return familyAsPayer(family);
  }
}
