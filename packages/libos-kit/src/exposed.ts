/**
 * The kernel's exposed tables, read by fibers: each word lies at its physical address, from EXPOSED_VIEW on, in the environment's own
 * address space. Nothing else must be mapped there. [SOSP95 §3]
 */
import { ENTRYLO, EXPOSED, PAGE_BYTES, WELL_KNOWN_READ } from '@exokernel/abi';
import type { Fiber, Fibers } from './fiber.ts';

/** Behind everything that the kit maps. */
export const EXPOSED_VIEW = 0x20000000;

/** A word of an exposed table, `offset` bytes into it, unsigned. */
export function* loadExposed(fibers: Fibers, table: keyof typeof EXPOSED, offset: number): Fiber<number> {
  const physical = EXPOSED[table] + offset;
  const frame = physical & -PAGE_BYTES;
  const va = EXPOSED_VIEW + physical;
  // Whatever else runs may push the translation out again before the next step.
  while (!fibers.cpu.probe(va, false)) {
    const code = yield* fibers.syscall('tlbwr', EXPOSED_VIEW + frame, frame | ENTRYLO.valid, ...WELL_KNOWN_READ, 0);
    if (code < 0) throw new RangeError(`word ${offset} of ${table} is not exposed: tlbwr answers ${code}`);
  }
  return fibers.cpu.load32(va) >>> 0;
}
