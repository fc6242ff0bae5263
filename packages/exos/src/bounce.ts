/** One page through which routines in machine code and programs in TypeScript pass bytes: allocated when it is first needed. */
import { PAGE_BYTES } from '@exokernel/abi';
import type { Fiber, Fibers, Memory } from '@exokernel/libos-kit';
import { UEXOS } from './layout.ts';

/** Its address; negative: there is no memory. A child has none yet. */
export function* bouncePage(fibers: Fibers, memory: Memory): Fiber<number> {
  const present = yield* fibers.load(UEXOS.bounce);
  if (present !== 0) return present;
  const made = yield* memory.allocate(PAGE_BYTES);
  if (made > 0) yield* fibers.store(UEXOS.bounce, made);
  return made;
}
