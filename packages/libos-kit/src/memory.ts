/** The Memory interface for TypeScript programs: allocation is the library operating system's, access is a fiber's. */
import type { Fiber, Fibers } from './fiber.ts';
import type { Memory } from './interfaces.ts';

/** The interface over fibers; `allocate` is the library operating system's. */
export function fiberMemory(fibers: Fibers, allocate: (bytes: number) => Fiber<number>): Memory {
  return {
    allocate,
    load: (va) => fibers.load(va),
    store: (va, value) => fibers.store(va, value),
    read: (va, bytes) => fibers.read(va, bytes),
    write: (va, bytes) => fibers.write(va, bytes),
  };
}
