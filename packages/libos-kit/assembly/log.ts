/**
 * A log in an extent: records are appended, and found again after any loss of power.
 *
 *     openLog(EXTENT, extentBlocks(), visit)   finds the records; visit is called for each, in order
 *     append(record, length)                   into memory: gives where it will be
 *     sync()                                   what was appended before is on the disk when it is back: one write for what is little
 *     readRecord(position, …)                  a record, or a part of it
 *
 * A record that a `sync` has acknowledged is there after a loss of power; one that none has is there as a whole, or not at all.
 *
 * The disk writes sectors of 512 bytes whole, in any order. So a sector is what the log checks, and a record takes whole sectors:
 *
 *     0 CRC-32   4 epoch   8 sequence   12 bytes of the record | number of the sector << 16   16 synced   20 … bytes
 *
 * The checksum covers the sector's place in the extent, too. A record is whole if all of its sectors are, with one sequence number, which no other
 * attempt to write there has had. The sectors behind it in the last block are written later, together with it: it is written again with what it
 * holds, so whichever of the two writes a sector is from, it holds the same.
 *
 * `synced` is where the unacknowledged records began when this one was written. A bad sector before that place was acknowledged: it is damaged, and
 * the log goes on behind it. Any other was under way when power was lost: the log ends there.
 *
 * The extent has two halves. Records are in one of them; `beginRewrite` and `commitRewrite` have those that are still wanted written to the other one,
 * under a greater epoch. The first block of a half says which epoch it has, eight times. Before the first record of an epoch is written, that block
 * is; so no record of an earlier life of a block has the epoch of a later one.
 *
 * There is one log at a time. Threads may share it: while one waits for its `sync` others append.
 */
import { E, PAGE_BYTES } from './abi';
import { Capability, capabilityAt } from './capability';
import { clock_ticks } from './clock';
import { pages, startRun, transfer, wait } from './disk';
import { pause } from './pause';

const SECTOR = 512;
const HEAD = 20;
/** Bytes of a record in one sector. */
const BODY = SECTOR - HEAD;
const SECTORS_PER_BLOCK = 8;
/** Blocks that are written together, and that are read together. */
const BATCH = 4;
/** Sectors of the longest record: it fits a batch wherever it begins. */
const MOST_SECTORS = 16;
/** Bytes of the longest record. */
export const RECORD_MOST: i32 = MOST_SECTORS * BODY;
/** Blocks of the smallest extent. */
export const LOG_LEAST: i32 = 4;
const WINDOW = BATCH * SECTORS_PER_BLOCK;
const MAGIC: u32 = 0x676f6c78;
/** States of a half. */
const PREPARING: u32 = 1;
const COMPLETE: u32 = 2;

const extent: Capability = capabilityAt(memory.data(16));
const crcTable: usize = memory.data(1024);
let writeBuffer: usize = 0;
let readBuffer: usize = 0;

/** Blocks of a half; 0: no log is open. */
let half = 0;
/** The half that is written, and the epochs of both. */
let current = 0;
let epoch0: u32 = 0;
let epoch1: u32 = 0;
/** Places, in sectors of the extent: the next record, and what is not acknowledged. */
let tail = 0;
let durable = 0;
/** The block whose contents the write buffer begins with: that of `durable`. */
let writeBlock = 0;
/** The greatest sequence number. One above it is forged: a log with it would lose what is appended afterwards. Assumption: more than a log sees. */
const SEQUENCE_MOST: u32 = 0xf0000000;
/** The last sequence number that was used. */
let sequence: u32 = 0;
/** The write that is under way: its ticket or −1, and the tail when it began. A thread waits for it. */
let flight = -1;
let flightTail = 0;
let finishing = false;
/** Blocks in the read buffer: from the first one up to the other, exclusive. */
let cacheFirst = 0;
let cacheEnd = 0;
let reading = false;
let damage = 0;

/** Of the record that `recordAt` has found. */
let foundSequence: u32 = 0;
let foundLength = 0;
let foundSynced = 0;
let foundAt: usize = 0;

