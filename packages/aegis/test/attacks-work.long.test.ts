/**
 * Work for the kernel that environments prepare together, so that one call, one death or one deadline has much of it: interrupts are
 * off no longer than elsewhere, and the bystander has its cycles.
 */
import {
  ENV,
  ERRORS,
  REPOSSESSION,
  REPOSSESSION_BYTES,
  REPOSSESSION_STATES,
  TRANSFER,
  TRANSFER_BYTES,
  U,
  WELL_KNOWN_READ,
} from '@exokernel/abi';
import { EVENT_KINDS, memoryStore, type MachineOptions } from '@exokernel/hardware';
import { A0, A1, A2, A3, K0, K1, RA, S0, V0, V1, ZERO, register, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  emitCall,
  encodePredicate,
  quicken,
  rawImage,
  SCRATCH,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
  type RawOptions,
} from '../../testkit/src/index.ts';
import { NATIVE } from '../src/layout.ts';
import { download, makeRing, outside } from './network.ts';
import { LONGEST, watchStretches } from './stretches.ts';

interface World {
  readonly booted: Booted;
  /** From here on stretches count. */
  readonly ready: () => void;
  /** How many have come so far. */
  arrived: number;
}

type Main = (raw: Raw, world: World) => Fiber<number>;

/** Runs attackers until the first has ended and a little longer, and expects that all was short. `alone`: so that the machine idles. */
function attack(
  mains: readonly Main[],
  options: Pick<MachineOptions, 'disk' | 'ramBytes'> & Pick<RawOptions, 'extent'> = {},
  others: readonly RawImage[] = [],
  alone = false,
): void {
  const { extent, ...machine } = options;
  const world = { arrived: 0 } as World & { booted: Booted; ready: () => void };
  const images = mains.map((main) =>
    rawImage({ main: (raw) => main(raw, world), ...(extent === undefined ? {} : { extent }) }),
  );
  const booted = boot(images, { ...machine, profile: 'dec5000' });
  const watch = alone ? undefined : new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  for (const image of others) booted.aegis.load(image);
  const stretches = watchStretches(booted.machine);
  Object.assign(world, { booted, ready: stretches.forget });
  booted.runUntil(() => {
    watch?.look();
    return booted.aegis.environment(0).status === 'dead' || booted.machine.native.lastError !== undefined;
  }, 60);
  booted.machine.run(6_000_000);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(watch?.damage() ?? []).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
}

/** Accomplices that each make 64 branches of what is shown. */
function branchers(count: number, shown: { capability?: readonly number[] }): Main[] {
  return Array.from(
    { length: count },
    (): Main =>
      function* (raw, world) {
        while (shown.capability === undefined) yield* raw.sleep(1);
        for (let i = 0; i < 64; i += 1) expect(yield* raw.code('cap_derive', ...shown.capability, 0, 1)).toBe(0);
        world.arrived += 1;
        for (;;) yield* raw.sleep(1000);
      },
  );
}

test.each(['slice_give', 'ring_free', 'env_free'] as const)('%s of what has 192 branches', (name) => {
  const shown: { capability?: readonly number[] } = {};
  attack([
    function* (raw, world) {
      const child = yield* raw.call('env_alloc');
      const slice = yield* raw.call('slice_alloc', 0, 0, 0, 0, -1);
      const ring = yield* makeRing(raw, false, 1);
      const { capability } = { slice_give: slice, ring_free: ring, env_free: child }[name];
      shown.capability = capability;
      while (world.arrived < 3) yield* raw.sleep(1);
      world.ready();
      expect(yield* raw.code(name, ...capability, child.value)).toBe(0);
      expect(world.booted.aegis.parts.capabilities.nodes.used).toBe(0);
      return 0;
    },
    ...branchers(3, shown),
  ]);
});

test('a frame whose nodes are looked for in one list with 896 of another', () => {
  const shown: { capability?: readonly number[] } = {};
  attack([
    function* (raw, world) {
      shown.capability = (yield* raw.frame(0x400)).capability;
      while (world.arrived < 14) yield* raw.sleep(1);
      world.ready();
      const { capability } = yield* raw.frame(0x500);
      const branch = yield* raw.call('cap_derive', ...capability, 3, 1);
      expect(yield* raw.code('cap_revoke', ...capability, branch.value)).toBe(0);
      expect(yield* raw.code('frame_free', ...capability)).toBe(0);
      return 0;
    },
    ...branchers(14, shown),
  ]);
});

