/**
 * The load delay: a loaded register has its value one instruction late. [KANE92 §1]
 *
 * The interpreter writes it at once unless the next instruction names it; then that instruction is executed alone, and
 * `settle` ends the load after it.
 */
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
  if (register !== 0 && (lateRegister !== 0 || !writes(word, register))) cpu.commitLoad();
  state[S.DELAY_REGISTER] = lateRegister;
  state[S.DELAY_VALUE] = lateRegister === 0 ? 0 : cpu.lateValue;
  cpu.lateRegister = 0;
}

/** Whether an instruction writes `register`, numbered as in DELAY_REGISTER. */
function writes(word: number, register: number): boolean {
  return register < 32 ? destination(word) === register : writesFpu(word, register - 32);
}

/** The general register that an instruction writes; 0 if none. */
function destination(word: number): number {
  const opcode = word >>> 26;
  if (opcode === 0) {
    const code = word & 63;
    const none = code === 0x08 || code === 0x11 || code === 0x13 || (code >= 0x18 && code <= 0x1b);
    return none ? 0 : (word >>> 11) & 31;
  }
  if (opcode === 1) return (word & 0x100000) === 0 ? 0 : 31;
  if (opcode === 3) return 31;
  // mfc0, mfc1, cfc1
  const isMoveFrom = word >>> 21 === 0x200 || word >>> 21 === 0x220 || word >>> 21 === 0x222;
  const writesRt = (opcode >= 0x08 && opcode <= 0x0f) || (opcode >= 0x20 && opcode <= 0x26) || isMoveFrom;
  return writesRt ? (word >>> 16) & 31 : 0;
}
