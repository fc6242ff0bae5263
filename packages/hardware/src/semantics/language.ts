/**
 * The language in which a row says what an instruction does: values, and statements that happen in their order, as data.
 *
 * A row is written once and read three times: `cpu/execute.ts` executes it, `translator/lowering.ts` makes WebAssembly of it, and
 * tests hold its registers against the marks of `isa`. Values have no effect and may stand anywhere as often as needed; only
 * `loaded` and `wordAround` ask memory, so a row has one of those at most.
 *
 * A statement after which the instruction may turn out to be an exception (`reach`, `trapIf`, `trap`, and `set` of what is
 * loaded) stands before every statement that changes something else. The type of a row is that of the operands it names, so
 * a row that names an operand which its instruction does not have is a compile-time error.
 */
import type { OperandKind } from '@exokernel/isa';
import type { Operator } from './operators.ts';

/** Sizes of accesses, in bytes. */
export type Size = 1 | 2 | 4;

/** A 32-bit number. */
export type Value<K extends OperandKind = never> =
  | { readonly kind: 'constant'; readonly value: number }
  /** The number that is an operand; the value of the general register that is one. */
  | { readonly kind: 'operand' | 'register'; readonly of: K }
  /** The value of a register, or if a load of it is still under way, what that gives it. */
  | { readonly kind: 'merging'; readonly of: K }
  /** The CP0 register that is an operand. */
  | { readonly kind: 'cp0'; readonly of: K }
  /** A word of `memory/cpu-state.ts`. */
  | { readonly kind: 'state'; readonly word: number }
  | { readonly kind: 'loaded'; readonly size: Size; readonly isSigned: boolean }
  | { readonly kind: NamedValue }
  | { readonly kind: 'apply'; readonly operator: Operator; readonly values: readonly Value<K>[] }
  | { readonly kind: 'select'; readonly condition: Value<K>; readonly yes: Value<K>; readonly no: Value<K> };

/**
 * `kept`: what the last `keep` put away. `byteNumber`: that of the address reached, in its word: 0 to 3. `wordAround`: the
 * word there. `place`: where that lies in the machine's memory, or 0 if it is no memory. `behindSlot`: the address
 * behind the instruction's delay slot. `writeBufferEmpty`: 1 if memory has all stores.
 */
type NamedValue = 'kept' | 'byteNumber' | 'wordAround' | 'place' | 'behindSlot' | 'writeBufferEmpty';

/** What HI and LO get together: a product, or a remainder and a quotient as the R3000 gives them, by zero too. */
export interface Wide<K extends OperandKind = never> {
  readonly kind: 'product' | 'quotient';
  readonly isSigned: boolean;
  readonly a: Value<K>;
  readonly b: Value<K>;
}

/**
 * How an instruction uses the multiplier, which works beside the pipeline: it waits for HI and LO, begins an operation, or waits
 * for its own product as well.
 */
export type MultiplierUse = 'wait' | 'multiply' | 'divide' | 'product';

/** Something that happens. */
export type Statement<K extends OperandKind = never> =
  /** A general register gets a value; late, where the instruction loads. A number is a register that is always that one. */
  | { readonly kind: 'set'; readonly register: K | number; readonly value: Value<K> }
  | { readonly kind: 'setState'; readonly word: number; readonly value: Value<K> }
  | { readonly kind: 'setHiLo'; readonly value: Wide<K> }
  | { readonly kind: 'keep'; readonly value: Value<K> }
  | { readonly kind: 'multiplier'; readonly use: MultiplierUse }
  /** Address, alignment and rights of the access that follows. `of` is the base; the offset goes with it. */
  | { readonly kind: 'reach'; readonly of: K; readonly size: Size; readonly isStore: boolean }
  /** Stores the low bytes of a value, so many as were reached. */
  | { readonly kind: 'store'; readonly value: Value<K> }
  /** Stores bits of the word around. `value` has none that `mask` has not. */
  | { readonly kind: 'storeAround'; readonly value: Value<K>; readonly mask: Value<K> }
  | { readonly kind: 'trapIf'; readonly condition: Value<K>; readonly code: number }
  | { readonly kind: 'trap'; readonly code: number }
  /** Goes on at the target that the instruction word names, after the delay slot. The jump without a condition is one of 1. */
  | { readonly kind: 'branchIf'; readonly condition: Value<K> }
  | { readonly kind: 'jump'; readonly target: Value<K> }
  | { readonly kind: 'when'; readonly condition: Value<K>; readonly then: readonly Statement<K>[] };

// ---- Values

export function constant(value: number): Value {
  return { kind: 'constant', value };
}

/** The number that is an operand. */
export function number<K extends OperandKind>(of: K): Value<K> {
  return { kind: 'operand', of };
}

/** The value of a general register. */
export function reg<K extends OperandKind>(of: K): Value<K> {
  return { kind: 'register', of };
}

export function merging<K extends OperandKind>(of: K): Value<K> {
  return { kind: 'merging', of };
}

export function cp0<K extends OperandKind>(of: K): Value<K> {
  return { kind: 'cp0', of };
}

export function state(word: number): Value {
  return { kind: 'state', word };
}

/** What lies at the address reached, extended to a word. */
export function loaded(size: Size, isSigned: boolean): Value {
  return { kind: 'loaded', size, isSigned };
}

export const KEPT: Value = { kind: 'kept' };
export const BYTE_NUMBER: Value = { kind: 'byteNumber' };
export const WORD_AROUND: Value = { kind: 'wordAround' };
export const PLACE: Value = { kind: 'place' };
export const BEHIND_SLOT: Value = { kind: 'behindSlot' };
export const WRITE_BUFFER_EMPTY: Value = { kind: 'writeBufferEmpty' };

