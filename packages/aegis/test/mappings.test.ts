/** tlbwr, tlbvad, STLB and guaranteed mappings: a page leads to a frame as long as somebody has the right to it. [SOSP95 §5.4] */
import {
  DEATHS,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  ERRORS,
  EXCEPTIONS,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  EXPOSED,
  NODE_BYTES,
  NODE_LIMIT,
  FILTER_BYTES,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  PAGE_BYTES,
  RING_BYTES,
  RING_LIMIT,
  SYSTEM,
  RIGHTS,
  WELL_KNOWN_READ,
} from '@exokernel/abi';
import { Machine } from '@exokernel/hardware';
import { A0, A1, A2, A3, T0, T1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { STLB_BASE, stlbOffset } from '../src/text/vectors.ts';
import { PHYSICAL } from '../src/layout.ts';
import { tablesAt } from '../src/tables.ts';
import {
  boot,
  type Booted,
  checkInvariants,
  emitCall,
  type Fiber,
  FIRST_FREE_FRAME,
  RAW,
  type Raw,
  rawImage,
  runRaw,
  WINDOW,
} from '../../testkit/src/index.ts';

const VALID = 0x200;
const DIRTY = 0x400;
const GLOBAL = 0x100;
const READ_WRITE = VALID | DIRTY;

/** Forgets every translation that is not wired, as 56 other pages would make it. */
function emptyTlb(machine: Machine): void {
  for (let i = 8; i < 64; i += 1) machine.cpu.tlb.write(i, 0x80000000, 0);
}

/** Runs raw environments in which `evict` empties the TLB, so that only the STLB and what lies behind it answer. */
function runEvicting(...mains: ((raw: Raw, evict: () => Fiber<void>) => Fiber<number>)[]): Booted {
  const wishes: true[] = [];
  const evictFor = (raw: Raw) =>
    function* (): Fiber<void> {
      wishes.push(true);
      while (wishes.length > 0) yield* raw.sleep(1);
    };
  const booted = boot(mains.map((main) => rawImage({ main: (raw) => main(raw, evictFor(raw)) })));
  booted.runUntil(() => {
    if (wishes.length > 0) emptyTlb(booted.machine);
    wishes.length = 0;
    return mains.every((_, env) => booted.aegis.environment(env).status === 'dead');
  });
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  for (const env of mains.keys()) expect(booted.aegis.environment(env)).toMatchObject({ death: DEATHS.exit, exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

test('addresses that are not the user’s are refused', () => {
  runRaw(function* (raw) {
    const { ppn, capability } = yield* raw.frame();
    for (const va of [0x80000000, 0x80000000 + ppn * PAGE_BYTES, 0xa0000000, 0xc0000000, 0xfffff000, 0xffffffff]) {
      const code = yield* raw.code('tlbwr', va, (ppn << 12) | READ_WRITE, capability[2], capability[3]);
      expect(code, va.toString(16)).toBe(ERRORS.E_RANGE);
      expect(yield* raw.code('tlbvad', va)).toBe(ERRORS.E_RANGE);
    }
    // The last page of kuseg is one.
    expect(yield* raw.bind(0x7ffff000, { ppn, capability })).toBe(0);
    expect(yield* raw.poke(0x7ffffffc, 5)).toBe(0);
    return 0;
  });
});

test('frames that do not exist are refused, whatever the MAC', () => {
  const frames = new Machine().memory.ramBytes / PAGE_BYTES;
  const tables = tablesAt(frames * PAGE_BYTES) / PAGE_BYTES;
  const booted = runRaw(function* (raw) {
    const { capability } = yield* raw.frame();
    // The secret tables at the end of memory are no frames.
    for (const ppn of [tables, tables + 1, frames - 1, frames, 0x2fff, 0x18000, 0x1a000, 0xfffff]) {
      const code = yield* raw.code('tlbwr', WINDOW, (ppn << 12) | READ_WRITE, capability[2], capability[3]);
      expect(code, ppn.toString(16)).toBe(ERRORS.E_RANGE);
    }
    return 0;
  });
  expect(booted.aegis.parts.frames.count).toBe(tables);
});

test('no frame of the kernel can be written, and only exposed tables can be read', () => {
  const readable = new Set<number>();
  const writable: number[] = [];
  runRaw(function* (raw) {
    const own = (yield* raw.frame()).capability;
    const macs = [WELL_KNOWN_READ, [own[2], own[3]], [0, 0], [WELL_KNOWN_READ[1], WELL_KNOWN_READ[0]]];
    for (let ppn = 0; ppn < FIRST_FREE_FRAME; ppn += 1) {
      for (const [low = 0, high = 0] of macs) {
        for (const bits of [VALID, READ_WRITE, DIRTY]) {
          const code = yield* raw.code('tlbwr', WINDOW, (ppn << 12) | bits, low, high);
          if (code === 0 && (bits & DIRTY) !== 0) writable.push(ppn);
          else if (code === 0) readable.add(ppn);
          else expect(code).toBe(ERRORS.E_CAP);
        }
      }
    }
    return 0;
  });
  expect(writable).toEqual([]);
  const pages = (table: number, bytes: number): number[] =>
    Array.from({ length: bytes / PAGE_BYTES }, (_, i) => table / PAGE_BYTES + i);
  expect([...readable]).toEqual([
    ...pages(EXPOSED.stlb, 0x8000),
    ...pages(EXPOSED.nodes, NODE_BYTES * NODE_LIMIT),
    ...pages(EXPOSED.environments, ENV_BYTES * ENV_LIMIT),
    ...pages(EXPOSED.frames, 0x1000 * 16),
    ...pages(EXPOSED.slices, PAGE_BYTES),
    ...pages(EXPOSED.disk, 3 * PAGE_BYTES),
    ...pages(EXPOSED.rings, RING_BYTES * RING_LIMIT),
    ...pages(EXPOSED.filters, FILTER_BYTES * FILTER_LIMIT),
    ...pages(EXPOSED.filterCode, FILTER_CODE_BYTES),
    ...pages(EXPOSED.buffers, BUFFER_BYTES * BUFFER_LIMIT),
  ]);
  expect(readable.has(PHYSICAL.frameAuth / PAGE_BYTES)).toBe(false);
});

test('the exposed tables show what is so', () => {
  runRaw(
    function* (raw) {
      const look = function* (at: number): Fiber<number | undefined> {
        const entry = (at & -PAGE_BYTES) | VALID;
        expect(yield* raw.code('tlbwr', WINDOW, entry, ...WELL_KNOWN_READ)).toBe(0);
        expect(yield* raw.poke(WINDOW, 1)).toBe(EXCEPTIONS.mod);
        return yield* raw.peek(WINDOW + (at & (PAGE_BYTES - 1)));
      };
      expect(yield* look(EXPOSED.environments + ENV.asid)).toBe(1 << 6);
      expect(yield* look(EXPOSED.environments + ENV_BYTES + ENV.status)).toBe(0);
      expect(yield* look(EXPOSED.slices)).toBe(0);
      const system = (field: number): Fiber<number | undefined> => look(EXPOSED.system + field);
      expect(yield* system(SYSTEM.tick)).toBe((yield* raw.call('tick')).value);
      const free = yield* system(SYSTEM.framesFree);
      yield* raw.frame();
      expect(yield* system(SYSTEM.framesFree)).toBe((free ?? 0) - 1);
      expect(yield* system(SYSTEM.hertz)).toBe(25_000_000);
      const last = ((yield* system(SYSTEM.frames)) ?? 0) - 1;
      const { ppn } = yield* raw.frame(last);
      expect(ppn).toBe(last);
      expect(yield* raw.code('frame_alloc', last + 1)).toBe(ERRORS.E_RANGE);
      expect(yield* look(EXPOSED.frames + 16 * ppn)).toBe(0);
      expect(yield* look(EXPOSED.frames + 16 * ppn + 4)).toBe(1);
      // The entry of the STLB by which this very page is found.
      const at = (STLB_BASE - 0x80000000 + stlbOffset(WINDOW | (1 << 6))) >>> 0;
      expect(yield* look(at)).toBe(WINDOW | (1 << 6));
      return 0;
    },
    { alone: true },
  );
});

test('a capability to read does not bind for writing, and the page it binds cannot be written', () => {
  runRaw(function* (raw) {
    const { ppn, capability } = yield* raw.frame();
    const read = (yield* raw.call('cap_derive', ...capability, RIGHTS.read, 0)).capability;
    const write = (yield* raw.call('cap_derive', ...capability, RIGHTS.write, 0)).capability;
    const none = (yield* raw.call('cap_derive', ...capability, 0, 0)).capability;
    expect(yield* raw.bind(WINDOW, { ppn, capability: read })).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, { ppn, capability: none }, false)).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, { ppn, capability: write })).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, { ppn, capability: read }, false)).toBe(0);
    expect(yield* raw.poke(WINDOW, 1)).toBe(EXCEPTIONS.mod);
    expect(yield* raw.peek(WINDOW)).toBe(0);
    // Writable, then read-only again: the second binding takes the right away at once.
    expect(yield* raw.bind(WINDOW, { ppn, capability })).toBe(0);
    expect(yield* raw.poke(WINDOW, 7)).toBe(0);
    expect(yield* raw.bind(WINDOW, { ppn, capability: read }, false)).toBe(0);
    expect(yield* raw.poke(WINDOW, 8)).toBe(EXCEPTIONS.mod);
    expect(yield* raw.peek(WINDOW)).toBe(7);
    return 0;
  });
});

