/**
 * The modest one: an environment of a family of its own that now and then wants what every family is guaranteed, and no more. It gets
 * that whatever others hoard.
 */
import { rawImage, type Fiber, type Raw, type RawImage } from '../../../testkit/src/index.ts';
import { QUOTAS } from '../../src/families.ts';
import type { Ledger } from './ledger.ts';

/** Ticks between two times. */
const REST = 7;

function* beModest(raw: Raw, world: Ledger): Fiber<number> {
  // It is one of its environments itself.
  const wants = [
    ['env_alloc', QUOTAS.environments.minimum - 1, 'env_free'],
    ['ring_bind', QUOTAS.rings.minimum, 'ring_free'],
    ['cap_derive', QUOTAS.nodes.minimum, undefined],
  ] as const;
  for (;;) {
    // Of frames it may have to wait for its part.
    const own = yield* raw.call('frame_alloc', -1);
    for (const [name, minimum, free] of own.code === 0 ? wants : []) {
      const args = { env_alloc: [], ring_bind: [...own.capability, 0, 1], cap_derive: [...own.capability, 1, 1] }[name];
      const got = [];
      for (let i = 1; i <= minimum; i += 1) {
        const answer = yield* raw.call(name, ...args);
        if (answer.code === 0) got.push(answer.capability);
        else world.report(`${name} for the ${i}th of ${minimum} that are guaranteed answers ${answer.code}`);
      }
      if (free !== undefined) for (const words of got) yield* raw.call(free, ...words, 0);
    }
    if (own.code === 0) yield* raw.call('frame_free', ...own.capability);
    yield* raw.sleep(REST);
  }
}

export function modest(world: Ledger): RawImage {
  return rawImage({ name: 'modest', main: (raw) => beModest(raw, world) });
}
