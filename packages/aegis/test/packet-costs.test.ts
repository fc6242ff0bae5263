/** What packets cost the kernel, in instructions from the vector to user mode. No bar: a change of one shows here. */
import { CALLS, EXCEPTIONS } from '@exokernel/abi';
import { EVENT_KINDS } from '@exokernel/hardware';
import { V0 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { INTERRUPT } from '../src/layout.ts';
import { boot, rawImage, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { bindFilter, makeRing, MAC, outside, packet, put, setBuffers, take, type Outside } from './network.ts';

/** The instructions of each entry of the kernel that is wanted, while `main` runs. Native code among them fails. */
function entries(
  isWanted: (booted: Booted, code: number) => boolean,
  main: (raw: Raw, net: Outside) => Fiber<number>,
): number[] {
  const net = outside();
  const booted = boot([rawImage({ main: (raw) => main(raw, net) })], net.machine);
  const { machine } = booted;
  const found: number[] = [];
  let from = -1;
  machine.listen((kind, _cycle, a, b) => {
    if (kind === EVENT_KINDS.exception.kind && from < 0 && isWanted(booted, a)) from = machine.instructions;
    if (from < 0) return;
    if (kind === EVENT_KINDS.native.kind && b < 0) throw new Error('native code ran');
    if (kind !== EVENT_KINDS.return.kind) return;
    found.push(machine.instructions - from);
    from = -1;
  });
  booted.finish(0);
  expect(machine.native.lastError).toBeUndefined();
  return found;
}

test('xmit: of an empty ring; of 64 bytes, 1514, and 1514 that are a header and a page’s; of 64 bytes to oneself', () => {
  const costs = entries(
    ({ machine }, code) => code === EXCEPTIONS.syscall && machine.cpu.registers[V0] === CALLS.xmit.number,
    function* (raw) {
      const ring = yield* makeRing(raw, true, 2);
      yield* raw.call('xmit', ring.ring);
      const others = packet(0x9000, 1514);
      others[0] = 2;
      for (const [i, length] of [64, 1514, 1514].entries()) {
        yield* put(raw, ring, i, others, length);
        const pieces = [
          [ring.at(i), 54],
          [ring.at(0), 1460],
        ] as const;
        if (i === 2) yield* setBuffers(raw, ring, i, pieces);
        yield* raw.call('xmit', ring.ring);
      }
      const receive = yield* makeRing(raw, false, 1, 0x300000);
      yield* bindFilter(raw, receive.capability, 0x9000);
      yield* put(raw, ring, 3, packet(0x9000));
      yield* raw.call('xmit', ring.ring);
      yield* take(raw, receive, 0);
      expect(MAC).toHaveLength(6);
      return 0;
    },
  );
  expect(costs).toMatchInlineSnapshot(`
    [
      77,
      318,
      2496,
      2893,
      349,
    ]
  `);
});

test('the interrupt that delivers 64 bytes to oneself, through one filter', () => {
  const costs = entries(
    ({ machine }, code) => code === EXCEPTIONS.interrupt && (machine.cpu.cp0.cause & INTERRUPT.packets) !== 0,
    function* (raw) {
      const ring = yield* makeRing(raw, true, 1);
      const receive = yield* makeRing(raw, false, 1, 0x300000);
      yield* bindFilter(raw, receive.capability, 0x9000);
      yield* put(raw, ring, 0, packet(0x9000));
      yield* raw.call('xmit', ring.ring);
      yield* take(raw, receive, 0);
      return 0;
    },
  );
  expect(costs).toMatchInlineSnapshot(`
    [
      434,
    ]
  `);
});

test('an arrival, through one filter into a ring: of 64 bytes, 1514, and 1514 in two pieces', () => {
  const costs = entries(
    ({ machine }, code) => code === EXCEPTIONS.interrupt && (machine.cpu.cp0.cause & INTERRUPT.lance) !== 0,
    function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 2);
      yield* bindFilter(raw, ring.capability, 0x9000);
      const pieces = [
        [ring.at(2), 56],
        [ring.at(3), 1536],
      ] as const;
      yield* setBuffers(raw, ring, 2, pieces);
      for (const [i, length] of [64, 1514, 1514].entries()) {
        send(packet(0x9000, length));
        // Not asleep, so that the interrupt comes back here.
        while ((yield* raw.fibers.load(ring.slot(i))) === 0) yield* raw.call('null');
      }
      return 0;
    },
  );
  expect(costs).toMatchInlineSnapshot(`
    [
      390,
      2205,
      2236,
    ]
  `);
});