test('the death of one whose frames 24 rings of another bind', () => {
  const frames: RawFrame[] = [];
  attack([
    function* (raw, world) {
      for (let i = 0; i < 300; i += 1) frames.push(yield* raw.frame());
      while (world.arrived === 0) yield* raw.sleep(1);
      world.ready();
      return 0;
    },
    function* (raw, world) {
      while (frames.length < 300) yield* raw.sleep(1);
      for (let i = 0; i < 24; i += 1) {
        const slots = yield* raw.frame();
        const ring = yield* raw.call('ring_bind', ...slots.capability, 0, 1);
        for (let k = 0; k < 50; k += 1) {
          const frame = frames[(50 * i + k) % 300] as RawFrame;
          expect(yield* raw.code('ring_extend', ...ring.capability, ...frame.capability)).toBe(0);
        }
      }
      world.arrived = 1;
      for (;;) yield* raw.sleep(1000);
    },
  ]);
});

test('a guard by which thirty predicates over eight frames read', () => {
  const frames: RawFrame[] = [];
  const sleeper: Main = function* (raw, world) {
    while (frames.length < 8) yield* raw.sleep(1);
    const predicate = encodePredicate([
      {
        tag: 1,
        terms: frames.map(({ ppn }) => ({
          left: { physical: 4096 * ppn, capability: [0, ppn, ...WELL_KNOWN_READ] },
          operator: 'eq',
          right: 77,
        })),
      },
    ]);
    expect(yield* download(raw, predicate, (code) => raw.code('wake_set', ...code.capability, predicate.length))).toBe(
      0,
    );
    world.arrived += 1;
    for (;;) yield* raw.sleep(1000);
  };
  attack([
    function* (raw, world) {
      const own: RawFrame[] = [];
      for (let i = 0; i < 8; i += 1) {
        const frame = yield* raw.frame();
        expect(yield* raw.code('frame_guard', ...frame.capability, 0, ...WELL_KNOWN_READ)).toBe(0);
        own.push(frame);
      }
      frames.push(...own);
      while (world.arrived < 29) yield* raw.sleep(1);
      world.ready();
      expect(yield* raw.code('frame_guard', ...(own[0] as RawFrame).capability, 0, 1, 2)).toBe(0);
      return 0;
    },
    ...Array.from({ length: 29 }, () => sleeper),
  ]);
});

test('eighty frames taken at once, each to be saved in a place of its own', () => {
  attack(
    [
      function* (raw, world) {
        const { capability } = yield* raw.call('extent_alloc', 0, 100);
        const vector = yield* raw.frame();
        const words = new Uint32Array(1024);
        for (let i = 0; i < 64; i += 1) {
          const at = (i * REPOSSESSION_BYTES) / 4;
          words[at + REPOSSESSION.state / 4] = REPOSSESSION_STATES.preloaded;
          words.set(capability, at + REPOSSESSION.extent / 4);
          words[at + REPOSSESSION.block / 4] = i;
        }
        yield* raw.fill(vector, new Uint8Array(words.buffer));
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...vector.capability, 0x700009)).toBe(0);
        for (let i = 0; i < 100; i += 1) yield* raw.frame();
        world.ready();
        expect((yield* raw.call('revoke', 0, 0, 0, 0, 0, 80, 1)).value).toBe(80);
        return 0;
      },
    ],
    { disk: { store: memoryStore(128 * 4096) } },
  );
});

test('a frame that can be had only from a registry with 800 blocks', () => {
  attack(
    [
      function* (raw, world) {
        for (let block = 0; block < 800; block += 1) {
          while ((yield* raw.code('bc_read', block, 0)) === ERRORS.E_BUSY) yield* raw.sleep(4);
        }
        yield* raw.sleep(4);
        const { aegis } = world.booted;
        while (aegis.framesFree > 0) yield* raw.frame();
        world.ready();
        yield* raw.frame();
        expect(aegis.parts.registry.pinned.length).toBe(799);
        return 0;
      },
    ],
    { disk: { store: memoryStore(1024 * 4096) }, ramBytes: 6 << 20 },
  );
});

test('a deadline for frames, hundreds of which 21 hold', () => {
  const shared = { full: false };
  attack(
    [
      function* (raw, world) {
        while (!shared.full) yield* raw.sleep(1);
        // Below its minimum: another has to give up some.
        for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
        while (world.booted.aegis.framesFree > 0) yield* raw.sleep(1);
        world.ready();
        expect(yield* raw.code('frame_alloc', -1)).toBe(ERRORS.E_AGAIN);
        while ((yield* raw.code('frame_alloc', -1)) !== 0) yield* raw.sleep(1);
        return 0;
      },
      function* (raw) {
        const children = [];
        for (let i = 0; i < 20; i += 1) children.push(yield* raw.call('env_alloc'));
        for (;;) {
          const frame = yield* raw.call('frame_alloc', -1);
          if (frame.code !== 0) break;
          for (const child of children) yield* raw.code('frame_hold', ...child.capability, ...frame.capability);
        }
        shared.full = true;
        for (;;) {
          yield* raw.call('frame_alloc', -1);
          yield* raw.sleep(1);
        }
      },
    ],
    { ramBytes: 4 << 20 },
  );
});

