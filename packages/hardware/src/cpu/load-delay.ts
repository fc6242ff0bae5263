/**
 * The load delay: a loaded register has its value one instruction late. [KANE92 §1]
 *
 * The interpreter writes it at once unless the next instruction names it; then that instruction is executed alone, and
 * `settle` ends the load after it.
 */
import { effectsOf } from '@exokernel/isa';
import { identify } from '../semantics/identify.ts';
import type { Cpu } from './cpu.ts';
import { writesFpu } from './fpu-hazards.ts';
import * as S from '../memory/cpu-state.ts';

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
