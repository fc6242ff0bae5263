/**
 * The bystander: an environment that has nothing to do with a case, and that nothing in it may touch. It gives 42 when it has found its memory
 * unchanged, over and over, for some ticks.
 */
import { tick } from '@exokernel/libos-kit/assembly/aegis';

const TICKS: i32 = 40;
const WORDS: i32 = 4096;
const pattern = memory.data(4 * 4096);
const now = memory.data(4);

export function main(): i32 {
  for (let i = 0; i < WORDS; i++) store<i32>(pattern + 4 * i, 0x200000 + i);
  tick(now);
  const until = load<i32>(now) + TICKS;
  do {
    for (let i = 0; i < WORDS; i++) if (load<i32>(pattern + 4 * i) != 0x200000 + i) return 1;
    tick(now);
  } while (load<i32>(now) - until < 0);
  return 42;
}
