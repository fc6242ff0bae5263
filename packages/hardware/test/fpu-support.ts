/** What the tests of the floating-point unit share: one operation on given bits, without and with traps. */
import { encode, operandKinds, type Mnemonic } from '@exokernel/isa';
import { Machine } from '../src/index.ts';
import { CODE } from './support.ts';

export const CU1 = 0x20000000;

/** The letters of a set of exceptions, as in `softfloat.ts`. */
function letters(exceptions: number): string {
  return [...'EVZOUI'].filter((_, i) => (exceptions & (0x20 >> i)) !== 0).join('');
}

export interface Result {
  /** The destination, or the condition bit of a comparison. */
  readonly bits: bigint;
  readonly cause: string;
  readonly flags: string;
  /** The unit asks for its interrupt. */
  readonly trapped: boolean;
}

const DESTINATION = 4;

/** A word of an operation fd = f4, fs = f8, ft = f12. */
export function operation(mnemonic: Mnemonic): number {
  const fields: Record<string, number> = { fd: DESTINATION, fs: 8, ft: 12 };
  return encode({ mnemonic, operands: operandKinds(mnemonic).map((kind) => fields[kind] ?? 0) });
}

/** A machine that executes one operation of the floating-point unit at a time. */
export class FpuBench {
  readonly machine: Machine = new Machine({ ramBytes: 0x2000 });

  /** `status` is FCR31 before; `a` and `b` fill f8 and f12, and f4 holds 0x0123456789abcdef. */
  run(mnemonic: Mnemonic, a: bigint, b: bigint, status = 0): Result {
    const { cpu, memory } = this.machine;
    memory.store32(CODE & 0x1fffffff, operation(mnemonic));
    cpu.cp0.status = CU1;
    cpu.fpu.status = status;
    const set = (register: number, bits: bigint): void => {
      cpu.fpu.words[register] = Number(BigInt.asIntN(32, bits));
      cpu.fpu.words[register + 1] = Number(BigInt.asIntN(32, bits >> 32n));
    };
    set(8, a);
    set(12, b);
    set(DESTINATION, 0x0123456789abcdefn);
    cpu.pc = CODE;
    this.machine.run(1);
    const after = cpu.fpu.status;
    const word = (register: number): bigint => BigInt((cpu.fpu.words[register] ?? 0) >>> 0);
    const isDouble = /\.d$/.test(mnemonic) && !/^cvt/.test(mnemonic) ? true : /^cvt\.d/.test(mnemonic);
    const bits = mnemonic.startsWith('c.')
      ? BigInt((after >>> 23) & 1)
      : word(DESTINATION) | (isDouble ? word(DESTINATION + 1) << 32n : 0n);
    const trapped = (cpu.cp0.cause & 0x8000) !== 0;
    return { bits, cause: letters((after >>> 12) & 63), flags: letters((after >>> 2) & 31), trapped };
  }
}
