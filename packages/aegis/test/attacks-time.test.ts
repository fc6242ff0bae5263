/**
 * Ways to take the processor's time from a bystander, by environments that work together: none gets more than its slices, and none
 * ends another.
 */
import { CALLS, ENV, ENV_LIMIT, ENV_STATUS, ERRORS, SLICE, TRANSFER, TRANSFER_BYTES } from '@exokernel/abi';
import { EVENT_KINDS, memoryStore } from '@exokernel/hardware';
import { A0, A1, A2, A3, S1, S2, S3, T0, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  checkInvariants,
  emitCall,
  rawImage,
  SCRATCH,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { KP, KSEG0, MOST_DEBT, NATIVE, PHYSICAL } from '../src/layout.ts';
import { envAddress } from '../src/memory.ts';
import { QUANTUM, emitComputes, overrunning, spin, worker } from './attackers.ts';
import { outside, packet } from './network.ts';

/** Where an attacker in machine code keeps its words. */
const STATE = SCRATCH + 0x100;
const CHILD = STATE + 4;
const POSITIONS = STATE + 8;
const CHILD_CAPABILITY = STATE + 16;
const CAPABILITIES = STATE + 32;

/** Emits the four words of a capability at `base` of memory to a0 to a3, or from there. */
function words(a: Assembler, how: 'load' | 'store', at: number, base: Register = ZERO): void {
  for (const [i, r] of [A0, A1, A2, A3].entries()) {
    if (how === 'load') a.lw(r, at + 4 * i, base);
    else a.sw(r, at + 4 * i, base);
  }
}

/** Starts a child that has no slice. */
function* startedChild(raw: Raw): Fiber<{ readonly value: number; readonly capability: readonly number[] }> {
  const child = yield* raw.call('env_alloc');
  const uPage = yield* raw.frame();
  expect(yield* raw.code('env_map', ...child.capability, ...uPage.capability, 0x1003)).toBe(0);
  expect(yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000)).toBe(0);
  expect(yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable)).toBe(0);
  return child;
}

/** Two slices of its own, at 0 and 2, with what `go` needs; then it is machine code. */
function thief(
  name: string,
  emit: (a: Assembler) => void,
  child: (raw: Raw) => ReturnType<typeof startedChild>,
): RawImage {
  const image: RawImage = rawImage({
    name,
    epilogue: 'end',
    emit: (a) => {
      emit(a);
      a.label('loop');
      a.b('loop');
      a.nop();
      a.label('end');
      spin(a, 'end.spin', 7.8 * QUANTUM);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
    main: function* (raw) {
      const { value, capability } = yield* child(raw);
      const slices: (readonly number[])[] = [];
      for (const position of [0, 2]) slices.push((yield* raw.call('slice_alloc', 0, 0, 0, 0, position)).capability);
      for (const [i, word] of [0, value, 0, 2, ...capability, ...slices.flat()].entries()) {
        yield* raw.fibers.store(STATE + 4 * i, word);
      }
      expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.prologue, image.runtime.symbols.get('go') ?? 0)).toBe(0);
      yield* raw.code('yield', -1);
      return 0;
    },
  });
  return image;
}

/** In each of its slices it leaves the debt of the other one with the child, and takes that slice anew; then it overruns. */
function emitShed(a: Assembler): void {
  a.label('go');
  a.lw(S3, STATE, ZERO);
  a.nop();
  a.xori(S3, S3, 1);
  a.sw(S3, STATE, ZERO);
  a.sll(S1, S3, 4);
  a.sll(S2, S3, 2);
  words(a, 'load', CAPABILITIES, S1);
  a.lw(T0, CHILD, ZERO);
  a.nop();
  emitCall(a, 'slice_give');
  words(a, 'load', CHILD_CAPABILITY);
  a.lw(T0, POSITIONS, S2);
  a.nop();
  emitCall(a, 'slice_alloc');
  emitCall(a, 'slice_free');
  for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
  a.lw(T0, POSITIONS, S2);
  a.nop();
  emitCall(a, 'slice_alloc');
  words(a, 'store', CAPABILITIES, S1);
}

