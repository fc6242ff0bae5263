/** The tree of capabilities: branches, revocation of subtrees, and what was bound through them. [SOSP95 §3.1] */
import {
  ENV,
  ERRORS,
  EXCEPTIONS,
  EXPOSED,
  FRAME,
  FRAME_BYTES,
  NODE_DEPTH,
  NODES_PER_ENV,
  NODE_LIMIT,
  RIGHTS,
  WELL_KNOWN_READ,
  type CapabilityWords,
} from '@exokernel/abi';
import { describe, expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  encodePredicate,
  rawImage,
  runRaw,
  WINDOW,
  type Fiber,
  type Raw,
  type RawFrame,
} from '../../testkit/src/index.ts';
import { RESOURCE_LISTS } from '../src/tables.ts';
import { bindFilter, download } from './network.ts';

/** Where a page of an exposed table is mapped. */
const TABLE = 0x500000;
const READ = RIGHTS.read;
const READ_WRITE = RIGHTS.read | RIGHTS.write;
const { E_CAP, E_NONE, E_RANGE } = ERRORS;

interface Branch {
  readonly node: number;
  readonly capability: CapabilityWords;
}

function* branch(raw: Raw, from: CapabilityWords, rights = READ_WRITE): Fiber<Branch> {
  const { code, value, capability } = yield* raw.call('cap_derive', ...from, rights, 1);
  expect(code).toBe(0);
  expect(value).toBe(capability[0] & 0xffff);
  return { node: value, capability };
}

/** What the exposed table says. */
function* pins(raw: Raw, { ppn }: RawFrame): Fiber<number> {
  const at = EXPOSED.frames + FRAME_BYTES * ppn + FRAME.pins;
  expect(yield* raw.code('tlbwr', TABLE, (at & -4096) | 0x200, ...WELL_KNOWN_READ, 0)).toBe(0);
  return yield* raw.fibers.load(TABLE + (at & 4095));
}

const good = (raw: Raw, capability: CapabilityWords): Fiber<number> => raw.code('cap_derive', ...capability, 0, 0);

describe('the table', () => {
  const { capabilities } = boot([]).aegis.parts;
  const { nodes } = capabilities;
  const EARLIER = 4 * RESOURCE_LISTS;

  test('keeps resources apart that share a list', () => {
    // kind 1 and name 32 are in the list of kind 2 and name 1, and of kind 1 and a name RESOURCE_LISTS on.
    const resources = [
      { kind: 1, name: EARLIER + 32 },
      { kind: 2, name: EARLIER + 1 },
      { kind: 1, name: EARLIER + 32 + RESOURCE_LISTS },
      { kind: 2, name: EARLIER + 32 },
    ];
    const made = resources.map((resource) => nodes.make(0, resource, 5));
    resources.forEach((resource, i) => {
      expect(nodes.of(resource)).toEqual([made[i]]);
    });
    expect(nodes.ownedBy(5).toSorted()).toEqual(made.toSorted());
    nodes.end(made);
    expect([nodes.used, nodes.ownedBy(5), ...resources.map((resource) => nodes.of(resource))]).toEqual([
      0,
      [],
      [],
      [],
      [],
      [],
    ]);
  });

  test('says which nodes of a resource an environment has through another resource: its own, and not branches of them', () => {
    const [extent, frame] = [
      { kind: 2, name: EARLIER },
      { kind: 1, name: EARLIER },
    ];
    const through = nodes.make(0, extent, 6);
    const ours = nodes.make(through, frame, 5);
    const others = nodes.make(through, frame, 6);
    const branch = nodes.make(ours, frame, 5);
    const ofRoot = nodes.make(0, frame, 5);
    expect(nodes.cameThrough(frame, 5)).toEqual([ours]);
    expect(nodes.cameThrough(frame, 6)).toEqual([others]);
    expect(nodes.subtree(through).toSorted()).toEqual([through, ours, others, branch].toSorted());
    expect([branch, ofRoot].map((node) => [through, ours, 0].map((above) => nodes.isBelow(node, above)))).toEqual([
      [true, true, true],
      [false, false, true],
    ]);
    nodes.end([...nodes.subtree(through), ofRoot]);
    expect(nodes.used).toBe(0);
  });

  test('an environment has one node of a resource below each node through which it came to it', () => {
    const extents = [0, 1].map((name) => nodes.make(0, { kind: 2, name }, 7));
    const [first = 0, second = 0] = extents;
    const under = (parent: number, env: number): number => {
      const words = capabilities.under(parent, 'frame', READ, EARLIER, env);
      return typeof words === 'number' ? words : words[0] & 0xffff;
    };
    const node = under(first, 5);
    expect(nodes.parent(node)).toBe(first);
    expect(under(first, 5)).toBe(node);
    const others = [under(second, 5), under(first, 6), under(second, 6)];
    expect(new Set([node, ...others]).size).toBe(4);
    expect(under(second, 5)).toBe(others[0]);
    const most = Array.from({ length: NODES_PER_ENV - 2 }, () => nodes.make(0, { kind: 2, name: 1 }, 5));
    expect(Math.min(...most)).toBeGreaterThan(0);
    expect(under(nodes.make(0, { kind: 2, name: 2 }, 7), 5)).toBe(E_NONE);
    expect(under(first, 5)).toBe(node);
    capabilities.endEach([...nodes.ownedBy(5), ...nodes.ownedBy(7)]);
    expect(nodes.used).toBe(0);
  });

  test('has no generation for a number that is none', () => {
    expect([1, NODE_LIMIT, 0xffff].map((node) => nodes.generation(node))).toEqual([undefined, undefined, undefined]);
  });
});

