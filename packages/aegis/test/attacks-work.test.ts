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
import { memoryStore, type MachineOptions } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  encodePredicate,
  rawImage,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
  type RawOptions,
} from '../../testkit/src/index.ts';
import { download, makeRing } from './network.ts';
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
    { disk: { store: memoryStore(64 * 4096) }, extent: { start: 0, blocks: 32 } },
    others,
    true,
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
