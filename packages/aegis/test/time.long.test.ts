/**
 * Time is cycles: whatever others do, an environment has 99 % of the cycles of its slices. Environments that only compute run beside
 * each thief. [SOSP95 §5.1.1]
 */
import { ENV, NO_ENV, SLICE, SLICE_LIMIT, SYSTEM } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, S2, T0, V1, ZERO } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, rawImage, type Booted, type RawImage } from '../../testkit/src/index.ts';
import { KP, PHYSICAL } from '../src/layout.ts';
import { overrunning, QUANTUM, spin } from './attackers.ts';
import { bindFilter, makeRing, outside, packet, type Outside } from './network.ts';

/** Ticks that a test takes. */
const TICKS = 320;
const TYPE = 0x9000;
/** Where a program keeps the position of its slice. */
const OWN = 0x4100;

/** It computes, and gives every slice back at its end. */
function worker(slices = 1): RawImage {
  return rawImage({
    name: 'worker',
    entry: 'go',
    placement: { slices, contiguous: false },
    emit: (a) => {
      a.label('go');
      a.addiu(S0, S0, 1);
      a.b('go');
      a.nop();
    },
  });
}

/** In its own slice it computes for this part of it, and leaves. */
function leaving(part: number, how: 'yield' | 'sleep'): RawImage {
  return rawImage({
    entry: 'go',
    prologue: 'go',
    emit: (a) => {
      a.label('go');
      spin(a, 'go.spin', part * QUANTUM);
      if (how === 'yield') a.li(A0, -1);
      else {
        emitCall(a, 'tick');
        a.addiu(A0, V1, 1);
      }
      emitCall(a, how);
      a.b('go');
      a.nop();
    },
  });
}

/** It executes native instructions of the greatest length. */
function native(): RawImage {
  const image = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      a.cop2(0);
      a.b('go');
      a.nop();
    },
  });
  const charge = (cpu: { charge(cycles: number): void }): void => {
    cpu.charge(2 ** 18);
  };
  return { ...image, natives: () => [charge] };
}

/** What the slices of an environment are worth in so many cycles. */
function worth(booted: Booted, env: number, cycles: number, more: number): number {
  const { memory } = booted.aegis.parts;
  const owners = Array.from({ length: SLICE_LIMIT }, (_, p) => memory.slice(p, SLICE.owner));
  const taken = owners.filter((owner) => owner !== NO_ENV);
  return (cycles * taken.filter((owner) => owner === env).length) / (taken.length + more);
}

/**
 * Runs, and expects that these had theirs, but for `lag` quanta at most that are still to be given back. `more` slices count beside
 * those that are taken in the end.
 */
function expectFair(booted: Booted, workers: readonly number[], lag = 2, each?: () => void, more = 0): void {
  const had = workers.map((env) => booted.aegis.environment(env).cycles);
  for (let i = 0; i < TICKS; i += 1) {
    each?.();
    booted.machine.run(QUANTUM);
  }
  expect(booted.machine.native.lastError).toBeUndefined();
  for (const [i, env] of workers.entries()) {
    const { status, cycles } = booted.aegis.environment(env);
    expect(status).toBe('runnable');
    const fair = worth(booted, env, TICKS * QUANTUM, more);
    expect((cycles - (had[i] ?? 0) + lag * QUANTUM) / fair).toBeGreaterThan(0.99);
  }
}

describe('99 % of its slices has an environment beside one that', () => {
  test.each([0, 0.01, 0.3, 0.49, 0.51, 0.9, 0.996, 1.2, 1.49, 1.99, 3.5, 7.9])(
    'overruns its slice by %d of it',
    (quanta) => {
      expectFair(boot([overrunning(quanta), worker()]), [1], 2 + quanta / 2);
      expectFair(boot([overrunning(quanta), worker(), worker(2), worker()]), [1, 2, 3], 2 + quanta / 2);
    },
  );

  test.each([0.1, 0.5, 0.9, 0.99, 0.999])('leaves when %d of its slice is over', (part) => {
    for (const how of ['yield', 'sleep'] as const) {
      expectFair(boot([leaving(part, how), worker()]), [1]);
      expectFair(boot([leaving(part, how), worker(), worker()]), [1, 2]);
    }
  });

  test('executes native instructions of 2^18 cycles', () => {
    expectFair(boot([native(), worker()]), [1]);
    expectFair(boot([native(), worker(), native(), worker()]), [1, 3]);
  });
});

