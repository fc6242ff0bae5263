/** The abort protocol: the vector, backing store, what the kernel never takes, what it leaves to others. [SOSP95 §3.4] */
import {
  CAPABILITY_KINDS,
  DEATHS,
  ENV,
  ERRORS,
  EXCEPTIONS,
  EXPOSED,
  ENV_BYTES,
  FRAME_MINIMUM,
  REPOSSESSION,
  REPOSSESSION_BYTES,
  REPOSSESSION_ENTRIES,
  REPOSSESSION_STATES,
  REVOKE_KINDS,
  REVOKE_MODES,
  RIGHTS,
  WELL_KNOWN_READ,
  type CapabilityWords,
} from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { bindFilter } from './network.ts';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  type RawFrame,
  rawImage,
  runRaw,
  WINDOW,
} from '../../testkit/src/index.ts';

const { E_BUSY, E_CAP, E_RANGE } = ERRORS;
const { frames: FRAMES, slices: SLICES } = REVOKE_KINDS;
const { empty: EMPTY, preloaded: PRELOADED, saving: SAVING, saved: SAVED, lost: LOST } = REPOSSESSION_STATES;
const VECTOR = 0x300000;
const BLOCKS = 64;

const takes = (raw: Raw, count: number, kind: number = FRAMES): Fiber<number> =>
  raw.code('revoke', 0, 0, 0, 0, kind, count, REVOKE_MODES.notify);

/** Maps a repossession vector at VECTOR. */
function* vector(raw: Raw): Fiber<RawFrame> {
  const frame = yield* raw.frame();
  expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, VECTOR | 9)).toBe(0);
  return frame;
}

/** Word of entry i. */
const at = (i: number, word: number): number => VECTOR + i * REPOSSESSION_BYTES + word;

function* preload(raw: Raw, i: number, extent: readonly number[], block: number): Fiber<void> {
  for (const [k, word] of extent.entries()) yield* raw.fibers.store(at(i, REPOSSESSION.extent) + 4 * k, word);
  yield* raw.fibers.store(at(i, REPOSSESSION.block), block);
  yield* raw.fibers.store(at(i, REPOSSESSION.state), PRELOADED);
}

function* entry(raw: Raw, i: number): Fiber<number[]> {
  const list: number[] = [];
  for (const word of [REPOSSESSION.state, REPOSSESSION.kind, REPOSSESSION.name]) {
    list.push(yield* raw.fibers.load(at(i, word)));
  }
  return list;
}

/** Waits until an entry is no longer being saved. */
function* settled(raw: Raw, i: number): Fiber<number[]> {
  while ((yield* raw.fibers.load(at(i, REPOSSESSION.state))) === SAVING) yield* raw.sleep(1);
  return yield* entry(raw, i);
}

/** `count` frames, with their number in every byte. */
function* filled(raw: Raw, count: number): Fiber<RawFrame[]> {
  const frames: RawFrame[] = [];
  for (let i = 0; i < count; i += 1) {
    const frame = yield* raw.frame();
    yield* raw.fill(frame, new Uint8Array(4096).fill(0x41 + i));
    frames.push(frame);
  }
  return frames;
}

function block(store: BlockStore, number: number): Uint8Array {
  const bytes = new Uint8Array(4096);
  store.read(number * 8, bytes);
  return bytes;
}

function withDisk(main: (raw: Raw) => Fiber<number>, store = memoryStore(BLOCKS * 4096)): Booted {
  const booted = runRaw(main, { extent: { start: 8, blocks: 16 } }, [], { disk: { store } });
  booted.runUntil(() => booted.aegis.parts.disk.inFlight.length === 0, 1);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

test('a vector is chosen once, writable, with a capability of the root', () => {
  const booted = runRaw(function* (raw) {
    const frame = yield* raw.frame();
    const branch = yield* raw.call('cap_derive', ...frame.capability, RIGHTS.read | RIGHTS.write, 1);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...branch.capability, VECTOR | 9)).toBe(E_CAP);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, VECTOR | 8)).toBe(E_RANGE);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, VECTOR | 9)).toBe(0);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, VECTOR | 9)).toBe(E_BUSY);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('what is taken is listed: kind, name; nothing is saved without backing store', () => {
  runRaw(function* (raw) {
    yield* vector(raw);
    const frames = yield* filled(raw, 4);
    const slice = yield* raw.call('slice_alloc', 0, 0, 0, 0, -1);
    expect(yield* takes(raw, 2)).toBe(0);
    expect(yield* takes(raw, 1, SLICES)).toBe(0);
    const names = frames.map(({ ppn }) => ppn).sort((a, b) => a - b);
    expect(yield* entry(raw, 0)).toEqual([LOST, FRAMES, names[0]]);
    expect(yield* entry(raw, 1)).toEqual([LOST, FRAMES, names[1]]);
    expect(yield* entry(raw, 2)).toEqual([LOST, SLICES, slice.value]);
    expect(yield* entry(raw, 3)).toEqual([EMPTY, 0, 0]);
    return 0;
  });
});

