/**
 * A family that lacks frames of its guarantee gets them within a bound, and is told when to ask again, whatever those do that have them.
 * [SOSP95 §3.4]
 */
import { ENV, ERRORS, NO_ENV, TRANSFER, TRANSFER_BYTES, type CapabilityWords } from '@exokernel/abi';
import { memoryStore, type MachineOptions } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  memoryFor,
  rawImage,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';
import { familyAsPayer } from '../src/slices.ts';
import { watchStretches, LONGEST } from './stretches.ts';
import { CPU, World } from './world.ts';

/** Ticks until one that is never told loses what it owes, and some to ask in. */
const BOUND = 66 + 20;

interface State {
  /** The others have all memory. */
  full: boolean;
  frames: RawFrame[];
  asked: number;
}

interface Answers {
  readonly codes: readonly number[];
  readonly ticks: number;
}

/** Runs attackers beside a victim that has four of its eight frames, and asks for the others when they have all memory. */
function run(
  attackers: (state: State, booted: () => Booted) => readonly RawImage[],
  free: number,
  {
    wait = (raw: Raw) => raw.sleep(4),
    ...options
  }: { wait?: (raw: Raw) => Fiber<unknown>; disk?: NonNullable<MachineOptions['disk']> } = {},
): Answers {
  const state: State = { full: false, frames: [], asked: 0 };
  const answers = { codes: [] as number[], ticks: 0 };
  const victim = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!state.full) yield* raw.routine('kit.yield', -1);
      const begun = (yield* raw.call('tick')).value;
      for (let got = 0; got < 4 && answers.codes.length < 400;) {
        const code = yield* raw.code('frame_alloc', -1);
        answers.codes.push(code);
        if (code === 0) got += 1;
        else yield* wait(raw);
      }
      answers.ticks = (yield* raw.call('tick')).value - begun;
      return 0;
    },
  });
  const booted: Booted = boot([victim, ...attackers(state, () => booted)], { ramBytes: memoryFor(free), ...options });
  const stretches = watchStretches(booted.machine);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 60);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
  expect(answers.codes).toContain(ERRORS.E_AGAIN);
  expect(answers.codes.filter((code) => code === 0)).toHaveLength(4);
  return answers;
}

test.each([false, true])(
  'the member that seems to have most has pages only that the kernel knows of others: %s',
  (decoy) => {
    const hoarding = (state: State): RawImage =>
      rawImage({
        main: function* (raw) {
          const first = (yield* raw.call('env_alloc')).capability;
          const children: CapabilityWords[] = [];
          for (let kept = 0; kept < 90;) {
            const child = yield* raw.call('env_alloc');
            if (child.code !== 0) break;
            children.push(child.capability);
            for (const bit of [2, 4, 8]) {
              const { capability } = yield* raw.frame();
              const code = yield* raw.code('env_map', ...child.capability, ...capability, (0x10000 * bit) | bit | 1);
              if (code === 0) kept += 1;
              if (code === 0 && decoy) expect(yield* raw.code('frame_hold', ...first, ...capability)).toBe(0);
              expect(yield* raw.code('frame_free', ...capability)).toBe(0);
            }
          }
          // All the rest, spread over the children.
          for (let i = 0; ; i += 1) {
            const { code, capability } = yield* raw.call('frame_alloc', -1);
            if (code !== 0) break;
            const child = children[i % children.length] ?? first;
            expect(yield* raw.code('frame_hold', ...child, ...capability)).toBe(0);
            expect(yield* raw.code('frame_free', ...capability)).toBe(0);
          }
          state.full = true;
          for (;;) yield* raw.sleep(1000);
        },
      });
    expect(run((state) => [hoarding(state)], 230).ticks).toBeLessThan(BOUND);
  },
);

test('the member that is asked ends before its deadline, again and again', () => {
  const hoarding = (state: State): RawImage =>
    rawImage({
      main: function* (raw) {
        const keepers: CapabilityWords[] = [];
        for (let i = 0; i < 24; i += 1) keepers.push((yield* raw.call('env_alloc')).capability);
        for (let i = 0; ; i += 1) {
          const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) break;
          state.frames.push({ ppn, capability });
          yield* raw.code('frame_hold', ...(keepers[i % 24] ?? capability), ...capability);
          yield* raw.code('frame_free', ...capability);
        }
        for (;;) {
          const asked = yield* raw.call('env_alloc');
          for (const { capability } of state.frames.slice(0, 60)) {
            yield* raw.code('frame_hold', ...asked.capability, ...capability);
          }
          state.full = true;
          yield* raw.sleep(20);
          expect(yield* raw.code('env_free', ...asked.capability, 0)).toBe(0);
        }
      },
    });
  expect(run((state) => [hoarding(state)], 600).ticks).toBeLessThan(BOUND);
});

