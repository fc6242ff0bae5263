/** Step 7: blocking. A thread of control that waits for two things at once tells the kernel a predicate, and sleeps until it holds. */
import {
  EXPOSED,
  PREDICATE_OPERATOR,
  SYSTEM,
  WELL_KNOWN_READ0,
  WELL_KNOWN_READ1,
} from '@exokernel/libos-kit/assembly/abi';
import { clock_ticks } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { pages } from '@exokernel/libos-kit/assembly/disk';
import { load32, sleep, store32 } from '@exokernel/libos-kit/assembly/kit';
import { clearWake, Wake } from '@exokernel/libos-kit/assembly/wake';

export function main(): i32 {
  const flag = pages(1);
  store32(flag, 0);
  const page = pages(1);
  store32(page, 0);
  const until = clock_ticks() + 32;
  const wake = new Wake(page);
  // One of the two: a word of this environment's, or the kernel's counter of ticks, which everyone may read.
  wake.product(1).word(flag, PREDICATE_OPERATOR.ne, 0);
  wake
    .product(2)
    .physical(EXPOSED.system + SYSTEM.tick, 0, WELL_KNOWN_READ0, WELL_KNOWN_READ1, PREDICATE_OPERATOR.ge, until);
  const code = wake.set();
  if (code < 0) return code;
  while (load32(flag) == 0 && clock_ticks() - until < 0) sleep(0);
  clearWake();
  print(load32(flag) == 0 ? 'the time came first\n' : 'the flag came first\n');
  return 0;
}
