/**
 * The bytes in which a program is downloaded: prefix order, LEB128 numbers, one tag byte per node.
 *
 *     'V' 'C' version    name    regions: {name, flags, skew}*    parameters: name*    locals: number    body
 *
 * A list is its length and its items. Names of locals are not sent. `decodeProgram` accepts any bytes: it checks
 * every index and bound, reads each byte at most once, and throws `VcodeError` `malformed` or `limit` before it builds
 * anything larger than a small multiple of its input.
 */
import { VcodeError } from './error.ts';
import { BINARY_OPERATORS, LIMITS, UNARY_OPERATORS } from './ir.ts';
import type { Body, Expression, Place, Program, Region, Size, Statement } from './ir.ts';
import { ByteReader, ByteSink } from './bytes.ts';
import { validateEncodable } from './validate.ts';

const MAGIC = [0x56, 0x43, 1] as const;

/* prettier-ignore */
const EXPRESSION_KINDS = ['const', 'local', 'unary', 'binary', 'load', 'length', 'fits'] as const;
/* prettier-ignore */
const STATEMENT_KINDS = [
  'set', 'store', 'if', 'for', 'while', 'break', 'continue', 'switch', 'return', 'abort',
] as const;
const SIZES: readonly Size[] = [1, 2, 4];

/** Encodes a valid program. Throws `VcodeError` `malformed`, or `limit` if it takes more than `LIMITS.bytes`. */
export function encodeProgram(program: Program): Uint8Array {
  validateEncodable(program);
  const out = new ByteSink();
  for (const byte of MAGIC) out.byte(byte);
  out.name(program.name);
  out.number(program.regions.length);
  for (const { name, access, align, skew } of program.regions) {
    out.name(name);
    out.byte((access === 'rw' ? 1 : 0) | (SIZES.indexOf(align) << 1));
    out.byte(skew);
  }
  out.number(program.parameters.length);
  for (const name of program.parameters) out.name(name);
  out.number(program.locals.length);
  writeBody(out, program.body);
  if (out.length > LIMITS.bytes) {
    throw new VcodeError('limit', `${program.name} takes ${out.length} bytes, more than ${LIMITS.bytes}`);
  }
  return out.bytes();
}

function writeBody(out: ByteSink, body: Body): void {
  out.number(body.length);
  for (const statement of body) writeStatement(out, statement);
}

function writeStatement(out: ByteSink, statement: Statement): void {
  out.byte(STATEMENT_KINDS.indexOf(statement.kind));
  switch (statement.kind) {
    case 'set':
      out.number(statement.local);
      writeExpression(out, statement.value);
      return;
    case 'store':
      writePlace(out, statement);
      writeExpression(out, statement.value);
      return;
    case 'if':
      writeExpression(out, statement.condition);
      writeBody(out, statement.then);
      writeBody(out, statement.otherwise);
      return;
    case 'for':
      out.number(statement.counter);
      out.number(statement.count);
      writeBody(out, statement.body);
      return;
    case 'while':
      writeExpression(out, statement.condition);
      writeBody(out, statement.body);
      return;
    case 'break':
    case 'continue':
      return;
    case 'switch':
      writeExpression(out, statement.value);
      out.number(statement.cases.length);
      for (const { value, body } of statement.cases) {
        out.number(value);
        writeBody(out, body);
      }
      writeBody(out, statement.otherwise);
      return;
    case 'return':
      writeExpression(out, statement.value);
      return;
    case 'abort':
      out.byte(statement.code);
  }
}

function writeExpression(out: ByteSink, expression: Expression): void {
  out.byte(EXPRESSION_KINDS.indexOf(expression.kind));
  switch (expression.kind) {
    case 'const':
      out.number(expression.value);
      return;
    case 'local':
      out.number(expression.local);
      return;
    case 'unary':
      out.byte(UNARY_OPERATORS.indexOf(expression.operator));
      writeExpression(out, expression.operand);
      return;
    case 'binary':
      out.byte(BINARY_OPERATORS.indexOf(expression.operator));
      writeExpression(out, expression.left);
      writeExpression(out, expression.right);
      return;
    case 'load':
      writePlace(out, expression);
      return;
    case 'length':
      out.byte(expression.region);
      return;
    case 'fits':
      out.byte(expression.region);
      out.number(expression.bytes);
      writeExpression(out, expression.index);
  }
}

function writePlace(out: ByteSink, place: Place): void {
  out.byte(place.region | (SIZES.indexOf(place.size) << 4) | (place.endian === 'big' ? 0x40 : 0));
  out.number(place.displacement);
  writeExpression(out, place.index);
}

