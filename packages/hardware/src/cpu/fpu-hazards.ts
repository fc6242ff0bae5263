/**
 * Loads into the floating-point unit (`lwc1`, `mtc1`) end one instruction late, as other loads do: the instructions that see them too early.
 *
 * In the words of `cpu-state.ts` floating-point register n is register 32 + n. Source: [KANE92 §1, §7].
 */

/** Whether the instruction `word` must not see a load of floating-point register n. Naming its pair is enough. */
export function isFpuHazard(word: number, n: number): boolean {
  const opcode = word >>> 26;
  const reads = (field: number): boolean => (((word >>> field) ^ n) & 30) === 0;
  if (opcode === 0x39) return reads(16);
  if (opcode !== 0x11) return false;
  if ((word & 0x2000000) !== 0) return reads(11) || reads(16);
  return ((word >>> 21) & 31) === 0 && reads(11);
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