test('many requests that others have made of themselves, which take seconds, are older', () => {
  const members = 3;
  const hoarder = (state: State): RawImage =>
    rawImage({
      main: function* (raw) {
        yield* raw.sleep(8);
        for (;;) {
          const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) break;
          state.frames.push({ ppn, capability });
        }
        while (state.asked < members) yield* raw.sleep(1);
        // Until the deadlines of the members have come.
        yield* raw.sleep(80);
        state.full = true;
        for (;;) yield* raw.sleep(100_000);
      },
    });
  const member = (state: State, booted: () => Booted): RawImage =>
    rawImage({
      main: function* (raw) {
        while (booted().aegis.framesFree > 0) yield* raw.sleep(1);
        for (const { capability } of state.frames.slice(0, -20)) {
          yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability);
        }
        expect(yield* raw.code('revoke', 0, 0, 0, 0, 0, 100_000, 0)).toBe(0);
        state.asked += 1;
        for (;;) yield* raw.sleep(100_000);
      },
    });
  const attackers = (state: State, booted: () => Booted): RawImage[] => [
    hoarder(state),
    ...Array.from({ length: members }, () => member(state, booted)),
  ];
  expect(run(attackers, 700).ticks).toBeLessThan(BOUND);
});

test('what it lacks is on its way from the disk, and it sleeps until an event', () => {
  const hoarding = (state: State, booted: () => Booted): RawImage =>
    rawImage({
      extent: { start: 0, blocks: 4000 },
      main: function* (raw) {
        const extent = yield* raw.granted('extent');
        const list = yield* raw.frame();
        for (let block = 0; booted().aegis.framesFree > 0; block = (block + 1234) % 3900) {
          const words = new Uint32Array((64 * TRANSFER_BYTES) / 4);
          const frames: CapabilityWords[] = [];
          for (let i = 0; i < 64; i += 1) {
            const { code, capability } = yield* raw.call('frame_alloc', -1);
            if (code !== 0) break;
            frames.push(capability);
            words.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
            // Runs of sixteen, far from each other.
            words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = ((block + 977 * (i >> 4)) % 3900) + (i & 15);
          }
          yield* raw.fill(list, new Uint8Array(words.buffer));
          expect(yield* raw.code('disk_request', ...extent, ...list.capability, frames.length, 0, 1)).toBe(0);
          for (const capability of frames) expect(yield* raw.code('frame_free', ...capability)).toBe(0);
        }
        state.full = true;
        yield* raw.routine('kit.yield', 0);
        for (;;) yield* raw.sleep(1000);
      },
    });
  const disk = { store: memoryStore(4096 * 4096) };
  run((state, booted) => [hoarding(state, booted)], 900, { disk, wait: (raw) => raw.routine('kit.sleep', 0) });
});

test('families that pass on what they have: each is asked once, and what comes back to one that was is taken', () => {
  const world = new World(120);
  const { memory, frames, revocation } = world.parts;
  const [poor, ...rich] = [NO_ENV, NO_ENV, NO_ENV, NO_ENV].map((maker) => world.born(maker));
  const [first = -1, second = -1, third = -1] = rich;
  const passed: number[] = [];
  for (let ppn = frames.allocate(first, -1); ppn >= 0; ppn = frames.allocate(first, -1)) passed.push(ppn);
  const pass = (from: number, to: number): void => {
    for (const ppn of passed) {
      if (frames.holdNode(from, ppn) !== 0 || !frames.heldBy(from).includes(ppn)) continue;
      expect(frames.hold(to, ppn, 0)).toBe(0);
      expect(frames.drop(from, ppn)).toBe(0);
    }
  };
  memory.spent();
  expect(revocation.need(CPU, poor ?? -1)).toBe(true);
  const due = (tick: number): void => {
    memory.setKernelPage(KP.tick, tick);
    memory.setKernelPage(KP.revokeRest, 0);
    memory.spent();
    revocation.due(CPU);
  };
  pass(first, second);
  due(66);
  expect([frames.free, memory.env(second, ENV.lost)]).toEqual([0, 0]);
  pass(second, third);
  due(132);
  expect([frames.free, memory.env(third, ENV.lost)]).toEqual([0, 0]);
  pass(third, first);
  due(198);
  expect([frames.free, memory.env(first, ENV.lost)]).toEqual([7, 7]);
});

test.each([false, true])(
  'a family pays when frames are taken from it, by a small part of ticks if it has no slice: %s',
  (has) => {
    const world = new World(120);
    const { memory, frames, revocation, slices } = world.parts;
    const [poor, rich] = [world.born(NO_ENV), world.born(NO_ENV)];
    if (has) expect(slices.allocateRun(rich, 1)).toBe(0);
    while (frames.allocate(rich, -1) >= 0);
    memory.spent();
    expect(revocation.need(CPU, poor)).toBe(true);
    memory.setKernelPage(KP.tick, 66);
    memory.spent();
    const payer = familyAsPayer(world.family(rich));
    expect(revocation.due(CPU)).toBe(payer);
    expect(memory.env(rich, ENV.lost)).toBe(7);
    revocation.rests(1_000_000);
    memory.setKernelPage(KP.tick, 72);
    memory.spent();
    expect(revocation.due(CPU)).toBe(payer);
    expect(1_000_000 - memory.kernelPage(KP.revokeRest)).toBe(has ? 15_000 : (8 * memory.kernelPage(KP.quantum)) >>> 9);
  },
);
