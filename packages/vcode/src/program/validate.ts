/**
 * The rules of the IR that types cannot say, checked for a program from anywhere.
 *
 * Compilers, interpreter and decoder call this first and may then trust every index and bound. Work is linear in the
 * program and stops at `LIMITS.nodes`. Throws `VcodeError` `malformed` or `limit`.
 */
import { VcodeError } from './error.ts';
import { ABORT_BOUNDS, ABORT_OWN, BINARY_OPERATORS, LIMITS, UNARY_OPERATORS } from './ir.ts';
import type { Body, Expression, Loop, Place, Program, Statement } from './ir.ts';

const VALID = new WeakSet<Program>();
/* What types promise is checked all the same: a program may come from untyped code. */
const ACCESSES: ReadonlySet<unknown> = new Set(['r', 'rw']);
const SIZES: ReadonlySet<unknown> = new Set([1, 2, 4]);
const ENDIANS: ReadonlySet<unknown> = new Set(['big', 'little']);

/** Checks a program, once. Throws `VcodeError` `malformed` or `limit`. */
export function validateProgram(program: Program): void {
  if (VALID.has(program)) return;
  checkProgram(program, LIMITS.builtDepth);
  VALID.add(program);
}

/** Checks a program that is to be encoded or was decoded: nothing in it is nested deeper than `LIMITS.depth`. */
export function validateEncodable(program: Program): void {
  checkProgram(program, LIMITS.depth);
  VALID.add(program);
}

function checkProgram(program: Program, depth: number): void {
  const { regions, parameters, locals } = program;
  require(isName(program.name), 'the name', program.name);
  require(regions.length <= LIMITS.regions, 'more than 8 regions', regions.length);
  require(parameters.length <= LIMITS.parameters, 'more than 16 parameters', parameters.length);
  require(parameters.length + locals.length <= LIMITS.locals, 'more than 256 locals', locals.length);
  for (const name of [...parameters, ...locals]) require(isName(name), 'the name of a local', name);
  for (const { name, access, align, skew } of regions) {
    require(isName(name), 'the name of a region', name);
    require(ACCESSES.has(access), 'access of a region', access);
    require(SIZES.has(align), 'alignment of a region', align);
    require(isWithin(skew, 0, align - 1), 'skew of a region', skew);
  }
  new Validator(program, depth).body(program.body, 1, false);
}

/** Names are for readers: up to 64 printable ASCII characters. */
function isName(name: unknown): boolean {
  return typeof name === 'string' && name.length <= LIMITS.name && /^[\x20-\x7e]*$/.test(name);
}

function isWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

function require(holds: boolean, what: string, value: unknown): void {
  if (!holds) throw new VcodeError('malformed', `${what} is not allowed: ${String(value)}`, { what, value });
}

class Validator {
  readonly #program: Program;
  readonly #depth: number;
  readonly #locals: number;
  readonly #counters = new Set<number>();
  readonly #loops = new Set<Loop>();
  #nodes = 0;

  constructor(program: Program, depth: number) {
    this.#program = program;
    this.#depth = depth;
    this.#locals = program.parameters.length + program.locals.length;
  }

  body(body: Body, depth: number, inLoop: boolean): void {
    for (const statement of body) this.#statement(statement, depth, inLoop);
  }

