/** What a load or store waits for that the page tables do not let through. (The interpreter asks the pipeline itself.) */
import type { Cpu } from './cpu.ts';
import * as S from '../memory/cpu-state.ts';

/** To be called before an access to `size` bytes at `va`. One that fails costs nothing. */
export function waitForAccess(cpu: Cpu, va: number, size: number, write: boolean): void {
  if (cpu.pipeline === undefined || (va & (size - 1)) !== 0) return;
  const physical = cpu.translate(va, write);
  cpu.clearFault();
  if (physical >= 0) waitForReached(cpu, va, physical, size, write);
}

/** The same for an access that is known to be at that physical address; `swl` and `swr` are accesses to one byte. */
export function waitForReached(cpu: Cpu, va: number, physical: number, size: number, write: boolean): void {
  const { pipeline, clock } = cpu;
  if (pipeline === undefined || (cpu.get(S.STATUS) & S.STATUS_ISC) !== 0) return;
  const host = cpu.memory.hostAddress(physical);
  const now = clock.now | 0;
  if (host < 0 || cpu.isUncached(va)) cpu.stall(write ? pipeline.write(now) : pipeline.uncached(now));
  else if (!write) cpu.stall(pipeline.load(host, now));
  else cpu.stall(size === 4 ? pipeline.storeWord(host, now) : pipeline.storePart(host, now));
}
