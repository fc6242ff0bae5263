/**
 * What deadlines of revocation have taken beyond a stretch, by the family that pays for it: a piece a tick. [docs/mechanisms/revocation.md]
 *
 * One family's rest keeps no other from what it is guaranteed: what families lack is looked for meanwhile (Revocation.due). A family of which none
 * runs in a slice of its own never pays. Its rest takes a part in 512 of the time, a piece in eight ticks, after those of families that do.
 */
import { ENV, ENV_LIMIT, NO_ENV } from '@exokernel/abi';
import { PIECE } from './costs.ts';
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { familyAsPayer, type Slices } from './slices.ts';
import { TABLES } from './tables.ts';

/** Ticks from piece to piece of what none pays: to look for it takes time, too. A power of two. */
const SELDOM = 8;
/** log2 of the part of the time that it takes. */
const PART = 9;

export class Rests {
  readonly #memory: KernelMemory;
  readonly #slices: Slices;
  readonly #rests: Records;

  constructor(memory: KernelMemory, slices: Slices) {
    this.#memory = memory;
    this.#slices = slices;
    this.#rests = new Records(memory, TABLES.familyRests);
  }

  /** The tick after `now` at which a piece is to be paid, or 0: there is none. */
  next(now: number): number {
    if (this.#memory.kernelPage(KP.revokeRest) === 0) return 0;
    return this.#owing().some((family) => this.#slices.pays(family)) ? now + 1 : (now | (SELDOM - 1)) + 1;
  }

  #owing(): number[] {
    return this.#rests.filter((one) => this.#rests.get(one, 0) !== 0);
  }

  /** So many cycles are to be paid by a payer (`familyAsPayer`; NO_ENV: the family of the environment that runs). */
  add(payer: number, cycles: number): void {
    const family = payer === NO_ENV ? this.#memory.env(this.#memory.current, ENV.family) : payer - ENV_LIMIT;
    this.#rests.set(family, 0, this.#rests.get(family, 0) + cycles);
    this.#memory.setKernelPage(KP.revokeRest, this.#memory.kernelPage(KP.revokeRest) + cycles);
  }

  /** One piece of one of them takes its time now. Returns who pays for it, or undefined: there is none for this tick. */
  pay(now: number): number | undefined {
    if (this.#memory.kernelPage(KP.revokeRest) === 0) return undefined;
    const owing = this.#owing();
    const payer = owing.find((one) => this.#slices.pays(one));
    if (payer === undefined && now % SELDOM !== 0) return undefined;
    const family = payer ?? owing[0] ?? 0;
    const most = payer === undefined ? (SELDOM * this.#memory.kernelPage(KP.quantum)) >>> PART : PIECE;
    const piece = Math.min(this.#rests.get(family, 0), most);
    this.#rests.set(family, 0, this.#rests.get(family, 0) - piece);
    this.#memory.setKernelPage(KP.revokeRest, this.#memory.kernelPage(KP.revokeRest) - piece);
    this.#memory.charge(piece, 1);
    return familyAsPayer(family);
  }
}