test('a MAC of a free frame, of an earlier life, of zeros, of nobody binds nothing', () => {
  const booted = runRaw(function* (raw) {
    const old = yield* raw.frame();
    expect(yield* raw.code('frame_free', ...old.capability)).toBe(0);
    expect(yield* raw.bind(WINDOW, old)).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, { ppn: old.ppn, capability: [0, 0, 0, 0] })).toBe(ERRORS.E_CAP);
    const again = yield* raw.frame(old.ppn);
    expect(yield* raw.bind(WINDOW, old, false)).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, again)).toBe(0);
    const { capability } = yield* raw.frame();
    expect(yield* raw.bind(WINDOW, { ppn: again.ppn, capability })).toBe(ERRORS.E_CAP);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('the bits of EntryLo that are the kernel’s cannot be set', () => {
  const frame = { ppn: 0 };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const { ppn, capability } = yield* raw.frame();
        const entry = (ppn << 12) | READ_WRITE | GLOBAL | 0xff;
        expect(yield* raw.code('tlbwr', WINDOW + 0x123, entry, capability[2], capability[3])).toBe(0);
        expect(yield* raw.poke(WINDOW + 8, 3)).toBe(0);
        frame.ppn = ppn;
        for (;;) yield* raw.sleep(1);
      },
    }),
  ]);
  expect(booted.runUntil(() => frame.ppn !== 0)).toBe(true);
  const lo = (frame.ppn << 12) | READ_WRITE;
  const { tlb } = booted.machine.cpu;
  const index = Array.from({ length: 64 }, (_, i) => i).find((i) => tlb.hi(i) === (WINDOW | (1 << 6))) ?? -1;
  expect(tlb.lo(index)).toBe(lo);
  expect(booted.machine.memory.load32(PHYSICAL.stlb + stlbOffset(WINDOW | (1 << 6)) + 4)).toBe(lo);
});