function crc32(seed: u32, from: usize, bytes: i32): u32 {
  let crc = ~seed;
  for (let i = 0; i < bytes; i++) {
    crc = load<u32>(crcTable + (((crc ^ load<u8>(from + i)) & 0xff) << 2)) ^ (crc >>> 8);
  }
  return ~crc;
}

function prepare(): void {
  if (writeBuffer != 0) return;
  writeBuffer = pages(BATCH);
  readBuffer = pages(BATCH);
  for (let i = 0; i < 256; i++) {
    let crc: u32 = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    store<u32>(crcTable + 4 * i, crc);
  }
}

/** Sectors of a record. */
export function sectorsOf(length: i32): i32 {
  return (length + BODY - 1) / BODY;
}

/** Sectors that are left in the half. */
export function logRoom(): i32 {
  return halfEnd(current) - tail;
}

/** Sectors for records in a half. */
export function logSectors(): i32 {
  return (half - 1) * SECTORS_PER_BLOCK;
}

/** How many times `openLog` has found that acknowledged records are damaged. */
export function logDamage(): i32 {
  return damage;
}

function halfEnd(which: i32): i32 {
  return (which + 1) * half * SECTORS_PER_BLOCK;
}

function halfOf(position: i32): i32 {
  return position < halfEnd(0) ? 0 : 1;
}

/**
 * Opens the log of an extent of so many blocks, and calls `visit` for each record: its place, its first bytes (those of a sector), its length. An
 * error: E.NONE if the extent is blank, E.CODE if something else than such a log is in it, E.RANGE if it is too small, E.DEVICE, E.CAP.
 */
export function openLog(
  where: Capability,
  blocks: i32,
  visit: (position: i32, record: usize, length: i32) => void,
): i32 {
  closeLog();
  if (blocks < LOG_LEAST || blocks > 0x1000000) return E.RANGE;
  prepare();
  extent.set(where);
  const halfBlocks = blocks >>> 1;
  let code = transfer(extent, 0, readBuffer, 1, false, false);
  if (code == 0) code = transfer(extent, halfBlocks, readBuffer + PAGE_BYTES, 1, false, false);
  if (code < 0) return code;
  const first = stateOf(0, halfBlocks);
  epoch0 = stateEpoch;
  const second = stateOf(1, halfBlocks);
  epoch1 = stateEpoch;
  if (first != COMPLETE && second != COMPLETE) return isZero(readBuffer, 2 * PAGE_BYTES) ? E.NONE : E.CODE;
  half = halfBlocks;
  current = second == COMPLETE && (first != COMPLETE || epoch1 > epoch0) ? 1 : 0;
  code = scan(visit);
  if (code < 0) half = 0;
  return code;
}

/** Makes an extent an empty log: all of its blocks are written. An error as for `openLog`. */
export function formatLog(where: Capability, blocks: i32): i32 {
  closeLog();
  if (blocks < LOG_LEAST || blocks > 0x1000000) return E.RANGE;
  prepare();
  extent.set(where);
  half = blocks >>> 1;
  memory.fill(readBuffer, 0, PAGE_BYTES);
  // The first blocks go first: cut off here, the extent is blank, or has its old log still.
  let code = transfer(extent, 0, readBuffer, 1, true, false);
  if (code == 0) code = transfer(extent, half, readBuffer, 1, true, false);
  for (let block = 1; code == 0 && block < 2 * half;) {
    const count = min(64, 2 * half - block);
    code = transfer(extent, block, readBuffer, count, true, true);
    block += count;
  }
  if (code == 0) code = writeState(0, 1, COMPLETE);
  half = 0;
  return code;
}

/** From now on no log is open. What was appended and not synced is lost. */
export function closeLog(): void {
  while (flight >= 0) finish();
  half = 0;
  cacheFirst = cacheEnd = 0;
}

/** Appends a record of 1 to RECORD_MOST bytes. Its place, or an error: E.NONE if the half is full; E.RANGE; those of `sync`. */
export function append(record: usize, length: i32): i32 {
  return appendParts(record, length, 0, 0);
}

