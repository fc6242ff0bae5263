/** Each block of the registry when limits are reached, rights end and the device answers late: none is lost, none is kept. [XOK] */
import { BUFFER_STATES, ENV, ERRORS, FRAME_MINIMUM, NO_ENV } from '@exokernel/abi';
import { describe, expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { COMPLETIONS } from '../src/tables.ts';
import { ON_DISK, setting, SLOT } from './cache-world.ts';
import { CPU } from './world.ts';

/** More work than one entry of the kernel has room for, in cycles. */
const MUCH = 20_000;

describe('which block is given up', () => {
  test('a place without a block belongs to none, at first and when its block has left', () => {
    const { cache, parts, env } = setting();
    expect(cache.leftovers).toBe(0);
    cache.cache(env, 9);
    expect(parts.registry.remove(9)).toBe(0);
    expect(cache.leftovers).toBe(0);
  });

  test('the one used longest ago; inserting it and saying that it is clean are uses', () => {
    const { cache, parts, env } = setting();
    for (const block of [9, 10, 11]) cache.cache(env, block);
    expect(cache.goes()).toEqual([9]);
    // It gets the place of 9, before the others.
    cache.cache(env, 12);
    expect(cache.goes()).toEqual([10]);
    expect(parts.registry.setDirty(env, 11, false)).toBe(0);
    expect(cache.goes()).toEqual([12]);
    cache.check();
  });

  test('who wants a frame by its number gets that one, and no other block goes', () => {
    const { cache, parts, env } = setting();
    cache.cache(env, 9);
    const ppn = cache.cache(env, 10);
    expect(parts.frames.allocate(env, ppn)).toBe(ppn);
    expect(cache.blocks).toEqual([9]);
    cache.check();
  });

  test('not one whose frame a transfer still has, which frees none', () => {
    const { cache, parts, env, other } = setting();
    const ppn = cache.hold(env, 9);
    // What two hold is read into by way of the kernel.
    expect(parts.frames.hold(other, ppn, 0)).toBe(0);
    const done = { kind: COMPLETIONS.word, operand: 0, slot: SLOT };
    parts.memory.spent();
    const request = { env, node: 0, block: 30, frames: [{ ppn, node: 0 }], write: false, done };
    expect(parts.disk.submit(CPU, [request])).toBe(0);
    for (const holder of [env, other]) expect(parts.frames.drop(holder, ppn)).toBe(0);
    expect(cache.goes()).toEqual([]);
    cache.answer();
    expect(cache.goes()).toEqual([9]);
    cache.check();
  });

  test('not one that is taken away from one of two environments, or that comes in', () => {
    const { cache, parts, env, other } = setting();
    const ppn = cache.hold(env, 9);
    expect(parts.frames.hold(other, ppn, 0)).toBe(0);
    parts.frames.repossess(env, [ppn]);
    expect(cache.blocks).toEqual([9]);
    expect(cache.read(env, 10)).toBe(0);
    parts.registry.releaseFrame(env, cache.entry(10)?.ppn ?? -1);
    expect(cache.blocks).toEqual([9, 10]);
    cache.answer();
    cache.check();
  });
});

describe('quotas', () => {
  test('a block that another family says is dirty counts for that one from then on', () => {
    const { cache, parts, env, other } = setting();
    cache.cache(env, 9);
    // That it is clean anyone may say.
    expect(parts.registry.setDirty(other, 9, false)).toBe(0);
    expect([env, other].map((one) => cache.has(one))).toEqual([1, 0]);
    expect(parts.registry.setDirty(other, 9, true)).toBe(0);
    expect([env, other].map((one) => cache.has(one))).toEqual([0, 1]);
    // A family that has all that it may says it of its own, and of no other.
    const give = cache.take('buffers', other);
    expect(parts.registry.setDirty(other, 9, true)).toBe(0);
    expect(parts.registry.setDirty(env, 9, true)).toBe(0);
    expect(parts.registry.setDirty(env, 9, false)).toBe(0);
    const most = cache.take('buffers', other);
    expect(parts.registry.setDirty(other, 9, true)).toBe(ERRORS.E_NONE);
    expect(cache.entry(9)?.dirty).toBe(0);
    most();
    give();
    cache.check();
  });

  test('room is made with blocks of the own family, or of one that has more than it is guaranteed', () => {
    const { cache, parts, env, other } = setting();
    const most = cache.take('buffers', other);
    cache.cache(env, 9);
    const frame = parts.frames.allocate(other, -1);
    const insert = (): number =>
      parts.registry.insert(other, frame, 10, { dirty: true, through: { extent: 0, node: 0 } });
    // Within its guarantee it keeps its block.
    expect(insert()).toBe(ERRORS.E_NONE);
    expect(cache.blocks).toEqual([9]);
    most();
    const more = cache.take('buffers', env, QUOTAS.buffers.minimum);
    const rest = cache.take('buffers', other);
    expect(insert()).toBe(0);
    expect(cache.blocks).toEqual([10]);
    more();
    rest();
    cache.check();
  });

  test('a block counts for who maps it, if the family for which it counts does not hold it', () => {
    const { cache, parts, env, other } = setting();
    const extent = cache.extent(env, 8, 8);
    cache.cache(env, 9);
    cache.hold(env, 10);
    for (const block of [9, 10]) expect(cache.map(other, block, extent)).not.toBeTypeOf('number');
    expect([env, other].map((one) => cache.has(one))).toEqual([1, 1]);
    // Without room it stays what it was.
    cache.cache(env, 11);
    const most = cache.take('buffers', other);
    expect(cache.map(other, 11, extent)).not.toBeTypeOf('number');
    expect([env, other].map((one) => cache.has(one))[0]).toBe(2);
    most();
    expect(parts.families.has('buffers', cache.family(other))).toBe(1);
    cache.check();
  });

  test('what a family is guaranteed is not used up by blocks that others hold', () => {
    const { cache, env, other } = setting();
    const extent = cache.extent(env, 8, 8);
    const full = cache.take('buffers', other, QUOTAS.buffers.minimum);
    const most = cache.take('buffers', cache.born(NO_ENV));
    for (const block of [9, 10]) {
      cache.cache(env, block);
      expect(cache.map(other, block, extent)).not.toBeTypeOf('number');
    }
    const guarantee = cache.take('buffers', env, QUOTAS.buffers.minimum - 2);
    // The others have no room for it either.
    expect(cache.read(env, 11)).toBe(0);
    expect(cache.blocks).toEqual([10, 11]);
    full();
    // Now they have.
    expect(cache.read(env, 12)).toBe(0);
    expect(cache.blocks).toEqual([10, 11, 12]);
    expect(cache.has(other)).toBe(1);
    guarantee();
    most();
    cache.check();
  });

  test('a family that has just its guarantee makes room with a block of its own', () => {
    const { cache, parts, env, other } = setting();
    cache.cache(env, 9);
    const guarantee = cache.take('buffers', env, QUOTAS.buffers.minimum - 1);
    const rest = cache.take('buffers', other);
    cache.cache(env, 10);
    expect(cache.blocks).toEqual([10]);
    expect(parts.families.beyond('buffers', cache.family(env))).toBe(0);
    guarantee();
    rest();
    cache.check();
  });

  test.each(['buffers', 'requests'] as const)('a read without room (%s) leaves nothing', (kind) => {
    const { cache, parts, env } = setting();
    const most = cache.take(kind, env);
    const { requests } = cache;
    const { free } = parts.frames;
    expect(cache.read(env, 9)).toBe(kind === 'buffers' ? ERRORS.E_NONE : ERRORS.E_BUSY);
    expect([cache.blocks, cache.requests, parts.frames.free]).toEqual([[], requests, free]);
    most();
    cache.check();
  });

  test('a write without room leaves the block dirty', () => {
    const { cache, env } = setting();
    cache.cache(env, 9, { dirty: true });
    const most = cache.take('requests', env);
    expect(cache.write(env, 9)).toBe(ERRORS.E_BUSY);
    expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
    most();
    cache.check();
  });

  test('who maps beyond a limit gets no node either; a mapping at the root needs none', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    const node = cache.branch(env, extent);
    const ppn = cache.cache(env, 9);
    const { nodes } = parts.capabilities;
    const used = nodes.used;
    while (parts.memory.env(env, ENV.frames) < FRAME_MINIMUM) parts.frames.allocate(env, -1);
    expect(parts.environments.set(env, ENV.frameLimit, FRAME_MINIMUM)).toBe(0);
    expect(cache.map(env, 9, extent, node)).toBe(ERRORS.E_NONE);
    expect(cache.map(env, 9, extent)).toBe(ERRORS.E_NONE);
    expect(nodes.used).toBe(used);
    expect(parts.environments.set(env, ENV.frameLimit, FRAME_MINIMUM + 1)).toBe(0);
    const most = cache.take('nodes', env);
    expect(cache.map(env, 9, extent, node)).toBe(ERRORS.E_NONE);
    expect([...parts.frames.holders(ppn)]).toEqual([]);
    most();
    expect(cache.map(env, 9, extent)).not.toBeTypeOf('number');
    expect(nodes.used).toBe(used);
    cache.check();
  });
});

