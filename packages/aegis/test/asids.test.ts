/** ASIDs go from one environment to the other and nobody notices: more environments than the processor has address spaces. */
import { DEATHS, ENV, ENV_LIMIT, ENV_STATUS, ERRORS, EXPOSED, NO_ENV, STLB_ENTRIES } from '@exokernel/abi';
import { A0, S0, SP, T0, T1, V0, V1, ZERO, register } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { COSTS } from '../src/costs.ts';
import { KP } from '../src/layout.ts';
import { envAddress } from '../src/memory.ts';
import {
  boot,
  checkInvariants,
  emitCall,
  quicken,
  rawImage,
  SCRATCH,
  WINDOW,
  type Booted,
  type Fiber,
  type Raw,
  type RawImage,
} from '../../testkit/src/index.ts';
import { LONGEST, watchStretches } from './stretches.ts';

const ASIDS = 63;
const MANY = 100;
/** Words of each environment's scratch page: how often it was entered, and by whom last. */
const ENTERED = SCRATCH;
const CALLER = SCRATCH + 4;

const KEPT = [16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 31].map(register);

/** Answers each synchronous transfer with its own number in a0, which lies in memory at the same address in all of them. */
function server(env: number): RawImage {
  return rawImage({
    name: `server ${env}`,
    placement: { slices: 0 },
    syncEntry: 'serve',
    asyncEntry: 'serve.async',
    main: (raw) => natively(raw, env),
    emit: (a) => {
      a.label('serve');
      a.lw(T0, ENTERED, ZERO);
      a.sw(V1, CALLER, ZERO);
      a.addiu(T0, T0, 1);
      a.sw(T0, ENTERED, ZERO);
      a.lw(A0, SCRATCH + 8, ZERO);
      a.move(T1, V0);
      emitCall(a, 'scall');
      a.label('serve.async');
      a.lw(T0, ENTERED, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, ENTERED, ZERO);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
    words: () => new Map([[SCRATCH + 8, 1000 + env]]),
  });
}

/** What an environment does when it is started by a yield: its own native functions, its own memory, on and on. */
function* natively(raw: Raw, env: number): Fiber<number> {
  const frame = yield* raw.frame();
  // The binding made with tlbwr may be gone with the ASID at any time, as from a TLB and STLB that are full; the right is not.
  for (let i = 0; ; i += 1) {
    while ((yield* raw.poke(WINDOW, (env << 16) | i)) !== 0) expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    yield* raw.fibers.store(SCRATCH + 12, i);
    yield* raw.routine('kit.yield', -1);
    let found = yield* raw.peek(WINDOW);
    for (; found === undefined; found = yield* raw.peek(WINDOW)) expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    expect(found).toBe((env << 16) | i);
  }
}

function client(servers: readonly number[], rounds: number, call: 'scall' | 'acall' | 'yield'): RawImage {
  return rawImage({
    name: 'client',
    syncEntry: 'answered',
    emit: (a) => {
      a.label('ask');
      for (const r of KEPT) a.sw(r, SCRATCH + 0x20 + 4 * r, ZERO);
      a.move(V1, A0);
      emitCall(a, 'scall');
      a.label('answered');
      for (const r of KEPT) a.lw(r, SCRATCH + 0x20 + 4 * r, ZERO);
      a.move(V0, A0);
      a.ret();
      a.nop();
    },
    main: function* (raw) {
      for (let round = 0; round < rounds; round += 1) {
        for (const env of servers) {
          if (call === 'scall') expect(yield* raw.routine('ask', env)).toBe(1000 + env);
          else if (call === 'yield') yield* raw.routine('kit.yield', env);
        }
      }
      return 0;
    },
  });
}

function world(call: 'scall' | 'yield', rounds: number): Booted {
  const servers = Array.from({ length: MANY - 1 }, (_, i) => i + 1);
  const booted = boot([client(servers, rounds, call), ...servers.map(server)]);
  quicken(booted, 1024);
  return booted;
}

function owners({ aegis }: Booted): number[] {
  return Array.from({ length: 64 }, (_, asid) => aegis.parts.asids.owner(asid)).filter((env) => env !== NO_ENV);
}

describe(`${MANY} environments`, () => {
  test('all are called, each answers from its own memory, again and again', () => {
    const booted = world('scall', 3);
    expect(owners(booted)).toHaveLength(ASIDS);
    let looks = 0;
    booted.runUntil(() => {
      looks += 1;
      if (looks % 8 === 0) expect(checkInvariants(booted.aegis)).toEqual([]);
      return booted.aegis.environment(0).status === 'dead';
    }, 20);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.exit, exit: 0 });
    for (let env = 1; env < MANY; env += 1) {
      expect(booted.word(env, ENTERED), `server ${env}`).toBe(3);
      expect(booted.word(env, CALLER)).toBe(0);
    }
    expect(owners(booted)).toHaveLength(ASIDS - 1);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('all run after a yield, in their own native functions and their own frames', () => {
    // A quantum may be over before one that must bind its frame again has come far.
    const booted = world('yield', 60);
    booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 20);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.exit, exit: 0 });
    for (let env = 1; env < MANY; env += 1) {
      expect(booted.aegis.environment(env), `server ${env}`).toMatchObject({ status: 'runnable', death: DEATHS.none });
      expect(booted.word(env, SCRATCH + 12)).toBeGreaterThanOrEqual(2);
    }
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});

