/**
 * The operators on 32-bit numbers: what each computes, and the instruction of WebAssembly that does the same.
 *
 * A shift takes the low five bits of its second argument; a comparison gives 1 or 0. A test holds the two columns equal.
 */
import type { OpcodeName } from '@exokernel/wasm';

/** The name of an operator. */
export type Operator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shrS'
  | 'shrU'
  | 'eq'
  | 'ne'
  | 'ltS'
  | 'ltU'
  | 'leS'
  | 'gtS'
  | 'geS'
  | 'leadingZeros'
  | 'extend8'
  | 'extend16';

interface OperatorRow {
  readonly opcode: Exclude<Extract<OpcodeName, `i32${string}`>, `i32Load${string}` | `i32Store${string}` | 'i32Const'>;
  readonly compute: (a: number, b: number) => number;
}

const bit = (isTrue: boolean): number => (isTrue ? 1 : 0);

/** The operators. Arguments and results are int32; a unary one does not look at `b`. */
export const OPERATORS: Readonly<Record<Operator, OperatorRow>> = {
  add: { opcode: 'i32Add', compute: (a, b) => (a + b) | 0 },
  sub: { opcode: 'i32Sub', compute: (a, b) => (a - b) | 0 },
  mul: { opcode: 'i32Mul', compute: (a, b) => Math.imul(a, b) },
  and: { opcode: 'i32And', compute: (a, b) => a & b },
  or: { opcode: 'i32Or', compute: (a, b) => a | b },
  xor: { opcode: 'i32Xor', compute: (a, b) => a ^ b },
  shl: { opcode: 'i32Shl', compute: (a, b) => a << b },
  shrS: { opcode: 'i32ShrS', compute: (a, b) => a >> b },
  shrU: { opcode: 'i32ShrU', compute: (a, b) => (a >>> b) | 0 },
  eq: { opcode: 'i32Eq', compute: (a, b) => bit(a === b) },
  ne: { opcode: 'i32Ne', compute: (a, b) => bit(a !== b) },
  ltS: { opcode: 'i32LtS', compute: (a, b) => bit(a < b) },
  ltU: { opcode: 'i32LtU', compute: (a, b) => bit(a >>> 0 < b >>> 0) },
  leS: { opcode: 'i32LeS', compute: (a, b) => bit(a <= b) },
  gtS: { opcode: 'i32GtS', compute: (a, b) => bit(a > b) },
  geS: { opcode: 'i32GeS', compute: (a, b) => bit(a >= b) },
  leadingZeros: { opcode: 'i32Clz', compute: (a) => Math.clz32(a) },
  extend8: { opcode: 'i32Extend8S', compute: (a) => (a << 24) >> 24 },
  extend16: { opcode: 'i32Extend16S', compute: (a) => (a << 16) >> 16 },
};