test('a transfer that wakes an environment which has lost its ASID meanwhile', () => {
  const blocks = 16;
  const others = Array.from({ length: 70 }, () =>
    rawImage({
      placement: { slices: 0 },
      main: function* (raw) {
        for (;;) yield* raw.routine('kit.yield', -1);
      },
    }),
  );
  attack(
    [
      function* (raw, world) {
        const extent = yield* raw.granted('extent');
        const words = new Uint32Array((blocks * TRANSFER_BYTES) / 4);
        for (let i = 0; i < blocks; i += 1) {
          const frame = yield* raw.frame();
          const { capability } = yield* raw.call('cap_derive', ...frame.capability, 3, 1);
          words.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
          words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = i;
        }
        const list = yield* raw.frame();
        yield* raw.fill(list, new Uint8Array(words.buffer));
        world.ready();
        expect(yield* raw.code('disk_request', ...extent, ...list.capability, blocks, 0, 0)).toBe(0);
        world.arrived = 1;
        while ((yield* raw.fibers.load(0x1000 + U.completion)) > 0) yield* raw.routine('kit.sleep', 0);
        return 0;
      },
      function* (raw, world) {
        while (world.arrived === 0) yield* raw.sleep(1);
        // All others sleep: the machine idles until the device is done.
        for (let i = 0; i < 70; i += 1) yield* raw.routine('kit.yield', 2 + i);
        expect(world.booted.aegis.parts.memory.env(0, ENV.asid)).toBe(0);
        for (;;) yield* raw.sleep(1000);
      },
    ],
    { disk: { store: memoryStore(64 * 4096) }, extent: { start: 0, blocks: 32, shared: true } },
    others,
    true,
  );
});

test('a slice that begins with something to tell, among a hundred that are asked, and without an ASID', () => {
  const count = 100;
  const shared: { self?: readonly number[]; asked: number } = { asked: 0 };
  const asked = rawImage({
    placement: { slices: 0 },
    main: function* (raw) {
      for (let i = 0; i < 3; i += 1) yield* raw.frame();
      yield* raw.routine('kit.yield', -1);
      expect(yield* raw.code('revoke', 0, 0, 0, 0, 0, 1, 0)).toBe(0);
      shared.asked += 1;
      for (;;) yield* raw.routine('kit.yield', -1);
    },
  });
  attack(
    [
      function* (raw, world) {
        while (shared.self === undefined) yield* raw.sleep(1);
        // The others come behind the bystander: first all, then in no order, so that to sort them takes long.
        const first = 3;
        for (let i = 0; i < count; i += 1) yield* raw.routine('kit.yield', first + i);
        for (let i = 0; i < count; i += 1) yield* raw.routine('kit.yield', first + ((i * 37) % count));
        expect(shared.asked).toBe(count);
        expect(world.booted.aegis.parts.memory.env(1, ENV.asid)).toBe(0);
        world.ready();
        expect(yield* raw.code('revoke', ...shared.self, 0, 1, 0)).toBe(0);
        yield* raw.sleep(4);
        expect(world.booted.aegis.parts.memory.env(1, ENV.asid)).not.toBe(0);
        return 0;
      },
      function* (raw) {
        for (let i = 0; i < 3; i += 1) yield* raw.frame();
        shared.self = yield* raw.granted('self');
        for (;;) yield* raw.routine('kit.sleep', 0);
      },
    ],
    { ramBytes: 32 << 20 },
    Array.from({ length: count }, () => asked),
  );
});

test('a block that may not be mapped leaves no node behind', () => {
  attack(
    [
      function* (raw, world) {
        const { memory, families } = world.booted.aegis.parts;
        const extent = yield* raw.call('extent_alloc', 0, 8);
        const branch = yield* raw.call('cap_derive', ...extent.capability, 3, 1);
        for (let block = 0; block < 8; block += 1) expect(yield* raw.code('bc_read', block, 0)).toBe(0);
        while ((yield* raw.fibers.load(0x1000 + U.completion)) === 0) yield* raw.sleep(1);
        yield* raw.sleep(8);
        expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.frameLimit, memory.env(0, ENV.frames))).toBe(0);
        for (let block = 0; block < 8; block += 1) {
          expect(yield* raw.code('bc_map', ...branch.capability, block)).toBe(ERRORS.E_NONE);
        }
        expect(families.has('nodes', 0)).toBe(1);
        return 0;
      },
    ],
    { disk: { store: memoryStore(64 * 4096) } },
  );
});

