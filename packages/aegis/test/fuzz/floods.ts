/**
 * Packets, more than a machine has time for: rings that are never full, behind filters that each get a copy, behind handlers that use up
 * their fuel, and long packets that an environment sends to itself.
 */
import { POLICIES, RING_SLOT, RING_SLOT_BYTES, type CapabilityWords } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { WINDOW, type Fiber, type RawFrame } from '../../../testkit/src/index.ts';
import { MAC } from '../outside.ts';
import { bytes, call, frame, NONE, type Colluder } from './colluding.ts';

/** The first of the types that packets have, and how many there are. */
export const FIRST_TYPE = 0x9000;
export const TYPES = 3;
const LONG = 1512;
/** Where packets lie in the frame of a ring, behind its slots. */
const BUFFER = 2048;
/** Bytes of a packet, zeros: what a receive ring of `neverFull` writes to the length of its other slot. */
export const ZEROS = { from: 64, to: 68 } as const;

/** A handler that stores until its fuel is used up. */
const ENDLESS = encodeHandler(
  defineHandler('endless', { windowBytes: 0 }, (h) => {
    h.code.while(1, () => {
      for (let i = 0; i < 64; i += 4) h.code.store(h.reply, 4, 'little', i, i);
    });
  }),
);

/** Binds filters of one type to a ring: one of any policy, or as many as get a copy each. */
export function* bindFilter(me: Colluder, ring: CapabilityWords, copies: number): Fiber<void> {
  const { random, own } = me;
  const filter = encodeFilter(etherType(FIRST_TYPE + random(TYPES)));
  yield* bytes(me, filter, function* (code) {
    for (let i = 0; i < copies; i += 1) {
      const policy = copies > 1 ? POLICIES.all : random(4);
      const bound = yield* call(me, 'filter_bind', ...code.capability, ...ring, filter.length, policy);
      if (bound.code !== 0) return;
      if (copies === 1) own.push(bound.capability);
    }
  });
}

/** Words of a frame of zeros, by offset. */
function* write(me: Colluder, to: RawFrame, words: ReadonlyMap<number, number>): Fiber<void> {
  yield* me.raw.bind(WINDOW, to);
  for (const [at, word] of words) yield* me.raw.poke(WINDOW + at, word);
  yield* me.raw.code('tlbvad', WINDOW);
}

/** A receive ring of two slots that is never full: four bytes of what is stored in one are the length of the other. */
function* neverFull(me: Colluder): Fiber<void> {
  const slots = yield* frame(me);
  if (slots === undefined) return;
  const words = new Map<number, number>();
  for (const i of [0, 1]) {
    const buffers = [BUFFER, 64, RING_SLOT_BYTES * (1 - i) + RING_SLOT.length, 4, BUFFER + ZEROS.to, LONG - ZEROS.to];
    for (const [n, word] of buffers.entries()) words.set(RING_SLOT_BYTES * i + RING_SLOT.buffers + 4 * n, word);
  }
  yield* write(me, slots, words);
  const ring = yield* call(me, 'ring_bind', ...slots.capability, 0, 2);
  if (ring.code === 0) me.listening = { slots, ring: ring.capability };
  else yield* call(me, 'frame_free', ...slots.capability);
}

function* stop(me: Colluder): Fiber<void> {
  const { listening } = me;
  if (listening === undefined) return;
  yield* call(me, 'ring_free', ...listening.ring);
  yield* call(me, 'frame_free', ...listening.slots.capability);
  me.listening = undefined;
}

/** Listens from now on, or not any more: for one type or some, by as many filters as it gets. */
export function* listen(me: Colluder): Fiber<void> {
  const { random, own } = me;
  if (me.listening !== undefined && random(4) === 0) {
    yield* stop(me);
    return;
  }
  if (me.listening === undefined) yield* neverFull(me);
  const ring = me.listening?.ring;
  if (ring === undefined) return;
  yield* bindFilter(me, ring, 1);
  const claiming = own.at(-1) ?? NONE;
  if (random(3) === 0) {
    yield* bytes(me, ENDLESS, function* (code) {
      yield* call(me, 'ash_attach', ...claiming, ...code.capability, ENDLESS.length);
    });
  }
  if (random(2) === 0) yield* bindFilter(me, ring, 4 + random(60));
  if (random(4) === 0) yield* call(me, 'tap_bind', ...(own[3] ?? NONE), ...ring);
}

/** Long packets to itself, again and again. */
export function* flood(me: Colluder): Fiber<void> {
  const { random, raw } = me;
  if (me.listening === undefined) yield* listen(me);
  const out = yield* frame(me);
  if (out === undefined) return;
  const slots = 16;
  const words = new Map<number, number>();
  for (let i = 0; i < slots; i += 1) {
    words.set(RING_SLOT_BYTES * i + RING_SLOT.buffers, BUFFER);
    words.set(RING_SLOT_BYTES * i + RING_SLOT.buffers + 4, LONG);
  }
  const head = Uint8Array.of(...MAC, ...MAC, FIRST_TYPE >> 8, random(TYPES), 0, 0);
  for (let at = 0; at < head.length; at += 4) words.set(BUFFER + at, new DataView(head.buffer).getInt32(at, true));
  yield* write(me, out, words);
  const ring = yield* call(me, 'ring_bind', ...out.capability, 1, slots);
  for (let times = random(4); ring.code === 0 && times >= 0; times -= 1) {
    const full = 1 + random(slots);
    yield* write(
      me,
      out,
      new Map(Array.from({ length: full }, (_, i) => [RING_SLOT_BYTES * i + RING_SLOT.length, LONG])),
    );
    yield* call(me, 'xmit', ring.value);
    yield* raw.sleep(1);
  }
  yield* call(me, 'ring_free', ...ring.capability);
  yield* call(me, 'frame_free', ...out.capability);
}
