/**
 * Binary operators and conditions to MIPS: immediates where a constant fits, comparisons straight into branches.
 *
 * For `ExpressionSelector` and `StatementSelector` alone. A comparison has no instruction of its own except `slt` and
 * `sltu`; the others are these with operands or result exchanged.
 */
import { ZERO, type Mnemonic, type Register } from '@exokernel/isa';
import type { BinaryOperator } from '../program/ir.ts';
import type { LoweredExpression } from '../lower/lowered.ts';
import type { Label } from './code.ts';
import type { Held, Selector } from './selector.ts';

type Binary = Extract<LoweredExpression, { kind: 'binary' }>;

const REGISTER_FORMS: Partial<Record<BinaryOperator, Mnemonic>> = {
  add: 'addu',
  sub: 'subu',
  and: 'and',
  or: 'or',
  xor: 'xor',
  ltu: 'sltu',
  lts: 'slt',
};
const SHIFTS: Partial<Record<BinaryOperator, readonly [constant: Mnemonic, variable: Mnemonic]>> = {
  shl: ['sll', 'sllv'],
  shr: ['srl', 'srlv'],
  sar: ['sra', 'srav'],
};

const isSigned16 = (value: number): boolean => (value | 0) >= -0x8000 && (value | 0) <= 0x7fff;

/** The instruction with an immediate that does `operator` with this constant on the right, if there is one. */
function immediateForm(operator: BinaryOperator, value: number): readonly [Mnemonic, number] | undefined {
  const signed = value | 0;
  switch (operator) {
    case 'add':
      return isSigned16(value) ? ['addiu', signed] : undefined;
    case 'sub':
      return isSigned16(-signed) ? ['addiu', -signed] : undefined;
    case 'and':
      return value <= 0xffff ? ['andi', value] : undefined;
    case 'or':
      return value <= 0xffff ? ['ori', value] : undefined;
    case 'xor':
      return value <= 0xffff ? ['xori', value] : undefined;
    case 'ltu':
      return isSigned16(value) ? ['sltiu', signed] : undefined;
    case 'lts':
      return isSigned16(value) ? ['slti', signed] : undefined;
    case 'leu':
      return value !== 0xffffffff && isSigned16(value + 1) ? ['sltiu', (value + 1) | 0] : undefined;
    case 'les':
      return value !== 0x7fffffff && isSigned16(value + 1) ? ['slti', (value + 1) | 0] : undefined;
    case 'shl':
    case 'shr':
    case 'sar':
      return [SHIFTS[operator]?.[0] ?? 'sll', value & 31];
    case 'mul':
    case 'divu':
    case 'remu':
    case 'eq':
    case 'ne':
      return undefined;
  }
}

/** The value of a binary operator; `divideExit` is where division by zero goes. */
export function selectBinary(to: Selector, node: Binary, wanted: Register | undefined, divideExit: Label): Held {
  const { operator, left, right } = node;
  const { code } = to;
  if (operator === 'eq' || operator === 'ne') return selectEquality(to, node, wanted);
  if (right.kind === 'const') {
    const form = immediateForm(operator, right.value);
    if (form !== undefined) {
      const held = to.select(left);
      to.release(held);
      const into = to.take(wanted);
      code.emit(form[0], [into.register, held.register, form[1]]);
      return into;
    }
  }
  const [a, b] = to.selectPair(left, right);
  const [x, y] = [a.register, b.register];
  if (operator === 'divu' || operator === 'remu') {
    if (right.kind !== 'const') code.emit('beq', [y, ZERO], { target: divideExit });
    else if (right.value === 0) code.jump(divideExit);
  }
  to.release(b);
  to.release(a);
  const into = to.take(wanted);
  const result = into.register;
  switch (operator) {
    case 'mul':
      code.emit('multu', [x, y]);
      code.emit('mflo', [result]);
      break;
    case 'divu':
    case 'remu':
      code.emit('divu', [x, y]);
      code.emit(operator === 'divu' ? 'mflo' : 'mfhi', [result]);
      break;
    case 'leu':
    case 'les':
      code.emit(operator === 'leu' ? 'sltu' : 'slt', [result, y, x]);
      code.emit('xori', [result, result, 1]);
      break;
    case 'shl':
    case 'shr':
    case 'sar':
      code.emit(SHIFTS[operator]?.[1] ?? 'sllv', [result, x, y]);
      break;
    case 'add':
    case 'sub':
    case 'and':
    case 'or':
    case 'xor':
    case 'ltu':
    case 'lts':
      code.emit(REGISTER_FORMS[operator] ?? 'addu', [result, x, y]);
      break;
  }
  return into;
}

