/**
 * The builder: TypeScript functions that write the IR.
 *
 * `defineProgram` hands a `ProgramBuilder` to a callback; statements append to the innermost open body. A builder and what
 * it made (locals, regions) are of no use outside the callback. Errors are `VcodeError` `malformed`.
 */
import { VcodeError } from './error.ts';
import {
  ABORT_BOUNDS,
  LIMITS,
  type BinaryOperator,
  type Body,
  type Endian,
  type Expression,
  type Program,
  type Region,
  type Size,
  type Statement,
  type UnaryOperator,
} from './ir.ts';
import { validateProgram } from './validate.ts';

/** An expression, or a number that stands for a constant (signed or unsigned notation). */
export type Operand = Expression | number;

/** A local variable, readable as an expression. */
export type Local = Extract<Expression, { readonly kind: 'local' }>;

/** The constant, as an unsigned 32-bit number. */
export function constant(value: number): Expression {
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
    throw new VcodeError('malformed', `${value} is no 32-bit integer`, { value });
  }
  return { kind: 'const', value: value >>> 0 };
}

function expression(operand: Operand): Expression {
  return typeof operand === 'number' ? constant(operand) : operand;
}

type Binary = (left: Operand, right: Operand) => Expression;
const binary =
  (operator: BinaryOperator): Binary =>
  (left, right) => ({ kind: 'binary', operator, left: expression(left), right: expression(right) });
const unary =
  (operator: UnaryOperator): ((operand: Operand) => Expression) =>
  (operand) => ({ kind: 'unary', operator, operand: expression(operand) });

export const add: Binary = binary('add');
export const sub: Binary = binary('sub');
export const mul: Binary = binary('mul');
export const and: Binary = binary('and');
export const or: Binary = binary('or');
export const xor: Binary = binary('xor');
export const shl: Binary = binary('shl');
export const shr: Binary = binary('shr');
export const sar: Binary = binary('sar');
export const divu: Binary = binary('divu');
export const remu: Binary = binary('remu');
export const eq: Binary = binary('eq');
export const ne: Binary = binary('ne');
export const ltu: Binary = binary('ltu');
export const leu: Binary = binary('leu');
export const lts: Binary = binary('lts');
export const les: Binary = binary('les');
export const bswap16: (operand: Operand) => Expression = unary('bswap16');
export const bswap32: (operand: Operand) => Expression = unary('bswap32');
/** 1 if the operand is 0, else 0. */
export const not = (operand: Operand): Expression => eq(operand, 0);

/** A declared region: the expressions that read it. Offsets are in bytes; `at` may be any expression. */
export class RegionHandle {
  readonly index: number;
  /** The region's length in bytes. */
  readonly length: Expression;

  constructor(index: number) {
    this.index = index;
    this.length = { kind: 'length', region: index };
  }

  /** The value at `at + displacement`. A constant `at` is best given alone. */
  load(size: Size, endian: Endian, at: Operand, displacement = 0): Expression {
    return { kind: 'load', region: this.index, size, endian, ...place(at, displacement) };
  }
  u8(at: Operand, displacement = 0): Expression {
    return this.load(1, 'big', at, displacement);
  }
  be16(at: Operand, displacement = 0): Expression {
    return this.load(2, 'big', at, displacement);
  }
  be32(at: Operand, displacement = 0): Expression {
    return this.load(4, 'big', at, displacement);
  }
  le16(at: Operand, displacement = 0): Expression {
    return this.load(2, 'little', at, displacement);
  }
  le32(at: Operand, displacement = 0): Expression {
    return this.load(4, 'little', at, displacement);
  }
  /** 1 if the region has `bytes` bytes from `at` on: the test that makes later accesses there free. */
  fits(at: Operand, bytes: number): Expression {
    return { kind: 'fits', region: this.index, index: expression(at), bytes };
  }
}

/** A constant position becomes the displacement, so that accesses near each other share one test. */
function place(at: Operand, displacement: number): { index: Expression; displacement: number } {
  const index = expression(at);
  if (index.kind !== 'const') return { index, displacement };
  const sum = index.value + displacement;
  if (sum <= LIMITS.displacement) return { index: { kind: 'const', value: 0 }, displacement: sum };
  return { index, displacement };
}

/** Alignment that the binder promises for a region's base; see `Region`. */
export interface RegionOptions {
  readonly align?: 1 | 2 | 4;
  readonly skew?: number;
}

