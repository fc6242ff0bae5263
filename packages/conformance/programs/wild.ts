/**
 * The wild neighbour: an environment that makes every system call with random arguments, and gives its slices to others at random. It
 * ends now and then by what it does.
 */
import { yield_to } from '@exokernel/libos-kit/assembly/kit';
import { UKIT } from '@exokernel/libos-kit/assembly/abi';
import { next, slotAt } from './chance';
import { callAny } from './wild-calls';

export function main(): i32 {
  // Its own capability and that of its serial line stand behind a word, as results of calls do.
  memory.copy(slotAt(0) + 4, UKIT.self, 16);
  memory.copy(slotAt(1) + 4, UKIT.serial, 16);
  for (;;) {
    callAny();
    if (next() % 16 == 0) yield_to(next() & 15);
  }
  return 0;
}
