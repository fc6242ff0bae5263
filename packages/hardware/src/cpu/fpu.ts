/**
 * The floating-point unit, an R3010: what one operation does to its registers and its status.
 *
 * `operate` completes an operation or changes nothing: an operation that traps is the slow path's, which writes the cause
 * and asks for the interrupt (`slow-path-fpu.ts`). Registers and status are words of `cpu-state.ts`; nothing else is state.
 *
 * 16 registers of 64 bits hold singles or doubles; they have the even numbers 0 to 30. An operation that names an odd one,
 * or one that the R3010 does not have, is Unimplemented (E).
 *
 * Assumption: the manual leaves an odd number undefined; E is what lets software see it. `mov` is no arithmetic: it moves
 * any bits, and leaves the status.
 * Deviation: the result of a compare and a new status are there for the next instruction; the R3010 needs one between.
 *
 * Source: [KANE92 §7, §8, app. B].
 */
import {
  addDouble,
  addSingle,
  divideDouble,
  divideSingle,
  multiplyDouble,
  multiplySingle,
  type FpuRegisters,
} from './fpu-arithmetic.ts';
import { compareDouble, compareSingle, INVALID_WORD, toSingle, toWord } from './fpu-conversion.ts';
import {
  DOUBLE_NAN_HIGH,
  DOUBLE_NAN_LOW,
  doubleOperand,
  operandExceptions,
  SINGLE_NAN,
  singleOperand,
} from './fpu-operands.ts';
import { Rounding } from './fpu-rounding.ts';
import { accrue, CONDITION, FCR31_WRITABLE, FP_E, FP_V, trapping } from './fpu-status.ts';
import * as S from '../memory/cpu-state.ts';

const SINGLE = 16;
const DOUBLE = 17;
const WORD = 20;

/** Function fields. */
const MUL = 2;
const DIV = 3;
const ABS = 5;
const MOV = 6;
const CVT_S = 0x20;
const CVT_D = 0x21;
const CVT_W = 0x24;
const COMPARE = 0x30;

/** The unit of one CPU. */
export class Fpu implements FpuRegisters {
  readonly words: Int32Array;
  readonly singles: Float32Array;
  readonly doubles: Float64Array;
  readonly #state: Int32Array;
  readonly #rounding: Rounding = new Rounding();
  /** What the operation signalled that `operate` has just refused. */
  exceptions: number = 0;

  constructor(state: Int32Array) {
    const at = state.byteOffset + 4 * S.FPR;
    this.#state = state;
    this.words = state.subarray(S.FPR, S.FPR + 32);
    this.singles = new Float32Array(state.buffer, at, 32);
    this.doubles = new Float64Array(state.buffer, at, 16);
  }

  /** FCR31. */
  get status(): number {
    return this.#state[S.FCR31] as number;
  }

  /** Writes FCR31; the interrupt line is the caller's. */
  set status(value: number) {
    this.#state[S.FCR31] = value & FCR31_WRITABLE;
  }

  /** What the last comparison found. */
  get condition(): boolean {
    return (this.status & CONDITION) !== 0;
  }

  /** Executes an operation of coprocessor 1. False: it traps, for the reasons in `exceptions`, and nothing has changed. */
  operate(word: number): boolean {
    const format = (word >>> 21) & 31;
    const operation = word & 63;
    const fd = (word >>> 6) & 31;
    const fs = (word >>> 11) & 31;
    const ft = (word >>> 16) & 31;
    const { status } = this;
    this.#rounding.mode = status & 3;
    if (((fd | fs | ft) & 1) !== 0) return this.#refuse(FP_E);
    const isDouble = format === DOUBLE;
    if (operation <= DIV) {
      if (!isDouble && format !== SINGLE) return this.#refuse(FP_E);
      return this.#finish(this.#arithmetic(operation, isDouble, fs, ft), status, fd, isDouble);
    }
    if (operation >= COMPARE) {
      if (fd !== 0 || (!isDouble && format !== SINGLE)) return this.#refuse(FP_E);
      return this.#compare(operation & 15, isDouble, status, fs, ft);
    }
    if (ft !== 0) return this.#refuse(FP_E);
    return this.#unary(operation, format, status, fd, fs);
  }

