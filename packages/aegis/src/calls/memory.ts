/**
 * Calls on frames and capabilities.
 */
import { ENTRYLO, ERRORS, RIGHTS } from '@exokernel/abi';
import { AGAIN, type Arguments, type Call, type Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';
import type { Frames } from '../frames.ts';

export function memoryCalls({ memory, frames, environments, capabilities, revocation }: Parts): Record<string, Call> {
  return {
    frame_alloc: (call, self) => {
      const ppn = frames.allocate(self, call.word(0));
      if (ppn === ERRORS.E_NONE) {
        if (!memory.affords(self, revocation.costOfNeeding(self))) return AGAIN;
        if (revocation.need(call.cpu, self)) return ERRORS.E_AGAIN;
      }
      revocation.settle(self);
      return ppn < 0 ? ppn : { value: ppn, capability: frames.capability(ppn) };
    },
    frame_free: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read);
      const cost = ppn < 0 ? 0 : frames.costOfDropping(ppn, self);
      // What pins it might be the kernel, for the life of the caller: then it would count for no environment.
      if (cost > 0 && environments.isKernelPage(self, ppn)) return ERRORS.E_BUSY;
      if (!memory.affords(self, cost)) return AGAIN;
      const dropped = ppn < 0 ? ppn : frames.drop(self, ppn);
      revocation.settle(self);
      return dropped;
    },
    frame_hold: (call, self) => {
      const env = environments.check(call.capability(0), self);
      const frame = call.capability(4);
      const ppn = frames.check(frame, RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      return frames.hold(env, ppn, nodeOf(frame));
    },
    frame_guard: (call) => {
      const frame = call.capability(0);
      const ppn = frames.check(frame, RIGHTS.read | RIGHTS.write);
      const which = call.word(4);
      if (ppn < 0 || nodeOf(frame) !== 0) return ERRORS.E_CAP;
      if (which !== 0 && which !== 1) return ERRORS.E_RANGE;
      frames.setGuard(ppn, which === 1 ? 'write' : 'read', [call.word(5) >>> 0, call.word(6) >>> 0]);
      return ERRORS.E_OK;
    },
    cap_derive: (call, self) => {
      const [from, rights, branch] = [call.capability(0), call.word(4) & 0xff, call.word(5)];
      if (branch !== 0 && branch !== 1) return ERRORS.E_RANGE;
      const capability = branch === 0 ? capabilities.derive(from, rights) : capabilities.branch(from, rights, self);
      return typeof capability === 'number' ? capability : { value: nodeOf(capability), capability };
    },
    cap_revoke: (call, self) => {
      const node = capabilities.revocable(call.capability(0), call.word(4) >>> 0);
      if (node < 0) return node;
      if (!memory.affords(self, capabilities.costOfEnd(node))) return AGAIN;
      capabilities.end(node);
      return ERRORS.E_OK;
    },
  };
}

/**
 * The part of tlbwr that its machine code leaves to TypeScript: whether the MAC in a2 and a3, with its head in t0, is that of
 * some capability for the frame of the EntryLo in a1. Returns 0 or E_CAP.
 */
export function frameGranted(frames: Frames, call: Arguments): number {
  const entryLo = call.word(1);
  const words = [call.word(4) >>> 0, entryLo >>> 12, call.word(2) >>> 0, call.word(3) >>> 0] as const;
  const rights = (entryLo & ENTRYLO.dirty) === 0 ? RIGHTS.read : RIGHTS.read | RIGHTS.write;
  return Math.min(0, frames.check(words, rights));
}
