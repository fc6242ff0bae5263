/** Whether a CPU does nothing but wait for an interrupt: it stands in a branch to itself with a `nop` in the slot. */
import type { Cpu } from './cpu/cpu.ts';
import * as S from './cpu/state.ts';

/** Whether only an event of a device can change what the CPU does. */
export function isIdle(cpu: Cpu): boolean {
  const status = cpu.get(S.STATUS);
  if ((status & S.STATUS_IEC) === 0 || (cpu.get(S.CAUSE) & status & 0xff00) !== 0) return false;
  if (cpu.get(S.DELAY_REGISTER) !== 0) return false;
  const pc = cpu.get(S.PC);
  const inSlot = cpu.get(S.IN_SLOT) !== 0;
  const branch = inSlot ? (pc - 4) | 0 : pc;
  if (cpu.get(S.NEXT_PC) !== (inSlot ? branch : (pc + 4) | 0)) return false;
  return isBranchToItself(cpu, branch) && cpu.isNop((branch + 4) | 0);
}

/** `j` to its own address, or `beq` of equal registers. */
function isBranchToItself(cpu: Cpu, at: number): boolean {
  const word = cpu.peek(at);
  if (word >>> 26 === 0x02) return (((at + 4) & 0xf0000000) | ((word << 6) >>> 4)) === at;
  if (word >>> 26 !== 0x04 || (word & 0xffff) !== 0xffff) return false;
  return cpu.registers[(word >>> 21) & 31] === cpu.registers[(word >>> 16) & 31];
}
