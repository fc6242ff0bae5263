/**
 * The frame of a compiled program: which values live in registers, and where the others are in the activation record.
 *
 *     +0   fuel        in and out, below 2^31
 *     +4   status      out
 *     +8   base, length of region 0, then of region 1, …
 *          parameters, one word each
 *          locals that got no register, then intermediate results: the program's own, of no meaning to the caller
 *
 * The most used values get registers, uses inside loops counting more. There is no stack.
 */
import { A0, A1, A2, A3, AT, T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, V0, V1, type Register } from '@exokernel/isa';
import type { Program } from '../ir.ts';
import type { LoweredBody, LoweredExpression, LoweredPlace, LoweredProgram } from '../lowered.ts';

/** The register that holds the address of the activation record throughout. */
export const RECORD: Register = A0;
export const FUEL_OFFSET = 0;
export const STATUS_OFFSET = 4;
const REGIONS_OFFSET = 8;

const FOR_VALUES: readonly Register[] = [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, A2, A3];
const FOR_TEMPORARIES: readonly Register[] = [AT, V1, A1, V0];
/** A use in a loop counts as this many outside. Assumption: loops here run a handful of times or more. */
const LOOP_WEIGHT = 8;

/** What can be kept in a register. */
type Value = 'fuel' | `base${number}` | `length${number}` | `local${number}`;

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
    this.#parametersOffset = REGIONS_OFFSET + 8 * program.regions.length;
    const uses = countUses(lowered);
    this.#used = new Set(uses.keys());
    const ranked = [...uses].sort((a, b) => b[1] - a[1]);
    ranked.slice(0, FOR_VALUES.length).forEach(([value], i) => {
      const free = FOR_VALUES[i];
      if (free !== undefined) this.#registers.set(value, free);
    });
    let offset = this.#parametersOffset + 4 * this.#parameters;
    for (let local = this.#parameters; local < this.#parameters + program.locals.length; local += 1) {
      if (!this.#used.has(`local${local}`) || this.#registers.has(`local${local}`)) continue;
      this.#spilled.set(local, offset);
      offset += 4;
    }
    this.scratchOffset = offset;
    this.temporaries = [...FOR_TEMPORARIES, ...FOR_VALUES.slice(ranked.length)];
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
    return REGIONS_OFFSET + 8 * region;
  }

  lengthOffset(region: number): number {
    return REGIONS_OFFSET + 8 * region + 4;
  }

  /** Where a local without register is; a parameter stays where the caller put it. */
  localOffset(local: number): number {
    if (local < this.#parameters) return this.#parametersOffset + 4 * local;
    return this.#spilled.get(local) ?? 0;
  }
}

function countUses({ body }: LoweredProgram): Map<Value, number> {
  const uses = new Map<Value, number>();
  let hasLoops = false;
  const use = (value: Value, weight: number): void => {
    uses.set(value, (uses.get(value) ?? 0) + weight);
  };
  const place = (at: LoweredPlace, weight: number): void => {
    use(`base${at.region}`, weight);
    if (at.guard !== undefined) use(`length${at.region}`, weight);
    expression(at.index, weight);
  };
  const expression = (node: LoweredExpression, weight: number): void => {
    switch (node.kind) {
      case 'const':
        return;
      case 'local':
        use(`local${node.local}`, weight);
        return;
      case 'unary':
        expression(node.operand, weight);
        return;
      case 'binary':
        expression(node.left, weight);
        expression(node.right, weight);
        return;
      case 'load':
        place(node, weight);
        return;
      case 'length':
        use(`length${node.region}`, weight);
        return;
      case 'fits':
        use(`length${node.region}`, weight);
        expression(node.index, weight);
    }
  };
  const walk = (statements: LoweredBody, weight: number): void => {
    const inner = Math.min(weight * LOOP_WEIGHT, LOOP_WEIGHT ** 6);
    for (const statement of statements) {
      switch (statement.kind) {
        case 'set':
          use(`local${statement.local}`, weight);
          expression(statement.value, weight);
          break;
        case 'store':
          place(statement, weight);
          expression(statement.value, weight);
          break;
        case 'if':
          expression(statement.condition, weight);
          walk(statement.then, weight);
          walk(statement.otherwise, weight);
          break;
        case 'for':
          hasLoops = true;
          use(`local${statement.counter}`, 3 * inner);
          walk(statement.body, inner);
          break;
        case 'while':
          hasLoops = true;
          expression(statement.condition, inner);
          walk(statement.body, inner);
          break;
        case 'switch':
          expression(statement.value, weight);
          for (const { body: one } of statement.cases) walk(one, weight);
          walk(statement.otherwise, weight);
          break;
        case 'return':
          expression(statement.value, weight);
          break;
        case 'break':
        case 'continue':
        case 'abort':
          break;
      }
    }
  };
  walk(body, 1);
  // Every iteration pays, so the fuel comes before everything else.
  if (hasLoops) uses.set('fuel', Number.MAX_SAFE_INTEGER);
  return uses;
}
