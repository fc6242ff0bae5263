/**
 * Calls on environments.
 */
import { DEATHS, ENV, ERRORS, RIGHTS } from '@exokernel/abi';
import type { Call, Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';
import { COSTS } from '../costs.ts';

export function environmentCalls({ frames, environments, memory }: Parts): Record<string, Call> {
  return {
    env_alloc: (call, self) => {
      call.cpu.charge(COSTS.environment + COSTS.mac);
      const env = allocateChild(self);
      return env < 0 ? env : { value: env, capability: environments.capability(env) };
    },
    env_free: (call, self) => {
      const env = environments.check(call.capability(0), self);
      if (env < 0) return env;
      memory.setEnv(env, ENV.exit, call.word(4));
      const held = environments.end(env, env === self ? DEATHS.exit : DEATHS.destroyed);
      call.cpu.charge(COSTS.environment + COSTS.flush + COSTS.release * held);
      return ERRORS.E_OK;
    },
    env_set: (call, self) => {
      const env = environments.check(call.capability(0), self);
      return env < 0 ? env : environments.set(env, call.word(4), call.word(5) >>> 0);
    },
    env_map: (call, self) => {
      const va = call.word(8) >>> 0;
      const writable = (va & 1) !== 0;
      const env = environments.check(call.capability(0), self);
      const frame = call.capability(4);
      const ppn = frames.check(frame, writable ? RIGHTS.read | RIGHTS.write : RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      call.cpu.charge(COSTS.flush);
      return environments.map(env, ppn, va, { writable, uPage: (va & 2) !== 0, node: nodeOf(frame) });
    },
  };

  /** A new environment with the native functions of `self`. Making them is the library's code, which may fail. */
  function allocateChild(self: number): number {
    try {
      return environments.allocate(self, environments.factory(self));
    } catch {
      return ERRORS.E_CODE;
    }
  }
}