/** What part of its slices' time the second environment has, in 320 ticks. */
function partOf({ aegis, machine }: Booted, share: number): number {
  machine.run(30 * QUANTUM);
  const before = aegis.environment(1).cycles;
  machine.run(320 * QUANTUM);
  expect(machine.native.lastError).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  return (aegis.environment(1).cycles - before) / (320 * QUANTUM * share);
}

test('a debt is not left with a child that never runs', () => {
  expect(partOf(boot([thief('sheds', emitShed, startedChild), worker()]), 1 / 3)).toBeGreaterThan(0.97);
});

test('a debt is not left with an accomplice of another family that never runs', () => {
  const accomplice: { value?: number; capability?: readonly number[] } = {};
  const other = rawImage({
    name: 'accomplice',
    placement: { slices: 0 },
    main: function* (raw) {
      accomplice.capability = yield* raw.granted('self');
      accomplice.value = 2;
      for (;;) yield* raw.routine('kit.yield', -1);
    },
  });
  const waits = function* (raw: Raw): ReturnType<typeof startedChild> {
    while (accomplice.capability === undefined) yield* raw.routine('kit.yield', 2);
    return { value: 2, capability: accomplice.capability };
  };
  expect(partOf(boot([thief('sheds', emitShed, waits), worker(), other]), 1 / 3)).toBeGreaterThan(0.97);
});

test('who is yielded to, in what was a slice, is not ended for what that owed', () => {
  // It overruns in one slice; then it frees that, gives away the one in which it runs, and yields to the bystander.
  const image = thief(
    'yields',
    (a) => {
      a.label('go');
      a.lw(S3, STATE, ZERO);
      a.nop();
      a.addiu(S1, S3, 1);
      a.sw(S1, STATE, ZERO);
      a.li(S1, 1);
      a.bne(S3, S1, 'loop');
      a.nop();
      words(a, 'load', CAPABILITIES);
      a.nop();
      emitCall(a, 'slice_free');
      words(a, 'load', CAPABILITIES + 16);
      a.nop();
      emitCall(a, 'slice_free');
      a.li(A0, 1);
      emitCall(a, 'yield');
    },
    startedChild,
  );
  const booted = boot([image, overrunning(1.2, 'worker')]);
  booted.machine.run(60 * QUANTUM);
  expect(booted.word(0, STATE)).toBeGreaterThan(1);
  expect(booted.aegis.environment(1)).toMatchObject({ status: 'runnable' });
});

