/**
 * From the rows of `semantics/` to code: what an instruction does, with its operands filled in.
 *
 * A branch leaves its condition, or its target if that is in a register, with the emission; the region goes on from there.
 * An instruction that can turn out to be the interpreter's does so before it has changed anything (`semantics/language.ts`).
 */
import { operandOf, OPERAND_FIELDS, type OperandKind } from '@exokernel/isa';
import type { Size, Statement, Value, Wide } from '../semantics/language.ts';
import { OPERATORS } from '../semantics/operators.ts';
import type { Access, Emission } from './emission.ts';
import type { Step } from './region.ts';

type AnyValue = Value<OperandKind>;
type AnyStatement = Statement<OperandKind>;

const LOADS: Readonly<Record<Size, readonly [unsigned: Access, signed: Access]>> = {
  1: ['i32Load8U', 'i32Load8S'],
  2: ['i32Load16U', 'i32Load16S'],
  4: ['i32Load', 'i32Load'],
};
const STORES: Readonly<Record<Size, Access>> = { 1: 'i32Store8', 2: 'i32Store16', 4: 'i32Store' };

/** Emits what an instruction does. */
export function lower(e: Emission, { statements, word }: Step): void {
  const lowering = new Lowering(e, word);
  for (const statement of statements) lowering.statement(statement);
}

class Lowering {
  readonly #e: Emission;
  readonly #word: number;
  /** Of the access reached. */
  #size: Size = 1;

  constructor(e: Emission, word: number) {
    this.#e = e;
    this.#word = word;
  }

  statement(statement: AnyStatement): void {
    const e = this.#e;
    switch (statement.kind) {
      case 'set':
        this.#push(statement.value);
        e.set(typeof statement.register === 'number' ? statement.register : this.#field(statement.register));
        break;
      case 'setState':
        e.setState(statement.word, () => {
          this.#push(statement.value);
        });
        break;
      case 'setHiLo':
        this.#setHiLo(statement.value);
        break;
      case 'keep':
        this.#push(statement.value);
        e.setTemporary();
        break;
      case 'multiplier':
        e.useMultiplier(statement.use);
        break;
      case 'reach':
        this.#size = statement.size;
        e.reach(this.#field(statement.of), operandOf(this.#word, 'offset') ?? 0, statement.size, statement.isStore);
        break;
      case 'store':
        e.store(STORES[this.#size], () => {
          this.#push(statement.value);
        });
        break;
      case 'storeAround':
        e.storeWordAround(() => {
          e.loadWordAround();
          this.#push(statement.mask);
          e.constant(-1);
          e.op('i32Xor');
          e.op('i32And');
          this.#push(statement.value);
          e.op('i32Or');
        });
        break;
      case 'trap':
        e.constant(1);
        e.slowIf();
        break;
      case 'trapIf':
        this.#push(statement.condition);
        e.slowIf();
        break;
      case 'branchIf':
        this.#push(statement.condition);
        e.setCondition();
        break;
      case 'jump':
        this.#push(statement.target);
        e.setCondition();
        break;
      case 'when':
        this.#push(statement.condition);
        e.code.if();
        for (const then of statement.then) this.statement(then);
        e.code.end();
        break;
    }
  }

  /** Division by zero, and the quotient that does not fit, are the interpreter's. */
  #setHiLo({ kind, isSigned, a, b }: Wide<OperandKind>): void {
    const e = this.#e;
    const both = (): void => {
      this.#push(a);
      this.#push(b);
    };
    if (kind === 'product') {
      for (const factor of [a, b]) {
        this.#push(factor);
        e.op(isSigned ? 'i64ExtendI32S' : 'i64ExtendI32U');
      }
      e.op('i64Mul');
      e.setProduct();
      return;
    }
    this.#push(b);
    e.op('i32Eqz');
    if (isSigned) {
      this.#push(a);
      e.constant(0x80000000 | 0);
      e.op('i32Eq');
      this.#push(b);
      e.constant(-1);
      e.op('i32Eq');
      e.op('i32And');
      e.op('i32Or');
    }
    e.slowIf();
    both();
    e.op(isSigned ? 'i32DivS' : 'i32DivU');
    e.setLo();
    both();
    e.op(isSigned ? 'i32RemS' : 'i32RemU');
    e.setHi();
  }

  /** Pushes a value: a constant if it is one for these operands. */
  #push(value: AnyValue): void {
    const e = this.#e;
    const constant = this.#constant(value);
    if (constant !== undefined) {
      e.constant(constant);
      return;
    }
    switch (value.kind) {
      case 'register':
      case 'merging': // nothing is under way where a region begins
        e.get(this.#field(value.of));
        break;
      case 'cp0':
        e.getCp0(this.#field(value.of));
        break;
      case 'state':
        e.getState(value.word);
        break;
      case 'loaded':
        e.load(LOADS[value.size][value.isSigned ? 1 : 0]);
        break;
      case 'kept':
        e.getTemporary();
        break;
      case 'byteNumber':
        e.getAddress();
        e.constant(3);
        e.op('i32And');
        break;
      case 'wordAround':
        e.loadWordAround();
        break;
      case 'place':
        e.getAddress();
        break;
      case 'behindSlot':
        e.constant(e.at + 8);
        break;
      case 'writeBufferEmpty': // no row asks for it where there is one
        e.constant(1);
        break;
      case 'apply':
        for (const argument of value.values) this.#push(argument);
        e.op(OPERATORS[value.operator].opcode);
        break;
      case 'select':
        this.#push(value.yes);
        this.#push(value.no);
        this.#push(value.condition);
        e.code.select();
        break;
      case 'constant':
      case 'operand':
        break;
    }
  }

  /** What a value is if no register and no memory has a part in it. */
  #constant(value: AnyValue): number | undefined {
    switch (value.kind) {
      case 'constant':
        return value.value;
      case 'operand':
        return operandOf(this.#word, value.of);
      case 'register':
        return this.#field(value.of) === 0 ? 0 : undefined;
      case 'apply': {
        const [a, b = 0] = value.values.map((argument) => this.#constant(argument) ?? NaN);
        return a === undefined || Number.isNaN(a) || Number.isNaN(b)
          ? undefined
          : OPERATORS[value.operator].compute(a, b);
      }
      default:
        return undefined;
    }
  }

  /** The number of the register that an operand is. */
  #field(kind: OperandKind): number {
    return (this.#word >>> OPERAND_FIELDS[kind].shift) & 31;
  }
}