describe('who overran pays with time that passes, beside one that', () => {
  /** What the second environment had, in parts of what it computes in every other tick. */
  function shareOf(booted: Booted, part: number): number {
    booted.machine.run(64 * QUANTUM);
    const had = booted.aegis.environment(1).cycles;
    booted.machine.run(2 * TICKS * QUANTUM);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(checkInvariants(booted.aegis)).toEqual([]);
    expect(booted.aegis.environments().map(({ status }) => status)).not.toContain('dead');
    return (booted.aegis.environment(1).cycles - had) / (part * TICKS * QUANTUM);
  }

  test.each([0.99, 0.9, 0.5, 0.1])('computes for %d of a quantum, and sleeps until the next tick', (part) => {
    expect(shareOf(boot([overrunning(7), leaving(part, 'sleep')]), part)).toBeGreaterThan(0.99);
    // When it is given the processor within a tick, it sleeps for more than the rest of a quantum.
    for (const quanta of [0.3, 0.6, 1.3, 3.5, 7.9]) {
      expect(shareOf(boot([overrunning(quanta), leaving(part, 'sleep')]), part)).toBeGreaterThan(0.8);
    }
  });

  test('sleeps, while an accomplice begins slices without end and leaves them', () => {
    const booted = boot([overrunning(7), leaving(0.9, 'sleep'), leaving(0.0001, 'yield')]);
    expect(shareOf(booted, 0.9)).toBeGreaterThan(0.99);
  });

  test('sleeps for long: the machine idles for what is owed, and no longer', () => {
    const booted = boot([
      overrunning(7),
      rawImage({
        *main(raw) {
          yield* raw.sleep(10_000);
          return 0;
        },
      }),
    ]);
    booted.machine.run(64 * QUANTUM);
    const had = booted.aegis.environment(0).cycles;
    booted.machine.run(2 * TICKS * QUANTUM);
    const part = (booted.aegis.environment(0).cycles - had) / (2 * TICKS * QUANTUM);
    expect(part).toBeGreaterThan(0.49);
    expect(part).toBeLessThan(0.54);
  });
});

test.each([0.5, 0.99, 1.9, 5.5])(
  'who frees its slice and takes another one pays for what it ran, %d slices too long',
  (quanta) => {
    const changing = rawImage({
      entry: 'go',
      prologue: 'go',
      epilogue: 'end',
      emit: (a) => {
        a.label('go');
        a.addiu(S0, S0, 1);
        a.b('go');
        a.nop();
        a.label('end');
        // Another slice; then the capability of the one that it has, to free it.
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        a.li(T0, -1);
        emitCall(a, 'slice_alloc');
        a.move(S2, V1);
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        a.lw(T0, OWN, ZERO);
        emitCall(a, 'slice_alloc');
        spin(a, 'end.spin', (quanta * QUANTUM) / 2);
        emitCall(a, 'slice_free');
        a.sw(S2, OWN, ZERO);
        spin(a, 'end.again', (quanta * QUANTUM) / 2);
        a.li(A0, -1);
        emitCall(a, 'yield');
        a.b('go');
        a.nop();
      },
    });
    // It moves ahead, from the first position to the last and back, so it runs in two slices a round.
    expectFair(boot([changing, worker(), worker()]), [1, 2], 2 + quanta, undefined, 1);
  },
);

