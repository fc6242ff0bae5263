/**
 * Step 6: a frame for another environment. Two environments run this program: the first gives the second a capability to read a page, and takes it back.
 */
import { E, MESSAGE, PAGE_BYTES, RIGHT, UKIT } from '@exokernel/libos-kit/assembly/abi';
import { capRevoke, msgBind, msgSend } from '@exokernel/libos-kit/assembly/calls';
import { capabilityAt } from '@exokernel/libos-kit/assembly/capability';
import { clock_sleep } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { pages } from '@exokernel/libos-kit/assembly/disk';
import { exit, load32, sleep, store32 } from '@exokernel/libos-kit/assembly/kit';
import { KIT_TABLE, PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

const SHARED: usize = 0x10000000;
const table = new PageTable(memory.data(16), SHARED, 1);
let messages: usize = 0;
let revoked = false;

/** A page of this environment's, pinned, to which others send. */
function openMessages(): i32 {
  messages = pages(1);
  store32(messages, 0);
  const frame = capabilityAt(memory.data(16));
  KIT_TABLE.capability(messages, frame);
  return msgBind(frame);
}

/** Sleeps until the first slot is full. */
function receive(): void {
  while (load32(messages + MESSAGE.sender) == 0) sleep(0);
}

/** Sends a capability, or any four words at an address. */
function send(to: i32, words: usize): void {
  let code: i32 = E.ENV;
  // The other one may have no ring yet.
  while (code == E.ENV || code == E.AGAIN) {
    code = msgSend(to, load<i32>(words), load<i32>(words, 4), load<i32>(words, 8), load<i32>(words, 12), 0, 0, 0, 0);
    if (code != 0) clock_sleep(1);
  }
}

function giver(): i32 {
  const branch = memory.data(20);
  table.reserve(SHARED, 1);
  store<i32>(SHARED, 42);
  // To read only, and of a node of its own: what is made of it ends with the node.
  const code = table.branch(SHARED, RIGHT.read, branch);
  if (code < 0) return code;
  send(1, branch + 4);
  receive();
  const own = capabilityAt(memory.data(16));
  table.capability(SHARED, own);
  const ended = capRevoke(own, load<i32>(branch));
  // Now the other one may look again.
  send(1, branch);
  return ended;
}

function reader(): i32 {
  receive();
  table.map(SHARED, capabilityAt(messages + MESSAGE.words), false);
  print(`reads ${load32(SHARED)}\n`);
  store32(messages, 0);
  send(0, memory.data(16));
  // The second message, in the next slot.
  while (load32(messages + 64) == 0) sleep(0);
  revoked = true;
  return <i32>load32(SHARED);
}

export function main(): i32 {
  onFault((address, cause) => {
    if (table.fault(address, cause)) return true;
    if (revoked && address - SHARED < <usize>PAGE_BYTES) {
      print('and may not any more\n');
      exit(0);
    }
    return false;
  });
  const code = openMessages();
  if (code < 0) return code;
  const self = <i32>load32(UKIT.self + 4);
  return self == 0 ? giver() : reader();
}