test('a binding that is replaced or removed takes effect at once, in TLB and STLB', () => {
  runEvicting(function* (raw, evict) {
    const [a, b] = [yield* raw.frame(), yield* raw.frame()];
    yield* raw.fill(a, Uint8Array.of(1));
    yield* raw.fill(b, Uint8Array.of(2));
    expect(yield* raw.bind(WINDOW, a)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(1);
    expect(yield* raw.bind(WINDOW, b)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(2);
    yield* evict();
    expect(yield* raw.peek(WINDOW)).toBe(2);
    expect(yield* raw.code('tlbvad', WINDOW + 0xfff)).toBe(0);
    expect(yield* raw.peek(WINDOW + 4)).toBeUndefined();
    expect(yield* raw.fibers.load(RAW.badVaddr)).toBe(WINDOW + 4);
    expect(yield* raw.fibers.load(RAW.code)).toBe(1 + EXCEPTIONS.tlbl);
    expect(yield* raw.poke(WINDOW, 1)).toBe(EXCEPTIONS.tlbs);
    yield* evict();
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    // Removing what is not there does nothing.
    expect(yield* raw.code('tlbvad', WINDOW)).toBe(0);
    return 0;
  });
});

test('tlbvad_range removes what lies in its range, and nothing of it beside', () => {
  const pages = 70;
  runEvicting(function* (raw) {
    const frame = yield* raw.frame();
    const vas = Array.from({ length: pages + 2 }, (_, i) => WINDOW + 4096 * i);
    const mapped = function* (): Fiber<boolean[]> {
      const found: boolean[] = [];
      for (const va of vas) found.push((yield* raw.peek(va)) !== undefined);
      return found;
    };
    for (const va of vas) expect(yield* raw.bind(va, frame)).toBe(0);
    expect(yield* mapped()).toEqual(vas.map(() => true));
    for (const [va, count] of [
      [-4096, 1],
      [0x7ffff000, 2],
      [WINDOW, 1025],
      [WINDOW, -1],
      [0x40000000, 0x7fffffff],
    ] as const) {
      expect(yield* raw.code('tlbvad_range', va, count)).toBe(ERRORS.E_RANGE);
    }
    for (const va of [0, WINDOW, 0x7fffffff]) expect(yield* raw.code('tlbvad_range', va, 0)).toBe(0);
    expect(yield* mapped()).toEqual(vas.map(() => true));
    expect(yield* raw.code('tlbvad_range', WINDOW + 4096 + 4095, pages)).toBe(0);
    expect(yield* mapped()).toEqual(vas.map((_, i) => i === 0 || i === pages + 1));
    expect(yield* raw.code('tlbvad_range', 0x7ffff000, 1)).toBe(0);
    return 0;
  });
});

test('an entry without V faults to the application until it is bound again', () => {
  runRaw(function* (raw) {
    const frame = yield* raw.frame();
    expect(yield* raw.code('tlbwr', WINDOW, frame.ppn << 12, frame.capability[2], frame.capability[3])).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    expect(yield* raw.poke(WINDOW, 1)).toBe(EXCEPTIONS.tlbs);
    expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    expect(yield* raw.poke(WINDOW, 1)).toBe(0);
    return 0;
  });
});

test('a guaranteed mapping cannot be lost: tlbvad costs it a refill', () => {
  runEvicting(function* (raw, evict) {
    const frame = yield* raw.frame();
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, WINDOW | 1)).toBe(0);
    expect(yield* raw.poke(WINDOW, 9)).toBe(0);
    expect(yield* raw.code('tlbvad', WINDOW)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(9);
    yield* evict();
    expect(yield* raw.peek(WINDOW)).toBe(9);
    return 0;
  });
});

test('a frame that is freed is gone from every address space, from guaranteed mappings too', () => {
  const shared: {
    frame: { ppn: number; capability: readonly [number, number, number, number] } | undefined;
    stage: number;
  } = {
    frame: undefined,
    stage: 0,
  };
  const reach = function* (raw: Raw, stage: number): Fiber<void> {
    while (shared.stage < stage) yield* raw.sleep(1);
  };
  runEvicting(
    function* (raw, evict) {
      const frame = yield* raw.frame();
      expect(yield* raw.bind(WINDOW, frame)).toBe(0);
      expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x200001)).toBe(0);
      expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x300000)).toBe(0);
      expect(yield* raw.poke(WINDOW, 0x5ec2e7)).toBe(0);
      shared.frame = frame;
      shared.stage = 1;
      yield* reach(raw, 2);
      expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
      shared.stage = 3;
      for (const va of [WINDOW, 0x200000, 0x300000]) expect(yield* raw.peek(va)).toBeUndefined();
      yield* evict();
      for (const va of [WINDOW, 0x200000, 0x300000]) expect(yield* raw.peek(va)).toBeUndefined();
      yield* reach(raw, 4);
      for (const va of [WINDOW, 0x200000, 0x300000]) expect(yield* raw.peek(va)).toBeUndefined();
      // The other guaranteed mappings are still there.
      expect(yield* raw.peek(0x2000)).toBeDefined();
      shared.stage = 5;
      return 0;
    },
    function* (raw) {
      yield* reach(raw, 1);
      const { frame } = shared;
      if (frame === undefined) return 1;
      // It may map what it was given the capability for, but does not hold it.
      expect(yield* raw.bind(WINDOW, frame)).toBe(0);
      expect(yield* raw.peek(WINDOW)).toBe(0x5ec2e7);
      shared.stage = 2;
      yield* reach(raw, 3);
      expect(yield* raw.peek(WINDOW)).toBeUndefined();
      // The next life of the frame: zeros, and the old capability is dead.
      const next = yield* raw.frame(frame.ppn);
      expect(yield* raw.bind(WINDOW, frame)).toBe(ERRORS.E_CAP);
      expect(yield* raw.bind(WINDOW, next)).toBe(0);
      expect(yield* raw.peek(WINDOW)).toBe(0);
      expect(yield* raw.poke(WINDOW, 77)).toBe(0);
      shared.stage = 4;
      yield* reach(raw, 5);
      expect(yield* raw.peek(WINDOW)).toBe(77);
      return 0;
    },
  );
});