/** `eq` and `ne` as values: the difference, compared with 0 or with 1. */
function selectEquality(to: Selector, { operator, left, right }: Binary, wanted: Register | undefined): Held {
  const { code } = to;
  let held: Held;
  if (right.kind === 'const' && right.value === 0) held = to.select(left);
  else if (right.kind === 'const' && (right.value <= 0xffff || isSigned16(-right.value | 0))) {
    const operand = to.select(left);
    to.release(operand);
    held = to.take();
    if (right.value <= 0xffff) code.emit('xori', [held.register, operand.register, right.value]);
    else code.emit('addiu', [held.register, operand.register, -right.value | 0]);
  } else {
    const [a, b] = to.selectPair(left, right);
    to.release(b);
    to.release(a);
    held = to.take();
    code.emit('xor', [held.register, a.register, b.register]);
  }
  to.release(held);
  const into = to.take(wanted);
  if (operator === 'eq') code.emit('sltiu', [into.register, held.register, 1]);
  else code.emit('sltu', [into.register, ZERO, held.register]);
  return into;
}

/** Branches to `target` if the truth of the condition (not 0) is `sense`, else goes on. */
export function branchOn(to: Selector, condition: LoweredExpression, target: Label, sense: boolean): void {
  const { code } = to;
  if (condition.kind === 'const') {
    if ((condition.value !== 0) === sense) code.jump(target);
    return;
  }
  if (condition.kind === 'fits') {
    const index = to.select(condition.index);
    if (!sense) to.guard(condition.region, index, condition.guard, target);
    else to.guardInside(condition.region, index, condition.guard, target);
    to.release(index);
    return;
  }
  if (condition.kind === 'binary') {
    const { operator, left, right } = condition;
    const zero = right.kind === 'const' && right.value === 0;
    if (zero && (operator === 'eq' || operator === 'ne')) {
      branchOn(to, left, target, operator === 'eq' ? !sense : sense);
      return;
    }
    if (operator === 'eq' || operator === 'ne') {
      const [a, b] = to.selectPair(left, right);
      code.emit((operator === 'eq') === sense ? 'beq' : 'bne', [a.register, b.register], { target });
      to.release(b);
      to.release(a);
      return;
    }
    if (zero && (operator === 'lts' || operator === 'les')) {
      const held = to.select(left);
      const below = operator === 'lts' ? (['bltz', 'bgez'] as const) : (['blez', 'bgtz'] as const);
      code.emit(below[sense ? 0 : 1], [held.register], { target });
      to.release(held);
      return;
    }
    const isReversed = operator === 'leu' || operator === 'les';
    if (isReversed && (right.kind !== 'const' || immediateForm(operator, right.value) === undefined)) {
      const [a, b] = to.selectPair(left, right);
      to.release(b);
      to.release(a);
      const test = to.take();
      code.emit(operator === 'leu' ? 'sltu' : 'slt', [test.register, b.register, a.register]);
      code.emit(sense ? 'beq' : 'bne', [test.register, ZERO], { target });
      to.release(test);
      return;
    }
  }
  const held = to.select(condition);
  code.emit(sense ? 'bne' : 'beq', [held.register, ZERO], { target });
  to.release(held);
}
