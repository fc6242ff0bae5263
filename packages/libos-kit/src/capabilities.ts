/** Capabilities as fibers find them: in words of memory, and in page-table entries. */
import type { CapabilityWords } from '@exokernel/abi';
import type { Fiber, Fibers } from './fiber.ts';
import { pageTableEntry } from './image.ts';
import { PTE } from './layout.ts';

/** The capability in four words at `at`. */
export function* loadCapability(fibers: Fibers, at: number): Fiber<CapabilityWords> {
  return [
    (yield* fibers.load(at)) >>> 0,
    (yield* fibers.load(at + 4)) >>> 0,
    (yield* fibers.load(at + 8)) >>> 0,
    (yield* fibers.load(at + 12)) >>> 0,
  ];
}

/** The capability of the frame of a page of the paged region, which must be present. */
export function pageCapability(fibers: Fibers, va: number): Fiber<CapabilityWords> {
  return entryCapability(fibers, pageTableEntry(va));
}

/**
 * The same of a page that may have no frame yet: it is touched first, for writing too if told so, so that the library operating system
 * gives it one, or one of its own. `entryOf` is as in `ImageParts`.
 */
export function* presentCapability(
  fibers: Fibers,
  va: number,
  { write, entryOf = pageTableEntry }: { readonly write: boolean; readonly entryOf?: (va: number) => number },
): Fiber<CapabilityWords> {
  yield* fibers.touch(va, write);
  return yield* entryCapability(fibers, entryOf(va));
}

/** The capability of the frame of the page-table entry at `at`; its first word is 0 if the frame was not allocated by us. */
export function* entryCapability(fibers: Fibers, at: number): Fiber<CapabilityWords> {
  return [
    (yield* fibers.load(at + PTE.head)) >>> 0,
    (yield* fibers.load(at + PTE.entryLo)) >>> 12,
    (yield* fibers.load(at + PTE.mac0)) >>> 0,
    (yield* fibers.load(at + PTE.mac1)) >>> 0,
  ];
}
