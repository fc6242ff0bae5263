/**
 * Each byte that a serial line sends is an interrupt. A user that sends by a branch of its capability, and revokes that
 * when the queue is full, is no user any more: its family pays for the 256 interrupts.
 */
import { type CapabilityWords } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Booted, type RawImage } from '../../testkit/src/index.ts';
import { QUANTUM, spin, worker } from './attackers.ts';

function sender(line: number, sheds: boolean): RawImage {
  return rawImage({
    name: `sender ${line}`,
    placement: { serialLine: line },
    emit: (a) => {
      a.label('spin');
      spin(a, 'spinning', QUANTUM / 4);
      a.ret();
      a.nop();
    },
    main: function* (raw) {
      const own = yield* raw.granted('serial');
      for (;;) {
        let by: CapabilityWords = own;
        let node = 0;
        if (sheds) {
          const branch = yield* raw.call('cap_derive', ...own, 3, 1);
          expect(branch.code).toBe(0);
          [by, node] = [branch.capability, branch.value];
        }
        for (let i = 0; i < 10; i += 1) yield* raw.call('serial_write', ...by, 28, 0, 0, 0, 0, 0, 0, 0);
        if (sheds) expect(yield* raw.code('cap_revoke', ...own, node)).toBe(0);
        yield* raw.routine('spin');
      }
    },
  });
}

/** What part of its slices' time the last environment has, in 320 ticks. */
function partOf({ aegis, machine }: Booted, env: number, share: number): number {
  const quantum = Math.ceil(machine.hz / 64);
  machine.run(30 * quantum);
  const before = aegis.environment(env).cycles;
  machine.run(320 * quantum);
  expect(machine.native.lastError).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  return (aegis.environment(env).cycles - before) / (320 * quantum * share);
}

test.each([
  ['dec5000', 1, false],
  ['dec5000', 1, true],
  ['dec5000', 4, true],
  ['dec3100', 1, true],
] as const)('a bystander has its slices: %s, %i lines, sheds %s', (profile, lines, sheds) => {
  const senders = Array.from({ length: lines }, (_, i) => sender(i, sheds));
  const booted = boot([...senders, worker()], { profile });
  const part = partOf(booted, lines, 1 / (lines + 1));
  expect(part).toBeGreaterThan(0.99);
});
