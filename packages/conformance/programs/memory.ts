import { memory_allocate } from './kit';
import { step } from './step';

const PAGE: i32 = 4096;

/** what is allocated is page-aligned, zero, and apart */
export function apart(): i32 {
  const a = memory_allocate(10);
  if (a <= 0) return step(1, a); // memory_allocate(10): an address
  const b = memory_allocate(PAGE + 1);
  if (b <= 0) return step(2, b); // memory_allocate(4097): an address
  const c = memory_allocate(4);
  if (c <= 0) return step(3, c); // memory_allocate(4): an address
  if ((a | b | c) & (PAGE - 1)) return step(4, (a | b | c) & (PAGE - 1)); // bits of an address below a page: 0
  store<i32>(a, 1);
  store<i32>(c, 2);
  for (let at = b; at < b + 2 * PAGE; at += 4) {
    if (load<i32>(at) != 0) return step(5, load<i32>(at)); // a word of new memory: 0
  }
  for (let at = b; at < b + 2 * PAGE; at += 4) store<i32>(at, -1);
  if (load<i32>(a) != 1) return step(6, load<i32>(a)); // a word of the memory before: 1
  if (load<i32>(c) != 2) return step(7, load<i32>(c)); // a word of the memory behind: 2
  return 0;
}

/** words and bytes come back, across pages too */
export function back(): i32 {
  const a = memory_allocate(2 * PAGE);
  if (a <= 0) return step(1, a); // memory_allocate(8192): an address
  for (let i = 0; i < 300; i++) store<u8>(a + PAGE - 100 + i, i);
  for (let i = 0; i < 300; i++) {
    const byte: i32 = load<u8>(a + PAGE - 100 + i);
    if (byte != (i & 0xff)) return step(2, byte); // a byte near the end of a page: what was stored
  }
  return 0;
}

/** there is an end to it, which is an answer */
export function end(): i32 {
  const all = memory_allocate(1 << 28);
  if (all >= 0) return step(1, all); // memory_allocate(256 MiB): an error
  const negative = memory_allocate(-1);
  if (negative >= 0) return step(2, negative); // memory_allocate(-1): an error
  const a = memory_allocate(PAGE);
  if (a <= 0) return step(3, a); // memory_allocate(4096) after that: an address
  store<i32>(a, 7);
  return load<i32>(a) == 7 ? 0 : step(4, load<i32>(a)); // the word stored there: 7
}
