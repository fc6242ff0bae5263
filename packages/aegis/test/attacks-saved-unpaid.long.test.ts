/**
 * What the kernel saves of taken frames is written in the name of who lost them, but not for a debtor that never pays. One whose family has no slice, and runs in
 * those of an accomplice, takes frames of itself without end: others do not pay for the interrupts of the disk.
 */
import { REPOSSESSION, REPOSSESSION_BYTES, REPOSSESSION_STATES } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage } from '../../testkit/src/index.ts';
import { worker } from './attackers.ts';

const VECTOR = 0x700000;
const BLOCKS = 1900;
const AT_ONCE = 4;

test.each([
  ['dec5000', false],
  ['dec5000', true],
  ['dec3100', true],
] as const)('who owes more than a quantum has nothing more saved: %s, saves %s', (profile, saves) => {
  const done = { taken: 0 };
  const debtor = rawImage({
    name: 'debtor',
    placement: { slices: 0 },
    extent: { start: 0, blocks: BLOCKS },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      const vector = yield* raw.frame();
      expect(yield* raw.code('env_map', 0, 0, 0, 0, ...vector.capability, VECTOR | 9)).toBe(0);
      for (let i = 0; i < 8; i += 1) yield* raw.frame();
      for (let n = 0; ; n += AT_ONCE) {
        for (let i = 0; i < AT_ONCE; i += 1) {
          yield* raw.frame();
          const at = VECTOR + i * REPOSSESSION_BYTES;
          const state = saves ? REPOSSESSION_STATES.preloaded : REPOSSESSION_STATES.empty;
          yield* raw.fibers.store(at + REPOSSESSION.state, state);
          for (const [w, word] of extent.entries()) yield* raw.fibers.store(at + REPOSSESSION.extent + 4 * w, word);
          yield* raw.fibers.store(at + REPOSSESSION.block, (n + i) % BLOCKS);
        }
        done.taken += Math.max(0, (yield* raw.call('revoke', 0, 0, 0, 0, 0, AT_ONCE, 1)).value);
        while (booted.aegis.parts.disk.inFlight.length > 60) yield* raw.routine('kit.yield', -1);
      }
    },
  });
  const accomplice = rawImage({
    name: 'accomplice',
    main: function* (raw) {
      for (;;) yield* raw.routine('kit.yield', 0);
    },
  });
  const booted = boot([debtor, accomplice, worker()], { disk: { store: memoryStore(2048 * 4096) }, profile });
  const { aegis, machine } = booted;
  const { memory, families } = aegis.parts;
  const quantum = Math.ceil(machine.hz / 64);
  machine.run(30 * quantum);
  const before = aegis.environment(2).cycles;
  machine.run(600 * quantum);
  expect(machine.native.lastError?.error).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  const part = (aegis.environment(2).cycles - before) / (300 * quantum);
  const owed = (memory.get(families.creditOf(0)) | 0) / quantum;
  expect({ part: part > 0.99, owes: owed < -1.5 }).toEqual({ part: true, owes: false });
});
