/**
 * A library operating system. It greets on the console, and tells the time over UDP: a datagram to port 37 is answered with the ticks since boot, and
 * with how many datagrams its sender has sent. The counters lie in pages that get a frame when they are touched. When the kernel wants frames back, they
 * go, and those counters begin anew. With a disk it also goes on when the kernel takes frames by force.
 */
import { E, PAGE_BYTES, PTE_SOFT } from '@exokernel/libos-kit/assembly/abi';
import { backBy } from '@exokernel/libos-kit/assembly/backing';
import { clock_ticks } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { EXTENT, extentBlocks } from '@exokernel/libos-kit/assembly/disk';
import { PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { giveUpBy } from '@exokernel/libos-kit/assembly/revocation';
import { udp_open, udp_receive, udp_send } from '@exokernel/libos-kit/assembly/udp';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

// The interfaces that programs of others get which run on it. Its own program is `main`.
export { clock_sleep, clock_ticks } from '@exokernel/libos-kit/assembly/clock';
export { console_write } from '@exokernel/libos-kit/assembly/console';
export { memory_allocate } from '@exokernel/libos-kit/assembly/memory';
export { udp_close, udp_open, udp_receive, udp_send } from '@exokernel/libos-kit/assembly/udp';

const PORT = 37;

/** A region of its own: a page of it counts for each last byte of an address. */
const COUNTERS: usize = 0x10000000;
const PAGES = 256;
const table = new PageTable(memory.data(16 * PAGES), COUNTERS, PAGES);

const request: usize = memory.data(64);
const reply: usize = memory.data(8);
const sender: usize = memory.data(8);

/** Gives up to so many frames back, and says how many. */
function giveUp(frames: i32): i32 {
  let given = 0;
  for (let i = 0; i < PAGES && given < frames; i++) {
    const page = COUNTERS + i * PAGE_BYTES;
    if (!table.isDirty(page)) continue;
    table.free(page, PTE_SOFT.zeroFill);
    given++;
  }
  return given;
}

/** A counter whose frame was taken by force begins anew, too. */
function fault(address: usize, cause: i32): bool {
  return table.fault(address, cause) || (table.forget(address, PTE_SOFT.zeroFill) && table.fault(address, cause));
}

onFault(fault);
giveUpBy(giveUp);

export function main(): i32 {
  table.reserve(COUNTERS, PAGES);
  const blocks = extentBlocks();
  if (blocks > 0) {
    const code = backBy(EXTENT, 0, min(64, blocks));
    if (code < 0) return code;
  }
  print('my-libos: hello\n');
  const socket = udp_open(PORT);
  if (socket == E.DEVICE) {
    print('my-libos: no network, so that is all\n');
    return 0;
  }
  while (socket >= 0) {
    if (udp_receive(socket, request, 64, sender, -1) < 0) continue;
    const client = load<u32>(sender);
    const counter = COUNTERS + <usize>(client & 0xff) * PAGE_BYTES;
    store<i32>(counter, load<i32>(counter) + 1);
    store<i32>(reply, clock_ticks());
    store<i32>(reply, load<i32>(counter), 4);
    udp_send(socket, client, load<i32>(sender, 4), reply, 8);
  }
  return socket;
}
