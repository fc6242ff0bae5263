/**
 * The modest one: an environment of a family of its own that now and then wants what every family is guaranteed, and no more. It gets
 * that whatever others hoard.
 */
import type { CallName } from '@exokernel/abi';
import { rawImage, type Fiber, type Raw, type RawImage } from '../../../testkit/src/index.ts';
import { QUOTAS } from '../../src/families.ts';
import type { Ledger } from './ledger.ts';

/** Ticks between two times. */
const REST = 3;

function* beModest(raw: Raw, world: Ledger): Fiber<number> {
  // A frame of its image: it may have to wait for another.
  const frame = yield* raw.segment(2);
  function* want(minimum: number, take: CallName, args: readonly number[], free: CallName): Fiber<void> {
    const got = [];
    for (let i = 1; i <= minimum; i += 1) {
      const answer = yield* raw.call(take, ...args);
      if (answer.code === 0) got.push(answer);
      else world.report(`${take} answers ${answer.code} for ${i} of ${minimum}, which are guaranteed`);
    }
    for (const { value, capability } of got)
      yield* raw.call(free, ...(free === 'cap_revoke' ? [...frame, value] : [...capability, 0]));
  }
  for (;;) {
    // It is an environment itself.
    yield* want(QUOTAS.environments.minimum - 1, 'env_alloc', [], 'env_free');
    yield* want(QUOTAS.rings.minimum, 'ring_bind', [...frame, 0, 1], 'ring_free');
    yield* want(QUOTAS.nodes.minimum, 'cap_derive', [...frame, 1, 1], 'cap_revoke');
    yield* raw.sleep(REST);
  }
}

export function modest(world: Ledger): RawImage {
  return rawImage({ name: 'modest', main: (raw) => beModest(raw, world) });
}