describe('an extent that ends', () => {
  test('a block of it that none has mapped goes, also if it was read in without a right', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    expect(cache.read(env, 9)).toBe(0);
    cache.answer();
    parts.extents.free(extent);
    expect(cache.blocks).toEqual([]);
    cache.check();
  });

  test('a block that another extent has too goes only with the one through which it was handed out at the root', () => {
    const { cache, parts, env, other } = setting();
    const [mine, theirs] = [cache.extent(env), cache.extent(other)];
    for (const block of [9, 10, 11]) {
      expect(cache.read(env, block)).toBe(0);
      cache.answer();
    }
    expect(cache.map(env, 9, mine)).not.toBeTypeOf('number');
    expect(cache.map(env, 10, mine, cache.branch(env, mine))).not.toBeTypeOf('number');
    expect(parts.registry.setDirty(env, 10, true)).toBe(0);
    const ppn = cache.entry(10)?.ppn ?? -1;
    parts.extents.free(mine);
    // The branch has gone, and with it the hold: the frame stays the block's, because its contents are not on the disk.
    expect(cache.blocks).toEqual([10, 11]);
    expect(cache.entry(10)?.ppn).toBe(ppn);
    expect([...parts.frames.holders(ppn)]).toEqual([]);
    expect(theirs).not.toBe(mine);
    cache.check();
  });

  test('a place whose block has left knows nothing of the right by which it came', () => {
    const { cache, parts, env, other } = setting();
    const [mine] = [cache.extent(env), cache.extent(other)];
    cache.cache(env, 9, { extent: mine });
    expect(parts.registry.remove(9)).toBe(0);
    expect(cache.read(env, 10)).toBe(0);
    cache.answer();
    parts.extents.free(mine);
    expect(cache.blocks).toEqual([10]);
    cache.check();
  });

  test('what was moved to a frame of its own stays there when others of the same number end', () => {
    const { cache, parts, env, other } = setting();
    cache.extent(other);
    const first = cache.extent(env);
    cache.cache(env, 9, { dirty: true, extent: first });
    const node = cache.branch(env, first);
    cache.cache(env, 10, { dirty: true, extent: first, node });
    parts.capabilities.end(node);
    parts.extents.free(first);
    const moved = [9, 10].map((block) => cache.entry(block)?.ppn);
    const next = cache.extent(env);
    expect(next).toBe(first);
    expect(cache.branch(env, next)).toBe(node);
    parts.capabilities.end(node);
    expect(cache.entry(10)?.ppn).toBe(moved[1]);
    parts.extents.free(next);
    expect([9, 10].map((block) => cache.entry(block)?.ppn)).toEqual(moved);
    expect([9, 10].map((block) => cache.word(block))).toEqual([9, 10]);
    cache.check();
  });

  test('a block that comes in or leaves does so to the end', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    cache.cache(env, 9, { dirty: true, extent });
    expect(cache.evict(env, 1)).toBe(1);
    expect(cache.read(env, 10)).toBe(0);
    parts.extents.free(extent);
    expect(cache.entry(9)?.state).toBe(BUFFER_STATES.leaving);
    expect(cache.entry(10)?.state).toBe(BUFFER_STATES.comingIn);
    cache.answer();
    cache.answer();
    expect(cache.written).toEqual([[9, 9]]);
    expect(cache.blocks).toEqual([10]);
    cache.check();
  });

  test('a dirty block moves to the frame of a clean one, if there is no other', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    const clean = cache.hold(env, 10, { extent });
    const dirty = cache.hold(env, 9, { dirty: true, extent });
    const last = cache.hold(env, 11, { extent });
    cache.takeFrames(env);
    for (const ppn of [clean, dirty, last]) expect(parts.frames.drop(env, ppn)).toBe(0);
    // The clean ones are gone before their turn comes, or go when it comes.
    parts.extents.free(extent);
    expect(cache.blocks).toEqual([9]);
    expect(cache.word(9)).toBe(9);
    cache.check();
  });

  test('it takes no longer than was estimated', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    for (let block = 8; block < 16; block += 1) cache.cache(env, block, { dirty: true, extent });
    const cost = parts.extents.costOfFreeing([extent]);
    parts.memory.spent();
    parts.extents.free(extent);
    expect(parts.memory.work).toBeLessThanOrEqual(cost);
    expect(parts.memory.work).toBeGreaterThan(MUCH);
    cache.check();
  });
});

