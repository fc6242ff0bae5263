/** Waiting: libraries wait by `pause`, so that where there are threads only one of them waits. */
import { sleep } from './kit';

let how: (tick: i32) => void = (tick) => {
  sleep(tick);
};

/**
 * Waits until something happens to the environment, or until the tick counter reaches `tick` (0: no limit). Comes back sooner, too: ask again what you
 * wait for.
 */
export function pause(tick: i32): void {
  how(tick);
}

/** From now on `pause` is this function. */
export function pauseBy(wait: (tick: i32) => void): void {
  how = wait;
}
