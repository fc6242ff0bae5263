/**
 * Calls on the processor: slices, wakeup predicates, message rings.
 */
import { ENV, ENV_LIMIT, ENV_STATUS, ERRORS, PAGE_BYTES, RIGHTS, SLICE } from '@exokernel/abi';
import { AGAIN, type Arguments, type Call, type Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';

export function processorCalls(parts: Parts): Record<string, Call> {
  const { frames, environments, slices, memory, capabilities, predicates, messages, revocation } = parts;
  const sliceOf = (call: Arguments, i: number, rights: number): number =>
    capabilities.check(call.capability(i), 'slice', rights);
  return {
    slice_alloc: (call, self) => {
      const env = environments.check(call.capability(0), self);
      if (env < 0) return env;
      const node = nodeOf(call.capability(0));
      const before = slices.of(env);
      const position = slices.allocate(env, call.word(4));
      if (position < 0) return position;
      // What was had through a branch ends with it.
      const capability = node === 0 ? slices.capability(position) : slices.capabilityUnder(node, position, self);
      if (typeof capability !== 'number') return { value: position, capability };
      if (!before.includes(position)) slices.free(position);
      return capability;
    },
    slice_free: (call) => {
      const position = sliceOf(call, 0, RIGHTS.control);
      if (position < 0) return position;
      const owner = memory.slice(position, SLICE.owner);
      slices.free(position);
      revocation.settle(owner);
      return ERRORS.E_OK;
    },
    slice_give: (call) => {
      const position = sliceOf(call, 0, RIGHTS.control);
      const env = call.word(4) >>> 0;
      if (position < 0) return position;
      const alive: readonly number[] = [ENV_STATUS.embryo, ENV_STATUS.runnable];
      if (env >= ENV_LIMIT || !alive.includes(memory.env(env, ENV.status))) return ERRORS.E_ENV;
      slices.give(position, env);
      return ERRORS.E_OK;
    },
    slice_swap: (call) => {
      const [one, other] = [sliceOf(call, 0, RIGHTS.write), sliceOf(call, 4, RIGHTS.write)];
      if (one < 0 || other < 0) return ERRORS.E_CAP;
      slices.swap(one, other);
      return ERRORS.E_OK;
    },
    wake_set: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read);
      const length = call.word(4);
      if (ppn < 0) return ppn;
      if (length < 0 || length > PAGE_BYTES) return ERRORS.E_RANGE;
      if (!memory.affords(self, predicates.costOfSetting(length))) return AGAIN;
      const words = predicates.set(self, memory.bytes(ppn * PAGE_BYTES, length));
      return Math.min(words, 0);
    },
    msg_bind: (call, self) => {
      const frame = call.capability(0);
      const ppn = frames.check(frame, RIGHTS.read | RIGHTS.write);
      if (ppn < 0) return ppn;
      const code = messages.bind(self, ppn);
      if (code === ERRORS.E_OK) frames.boundThrough(self, nodeOf(frame));
      return code;
    },
    msg_free: (_, self) => messages.free(self),
  };
}
