import { clock_sleep, clock_ticks } from './kit';
import { step } from './step';

const SECOND: i32 = 64;

/** ticks do not go back, and a sleep takes its time */
export function sleeps(): i32 {
  const before = clock_ticks();
  if (before < 0) return step(1, before); // clock_ticks(): 0 or more
  const slept = clock_sleep(3);
  if (slept < 0) return step(2, slept); // clock_sleep(3): no error
  const passed = clock_ticks() - before;
  if (passed < 3) return step(3, passed); // ticks of clock_sleep(3): 3 or more
  if (passed >= 3 + SECOND) return step(4, passed); // ticks of clock_sleep(3): less than a second more
  return 0;
}

/** a sleep of nothing, or of less, is a sleep of one tick */
export function least(): i32 {
  for (let ticks = 0; ticks > -2000; ticks -= 1000) {
    const before = clock_ticks();
    clock_sleep(ticks);
    const passed = clock_ticks() - before;
    if (passed < 1) return step(1, passed); // ticks of clock_sleep(0), clock_sleep(-1000): 1 or more
    if (passed > SECOND) return step(2, passed); // ticks of clock_sleep(0), clock_sleep(-1000): less than a second
  }
  return 0;
}