/** An operator of `operators.ts` and its arguments. */
export function apply<K extends OperandKind = never>(operator: Operator, ...values: readonly Value<K>[]): Value<K> {
  return { kind: 'apply', operator, values };
}

/** `yes` if the condition is not 0, else `no`; both are computed. */
export function select<K extends OperandKind = never>(condition: Value<K>, yes: Value<K>, no: Value<K>): Value<K> {
  return { kind: 'select', condition, yes, no };
}

export function product<K extends OperandKind>(isSigned: boolean, a: Value<K>, b: Value<K>): Wide<K> {
  return { kind: 'product', isSigned, a, b };
}

export function quotient<K extends OperandKind>(isSigned: boolean, a: Value<K>, b: Value<K>): Wide<K> {
  return { kind: 'quotient', isSigned, a, b };
}

// ---- Statements

export function set<K extends OperandKind = never>(register: K | number, value: Value<K>): Statement<K> {
  return { kind: 'set', register, value };
}

export function setState<K extends OperandKind = never>(word: number, value: Value<K>): Statement<K> {
  return { kind: 'setState', word, value };
}

export function setHiLo<K extends OperandKind>(value: Wide<K>): Statement<K> {
  return { kind: 'setHiLo', value };
}

export function keep<K extends OperandKind>(value: Value<K>): Statement<K> {
  return { kind: 'keep', value };
}

export function multiplier(use: MultiplierUse): Statement {
  return { kind: 'multiplier', use };
}

/** For a load of `size` bytes at `base` plus `offset`. `lwl` and `lwr` are loads of one. */
export function reachLoad(size: Size): Statement<'base'> {
  return { kind: 'reach', of: 'base', size, isStore: false };
}

/** For a store likewise. */
export function reachStore(size: Size): Statement<'base'> {
  return { kind: 'reach', of: 'base', size, isStore: true };
}

export function store<K extends OperandKind>(value: Value<K>): Statement<K> {
  return { kind: 'store', value };
}

export function storeAround<K extends OperandKind>(value: Value<K>, mask: Value<K>): Statement<K> {
  return { kind: 'storeAround', value, mask };
}

/** The exception `code` if the condition is not 0. */
export function trapIf<K extends OperandKind>(condition: Value<K>, code: number): Statement<K> {
  return { kind: 'trapIf', condition, code };
}

export function trap(code: number): Statement {
  return { kind: 'trap', code };
}

export function branchIf<K extends OperandKind = never>(condition: Value<K>): Statement<K> {
  return { kind: 'branchIf', condition };
}

export function jump<K extends OperandKind>(target: Value<K>): Statement<K> {
  return { kind: 'jump', target };
}

export function when<K extends OperandKind>(condition: Value<K>, ...then: readonly Statement<K>[]): Statement<K> {
  return { kind: 'when', condition, then };
}

// ---- Rows

/** What a translator knows of the code around an instruction. */
export interface Surroundings {
  /** The code runs in kernel mode, in which coprocessor 0 is usable. */
  readonly isKernel: boolean;
  /** There is a write buffer. */
  readonly isTimed: boolean;
}

/** What an instruction does. */
export type Semantics<K extends OperandKind = never> =
  | readonly Statement<K>[]
  /** `cpu/slow-path.ts` executes it, and nothing else. */
  | 'interpreter'
  /** `cpu/slow-path.ts` executes it; translated code may do these statements where `where` allows it. */
  | {
      readonly statements: readonly Statement<K>[];
      readonly where: (surroundings: Surroundings, operands: readonly number[]) => boolean;
    };

/** The statements of a row that translated code may do, or undefined if the instruction is the interpreter's. */
export function translatable<K extends OperandKind>(
  row: Semantics<K>,
  surroundings: Surroundings,
  operands: readonly number[],
): readonly Statement<K>[] | undefined {
  if (row === 'interpreter') return undefined;
  if ('where' in row) return row.where(surroundings, operands) ? row.statements : undefined;
  return row.some(({ kind }) => kind === 'trap') ? undefined : row;
}

/** All statements of a row, those behind a `when` included. */
export function* everyStatement<K extends OperandKind>(statements: readonly Statement<K>[]): Generator<Statement<K>> {
  for (const statement of statements) {
    yield statement;
    if (statement.kind === 'when') yield* everyStatement(statement.then);
  }
}

/** All values of a row, those of which others are made included. */
export function* everyValue<K extends OperandKind>(statements: readonly Statement<K>[]): Generator<Value<K>> {
  for (const statement of everyStatement(statements)) {
    for (const value of valuesOf(statement)) yield* withParts(value);
  }
}

function valuesOf<K extends OperandKind>(statement: Statement<K>): readonly Value<K>[] {
  switch (statement.kind) {
    case 'set':
    case 'setState':
    case 'keep':
    case 'store':
      return [statement.value];
    case 'storeAround':
      return [statement.value, statement.mask];
    case 'setHiLo':
      return [statement.value.a, statement.value.b];
    case 'trapIf':
    case 'branchIf':
    case 'when':
      return [statement.condition];
    case 'jump':
      return [statement.target];
    case 'reach':
      return [reg(statement.of)];
    case 'multiplier':
    case 'trap':
      return [];
  }
}

function* withParts<K extends OperandKind>(value: Value<K>): Generator<Value<K>> {
  yield value;
  if (value.kind === 'apply') for (const part of value.values) yield* withParts(part);
  if (value.kind === 'select') for (const part of [value.condition, value.yes, value.no]) yield* withParts(part);
}
