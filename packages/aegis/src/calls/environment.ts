/**
 * Calls on environments.
 */
import { DEATHS, ENV, ERRORS, RIGHTS } from '@exokernel/abi';
import { AGAIN, type Call, type Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';
import { KERNEL_PAGES } from '../environments.ts';

export function environmentCalls({ frames, environments, memory, natives, revocation }: Parts): Record<string, Call> {
  return {
    env_alloc: (_, self) => {
      const env = allocateChild(self);
      return env < 0 ? env : { value: env, capability: environments.capability(env) };
    },
    env_free: (call, self) => {
      const env = environments.check(call.capability(0), self);
      if (env < 0) return env;
      if (env === self) {
        // From here on it executes nothing but this call: without entries, the end of its slice ends it like one that is killed.
        if (memory.env(env, ENV.death) === DEATHS.none) memory.setEnv(env, ENV.exit, call.word(4));
        environments.condemn(env, DEATHS.exit);
        if (!memory.affords(self, environments.costOfEnd(env))) return AGAIN;
        environments.end(env, DEATHS.exit);
        return ERRORS.E_OK;
      }
      if (!memory.affords(self, environments.costOfEnd(env))) return AGAIN;
      memory.setEnv(env, ENV.exit, call.word(4));
      environments.end(env, DEATHS.destroyed);
      return ERRORS.E_OK;
    },
    env_set: (call, self) => {
      const env = environments.check(call.capability(0), self);
      const [field, value] = [call.word(4), call.word(5) >>> 0];
      // No environment gives more than it has itself.
      if (field === ENV.frameLimit && value > memory.env(self, ENV.frameLimit)) return ERRORS.E_CAP;
      return env < 0 ? env : environments.set(env, field, value);
    },
    env_map: (call, self) => {
      const va = call.word(8) >>> 0;
      const writable = (va & 1) !== 0;
      const of = call.capability(0);
      const env = environments.check(of, self);
      const frame = call.capability(4);
      const ppn = frames.check(frame, writable ? RIGHTS.read | RIGHTS.write : RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      const pages = KERNEL_PAGES.filter((_, i) => (va & (2 << i)) !== 0);
      return environments.map(env, ppn, va, { writable, pages, node: nodeOf(frame), envNode: nodeOf(of) });
    },
    revoke: (call, self) => {
      const env = environments.check(call.capability(0), self);
      const [kind, count, mode] = [call.word(4), call.word(5), call.word(6)];
      if (env < 0) return env;
      if ((kind !== 0 && kind !== 1) || (mode !== 0 && mode !== 1) || count <= 0) return ERRORS.E_RANGE;
      if (mode === 0) return revocation.ask(env, kind, count);
      if (!memory.affords(self, revocation.costOfTaking(env, kind, count))) return AGAIN;
      return revocation.take(call.cpu, env, kind, count);
    },
  };

  /** A new environment with the native functions of `self`. Making them is the library's code, which may fail. */
  function allocateChild(self: number): number {
    try {
      return environments.allocate(self, natives.factory(self));
    } catch {
      return ERRORS.E_CODE;
    }
  }
}
