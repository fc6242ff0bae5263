/**
 * Integer matrix multiplication: the original's application benchmark, 150 × 150. [SOSP95 §6.3]
 *
 * There are two programs of it: in machine code written by hand, which the labs measure, and compiled from AssemblyScript, which the demo runs.
 * The result of both is one word made of every element of the product, which `matmulResult` computes independently.
 */
import {
  A0,
  RA,
  S0,
  S1,
  S2,
  S3,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  V0,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { compiledProgram, machineProgram, type CompiledProgram, type MachineProgram } from '@exokernel/libos-kit';
import { MATMUL_WASM } from './matmul-wasm.ts';

/** Mixes one element into the result: result × 31 + element. */
const MIX = 31;

/** Elements of the factors. */
function elementA(i: number, j: number): number {
  return (3 * i + 5 * j + 1) & 0xff;
}
function elementB(i: number, j: number): number {
  return (7 * i + 2 * j + 3) & 0xff;
}

/** A program that multiplies two n × n matrices and returns the mixed product. Throws `RangeError` unless 1 ≤ n ≤ 256. */
export function matmul(n: number): MachineProgram<'memory'> {
  if (!Number.isInteger(n) || n < 1 || n > 256) throw new RangeError(`matrices of ${n} rows: use 1 to 256`);
  return machineProgram('matmul', ['memory'], 0, (a, os) => {
    a.addiu(SP, SP, -8);
    a.sw(RA, 4, SP);
    for (const matrix of [S0, S1, S2]) {
      a.li(A0, 4 * n * n);
      a.li(T0, os.entry('memory_allocate'));
      a.jalr(RA, T0);
      a.nop();
      a.bltz(V0, 'failed');
      a.move(matrix, V0);
    }
    emitFill(a, n, S0, [3, 5, 1]);
    emitFill(a, n, S1, [7, 2, 3]);
    emitMultiply(a, n);
    emitMix(a, n);
    a.label('done');
    a.lw(RA, 4, SP);
    a.addiu(SP, SP, 8);
    a.ret();
    a.nop();
    a.label('failed');
    a.b('done');
    a.li(V0, -1);
  });
}

/** The rows of `compiledMatmul`. */
export const MATMUL_ROWS = 150;

/** The program for matrices of MATMUL_ROWS rows in AssemblyScript (`programs/matmul.ts`), compiled. */
export function compiledMatmul(): CompiledProgram<'memory'> {
  return compiledProgram('matmul', ['memory'], MATMUL_WASM);
}

/** What the program returns, as a signed word. */
export function matmulResult(n: number): number {
  let result = 0;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      let sum = 0;
      for (let k = 0; k < n; k += 1) sum = (sum + elementA(i, k) * elementB(k, j)) | 0;
      result = (Math.imul(result, MIX) + sum) | 0;
    }
  }
  return result;
}

/** matrix[i][j] = (x·i + y·j + z) & 0xff, row by row. t0 = i, t1 = j, t2 = place. */
function emitFill(a: Assembler, n: number, matrix: typeof S0, [x, y, z]: readonly [number, number, number]): void {
  const [row, column] = [a.fresh('row'), a.fresh('column')];
  a.move(T2, matrix);
  a.li(T3, z);
  a.li(T0, n);
  a.label(row);
  a.move(T4, T3);
  a.li(T1, n);
  a.label(column);
  a.andi(T5, T4, 0xff);
  a.sw(T5, 0, T2);
  a.addiu(T1, T1, -1);
  a.addiu(T4, T4, y);
  a.bne(T1, ZERO, column);
  a.addiu(T2, T2, 4);
  a.addiu(T0, T0, -1);
  a.bne(T0, ZERO, row);
  a.addiu(T3, T3, x);
}

/** s2 = s0 × s1. t0 = row of A, t1 = column of B, t2 = place in C. */
function emitMultiply(a: Assembler, n: number): void {
  a.move(T0, S0);
  a.move(T2, S2);
  a.li(S3, n);
  a.label('multiply.row');
  a.move(T1, S1);
  a.li(T8, n);
  a.label('multiply.column');
  a.move(T3, T0);
  a.move(T4, T1);
  a.addiu(T5, T0, 4 * n);
  a.move(V0, ZERO);
  a.label('multiply.inner');
  a.lw(T6, 0, T3);
  a.lw(T7, 0, T4);
  a.addiu(T3, T3, 4);
  a.mult(T6, T7);
  a.addiu(T4, T4, 4 * n);
  a.mflo(T6);
  a.bne(T3, T5, 'multiply.inner');
  a.addu(V0, V0, T6);
  a.sw(V0, 0, T2);
  a.addiu(T2, T2, 4);
  a.addiu(T8, T8, -1);
  a.bne(T8, ZERO, 'multiply.column');
  a.addiu(T1, T1, 4);
  a.addiu(S3, S3, -1);
  a.bne(S3, ZERO, 'multiply.row');
  a.addiu(T0, T0, 4 * n);
}

/** v0 = all elements of s2, mixed. */
function emitMix(a: Assembler, n: number): void {
  a.li(T0, n * n);
  a.move(T1, S2);
  a.move(V0, ZERO);
  a.label('mix');
  a.lw(T2, 0, T1);
  a.sll(T3, V0, 5);
  a.subu(V0, T3, V0);
  a.addu(V0, V0, T2);
  a.addiu(T0, T0, -1);
  a.bne(T0, ZERO, 'mix');
  a.addiu(T1, T1, 4);
}
