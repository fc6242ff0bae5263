/** The slice vector: positions, ends of slices, overruns, directed yields, sleep. [SOSP95 §5.1.1] */
import { CALLS, DEATHS, ENV, ERRORS, NO_ENV, RIGHTS, SLICE, SYSTEM } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, S1, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { EXCESS_LIMIT, KP, PHYSICAL } from '../src/layout.ts';
import {
  boot as bootSlow,
  checkInvariants,
  emitCall,
  quicken,
  RAW,
  rawImage,
  runRaw,
  type Booted,
  type RawImage,
} from '../../testkit/src/index.ts';
import { DUMP, emitDump, emitFill, REGISTERS, SCRATCH } from '../../testkit/src/index.ts';

/** A clock sixteen times as fast as the kernel's, so that a quantum is soon over. */
const HERTZ = 1024;
const QUANTUM = 25_000_000 / HERTZ;

/** An environment that computes for ever and gives every slice back at its end. */
function spinner(slices = 1, contiguous = false): RawImage {
  return rawImage({
    entry: 'spin',
    emit: (a) => {
      a.label('spin');
      a.addiu(S0, S0, 1);
      a.b('spin');
      a.addiu(S1, S1, 1);
    },
    placement: { slices, contiguous },
  });
}

/** Who ran, in order, each with the number of quanta (rounded) until the next one's turn. */
function quanta(turns: readonly { env: number; from: number }[]): string[] {
  return turns
    .slice(0, -1)
    .map(({ env, from }, i) => `${env}:${Math.round(((turns[i + 1]?.from ?? 0) - from) / QUANTUM)}`);
}

function run(booted: Booted, ticks: number): void {
  booted.machine.run(Math.round(ticks * QUANTUM));
}

function boot(images: readonly RawImage[]): Booted {
  const booted = bootSlow(images);
  quicken(booted, HERTZ);
  return booted;
}

