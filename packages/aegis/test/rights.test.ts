/** What ends with a right: one test for each cell of the table in docs/mechanisms/rights.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ENV,
  ERRORS,
  FILTER,
  PAGE_BYTES,
  REPOSSESSION,
  REPOSSESSION_STATES,
  RIGHTS,
  RING,
  U,
  WELL_KNOWN_READ,
  type CapabilityWords,
} from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  encodePredicate,
  rawImage,
  WINDOW,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
} from '../../testkit/src/index.ts';
import { KP, PHYSICAL } from '../src/layout.ts';
import { ringPhysical } from '../src/rings.ts';
import { SERIAL, TABLES } from '../src/tables.ts';
import { bindFilter, download } from './network.ts';

const NONE: CapabilityWords = [0, 0, 0, 0];
const PAGE = 0x200000;
const VECTOR = 0x300000;
const EXTENT = { start: 4, blocks: 16 };
const BLOCK = 5;
const BEFORE = 0x1111;
const BOTH: number = RIGHTS.read | RIGHTS.write;
const SECRET = 0x5ec2e7;
const [OWNER, USER] = [0, 1];

/** How a right ends. */
type End = 'cap_revoke' | 'frame_guard' | 'end of the resource';

/** What the owner has, and how it ends. */
interface Owned {
  /** Its capability at the root. The user gets one of a branch with these rights. */
  readonly root: CapabilityWords;
  readonly rights: number;
  readonly ends: (raw: Raw) => Fiber<unknown>;
}

/** One way to come to a resource. */
interface Way {
  readonly owned: (raw: Raw) => Fiber<Owned>;
  /** The user binds by a capability. Returns the code. */
  readonly bind: (raw: Raw, words: CapabilityWords) => Fiber<number>;
  /** Whether what it has bound is there, as the user sees it, or the kernel. */
  readonly isBound: (raw: Raw) => Fiber<boolean> | boolean;
  /** What it is instead, when the right has ended and the owner has gone on: a transfer cannot be looked at before. */
  readonly ownerAfter?: (raw: Raw, owned: Owned) => Fiber<void>;
  readonly userAfter?: (raw: Raw) => Fiber<void>;
}

/** The world of the test that runs. */
interface World {
  booted?: Booted;
  /** The name of what the owner has, and a frame and a ring of the user's. */
  name: number;
  frame: RawFrame;
  ring: number;
  /** A capability that it has got. */
  slice: CapabilityWords;
  end: End;
  step: number;
}
let world: World;

function parts(): Booted['aegis']['parts'] {
  if (world.booted === undefined) throw new Error('no machine');
  return world.booted.aegis.parts;
}

function* reach(raw: Raw, step: number): Fiber<void> {
  while (world.step < step) yield* raw.sleep(1);
}