test('a branch is a new node with the rights that are asked for; a derivation of branch 0 stays at its node', () => {
  runRaw(function* (raw) {
    const { ppn, capability } = yield* raw.frame();
    expect(capability[0] & 0xffff).toBe(0);
    const one = yield* branch(raw, capability);
    const two = yield* branch(raw, capability);
    expect(new Set([0, one.node, two.node]).size).toBe(3);
    expect(one.capability[1]).toBe(ppn);
    const read = yield* raw.call('cap_derive', ...one.capability, READ, 0);
    expect(read).toMatchObject({ code: 0, value: one.node });
    expect(yield* raw.code('cap_derive', ...read.capability, READ_WRITE, 1)).toBe(E_CAP);
    for (const odd of [2, -1, 0x100]) expect(yield* raw.code('cap_derive', ...capability, READ, odd)).toBe(E_RANGE);
    return 0;
  });
});

test('a subtree is revoked whole, nothing beside and above it', () => {
  const booted = runRaw(function* (raw) {
    const { capability: root } = yield* raw.frame();
    const left = yield* branch(raw, root);
    const right = yield* branch(raw, root);
    const below = yield* branch(raw, left.capability);
    const leaf = yield* branch(raw, below.capability);
    const copy = (yield* raw.call('cap_derive', ...below.capability, READ, 0)).capability;
    // Not one's own node, not one above, not one beside, not the root, none that there is not, not another resource's.
    const other = yield* branch(raw, (yield* raw.frame()).capability);
    for (const [by, node] of [
      [left, left.node],
      [below, left.node],
      [right, left.node],
      [leaf, below.node],
      [left, 0],
      [left, 1000],
      [left, -1],
      [left, 0x10000 + below.node],
      [left, other.node],
    ] as const) {
      expect(yield* raw.code('cap_revoke', ...by.capability, node), `${by.node} revokes ${node}`).toBe(E_CAP);
    }
    expect(yield* raw.code('cap_revoke', ...root, other.node)).toBe(E_CAP);
    for (const { capability } of [left, right, below, leaf]) expect(yield* good(raw, capability)).toBe(0);

    expect(yield* raw.code('cap_revoke', ...left.capability, below.node)).toBe(0);
    for (const capability of [below.capability, leaf.capability, copy])
      expect(yield* good(raw, capability)).toBe(E_CAP);
    for (const { capability } of [left, right, other]) expect(yield* good(raw, capability)).toBe(0);
    expect(yield* raw.code('cap_revoke', ...left.capability, below.node)).toBe(E_CAP);
    expect(yield* raw.code('cap_revoke', ...left.capability, leaf.node)).toBe(E_CAP);

    // The numbers are used again; the old capabilities of the same words are not good for the new nodes.
    const again = yield* branch(raw, right.capability);
    expect(again.node).toBe(below.node);
    expect(again.capability.slice(0, 2)).toEqual(below.capability.slice(0, 2));
    expect(again.capability).not.toEqual(below.capability);
    expect(yield* good(raw, below.capability)).toBe(E_CAP);
    expect(yield* good(raw, again.capability)).toBe(0);
    expect(yield* raw.code('cap_revoke', ...left.capability, again.node)).toBe(E_CAP);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.parts.capabilities.nodes.used).toBe(0);
});

test('branches of branches: eight, not nine; 64 of one environment, not 65; those that die make room', () => {
  const booted = runRaw(function* (raw) {
    const { capability: root } = yield* raw.frame();
    let deepest: Branch = { node: 0, capability: root };
    const first = yield* branch(raw, root);
    deepest = first;
    for (let depth = 2; depth <= NODE_DEPTH; depth += 1) deepest = yield* branch(raw, deepest.capability);
    expect(yield* raw.code('cap_derive', ...deepest.capability, READ, 1)).toBe(E_RANGE);
    expect(yield* raw.code('cap_derive', ...deepest.capability, READ, 0)).toBe(0);
    for (let i = NODE_DEPTH; i < NODES_PER_ENV; i += 1) yield* branch(raw, root);
    expect(yield* raw.code('cap_derive', ...root, READ, 1)).toBe(E_NONE);
    expect(yield* raw.code('cap_revoke', ...root, first.node)).toBe(0);
    for (let i = 0; i < NODE_DEPTH; i += 1) yield* branch(raw, root);
    expect(yield* raw.code('cap_derive', ...root, READ, 1)).toBe(E_NONE);
    // All 64 are of this frame. With it they go.
    const next = yield* raw.frame();
    expect(yield* raw.code('frame_free', ...root)).toBe(0);
    yield* branch(raw, next.capability);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a frame that is given by a branch can be taken back: holds, guaranteed mappings, translations', () => {
  const shared: { given: CapabilityWords | undefined; stage: number } = { given: undefined, stage: 0 };
  const reach = function* (raw: Raw, stage: number): Fiber<void> {
    while (shared.stage < stage) yield* raw.sleep(1);
  };
  const lent: { frame: RawFrame | undefined } = { frame: undefined };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frame = yield* raw.frame();
        lent.frame = frame;
        yield* raw.fill(frame, Uint8Array.of(7));
        const lease = yield* branch(raw, frame.capability);
        shared.given = lease.capability;
        expect(yield* raw.bind(0x300000, frame)).toBe(0);
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x200001)).toBe(0);
        shared.stage = 1;
        yield* reach(raw, 2);
        expect(yield* raw.code('cap_revoke', ...frame.capability, lease.node)).toBe(0);
        // What is one's own stays: one's hold, one's guaranteed mapping; the translation comes back with the capability.
        expect(yield* raw.peek(0x200000)).toBe(8);
        expect(yield* raw.bind(0x300000, frame)).toBe(0);
        expect(yield* raw.peek(0x300000)).toBe(8);
        shared.stage = 3;
        yield* reach(raw, 4);
        // And nobody else holds it: it is free once one lets go.
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(0);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        yield* reach(raw, 1);
        const ppn = lent.frame?.ppn ?? 0;
        const capability = shared.given ?? [0, 0, 0, 0];
        const frame = { ppn, capability };
        // tlbwr looks at the head only if the MAC is not the root's: without it, with another, or with no right: nothing.
        const entry = (ppn << 12) | 0x600;
        for (const head of [0, capability[0] & ~0xffff, capability[0] + 1, -1, lent.frame?.capability[0] ?? 0]) {
          expect(yield* raw.code('tlbwr', WINDOW, entry, capability[2], capability[3], head)).toBe(E_CAP);
        }
        expect(yield* raw.bind(WINDOW, frame)).toBe(0);
        expect(yield* raw.peek(WINDOW)).toBe(7);
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...capability, 0x200001)).toBe(0);
        expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability)).toBe(0);
        // Nothing of what the kernel itself writes to may hang on a branch.
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('env_map', ...child.capability, ...capability, 0x1003)).toBe(E_CAP);
        expect(yield* raw.poke(0x200000, 8)).toBe(0);
        shared.stage = 2;
        yield* reach(raw, 3);
        expect(yield* raw.poke(WINDOW, 9)).toBe(EXCEPTIONS.tlbs);
        expect(yield* raw.peek(0x200000)).toBeUndefined();
        expect(yield* raw.bind(WINDOW, frame)).toBe(E_CAP);
        for (const call of ['env_map', 'frame_hold'] as const) {
          expect(yield* raw.code(call, 0, 0, 0, 0, ...capability, 0x200001)).toBe(E_CAP);
        }
        expect(yield* raw.code('frame_free', ...capability)).toBe(E_CAP);
        expect(yield* raw.code('ring_bind', ...capability, 0)).toBe(E_CAP);
        shared.stage = 4;
        return 0;
      },
    }),
  ]);
  booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('who holds a frame twice, through the root and through a branch, keeps the hold and what it mapped through the root', () => {
  const booted = runRaw(function* (raw) {
    const frame = yield* raw.frame();
    const lease = yield* branch(raw, frame.capability);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...lease.capability, 0x200001)).toBe(0);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x300001)).toBe(0);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...lease.capability, 0x400001)).toBe(0);
    expect(yield* raw.code('cap_revoke', ...frame.capability, lease.node)).toBe(0);
    expect(yield* raw.peek(0x200000)).toBeUndefined();
    expect(yield* raw.peek(0x300000)).toBe(0);
    expect(yield* raw.peek(0x400000)).toBeUndefined();
    expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a ring bound through a branch goes with the branch, whether its owner holds the frame or not; one bound through the root stays', () => {
  const booted = runRaw(function* (raw) {
    for (const held of [false, true]) {
      for (const root of [false, true]) {
        const frame = yield* raw.frame();
        const lease = yield* branch(raw, frame.capability);
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
        const ring = yield* raw.call('ring_bind', ...(root ? frame : lease).capability, 0, 2);
        expect(ring.code).toBe(0);
        if (!held) expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(yield* raw.code('cap_revoke', ...frame.capability, lease.node)).toBe(0);
        expect(yield* raw.code('ring_free', ...ring.capability)).toBe(root ? 0 : E_CAP);
      }
    }
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('who holds a frame keeps no message ring, window, buffer or predicate that was bound through a branch', () => {
  const booted = runRaw(function* (raw) {
    const slots = yield* raw.frame();
    const ring = yield* raw.call('ring_bind', ...slots.capability, 0, 2);
    const { capability: filter } = yield* bindFilter(raw, ring.capability, 0x9000);
    const frame = yield* raw.frame();
    const lease = yield* branch(raw, frame.capability);
    expect(yield* raw.code('ring_extend', ...ring.capability, ...lease.capability)).toBe(0);
    expect(yield* raw.code('ash_window', ...filter, ...lease.capability, 0)).toBe(0);
    expect(yield* raw.code('msg_bind', ...lease.capability)).toBe(0);
    const variable = { physical: 4096 * frame.ppn, capability: lease.capability };
    const bytes = encodePredicate([{ tag: 1, terms: [{ left: variable, operator: 'eq', right: 1 }] }]);
    yield* download(raw, bytes, (code) => raw.code('wake_set', ...code.capability, bytes.length));
    expect(yield* pins(raw, frame)).toBe(4);
    expect(yield* raw.code('cap_revoke', ...frame.capability, lease.node)).toBe(0);
    expect(yield* pins(raw, frame)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('the nodes of an environment end with it, and what was given through them', () => {
  const shared: { capability: CapabilityWords | undefined; kept: CapabilityWords | undefined } = {
    capability: undefined,
    kept: undefined,
  };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frame = yield* raw.frame();
        shared.kept = frame.capability;
        shared.capability = (yield* branch(raw, frame.capability)).capability;
        yield* raw.sleep(4);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        while (shared.capability === undefined || shared.kept === undefined) yield* raw.sleep(1);
        const { capability, kept } = shared;
        // A branch of somebody else's node hangs below it, whoever made it.
        const own = yield* branch(raw, capability);
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...own.capability, 0x200001)).toBe(0);
        expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...kept)).toBe(0);
        yield* raw.sleep(8);
        expect(yield* good(raw, kept)).toBe(0);
        for (const dead of [capability, own.capability]) expect(yield* good(raw, dead)).toBe(E_CAP);
        expect(yield* raw.peek(0x200000)).toBeUndefined();
        return 0;
      },
    }),
  ]);
  booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.parts.capabilities.nodes.used).toBe(0);
});

