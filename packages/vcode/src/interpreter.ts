/**
 * The interpreter: the meaning of a program. Slow and plain on purpose; the back ends must equal it.
 *
 * It tests every access by the definition and takes only the sections' costs from the MIPS back end. Regions must not
 * share bytes unless the same overlap is bound for every back end that is compared.
 */
import { VcodeError } from './program/error.ts';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL, LIMITS, RETURNED } from './program/ir.ts';
import type { Body, Expression, Loop, Place, Program, Statement } from './program/ir.ts';
import { sectionCosts } from './mips/compile.ts';
import { operate } from './program/operators.ts';
import { loopSections } from './program/sections.ts';
import { validateProgram } from './program/validate.ts';

/** What a run gets: fuel (0 to 2^31 - 1), one byte array per region, one u32 per parameter. */
export interface RunInput {
  readonly fuel: number;
  readonly regions: readonly Uint8Array[];
  readonly parameters?: readonly number[];
}

/** What a run gives: the value (0 after an abort), the status (0, or an abort code) and the fuel that is left. */
export interface RunResult {
  readonly value: number;
  readonly status: number;
  readonly fuel: number;
}

/** Runs a program. Throws `VcodeError` `argument` on an input that does not fit the program. */
export function interpret(program: Program, input: RunInput): RunResult {
  validateProgram(program);
  const { fuel, regions, parameters = [] } = input;
  if (regions.length !== program.regions.length || parameters.length !== program.parameters.length) {
    throw new VcodeError(
      'argument',
      `${program.name} takes ${program.regions.length} regions and ${program.parameters.length} parameters`,
    );
  }
  if (!Number.isInteger(fuel) || fuel < 0 || fuel > LIMITS.fuel) {
    throw new VcodeError('argument', `fuel is ${fuel}, must be 0 to 2^31 - 1`, { fuel });
  }
  const machine = new Interpreter(program, fuel, regions, parameters);
  return machine.run();
}

/** How a body ended: by running to its end, or by one of the ways out. */
type Way = 'next' | 'break' | 'continue' | 'return';

class Abort extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`abort ${code}`);
    this.code = code;
  }
}

class Interpreter {
  readonly #program: Program;
  readonly #regions: readonly Uint8Array[];
  readonly #locals: Uint32Array;
  readonly #sections: ReadonlyMap<Loop, number>;
  readonly #costs: readonly number[];
  #fuel: number;
  #value = 0;

  constructor(program: Program, fuel: number, regions: readonly Uint8Array[], parameters: readonly number[]) {
    this.#program = program;
    this.#regions = regions;
    this.#fuel = fuel;
    this.#sections = loopSections(program);
    this.#costs = sectionCosts(program);
    this.#locals = new Uint32Array(program.parameters.length + program.locals.length);
    this.#locals.set(parameters);
  }

  run(): RunResult {
    try {
      this.#charge(0);
      this.#body(this.#program.body);
    } catch (abort) {
      if (!(abort instanceof Abort)) throw abort;
      return { value: 0, status: abort.code, fuel: this.#fuel };
    }
    return { value: this.#value, status: RETURNED, fuel: this.#fuel };
  }

  #charge(section: number): void {
    const cost = this.#costs[section] ?? 0;
    if (this.#fuel < cost) {
      this.#fuel = 0;
      throw new Abort(ABORT_FUEL);
    }
    this.#fuel -= cost;
  }

  #body(body: Body): Way {
    for (const statement of body) {
      const way = this.#statement(statement);
      if (way !== 'next') return way;
    }
    return 'next';
  }

  #statement(statement: Statement): Way {
    switch (statement.kind) {
      case 'set':
        this.#locals[statement.local] = this.#evaluate(statement.value);
        return 'next';
      case 'store': {
        const index = this.#evaluate(statement.index);
        const value = this.#evaluate(statement.value);
        const { region, at } = this.#access(statement, index);
        for (let i = 0; i < statement.size; i += 1) {
          const shift = 8 * (statement.endian === 'little' ? i : statement.size - 1 - i);
          region[at + i] = value >>> shift;
        }
        return 'next';
      }
      case 'if':
        return this.#body(this.#evaluate(statement.condition) === 0 ? statement.otherwise : statement.then);
      case 'for':
      case 'while':
        return this.#loop(statement);
      case 'break':
      case 'continue':
        return statement.kind;
      case 'switch': {
        const value = this.#evaluate(statement.value);
        return this.#body(statement.cases.find((one) => one.value === value)?.body ?? statement.otherwise);
      }
      case 'return':
        this.#value = this.#evaluate(statement.value);
        return 'return';
      case 'abort':
        throw new Abort(statement.code);
    }
  }

  #loop(loop: Loop): Way {
    const section = this.#sections.get(loop) ?? 0;
    const count = loop.kind === 'for' ? loop.count : Infinity;
    for (let i = 0; i < count; i += 1) {
      this.#charge(section);
      if (loop.kind === 'for') this.#locals[loop.counter] = i;
      else if (this.#evaluate(loop.condition) === 0) return 'next';
      const way = this.#body(loop.body);
      if (way === 'return') return way;
      if (way === 'break') return 'next';
    }
    if (loop.kind === 'for') this.#locals[loop.counter] = loop.count;
    return 'next';
  }

  #evaluate(expression: Expression): number {
    switch (expression.kind) {
      case 'const':
        return expression.value;
      case 'local':
        return this.#locals[expression.local] ?? 0;
      case 'unary': {
        const x = this.#evaluate(expression.operand);
        if (expression.operator === 'bswap16') return ((x & 0xff) << 8) | ((x >>> 8) & 0xff);
        return ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0;
      }
      case 'binary': {
        const left = this.#evaluate(expression.left);
        const right = this.#evaluate(expression.right);
        const divides = expression.operator === 'divu' || expression.operator === 'remu';
        if (divides && right === 0) throw new Abort(ABORT_DIVIDE);
        return operate(expression.operator, left, right);
      }
      case 'load': {
        const { region, at } = this.#access(expression, this.#evaluate(expression.index));
        let value = 0;
        for (let i = 0; i < expression.size; i += 1) {
          const shift = 8 * (expression.endian === 'little' ? i : expression.size - 1 - i);
          value |= (region[at + i] ?? 0) << shift;
        }
        return value >>> 0;
      }
      case 'length':
        return this.#region(expression.region).length;
      case 'fits':
        return this.#evaluate(expression.index) + expression.bytes <= this.#region(expression.region).length ? 1 : 0;
    }
  }

  #access(place: Place, index: number): { region: Uint8Array; at: number } {
    const region = this.#region(place.region);
    const at = index + place.displacement;
    if (at + place.size > region.length) throw new Abort(ABORT_BOUNDS);
    return { region, at };
  }

  #region(index: number): Uint8Array {
    const region = this.#regions[index];
    if (region === undefined) throw new VcodeError('argument', `region ${index} is not bound`, { index });
    return region;
  }
}