/** Runs an owner, who gives, and a user, who binds; then the right ends. */
function run(way: Way, end: End): void {
  world = { name: 0, frame: { ppn: 0, capability: NONE }, ring: 0, slice: NONE, end, step: 0 };
  const shared: { words: CapabilityWords } = { words: NONE };
  const owner = rawImage({
    extent: EXTENT,
    tap: true,
    main: function* (raw) {
      const owned = yield* way.owned(raw);
      world.name = owned.root[1];
      if (end === 'frame_guard') {
        expect(yield* raw.code('frame_guard', ...owned.root, 0, ...WELL_KNOWN_READ)).toBe(0);
        shared.words = [0, owned.root[1], ...WELL_KNOWN_READ];
      } else {
        const branch = yield* raw.call('cap_derive', ...owned.root, owned.rights, 1);
        expect(branch.code).toBe(0);
        shared.words = branch.capability;
      }
      world.step = 1;
      yield* reach(raw, 2);
      const node = shared.words[0] & 0xffff;
      if (end === 'cap_revoke') expect(yield* raw.code('cap_revoke', ...owned.root, node)).toBe(0);
      else if (end === 'frame_guard') expect(yield* raw.code('frame_guard', ...owned.root, 0, 1, 2)).toBe(0);
      else yield* owned.ends(raw);
      world.step = 3;
      if (way.ownerAfter !== undefined) yield* way.ownerAfter(raw, owned);
      yield* reach(raw, 4);
      return 0;
    },
  });
  const user = rawImage({
    extent: { start: 32, blocks: 16 },
    main: function* (raw) {
      const isBound = function* (): Fiber<boolean> {
        const is = way.isBound(raw);
        return typeof is === 'boolean' ? is : yield* is;
      };
      yield* reach(raw, 1);
      expect(yield* way.bind(raw, shared.words)).toBe(0);
      expect(yield* isBound()).toBe(true);
      world.step = 2;
      yield* reach(raw, 3);
      if (way.userAfter === undefined) expect(yield* isBound()).toBe(false);
      else yield* way.userAfter(raw);
      world.step = 4;
      yield* raw.sleep(8);
      return 0;
    },
  });
  const booted = boot([owner, user], { disk: { store: memoryStore(new Uint8Array(64 * PAGE_BYTES)) } });
  world.booted = booted;
  const isDead = (env: number): boolean => booted.aegis.environment(env).status === 'dead';
  booted.runUntil(() => booted.machine.native.lastError !== undefined || (isDead(OWNER) && isDead(USER)), 30);
  expect(booted.machine.native.lastError?.message).toBeUndefined();
  for (const env of [OWNER, USER]) expect(booted.aegis.environment(env)).toMatchObject({ status: 'dead', exit: 0 });
  booted.runUntil(() => booted.aegis.parts.disk.inFlight.length === 0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
}

// ---- What the owner has

function* aFrame(raw: Raw): Fiber<Owned> {
  const { ppn, capability } = yield* raw.frame();
  yield* raw.fill({ ppn, capability }, word(BEFORE));
  return { root: capability, rights: BOTH, ends: () => raw.code('frame_free', ...capability) };
}

/** An extent whose block is written, so that it is not blank. */
function* anExtent(raw: Raw): Fiber<Owned> {
  const root = yield* raw.granted('extent');
  const frame = yield* raw.frame();
  yield* raw.fill(frame, word(BEFORE));
  expect(yield* raw.code('disk_write', ...root, ...frame.capability, BLOCK, 0)).toBe(0);
  expect(yield* complete(raw, 0)).toBe(1);
  return { root, rights: BOTH, ends: () => raw.code('extent_free', ...root) };
}

function* aRing(raw: Raw): Fiber<Owned> {
  const { capability } = yield* raw.frame();
  const { value, capability: root } = yield* raw.call('ring_bind', ...capability, 0, 2);
  world.ring = value;
  return { root, rights: RIGHTS.write | RIGHTS.control, ends: () => raw.code('ring_free', ...root) };
}

function* aFilter(raw: Raw): Fiber<Owned> {
  const ring = yield* aRing(raw);
  const { capability } = yield* bindFilter(raw, ring.root, 0x9000);
  return { root: capability, rights: RIGHTS.control, ends: () => raw.code('filter_free', ...capability) };
}

function* aNetwork(raw: Raw): Fiber<Owned> {
  return { root: yield* raw.granted('net'), rights: RIGHTS.read, ends: () => raw.sleep(0) };
}

function* aLine(raw: Raw): Fiber<Owned> {
  return { root: yield* raw.granted('serial'), rights: RIGHTS.read, ends: () => raw.sleep(0) };
}

function* aChild(raw: Raw): Fiber<Owned> {
  const { capability } = yield* raw.call('env_alloc');
  return { root: capability, rights: RIGHTS.control, ends: () => raw.code('env_free', ...capability, 0) };
}

// ---- What the user does

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function* complete(raw: Raw, slot: number): Fiber<number> {
  for (;;) {
    const result = yield* raw.fibers.load(0x1000 + U.completion + 4 * slot);
    if (result !== 0) return result;
    yield* raw.sleep(1);
  }
}

/** A filter of the user's own. */
function* filterOf(raw: Raw): Fiber<CapabilityWords> {
  const { root } = yield* aRing(raw);
  return (yield* bindFilter(raw, root, 0x9001)).capability;
}

const HANDLER = encodeHandler(
  defineHandler('small', { windowBytes: 0 }, (h) => {
    h.consume();
  }),
);
const attach = (raw: Raw, filter: CapabilityWords): Fiber<number> =>
  download(raw, HANDLER, (code) => raw.code('ash_attach', ...filter, ...code.capability, HANDLER.length));
/** A word of the only filter there is. */
const filterWord = (field: number): number => parts().memory.get(PHYSICAL.filters + field);
const userOfLine = (line: number): number =>
  parts().memory.get(parts().memory.table(TABLES.serial) + TABLES.serial.bytes * line + SERIAL.user);
const isTap = (): boolean => parts().memory.kernelPage(KP.tap) !== 0;
const hasWindow = (): boolean => parts().filters.handlers.windows.length > 0;

/** The device gets so much to do that what is asked for next waits. */
function* occupy(raw: Raw): Fiber<void> {
  const own = yield* raw.granted('extent');
  const frame = yield* raw.frame();
  expect(yield* raw.code('env_map', ...NONE, ...frame.capability, PAGE | 1)).toBe(0);
  for (let i = 0; i < 44; i += 1) {
    expect(yield* raw.code('disk_read', ...own, ...frame.capability, (i * 7) % 8, 0)).toBe(0);
  }
}

/** Waits for the disk, then looks at the first word of a block of one's extent. */
function* look(raw: Raw, block: number): Fiber<number | undefined> {
  while (parts().disk.inFlight.length > 0) yield* raw.sleep(1);
  const frame = yield* raw.frame();
  expect(yield* raw.code('disk_read', ...(yield* raw.granted('extent')), ...frame.capability, block, 2)).toBe(0);
  expect(yield* complete(raw, 2)).toBe(1);
  return yield* first(raw, frame);
}

function* first(raw: Raw, frame: RawFrame): Fiber<number | undefined> {
  expect(yield* raw.bind(WINDOW, frame)).toBe(0);
  return yield* raw.peek(WINDOW);
}

/** The frame, by the owner's first capability or, when that is dead, allocated again. */
function* again(raw: Raw, { root }: Owned): Fiber<RawFrame> {
  if (world.end === 'cap_revoke') return { ppn: root[1], capability: root };
  for (;;) {
    const { code, value, capability } = yield* raw.call('frame_alloc', root[1]);
    if (code === 0) return { ppn: value, capability };
    expect(code).toBe(ERRORS.E_BUSY);
    yield* raw.sleep(1);
  }
}

/** The owner's frame or, when that is not the owner's any more, its blocks: both hold a secret from now on. */
function* ownAgain(raw: Raw, owned: Owned): Fiber<RawFrame> {
  const frame = yield* again(raw, owned);
  expect(yield* first(raw, frame)).toBe(world.end === 'cap_revoke' ? BEFORE : 0);
  expect(yield* raw.poke(WINDOW, SECRET)).toBe(0);
  return frame;
}

/** A transfer between a frame of the owner's and a block of the user's. */
function ofFrame(call: 'disk_read' | 'disk_write', waits: boolean): Way {
  return {
    owned: aFrame,
    bind: function* (raw, words) {
      if (waits) yield* occupy(raw);
      return yield* raw.code(call, ...(yield* raw.granted('extent')), ...words, 9, 1);
    },
    isBound: () => parts().disk.inFlight.includes(world.name),
    ownerAfter: function* (raw, owned) {
      const frame = yield* ownAgain(raw, owned);
      while (parts().disk.inFlight.length > 0) yield* raw.sleep(1);
      expect(yield* first(raw, frame)).toBe(SECRET);
    },
    userAfter: function* (raw) {
      // It hears of it.
      expect([1, ERRORS.E_DEVICE]).toContain(yield* complete(raw, 1));
      if (world.end === 'cap_revoke') expect(yield* raw.fibers.load(0x1000 + U.completion + 4)).toBe(ERRORS.E_DEVICE);
      const left = yield* look(raw, 9);
      expect(waits && world.end === 'cap_revoke' ? [0] : [0, BEFORE]).toContain(left);
    },
  };
}

/** A transfer between a block of the owner's and a frame of the user's. */
function ofExtent(call: 'disk_read' | 'disk_write', waits: boolean): Way {
  return {
    owned: anExtent,
    bind: function* (raw, words) {
      world.frame = yield* raw.frame();
      yield* raw.fill(world.frame, word(7));
      if (waits) yield* occupy(raw);
      return yield* raw.code(call, ...words, ...world.frame.capability, BLOCK, 1);
    },
    isBound: () => parts().disk.inFlight.includes(world.frame.ppn),
    ownerAfter: function* (raw, { root }) {
      let own = root;
      if (world.end === 'end of the resource') {
        for (let made = yield* raw.call('extent_alloc', EXTENT.start, EXTENT.blocks); ;) {
          own = made.capability;
          if (made.code === 0) break;
          expect([call, made.code]).toEqual(['disk_write', ERRORS.E_BUSY]);
          yield* raw.sleep(1);
          made = yield* raw.call('extent_alloc', EXTENT.start, EXTENT.blocks);
        }
      }
      const frame = yield* raw.frame();
      yield* raw.fill(frame, word(9));
      expect(yield* raw.code('disk_read', ...own, ...frame.capability, BLOCK, 3)).toBe(0);
      expect(yield* complete(raw, 3)).toBe(1);
      const found = yield* first(raw, frame);
      if (world.end === 'end of the resource') expect(found).toBe(0);
      // What was under way was before all that the owner asks for; what waited was not.
      else expect(found).toBe(call === 'disk_write' && !waits ? 7 : BEFORE);
      yield* raw.fill(frame, word(SECRET));
      expect(yield* raw.code('disk_write', ...own, ...frame.capability, BLOCK, 4)).toBe(0);
    },
    userAfter: function* (raw) {
      if (call === 'disk_write') yield* raw.fill(world.frame, word(666));
      expect(yield* complete(raw, 1)).toBe(ERRORS.E_DEVICE);
      while (parts().disk.inFlight.length > 0) yield* raw.sleep(1);
      expect(yield* first(raw, world.frame)).toBe(call === 'disk_write' ? 666 : 7);
    },
  };
}

/** A repossessed frame of the user's that is saved to a block of the owner's. */
function ofStore(waits: boolean): Way {
  return {
    owned: anExtent,
    bind: function* (raw, words) {
      const vector = yield* raw.frame();
      expect(yield* raw.code('env_map', ...NONE, ...vector.capability, VECTOR | 9)).toBe(0);
      if (waits) yield* occupy(raw);
      world.frame = yield* raw.frame();
      yield* raw.fill(world.frame, word(7));
      yield* raw.poke(VECTOR + REPOSSESSION.state, REPOSSESSION_STATES.preloaded);
      for (const [i, one] of words.entries()) yield* raw.poke(VECTOR + REPOSSESSION.extent + 4 * i, one | 0);
      yield* raw.poke(VECTOR + REPOSSESSION.block, BLOCK);
      return yield* raw.code('revoke', ...NONE, 0, 1, 1);
    },
    isBound: () => parts().disk.inFlight.includes(world.frame.ppn),
    ownerAfter: function* (raw, { root }) {
      if (world.end === 'cap_revoke') expect(yield* look(raw, BLOCK)).toBe(waits ? BEFORE : 7);
      else expect(yield* raw.code('extent_free', ...root)).toBe(ERRORS.E_CAP);
    },
    userAfter: function* (raw) {
      while (parts().disk.inFlight.length > 0) yield* raw.sleep(1);
      expect(yield* raw.peek(VECTOR + REPOSSESSION.state)).toBe(REPOSSESSION_STATES.lost);
    },
  };
}

const taps: Pick<Way, 'isBound'> = { isBound: isTap };

/** By resource and way; several ways of one kind are tests of the same cell. */
const WAYS: Readonly<Record<string, readonly Way[]>> = {
  'frame tlbwr': [
    {
      owned: aFrame,
      bind: (raw, words) => raw.bind(WINDOW, { ppn: world.name, capability: words }, words[0] !== 0),
      isBound: function* (raw) {
        return (yield* raw.peek(WINDOW)) !== undefined;
      },
    },
  ],
  'frame env_map': [
    {
      owned: aFrame,
      bind: (raw, words) => raw.code('env_map', ...NONE, ...words, PAGE | 1),
      isBound: function* (raw) {
        return (yield* raw.peek(PAGE)) !== undefined;
      },
    },
  ],
  'frame frame_hold': [
    {
      owned: aFrame,
      bind: (raw, words) => raw.code('frame_hold', ...NONE, ...words),
      isBound: () => parts().frames.holders(world.name).has(USER),
    },
  ],
  'frame ring_bind': [
    {
      owned: aFrame,
      bind: function* (raw, words) {
        const { code, value } = yield* raw.call('ring_bind', ...words, 0, 2);
        world.ring = value;
        return code;
      },
      isBound: () => parts().memory.get(ringPhysical(world.ring) + RING.env) !== 0,
    },
  ],
  'frame ring_extend': [
    {
      owned: aFrame,
      bind: function* (raw, words) {
        const { root } = yield* aRing(raw);
        return yield* raw.code('ring_extend', ...root, ...words);
      },
      isBound: () => parts().memory.get(ringPhysical(world.ring) + RING.frame + 4) !== 0,
    },
  ],
  'frame ash_window': [
    {
      owned: aFrame,
      bind: function* (raw, words) {
        return yield* raw.code('ash_window', ...(yield* filterOf(raw)), ...words, 0);
      },
      isBound: hasWindow,
    },
  ],
  'frame msg_bind': [
    {
      owned: aFrame,
      bind: (raw, words) => raw.code('msg_bind', ...words),
      isBound: () => parts().memory.env(USER, ENV.messageRing) !== 0,
    },
  ],
  'frame wake_set': [
    {
      owned: aFrame,
      bind: function* (raw, words) {
        const left = { physical: PAGE_BYTES * world.name, capability: words };
        const bytes = encodePredicate([{ tag: 1, terms: [{ left, operator: 'eq', right: SECRET }] }]);
        return yield* download(raw, bytes, (code) => raw.code('wake_set', ...code.capability, bytes.length));
      },
      isBound: () => parts().memory.env(USER, ENV.predicate) !== 0,
    },
  ],
  'frame disk_read': [ofFrame('disk_read', false), ofFrame('disk_read', true)],
  'frame disk_write': [ofFrame('disk_write', false), ofFrame('disk_write', true)],
  'extent disk_read': [ofExtent('disk_read', false), ofExtent('disk_read', true)],
  'extent disk_write': [ofExtent('disk_write', false), ofExtent('disk_write', true)],
  'extent bc_map': [
    {
      owned: function* (raw) {
        const owned = yield* anExtent(raw);
        const frame = yield* raw.frame();
        const args = [...owned.root, ...frame.capability, EXTENT.start + BLOCK, 1];
        expect(yield* raw.code('bc_insert', ...args)).toBe(0);
        return owned;
      },
      bind: function* (raw, words) {
        const { code, value, capability } = yield* raw.call('bc_map', ...words, EXTENT.start + BLOCK);
        world.frame = { ppn: value, capability };
        expect(yield* raw.code('env_map', ...NONE, ...capability, PAGE | 1)).toBe(0);
        return code;
      },
      isBound: function* (raw) {
        const seen = [
          (yield* raw.peek(PAGE)) !== undefined,
          (yield* raw.bind(WINDOW, world.frame)) === 0,
          parts().frames.holders(world.frame.ppn).has(USER),
        ];
        expect(new Set(seen).size).toBe(1);
        return seen.includes(true);
      },
    },
  ],
  'extent bc_insert': [
    {
      owned: anExtent,
      bind: function* (raw, words) {
        world.frame = yield* raw.frame();
        return yield* raw.code('bc_insert', ...words, ...world.frame.capability, EXTENT.start + BLOCK, 1);
      },
      isBound: () => parts().registry.pinned.includes(world.frame.ppn),
    },
  ],
  'extent revoke': [ofStore(false), ofStore(true)],
  'ring filter_bind': [
    {
      owned: aRing,
      bind: function* (raw, words) {
        const { filter } = yield* bindFilter(raw, words, 0x9002);
        return Math.min(0, filter);
      },
      isBound: () => filterWord(FILTER.ring) !== 0,
    },
  ],
  'ring tap_bind': [
    {
      ...taps,
      owned: aRing,
      bind: function* (raw, words) {
        return yield* raw.code('tap_bind', ...parts().capabilities.make('net', RIGHTS.read, 0), ...words);
      },
    },
  ],
  'filter ash_window': [
    {
      owned: aFilter,
      bind: function* (raw, words) {
        return yield* raw.code('ash_window', ...words, ...(yield* raw.frame()).capability, 0);
      },
      isBound: hasWindow,
    },
  ],
  'filter ash_attach': [{ owned: aFilter, bind: attach, isBound: () => filterWord(FILTER.handler) !== 0 }],
  'network tap_bind': [
    {
      ...taps,
      owned: aNetwork,
      bind: function* (raw, words) {
        return yield* raw.code('tap_bind', ...words, ...(yield* aRing(raw)).root);
      },
    },
  ],
  'environment env_map': [
    {
      owned: aChild,
      bind: function* (raw, words) {
        return yield* raw.code('env_map', ...words, ...(yield* raw.frame()).capability, PAGE | 1);
      },
      isBound: () => parts().memory.env(world.name, ENV.guaranteed) !== 0,
    },
  ],
  'environment slice_alloc': [
    {
      owned: aChild,
      bind: function* (raw, words) {
        const slice = yield* raw.call('slice_alloc', ...words, -1);
        world.slice = slice.capability;
        return slice.code;
      },
      isBound: () => parts().capabilities.check(world.slice, 'slice', 0) >= 0,
    },
  ],
  'line serial_read': [
    {
      owned: aLine,
      bind: function* (raw, words) {
        expect(yield* raw.code('serial_read', ...words)).toBe(ERRORS.E_AGAIN);
        return 0;
      },
      isBound: () => userOfLine(world.name) === USER + 1,
    },
  ],
};

/** What a branch is refused for. */
const REFUSED: Readonly<Record<string, Pick<Way, 'owned' | 'bind'>>> = {
  'frame kernel page': {
    owned: aFrame,
    bind: function* (raw, words) {
      const child = yield* raw.call('env_alloc');
      return yield* raw.code('env_map', ...child.capability, ...words, PAGE | 3);
    },
  },
  'frame bc_insert': {
    owned: aFrame,
    bind: function* (raw, words) {
      return yield* raw.code('bc_insert', ...(yield* raw.granted('extent')), ...words, 33, 0);
    },
  },
  'environment kernel page': {
    owned: aChild,
    bind: function* (raw, words) {
      return yield* raw.code('env_map', ...words, ...(yield* raw.frame()).capability, PAGE | 3);
    },
  },
};

/** The table of the document: resource and way, how the right ends, what that ends; no dashes. */
const CELLS: readonly (readonly [way: string, end: End, what: string])[] = readFileSync(
  join(import.meta.dirname, '../../../docs/mechanisms/rights.md'),
  'utf8',
)
  .split('\n')
  .filter((line) => /^\| \w+ +\| `/.test(line))
  .flatMap((line) => {
    const [resource = '', way = '', ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const ends = ['cap_revoke', 'frame_guard', 'end of the resource'] as const;
    return ends.map((end, i) => [`${resource} ${way.replaceAll('`', '')}`, end, cells[i] ?? '—'] as const);
  })
  .filter(([, , what]) => what !== '—');

test('the table has all ways that are known here, and no other', () => {
  const ways = new Set(CELLS.map(([way]) => way));
  expect([...ways].sort()).toEqual([...Object.keys(WAYS), ...Object.keys(REFUSED)].sort());
  expect(CELLS.length).toBeGreaterThan(35);
});

test.each(CELLS)('%s, %s: %s', (name, end) => {
  const refused = REFUSED[name];
  if (refused === undefined) {
    const ways = WAYS[name] ?? [];
    expect(ways.length).toBeGreaterThan(0);
    for (const way of ways) run(way, end);
    return;
  }
  const refusing: Way = {
    owned: refused.owned,
    bind: function* (raw, words) {
      expect(yield* refused.bind(raw, words)).toBe(ERRORS.E_CAP);
      return 0;
    },
    isBound: () => true,
    userAfter: (raw) => raw.sleep(0),
  };
  run(refusing, end);
});