test('preloaded entries: the contents are in the block that the entry names', () => {
  const store = memoryStore(BLOCKS * 4096);
  withDisk(function* (raw) {
    yield* vector(raw);
    const frames = yield* filled(raw, 4);
    const extent = yield* raw.granted('extent');
    // In any place of the vector, and in the order of the vector.
    yield* preload(raw, 5, extent, 3);
    yield* preload(raw, 9, extent, 11);
    expect(yield* takes(raw, 3)).toBe(0);
    const names = frames.map(({ ppn }) => ppn).sort((a, b) => a - b);
    expect((yield* entry(raw, 5))[0]).toBe(SAVING);
    // Being written, it is not its former holder's any more, nor anybody's yet.
    const first = frames.find(({ ppn }) => ppn === names[0]);
    expect(yield* raw.bind(WINDOW, first ?? { ppn: 0, capability: extent })).toBe(E_CAP);
    expect(yield* raw.code('frame_alloc', names[0] ?? 0)).toBe(E_BUSY);
    expect(yield* settled(raw, 5)).toEqual([SAVED, FRAMES, names[0]]);
    expect(yield* settled(raw, 9)).toEqual([SAVED, FRAMES, names[1]]);
    expect(yield* entry(raw, 0)).toEqual([LOST, FRAMES, names[2]]);
    expect(yield* raw.code('frame_alloc', names[0] ?? 0)).toBe(0);
    return 0;
  }, store);
  expect(new Set(block(store, 8 + 3))).toEqual(new Set([0x41]));
  expect(new Set(block(store, 8 + 11))).toEqual(new Set([0x42]));
});

test('backing store that is not the environment’s, not there, or not a capability: the contents are lost, no block is touched', () => {
  const store = memoryStore(BLOCKS * 4096);
  withDisk(function* (raw) {
    yield* vector(raw);
    const extent = yield* raw.granted('extent');
    const [head, name, low, high] = extent;
    const readOnly = (yield* raw.call('cap_derive', ...extent, RIGHTS.read, 0)).capability;
    const branch = yield* raw.call('cap_derive', ...extent, RIGHTS.write, 1);
    expect(yield* raw.code('cap_revoke', ...extent, branch.value)).toBe(0);
    const frame = yield* raw.frame();
    const bad: [readonly number[], number][] = [
      [[0, 0, 0, 0], 0],
      [[head, name, low ^ 1, high], 0],
      [[head, name + 1, low, high], 0],
      [readOnly, 0],
      [branch.capability, 0],
      [frame.capability, 0],
      [[CAPABILITY_KINDS.extent << 24, 0xffffffff, 1, 2], 0],
      [extent, 16],
      [extent, -1],
      [extent, 0x7fffffff],
    ];
    for (const [i, [words, where]] of bad.entries()) yield* preload(raw, i, words, where);
    yield* filled(raw, bad.length);
    expect(yield* takes(raw, bad.length)).toBe(0);
    for (let i = 0; i < bad.length; i += 1)
      expect((yield* entry(raw, i)).slice(0, 2), String(i)).toEqual([LOST, FRAMES]);
    return 0;
  }, store);
  for (let i = 0; i < BLOCKS; i += 1) expect(new Set(block(store, i)), `block ${i}`).toEqual(new Set([0]));
});

