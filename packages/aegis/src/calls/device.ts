/**
 * Calls on serial lines and the disk.
 */
import {
  COMPLETION_SLOTS,
  ERRORS,
  PAGE_BYTES,
  RIGHTS,
  TRANSFER,
  TRANSFER_BYTES,
  TRANSFER_LIMIT,
  type CapabilityWords,
} from '@exokernel/abi';
import { AGAIN, type Arguments, type Call, type Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';
import type { BlockFrame } from '../disk-requests.ts';
import type { LineRight } from '../serial.ts';
import { COMPLETIONS } from '../tables.ts';

export function deviceCalls(parts: Parts): Record<string, Call> {
  const { capabilities, serial, disk, extents, frames, memory, slices } = parts;
  const lineOf = (words: CapabilityWords, rights: number): LineRight | number => {
    const line = capabilities.check(words, 'serial', rights);
    return line < 0 ? line : { line, node: nodeOf(words) };
  };
  const rightsOfFrame = (write: boolean): number => (write ? RIGHTS.read : RIGHTS.read | RIGHTS.write);
  const transfer =
    (write: boolean): Call =>
    (call, env) => {
      const [of, frame] = [call.capability(0), call.capability(4)];
      const extent = extents.check(of, write ? RIGHTS.write : RIGHTS.read);
      const ppn = frames.check(frame, rightsOfFrame(write));
      const slot = call.word(9) >>> 0;
      if (extent < 0 || ppn < 0) return ERRORS.E_CAP;
      if (disk.blocks === 0) return ERRORS.E_DEVICE;
      const block = disk.physical(extent, call.word(8) >>> 0);
      if (block < 0 || slot >= COMPLETION_SLOTS) return ERRORS.E_RANGE;
      const done = { kind: COMPLETIONS.word, operand: 0, slot };
      const request = { env, node: nodeOf(of), block, frames: [{ ppn, node: nodeOf(frame) }], write, done };
      const code = disk.submit(call.cpu, [request]);
      if (code === ERRORS.E_OK) disk.tell(env, slot, 0, false);
      return code;
    };
  /** The frames and blocks that the list in a frame names, all of which may be had; or an error. */
  const gather = (call: Arguments, list: number, extent: number, write: boolean): BlockFrame[] | number => {
    const blocks: BlockFrame[] = [];
    for (let i = 0; i < call.word(8); i += 1) {
      const at = list * PAGE_BYTES + i * TRANSFER_BYTES;
      const word = (offset: number): number => memory.get(at + TRANSFER.frame + offset);
      const frame = [word(0), word(4), word(8), word(12)] as const;
      const ppn = frames.check(frame, rightsOfFrame(write));
      if (ppn < 0) return ppn;
      const block = disk.physical(extent, memory.get(at + TRANSFER.block));
      if (block < 0) return block;
      blocks.push({ block, ppn, node: nodeOf(frame) });
    }
    return blocks;
  };
  return {
    serial_write: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.write);
      const length = call.word(4);
      if (typeof line === 'number') return line;
      if (length < 0 || length > SERIAL_WRITE_MAX) return ERRORS.E_RANGE;
      // Each byte is an interrupt, which a debtor might never pay.
      if (slices.isDebtor(self)) return 0;
      const bytes = Array.from({ length }, (_, i) => (call.word(5 + (i >> 2)) >>> (8 * (i & 3))) & 0xff);
      return serial.write(call.cpu, self, line, bytes);
    },
    serial_read: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.read);
      return typeof line === 'number' ? line : serial.read(self, line);
    },
    disk_read: transfer(false),
    disk_write: transfer(true),
    disk_request: (call, env) => {
      const [count, writes, slot] = [call.word(8), call.word(9), call.word(10) >>> 0];
      const write = writes === 1;
      const of = call.capability(0);
      const extent = extents.check(of, write ? RIGHTS.write : RIGHTS.read);
      const list = frames.check(call.capability(4), RIGHTS.read);
      if (extent < 0 || list < 0) return ERRORS.E_CAP;
      if (disk.blocks === 0) return ERRORS.E_DEVICE;
      const isOne = count >= 1 && count <= TRANSFER_LIMIT && slot < COMPLETION_SLOTS && (writes === 0 || writes === 1);
      if (!isOne) return ERRORS.E_RANGE;
      if (!memory.affords(env, count * COST_OF_BLOCK)) return AGAIN;
      const blocks = gather(call, list, extent, write);
      if (typeof blocks === 'number') return blocks;
      return disk.transfer(call.cpu, blocks, { env, node: nodeOf(of), write, slot });
    },
    extent_alloc: (call, env) => {
      if (disk.blocks === 0) return ERRORS.E_DEVICE;
      const [start, blocks] = [call.word(0), call.word(1)];
      if (!memory.affords(env, extents.costOfAllocating(start, blocks, disk.blocks))) return AGAIN;
      const id = extents.allocate(env, start, blocks, disk.blocks);
      return id < 0 ? id : { value: extents.extent(id).start, capability: extents.capability(id) };
    },
    extent_free: (call, env) => {
      const id = extents.check(call.capability(0), RIGHTS.control);
      if (id < 0) return id;
      if (!memory.affords(env, extents.costOfFreeing([id]))) return AGAIN;
      extents.free(id);
      return ERRORS.E_OK;
    },
  };
}

/** What a block of a request costs at most: its capability is checked, and the request is queued. */
const COST_OF_BLOCK = 3500;
/** Bytes in the seven word arguments of serial_write. */
const SERIAL_WRITE_MAX = 28;