/** Decodes and validates a program. Throws `VcodeError` `malformed` or `limit`; nothing else, whatever the bytes. */
export function decodeProgram(bytes: Uint8Array): Program {
  if (bytes.length > LIMITS.bytes) {
    throw new VcodeError('limit', `${bytes.length} bytes are more than ${LIMITS.bytes}`, { length: bytes.length });
  }
  const from = new ByteReader(bytes);
  for (const byte of MAGIC) if (from.byte() !== byte) from.fail('this is no program of a known version');
  const name = from.name(LIMITS.name);
  const regions = from.list(LIMITS.regions, () => readRegion(from));
  const parameters = from.list(LIMITS.parameters, () => from.name(LIMITS.name));
  const locals = Array.from({ length: from.number(LIMITS.locals) }, (_, i) => `l${parameters.length + i}`);
  const body = new BodyReader(from).body(1);
  if (!from.isAtEnd) from.fail('bytes are left over');
  const program = { name, regions, parameters, locals, body };
  validateEncodable(program);
  return program;
}

function readRegion(from: ByteReader): Region {
  const name = from.name(LIMITS.name);
  const flags = from.byte();
  const align = SIZES[flags >> 1] ?? from.fail('the flags of a region');
  return { name, access: (flags & 1) === 1 ? 'rw' : 'r', align, skew: from.byte() };
}

class BodyReader {
  readonly #from: ByteReader;

  constructor(from: ByteReader) {
    this.#from = from;
  }

  body(depth: number): Body {
    if (depth > LIMITS.depth) this.#from.fail('nesting deeper than 64');
    return this.#from.list(LIMITS.bytes, () => this.#statement(depth));
  }

  #statement(depth: number): Statement {
    const from = this.#from;
    const kind = STATEMENT_KINDS[from.byte()];
    switch (kind) {
      case 'set':
        return { kind, local: from.number(LIMITS.locals), value: this.#expression(depth + 1) };
      case 'store':
        return { kind, ...this.#place(depth), value: this.#expression(depth + 1) };
      case 'if':
        return {
          kind,
          condition: this.#expression(depth + 1),
          then: this.body(depth + 1),
          otherwise: this.body(depth + 1),
        };
      case 'for':
        return {
          kind,
          counter: from.number(LIMITS.locals),
          count: from.number(LIMITS.count),
          body: this.body(depth + 1),
        };
      case 'while':
        return { kind, condition: this.#expression(depth + 1), body: this.body(depth + 1) };
      case 'break':
      case 'continue':
        return { kind };
      case 'switch':
        return {
          kind,
          value: this.#expression(depth + 1),
          cases: from.list(LIMITS.bytes, () => ({ value: from.number(0xffffffff), body: this.body(depth + 1) })),
          otherwise: this.body(depth + 1),
        };
      case 'return':
        return { kind, value: this.#expression(depth + 1) };
      case 'abort':
        return { kind, code: from.byte() };
      default:
        return from.fail('a statement');
    }
  }

  #expression(depth: number): Expression {
    const from = this.#from;
    if (depth > LIMITS.depth) from.fail('nesting deeper than 64');
    const kind = EXPRESSION_KINDS[from.byte()];
    switch (kind) {
      case 'const':
        return { kind, value: from.number(0xffffffff) };
      case 'local':
        return { kind, local: from.number(LIMITS.locals) };
      case 'unary': {
        const operator = UNARY_OPERATORS[from.byte()] ?? from.fail('a unary operator');
        return { kind, operator, operand: this.#expression(depth + 1) };
      }
      case 'binary': {
        const operator = BINARY_OPERATORS[from.byte()] ?? from.fail('a binary operator');
        const left = this.#expression(depth + 1);
        return { kind, operator, left, right: this.#expression(depth + 1) };
      }
      case 'load':
        return { kind, ...this.#place(depth) };
      case 'length':
        return { kind, region: from.byte() };
      case 'fits': {
        const region = from.byte();
        return { kind, region, bytes: from.number(LIMITS.extent), index: this.#expression(depth + 1) };
      }
      default:
        return from.fail('an expression');
    }
  }

  #place(depth: number): Place {
    const from = this.#from;
    const flags = from.byte();
    const size = SIZES[(flags >> 4) & 3];
    if (size === undefined || flags > 0x7f) return from.fail('the flags of an access');
    const displacement = from.number(LIMITS.displacement);
    const index = this.#expression(depth + 1);
    return { region: flags & 0xf, size, endian: (flags & 0x40) !== 0 ? 'big' : 'little', index, displacement };
  }
}
