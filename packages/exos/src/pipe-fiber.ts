/** The Pipes interface for TypeScript programs: the machine-code routines, by way of one page of bounce buffer. */
import { PAGE_BYTES } from '@exokernel/abi';
import type { Assembly } from '@exokernel/isa';
import { address, type Fiber, type Fibers, type Memory, type Pipes } from '@exokernel/libos-kit';
import { UEXOS } from './layout.ts';

/** A page through which bytes of TypeScript go to routines and back; −1 if there is no memory. */
export function* bouncePage(fibers: Fibers, memory: Memory): Fiber<number> {
  const present = yield* fibers.load(UEXOS.bounce);
  if (present !== 0) return present;
  const made = yield* memory.allocate(PAGE_BYTES);
  if (made > 0) yield* fibers.store(UEXOS.bounce, made);
  return made;
}

export function fiberPipes(fibers: Fibers, runtime: Assembly, memory: Memory): Pipes {
  const bounce = (): Fiber<number> => bouncePage(fibers, memory);
  return {
    *pipe() {
      const at = yield* bounce();
      // The routine stores the descriptors: the page must have its frame by then, or the store would fault, which it may.
      const code = yield* fibers.call(address(runtime, 'pipe_open'), at);
      if (code < 0) return { reader: -1, writer: -1 };
      return { reader: yield* fibers.load(at), writer: yield* fibers.load(at + 4) };
    },
    *read(descriptor, max) {
      const at = yield* bounce();
      const n = yield* fibers.call(
        address(runtime, 'pipe_read'),
        descriptor,
        at,
        Math.max(0, Math.min(max, PAGE_BYTES)),
      );
      const bytes = new Uint8Array(Math.max(0, n));
      yield* fibers.read(at, bytes);
      return bytes;
    },
    *write(descriptor, bytes) {
      const at = yield* bounce();
      let written = 0;
      while (written < bytes.length) {
        const part = bytes.subarray(written, written + PAGE_BYTES);
        yield* fibers.write(at, part);
        const n = yield* fibers.call(address(runtime, 'pipe_write'), descriptor, at, part.length);
        written += Math.max(0, n);
        if (n < part.length) break;
      }
      return written;
    },
    *close(descriptor) {
      yield* fibers.call(address(runtime, 'pipe_close'), descriptor);
    },
  };
}
