/**
 * The load delay: a loaded register has its value one instruction late. [KANE92 §1]
 *
 * The interpreter writes it at once unless the next instruction names it; then that instruction is executed alone, and
 * `settle` ends the load after it. Registers are numbered as in DELAY_REGISTER: 32 + n is floating-point register n.
 */
import { effectsOf, EXTENSIONS, operandsOf, type InstructionRow, type Mnemonic } from '@exokernel/isa';
import { identify } from '../semantics/identify.ts';
import type { Cpu } from './cpu.ts';
import { isFpuHazard, writesFpu } from './fpu-hazards.ts';
import * as S from './state.ts';

/**
 * Whether the instruction `word` must not see a load of `register` just before it. Naming the register is enough: the
 * slow path it leads to is right for every instruction. `lwl` and `lwr` merge into what is being loaded, and the native
 * unit waits for it. Instructions that read what they write are of extensions; without those they are exceptions, which end the
 * load themselves.
 */
export function isHazard(word: number, register: number): boolean {
  if (register >= 32) return isFpuHazard(word, register - 32);
  if (word >>> 25 === 0x25) return false;
  if (((word >>> 21) & 31) === register) return true;
  if (((word >>> 16) & 31) === register) return word >>> 26 !== 0x22 && word >>> 26 !== 0x26;
  return ((word >>> 11) & 31) === register && readsDestination(word);
}

/** The rows of instructions that read the register in the field of rd. */
const READ_RD: readonly InstructionRow[] = Object.values(EXTENSIONS).flatMap((table) =>
  Object.entries(table)
    .filter(([mnemonic]) => operandsOf(mnemonic as Mnemonic).some(({ kind, isRead }) => kind === 'rd' && isRead))
    .map(([, row]) => row),
);

function readsDestination(word: number): boolean {
  return READ_RD.some(([, match, mask]) => ((word ^ match) & mask) === 0);
}

/**
 * Ends the load that `word`, just executed alone, was not to see, and begins the one that `word` itself left under way.
 * If `word` wrote the register too, its write came later and stays.
 */
export function settle(cpu: Cpu, word: number): void {
  const { state, lateRegister } = cpu;
  const register = state[S.DELAY_REGISTER] as number;
  if (register !== 0 && (lateRegister !== 0 || !writes(cpu, word, register))) cpu.commitLoad();
  state[S.DELAY_REGISTER] = lateRegister;
  state[S.DELAY_VALUE] = lateRegister === 0 ? 0 : cpu.lateValue;
  cpu.lateRegister = 0;
}

/** Whether an instruction writes `register`. */
function writes(cpu: Cpu, word: number, register: number): boolean {
  if (register >= 32) return writesFpu(word, register - 32);
  const mnemonic = identify(word, cpu.extensions);
  return mnemonic !== undefined && ((effectsOf(mnemonic, word).writes >>> register) & 1) !== 0;
}