  /** add, sub, mul, div. */
  #arithmetic(operation: number, isDouble: boolean, fs: number, ft: number): number {
    const r = this.#rounding;
    const bad = operandExceptions(this.#operand(isDouble, fs) | this.#operand(isDouble, ft));
    if (bad !== 0) return bad;
    if (isDouble) {
      if (operation === MUL) return multiplyDouble(this, r, fs, ft);
      if (operation === DIV) return divideDouble(this, r, fs, ft);
      return addDouble(this, r, fs, ft, operation !== 0);
    }
    if (operation === MUL) return multiplySingle(this, r, fs, ft);
    if (operation === DIV) return divideSingle(this, r, fs, ft);
    return addSingle(this, r, fs, ft, operation !== 0);
  }

  /** abs, mov, neg and the conversions. */
  #unary(operation: number, format: number, status: number, fd: number, fs: number): boolean {
    const { words } = this;
    const isDouble = format === DOUBLE;
    if (format === WORD) {
      if (operation !== CVT_S && operation !== CVT_D) return this.#refuse(FP_E);
      const value = words[fs] as number;
      const r = this.#rounding;
      const exceptions = operation === CVT_S ? toSingle(r, value) : r.exact(value);
      return this.#finish(exceptions, status, fd, operation === CVT_D);
    }
    if (!isDouble && format !== SINGLE) return this.#refuse(FP_E);
    if (operation === MOV) {
      if (isDouble) words[fd + 1] = words[fs + 1] as number;
      words[fd] = words[fs] as number;
      return true;
    }
    const bad = this.#operand(isDouble, fs);
    if (operation === CVT_W) return this.#toWord(bad, isDouble, status, fd, fs);
    const toDouble = operation === CVT_D;
    const isSign = operation === ABS || operation === ABS + 2;
    if (!isSign && (isDouble ? operation !== CVT_S : !toDouble)) return this.#refuse(FP_E);
    if (bad !== 0) return this.#finish(bad, status, fd, isSign ? isDouble : toDouble);
    const value = (isDouble ? this.doubles[fs >> 1] : this.singles[fs]) as number;
    const r = this.#rounding;
    if (!isSign) return this.#finish(toDouble ? r.exact(value) : toSingle(r, value), status, fd, toDouble);
    return this.#finish(r.exact(operation === ABS ? Math.abs(value) : -value), status, fd, isDouble);
  }

  /** No NaN is Unimplemented here: none is a word. */
  #toWord(bad: number, isDouble: boolean, status: number, fd: number, fs: number): boolean {
    const value = (isDouble ? this.doubles[fs >> 1] : this.singles[fs]) as number;
    const exceptions = bad !== 0 && !Number.isNaN(value) ? bad : toWord(this.#rounding, value);
    if (trapping(status, exceptions) !== 0) return this.#refuse(exceptions);
    this.words[fd] = (exceptions & FP_V) !== 0 ? INVALID_WORD : (this.#rounding.value[0] as number);
    this.#state[S.FCR31] = accrue(status, exceptions);
    return true;
  }

  #compare(condition: number, isDouble: boolean, status: number, fs: number, ft: number): boolean {
    const r = this.#rounding;
    const exceptions = isDouble ? compareDouble(this, r, fs, ft, condition) : compareSingle(this, r, fs, ft, condition);
    if (trapping(status, exceptions) !== 0) return this.#refuse(exceptions);
    const answer = r.value[0] === 0 ? 0 : CONDITION;
    this.#state[S.FCR31] = (accrue(status, exceptions) & ~CONDITION) | answer;
    return true;
  }

  /** The exceptions of a register as an operand. */
  #operand(isDouble: boolean, register: number): number {
    const low = this.words[register] as number;
    return isDouble ? doubleOperand(this.words[register + 1] as number, low) : singleOperand(low);
  }

  #refuse(exceptions: number): boolean {
    this.exceptions = exceptions;
    return false;
  }

  /** Writes the result in `rounding.value`, or the NaN of an Invalid. */
  #finish(exceptions: number, status: number, fd: number, isDouble: boolean): boolean {
    if (trapping(status, exceptions) !== 0) return this.#refuse(exceptions);
    const invalid = (exceptions & FP_V) !== 0;
    if (!isDouble) {
      if (invalid) this.words[fd] = SINGLE_NAN;
      else this.singles[fd] = this.#rounding.value[0] as number;
    } else if (invalid) {
      this.words[fd] = DOUBLE_NAN_LOW;
      this.words[fd + 1] = DOUBLE_NAN_HIGH;
    } else this.doubles[fd >> 1] = this.#rounding.value[0] as number;
    this.#state[S.FCR31] = accrue(status, exceptions);
    return true;
  }
}