/** Frees the ring whose capability lies at a0, with a value of its own in each register that a call keeps; v0 = how many are others after it. */
function emitKeeping(a: Assembler, withK1: boolean): void {
  const value = (r: number): number => 0x1234 + 0x101 * r;
  const kept = Array.from({ length: 32 }, (_, r) => register(r)).filter(
    (r) => r > A3 && r !== K0 && (withK1 || r !== K1),
  );
  const saved = kept.filter((r) => r >= S0);
  a.label('keeping');
  for (const r of saved) a.sw(r, SCRATCH + 0x100 + 4 * r, ZERO);
  a.move(V1, A0);
  for (const [i, r] of [A0, A1, A2, A3].entries()) a.lw(r, 4 * i, V1);
  for (const r of kept) a.li(r, value(r));
  a.mthi(A3);
  a.mtlo(A2);
  a.mtc1(RA, 2);
  for (const r of [A2, A3]) a.sw(r, SCRATCH + 4 * r, ZERO);
  emitCall(a, 'ring_free');
  for (const r of kept) {
    a.li(A0, value(r));
    a.xor(A0, A0, r);
    a.sltu(A0, ZERO, A0);
    a.addu(V0, V0, A0);
  }
  for (const [i, r] of [A2, A3].entries()) {
    a.lw(A0, SCRATCH + 4 * r, ZERO);
    if (i === 0) a.mflo(V1);
    else a.mfhi(V1);
    a.xor(A0, A0, V1);
    a.or(V0, V0, A0);
  }
  a.mfc1(V1, 2);
  a.nop();
  a.xor(A0, V1, RA);
  a.or(V0, V0, A0);
  for (const r of saved) a.lw(r, SCRATCH + 0x100 + 4 * r, ZERO);
  a.nop();
  a.ret();
  a.nop();
}

// A program that the clock interrupts goes on by way of k1.
test.each([64, 8192] as const)(
  'a call whose rest is paid in pieces keeps what a call keeps, in a flood and at %i ticks a second',
  (hertz) => {
    const net = outside();
    const shown: { capability?: readonly number[] } = {};
    const state = { done: 0, flooding: false };
    const images = [
      rawImage({
        emit: (a) => {
          emitKeeping(a, hertz === 64);
        },
        main: function* (raw) {
          const at = SCRATCH + 0x200;
          expect(yield* raw.code('fpu_mod', 1)).toBe(0);
          const ring = yield* makeRing(raw, false, 1);
          for (const [i, word] of ring.capability.entries()) yield* raw.fibers.store(at + 4 * i, word);
          shown.capability = ring.capability;
          while (state.done < 8) yield* raw.sleep(1);
          state.flooding = true;
          return yield* raw.routine('keeping', at);
        },
      }),
      ...Array.from({ length: 8 }, () =>
        rawImage({
          main: function* (raw) {
            while (shown.capability === undefined) yield* raw.sleep(1);
            for (let i = 0; i < 64; i += 1) yield* raw.code('cap_derive', ...shown.capability, 0, 1);
            state.done += 1;
            for (;;) yield* raw.sleep(1000);
          },
        }),
      ),
    ];
    const booted = boot(images, { ...net.machine, profile: 'dec5000' });
    if (hertz !== 64) quicken(booted, hertz);
    const stretches = watchStretches(booted.machine);
    let pieces = 0;
    booted.machine.listen((kind, _, index, b) => {
      if (kind === EVENT_KINDS.native.kind && b < 0 && index === NATIVE.rest) pieces += 1;
    });
    const end = booted.machine.cycles + 10 * booted.machine.hz;
    const ends = (): boolean =>
      booted.aegis.environment(0).status === 'dead' || booted.machine.native.lastError !== undefined;
    while (!ends() && booted.machine.cycles < end) {
      if (state.flooding) net.send(new Uint8Array(60).fill(255));
      booted.machine.run(state.flooding ? 1500 : 25_000);
    }
    expect(booted.machine.native.lastError?.message).toBeUndefined();
    expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
    expect(pieces).toBeGreaterThan(3);
    expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);