test('environments, lines and extents branch like frames', () => {
  const booted = runRaw(function* (raw) {
    const child = yield* raw.call('env_alloc');
    const deputy = yield* branch(raw, child.capability, RIGHTS.control);
    expect(yield* raw.code('slice_alloc', ...deputy.capability, 60)).toBe(0);
    const line = yield* raw.granted('serial');
    const writer = yield* branch(raw, line, RIGHTS.write);
    expect(yield* raw.code('serial_write', ...writer.capability, 1, 65)).toBe(0);
    expect(yield* raw.code('serial_read', ...writer.capability)).toBe(E_CAP);
    expect(yield* raw.code('cap_revoke', ...line, writer.node)).toBe(0);
    expect(yield* raw.code('serial_write', ...writer.capability, 1, 65)).toBe(E_CAP);
    // A slice of the same number, and its root above no branch of the environment.
    const slice = yield* raw.call('slice_alloc', 0, 0, 0, 0, child.value);
    expect([slice.code, slice.value]).toEqual([0, child.value]);
    for (const node of [deputy.node, 0]) expect(yield* raw.code('cap_revoke', ...slice.capability, node)).toBe(E_CAP);
    expect(yield* raw.code('slice_alloc', ...deputy.capability, 59)).toBe(0);
    expect(yield* raw.code('cap_revoke', ...child.capability, deputy.node)).toBe(0);
    expect(yield* raw.code('env_set', ...deputy.capability, ENV.prologue, 0)).toBe(E_CAP);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('frame_guard: a frame is shared for reading with everyone, and taken back', () => {
  const shared = { frame: undefined as RawFrame | undefined, stage: 0 };
  const reach = function* (raw: Raw, stage: number): Fiber<void> {
    while (shared.stage < stage) yield* raw.sleep(1);
  };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frame = yield* raw.frame();
        yield* raw.fill(frame, Uint8Array.of(3));
        const read = (yield* raw.call('cap_derive', ...frame.capability, READ, 0)).capability;
        const lease = yield* branch(raw, frame.capability);
        for (const no of [read, lease.capability]) {
          expect(yield* raw.code('frame_guard', ...no, 0, ...WELL_KNOWN_READ)).toBe(E_CAP);
        }
        for (const which of [2, -1]) {
          expect(yield* raw.code('frame_guard', ...frame.capability, which, ...WELL_KNOWN_READ)).toBe(E_RANGE);
        }
        expect(yield* raw.code('frame_guard', ...frame.capability, 0, ...WELL_KNOWN_READ)).toBe(0);
        // The capability to read is as good as before, with its head.
        expect(yield* raw.bind(WINDOW, { ppn: frame.ppn, capability: read }, false)).toBe(0);
        shared.frame = frame;
        shared.stage = 1;
        yield* reach(raw, 2);
        expect(yield* raw.code('frame_guard', ...frame.capability, 0, read[2], read[3])).toBe(0);
        shared.stage = 3;
        yield* reach(raw, 4);
        // Writing: with words that two agree on.
        expect(yield* raw.code('frame_guard', ...frame.capability, 1, 11, 12)).toBe(0);
        shared.stage = 5;
        yield* reach(raw, 6);
        expect(yield* raw.bind(WINDOW, frame)).toBe(0);
        expect(yield* raw.peek(WINDOW)).toBe(99);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        // In its next life it is not shared.
        yield* raw.frame(frame.ppn);
        shared.stage = 7;
        yield* reach(raw, 8);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        yield* reach(raw, 1);
        const ppn = shared.frame?.ppn ?? 0;
        const look = (bits: number, words: readonly [number, number]): Fiber<number> =>
          raw.code('tlbwr', WINDOW, (ppn << 12) | bits, ...words, 0);
        expect(yield* look(0x600, WELL_KNOWN_READ)).toBe(E_CAP);
        expect(yield* look(0x200, WELL_KNOWN_READ)).toBe(0);
        expect(yield* raw.peek(WINDOW)).toBe(3);
        expect(yield* raw.poke(WINDOW, 4)).toBe(EXCEPTIONS.mod);
        shared.stage = 2;
        yield* reach(raw, 3);
        expect(yield* raw.peek(WINDOW)).toBeUndefined();
        expect(yield* look(0x200, WELL_KNOWN_READ)).toBe(E_CAP);
        shared.stage = 4;
        yield* reach(raw, 5);
        expect(yield* look(0x600, [11, 12])).toBe(0);
        expect(yield* raw.poke(WINDOW, 99)).toBe(0);
        shared.stage = 6;
        yield* reach(raw, 7);
        expect(yield* raw.peek(WINDOW)).toBeUndefined();
        for (const words of [WELL_KNOWN_READ, [11, 12]] as const) expect(yield* look(0x200, words)).toBe(E_CAP);
        shared.stage = 8;
        return 0;
      },
    }),
  ]);
  booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
