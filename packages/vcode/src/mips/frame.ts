/**
 * The frame of a compiled program: which values live in registers, and where the others are in the activation record.
 *
 *     +0   fuel        in and out, below 2^31
 *     +4   status      out
 *     +8   base, length of region 0, then of region 1, …
 *          parameters, one word each
 *          locals that got no register, then intermediate results: the program's own, of no meaning to the caller
 *
 * The most used values get registers, uses inside loops counting more; values whose lives do not overlap may share one.
 * There is no stack.
 */
import { A0, A1, A2, A3, AT, T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, V0, V1, type Register } from '@exokernel/isa';
import type { Program } from '../program/ir.ts';
import type { LoweredProgram } from '../lower/lowered.ts';
import { findUses, type Use, type Value } from './uses.ts';

/** The register that holds the address of the activation record throughout. */
export const RECORD: Register = A0;

/** Offsets in an activation record: fuel and status; base and length of region 0, of which each other one follows. */
export const ACTIVATION = { fuel: 0, status: 4, base: 8, length: 12 } as const;
const REGION_BYTES = 8;

/** Offset in an activation record of the base of a region; its length is in the word behind it. */
export function activationRegion(region: number): number {
  return ACTIVATION.base + REGION_BYTES * region;
}

const FOR_VALUES: readonly Register[] = [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, A2, A3];
const FOR_TEMPORARIES: readonly Register[] = [AT, V1, A1, V0];

/** Where everything is. */
export class Frame {
  readonly #registers = new Map<Value, Register>();
  readonly #spilled = new Map<number, number>();
  readonly #parameters: number;
  readonly #parametersOffset: number;
  readonly #used: ReadonlySet<Value>;
  /** Registers for intermediate results: at least four. */
  readonly temporaries: readonly Register[];
  /** Where intermediate results go when the registers are used up. */
  readonly scratchOffset: number;

  constructor(program: Program, lowered: LoweredProgram) {
    this.#parameters = program.parameters.length;
    this.#parametersOffset = activationRegion(program.regions.length);
    const uses = findUses(program, lowered);
    this.#used = new Set(uses.keys());
    this.#assign(uses);
    let offset = this.#parametersOffset + 4 * this.#parameters;
    for (let local = this.#parameters; local < this.#parameters + program.locals.length; local += 1) {
      if (!this.#used.has(`local${local}`) || this.#registers.has(`local${local}`)) continue;
      this.#spilled.set(local, offset);
      offset += 4;
    }
    this.scratchOffset = offset;
    const taken = new Set(this.#registers.values());
    this.temporaries = [...FOR_TEMPORARIES, ...FOR_VALUES.filter((one) => !taken.has(one))];
  }

  /** Gives registers to the values with the most uses; values that are never live together may share one. */
  #assign(uses: ReadonlyMap<Value, Use>): void {
    const ranges = new Map<Register, Use[]>(FOR_VALUES.map((one) => [one, []]));
    for (const [value, use] of [...uses].sort(([, a], [, b]) => b.weight - a.weight)) {
      for (const [one, others] of ranges) {
        if (others.some((other) => use.from <= other.to && other.from <= use.to)) continue;
        others.push(use);
        this.#registers.set(value, one);
        break;
      }
    }
  }

  /** The fuel's register; it has one exactly if the program has loops. */
  get fuel(): Register | undefined {
    return this.#registers.get('fuel');
  }

  base(region: number): Register | undefined {
    return this.#registers.get(`base${region}`);
  }

  length(region: number): Register | undefined {
    return this.#registers.get(`length${region}`);
  }

  local(local: number): Register | undefined {
    return this.#registers.get(`local${local}`);
  }

  /** Whether the program reads or writes this local at all. */
  isUsed(local: number): boolean {
    return this.#used.has(`local${local}`);
  }

  baseOffset(region: number): number {
    return activationRegion(region);
  }

  lengthOffset(region: number): number {
    return activationRegion(region) + 4;
  }

  /** Where a local without register is; a parameter stays where the caller put it. */
  localOffset(local: number): number {
    if (local < this.#parameters) return this.#parametersOffset + 4 * local;
    return this.#spilled.get(local) ?? 0;
  }
}
