/** Step 3: a page of its own. Nothing is at PAGE until it is touched: then the handler gives it a frame. */
import { ENTRYLO, EXCEPTION, PAGE_BYTES } from '@exokernel/libos-kit/assembly/abi';
import { tlbwr } from '@exokernel/libos-kit/assembly/aegis';
import { capabilityAt } from '@exokernel/libos-kit/assembly/capability';
import { print } from '@exokernel/libos-kit/assembly/console';
import { allocateFrame, NEW_FRAME } from '@exokernel/libos-kit/assembly/frame';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

const PAGE: usize = 0x10000000;
const frame = capabilityAt(memory.data(16));
let allocated = 0;

function fault(address: usize, cause: i32): bool {
  // Another page, or a store to one that may only be read, is a mistake: the environment ends.
  if (address - PAGE >= <usize>PAGE_BYTES || cause == EXCEPTION.mod) return false;
  if (allocated == 0) {
    if (allocateFrame() < 0) return false;
    frame.set(NEW_FRAME);
    allocated++;
  }
  const entryLo = (frame.name << 12) | ENTRYLO.valid | ENTRYLO.dirty;
  return tlbwr(PAGE, entryLo, frame.mac0, frame.mac1, frame.head) == 0;
}

export function main(): i32 {
  onFault(fault);
  for (let i = 0; i < 1000; i++) store<i32>(PAGE, load<i32>(PAGE) + 1);
  print(`${load<i32>(PAGE)} additions, ${allocated} frame\n`);
  return 0;
}
