/**
 * A key-value log: a library operating system for one purpose. Values lie in its own extent, as a log; pages of its own table hold those that were asked for,
 * and go back when the kernel wants frames; requests come as datagrams.
 *
 *     request   0 number   4 operation: 1 GET, 2 PUT   5 bytes of the key   6 bytes of the value   8 key, then value
 *     reply     0 the request's number   4 bytes of the value, or a negative error   8 value
 *
 * A client asks again until it is answered. A PUT that was done already has the number of the last one of its key, and is not done again.
 */
import { E, PAGE_BYTES } from '@exokernel/libos-kit/assembly/abi';
import { backBy } from '@exokernel/libos-kit/assembly/backing';
import { EXTENT, extentBlocks } from '@exokernel/libos-kit/assembly/disk';
import { allocateFrame, NEW_FRAME } from '@exokernel/libos-kit/assembly/frame';
import { appendParts, formatLog, openLog, readRecord, sync } from '@exokernel/libos-kit/assembly/log';
import { copy } from '@exokernel/libos-kit/assembly/packet';
import { PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { giveUpBy } from '@exokernel/libos-kit/assembly/revocation';
import { udp_open, udp_receive, udp_send } from '@exokernel/libos-kit/assembly/udp';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

// What programs get of it that run on it, beside its paging: `main` is not called then.
export { clock_sleep, clock_ticks } from '@exokernel/libos-kit/assembly/clock';
export { console_write } from '@exokernel/libos-kit/assembly/console';
export { memory_allocate } from '@exokernel/libos-kit/assembly/memory';

const PORT = 7000;
const GET: u32 = 1;
const PUT: u32 = 2;
const HEAD = 8;
const KEYS = 128;
const KEY_MOST = 40;
const VALUE_MOST = 1024;
/** Blocks behind the log, for frames that the kernel takes by force: it holds fewer than these and its values. No more than half of the extent. */
const BACKED = 48;
/** A key's record: where its value is in the log, the value's length, the request that put it, the key's length, the key. */
const KEY_BYTES = 16 + KEY_MOST;

/** A page of this region holds the value of the key of that number. */
const VALUES: usize = 0x10000000;
const values = new PageTable(memory.data(16 * KEYS), VALUES, KEYS);
const keys: usize = memory.data(KEY_BYTES * KEYS);
const request: usize = memory.data(1472);
const reply: usize = memory.data(HEAD + VALUE_MOST);
const sender: usize = memory.data(8);
const value: usize = memory.data(VALUE_MOST);
let count = 0;
let hand = 0;
/** The key whose page is being filled. */
let filling = -1;

function recordOf(key: i32): usize {
  return keys + key * KEY_BYTES;
}

/** The number of a key, which is made for it if it is new and there is room; else −1. */
function find(name: usize, length: i32, make: bool): i32 {
  for (let key = 0; key < count; key++) {
    const at = recordOf(key);
    if (load<i32>(at, 12) == length && memory.compare(at + 16, name, length) == 0) return key;
  }
  if (!make || count == KEYS) return -1;
  store<i32>(recordOf(count), length, 12);
  memory.copy(recordOf(count) + 16, name, length);
  return count++;
}

/** A record of the log, as it was put: the request's head and key; then the value. */
function found(position: i32, record: usize, length: i32): void {
  if (length < HEAD) return;
  const key = find(record + HEAD, load<u8>(record, 5), true);
  if (key >= 0) remember(key, position, record);
}

function remember(key: i32, position: i32, put: usize): void {
  store<i32>(recordOf(key), position);
  store<i32>(recordOf(key), load<u16>(put, 6), 4);
  store<u32>(recordOf(key), load<u32>(put), 8);
}

/** A value is missing in its page: a frame for it, filled from the log. */
function fault(address: usize, cause: i32): bool {
  const entry = values.entryOf(address);
  if (entry == 0) return false;
  // A frame that the kernel has taken by force is refused: the page is filled anew.
  return (load<u32>(entry) != 0 && values.fault(address, cause)) || fill(<i32>((address - VALUES) >>> 12)) >= 0;
}

/** Fills the page of a key, for which another one goes where memory is full. Gives the bytes, or an error. */
function fill(key: i32): i32 {
  let code = allocateFrame();
  if (code < 0 && giveUp(1) > 0) code = allocateFrame();
  if (code < 0) return code;
  filling = key;
  values.map(VALUES + key * PAGE_BYTES, NEW_FRAME, true);
  code = read(key, value);
  if (code > 0) copy(VALUES + key * PAGE_BYTES, value, code);
  filling = -1;
  return code;
}

/** Reads the value of a key from the log. */
function read(key: i32, into: usize): i32 {
  const record = recordOf(key);
  return readRecord(load<i32>(record), HEAD + load<i32>(record, 12), into, load<i32>(record, 4));
}

/** The kernel wants frames: all values are in the log, so any page will do. */
function giveUp(frames: i32): i32 {
  let done = 0;
  for (let i = 0; i < KEYS && done < frames; i++) {
    hand = (hand + 1) % KEYS;
    if (hand == filling || load<u32>(values.entries + 16 * hand) == 0) continue;
    values.free(VALUES + hand * PAGE_BYTES, 0);
    done++;
  }
  return done;
}

/** Does what a request asks for; the status that is replied, and a value behind the reply's head. */
function serve(length: i32): i32 {
  const operation = load<u8>(request, 4);
  const keyLength = <i32>load<u8>(request, 5);
  const valueLength = <i32>load<u16>(request, 6);
  if (length < HEAD + keyLength || keyLength == 0 || keyLength > KEY_MOST) return E.RANGE;
  if (operation == GET) {
    const key = find(request + HEAD, keyLength, false);
    if (key < 0) return E.NONE;
    const bytes = load<i32>(recordOf(key), 4);
    // Without a page for it, it goes straight from the log.
    if (load<u32>(values.entries + 16 * key) == 0 && fill(key) < 0) return read(key, reply + HEAD);
    copy(reply + HEAD, VALUES + key * PAGE_BYTES, bytes);
    return bytes;
  }
  if (operation != PUT || valueLength > VALUE_MOST || length != HEAD + keyLength + valueLength) return E.RANGE;
  return put(keyLength, valueLength);
}

function put(keyLength: i32, valueLength: i32): i32 {
  const known = find(request + HEAD, keyLength, false);
  if (known >= 0 && load<u32>(recordOf(known), 8) == load<u32>(request)) return valueLength;
  if (known < 0 && count == KEYS) return E.NONE;
  const position = appendParts(request, HEAD + keyLength, request + HEAD + keyLength, valueLength);
  if (position < 0) return position;
  const code = sync();
  if (code < 0) return code;
  const key = find(request + HEAD, keyLength, true);
  remember(key, position, request);
  // Its page holds the old value: the next GET reads the new one.
  values.free(VALUES + key * PAGE_BYTES, 0);
  return valueLength;
}

onFault(fault);
giveUpBy(giveUp);

export function main(): i32 {
  const backed = min(BACKED, extentBlocks() / 2);
  const blocks = extentBlocks() - backed;
  let code = backBy(EXTENT, blocks, backed);
  if (code < 0) return code;
  code = openLog(EXTENT, blocks, found);
  if (code == E.NONE) {
    code = formatLog(EXTENT, blocks);
    if (code == 0) code = openLog(EXTENT, blocks, found);
  }
  if (code < 0) return code;
  const socket = udp_open(PORT);
  while (socket >= 0) {
    const length = udp_receive(socket, request, 1472, sender, -1);
    if (length < HEAD) continue;
    const status = serve(length);
    store<u32>(reply, load<u32>(request));
    store<i32>(reply, status, 4);
    const bytes = HEAD + (load<u8>(request, 4) == GET ? max(0, status) : 0);
    udp_send(socket, load<u32>(sender), load<i32>(sender, 4), reply, bytes);
  }
  return socket;
}
