/**
 * Step 5: slices and threads. The kernel knows one environment; how its slices are used is the library's. With another environment beside it, slices end.
 */
import { PAGE_BYTES } from '@exokernel/libos-kit/assembly/abi';
import { clock_sleep } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { pages } from '@exokernel/libos-kit/assembly/disk';
import { join, spawn, yieldThread } from '@exokernel/libos-kit/assembly/thread';
import { onSliceBegin, onSliceEnd } from '@exokernel/libos-kit/assembly/upcalls';

let begun = 0;
let ended = 0;

function count(name: usize): void {
  for (let i = 1; i <= 3; i++) {
    print(`${String.fromCharCode(<i32>name)}${i} `);
    yieldThread();
  }
}

function nap(ticks: usize): void {
  // The others run meanwhile.
  clock_sleep(<i32>ticks);
  print('nap over\n');
}

export function main(): i32 {
  onSliceBegin(() => {
    begun++;
  });
  onSliceEnd(() => {
    ended++;
  });
  const napping = spawn(nap, 16, pages(1) + PAGE_BYTES);
  const first = spawn(count, 0x61, pages(1) + PAGE_BYTES);
  const second = spawn(count, 0x62, pages(1) + PAGE_BYTES);
  join(first);
  join(second);
  join(napping);
  // Longer than several slices.
  for (let i = 0; i < 1000000; i++) store<i32>(memory.data(4), i);
  print(begun > 2 && ended > 2 ? 'slices began and ended\n' : 'one slice after the other\n');
  return 0;
}