test('an environment with a large tree of capabilities ends in a slice of another: the machine does not wait for it', () => {
  const helpers = 13;
  const shared: { capability?: readonly number[]; done: number } = { done: 0 };
  const giver = rawImage({
    main: function* (raw) {
      while (shared.capability === undefined) yield* raw.routine('kit.yield', 1);
      while (shared.done < helpers) yield* raw.sleep(1);
      for (;;) yield* raw.routine('kit.yield', 1);
    },
  });
  const dying = rawImage({
    placement: { slices: 0 },
    main: function* (raw) {
      let { capability } = yield* raw.frame();
      for (let i = 0; i < 7; i += 1) ({ capability } = yield* raw.call('cap_derive', ...capability, 3, 1));
      shared.capability = capability;
      while (shared.done < helpers) yield* raw.routine('kit.yield', -1);
      return 0;
    },
  });
  const helper = rawImage({
    main: function* (raw) {
      while (shared.capability === undefined) yield* raw.sleep(1);
      for (let i = 0; i < 64; i += 1) expect(yield* raw.code('cap_derive', ...shared.capability, 3, 1)).toBe(0);
      shared.done += 1;
      for (;;) yield* raw.sleep(1000);
    },
  });
  const booted = boot([giver, dying, ...Array.from({ length: helpers }, () => helper)]);
  const other = booted.aegis.load(bystander());
  expect(booted.runUntil(() => shared.done === helpers)).toBe(true);
  // All others sleep.
  let longest = 0;
  for (let ticks = 0; booted.aegis.environment(1).status !== 'dead' && ticks < 640; ticks += 1) {
    const { cycles } = booted.aegis.environment(other);
    booted.machine.run(2 * QUANTUM);
    longest = booted.aegis.environment(other).cycles === cycles ? longest + 1 : longest;
  }
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.aegis.environment(1).status).toBe('dead');
  expect(longest).toBe(0);
  expect(booted.aegis.parts.capabilities.nodes.used).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('an environment that is to end executes nothing more, though its maker sets it going again', () => {
  const counter = 0x400000;
  const found: number[] = [];
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const child = yield* startedChild(raw);
        const [text, data] = [yield* raw.frame(), yield* raw.frame()];
        // It counts for ever, and has nothing at the end of its slice: it is killed.
        const code = [0x3c040040, 0x8c820000, 0, 0x24420001, 0xac820000, 0x1000fffb, 0];
        yield* raw.fill(text, new Uint8Array(new Uint32Array(code).buffer));
        expect(yield* raw.code('env_map', ...child.capability, ...text.capability, 0x5000)).toBe(0);
        expect(yield* raw.code('env_map', ...child.capability, ...data.capability, counter | 1)).toBe(0);
        // What makes its end take many pieces.
        for (let i = 0; i < 400; i += 1) {
          const frame = yield* raw.frame();
          yield* raw.code('frame_hold', ...child.capability, ...frame.capability);
        }
        yield* raw.code('slice_alloc', ...child.capability, -1);
        const { memory } = booted.aegis.parts;
        while (memory.env(child.value, ENV.death) === 0) yield* raw.sleep(1);
        found.push(memory.env(child.value, ENV.status), memory.get(4096 * data.ppn));
        found.push(yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000));
        yield* raw.sleep(4);
        found.push(memory.get(4096 * data.ppn));
        while (memory.env(child.value, ENV.status) !== ENV_STATUS.dead) yield* raw.sleep(1);
        return 0;
      },
    }),
  ]);
  booted.finish(0);
  const [, before] = found;
  expect(before).toBeGreaterThan(0);
  expect(found).toEqual([ENV_STATUS.runnable, before, ERRORS.E_RANGE, before]);
});

test.each([60, 1514])(
  'a flood of %i bytes that no filter claims takes less than one in a hundred of all cycles',
  (bytes) => {
    const net = outside();
    const booted = boot([worker(), worker()], net.machine);
    // More than the wire carries.
    const flood = (ticks: number): void => {
      for (let i = 0; i < 4 * ticks; i += 1) {
        for (let sent = 0; sent < 5200; sent += bytes + 24) net.send(packet(0x1234, bytes));
        booted.machine.run(Math.round(QUANTUM / 4));
      }
    };
    flood(20);
    const { machine, aegis } = booted;
    const [had, since] = [aegis.environment(0).cycles + aegis.environment(1).cycles, machine.cycles];
    flood(100);
    const have = aegis.environment(0).cycles + aegis.environment(1).cycles;
    expect((have - had) / (machine.cycles - since)).toBeGreaterThan(0.99);
  },
);

test('transfers of an environment that has ended are not paid by the one that has its record now', () => {
  const blocks = 64;
  const state = { inFlight: 0, charged: 0 };
  const asking = rawImage({
    extent: { start: 0, blocks: 1900 },
    main: function* (raw) {
      const words = new Uint32Array((blocks * TRANSFER_BYTES) / 4);
      for (let i = 0; i < blocks; i += 1) {
        const { capability } = yield* raw.frame();
        words.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
        words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = (i * 37) % 1900;
      }
      const list = yield* raw.frame();
      yield* raw.fill(list, new Uint8Array(words.buffer));
      const extent = yield* raw.granted('extent');
      return yield* raw.code('disk_request', ...extent, ...list.capability, blocks, 0, 1);
    },
  });
  const maker = rawImage({
    main: function* (raw) {
      while (booted.aegis.environment(0).status !== 'dead') yield* raw.sleep(1);
      let child = yield* raw.call('env_alloc');
      while (child.value !== 0) {
        yield* raw.code('env_free', ...child.capability, 0);
        child = yield* raw.call('env_alloc');
      }
      state.inFlight = booted.aegis.parts.disk.inFlight.length;
      while (booted.aegis.parts.disk.inFlight.length > 0) yield* raw.sleep(1);
      return 0;
    },
  });
  const booted = boot([asking, maker], { disk: { store: memoryStore(2048 * 4096) } });
  const { memory } = booted.aegis.parts;
  booted.machine.listen((kind, _cycle, index) => {
    if (kind !== EVENT_KINDS.native.kind || index !== NATIVE.diskInterrupt || state.inFlight === 0) return;
    if (memory.kernelPage(KP.claimant) === envAddress(1) + ENV.credit) state.charged += 1;
  });
  booted.finish(0, 1);
  expect(booted.aegis.environment(0).status).toBe('dead');
  expect(state.inFlight).toBeGreaterThan(20);
  expect(state.charged).toBe(0);
});