describe('positions', () => {
  test('bad positions and slices of others are refused', () => {
    const booted = runRaw(
      function* (raw) {
        for (const position of [64, 65, 1000, 0x7fffffff, -2, -5, -0x80000000]) {
          expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, position), String(position)).toBe(ERRORS.E_RANGE);
        }
        const own = yield* raw.call('slice_alloc', 0, 0, 0, 0, 0);
        expect(own).toMatchObject({ code: 0, value: 0 });
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('slice_alloc', ...child.capability, 0)).toBe(ERRORS.E_BUSY);
        const seventh = yield* raw.call('slice_alloc', ...child.capability, 7);
        expect(seventh).toMatchObject({ code: 0, value: 7 });
        expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, 7)).toBe(ERRORS.E_BUSY);
        for (const [head, name, low, high] of [own.capability, seventh.capability]) {
          for (const forged of [
            [head, name + 1, low, high],
            [head, name - 1, low, high],
            [head, 64, low, high],
            [head ^ 0x10000, name, low, high],
            [head, name, low ^ 1, high],
            [head, name, low, high ^ 0x80000000],
            [0, 0, 0, 0],
            child.capability,
          ]) {
            expect(yield* raw.code('slice_free', ...forged)).toBe(ERRORS.E_CAP);
            expect(yield* raw.code('slice_give', ...forged, 0)).toBe(ERRORS.E_CAP);
            expect(yield* raw.code('slice_swap', ...forged, ...own.capability)).toBe(ERRORS.E_CAP);
            expect(yield* raw.code('slice_swap', ...own.capability, ...forged)).toBe(ERRORS.E_CAP);
          }
        }
        // The last one is kept for a family that is still to come.
        for (let i = 0; i < 61; i += 1) expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, -1)).toBe(0);
        expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, -1)).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
        expect(yield* raw.call('slice_alloc', 0, 0, 0, 0, -1)).toMatchObject({ code: 0, value: 7 });
        return 0;
      },
      { alone: true },
    );
    expect(checkInvariants(booted.aegis)).toEqual([]);
    expect(booted.aegis.parts.memory.slice(7, SLICE.owner)).toBe(NO_ENV);
  });

  test('change hands: given, and exchanged with the consent of both owners, atomically', () => {
    const owner = (booted: Booted, position: number): number => booted.aegis.parts.memory.slice(position, SLICE.owner);
    const booted = runRaw(
      function* (raw) {
        const child = yield* raw.call('env_alloc');
        const one = yield* raw.call('slice_alloc', 0, 0, 0, 0, 10);
        const other = yield* raw.call('slice_alloc', ...child.capability, 20);
        for (const env of [-1, 64, 63, 1000, 40]) {
          expect(yield* raw.code('slice_give', ...one.capability, env)).toBe(ERRORS.E_ENV);
        }
        // A capability to exchange allows nothing else.
        const swap = yield* raw.call('cap_derive', ...other.capability, RIGHTS.write);
        expect(yield* raw.code('slice_free', ...swap.capability)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('slice_give', ...swap.capability, 0)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('slice_swap', ...one.capability, ...swap.capability)).toBe(0);
        // It is spent, and so is everything else for the two.
        for (const dead of [one, other, swap]) {
          expect(yield* raw.code('slice_swap', ...dead.capability, ...dead.capability)).toBe(ERRORS.E_CAP);
          expect(yield* raw.code('slice_free', ...dead.capability)).toBe(ERRORS.E_CAP);
        }
        const twentieth = yield* raw.call('slice_alloc', 0, 0, 0, 0, 20);
        expect(twentieth.code).toBe(0);
        expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, 10)).toBe(ERRORS.E_BUSY);
        // With itself: nothing changes but the capability.
        expect(yield* raw.code('slice_swap', ...twentieth.capability, ...twentieth.capability)).toBe(0);
        const again = yield* raw.call('slice_alloc', 0, 0, 0, 0, 20);
        expect(yield* raw.code('slice_give', ...again.capability, child.value)).toBe(0);
        expect(yield* raw.code('slice_give', ...again.capability, 0)).toBe(ERRORS.E_CAP);
        for (const position of [10, 20]) {
          expect(yield* raw.code('slice_alloc', 0, 0, 0, 0, position)).toBe(ERRORS.E_BUSY);
          expect(yield* raw.call('slice_alloc', ...child.capability, position)).toMatchObject({
            code: 0,
            value: position,
          });
        }
        return 0;
      },
      { alone: true },
    );
    // The child, which was not started, has ended with its maker, and its slices are free.
    expect(owner(booted, 10)).toBe(NO_ENV);
    expect(owner(booted, 20)).toBe(NO_ENV);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a slice that is given away while its owner runs in it is the new owner’s from the next instance on', () => {
    const giver = rawImage({
      main: function* (raw) {
        const { capability } = yield* raw.call('slice_alloc', 0, 0, 0, 0, 0);
        expect(yield* raw.code('slice_give', ...capability, 1)).toBe(0);
        yield* raw.routine('kit.yield', -1);
        return 0;
      },
    });
    const booted = boot([giver, spinner(), spinner()]);
    const turns = booted.watch();
    run(booted, 9);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    const runners = turns.slice(2).map(({ env }) => env);
    expect(runners).not.toContain(0);
    // Position 0 and 1 are contiguous now: two quanta of environment 1, one of 2.
    expect(booted.aegis.environment(1).slices).toBeGreaterThan(booted.aegis.environment(2).slices);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('are an order: one quantum each, round and round', () => {
    const booted = boot([spinner(), spinner(), spinner()]);
    const turns = booted.watch();
    run(booted, 8);
    expect(quanta(turns).slice(0, 7)).toEqual(['0:1', '1:1', '2:1', '0:1', '1:1', '2:1', '0:1']);
  });

  test('may be several and apart: two turns in a round', () => {
    const booted = boot([spinner(), spinner(), spinner()]);
    const { slices } = booted.aegis.parts;
    expect(slices.free(0)).toBe(0);
    expect([slices.allocate(0, 20), slices.allocate(0, 63), slices.allocate(1, 40)]).toEqual([20, 63, 40]);
    const turns = booted.watch();
    run(booted, 11);
    const order = quanta(turns).map((turn) => turn.charAt(0));
    // Positions 1: env 1, 2: env 2, 20: env 0, 40: env 1, 63: env 0.
    expect(order.slice(0, 10).join('')).toBe('1201012010');
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('that are neighbours run through: no switch, no upcall between them', () => {
    const booted = boot([spinner(3, true), spinner(), spinner(2, true)]);
    const turns = booted.watch();
    run(booted, 13);
    expect(quanta(turns).slice(0, 5)).toEqual(['0:3', '1:1', '2:2', '0:3', '1:1']);
    // One yield for each turn that has ended.
    const ended = turns.slice(0, -1).filter(({ env }) => env === 0).length;
    expect(booted.aegis.environment(0).systemCalls).toBe(ended);
  });

  test('alone on the machine there is nothing to switch to', () => {
    const booted = boot([spinner()]);
    run(booted, 5);
    const ticks = booted.aegis.parts.memory.kernelPage(KP.tick);
    expect(ticks).toBeGreaterThanOrEqual(4);
    expect(booted.aegis.environment(0)).toMatchObject({ systemCalls: 0, slices: ticks + 1 });
  });

  test('of an environment that is not started are passed over', () => {
    const booted = runRaw(
      function* (raw) {
        const child = yield* raw.call('env_alloc');
        for (const position of [1, 2, 30])
          expect(yield* raw.code('slice_alloc', ...child.capability, position)).toBe(0);
        yield* raw.sleep(3);
        expect(yield* raw.code('env_set', ...child.capability, ENV.status, 2)).toBe(ERRORS.E_RANGE);
        yield* raw.sleep(3);
        // It still exists.
        return yield* raw.code('env_free', ...child.capability, 0);
      },
      { alone: true },
    );
    expect(booted.aegis.environment(1)).toMatchObject({ death: DEATHS.destroyed, slices: 0 });
  });
});

