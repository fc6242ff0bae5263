/** Interface `clock`: export these two functions to provide it. */
import { tick } from './aegis';
import { pause } from './pause';

/** Ticks of 1/64 s since boot. */
export function clock_ticks(): i32 {
  const now = memory.data(4);
  tick(now);
  return load<i32>(now);
}

/** Waits for so many ticks, at least one. Events that end a sleep early are not for it. */
export function clock_sleep(ticks: i32): i32 {
  const until = clock_ticks() + max(1, ticks);
  do pause(until);
  while (clock_ticks() - until < 0);
  return 0;
}