test('transfers of a child are not paid by the one that has the record of its maker now', () => {
  const blocks = 64;
  const state = { inFlight: 0, charged: 0, byFamily: 0 };
  const lw = (r: number, at: number): number => ((0x23 << 26) | (r << 16) | at) >>> 0;
  const li = (r: number, value: number): number => ((9 << 26) | (r << 16) | (value & 0xffff)) >>> 0;
  const SYSCALL = 12;
  const FOREVER = [0x1000ffff, 0];
  /** A child of this code, which has a slice; its epilogue is at 0x5800. */
  function* started(
    raw: Raw,
    code: readonly number[],
    prepare: (child: readonly number[]) => Fiber<readonly number[]>,
  ): Fiber<{ value: number }> {
    const child = yield* raw.call('env_alloc');
    const data = yield* prepare(child.capability);
    const frames = [yield* raw.frame(), yield* raw.frame(), yield* raw.frame()];
    const words = new Uint32Array(1024);
    words.set(code);
    words.set([li(4, -1), li(2, CALLS.yield.number), SYSCALL], 0x800 / 4);
    yield* raw.fill(frames[1] as RawFrame, new Uint8Array(words.buffer));
    yield* raw.fill(frames[2] as RawFrame, new Uint8Array(new Uint32Array(data).buffer));
    for (const [i, va] of [0x1003, 0x5000, 0x6000].entries()) {
      const { capability } = frames[i] as RawFrame;
      expect(yield* raw.code('env_map', ...child.capability, ...capability, va)).toBe(0);
    }
    for (const [field, value] of [
      [ENV.prologue, 0x5000],
      [ENV.epilogue, 0x5800],
      [ENV.status, ENV_STATUS.runnable],
    ] as const) {
      expect(yield* raw.code('env_set', ...child.capability, field, value)).toBe(0);
    }
    expect(yield* raw.code('slice_alloc', ...child.capability, -1)).toBe(0);
    return child;
  }
  const maker = rawImage({
    extent: { start: 0, blocks: 1900 },
    main: function* (raw) {
      const call = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14].map((r, i) => lw(r, 0x6000 + 4 * i));
      const asks = [...call, li(2, CALLS.disk_request.number), SYSCALL];
      // Registers a0 to t0 are zero for the end.
      const ends = [...[4, 5, 6, 7, 8].map((r) => li(r, 0)), li(2, CALLS.env_free.number), SYSCALL];
      const child = yield* started(raw, [...asks, ...ends], function* (of) {
        const words = new Uint32Array((blocks * TRANSFER_BYTES) / 4);
        for (let i = 0; i < blocks; i += 1) {
          // Its own, so that the device goes on when it has ended.
          const { capability } = yield* raw.frame();
          expect(yield* raw.code('frame_hold', ...of, ...capability)).toBe(0);
          expect(yield* raw.code('frame_free', ...capability)).toBe(0);
          words.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
          words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = (i * 37) % 1900;
        }
        const list = yield* raw.frame();
        yield* raw.fill(list, new Uint8Array(words.buffer));
        return [...(yield* raw.granted('extent')), ...list.capability, blocks, 0, 1];
      });
      while (booted.aegis.environment(child.value).status !== 'dead') yield* raw.sleep(1);
      return 0;
    },
  });
  const stranger = rawImage({
    main: function* (raw) {
      while (booted.aegis.environment(0).status !== 'dead') yield* raw.sleep(1);
      let child = yield* raw.call('env_alloc');
      for (;;) {
        // The next one has the record of the maker.
        yield* raw.code('env_free', ...child.capability, 0);
        const { memory } = booted.aegis.parts;
        if ([...Array(ENV_LIMIT).keys()].every((id) => memory.env(id, ENV.status) !== ENV_STATUS.free)) break;
        child = yield* raw.call('env_alloc');
      }
      const { value } = yield* started(raw, FOREVER, function* (of) {
        // Nothing for it to read.
        expect(yield* raw.code('env_set', ...of, ENV.frameLimit, 100)).toBe(0);
        return [];
      });
      expect(value).toBe(0);
      state.inFlight = booted.aegis.parts.disk.inFlight.length;
      while (booted.aegis.parts.disk.inFlight.length > 0) yield* raw.sleep(1);
      return 0;
    },
  });
  const booted = boot([maker, stranger], { disk: { store: memoryStore(2048 * 4096) } });
  const { memory, families } = booted.aegis.parts;
  const ofFamily = KSEG0 + families.creditOf(0);
  booted.machine.listen((kind, _cycle, index) => {
    if (kind !== EVENT_KINDS.native.kind || index !== NATIVE.diskInterrupt || state.inFlight === 0) return;
    if (memory.kernelPage(KP.claimant) === envAddress(0) + ENV.credit) state.charged += 1;
    if (memory.kernelPage(KP.claimant) === ofFamily) state.byFamily += 1;
  });
  booted.finish(1);
  expect(state.inFlight).toBeGreaterThan(20);
  expect(state.charged).toBe(0);
  // All but the first, which the event shows before it is charged.
  expect(state.byFamily).toBeGreaterThan(state.inFlight - 3);
});