/** Appends a record that consists of two parts in memory. */
export function appendParts(first: usize, firstBytes: i32, second: usize, secondBytes: i32): i32 {
  if (half == 0) return E.NONE;
  if (firstBytes < 0 || firstBytes > RECORD_MOST || secondBytes < 0 || secondBytes > RECORD_MOST) return E.RANGE;
  const length = firstBytes + secondBytes;
  const count = sectorsOf(length);
  if (count < 1 || count > MOST_SECTORS) return E.RANGE;
  while (tail + count > (writeBlock + BATCH) * SECTORS_PER_BLOCK) {
    const code = sync();
    if (code < 0) return code;
  }
  if (tail + count > halfEnd(current)) return E.NONE;
  if (sequence >= SEQUENCE_MOST) return E.NONE;
  const position = tail;
  const next = sequence + 1;
  for (let i = 0; i < count; i++) {
    const sector = bufferAt(position + i);
    const from = i * BODY;
    const used = min(BODY, length - from);
    store<u32>(sector, current == 0 ? epoch0 : epoch1, 4);
    store<u32>(sector, next, 8);
    store<u32>(sector, length | (i << 16), 12);
    store<u32>(sector, durable, 16);
    const ofFirst = max(0, min(used, firstBytes - from));
    if (ofFirst > 0) memory.copy(sector + HEAD, first + from, ofFirst);
    if (used > ofFirst) memory.copy(sector + HEAD + ofFirst, second + max(0, from - firstBytes), used - ofFirst);
    store<u32>(sector, crc32(position + i, sector + 4, HEAD - 4 + used));
  }
  sequence = next;
  tail = position + count;
  return position;
}

function bufferAt(position: i32): usize {
  return writeBuffer + (position - writeBlock * SECTORS_PER_BLOCK) * SECTOR;
}

/** Waits until all that has been appended is on the disk. 0, or E.DEVICE; then it may be on the disk, or not, and `sync` may be tried again. */
export function sync(): i32 {
  const target = tail;
  while (half != 0 && durable < target) {
    const code = flight < 0 ? startSync() : finish();
    if (code == E.BUSY) pause(clock_ticks() + 1);
    else if (code < 0) return code;
  }
  return half == 0 ? E.NONE : 0;
}

/** Starts to write what has been appended, and does not wait. 0, or an error: E.BUSY if the queue is full; E.AGAIN while another write is under way. */
export function startSync(): i32 {
  if (half == 0) return E.NONE;
  if (flight >= 0) return E.AGAIN;
  if (durable == tail) return 0;
  const count = ((tail - 1) >> 3) - writeBlock + 1;
  const ticket = startRun(extent, writeBlock, writeBuffer, count, true, false);
  if (ticket < 0) return ticket;
  flight = ticket;
  flightTail = tail;
  return 0;
}

function finish(): i32 {
  if (finishing) {
    pause(clock_ticks() + 1);
    return 0;
  }
  finishing = true;
  const code = wait(flight);
  finishing = false;
  flight = -1;
  if (code == 0) settle();
  return code;
}

/** What was under way is on the disk: the buffer begins with the block of what is not. */
function settle(): void {
  durable = flightTail;
  const done = (durable >> 3) - writeBlock;
  if (done == 0) return;
  const left = (BATCH - done) * PAGE_BYTES;
  if (left > 0) memory.copy(writeBuffer, writeBuffer + done * PAGE_BYTES, left);
  memory.fill(writeBuffer + left, 0, done * PAGE_BYTES);
  writeBlock += done;
}

/**
 * Reads up to `most` bytes of the record at a place that `append` or `openLog` has given, from its byte `offset` on. How many there are, or an error:
 * E.CODE if the record is damaged, E.RANGE, E.DEVICE.
 */