/** What `defineProgram` hands to its callback. */
export class ProgramBuilder {
  readonly #regions: Region[] = [];
  readonly #parameters: string[] = [];
  readonly #locals: string[] = [];
  #body: Statement[] = [];

  /** Declares a region. Order is the order of binding. */
  region(name: string, access: 'r' | 'rw', { align = 1, skew = 0 }: RegionOptions = {}): RegionHandle {
    this.#regions.push({ name, access, align, skew });
    return new RegionHandle(this.#regions.length - 1);
  }

  /** Declares a parameter; all parameters come before the first local. */
  parameter(name: string): Local {
    if (this.#locals.length > 0) throw new VcodeError('malformed', `parameter ${name} comes after a local`, { name });
    this.#parameters.push(name);
    return { kind: 'local', local: this.#parameters.length - 1 };
  }

  /** A new local. With `initial` it is set here, else it is 0. */
  local(name: string, initial?: Operand): Local {
    this.#locals.push(name);
    const local: Local = { kind: 'local', local: this.#parameters.length + this.#locals.length - 1 };
    if (initial !== undefined) this.set(local, initial);
    return local;
  }

  set(local: Local, value: Operand): void {
    this.#body.push({ kind: 'set', local: local.local, value: expression(value) });
  }

  /** Stores the low `size` bytes of `value` at `at + displacement`. */
  store(region: RegionHandle, size: Size, endian: Endian, at: Operand, value: Operand, displacement = 0): void {
    const where = place(at, displacement);
    this.#body.push({ kind: 'store', region: region.index, size, endian, ...where, value: expression(value) });
  }

  if(condition: Operand, then: () => void, otherwise: () => void = () => undefined): void {
    const taken = this.#nested(then);
    const other = this.#nested(otherwise);
    this.#body.push({ kind: 'if', condition: expression(condition), then: taken, otherwise: other });
  }

  /** Aborts with `code` unless the condition holds. */
  assert(condition: Operand, code: number): void {
    this.if(
      condition,
      () => undefined,
      () => {
        this.abort(code);
      },
    );
  }

  /** Aborts with `ABORT_BOUNDS` unless the region has `bytes` bytes from `at` on; accesses inside are then free. */
  require(region: RegionHandle, at: Operand, bytes: number): void {
    this.assert(region.fits(at, bytes), ABORT_BOUNDS);
  }

  /** Runs `body` `count` times (1 to 65,535); the counter counts from 0. */
  for(name: string, count: number, body: (counter: Local) => void): void {
    const counter = this.local(name);
    const inner = this.#nested(() => {
      body(counter);
    });
    this.#body.push({ kind: 'for', counter: counter.local, count, body: inner });
  }

  while(condition: Operand, body: () => void): void {
    this.#body.push({ kind: 'while', condition: expression(condition), body: this.#nested(body) });
  }

  break(): void {
    this.#body.push({ kind: 'break' });
  }

  continue(): void {
    this.#body.push({ kind: 'continue' });
  }

  switch(
    value: Operand,
    cases: readonly (readonly [number, () => void])[],
    otherwise: () => void = () => undefined,
  ): void {
    this.#body.push({
      kind: 'switch',
      value: expression(value),
      cases: cases.map(([constant, body]) => ({ value: constant >>> 0, body: this.#nested(body) })),
      otherwise: this.#nested(otherwise),
    });
  }

  return(value: Operand): void {
    this.#body.push({ kind: 'return', value: expression(value) });
  }

  /** Ends the run with this code, 16 to 255 (or `ABORT_BOUNDS`). */
  abort(code: number): void {
    this.#body.push({ kind: 'abort', code });
  }

  /** What was built. For `defineProgram`. */
  finish(name: string): Program {
    return { name, regions: this.#regions, parameters: this.#parameters, locals: this.#locals, body: this.#body };
  }

  #nested(write: () => void): Body {
    const outer = this.#body;
    const inner: Statement[] = [];
    this.#body = inner;
    try {
      write();
    } finally {
      this.#body = outer;
    }
    return inner;
  }
}

/** Builds and validates a program. Throws `VcodeError` `malformed` or `limit`. */
export function defineProgram(name: string, write: (builder: ProgramBuilder) => void): Program {
  const builder = new ProgramBuilder();
  write(builder);
  const program = builder.finish(name);
  validateProgram(program);
  return program;
}
