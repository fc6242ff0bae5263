/**
 * Environments that work together: they show each other capabilities, bind what they see in every way that there is, take it back,
 * and keep secrets in what they have taken back. Between that they call anything (soaker.ts). The ledger knows what must hold.
 */
import { ENV, WELL_KNOWN_READ, type CapabilityWords } from '@exokernel/abi';
import {
  encodePredicate,
  rawImage,
  WINDOW,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../../testkit/src/index.ts';
import { KP } from '../../src/layout.ts';
import { callAnything, fill, generator, granted, type Random } from '../soaker.ts';
import { emitColluder } from './colluder-code.ts';
import { bytes, call, frame, GRANTED, KIND, NONE, PAGE, pick, type Colluder, type Move } from './colluding.ts';
import { bindFilter, flood, listen } from './floods.ts';
import { branch, cache, hoard, scatter } from './hoards.ts';
import type { Ledger } from './ledger.ts';
import { CODE_PAGE, CODE_VA, emitRandomCode, FLOAT, U_PAGE_VA } from './random-code.ts';

/** Where private frames are mapped, and where those of others. */
const PRIVATE = 0x180000;
const PLACES = 6;
const FOREIGN = WINDOW;
/** Cycles of a tick, from which a thief guesses when the next comes. */
const SPIN_CYCLES = 3;

/** A frame of its own that it lets others have a branch of, or opens by its guard. */
function* share(me: Colluder): Fiber<void> {
  const { random, world, shared } = me;
  if (shared.length > 4) return;
  const own = me.mine.length > 0 && random(3) === 0 ? yield* retire(me) : yield* frame(me);
  if (own === undefined) return;
  const kind = random(4);
  if (kind === 0) {
    if ((yield* call(me, 'frame_guard', ...own.capability, 0, ...WELL_KNOWN_READ)).code !== 0) return;
    world.post([0x01010000, own.ppn, ...WELL_KNOWN_READ]);
    shared.push({ ...own, nodes: [], open: true, readOnly: false });
    return;
  }
  const readOnly = kind === 1;
  if (readOnly) yield* keep(me, own, true);
  const nodes: number[] = [];
  for (let i = random(2); i >= 0; i -= 1) {
    const branch = yield* call(me, 'cap_derive', ...own.capability, readOnly ? 1 : 3, 1);
    if (branch.code !== 0) continue;
    nodes.push(branch.value);
    world.post(branch.capability);
  }
  shared.push({ ...own, nodes, open: false, readOnly });
}

/** Takes back what it has shared, and keeps a secret there. */
function* takeBack(me: Colluder): Fiber<void> {
  const { random, shared, world } = me;
  const i = random(shared.length);
  const one = shared[i];
  if (one === undefined) return;
  shared.splice(i, 1);
  if (one.readOnly) world.end(one.ppn);
  if (one.open) {
    const words = [random(0x7fffffff), random(0x7fffffff)] as const;
    if ((yield* call(me, 'frame_guard', ...one.capability, 0, ...words)).code !== 0) return;
  }
  const { nodes } = world.aegis.parts.capabilities;
  for (const node of one.nodes) {
    const { code } = yield* call(me, 'cap_revoke', ...one.capability, node);
    // It has mapped something else where its registers are saved, and asked for another node.
    if (code !== 0 && nodes.of({ kind: KIND.frame, name: one.ppn }).includes(node)) return;
  }
  // It may be another's by now.
  if (!world.isAlive(one.capability)) return;
  // A node that was used before.
  if (random(2) === 0) yield* call(me, 'cap_derive', ...one.capability, 3, 1);
  yield* keep(me, one, false);
}

/** A frame of its own, which no other environment can have, perhaps one that another has just freed. */
function* fresh(me: Colluder): Fiber<void> {
  const { random, world } = me;
  const own = yield* frame(me, random(2) === 0 ? (pick(random, world.freed) ?? -1) : -1);
  if (own !== undefined) yield* keep(me, own, false);
}

/** No other environment reaches this frame any more (`readOnly`: writes it): it gets a secret, or a pattern. */
function* keep(me: Colluder, own: RawFrame, readOnly: boolean): Fiber<void> {
  const { raw, world, mine, env } = me;
  const place = Array.from({ length: PLACES }, (_, i) => i).find((i) => !mine.some((one) => one.place === i));
  if (place === undefined) {
    yield* call(me, 'frame_free', ...own.capability);
    return;
  }
  const va = PRIVATE + PAGE * place;
  world.begin(env, own.ppn, readOnly);
  if ((yield* call(me, 'env_map', ...NONE, ...own.capability, va | 1)).code !== 0) {
    world.end(own.ppn);
    return;
  }
  yield* raw.routine('fuzz.fill', va, readOnly ? 0x1234567 : world.secret(env));
  world.filled(own.ppn);
  if (!readOnly) mine.push({ ...own, place });
}

/** Zeros in the place of a secret: the frame may be shared again. */
function* retire(me: Colluder): Fiber<RawFrame | undefined> {
  const { random, world, mine, raw } = me;
  const i = random(mine.length);
  const one = mine[i];
  if (one === undefined) return undefined;
  mine.splice(i, 1);
  const stood = world.privates.get(one.ppn);
  const stands = stood !== undefined && world.stands(stood);
  world.end(one.ppn);
  if (!stands || random(3) === 0) {
    world.freed.push(one.ppn);
    if (world.freed.length > 8) world.freed.shift();
    if (random(2) === 0) {
      // Another may hold it before it is freed, and then keeps it.
      world.tell(one.ppn);
      world.post(one.capability);
    }
    yield* call(me, 'frame_free', ...one.capability);
    return undefined;
  }
  yield* raw.routine('fuzz.fill', PRIVATE + PAGE * one.place, 0);
  const left = world.aegis.machine.memory.read(PAGE * one.ppn, new Uint8Array(PAGE)).some((byte) => byte !== 0);
  return left || !world.isAlive(one.capability) ? undefined : one;
}

function* letGo(me: Colluder): Fiber<void> {
  yield* retire(me);
}

/** Binds a frame, and lets go of it: the next owner has it alone. */
function* leave(me: Colluder): Fiber<void> {
  const { world, random } = me;
  const own = yield* frame(me);
  if (own === undefined) return;
  for (let i = random(3); i >= 0; i -= 1) yield* bindFrame(me, own.capability);
  if (random(2) === 0) world.post(own.capability);
  world.freed.push(own.ppn);
  if (world.freed.length > 8) world.freed.shift();
  yield* call(me, 'frame_free', ...own.capability);
}

/** Something of the board, bound in some way. */
function* exploit(me: Colluder): Fiber<void> {
  const { random, world } = me;
  const of = (kind: number): CapabilityWords | undefined =>
    pick(
      random,
      world.capabilities.filter(([head]) => head >>> 24 === kind),
    );
  const found = random(3) === 0 ? of(KIND.extent) : of(KIND.frame);
  if (found === undefined) return;
  for (let i = 1 + random(3); i > 0; i -= 1) {
    if (found[0] >>> 24 === KIND.frame) yield* bindFrame(me, found);
    else yield* bindExtent(me, found);
  }
}

function* bindFrame(me: Colluder, words: CapabilityWords): Fiber<void> {
  const { random, raw, own, world } = me;
  const [head, ppn, mac0, mac1] = words;
  const mine = (kind: number): CapabilityWords =>
    pick(
      random,
      own.filter(([first]) => first >>> 24 === kind),
    ) ?? NONE;
  const va = FOREIGN + PAGE * random(8);
  switch (random(15)) {
    case 0:
    case 1: {
      const writable = random(2) === 0;
      yield* call(me, 'tlbwr', va, (ppn << 12) | (writable ? 0x600 : 0x200), mac0, mac1, head);
      if (writable) yield* raw.poke(va + 4 * random(1024), random(1000));
      else yield* raw.peek(va + 4 * random(1024));
      return;
    }
    case 2:
      yield* call(me, 'env_map', ...(random(3) === 0 ? mine(KIND.env) : NONE), ...words, va | random(2));
      return;
    case 3:
      yield* call(me, 'frame_hold', ...(random(3) === 0 ? mine(KIND.env) : NONE), ...words);
      return;
    case 4: {
      const branch = yield* call(me, 'cap_derive', ...words, 1 + 2 * random(2), random(2));
      if (branch.code === 0) world.post(branch.capability);
      return;
    }
    case 5: {
      const ring = yield* call(me, 'ring_bind', ...words, random(2), 1 + random(4));
      if (ring.code !== 0) return;
      own.push(ring.capability);
      if (random(2) === 0) yield* bindFilter(me, ring.capability, 1);
      return;
    }
    case 6:
      yield* call(me, 'ring_extend', ...mine(KIND.ring), ...words);
      return;
    case 7: {
      const left = { physical: PAGE * ppn + 4 * random(1024), capability: words };
      const predicate = encodePredicate([{ tag: 7, terms: [{ left, operator: 'ne', right: random(2) }] }]);
      yield* bytes(me, predicate, function* (code) {
        yield* call(me, 'wake_set', ...code.capability, predicate.length);
      });
      return;
    }
    case 8:
    case 9: {
      const extent = pick(random, me.extents);
      // By an extent of its own, or by that of its image.
      const by = extent?.capability ?? own[2] ?? NONE;
      const name = random(2) === 0 ? 'disk_write' : 'disk_read';
      yield* call(me, name, ...by, ...words, random(extent?.blocks ?? GRANTED), random(16));
      return;
    }
    case 10: {
      const extent = pick(random, me.extents);
      if (extent === undefined) return;
      const block = extent.start + random(extent.blocks);
      extent.fed = true;
      yield* call(me, 'bc_insert', ...extent.capability, ...words, block, random(2));
      yield* mapBlock(me, extent.capability, block);
      return;
    }
    case 11:
      yield* call(me, 'msg_free');
      yield* call(me, 'msg_bind', ...words);
      return;
    case 12:
      yield* call(me, 'ash_window', ...mine(KIND.filter), ...words, random(2));
      return;
    case 13:
      yield* call(me, 'frame_free', ...words);
      return;
    default:
      // Reads what is mapped there still.
      yield* raw.peek(va);
  }
}

function* mapBlock(me: Colluder, extent: CapabilityWords, block: number): Fiber<void> {
  const mapped = yield* call(me, 'bc_map', ...extent, block);
  // By the root of an extent of its own it is its own, to keep secrets in.
  if (mapped.code !== 0 || (extent[0] & 0xffff) === 0) return;
  me.world.post(mapped.capability);
  yield* bindFrame(me, mapped.capability);
}

/** Blocks of an extent that another has shared: by the registry, and directly. */
function* bindExtent(me: Colluder, words: CapabilityWords): Fiber<void> {
  const { random, world } = me;
  const { extents } = world.aegis.parts;
  const { start, blocks } = extents.extent(Math.min(words[1], 63));
  const block = start + random(Math.max(1, blocks));
  switch (random(6)) {
    case 0:
      yield* call(me, 'bc_read', block, random(16));
      return;
    case 1:
    case 2:
      yield* mapBlock(me, words, block);
      return;
    case 3: {
      const branch = yield* call(me, 'cap_derive', ...words, 1 + 2 * random(2), random(2));
      if (branch.code === 0) world.post(branch.capability);
      return;
    }
    case 4: {
      const own = yield* frame(me);
      if (own === undefined) return;
      me.own.push(own.capability);
      yield* call(me, 'bc_insert', ...words, ...own.capability, block, random(2));
      return;
    }
    default: {
      const own = yield* frame(me);
      if (own === undefined) return;
      me.own.push(own.capability);
      yield* call(
        me,
        random(3) === 0 ? 'disk_write' : 'disk_read',
        ...words,
        ...own.capability,
        block - start,
        random(16),
      );
    }
  }
}

/** An extent of its own, of which others get a branch. Its first contents are zeros, whatever was there before. */
function* shareExtent(me: Colluder): Fiber<void> {
  const { random, world, extents } = me;
  if (extents.length > 2) return;
  const blocks = 1 + random(3);
  const made = yield* call(me, 'extent_alloc', -1, blocks);
  if (made.code !== 0) return;
  // Images are granted these, whatever else lies there.
  if (made.value < GRANTED) {
    yield* call(me, 'extent_free', ...made.capability);
    return;
  }
  const nodes: number[] = [];
  const branch = yield* call(me, 'cap_derive', ...made.capability, 3, 1);
  if (branch.code === 0) {
    nodes.push(branch.value);
    world.post(branch.capability);
  }
  extents.push({ capability: made.capability, start: made.value, blocks, nodes, fed: false });
  // What an earlier owner left.
  const block = made.value + random(blocks);
  if (random(2) === 0) yield* call(me, 'bc_read', block, random(16));
  const own = yield* frame(me);
  if (own === undefined) return;
  me.own.push(own.capability);
  yield* call(me, 'disk_read', ...made.capability, ...own.capability, block - made.value, random(16));
}

/** The branches of an extent end; a secret goes to its blocks, by the registry or straight, and later the extent is freed. */
function* takeExtent(me: Colluder): Fiber<void> {
  const { random, raw, world, extents, mine } = me;
  const i = random(extents.length);
  const one = extents[i];
  if (one === undefined) return;
  extents.splice(i, 1);
  for (const node of one.nodes) yield* call(me, 'cap_revoke', ...one.capability, node);
  if (one.fed) {
    yield* call(me, 'extent_free', ...one.capability);
    return;
  }
  const block = one.start + random(one.blocks);
  const mapped = yield* call(me, 'bc_map', ...one.capability, block);
  if (mapped.code === 0) {
    yield* keep(me, { ppn: mapped.value, capability: mapped.capability }, false);
    yield* call(me, 'bc_dirty', ...one.capability, block, 1);
    yield* call(me, 'bc_write', ...one.capability, block, random(16));
  } else {
    const secret = pick(random, mine);
    if (secret !== undefined) {
      yield* call(me, 'disk_write', ...one.capability, ...secret.capability, block - one.start, random(16));
    }
  }
  if (random(2) === 0) yield* raw.sleep(20 + random(40));
  if (mapped.code === 0) {
    world.end(mapped.value);
    const at = mine.findIndex(({ ppn }) => ppn === mapped.value);
    if (at >= 0) mine.splice(at, 1);
    if (random(2) === 0) yield* call(me, 'frame_free', ...mapped.capability);
  }
  yield* call(me, 'extent_free', ...one.capability);
}

/** Computes until just before a tick, and yields then. */
function* steal(me: Colluder): Fiber<void> {
  const { random, raw, quantum, world } = me;
  const spin = Math.floor((quantum * (900 + random(100))) / 1000 / SPIN_CYCLES);
  for (let i = 20 + random(40); i > 0; i -= 1) {
    world.calls += 2;
    yield* raw.routine('fuzz.tick');
    yield* raw.routine('fuzz.spin', spin);
    yield* raw.routine('kit.yield', random(4) === 0 ? random(8) : -1);
  }
}

/** Values of its own in the floating-point unit, for itself, or whenever it is entered by another. */
function* float(me: Colluder): Fiber<void> {
  const { random, raw } = me;
  yield* raw.poke(FLOAT, random(3) === 0 ? 0 : 0x40000000 + random(1000));
  if (random(2) === 0) yield* call(me, 'fpu_mod', random(2));
  yield* raw.routine('fuzz.float', 0x40490fdb);
  if (random(2) === 0) yield* raw.routine('kit.sleep', (yield* raw.call('tick')).value + 1);
  else yield* raw.routine('kit.yield', random(8));
}

/** A child that executes random words, and calls with what is on the board. */
function* child(me: Colluder): Fiber<void> {
  const { random, world, own, raw } = me;
  const [made, code, uPage] = [yield* call(me, 'env_alloc'), yield* frame(me), yield* frame(me)];
  if (made.code !== 0 || code === undefined || uPage === undefined) return;
  const map = (words: CapabilityWords, va: number) => call(me, 'env_map', ...made.capability, ...words, va);
  yield* fill(raw, code, emitRandomCode(random, world.capabilities));
  yield* map(code.capability, CODE_VA | random(2));
  yield* map(uPage.capability, U_PAGE_VA | 3);
  // What the family shares.
  const shared = pick(
    random,
    world.capabilities.filter(([head]) => head >>> 24 === KIND.frame),
  );
  if (shared !== undefined) yield* map(shared, (CODE_VA + 2 * PAGE) | random(2));
  const fields = [ENV.prologue, ENV.epilogue, ...Array.from({ length: 14 }, (_, i) => ENV.exceptionPc + 4 * i)];
  for (const field of fields) {
    if (field === ENV.exceptionPc + 32 || (field !== ENV.prologue && random(4) === 0)) continue;
    yield* call(me, 'env_set', ...made.capability, field, CODE_VA + 4 * random(CODE_PAGE.words));
  }
  const isGuest = random(4) === 0;
  if (!isGuest) yield* call(me, 'slice_alloc', ...made.capability, -1);
  yield* call(me, 'env_set', ...made.capability, ENV.status, 2);
  own.push(made.capability);
  for (const words of [code.capability, uPage.capability]) yield* call(me, 'frame_free', ...words);
  if (random(4) === 0) world.post(made.capability);
  // It has no slice, and runs in that of its maker.
  if (isGuest) yield* raw.routine('kit.yield', made.value);
}

function* die(me: Colluder): Fiber<void> {
  const { random, own, world } = me;
  if (random(3) === 0) world.post(own[0] ?? NONE);
  else if (random(8) === 0) yield* call(me, 'env_free', ...NONE, 0);
  else {
    const other = pick(
      random,
      world.capabilities.filter(([head]) => head >>> 24 === KIND.env),
    );
    if (other !== undefined) yield* call(me, 'env_free', ...other, 0);
  }
}

const MOVES: readonly (readonly [weight: number, move: Move])[] = [
  [40, callAnything],
  [8, share],
  [8, takeBack],
  [8, fresh],
  [6, letGo],
  [4, leave],
  [24, exploit],
  [4, shareExtent],
  [4, takeExtent],
  [1, steal],
  [2, float],
  [2, child],
  [1, die],
];

/** What takes many calls, or much of the machine: only some colluders do it. */
const GREEDY: readonly (readonly [weight: number, move: Move])[] = [
  [4, listen],
  [2, flood],
  [4, hoard],
  [2, branch],
  [4, scatter],
  [3, cache],
];

function* collude(raw: Raw, random: Random, world: Ledger): Fiber<number> {
  const own = yield* granted(raw);
  const quantum = world.aegis.parts.memory.kernelPage(KP.quantum);
  const nothing = { shared: [], mine: [], extents: [], listening: undefined };
  const me: Colluder = { raw, random, world, own, env: own[0]?.[1] ?? 0, quantum, ...nothing };
  // Each has its own taste: what all do at once none does often.
  const moves = random(3) === 0 ? [...MOVES, ...GREEDY] : MOVES;
  const favourites = [random(moves.length), random(moves.length)];
  const weights = moves.map(([weight], i) => (favourites.includes(i) ? 6 * weight : weight));
  const total = weights.reduce((a, b) => a + b);
  while (world.calls < world.wanted) {
    let at = random(total);
    const i = weights.findIndex((weight) => (at -= weight) < 0);
    yield* (moves[i]?.[1] ?? callAnything)(me);
    if (own.length > 60) own.splice(5, 20);
    if (random(6) === 0) yield* raw.routine('kit.yield', random(3) === 0 ? random(8) : -1);
  }
  return 0;
}

/** One of them: what it does follows from `seed`. */
export function colluder(seed: number, world: Ledger): RawImage {
  return rawImage({
    name: `colluder ${seed}`,
    main: (raw) => collude(raw, generator(seed), world),
    emit: emitColluder,
    syncEntry: 'entered',
    asyncEntry: 'entered',
    extent: { start: 0, blocks: GRANTED, shared: true },
    tap: true,
  });
}