describe('overruns', () => {
  /** Keeps the processor for `ticks` ends of slices after its own, once, and notes when it runs. */
  function hog(ticks: number): RawImage {
    return rawImage({
      entry: 'hog',
      epilogue: 'hog.end',
      emit: (a) => {
        a.label('hog');
        a.b('hog');
        a.nop();
        a.label('hog.end');
        a.lw(T0, SCRATCH, ZERO);
        a.li(T1, 1);
        a.bnez(T0, 'hog.yield');
        a.sw(T1, SCRATCH, ZERO);
        emitCall(a, 'tick');
        a.addiu(S0, V1, ticks);
        a.label('hog.wait');
        emitCall(a, 'tick');
        a.bne(V1, S0, 'hog.wait');
        a.nop();
        a.label('hog.yield');
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
    });
  }

  test('are forfeited slice by slice', () => {
    const booted = boot([hog(3), spinner()]);
    const turns = booted.watch();
    run(booted, 16);
    // Its own quantum and three more; then three rounds without it.
    expect(quanta(turns).slice(0, 5)).toEqual(['0:4', '1:4', '0:1', '1:1', '0:1']);
    expect(booted.aegis.parts.memory.env(0, ENV.credit)).toBe(0);
  });

  test('up to the limit are survived', () => {
    const booted = boot([hog(EXCESS_LIMIT), spinner()]);
    run(booted, 3 * EXCESS_LIMIT + 4);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    expect(booted.aegis.parts.memory.env(0, ENV.credit)).toBe(0);
  });

  test('beyond it are the end', () => {
    const booted = boot([hog(EXCESS_LIMIT + 2), spinner()]);
    const turns = booted.watch();
    run(booted, EXCESS_LIMIT + 4);
    // It executes nothing any more. Its end is paid in its slices, when they have paid for what they overran.
    expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.excess });
    const first = quanta([...turns, { env: -1, from: booted.machine.cycles }])[0] ?? '';
    expect(Number(first.split(':')[1])).toBeGreaterThanOrEqual(EXCESS_LIMIT + 2);
    expect(Number(first.split(':')[1])).toBeLessThanOrEqual(EXCESS_LIMIT + 4);
    booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 1);
    expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', death: DEATHS.excess });
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('do not extend over other environments by a directed yield: at the end of a slice it goes to the next', () => {
    const favourite = spinner();
    const giver = rawImage({
      entry: 'giver',
      epilogue: 'giver.end',
      emit: (a) => {
        a.label('giver');
        a.b('giver');
        a.nop();
        a.label('giver.end');
        a.li(A0, 2);
        emitCall(a, 'yield');
      },
    });
    const booted = boot([giver, spinner(), favourite]);
    const turns = booted.watch();
    run(booted, 7);
    expect(quanta(turns).slice(0, 6)).toEqual(['0:1', '1:1', '2:1', '0:1', '1:1', '2:1']);
  });

  test('an environment without an end-of-slice entry dies at its first one', () => {
    const image = { ...spinner(), epilogue: 0 };
    const booted = boot([image, spinner()]);
    run(booted, 7);
    expect(booted.aegis.environment(0).death).toBe(DEATHS.noEntry);
  });
});