export function readRecord(position: i32, offset: i32, into: usize, most: i32): i32 {
  if (half == 0) return E.NONE;
  if (position < 0 || position >= halfEnd(1) || offset < 0) return E.RANGE;
  while (reading) pause(clock_ticks() + 1);
  reading = true;
  const code = recordAt(position, 0);
  let done = code;
  if (code == 0) done = E.CODE;
  if (code > 0) {
    done = max(0, min(most, foundLength - offset));
    for (let i = 0; i < done;) {
      const sector = (offset + i) / BODY;
      const skip = (offset + i) % BODY;
      const bytes = min(done - i, BODY - skip);
      memory.copy(into + i, foundAt + sector * SECTOR + HEAD + skip, bytes);
      i += bytes;
    }
  }
  reading = false;
  return done;
}

/**
 * Begins to write the log anew: from now on `append` writes to the other half, while the records of this one can still be read. Until
 * `commitRewrite` the log on the disk is the old one. After an error the log must be opened again.
 */
export function beginRewrite(): i32 {
  let code = sync();
  if (code < 0) return code;
  const next = 1 - current;
  const epoch = max(epoch0, epoch1) + 1;
  while (reading) pause(clock_ticks() + 1);
  code = writeState(next, epoch, PREPARING);
  if (code < 0) return code;
  if (next == 0) epoch0 = epoch;
  else epoch1 = epoch;
  current = next;
  begin(next * half * SECTORS_PER_BLOCK + SECTORS_PER_BLOCK);
  memory.fill(writeBuffer, 0, BATCH * PAGE_BYTES);
  return 0;
}

/** What was appended since `beginRewrite` is the log from now on. After an error the log must be opened again. */
export function commitRewrite(): i32 {
  const code = sync();
  if (code < 0) return code;
  while (reading) pause(clock_ticks() + 1);
  return writeState(current, current == 0 ? epoch0 : epoch1, COMPLETE);
}

function begin(position: i32): void {
  tail = durable = position;
  writeBlock = position >> 3;
}

function writeState(which: i32, epoch: u32, state: u32): i32 {
  cacheFirst = cacheEnd = 0;
  memory.fill(readBuffer, 0, PAGE_BYTES);
  const block = which * half;
  for (let i = 0; i < SECTORS_PER_BLOCK; i++) {
    const sector = readBuffer + i * SECTOR;
    store<u32>(sector, MAGIC, 4);
    store<u32>(sector, epoch, 8);
    store<u32>(sector, state, 12);
    store<u32>(sector, half, 16);
    store<u32>(sector, crc32(block * SECTORS_PER_BLOCK + i, sector + 4, HEAD - 4));
  }
  return transfer(extent, block, readBuffer, 1, true, false);
}

let stateEpoch: u32 = 0;

/** The state of a half, whose first block is in the read buffer, and its epoch in `stateEpoch`; 0 if it has none. */
function stateOf(which: i32, halfBlocks: i32): u32 {
  let state: u32 = 0;
  stateEpoch = 0;
  for (let i = 0; i < SECTORS_PER_BLOCK; i++) {
    const sector = readBuffer + which * PAGE_BYTES + i * SECTOR;
    const position = which * halfBlocks * SECTORS_PER_BLOCK + i;
    if (load<u32>(sector, 4) != MAGIC || load<u32>(sector, 16) != <u32>halfBlocks) continue;
    if (load<u32>(sector) != crc32(position, sector + 4, HEAD - 4)) continue;
    const epoch = load<u32>(sector, 8);
    if (epoch > stateEpoch) state = 0;
    if (epoch >= stateEpoch) state = max(state, load<u32>(sector, 12));
    stateEpoch = max(epoch, stateEpoch);
  }
  return state;
}

function isZero(from: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i += 4) if (load<u32>(from + i) != 0) return false;
  return true;
}

// ---- Finding records

/** The greatest sequence number of all sectors that have been looked at. */
let top: u32 = 0;