test('a block that comes in when its extent begins is blank, whatever lies on the disk', () => {
  const { cache, parts, env } = setting();
  expect(cache.read(env, 9)).toBe(0);
  expect(cache.told(env)).toEqual([0, 0]);
  cache.cache(env, 10);
  expect(parts.extents.allocate(env, 8, 4, 64)).toBeGreaterThanOrEqual(0);
  expect(cache.blocks).toEqual([9]);
  cache.answer();
  expect(cache.entry(9)?.state).toBe(BUFFER_STATES.valid);
  expect(cache.word(9)).toBe(0);
  expect(cache.told(env)).toEqual([1, 1]);
  expect(cache.read(env, 20)).toBe(0);
  cache.answer();
  expect(cache.word(20)).toBe(ON_DISK);
  cache.check();
});

describe('a write', () => {
  test('of a clean block is done at once, which is an event; of a dirty one when the device says so', () => {
    const { cache, env } = setting();
    const extent = cache.extent(env);
    cache.cache(env, 9, { dirty: true, extent });
    cache.told(env);
    expect(cache.write(env, 9)).toBe(0);
    expect(cache.told(env)).toEqual([0, 0]);
    cache.answer();
    expect(cache.told(env)).toEqual([1, 1]);
    // It has an owner, and stays.
    expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 0 });
    expect(cache.write(env, 9)).toBe(0);
    expect(cache.told(env)).toEqual([1, 1]);
    expect(cache.written).toEqual([[9, 9]]);
    cache.check();
  });

  test('that still waits when the right ends is not made: the block is dirty as before', () => {
    const { cache, parts, env } = setting();
    const node = cache.branch(env, cache.extent(env));
    const ppn = cache.hold(env, 9, { dirty: true, node });
    const begin = (): number => {
      parts.memory.spent();
      parts.memory.charge(MUCH, 1);
      return parts.registry.write(CPU, env, 9, { mayWrite: true, slot: SLOT });
    };
    expect(begin()).toBe(0);
    expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.goingOut, dirty: 0 });
    parts.capabilities.end(node);
    expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
    expect(cache.entry(9)?.ppn).not.toBe(ppn);
    expect(cache.requests).toBe(0);
    expect(cache.told(env)[0]).toBe(ERRORS.E_DEVICE);
    cache.check();
  });

  test.each([true, false])(
    'that the device has when the right ends goes on, and the block stays until then (%s)',
    (ok) => {
      const { cache, parts, env } = setting();
      const extent = cache.extent(env);
      cache.cache(env, 9, { dirty: true, extent });
      expect(cache.write(env, 9)).toBe(0);
      parts.extents.free(extent);
      expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.goingOut, dirty: 0 });
      // Its frame is one that no transfer has.
      expect(cache.goes()).toEqual([]);
      cache.answer(ok);
      // No extent has it: on the disk it is enough.
      if (ok) expect(cache.blocks).toEqual([]);
      else expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
      cache.check();
    },
  );

  test('of a block that is dirty again does not lose it, though no extent has it any more', () => {
    const { cache, parts, env } = setting();
    const extent = cache.extent(env);
    cache.cache(env, 9, { dirty: true, extent });
    expect(cache.write(env, 9)).toBe(0);
    expect(parts.registry.setDirty(env, 9, true)).toBe(0);
    parts.extents.free(extent);
    // It is not written twice at once.
    expect(cache.evict(env, 1)).toBe(0);
    cache.answer();
    expect(cache.entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
    cache.check();
  });

  describe('whose block had to give up its place', () => {
    /** A write of block 9 that the device has, though there was no frame for it when its extent ended. */
    function given(): ReturnType<typeof setting> {
      const all = setting();
      const { cache, parts, env } = all;
      const extent = cache.extent(env);
      cache.cache(env, 9, { dirty: true, extent });
      const frames = [parts.frames.allocate(env, -1), parts.frames.allocate(env, -1)];
      expect(cache.write(env, 9)).toBe(0);
      cache.takeFrames(env);
      parts.extents.free(extent);
      expect(cache.blocks).toEqual([]);
      for (const ppn of frames) expect(parts.frames.drop(env, ppn)).toBe(0);
      return all;
    }

    test.each([9, 10])('does not end the read of the next one there: %i', (block) => {
      const { cache, env } = given();
      expect(cache.read(env, block)).toBe(0);
      cache.answer();
      expect(cache.entry(block)?.state).toBe(BUFFER_STATES.comingIn);
      expect(cache.map(env, block, 0)).toBe(ERRORS.E_AGAIN);
      cache.answer();
      expect(cache.entry(block)?.state).toBe(BUFFER_STATES.valid);
      cache.check();
    });

    test('does not end the write of the next one there', () => {
      const { cache, env } = given();
      cache.cache(env, 10, { dirty: true });
      expect(cache.write(env, 10)).toBe(0);
      cache.answer();
      expect(cache.entry(10)).toMatchObject({ state: BUFFER_STATES.goingOut, dirty: 0 });
      cache.answer(false);
      expect(cache.entry(10)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
      expect(cache.written[0]).toEqual([9, 9]);
      cache.check();
    });
  });
});

test('as many blocks leave as frames are wanted: dirty ones that no environment holds, each once', () => {
  const { cache, env, other } = setting();
  cache.cache(env, 9);
  cache.hold(env, 10, { dirty: true });
  for (const block of [11, 12, 13]) cache.cache(env, block, { dirty: true });
  const leaving = (): number[] => cache.blocks.filter((one) => cache.entry(one)?.state === BUFFER_STATES.leaving);
  expect(cache.evict(other, 1)).toBe(1);
  expect(cache.evict(other, 1)).toBe(1);
  expect(leaving()).toEqual([11]);
  expect(cache.evict(other, 5)).toBe(3);
  expect(leaving()).toEqual([11, 12, 13]);
  cache.answer();
  cache.answer(false);
  expect(cache.blocks).toEqual([9, 10, 13]);
  cache.answer();
  expect(cache.blocks).toEqual([9, 10]);
  cache.check();
});
