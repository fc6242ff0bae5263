/** A CPU that does nothing but wait: it stands in a branch to itself with a `nop` in the slot. */
import type { Cpu } from './cpu.ts';
import * as S from '../memory/cpu-state.ts';

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

/**
 * The machine is in the delay slot of a branch to itself. If the slot is a `nop`, only an event can change anything: whole
 * iterations, of two cycles, pass at once. Returns the cycles that passed.
 */
export function skipIdle(cpu: Cpu, target: number): number {
  const { clock } = cpu;
  if (!cpu.isNop(cpu.get(S.PC))) return 0;
  if (cpu.get(S.DELAY_REGISTER) !== 0 || !cpu.isFetchedAtOnce(cpu.get(S.PC))) return 0;
  const cycles = Math.max(0, Math.min(target, clock.next) - clock.now);
  const whole = cycles - (cycles % 2);
  cpu.pass(whole);
  return whole;
}