describe('packets are paid by their cause', () => {
  /** Claims them with so many filters that get copies. */
  function claiming(filters: number, ready: { at: boolean }): RawImage {
    return rawImage({
      name: 'claiming',
      main: function* (raw) {
        const ring = yield* makeRing(raw, false);
        for (let i = 0; i < filters; i += 1)
          yield* bindFilter(raw, ring.capability, TYPE, filters === 1 ? 'specific' : 'all');
        ready.at = true;
        for (;;) yield* raw.sleep(1000);
      },
    });
  }

  function flooded(net: Outside, type: number, bytes: number): () => void {
    return () => {
      // More than the wire carries in a tick: 10 Mb/s, and 24 bytes for each frame that are not in it.
      const carried = 10e6 / 64 / 8 / (bytes + 24);
      for (let i = 0; i < 1.1 * carried; i += 1) net.send(packet(type, bytes));
    };
  }

  test.each([
    [1, 64],
    [1, 1514],
    [8, 64],
  ])('a flood that %i of its filters claim, of %i bytes, costs others nothing', (filters, bytes) => {
    const net = outside();
    const ready = { at: false };
    const booted = boot([claiming(filters, ready), worker(), worker()], net.machine);
    expect(booted.runUntil(() => ready.at)).toBe(true);
    // It sleeps: all that it uses is what its packets take.
    const dropped = booted.aegis.environment(0).packetsDropped;
    expectFair(booted, [1, 2], 3, flooded(net, TYPE, bytes));
    expect(booted.aegis.environment(0).packetsDropped).toBeGreaterThan(dropped);
    expect(booted.aegis.environment(0).status).toBe('runnable');
  });

  test('a flood that no filter claims has a part of each tick, and then the controller drops', () => {
    const net = outside();
    const booted = boot([worker(), worker()], net.machine);
    expectFair(booted, [0, 1], 2, flooded(net, TYPE, 64));
    const system = (field: number): number => booted.aegis.parts.memory.get(PHYSICAL.system + field);
    // Of 232 that the wire carries in a tick the kernel sees some; the controller drops the rest.
    expect(system(SYSTEM.unclaimed) / TICKS).toBeGreaterThan(5);
    expect((system(SYSTEM.unclaimed) + system(SYSTEM.unseen)) / TICKS).toBeLessThan(100);
  });

  test('one that is alone and never sleeps pays as it goes', () => {
    const net = outside();
    const ready = { at: false };
    const busy = rawImage({
      main: function* (raw) {
        const ring = yield* makeRing(raw, false);
        yield* bindFilter(raw, ring.capability, TYPE);
        ready.at = true;
        for (;;) yield* raw.call('null');
      },
    });
    const booted = boot([busy], net.machine);
    expect(booted.runUntil(() => ready.at)).toBe(true);
    const { memory } = booted.aegis.parts;
    let least = 0;
    for (let i = 0; i < 20; i += 1) {
      flooded(net, TYPE, 64)();
      booted.machine.run(QUANTUM);
      least = Math.min(least, memory.env(0, ENV.credit) | 0);
    }
    // A tick's packets take about a fifth of it; more is never owed.
    expect(least).toBeLessThan(0);
    expect(least).toBeGreaterThan(-QUANTUM / 2);
  });

  test('when the flood is over its packets arrive again', () => {
    const net = outside();
    const ready = { at: false };
    const booted = boot([claiming(1, ready), worker()], net.machine);
    expect(booted.runUntil(() => ready.at)).toBe(true);
    for (let i = 0; i < 64; i += 1) {
      flooded(net, TYPE, 64)();
      booted.machine.run(QUANTUM);
    }
    booted.machine.run(64 * QUANTUM);
    const { memory } = booted.aegis.parts;
    expect(memory.env(0, ENV.credit) | 0).toBeGreaterThan(-QUANTUM);
    const before = memory.env(0, ENV.packetsDropped) + memory.env(0, ENV.packetsIn);
    for (let i = 0; i < 5; i += 1) net.send(packet(TYPE));
    booted.machine.run(QUANTUM);
    // Its ring is full, and each of them found that out.
    expect(memory.env(0, ENV.packetsDropped) + memory.env(0, ENV.packetsIn)).toBe(before + 5);
    expect(memory.kernelPage(KP.inea)).not.toBe(0);
  });
});