test('one that has freed its slice and ends waits for another slice: the machine does not wait for it', () => {
  const state: { ready: boolean; self?: readonly number[] } = { ready: false };
  const dying = rawImage({
    main: function* (raw) {
      state.self = yield* raw.granted('self');
      const slice = yield* raw.call('slice_alloc', 0, 0, 0, 0, 0);
      const children = [];
      for (let i = 0; i < 20; i += 1) children.push(yield* raw.call('env_alloc'));
      const frame = yield* raw.frame();
      for (let i = 0; i < 20; i += 1) {
        const branch = yield* raw.call('cap_derive', ...frame.capability, 3, 1);
        for (const child of children) yield* raw.code('frame_hold', ...child.capability, ...branch.capability);
      }
      state.ready = true;
      expect(yield* raw.code('slice_free', ...slice.capability)).toBe(0);
      return 0;
    },
  });
  // A slice of it, when it is asked for one.
  const friend: { gives: boolean } = { gives: false };
  const other = rawImage({
    main: function* (raw) {
      while (!friend.gives) yield* raw.sleep(1);
      return yield* raw.code('slice_alloc', ...(state.self ?? []), -1);
    },
  });
  const booted = boot([dying, other]);
  const { aegis, machine } = booted;
  const watched = aegis.load(bystander());
  expect(booted.runUntil(() => state.ready, 60)).toBe(true);
  const longest = (ticks: number): number => {
    let most = 0;
    for (let i = 0, gap = 0; i < ticks; i += 1) {
      const { cycles } = aegis.environment(watched);
      machine.run(QUANTUM);
      gap = aegis.environment(watched).cycles === cycles ? gap + 1 : 0;
      most = Math.max(most, gap);
    }
    return most;
  };
  expect(longest(100)).toBeLessThanOrEqual(2);
  expect(aegis.environment(0).status).toBe('runnable');
  friend.gives = true;
  expect(longest(900)).toBeLessThanOrEqual(2);
  expect(aegis.environment(0).status).toBe('dead');
  expect(machine.native.lastError).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
});