test('states that make no sense are left alone; a full vector lists no more, but counts', () => {
  const booted = runRaw(function* (raw) {
    yield* vector(raw);
    for (let i = 0; i < REPOSSESSION_ENTRIES; i += 1) {
      yield* raw.fibers.store(at(i, REPOSSESSION.state), [SAVING, SAVED, LOST, 5, -1, 0x100, 0x7fffffff][i % 7] ?? 0);
    }
    const before = new Uint8Array(4096);
    yield* raw.fibers.read(VECTOR, before);
    yield* filled(raw, 5);
    expect(yield* takes(raw, 3)).toBe(0);
    const after = new Uint8Array(4096);
    yield* raw.fibers.read(VECTOR, after);
    expect(after).toEqual(before);
    return 0;
  });
  expect(booted.aegis.parts.memory.env(0, ENV.lost)).toBe(3);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('more than the disk takes at once: the rest waits in its queue', () => {
  withDisk(function* (raw) {
    yield* vector(raw);
    const extent = yield* raw.granted('extent');
    for (let i = 0; i < 24; i += 1) yield* preload(raw, i, extent, i % 16);
    yield* filled(raw, 24);
    expect(yield* takes(raw, 24)).toBe(0);
    const states: (number | undefined)[] = [];
    for (let i = 0; i < 24; i += 1) states.push((yield* settled(raw, i))[0]);
    expect(states.filter((state) => state === SAVED)).toHaveLength(24);
    return 0;
  });
});

test('an environment that ends while it is being saved leaves nothing behind', () => {
  const booted = withDisk(function* (raw) {
    yield* vector(raw);
    const extent = yield* raw.granted('extent');
    for (let i = 0; i < 4; i += 1) yield* preload(raw, i, extent, i);
    yield* filled(raw, 4);
    expect(yield* takes(raw, 4)).toBe(0);
    return 0;
  });
  const { frames, memory } = booted.aegis.parts;
  expect(booted.aegis.framesFree).toBe(frames.count - FIRST_FREE_FRAME - memory.env(1, ENV.frames));
});

test('a frame that a device fills: the victim has lost it at once, nobody gets it until the device is done', () => {
  const store = memoryStore(BLOCKS * 4096);
  withDisk(function* (raw) {
    const extent = yield* raw.granted('extent');
    const [frame] = yield* filled(raw, 1);
    if (frame === undefined) return 1;
    expect(yield* raw.bind(WINDOW, frame)).toBe(0);
    expect(yield* raw.code('disk_read', ...extent, ...frame.capability, 0, 0)).toBe(0);
    expect(yield* takes(raw, 1)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBeUndefined();
    for (const call of ['frame_hold', 'env_map'] as const) {
      expect(yield* raw.code(call, 0, 0, 0, 0, ...frame.capability, WINDOW)).toBe(E_CAP);
    }
    expect(yield* raw.code('frame_free', ...frame.capability)).toBe(E_CAP);
    expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(E_BUSY);
    let code: number = E_BUSY;
    while (code === E_BUSY) {
      yield* raw.sleep(1);
      code = yield* raw.code('frame_alloc', frame.ppn);
    }
    expect(code).toBe(0);
    return 0;
  }, store);
});

test('what the kernel uses and what entries need is never taken, and eight frames stay', () => {
  const booted = runRaw(function* (raw) {
    yield* vector(raw);
    const open = yield* raw.frame();
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...open.capability, 0x400005)).toBe(0);
    // A page of entries of its own.
    const text = yield* raw.frame();
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...text.capability, 0x500000)).toBe(0);
    expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.exceptionPc + 4 * EXCEPTIONS.overflow, 0x500100)).toBe(0);
    const frames = yield* filled(raw, 6);
    const before = yield* holds(raw);
    expect(before).toBe(8 + 3 + 6);
    // Those without a guaranteed mapping first: all of them.
    expect(yield* takes(raw, 6)).toBe(0);
    for (const frame of frames) expect(yield* raw.bind(WINDOW, frame)).toBe(E_CAP);
    for (const va of [VECTOR, 0x400000, 0x500000]) expect(yield* raw.peek(va)).toBeDefined();
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

/** ENV.frames of environment 0, as everyone may read it. */
function* holds(raw: Raw): Fiber<number> {
  const table = EXPOSED.environments + 0 * ENV_BYTES;
  expect(yield* raw.code('tlbwr', WINDOW, table | 0x200, ...WELL_KNOWN_READ, 0)).toBe(0);
  const count = (yield* raw.peek(WINDOW + ENV.frames)) ?? -1;
  yield* raw.code('tlbvad', WINDOW);
  return count;
}

test('an environment with the guaranteed minimum, or that is left with it, keeps all it has', () => {
  runRaw(function* (raw) {
    expect(yield* holds(raw)).toBe(FRAME_MINIMUM);
    expect(yield* takes(raw, 1)).toBe(ERRORS.E_NONE);
    yield* filled(raw, 1);
    expect((yield* raw.call('revoke', 0, 0, 0, 0, FRAMES, 5, 1)).value).toBe(1);
    expect(yield* holds(raw)).toBe(FRAME_MINIMUM);
    return 0;
  });
});

test('a packet ring in a frame that is taken is gone, and one that loses a further frame stays', () => {
  const booted = runRaw(function* (raw) {
    const [first, second] = (yield* filled(raw, 2)).sort((a, b) => a.ppn - b.ppn);
    if (first === undefined || second === undefined) return 1;
    // The kernel takes them in order: the ring's own frame is the second.
    const ring = yield* raw.call('ring_bind', ...second.capability, 0, 2);
    expect(ring.code).toBe(0);
    expect(yield* raw.code('ring_extend', ...ring.capability, ...first.capability)).toBe(0);
    expect(yield* takes(raw, 1)).toBe(0);
    expect(yield* raw.code('frame_alloc', first.ppn)).toBe(0);
    expect(yield* raw.code('cap_derive', ...ring.capability, 0, 0)).toBe(0);
    expect(yield* takes(raw, 2)).toBe(0);
    expect(yield* raw.code('frame_alloc', second.ppn)).toBe(0);
    expect(yield* raw.code('ring_free', ...ring.capability)).toBe(E_CAP);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('the window of a handler in a frame that is taken is gone, and the handler; the filter stays', () => {
  const booted = runRaw(function* (raw) {
    const [window, home] = (yield* filled(raw, 2)).sort((a, b) => a.ppn - b.ppn);
    if (window === undefined || home === undefined) return 1;
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...home.capability, 0x600001)).toBe(0);
    const ring = yield* raw.call('ring_bind', ...home.capability, 0, 2);
    const { capability } = yield* bindFilter(raw, ring.capability, 0x9000);
    expect(yield* raw.code('ash_window', ...capability, ...window.capability, 0)).toBe(0);
    expect(yield* takes(raw, 1)).toBe(0);
    expect(yield* raw.code('frame_alloc', window.ppn)).toBe(0);
    expect(yield* raw.code('filter_free', ...capability)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a message ring in a frame that is taken is gone', () => {
  const booted = runRaw(function* (raw) {
    const [frame] = yield* filled(raw, 1);
    expect(yield* raw.code('msg_bind', ...(frame?.capability ?? []))).toBe(0);
    expect(yield* takes(raw, 1)).toBe(0);
    expect(yield* raw.code('msg_free')).toBe(ERRORS.E_NONE);
    expect(yield* raw.code('frame_alloc', frame?.ppn ?? 0)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a public page: its environment writes, everyone reads, and with it it is gone', () => {
  const shared: { ppn: number; capability: CapabilityWords | undefined; stage: number } = {
    ppn: 0,
    capability: undefined,
    stage: 0,
  };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frame = yield* raw.frame();
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x400004)).toBe(E_RANGE);
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x400005)).toBe(0);
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x400005)).toBe(E_BUSY);
        yield* raw.fibers.store(0x400010, 1234);
        shared.ppn = frame.ppn;
        while (shared.stage < 1) yield* raw.sleep(1);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        while (shared.ppn === 0) yield* raw.sleep(1);
        // It finds it in the record of the environment.
        expect(yield* raw.code('tlbwr', WINDOW, EXPOSED.environments | 0x200, ...WELL_KNOWN_READ, 0)).toBe(0);
        const page = (yield* raw.peek(WINDOW + ENV.publicPage)) ?? 0;
        expect((page >>> 12) & 0x7ffff).toBe(shared.ppn);
        const look = (bits: number): Fiber<number> =>
          raw.code('tlbwr', WINDOW, (shared.ppn << 12) | bits, ...WELL_KNOWN_READ, 0);
        expect(yield* look(0x600)).toBe(E_CAP);
        expect(yield* look(0x200)).toBe(0);
        expect(yield* raw.peek(WINDOW + 0x10)).toBe(1234);
        expect(yield* raw.poke(WINDOW + 0x10, 1)).toBe(EXCEPTIONS.mod);
        shared.stage = 1;
        yield* raw.sleep(4);
        expect(yield* raw.peek(WINDOW + 0x10)).toBeUndefined();
        expect(yield* look(0x200)).toBe(E_CAP);
        return 0;
      },
    }),
  ]);
  const outcome = booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(outcome.map(({ death }) => death)).toEqual([DEATHS.exit, DEATHS.exit]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