function scan(visit: (position: i32, record: usize, length: i32) => void): i32 {
  const end = halfEnd(current);
  let position = halfEnd(current - 1) + SECTORS_PER_BLOCK;
  let last: u32 = 0;
  top = 0;
  damage = 0;
  // Nothing is in the write buffer yet.
  begin(position);
  tail = position;
  writeBlock = 2 * half;
  while (position < end) {
    let count = recordAt(position, last);
    if (count == 0) {
      const next = provedBehind(position, last);
      if (next < 0) return next;
      if (next == 0) break;
      damage++;
      position = next;
      count = recordAt(position, last);
    }
    if (count <= 0) return count < 0 ? count : E.DEVICE;
    last = foundSequence;
    visit(position, foundAt + HEAD, foundLength);
    position += count;
  }
  sequence = top;
  begin(position);
  cacheFirst = cacheEnd = 0;
  memory.fill(writeBuffer, 0, BATCH * PAGE_BYTES);
  const used = position & (SECTORS_PER_BLOCK - 1);
  if (used == 0) return 0;
  const code = transfer(extent, writeBlock, writeBuffer, 1, false, false);
  memory.fill(writeBuffer + used * SECTOR, 0, (SECTORS_PER_BLOCK - used) * SECTOR);
  return code;
}

/** The next record behind a bad sector, if one says that the sector was acknowledged; 0 if none does. */
function provedBehind(position: i32, last: u32): i32 {
  let candidate = 0;
  const end = min(position + WINDOW, halfEnd(current));
  for (let next = position + 1; next < end; next++) {
    const count = recordAt(next, last);
    if (count < 0) return count;
    if (count == 0) continue;
    if (candidate == 0) candidate = next;
    if (foundSynced > position) return candidate;
  }
  return 0;
}

/** How many sectors the record at a place has; 0: none is there with a sequence number above `last`. An error of the disk's. */
function recordAt(position: i32, last: u32): i32 {
  let sector = fetch(position, 1);
  if (sector == 0) return E.DEVICE;
  if (!isSector(sector, position) || load<u32>(sector, 12) >>> 16 != 0) return 0;
  const found = load<u32>(sector, 8);
  const length = load<i32>(sector, 12);
  const count = sectorsOf(length);
  if (found <= last || position + count > halfEnd(halfOf(position))) return 0;
  sector = fetch(position, count);
  if (sector == 0) return E.DEVICE;
  for (let i = 1; i < count; i++) {
    const next = sector + i * SECTOR;
    if (!isSector(next, position + i)) return 0;
    if (load<u32>(next, 8) != found || load<i32>(next, 12) != (length | (i << 16))) return 0;
  }
  foundSequence = found;
  foundLength = length;
  foundSynced = load<i32>(sector, 16);
  foundAt = sector;
  return count;
}

/** Whether a sector is one of a record of this epoch. */
function isSector(sector: usize, position: i32): bool {
  if (load<u32>(sector, 4) != (halfOf(position) == 0 ? epoch0 : epoch1)) return false;
  const length = load<i32>(sector, 12) & 0xffff;
  const used = min(BODY, length - (load<u32>(sector, 12) >>> 16) * BODY);
  if (length > RECORD_MOST || used <= 0 || load<u32>(sector, 8) > SEQUENCE_MOST) return false;
  if (load<u32>(sector) != crc32(position, sector + 4, HEAD - 4 + used)) return false;
  top = max(top, load<u32>(sector, 8));
  return true;
}

/** The address of sectors, of a record at most, which are read if need be; 0: the disk has failed. */
function fetch(position: i32, count: i32): usize {
  if (position >= writeBlock * SECTORS_PER_BLOCK && position < tail) return bufferAt(position);
  const first = position >> 3;
  const end = ((position + count - 1) >> 3) + 1;
  if (first < cacheFirst || end > cacheEnd) {
    cacheEnd = cacheFirst;
    // Blocks that are going to be written are not kept.
    const kept = halfOf(position) == current && first < writeBlock ? min(half * (current + 1), writeBlock) : 0;
    const limit = kept == 0 ? (halfOf(position) + 1) * half : max(kept, end);
    if (transfer(extent, first, readBuffer, min(BATCH, limit - first), false, false) < 0) return 0;
    cacheFirst = first;
    cacheEnd = halfOf(position) == current ? max(first, min(first + BATCH, kept)) : min(first + BATCH, limit);
  }
  return readBuffer + (position - cacheFirst * SECTORS_PER_BLOCK) * SECTOR;
}
