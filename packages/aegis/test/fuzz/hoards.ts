/**
 * Much of a kind: all that an environment can get of it, a frame with very many branches, transfers of very many blocks. What it took
 * a call each to make ends, or begins, with one call; and others want their part of it meanwhile.
 */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  EXPOSED,
  TRANSFER_BYTES,
  TRANSFER_LIMIT,
  type CapabilityWords,
} from '@exokernel/abi';
import { type Fiber } from '../../../testkit/src/index.ts';
import { fill } from '../soaker.ts';
import { call, frame, GRANTED, KIND, NONE, pick, type Colluder } from './colluding.ts';

/** More than there are of any of these. */
const ALL = 130;

/** All of a kind that it can get, and after a while it is given back. */
export function* hoard(me: Colluder): Fiber<void> {
  const { random, raw } = me;
  const got: CapabilityWords[] = [];
  const slots = yield* frame(me);
  if (slots === undefined) return;
  const kinds = [
    { take: 'ring_bind', args: [...slots.capability, 0, 1], free: 'ring_free' },
    { take: 'extent_alloc', args: [-1, 1], free: 'extent_free' },
    { take: 'env_alloc', args: [], free: 'env_free' },
    { take: 'slice_alloc', args: [...NONE, -1], free: 'slice_free' },
  ] as const;
  const { take, args, free } = pick(random, kinds) ?? kinds[0];
  for (let i = 0; i < ALL; i += 1) {
    const answer = yield* call(me, take, ...args);
    if (answer.code !== 0) break;
    got.push(answer.capability);
  }
  yield* raw.sleep(random(40));
  for (const words of got) yield* call(me, free, ...words, 0);
  yield* call(me, 'frame_free', ...slots.capability);
}

/** A frame, its own or another's, with very many branches, side by side or below each other, until it goes or they do. */
export function* branch(me: Colluder): Fiber<void> {
  const { random, raw, world, own } = me;
  const mine = yield* frame(me);
  if (mine === undefined) return;
  const others = world.capabilities.filter(([head]) => head >>> 24 === KIND.frame);
  const trunk = (random(4) === 0 ? pick(random, others) : undefined) ?? mine.capability;
  const chained = random(3) === 0;
  const nodes: number[] = [];
  let from = trunk;
  for (let i = random(ALL); i > 0; i -= 1) {
    const made = yield* call(me, 'cap_derive', ...from, 3, 1);
    if (made.code !== 0 && from === trunk) break;
    from = made.code === 0 && (chained || random(16) === 0) ? made.capability : trunk;
    if (made.code !== 0) continue;
    nodes.push(made.value);
    if (random(8) === 0) yield* call(me, 'frame_hold', ...(pick(random, own.slice(5)) ?? NONE), ...made.capability);
    if (random(16) === 0) world.post(made.capability);
  }
  yield* raw.sleep(random(4));
  // With the trunk all end at once, as far as nothing else holds it.
  for (const node of random(3) === 0 ? nodes : nodes.slice(0, 1)) yield* call(me, 'cap_revoke', ...trunk, node);
  yield* call(me, 'frame_free', ...trunk);
  yield* call(me, 'frame_free', ...mine.capability);
}

/** One transfer of very many blocks, which are neighbours or not. */
export function* scatter(me: Colluder): Fiber<void> {
  const { random, raw, world, own, extents } = me;
  const extent = pick(random, extents);
  const [list, one] = [yield* frame(me), yield* frame(me)];
  if (list === undefined || one === undefined) return;
  const others = world.capabilities.filter(([head]) => head >>> 24 === KIND.frame);
  const other = pick(random, others) ?? one.capability;
  const share = 1 + random(4);
  const count = 1 + random(TRANSFER_LIMIT);
  const blocks = extent?.blocks ?? GRANTED;
  const entries = Array.from({ length: count }, (_, i) => [
    ...(random(share) === 0 ? other : one.capability),
    (random(2) === 0 ? i : random(blocks)) % blocks,
  ]);
  yield* fill(raw, list, new Uint8Array(new Uint32Array(entries.flat()).buffer, 0, TRANSFER_BYTES * count));
  const of = extent?.capability ?? own[2] ?? NONE;
  yield* call(me, 'disk_request', ...of, ...list.capability, count, random(3) === 0 ? 1 : 0, random(16));
  yield* call(me, 'frame_free', ...list.capability);
  if (random(2) === 0) yield* call(me, 'frame_free', ...one.capability);
  else own.push(one.capability);
}

/** What is in the registry goes, as far as any environment can have that: a dirty block is written, the frame of a clean one allocated. */
function* sweep(me: Colluder): Fiber<void> {
  const { raw, world } = me;
  const { memory } = world.aegis.parts;
  for (const isDirty of [true, false]) {
    for (let i = 0; i < BUFFER_LIMIT; i += 1) {
      const word = (field: number): number => memory.port.load32(EXPOSED.buffers + BUFFER_BYTES * i + field);
      if (word(BUFFER.state) !== BUFFER_STATES.valid) continue;
      if (isDirty && word(BUFFER.dirty) !== 0) yield* call(me, 'bc_write', ...NONE, word(BUFFER.block), 0);
      const one = isDirty ? undefined : yield* frame(me, word(BUFFER.ppn));
      if (one !== undefined) yield* call(me, 'frame_free', ...one.capability);
    }
    if (isDirty) yield* raw.sleep(4);
  }
}

/** An extent of which many blocks are cached, most of them not on the disk yet; it goes with all of them. */
export function* cache(me: Colluder): Fiber<void> {
  const { random, raw, world } = me;
  if (random(2) === 0) yield* sweep(me);
  const blocks = 1 + random(random(2) === 0 ? 6 : 16);
  const extent = yield* call(me, 'extent_alloc', -1, blocks);
  if (extent.code !== 0) return;
  const dirty = random(4) > 0;
  const frames = (): CapabilityWords[] => world.capabilities.filter(([head]) => head >>> 24 === KIND.frame);
  // Images are granted the first blocks, whatever else lies there.
  for (let block = Math.max(extent.value, GRANTED); block < extent.value + blocks; block += 1) {
    const one = yield* frame(me);
    if (one === undefined) break;
    // Its own, or another's, which it then has as the block's.
    const other = random(3) === 0 ? pick(random, frames()) : undefined;
    const words = other ?? one.capability;
    const inserted = yield* call(me, 'bc_insert', ...extent.capability, ...words, block, dirty ? 1 : random(2));
    if (other !== undefined && inserted.code === 0) yield* call(me, 'bc_map', ...extent.capability, block);
    yield* call(me, 'frame_free', ...one.capability);
  }
  if (random(3) === 0) {
    const made = yield* call(me, 'cap_derive', ...extent.capability, 3, 1);
    if (made.code === 0) world.post(made.capability);
  }
  yield* raw.sleep(random(4));
  yield* call(me, 'extent_free', ...extent.capability);
}
