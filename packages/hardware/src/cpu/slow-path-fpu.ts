/**
 * Coprocessor 1 outside the inner loop: transfers, control registers, and operations that trap.
 *
 * A trap is an interrupt on line 7, as long as FCR31 holds a cause that is enabled [KN01]. It is precise: if the CPU takes
 * that interrupt now, EPC is the instruction, whose result is not written. If it does not (Status), the instruction is
 * over without a result, and the interrupt comes when it is let in, as of any device.
 *
 * `ctc1` that writes such a cause traps too, after the write. Control registers other than 0 and 31 read as 0.
 *
 * Assumption: the line follows FCR31, so an operation without a trap after one that was not taken ends it.
 */
import { waitForAccess } from './access.ts';
import type { Cpu } from './cpu.ts';
import { fpuLoadInterlock } from './fpu-hazards.ts';
import { isPending } from './fpu-status.ts';
import * as S from '../memory/cpu-state.ts';

/** Executes an instruction of coprocessor 1: COP1, `lwc1` or `swc1`. */
export function executeFpu(cpu: Cpu, word: number): void {
  if ((cpu.get(S.STATUS) & S.STATUS_CU1) === 0) {
    cpu.raise(S.EXC_CPU, false, 1);
    return;
  }
  const { pipeline, clock } = cpu;
  // If the interpreter has waited already, nothing is left to wait for.
  if (pipeline !== undefined) cpu.stall(pipeline.fpu.interlock(word, clock.now | 0));
  if (word >>> 26 !== 0x11) access(cpu, word);
  else if ((word & 0x2000000) === 0) transfer(cpu, word);
  else if (cpu.fpu.operate(word)) {
    pipeline?.fpu.issue(word, clock.now | 0);
    cpu.setFpuLine();
  } else {
    cpu.state[S.FCR31] = (cpu.fpu.status & ~0x3f000) | (cpu.fpu.exceptions << 12);
    trap(cpu);
  }
}

function access(cpu: Cpu, word: number): void {
  const ft = (word >>> 16) & 31;
  const va = ((cpu.registers[(word >>> 21) & 31] ?? 0) + ((word << 16) >> 16)) | 0;
  const isLoad = word >>> 26 === 0x31;
  waitForAccess(cpu, va, 4, !isLoad);
  let value = 0;
  if (isLoad) value = cpu.load(va, 4);
  else cpu.store(va, 4, cpu.fpu.words[ft] ?? 0);
  if (cpu.fault >= 0) cpu.raiseFault();
  else if (isLoad) {
    if (cpu.pipeline !== undefined) cpu.stall(fpuLoadInterlock(word, cpu.peek(cpu.get(S.PC))));
    cpu.fpu.words[ft] = value;
  }
}

function transfer(cpu: Cpu, word: number): void {
  const rt = (word >>> 16) & 31;
  const fs = (word >>> 11) & 31;
  const { fpu } = cpu;
  switch ((word >>> 21) & 31) {
    case 0x00:
      cpu.completeLoad(rt, fpu.words[fs] ?? 0);
      return;
    case 0x02:
      cpu.completeLoad(rt, fs === 31 ? fpu.status : fs === 0 ? cpu.fpuRevision : 0);
      return;
    case 0x04:
      cpu.completeLoad(32 + fs, cpu.registers[rt] ?? 0);
      return;
    case 0x06:
      if (fs !== 31) return;
      fpu.status = cpu.registers[rt] ?? 0;
      if (isPending(fpu.status)) trap(cpu);
      else cpu.setFpuLine();
      return;
    case 0x08:
      if (rt > 1) cpu.raise(S.EXC_RI);
      else cpu.branchBy(fpu.condition === (rt === 1), word);
      return;
    default:
      cpu.raise(S.EXC_RI);
  }
}

/** FCR31 holds the cause. */
function trap(cpu: Cpu): void {
  cpu.setFpuLine();
  const status = cpu.get(S.STATUS);
  if ((status & S.STATUS_IEC) !== 0 && (status & S.IP_FPU) !== 0) cpu.raise(S.EXC_INT);
  else cpu.commitLoad();
}
