/** 64 system calls. */
import { tick } from '@exokernel/libos-kit/assembly/aegis';

const now: usize = memory.data(4);

export function main(): i32 {
  for (let i = 0; i < 64; i++) tick(now);
  return 0;
}
