import { clock_ticks, memory_allocate } from './kit';
import { step } from './step';

const PAGE: i32 = 4096;
const PAGES: i32 = 24;

/** frames are asked back while the program runs: its data stay what they were, or it ends */
export function holds(): i32 {
  const at = memory_allocate(PAGES * PAGE);
  if (at <= 0) return step(1, at); // memory_allocate(98304): an address
  for (let i = 0; i < PAGES * PAGE; i += 4) store<i32>(at + i, at + i);
  const until = clock_ticks() + 18;
  do {
    for (let i = 0; i < PAGES * PAGE; i += 4) {
      const word = load<i32>(at + i);
      if (word != at + i) return step(2, word); // a word of memory: what was stored
    }
  } while (clock_ticks() - until < 0);
  return 0;
}