test('an asynchronous transfer to one without an ASID enters it, with the registers as they were', () => {
  const images = Array.from({ length: ASIDS + 2 }, (_, env) => server(env));
  const booted = boot([
    rawImage({
      emit: (a) => {
        a.label('go');
        a.li(V1, ASIDS + 2);
        a.li(T1, 77);
        emitCall(a, 'acall');
        // Not reached: it comes back at the prologue.
        a.label('stay');
        a.b('stay');
        a.nop();
      },
      entry: 'go',
    }),
    ...images,
  ]);
  const { memory } = booted.aegis.parts;
  expect(memory.env(ASIDS + 2, ENV.asid)).toBe(0);
  expect(memory.env(ASIDS + 2, ENV.asyncGate)).toBe(0);
  expect(booted.runUntil(() => booted.word(ASIDS + 2, ENTERED) > 0, 1)).toBe(true);
  expect(memory.env(ASIDS + 2, ENV.asid)).not.toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('one without an entry is E_ENV with and without an ASID; an entry set without one opens with it', () => {
  const codes: number[] = [];
  const children: (readonly number[])[] = [];
  const booted = boot([
    rawImage({
      emit: (a) => {
        a.label('ask');
        a.move(V1, A0);
        emitCall(a, 'scall');
        a.ret();
        a.nop();
      },
      main: function* (raw) {
        for (let i = 0; i < ASIDS + 10; i += 1) {
          const { value, capability } = yield* raw.call('env_alloc');
          const frame = yield* raw.frame();
          expect(yield* raw.code('env_map', ...capability, ...frame.capability, 0x1003)).toBe(0);
          expect(yield* raw.code('env_set', ...capability, ENV.prologue, 0x2000)).toBe(0);
          expect(yield* raw.code('env_set', ...capability, ENV.status, ENV_STATUS.runnable)).toBe(0);
          children.push([value, ...capability]);
        }
        for (const [env = 0] of children) codes.push(yield* raw.routine('ask', env));
        return 0;
      },
    }),
  ]);
  booted.finish(0);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(new Set(codes)).toEqual(new Set([ERRORS.E_ENV]));
  const { parts } = booted.aegis;
  const without = children.find(([env = 0]) => parts.memory.env(env, ENV.asid) === 0)?.[0] ?? -1;
  expect(parts.environments.set(without, ENV.syncEntry, 0x2000)).toBe(0);
  expect(parts.memory.env(without, ENV.syncGate)).not.toBe(parts.memory.env(without, ENV.name));
  parts.asids.give(without);
  expect(parts.memory.env(without, ENV.syncGate)).toBe(parts.memory.env(without, ENV.name));
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a dead environment’s ASID is free at once and leads nowhere', () => {
  const booted = boot([...Array.from({ length: ASIDS + 1 }, (_, env) => server(env))]);
  const { parts } = booted.aegis;
  expect(parts.memory.env(ASIDS, ENV.asid)).toBe(0);
  const old = parts.memory.env(7, ENV.asid);
  parts.environments.end(7, DEATHS.destroyed);
  expect(parts.memory.env(7, ENV.asid)).toBe(0);
  parts.asids.give(ASIDS);
  expect(parts.memory.env(ASIDS, ENV.asid)).toBe(old);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('the one whose last dispatch is longest ago loses its ASID, never the one that runs', () => {
  const booted = boot(Array.from({ length: ASIDS + 2 }, (_, env) => server(env)));
  const { parts } = booted.aegis;
  const { memory, asids } = parts;
  memory.setKernelPage(KP.tick, 2);
  // The tick counter wraps: -3 is before 1.
  for (let env = 0; env < ASIDS; env += 1) memory.setEnv(env, ENV.dispatched, 1);
  memory.setEnv(20, ENV.dispatched, -5);
  memory.setEnv(30, ENV.dispatched, -3);
  memory.setKernelPage(KP.env, envAddress(20));
  asids.give(ASIDS);
  expect([20, 30].map((env) => memory.env(env, ENV.asid) !== 0)).toEqual([true, false]);
  memory.setKernelPage(KP.env, envAddress(0));
  asids.give(ASIDS + 1);
  expect(memory.env(20, ENV.asid)).toBe(0);
  memory.setKernelPage(KP.env, 0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('of those that were dispatched in the same tick each has its turn', () => {
  const booted = boot(Array.from({ length: ENV_LIMIT }, (_, env) => server(env)).slice(0, 80));
  const { memory, asids } = booted.aegis.parts;
  const lost = new Set<number>();
  let without = 79;
  for (let i = 0; i < 40; i += 1) {
    asids.give(without);
    without =
      Array.from({ length: 63 }, (_, env) => env).find((env) => memory.env(env, ENV.asid) === 0 && !lost.has(env)) ??
      -1;
    lost.add(without);
    without =
      [...Array.from({ length: 80 }, (_, env) => env)].reverse().find((env) => memory.env(env, ENV.asid) === 0) ?? -1;
  }
  expect(lost.size).toBe(40);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a family with many address spaces takes them from its own members', () => {
  const { aegis } = boot(Array.from({ length: ASIDS + 8 }, (_, env) => server(env)));
  const { memory, asids } = aegis.parts;
  const has = (env: number): boolean => memory.env(env, ENV.asid) !== 0;
  // All but two are of one family.
  for (let env = 2; env < ASIDS + 8; env += 1) memory.setEnv(env, ENV.family, memory.env(2, ENV.family));
  for (let i = 0; i < 300; i += 1) {
    const without = Array.from({ length: ASIDS + 8 }, (_, env) => env).filter((env) => !has(env));
    asids.give(without[i % without.length] ?? 0);
    expect([has(0), has(1)]).toEqual([true, true]);
  }
  // One of another family gets one of theirs.
  memory.setEnv(1, ENV.family, 100);
  asids.leave(1);
  asids.give(2 + Array.from({ length: ASIDS + 6 }, (_, i) => i + 2).findIndex((env) => !has(env)));
  asids.give(1);
  expect([has(0), has(1)]).toEqual([true, true]);
});

/** How many entries of the software TLB have an ASID. */
function translations({ aegis }: Booted, asid: number): number {
  const words = aegis.parts.memory.words(EXPOSED.stlb, 2 * STLB_ENTRIES);
  return words.filter((hi, i) => i % 2 === 0 && hi !== 0 && (hi & 0xfc0) === asid).length;
}

test.each(['dec5000', 'ideal'] as const)(
  'one with every translation that there can be loses its ASID: %s',
  (profile) => {
    const count = 70;
    const state = { arrived: 0, filled: false };
    const filler = rawImage({
      emit: (a) => {
        // fill(va, entryLo, mac0, mac1)
        a.label('fill');
        a.addiu(SP, SP, -16);
        a.sw(S0, 0, SP);
        a.li(S0, STLB_ENTRIES);
        a.label('fill.next');
        emitCall(a, 'tlbwr');
        a.addiu(S0, S0, -1);
        a.bnez(S0, 'fill.next');
        a.addiu(A0, A0, 4096);
        a.lw(S0, 0, SP);
        a.ret();
        a.addiu(SP, SP, 16);
      },
      main: function* (raw) {
        const { ppn, capability } = yield* raw.frame();
        while (state.arrived < count) yield* raw.sleep(1);
        yield* raw.routine('fill', 0x10000000, (ppn << 12) | 0x600, capability[2], capability[3]);
        state.filled = true;
        for (;;) yield* raw.routine('kit.sleep', 0);
      },
    });
    const controller = rawImage({
      main: function* (raw) {
        for (let i = 0; i < count; i += 1) yield* raw.routine('kit.yield', 2 + i);
        while (!state.filled) yield* raw.sleep(1);
        yield* raw.sleep(1);
        const asid = memory.env(0, ENV.asid);
        expect(translations(booted, asid)).toBeGreaterThan(STLB_ENTRIES - 10);
        stretches.forget();
        for (let i = 0; i < count; i += 1) yield* raw.routine('kit.yield', 2 + i);
        expect(memory.env(0, ENV.asid)).toBe(0);
        expect(translations(booted, asid)).toBeLessThan(10);
        return 0;
      },
    });
    const sleeper = rawImage({
      placement: { slices: 0 },
      main: function* (raw) {
        state.arrived += 1;
        for (;;) yield* raw.routine('kit.sleep', 0);
      },
    });
    const images = [filler, controller, ...Array.from({ length: count }, () => sleeper)];
    const booted = boot(images, { ramBytes: 32 << 20, profile });
    const { memory } = booted.aegis.parts;
    const stretches = watchStretches(booted.machine);
    booted.runUntil(() => booted.aegis.environment(1).status === 'dead', 60);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(booted.aegis.environment(1)).toMatchObject({ status: 'dead', exit: 0 });
    expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);

test('who gets an ASID pays for the look, and who loses it for the translations that it had', () => {
  const pay = (entries: number): { readonly paid: number; readonly owed: number } => {
    const booted = boot(Array.from({ length: ASIDS + 1 }, (_, env) => server(env)));
    const { memory, asids } = booted.aegis.parts;
    for (let env = 1; env < ASIDS; env += 1) memory.setEnv(env, ENV.dispatched, 1);
    memory.setKernelPage(KP.tick, 2);
    const asid = memory.env(0, ENV.asid);
    for (let i = 0; i < entries; i += 1) memory.set(EXPOSED.stlb + 8 * i, (0x100000 + (i << 12)) | asid);
    const before = memory.kernelPage(KP.paid);
    memory.spent();
    asids.give(ASIDS);
    const [work, moved] = [memory.spent(), memory.kernelPage(KP.paid) - before];
    expect(memory.env(0, ENV.asid)).toBe(0);
    expect(memory.env(0, ENV.credit) | 0).toBe(-moved || 0);
    return { paid: work - moved, owed: moved };
  };
  const [none, all] = [pay(0), pay(STLB_ENTRIES)];
  expect(none.owed).toBe(0);
  expect(all.owed).toBe(Math.floor(STLB_ENTRIES * COSTS.clearedWord));
  // 3 % of a slice and a half.
  expect(none.paid).toBeLessThan(15_000);
  expect(Math.abs(all.paid - none.paid)).toBeLessThanOrEqual(2);
});
