/**
 * Calls on frames and capabilities.
 */
import { ERRORS, RIGHTS } from '@exokernel/abi';
import type { Call, Parts } from '../call.ts';
import { COSTS } from '../costs.ts';

export function memoryCalls({ frames, environments, capabilities }: Parts): Record<string, Call> {
  return {
    frame_alloc: (call, self) => {
      // Three MACs: the capability's, and the two that tlbwr compares.
      call.cpu.charge(COSTS.clearFrame + 3 * COSTS.mac);
      const ppn = frames.allocate(self, call.word(0));
      return ppn < 0 ? ppn : { value: ppn, capability: frames.capability(ppn) };
    },
    frame_free: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read);
      call.cpu.charge(COSTS.flush);
      return ppn < 0 ? ppn : frames.drop(self, ppn);
    },
    frame_hold: (call, self) => {
      const env = environments.check(call.capability(0), self);
      const ppn = frames.check(call.capability(4), RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      frames.hold(env, ppn);
      return ERRORS.E_OK;
    },
    cap_derive: (call) => {
      call.cpu.charge(COSTS.mac);
      const capability = capabilities.derive(call.capability(0), call.word(4) & 0xff);
      return typeof capability === 'number' ? capability : { value: 0, capability };
    },
  };
}
