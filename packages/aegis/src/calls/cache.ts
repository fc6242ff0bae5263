/**
 * Calls on the buffer-cache registry. Blocks are named by their physical number; an extent's capability is the right to them.
 */
import { COMPLETION_SLOTS, ERRORS, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { AGAIN, type Call, type Parts } from '../call.ts';
import { isNull, nodeOf } from '../capabilities.ts';
import { contains } from '../extents.ts';

const BOTH = RIGHTS.read | RIGHTS.write;

export function cacheCalls({ memory, extents, frames, disk, registry, revocation }: Parts): Record<string, Call> {
  /** The extent with this block of the disk for which this is a capability with these rights; or an error. */
  const allowed = (words: CapabilityWords, rights: number, block: number): number => {
    const id = extents.check(words, rights);
    if (id < 0) return id;
    return contains(extents.extent(id), block) && block < disk.blocks ? id : ERRORS.E_RANGE;
  };
  return {
    bc_insert: (call, self) => {
      const words = call.capability(0);
      const block = call.word(8) >>> 0;
      const dirty = call.word(9);
      const extent = allowed(words, RIGHTS.write, block);
      const frame = call.capability(4);
      const ppn = frames.check(frame, BOTH);
      // Every environment that may map the block gets the node that the frame was inserted by: a branch could not be taken back.
      if (extent === ERRORS.E_CAP || ppn < 0 || nodeOf(frame) !== 0) return ERRORS.E_CAP;
      if (extent < 0) return extent;
      if (dirty !== 0 && dirty !== 1) return ERRORS.E_RANGE;
      return registry.insert(self, ppn, block, { dirty: dirty === 1, through: { extent, node: nodeOf(words) } });
    },
    bc_read: (call, self) => {
      const [block, slot] = [call.word(0) >>> 0, call.word(1) >>> 0];
      if (disk.blocks === 0) return ERRORS.E_DEVICE;
      if (block >= disk.blocks || slot >= COMPLETION_SLOTS) return ERRORS.E_RANGE;
      const code = registry.read(call.cpu, self, block, slot);
      if (code !== ERRORS.E_AGAIN) return code;
      // No frame is free: as for one of its own.
      if (!memory.affords(self, revocation.costOfNeeding(self))) return AGAIN;
      return revocation.need(call.cpu, self) ? ERRORS.E_AGAIN : ERRORS.E_NONE;
    },
    bc_map: (call, self) => {
      const words = call.capability(0);
      const block = call.word(4) >>> 0;
      const extent = allowed(words, RIGHTS.read, block);
      if (extent < 0) return extent;
      const rights = extents.check(words, RIGHTS.write) < 0 ? RIGHTS.read : BOTH;
      const capability = registry.map(self, block, rights, { extent, node: nodeOf(words) });
      if (typeof capability === 'number') return capability;
      return { value: capability[1], capability };
    },
    bc_dirty: (call, self) => {
      const [block, dirty] = [call.word(4) >>> 0, call.word(5)];
      const code = allowed(call.capability(0), RIGHTS.write, block);
      if (code < 0) return code;
      return dirty === 0 || dirty === 1 ? registry.setDirty(self, block, dirty === 1) : ERRORS.E_RANGE;
    },
    bc_write: (call, self) => {
      const words = call.capability(0);
      const [block, slot] = [call.word(4) >>> 0, call.word(5) >>> 0];
      const mayWrite = !isNull(words);
      const code = mayWrite ? allowed(words, RIGHTS.write, block) : ERRORS.E_OK;
      if (code < 0) return code;
      if (slot >= COMPLETION_SLOTS) return ERRORS.E_RANGE;
      return registry.write(call.cpu, self, block, { mayWrite, slot });
    },
    bc_remove: (call, self) => {
      const block = call.word(4) >>> 0;
      const code = allowed(call.capability(0), RIGHTS.write, block);
      if (code < 0) return code;
      return memory.affords(self, registry.costOfRemoving(block)) ? registry.remove(block) : AGAIN;
    },
    bc_words: (call) => {
      const block = call.word(4) >>> 0;
      const code = allowed(call.capability(0), RIGHTS.write, block);
      return code < 0 ? code : registry.setWords(block, call.word(5), call.word(6));
    },
  };
}
