/**
 * Where values are used: how often, and from where to where they are live, for the assignment of registers.
 *
 * Positions count statements in the order of the text. A life is one interval from the first to the last use; what is used
 * in a loop lives to the end of the outermost loop around that use, because the next iteration may read it. What the entry
 * loads or clears lives from 0: among it every local that an iteration could read before setting it.
 */
import type { Program } from '../program/ir.ts';
import type { LoweredBody, LoweredExpression, LoweredPlace, LoweredProgram } from '../lower/lowered.ts';
import { neverSet } from './initial.ts';

/** What can be kept in a register. */
export type Value = 'fuel' | `base${number}` | `length${number}` | `local${number}`;

export interface Use {
  weight: number;
  /** First and last position, both included. */
  from: number;
  to: number;
}

/** A use in a loop counts as this many outside. Assumption: loops here run a handful of times or more. */
const LOOP_WEIGHT = 8;
const MOST_WEIGHT = LOOP_WEIGHT ** 6;

/** The uses of every value that is used at all. */
export function findUses(program: Program, { body }: LoweredProgram): ReadonlyMap<Value, Use> {
  const finder = new UseFinder();
  finder.body(body, 1);
  const { uses } = finder;
  const early = [...program.parameters.keys(), ...neverSet(body, program.parameters.length)];
  const entry: Value[] = early.map((local): Value => `local${local}`);
  program.regions.forEach((_, region) => {
    entry.push(`base${region}`, `length${region}`);
  });
  for (const value of entry) {
    const use = uses.get(value);
    if (use !== undefined) use.from = 0;
  }
  // Every iteration pays and every exit writes the rest back: the fuel comes before everything else.
  if (finder.hasLoops) uses.set('fuel', { weight: Infinity, from: 0, to: Infinity });
  return uses;
}

class UseFinder {
  readonly uses = new Map<Value, Use>();
  hasLoops = false;
  #position = 0;
  /** What is used in the outermost loop being walked. */
  #inLoop: Set<Use> | undefined;

  body(body: LoweredBody, weight: number): void {
    for (const statement of body) {
      this.#position += 1;
      switch (statement.kind) {
        case 'set':
          this.#use(`local${statement.local}`, weight);
          this.#expression(statement.value, weight);
          break;
        case 'store':
          this.#place(statement, weight);
          this.#expression(statement.value, weight);
          break;
        case 'if':
          this.#expression(statement.condition, weight);
          this.body(statement.then, weight);
          this.body(statement.otherwise, weight);
          break;
        case 'for':
          this.#loop(weight, (inner) => {
            this.#use(`local${statement.counter}`, 3 * inner);
            this.body(statement.body, inner);
          });
          break;
        case 'while':
          this.#loop(weight, (inner) => {
            this.#expression(statement.condition, inner);
            this.body(statement.body, inner);
          });
          break;
        case 'switch':
          this.#expression(statement.value, weight);
          for (const { body: one } of statement.cases) this.body(one, weight);
          this.body(statement.otherwise, weight);
          break;
        case 'return':
          this.#expression(statement.value, weight);
          break;
        case 'break':
        case 'continue':
        case 'abort':
          break;
      }
    }
  }

  #loop(weight: number, walk: (inner: number) => void): void {
    this.hasLoops = true;
    const inner = Math.min(weight * LOOP_WEIGHT, MOST_WEIGHT);
    if (this.#inLoop !== undefined) {
      walk(inner);
      return;
    }
    this.#inLoop = new Set();
    walk(inner);
    this.#position += 1;
    for (const use of this.#inLoop) use.to = this.#position;
    this.#inLoop = undefined;
  }

  #use(value: Value, weight: number): void {
    const use = this.uses.get(value) ?? { weight: 0, from: this.#position, to: 0 };
    use.weight += weight;
    use.to = this.#position;
    this.uses.set(value, use);
    this.#inLoop?.add(use);
  }

  #place(place: LoweredPlace, weight: number): void {
    this.#use(`base${place.region}`, weight);
    if (place.guard !== undefined) this.#use(`length${place.region}`, weight);
    this.#expression(place.index, weight);
  }

  #expression(expression: LoweredExpression, weight: number): void {
    switch (expression.kind) {
      case 'const':
        return;
      case 'local':
        this.#use(`local${expression.local}`, weight);
        return;
      case 'unary':
        this.#expression(expression.operand, weight);
        return;
      case 'binary':
        this.#expression(expression.left, weight);
        this.#expression(expression.right, weight);
        return;
      case 'load':
        this.#place(expression, weight);
        return;
      case 'length':
        this.#use(`length${expression.region}`, weight);
        return;
      case 'fits':
        this.#use(`length${expression.region}`, weight);
        this.#expression(expression.index, weight);
    }
  }
}