  #enter(depth: number): void {
    require(depth <= this.#depth, 'nesting that deep', depth);
    this.#nodes += 1;
    if (this.#nodes > LIMITS.nodes) throw new VcodeError('limit', `more than ${LIMITS.nodes} nodes`);
  }

  #statement(statement: Statement, depth: number, inLoop: boolean): void {
    this.#enter(depth);
    switch (statement.kind) {
      case 'set':
        this.#local(statement.local);
        require(!this.#counters.has(statement.local), 'setting a loop counter inside its loop', statement.local);
        this.#expression(statement.value, depth + 1);
        return;
      case 'store':
        this.#place(statement, depth);
        require(this.#program.regions[statement.region]?.access ===
          'rw', 'storing to a read-only region', statement.region);
        this.#expression(statement.value, depth + 1);
        return;
      case 'if':
        this.#expression(statement.condition, depth + 1);
        this.body(statement.then, depth + 1, inLoop);
        this.body(statement.otherwise, depth + 1, inLoop);
        return;
      case 'for':
        this.#loop(statement);
        this.#local(statement.counter);
        require(!this.#counters.has(statement.counter), 'one counter for two nested loops', statement.counter);
        require(isWithin(statement.count, 1, LIMITS.count), 'the count of a loop', statement.count);
        this.#counters.add(statement.counter);
        this.body(statement.body, depth + 1, true);
        this.#counters.delete(statement.counter);
        return;
      case 'while':
        this.#loop(statement);
        this.#expression(statement.condition, depth + 1);
        this.body(statement.body, depth + 1, true);
        return;
      case 'break':
      case 'continue':
        require(inLoop, `${statement.kind} outside a loop`, statement.kind);
        return;
      case 'switch': {
        this.#expression(statement.value, depth + 1);
        const seen = new Set<number>();
        for (const { value, body } of statement.cases) {
          this.#enter(depth);
          require(isWithin(value, 0, 0xffffffff) && !seen.has(value), 'a case that is no u32 or stands twice', value);
          seen.add(value);
          this.body(body, depth + 1, inLoop);
        }
        this.body(statement.otherwise, depth + 1, inLoop);
        return;
      }
      case 'return':
        this.#expression(statement.value, depth + 1);
        return;
      case 'abort':
        require(statement.code === ABORT_BOUNDS ||
          isWithin(statement.code, ABORT_OWN, 255), 'an abort code', statement.code);
        return;
      default:
        require(false, 'a statement', (statement as { readonly kind: unknown }).kind);
    }
  }

  #expression(expression: Expression, depth: number): void {
    this.#enter(depth);
    switch (expression.kind) {
      case 'const':
        require(isWithin(expression.value, 0, 0xffffffff), 'a constant that is no u32', expression.value);
        return;
      case 'local':
        this.#local(expression.local);
        return;
      case 'unary':
        require(UNARY_OPERATORS.includes(expression.operator), 'a unary operator', expression.operator);
        this.#expression(expression.operand, depth + 1);
        return;
      case 'binary':
        require(BINARY_OPERATORS.includes(expression.operator), 'a binary operator', expression.operator);
        this.#expression(expression.left, depth + 1);
        this.#expression(expression.right, depth + 1);
        return;
      case 'load':
        this.#place(expression, depth);
        return;
      case 'length':
        this.#region(expression.region);
        return;
      case 'fits':
        this.#region(expression.region);
        require(isWithin(expression.bytes, 0, LIMITS.extent), 'the extent of fits', expression.bytes);
        this.#expression(expression.index, depth + 1);
        return;
      default:
        require(false, 'an expression', (expression as { readonly kind: unknown }).kind);
    }
  }

  #place(place: Place, depth: number): void {
    this.#region(place.region);
    require(SIZES.has(place.size), 'the size of an access', place.size);
    require(ENDIANS.has(place.endian), 'an endianness', place.endian);
    require(isWithin(place.displacement, 0, LIMITS.displacement), 'a displacement', place.displacement);
    this.#expression(place.index, depth + 1);
  }

  #local(local: number): void {
    require(isWithin(local, 0, this.#locals - 1), 'a local that is not declared', local);
  }

  #region(region: number): void {
    require(isWithin(region, 0, this.#program.regions.length - 1), 'a region that is not declared', region);
  }

  /** A loop is a fuel section; an object that stood in two places would have two. */
  #loop(loop: Loop): void {
    require(!this.#loops.has(loop), 'one loop object in two places', loop.kind);
    this.#loops.add(loop);
  }
}
