/** Step 2: the clock. Sleeps for half a second, and uses no slice meanwhile. */
import { tick } from '@exokernel/libos-kit/assembly/aegis';
import { print } from '@exokernel/libos-kit/assembly/console';
import { sleep } from '@exokernel/libos-kit/assembly/kit';

function now(): i32 {
  const at = memory.data(4);
  tick(at);
  return load<i32>(at);
}

export function main(): i32 {
  const until = now() + 32;
  let sleeps = 0;
  // A sleep may end early: look again.
  while (now() - until < 0) {
    sleep(until);
    sleeps++;
  }
  print(sleeps < 4 ? 'half a second of sleep\n' : 'woken all the time\n');
  return 0;
}
