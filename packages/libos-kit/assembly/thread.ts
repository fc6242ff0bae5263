/**
 * Threads of one environment: each has a stack, and runs until it waits or yields. They share everything, so nothing needs a lock between two
 * waits. Import this file, and all libraries that wait let other threads run.
 *
 * An upcall runs on the upcall stack and must not wait for another thread: `pause` in an upcall sleeps with all of them.
 */
import { PAGE_BYTES, PLACE } from './abi';
import { clock_ticks } from './clock';
import { sleep, stack_pointer, switch_to, thread_frame } from './kit';
import { pauseBy } from './pause';

/** Threads, with the first one, that there can be at a time. */
export const THREADS = 16;

const STATE_BYTES = 20;
/** Words of a thread: its stack pointer; its state; until which tick it waits; its function and what that is called with. */
const threads: usize = memory.data(THREADS * STATE_BYTES);

namespace STATE {
  export const free = 0;
  export const ready = 1;
  /** Until something happens, or its tick. */
  export const waits = 2;
}

let current = 0;
store<u32>(threads, STATE.ready, 4);
pauseBy(pauseThread);

function at(thread: i32): usize {
  return threads + thread * STATE_BYTES;
}

/**
 * Starts a thread that calls `run(argument)` on a stack below `stackEnd`, and ends when that returns. Gives its number, or −1: there are THREADS
 * already.
 */
export function spawn(run: (argument: usize) => void, argument: usize, stackEnd: usize): i32 {
  for (let i = 1; i < THREADS; i++) {
    if (load<u32>(at(i), 4) != STATE.free) continue;
    store<u32>(at(i), run.index, 12);
    store<u32>(at(i), argument, 16);
    store<u32>(at(i), thread_frame(stackEnd & ~7, begin.index, i));
    store<u32>(at(i), STATE.ready, 4);
    return i;
  }
  return -1;
}

/** Whether a thread has not ended yet. */
export function isAlive(thread: i32): bool {
  return thread >= 0 && thread < THREADS && load<u32>(at(thread), 4) != STATE.free;
}

/** Waits until a thread has ended. */
export function join(thread: i32): void {
  while (isAlive(thread)) pauseThread(0);
}

/** Lets other threads run. */
export function yieldThread(): void {
  next();
}

const begin = (thread: usize): void => {
  const self = at(<i32>thread);
  call_indirect<void>(load<u32>(self, 12), load<usize>(self, 16));
  store<u32>(self, STATE.free, 4);
  wake();
  next();
};

function pauseThread(tick: i32): void {
  if (stack_pointer() - PLACE.upcallStack < <usize>PAGE_BYTES) {
    sleep(tick);
    return;
  }
  store<u32>(at(current), STATE.waits, 4);
  store<u32>(at(current), tick, 8);
  next();
}

/** Goes on with the thread whose turn it is; without one that is ready the environment sleeps, and all that wait look again. */
function next(): void {
  for (;;) {
    const now = clock_ticks();
    let soonest = 0;
    for (let i = 1; i <= THREADS; i++) {
      const thread = (current + i) % THREADS;
      const state = load<u32>(at(thread), 4);
      if (state == STATE.free) continue;
      const tick = load<i32>(at(thread), 8);
      if (state == STATE.ready || (tick != 0 && now - tick >= 0)) {
        resume(thread);
        return;
      }
      if (tick != 0 && (soonest == 0 || tick - soonest < 0)) soonest = tick;
    }
    sleep(soonest);
    wake();
  }
}

/** Something has happened: all that wait look again. */
function wake(): void {
  for (let i = 0; i < THREADS; i++) if (load<u32>(at(i), 4) == STATE.waits) store<u32>(at(i), STATE.ready, 4);
}

function resume(thread: i32): void {
  store<u32>(at(thread), STATE.ready, 4);
  const from = current;
  current = thread;
  if (from != thread) switch_to(at(from), load<usize>(at(thread)));
}
