/** What each numeric instruction of WebAssembly is in the IR, by opcode. */
import { INSTRUCTION_SET } from '@exokernel/wasm';
import type { BinaryOperator, Expression, Size, UnaryOperator } from '../ir/ir.ts';

export const word = (value: number): Expression => ({ kind: 'const', value: value >>> 0 });
export const long = (value: bigint): Expression => ({ kind: 'const64', value: BigInt.asUintN(64, value) });
export const unary = (operator: UnaryOperator, operand: Expression): Expression => ({
  kind: 'unary',
  operator,
  operand,
});
export const binary = (operator: BinaryOperator, left: Expression, right: Expression): Expression => ({
  kind: 'binary',
  operator,
  left,
  right,
});

type Build = (a: Expression, b: Expression) => Expression;

const plain =
  (operator: BinaryOperator): Build =>
  (a, b) =>
    binary(operator, a, b);
const exchanged =
  (operator: BinaryOperator): Build =>
  (a, b) =>
    binary(operator, b, a);
const shift =
  (operator: BinaryOperator): Build =>
  (a, b) =>
    binary(operator, a, unary('wrap', b));
const isZero = (a: Expression): Expression => binary('eq', a, word(0));

/** Evaluation is from left to right, so exchanged operands are only for what has no order: the translator saves operands that have. */
const BUILDERS: Readonly<Record<string, Build>> = {
  'i32.eqz': isZero,
  'i32.eq': plain('eq'),
  'i32.ne': plain('ne'),
  'i32.lt_s': plain('lts'),
  'i32.lt_u': plain('ltu'),
  'i32.gt_s': exchanged('lts'),
  'i32.gt_u': exchanged('ltu'),
  'i32.le_s': plain('les'),
  'i32.le_u': plain('leu'),
  'i32.ge_s': exchanged('les'),
  'i32.ge_u': exchanged('leu'),
  'i64.eqz': (a) => binary('eq64', a, long(0n)),
  'i64.eq': plain('eq64'),
  'i64.ne': plain('ne64'),
  'i64.lt_s': plain('lts64'),
  'i64.lt_u': plain('ltu64'),
  'i64.gt_s': exchanged('lts64'),
  'i64.gt_u': exchanged('ltu64'),
  'i64.le_s': plain('les64'),
  'i64.le_u': plain('leu64'),
  'i64.ge_s': exchanged('les64'),
  'i64.ge_u': exchanged('leu64'),
  'i32.add': plain('add'),
  'i32.sub': plain('sub'),
  'i32.mul': plain('mul'),
  'i32.div_s': plain('divs'),
  'i32.div_u': plain('divu'),
  'i32.rem_s': plain('rems'),
  'i32.rem_u': plain('remu'),
  'i32.and': plain('and'),
  'i32.or': plain('or'),
  'i32.xor': plain('xor'),
  'i32.shl': plain('shl'),
  'i32.shr_s': plain('sar'),
  'i32.shr_u': plain('shr'),
  'i32.rotl': plain('rotl'),
  'i32.rotr': (a, b) => binary('rotl', a, binary('sub', word(0), b)),
  'i64.add': plain('add64'),
  'i64.sub': plain('sub64'),
  'i64.mul': plain('mul64'),
  'i64.and': plain('and64'),
  'i64.or': plain('or64'),
  'i64.xor': plain('xor64'),
  'i64.shl': shift('shl64'),
  'i64.shr_s': shift('sar64'),
  'i64.shr_u': shift('shr64'),
  'i64.rotl': shift('rotl64'),
  'i64.rotr': (a, b) => binary('rotl64', a, binary('sub', word(0), unary('wrap', b))),
  'i32.wrap_i64': (a) => unary('wrap', a),
  'i64.extend_i32_s': (a) => unary('extends', a),
  'i64.extend_i32_u': (a) => unary('extendu', a),
  'i32.extend8_s': (a) => unary('extend8', a),
  'i32.extend16_s': (a) => unary('extend16', a),
  'i64.extend8_s': (a) => unary('extends', unary('extend8', unary('wrap', a))),
  'i64.extend16_s': (a) => unary('extends', unary('extend16', unary('wrap', a))),
  'i64.extend32_s': (a) => unary('extends', unary('wrap', a)),
};

/** A numeric instruction. */
export interface Operation {
  readonly arity: 1 | 2;
  readonly type: 'i32' | 'i64';
  readonly build: Build;
  readonly mayTrap: boolean;
}

/** By opcode. */
export const OPERATIONS: readonly (Operation | undefined)[] = ((): (Operation | undefined)[] => {
  const table = new Array<Operation | undefined>(0x112).fill(undefined);
  for (const [name, build] of Object.entries(BUILDERS)) {
    const row = INSTRUCTION_SET[name];
    if (row === undefined) continue;
    const [opcode, , operands, results] = row;
    table[opcode] = {
      arity: operands.length === 1 ? 1 : 2,
      type: results === 'l' ? 'i64' : 'i32',
      build,
      mayTrap: /div|rem/.test(name),
    };
  }
  return table;
})();

/** An access to memory. */
export interface Access {
  readonly isStore: boolean;
  readonly size: Size;
  readonly signed: boolean;
  readonly type: 'i32' | 'i64';
}

/** By opcode. */
export const ACCESSES: readonly (Access | undefined)[] = ((): (Access | undefined)[] => {
  const table = new Array<Access | undefined>(0x112).fill(undefined);
  for (const [name, [opcode, immediates]] of Object.entries(INSTRUCTION_SET)) {
    if (immediates !== 'access' || name.startsWith('f')) continue;
    const type = name.startsWith('i64') ? 'i64' : 'i32';
    const bits = /(?:load|store)(\d+)/.exec(name)?.[1];
    const size = bits === undefined ? (type === 'i64' ? 8 : 4) : Number(bits) / 8;
    table[opcode] = { isStore: name.includes('store'), size: size as Size, signed: name.endsWith('_s'), type };
  }
  return table;
})();

/** Instructions that are calls of helpers: by opcode, the helper's name. */
export const HELPED: ReadonlyMap<number, string> = new Map(
  [
    'i32.clz',
    'i32.ctz',
    'i32.popcnt',
    'i64.clz',
    'i64.ctz',
    'i64.popcnt',
    'i64.div_s',
    'i64.div_u',
    'i64.rem_s',
    'i64.rem_u',
    'memory.copy',
    'memory.fill',
  ].map((name) => [INSTRUCTION_SET[name]?.[0] ?? -1, name]),
);
