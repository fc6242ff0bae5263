/** What is done for one that owes more than a quantum and never pays: it runs in slices of an accomplice, and has none of its own. */
import { ENV, ERRORS, RING_SLOT } from '@exokernel/abi';
import { A0, S0, S1, S2, S3, T0, ZERO, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  emitCall,
  rawImage,
  RAW,
  type Booted,
  type RawFrame,
} from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';
import { makeRing, outside } from './network.ts';

/** What part of all cycles an environment has in so many seconds of the machine. */
function partOf({ aegis, machine }: Booted, env: number, seconds: number): number {
  const watch = new BystanderWatch(aegis, env);
  const [had, from] = [aegis.environment(env).cycles, machine.cycles];
  while (machine.cycles - from < seconds * machine.hz) {
    machine.run(Math.floor(machine.hz / 64));
    watch.look();
  }
  expect(machine.native.lastError).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  expect(watch.damage()).toEqual([]);
  return (aegis.environment(env).cycles - had) / (machine.cycles - from);
}

test.each([
  ['ideal', 0.497],
  // What is left is the interrupts that tell that a packet is sent: here they take more than SENT_CYCLES.
  ['dec3100', 0.48],
  ['dec5000', 0.497],
] as const)('its packets to this station take no time of others (%s)', (profile, least) => {
  const state = { ready: false };
  const feeder = rawImage({
    name: 'feeder',
    entry: 'go',
    prologue: 'go',
    emit: (a) => {
      a.label('go');
      a.li(A0, 2);
      emitCall(a, 'yield');
      a.b('go');
      a.nop();
    },
  });
  const [ring, first, second] = [RAW.user, RAW.user + 4, RAW.user + 8];
  const send = (a: Assembler): void => {
    a.li(T0, 60);
    a.sw(T0, RING_SLOT.length, S1);
    a.sw(T0, RING_SLOT.length, S2);
    a.move(A0, S0);
    emitCall(a, 'xmit');
  };
  const sender = rawImage({
    name: 'sender',
    placement: { slices: 0 },
    emit: (a) => {
      a.label('sends');
      a.lw(S0, ring, ZERO);
      a.lw(S1, first, ZERO);
      a.lw(S2, second, ZERO);
      a.label('sends.again');
      send(a);
      a.b('sends.again');
      a.nop();
      // It sends for a while at the end, too.
      a.label('ends');
      a.lw(S0, ring, ZERO);
      a.lw(S1, first, ZERO);
      a.lw(S2, second, ZERO);
      a.li(S3, 100);
      a.label('ends.again');
      send(a);
      a.addiu(S3, S3, -1);
      a.bgtz(S3, 'ends.again');
      a.nop();
      a.li(A0, -1);
      emitCall(a, 'yield');
      a.b('ends');
      a.nop();
    },
    main: function* (raw) {
      const out = yield* makeRing(raw, true, 1);
      // To all stations.
      for (const i of [0, 1]) for (const k of [0, 4]) yield* raw.fibers.store(out.buffer(i) + k, -1);
      for (const [i, word] of [out.ring, out.slot(0), out.slot(1)].entries())
        yield* raw.fibers.store(ring + 4 * i, word);
      for (const [field, label] of [
        [ENV.prologue, 'sends'],
        [ENV.epilogue, 'ends'],
      ] as const) {
        expect(yield* raw.code('env_set', 0, 0, 0, 0, field, sender.runtime.symbols.get(label) ?? 0)).toBe(0);
      }
      state.ready = true;
      for (;;) yield* raw.code('yield', -1);
    },
  });
  const booted = boot([feeder, bystander(), sender], { ...outside().machine, profile });
  const { memory } = booted.aegis.parts;
  expect(booted.runUntil(() => state.ready)).toBe(true);
  const debt = Math.round(-1.1 * (booted.machine.hz / 64));
  memory.setEnv(2, ENV.credit, debt);
  const refused = memory.kernelPage(KP.loopsDropped);
  expect(partOf(booted, 1, 6)).toBeGreaterThan(least);
  expect(memory.kernelPage(KP.loopsDropped) - refused).toBeGreaterThan(1000);
  // Nothing more is owed: the call paid.
  expect(memory.env(2, ENV.credit) | 0).toBe(debt);
});

test('it is not asked for frames that only an abort can take, which it would pay; who wants them takes them, and pays', () => {
  const selves: (readonly number[])[] = [];
  const seen = { asked: [] as number[], taken: 0, ready: false };
  const debtor = rawImage({
    name: 'debtor',
    placement: { slices: 0 },
    main: function* (raw) {
      selves.push(yield* raw.granted('self'));
      for (;;) yield* raw.routine('kit.yield', -1);
    },
  });
  const frames = 600;
  const asker = rawImage({
    name: 'asker',
    main: function* (raw) {
      const { memory, families } = booted.aegis.parts;
      yield* raw.routine('kit.yield', 2);
      const [self] = selves;
      if (self === undefined) throw new Error('the other has not run');
      const held: RawFrame[] = [];
      for (let i = 0; i < frames; i += 1) held.push(yield* raw.frame());
      for (const { capability } of held) yield* raw.code('frame_hold', ...self, ...capability);
      const credit = families.creditOf(families.of(2));
      const quantum = booted.machine.hz / 64;
      for (const debt of [0.5, 1.5]) {
        memory.set(credit, -Math.round(debt * quantum));
        seen.asked.push(yield* raw.code('revoke', ...self, 0, 1, 0));
      }
      seen.ready = true;
      yield* raw.sleep(200);
      seen.asked.push(yield* raw.code('revoke', ...self, 0, 10_000, 0), memory.env(2, ENV.revokeDeadline));
      const owed = memory.get(credit) | 0;
      seen.taken = (yield* raw.call('revoke', ...self, 0, 500, 1)).value;
      expect(memory.get(credit) | 0).toBe(owed);
      return 0;
    },
  });
  const booted = boot([asker, bystander(), debtor]);
  expect(booted.runUntil(() => seen.ready)).toBe(true);
  booted.finish(0);
  expect(seen.asked).toEqual([0, ERRORS.E_BUSY, ERRORS.E_BUSY, 0]);
  expect(seen.taken).toBe(500);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
