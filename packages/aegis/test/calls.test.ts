/** What system calls and interrupts do to registers: what the table of calls says, and nothing else. */
import { CALLS, DEATHS, ENV, ERRORS, type CallName, type CapabilityWords } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { memoryStore } from '@exokernel/hardware';
import { A0, A1, A2, A3, K1, T0, T1, T2, T3, V0, ZERO, register, type Register } from '@exokernel/isa';
import { add, mul, remu } from '@exokernel/vcode';
import { describe, expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  emitSpin,
  rawImage,
  runRaw,
  WINDOW,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { bindFilter, download, makeRing, outside, packet } from './network.ts';
import { changed, DUMP, emitDump, emitFill, emitRoutine, pattern } from '../../testkit/src/index.ts';

const ARGUMENTS: readonly Register[] = [
  A0,
  A1,
  A2,
  A3,
  T0,
  T1,
  T2,
  T3,
  register(12),
  register(13),
  register(14),
  register(15),
];
/** What a call that needs a stack may change besides. */
const GIVEN_UP = [...[0, 1, 2, 3].map((i) => `a${i}`), ...Array.from({ length: 10 }, (_, i) => `t${i}`)];
/** Where the routine below finds the call's number and arguments. */
const CALL = 0x4800;

function* dumped(raw: Raw, n = 0): Fiber<number[]> {
  const words: number[] = [];
  for (let i = 0; i < 0x40; i += 1) words.push(yield* raw.fibers.load(DUMP + 0x100 * n + 4 * i));
  return words;
}

/** Calls with every other register filled; returns the registers that are changed after it, by name. */
function* effectOf(
  raw: Raw,
  name: CallName | number,
  args: readonly number[],
): Fiber<{ code: number; names: string[] }> {
  yield* raw.fibers.store(CALL, typeof name === 'number' ? name : CALLS[name].number);
  for (const [i, value] of args.entries()) yield* raw.fibers.store(CALL + 4 + 4 * i, value);
  yield* raw.routine(`call${args.length}`);
  const words = yield* dumped(raw);
  const given = new Map(args.map((value, i) => [ARGUMENTS[i] ?? A0, value | 0]));
  return { code: words[V0] ?? 0, names: changed(words, 0, given) };
}

/** An argument of one word that is right, or at least not far off. */
function rightWord(argument: string, { ppn, capability }: RawFrame): number {
  switch (argument) {
    case 'va':
      return WINDOW;
    case 'entrylo':
      return (ppn << 12) | 0x600;
    case 'mac0':
      return capability[2];
    case 'mac1':
      return capability[3];
    case 'field':
      return ENV.prologue;
    case 'ppn':
    case 'start':
    case 'position':
      return -1;
    default:
      return 1;
  }
}

/** A ring and a filter of it. */
function* packets(raw: Raw): Fiber<Record<'ring:4' | 'filter:4', CapabilityWords>> {
  const { capability } = yield* raw.frame();
  const ring = (yield* raw.call('ring_bind', ...capability, 0, 1)).capability;
  const { capability: filter } = yield* bindFilter(raw, ring, 0x9000);
  return { 'ring:4': ring, 'filter:4': filter };
}

/** A program that makes one call, with arguments that are wrong and with some that are right. */
function caller(name: CallName, changes: string[]): RawImage {
  const { args, results } = CALLS[name];
  const words = args.reduce((n, arg) => n + Number(/:(\d+)$/.exec(arg)?.[1] ?? 1), 0);
  return rawImage({
    name,
    extent: { start: 0, blocks: 4 },
    tap: true,
    main: function* (raw) {
      // An event, so that sleep comes back.
      const child = yield* raw.call('env_alloc');
      yield* raw.call('env_free', ...child.capability, 0);
      const frame = yield* raw.frame();
      const tries: number[][] = [Array.from({ length: words }, () => 0), Array.from({ length: words }, () => -1)];
      // As well as possible with arguments that are right.
      const right: number[] = [];
      for (const arg of args) {
        if (/^(frame|capability|code|list):4$/.test(arg)) right.push(...frame.capability);
        else if (arg === 'ring:4' || arg === 'filter:4') right.push(...(yield* packets(raw))[arg]);
        else if (arg === 'net:4') right.push(...(yield* raw.granted('net')));
        else if (arg === 'env:4') right.push(...(yield* raw.call('env_alloc')).capability);
        else if (arg === 'line:4') right.push(...(yield* raw.granted('serial')));
        else if (arg === 'extent:4') right.push(...(yield* raw.granted('extent')));
        else if (/:[78]$/.test(arg)) right.push(...Array.from({ length: Number(arg.slice(-1)) }, () => 0x41414141));
        else if (arg === 'slice:4' || arg === 'other:4') {
          right.push(...(yield* raw.call('slice_alloc', 0, 0, 0, 0, -1)).capability);
        } else right.push(rightWord(arg, frame));
      }
      if (name !== 'env_free') tries.push(right);
      // It comes back at once only once.
      if (name === 'sleep') tries.splice(1);
      for (const one of tries) {
        if (name === 'env_free' && one[0] === 0) continue;
        const { code, names } = yield* effectOf(raw, name, one);
        const isMore = code === 0 && results.includes('capability:4' as never);
        const allowed = isMore ? ['v0', 'v1', 'a0', 'a1', 'a2', 'a3'] : ['v0', 'v1'];
        if (CALLS[name].path === 'stack') allowed.push(...GIVEN_UP);
        changes.push(...names.filter((register) => !allowed.includes(register)));
      }
      return tries.length;
    },
    emit: (a) => {
      emitRoutine(a, `call${words}`, () => {
        emitFill(a);
        for (let i = 0; i < words; i += 1) a.lw(ARGUMENTS[i] ?? A0, CALL + 4 + 4 * i, ZERO);
        a.lw(V0, CALL, ZERO);
        a.nop();
        a.syscall(0);
        emitDump(a);
      });
    },
  });
}

describe('a call changes v0, v1 and its results, nothing else:', () => {
  const names = (Object.keys(CALLS) as CallName[]).filter((name) => !['yield', 'scall', 'acall'].includes(name));

  test.each(names)('%s', (name) => {
    const changes: string[] = [];
    // Alone on its machine: at a switch of environments the runtime uses k1.
    const booted = boot([caller(name, changes)], { disk: { store: memoryStore(16 * 4096) } });
    const [outcome] = booted.finish(0);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(outcome).toMatchObject({ name, death: DEATHS.exit });
    expect(outcome?.exit).toBeGreaterThan(0);
    expect(changes).toEqual([]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});

test('a number that is no call changes v0 alone', () => {
  runRaw(
    function* (raw) {
      for (const number of [15, 63, 64, -1]) {
        expect(yield* effectOf(raw, number, [])).toEqual({ code: ERRORS.E_CALL, names: ['v0'] });
      }
      return 0;
    },
    {
      emit: (a) => {
        emitRoutine(a, 'call0', () => {
          emitFill(a);
          a.lw(V0, CALL, ZERO);
          a.nop();
          a.syscall(0);
          emitDump(a);
        });
      },
    },
  );
});

test('interrupts of every device, with a handler of packets at work, change no register, k1 included', () => {
  const net = outside();
  const shared = { ready: false, done: false };
  const image = rawImage({
    extent: { start: 0, blocks: 16 },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, 0x9000);
      const window = yield* raw.frame();
      // Uses many registers, HI and LO too.
      const busy = encodeHandler(
        defineHandler('busy', { windowBytes: 64 }, (h) => {
          const locals = Array.from({ length: 20 }, (_, i) => h.code.local(`local${i}`, h.message.be32(4 * i)));
          h.code.for('round', 3, (round) => {
            locals.forEach((local, i) => {
              h.code.set(local, add(mul(local, add(round, i)), remu(local, 7)));
            });
          });
          locals.forEach((local, i) => {
            if (i < 16) h.code.store(h.window, 4, 'little', 4 * i, local);
          });
          h.code.store(h.reply, 4, 'little', 0, 5);
          h.consume(60);
        }),
      );
      expect(yield* raw.code('ash_window', ...filter.capability, ...window.capability, 0)).toBe(0);
      const code = yield* download(raw, busy, (frame) =>
        raw.code('ash_attach', ...filter.capability, ...frame.capability, busy.length),
      );
      expect(code).toBe(0);
      const [extent, line] = [yield* raw.granted('extent'), yield* raw.granted('serial')];
      for (let i = 0; i < 8; i += 1) {
        const frame = yield* raw.frame();
        expect(yield* raw.code('disk_read', ...extent, ...frame.capability, i, i)).toBe(0);
      }
      yield* raw.call('serial_write', ...line, 28, ...Array.from({ length: 7 }, () => 0x41414141));
      shared.ready = true;
      yield* raw.routine('spin');
      shared.done = true;
      const others = new Map<Register, number>([[T3, 0]]);
      expect(changed(yield* dumped(raw), 0, others)).toEqual([]);
      return 0;
    },
    emit: (a) => {
      emitRoutine(a, 'spin', () => {
        emitFill(a);
        emitSpin(a, 1_000_000);
        emitDump(a);
      });
    },
  });
  const booted = boot([image], { ...net.machine, disk: { store: memoryStore(16 * 4096) } });
  let interrupts = 0;
  booted.machine.listen((kind, _cycle, a) => {
    if (kind === 0 && a === 0 && shared.ready && !shared.done) interrupts += 1;
  });
  booted.runUntil(() => {
    if (shared.ready) {
      net.send(packet(0x9000, 100));
      booted.machine.serialInput(3, Uint8Array.of(1));
    }
    return booted.aegis.environment(0).status === 'dead';
  });
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(interrupts).toBeGreaterThan(200);
  expect(net.received.length).toBeGreaterThan(50);
  expect(pattern(K1)).not.toBe(0);
});