test('one that ends in what is left of a slice has no later one: who gave it the rest has given no more', () => {
  const state = { ready: false };
  const dying = rawImage({
    placement: { slices: 0 },
    main: function* (raw) {
      const children = [];
      for (let i = 0; i < 20; i += 1) children.push(yield* raw.call('env_alloc'));
      const frame = yield* raw.frame();
      for (let i = 0; i < 40; i += 1) {
        const branch = yield* raw.call('cap_derive', ...frame.capability, 3, 1);
        for (const child of children) yield* raw.code('frame_hold', ...child.capability, ...branch.capability);
      }
      state.ready = true;
      yield* raw.routine('kit.yield', -1);
      return 0;
    },
  });
  const giver = rawImage({
    emit: emitComputes,
    main: function* (raw) {
      while (!state.ready) yield* raw.routine('kit.yield', 0);
      yield* raw.routine('kit.yield', 0);
      yield* raw.routine('computes');
      return 0;
    },
  });
  const booted = boot([dying, giver, worker()]);
  const { aegis, machine } = booted;
  expect(booted.runUntil(() => state.ready, 60)).toBe(true);
  machine.run(10 * QUANTUM);
  const before = aegis.environment(1).cycles;
  machine.run(200 * QUANTUM);
  expect(machine.native.lastError).toBeUndefined();
  expect(aegis.parts.memory.env(0, ENV.death)).not.toBe(0);
  expect((aegis.environment(1).cycles - before) / (100 * QUANTUM)).toBeGreaterThan(0.98);
  expect(checkInvariants(aegis)).toEqual([]);
});

test('a debt that is never paid does not come round', () => {
  const booted = boot([worker(), worker()]);
  const { memory, families, slices } = booted.aegis.parts;
  const credit = PHYSICAL.slices + SLICE.credit;
  booted.machine.run(4 * QUANTUM);
  memory.set(credit, -MOST_DEBT);
  const before = booted.aegis.environment(1).cycles;
  for (let i = 0; i < 100; i += 1) {
    // As interrupts of its devices would leave it.
    memory.setEnv(0, ENV.credit, -3 * QUANTUM);
    booted.machine.run(QUANTUM);
  }
  expect(memory.get(credit) | 0).toBe(-MOST_DEBT);
  expect(booted.aegis.environment(1).cycles - before).toBeGreaterThan(98 * QUANTUM);
  // The same of a family without a slice, which the machine's code takes from without a look.
  slices.free(0);
  slices.free(1);
  memory.set(families.creditOf(0), -MOST_DEBT - 7);
  slices.charge(0);
  expect(memory.kernelPage(KP.claimant)).toBe(KSEG0 + families.creditOf(0));
  expect(memory.get(families.creditOf(0)) | 0).toBe(-MOST_DEBT);
});

test('who owes more than a quantum has no more transfers done: it may run in slices of accomplices, and never pay', () => {
  const answers = { done: 0, busy: 0 };
  const debtor = rawImage({
    placement: { slices: 0 },
    extent: { start: 0, blocks: 1900 },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      const frame = yield* raw.frame();
      // Through a branch, so that each block is copied.
      const { capability } = yield* raw.call('cap_derive', ...frame.capability, 3, 1);
      for (let i = 0; ; i += 1) {
        const code = yield* raw.code('disk_read', ...extent, ...capability, i % 16, 1);
        if (code === 0) answers.done += 1;
        else if (code === ERRORS.E_BUSY) answers.busy += 1;
        while (booted.aegis.parts.disk.inFlight.length > 16) yield* raw.routine('kit.yield', -1);
        if (code !== 0) yield* raw.routine('kit.yield', -1);
      }
    },
  });
  const accomplice = rawImage({
    main: function* (raw) {
      for (;;) yield* raw.routine('kit.yield', 0);
    },
  });
  const booted = boot([debtor, accomplice, worker()], { disk: { store: memoryStore(2048 * 4096) } });
  const { memory, families } = booted.aegis.parts;
  booted.machine.run(1000 * QUANTUM);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(answers.done).toBeGreaterThan(20);
  expect(answers.busy).toBeGreaterThan(0);
  // And what was under way already.
  expect(memory.get(families.creditOf(0)) | 0).toBeGreaterThan(-1.5 * QUANTUM);
});