describe('yield', () => {
  test('to one that does not exist, is dead, or is no environment goes to the next', () => {
    const names = [3, 62, 63, 64, 1000, 0x7fffffff, -2, -0x80000000];
    const booted = boot([
      rawImage({
        main: function* (raw) {
          const child = yield* raw.call('env_alloc');
          for (const env of [...names, child.value]) yield* raw.routine('kit.yield', env);
          yield* raw.call('env_free', ...child.capability, 0);
          yield* raw.routine('kit.yield', child.value);
          return 0;
        },
      }),
      rawImage({
        main: function* (raw) {
          for (;;) yield* raw.routine('kit.yield', -1);
        },
      }),
    ]);
    const turns = booted.watch();
    booted.finish(0);
    const order = turns.map(({ env }) => env).join('');
    // Its end takes longer than one of these short slices.
    expect(order).toMatch(new RegExp(`^${'01'.repeat(names.length + 2)}(01)*0?$`));
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('to one that sleeps wakes it, and does not take its event', () => {
    const seen: string[] = [];
    const booted = boot([
      rawImage({
        main: function* (raw) {
          for (let i = 0; i < 2; i += 1) {
            seen.push('yields');
            yield* raw.routine('kit.yield', 1);
          }
          // It has no slice to end in but this one's.
          for (;;) yield* raw.routine('kit.yield', 1);
        },
      }),
      rawImage({
        main: function* (raw) {
          seen.push('sleeps');
          yield* raw.routine('kit.sleep', 0);
          seen.push('awake');
          return 0;
        },
        placement: { slices: 0 },
      }),
    ]);
    booted.finish(1);
    expect(seen).toEqual(['yields', 'sleeps', 'yields', 'awake']);
  });

  test('to itself is a fresh start in the rest of the slice', () => {
    const booted = runRaw(function* (raw) {
      for (let i = 0; i < 10; i += 1) yield* raw.routine('kit.yield', 0);
      return 0;
    });
    expect(booted.aegis.environment(0).slices).toBe(1);
  });
});

describe('sleep', () => {
  test('an event before the sleep is not lost, and is taken once', () => {
    runRaw(function* (raw) {
      const child = yield* raw.call('env_alloc');
      yield* raw.call('env_free', ...child.capability, 0);
      // The end of the child was an event: with no limit of time this would sleep for ever.
      yield* raw.routine('kit.sleep', 0);
      const { value: before } = yield* raw.call('tick');
      yield* raw.routine('kit.sleep', before + 3);
      expect((yield* raw.call('tick')).value).toBeGreaterThanOrEqual(before + 3);
      return 0;
    });
  });

  test('ends at its tick, also one that has passed, and at once after the tick counter’s end', () => {
    const booted = runRaw(
      function* (raw) {
        const { value: now } = yield* raw.call('tick');
        yield* raw.routine('kit.sleep', now + 2);
        expect((yield* raw.call('tick')).value).toBe(now + 2);
        // A tick in the past, also in the sense of a counter that wraps: 2^31 behind is the farthest.
        yield* raw.routine('kit.sleep', now - 5);
        yield* raw.routine('kit.sleep', (now + 0x80000005) | 0);
        expect((yield* raw.call('tick')).value).toBeLessThanOrEqual(now + 4);
        return 0;
      },
      { alone: true },
    );
    expect(booted.aegis.parts.memory.get(PHYSICAL.system + SYSTEM.idles)).toBeGreaterThan(0);
  });

  test('while all sleep the machine idles, and time passes', () => {
    const sleeper = rawImage({
      main: function* (raw) {
        yield* raw.sleep(100);
        return 0;
      },
    });
    const booted = boot([sleeper, sleeper, sleeper]);
    booted.finish(0, 1, 2);
    const cycles = [0, 1, 2].reduce((sum, env) => sum + booted.aegis.environment(env).cycles, 0);
    expect(booted.machine.cycles).toBeGreaterThan(100 * QUANTUM);
    expect(cycles).toBeLessThan(50_000);
  });

  test('a sleeper takes no turn, and its neighbours run through it', () => {
    const booted = boot([
      spinner(),
      rawImage({
        main: function* (raw) {
          yield* raw.sleep(6);
          return 0;
        },
      }),
      spinner(),
    ]);
    const turns = booted.watch();
    run(booted, 5);
    expect(quanta(turns).slice(2, 5)).toEqual(['2:1', '0:1', '2:1']);
  });
});

describe('a switch shows nothing of the registers of the one before', () => {
  /** Fills every register with secrets and leaves in some way. */
  const ways: readonly (readonly [string, (a: Assembler) => void])[] = [
    [
      'by a directed yield',
      (a) => {
        a.li(A0, 1);
        emitCall(a, 'yield');
      },
    ],
    [
      'by a yield to whoever is next',
      (a) => {
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
    ],
    [
      'by a sleep',
      (a) => {
        a.li(A0, 1);
        emitCall(a, 'sleep');
      },
    ],
    [
      'at the end of its slice',
      (a) => {
        a.label('secret.loop');
        a.b('secret.loop');
        a.nop();
      },
    ],
    ['by an exception that kills it', (a) => a.word(0x3f)],
    [
      'by ending',
      (a) => {
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        a.li(V0, CALLS.env_free.number);
        a.syscall(0);
      },
    ],
  ];

  test.each(ways)('%s', (way, leave) => {
    const secret = rawImage({
      prologue: 'secret',
      epilogue: 'secret.end',
      emit: (a) => {
        a.label('secret');
        emitFill(a);
        leave(a);
        a.label('secret.end');
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
      handlers: { reserved: undefined },
    });
    const spy = rawImage({
      prologue: 'spy',
      emit: (a) => {
        a.label('spy');
        emitDump(a);
        a.lw(S0, SCRATCH, ZERO);
        a.li(A0, -1);
        a.addiu(S0, S0, 1);
        a.sw(S0, SCRATCH, ZERO);
        emitCall(a, 'yield');
      },
    });
    const booted = boot([secret, spy]);
    booted.runUntil(() => booted.word(1, SCRATCH) > 1, 0.2);
    expect(booted.word(1, SCRATCH)).toBeGreaterThan(1);
    const dumped = REGISTERS.map((r) => booted.word(1, DUMP + 4 * r));
    // Whose slice it is: its own, or none but what is left of another instance.
    const owner = way === 'by a directed yield' ? -1 : 1;
    expect(dumped).toEqual(REGISTERS.map((r) => (r === V1 ? owner : 0)));
    expect([booted.word(1, DUMP + 0x80), booted.word(1, DUMP + 0x84)]).toEqual([0, 0]);
  });
});

/**
 * Environment 0 transfers its slice, at position 0, to environment 1, whose own follows. That notes the owner at each begin, and counts
 * ends: a donated slice does not become its own without a word.
 */
test('a donated slice and its own are two, also side by side: the end of the one is told, and whose the other is', () => {
  const [begins, ends, owners] = [RAW.user, RAW.user + 4, RAW.user + 16];
  const donor = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      a.li(V1, 1);
      emitCall(a, 'scall');
      a.b('go');
      a.nop();
    },
  });
  const given = rawImage({
    prologue: 'begin',
    epilogue: 'end',
    syncEntry: 'spin',
    emit: (a) => {
      a.label('begin');
      a.lw(T0, begins, ZERO);
      a.nop();
      a.sltiu(T1, T0, 4);
      a.beqz(T1, 'spin');
      a.sll(T1, T0, 2);
      a.sw(V1, owners, T1);
      a.addiu(T0, T0, 1);
      a.sw(T0, begins, ZERO);
      a.label('spin');
      a.b('spin');
      a.nop();
      a.label('end');
      a.lw(S0, ends, ZERO);
      a.nop();
      a.addiu(S0, S0, 1);
      a.sw(S0, ends, ZERO);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  const booted = boot([donor, given]);
  run(booted, 20);
  const words = [0, 1, 2, 3].map((i) => booted.uWord(1, owners + 4 * i));
  expect(words.slice(-2).sort()).toEqual([0, 1]);
  expect(words.filter((owner) => owner === 0).length).toBeGreaterThan(0);
  expect(booted.uWord(1, ends)).toBeGreaterThan(10);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
