/**
 * What reads a register of the floating-point unit in the instruction after its load (`lwc1`, `mtc1`).
 *
 * After `mtc1` it sees the old value, as after other loads. After `lwc1` it waits one cycle and sees the new one.
 *
 * Deviation: the manual gives `lwc1` a load delay too, so that a program must not read so early. But GNU's assembler puts no
 * instruction between since 2.24, so programs that it made for MIPS I need a unit that waits [GAS].
 *
 * In the words of `cpu-state.ts` floating-point register n is register 32 + n. Source: [KANE92 §1, §7].
 */
import { isBinary } from '../timing/fpu-scoreboard.ts';

/** Whether the instruction `word` reads floating-point register n, or the other one of its pair. */
export function readsFpu(word: number, n: number): boolean {
  const opcode = word >>> 26;
  const reads = (field: number): boolean => (((word >>> field) ^ n) & 30) === 0;
  if (opcode === 0x39) return reads(16);
  if (opcode !== 0x11) return false;
  if ((word & 0x2000000) !== 0) return reads(11) || (isBinary(word & 63) && reads(16));
  return ((word >>> 21) & 31) === 0 && reads(11);
}

/** Cycles that `load`, an `lwc1`, takes because the instruction after it reads the register. */
export function fpuLoadInterlock(load: number, following: number): number {
  return readsFpu(following, (load >>> 16) & 31) ? 1 : 0;
}

/** Whether it writes floating-point register n, at once or late. */
export function writesFpu(word: number, n: number): boolean {
  const opcode = word >>> 26;
  if (opcode === 0x31) return ((word >>> 16) & 31) === n;
  if (opcode !== 0x11) return false;
  if ((word & 0x2000000) === 0) return ((word >>> 21) & 31) === 4 && ((word >>> 11) & 31) === n;
  const operation = word & 63;
  if (operation >= 0x30) return false;
  const isDouble = operation === 0x21 || (operation < 0x20 && ((word >>> 21) & 31) === 17);
  return ((((word >>> 6) & 31) ^ n) & (isDouble ? 30 : 31)) === 0;
}