test('a holder that drops its hold loses its mappings; those of the other holders stay', () => {
  runEvicting(function* (raw, evict) {
    const frame = yield* raw.frame();
    const child = yield* raw.call('env_alloc');
    expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, WINDOW | 1)).toBe(0);
    expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    expect(yield* raw.poke(WINDOW, 4)).toBe(0);
    expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    // Not free: the child holds it. Its capability is good, and it can be mapped as one that is not held.
    expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(ERRORS.E_BUSY);
    expect(yield* raw.code('frame_free', ...frame.capability)).toBe(ERRORS.E_CAP);
    expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(4);
    // With the child the last hold goes, and the mapping of the one that does not hold it.
    expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    yield* evict();
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    expect(yield* raw.bind(WINDOW, frame)).toBe(ERRORS.E_CAP);
    return 0;
  });
});

test('nobody gets a u-page while its environment lives, not even when that gave it away', () => {
  const uPage = 0x1330;
  const booted = boot([
    rawImage({
      entry: 'giver',
      prologue: 'first',
      epilogue: 'giver',
      emit: (a) => {
        // Once; the flag is in a page that it keeps.
        a.label('first');
        a.lw(T0, 0x4000, ZERO);
        a.li(T1, 1);
        a.bnez(T0, 'giver');
        a.sw(T1, 0x4000, ZERO);
        [A0, A1, A2, A3].forEach((r, i) => {
          a.lw(r, uPage + 4 * i, ZERO);
        });
        emitCall(a, 'frame_free');
        a.label('giver');
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
    }),
    rawImage({
      main: function* (raw) {
        yield* raw.sleep(2);
        const ppn = Math.floor((boots().aegis.parts.memory.env(0, ENV.uPage) - 0x80000000) / PAGE_BYTES);
        return yield* raw.code('frame_alloc', ppn);
      },
    }),
  ]);
  const boots = (): Booted => booted;
  const [other] = booted.finish(1);
  expect(other).toMatchObject({ death: DEATHS.exit, exit: ERRORS.E_BUSY });
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'runnable', exceptions: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
