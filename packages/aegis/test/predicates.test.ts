/** Wakeup predicates: an environment sleeps until words that it may read are as it wants. [XOK] */
import { ENV, ENV_BYTES, ERRORS, EXPOSED, PREDICATE, type CapabilityWords } from '@exokernel/abi';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PREDICATE_LIMIT } from '../src/layout.ts';
import {
  boot,
  checkInvariants,
  encodePredicate,
  exposedWord,
  type Fiber,
  FIRST_FREE_FRAME,
  type PredicateTerm,
  type Raw,
  type RawFrame,
  rawImage,
  runRaw,
} from '../../testkit/src/index.ts';

function* install(raw: Raw, bytes: Uint8Array, length: number = bytes.length): Fiber<number> {
  const frame = yield* raw.frame();
  yield* raw.fill(frame, bytes);
  const code = yield* raw.code('wake_set', ...frame.capability, length);
  yield* raw.code('frame_free', ...frame.capability);
  return code;
}

const word = ({ ppn, capability }: RawFrame, offset = 0): { physical: number; capability: CapabilityWords } => ({
  physical: 4096 * ppn + offset,
  capability,
});

function wakeTag(raw: Raw, env: number): Fiber<number> {
  return raw.fibers.load(TABLE + ENV_BYTES * env + ENV.wakeTag);
}

/** Where the raw programs below map the page of the environment table. */
const TABLE = 0x300000;
function* mapTable(raw: Raw): Fiber<void> {
  expect(yield* raw.code('tlbwr', TABLE, EXPOSED.environments | 0x200, 0x65786f6b, 0x72656164)).toBe(0);
}

test('bytes that are no predicate, and words that may not be read, are refused', () => {
  const booted = runRaw(function* (raw) {
    const frame = yield* raw.frame();
    const good = encodePredicate([{ tag: 1, terms: [{ left: word(frame), operator: 'eq', right: 5 }] }]);
    const bent = (at: number, value: number): Uint8Array => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(4 * at, value, true);
      return bytes;
    };
    // Words: products, tag, terms, operator, then { kind, address, head, mac0, mac1 } and { kind, value, … }.
    for (const [what, bytes, code] of [
      ['no products', bent(0, 0), ERRORS.E_CODE],
      ['more products than there are', bent(0, 2), ERRORS.E_CODE],
      ['too many products', bent(0, PREDICATE.products + 1), ERRORS.E_CODE],
      ['tag 0', bent(1, 0), ERRORS.E_CODE],
      ['no terms', bent(2, 0), ERRORS.E_CODE],
      ['too many terms', bent(2, 0xffffffff), ERRORS.E_CODE],
      ['more terms than there are', bent(2, 2), ERRORS.E_CODE],
      ['no such operator', bent(3, 6), ERRORS.E_CODE],
      ['no such kind', bent(4, 2), ERRORS.E_CODE],
      ['an odd address', bent(5, (frame.ppn << 12) | 2), ERRORS.E_CODE],
      ['another frame', bent(5, (frame.ppn + 1) << 12), ERRORS.E_CAP],
      ['the kernel’s page', bent(5, 0x1000), ERRORS.E_CAP],
      ['the secret table', bent(5, 0x60000), ERRORS.E_CAP],
      ['beyond memory', bent(5, 0xfffff000), ERRORS.E_CAP],
      ['a bent MAC', bent(7, (frame.capability[2] ^ 1) >>> 0), ERRORS.E_CAP],
      ['more rights', bent(6, (frame.capability[0] | 0xff0000) >>> 0), ERRORS.E_CAP],
      ['bytes behind the end', Uint8Array.of(...good, 0, 0, 0, 0), ERRORS.E_CODE],
      ['too few', good.subarray(0, good.length - 4), ERRORS.E_CODE],
      ['half a word', good.subarray(0, good.length - 2), ERRORS.E_RANGE],
    ] as const) {
      expect([what, yield* install(raw, bytes)]).toEqual([what, code]);
    }
    expect(yield* install(raw, good, 4097)).toBe(ERRORS.E_RANGE);
    expect(yield* install(raw, good, -1)).toBe(ERRORS.E_RANGE);
    // Nine frames.
    const frames: RawFrame[] = [];
    for (let i = 0; i < 9; i += 1) frames.push(yield* raw.frame());
    const over = (n: number): Uint8Array =>
      encodePredicate([
        { tag: 1, terms: frames.slice(0, 8).map((f) => ({ left: word(f), operator: 'eq', right: 1 }) as const) },
        { tag: 2, terms: [{ left: word(frames[n] ?? frame), operator: 'eq', right: 1 }] },
      ]);
    expect(yield* install(raw, over(8))).toBe(ERRORS.E_RANGE);
    expect(yield* install(raw, over(7))).toBe(0);
    expect(yield* install(raw, good)).toBe(0);
    expect(yield* install(raw, good, 0)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.parts.predicates.pinned).toEqual([]);
});

test('it wakes at the word’s change and not before, with the tag of the product that holds', () => {
  let shared: RawFrame | undefined;
  const changes = [7, 3, 9];
  const sleeper = rawImage({
    main: function* (raw) {
      yield* mapTable(raw);
      shared = yield* raw.frame();
      const tags: number[] = [];
      for (const [i] of changes.entries()) {
        const term = (operator: PredicateTerm['operator'], right: number): PredicateTerm => ({
          left: word(shared ?? { ppn: 0, capability: [0, 0, 0, 0] }, 4 * i),
          operator,
          right,
        });
        const predicate = encodePredicate([
          { tag: 10, terms: [term('gt', 8)] },
          { tag: 20, terms: [term('ge', 5), term('lt', 8)] },
          { tag: 30, terms: [term('eq', 3)] },
        ]);
        expect(yield* install(raw, predicate)).toBe(0);
        yield* raw.routine('kit.sleep', 0);
        tags.push(yield* wakeTag(raw, 0));
      }
      expect(tags).toEqual([20, 30, 10]);
      return 0;
    },
  });
  const changer = rawImage({
    main: function* (raw) {
      for (const [i, value] of changes.entries()) {
        yield* raw.sleep(5);
        expect(booted.aegis.environment(0).slices).toBe(seen.slices + (i === 0 ? 0 : 1));
        seen.slices = booted.aegis.environment(0).slices;
        if (shared === undefined) throw new Error('the sleeper has not begun');
        expect(yield* raw.bind(0x400000, shared)).toBe(0);
        yield* raw.fibers.store(0x400000 + 4 * i, value);
      }
      return 0;
    },
  });
  const seen = { slices: 1 };
  const booted = boot([sleeper, changer]);
  expect(booted.finish(0, 1).map(({ exit }) => exit)).toEqual([0, 0]);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('words of the kernel’s own tables: waiting for another environment’s end', () => {
  const waiter = rawImage({
    main: function* (raw) {
      yield* mapTable(raw);
      const ended = exposedWord('environments', ENV_BYTES + ENV.status);
      expect(
        yield* install(raw, encodePredicate([{ tag: 5, terms: [{ left: ended, operator: 'eq', right: 3 }] }])),
      ).toBe(0);
      yield* raw.routine('kit.sleep', 0);
      return yield* wakeTag(raw, 0);
    },
  });
  const other = rawImage({
    main: function* (raw) {
      yield* raw.sleep(9);
      return 0;
    },
  });
  const booted = boot([waiter, other]);
  expect(booted.finish(0, 1).map(({ exit }) => exit)).toEqual([5, 0]);
});

test('its tick and an event wake it as ever, with no tag', () => {
  const booted = runRaw(function* (raw) {
    yield* mapTable(raw);
    const frame = yield* raw.frame();
    const never = encodePredicate([{ tag: 1, terms: [{ left: word(frame), operator: 'ne', right: 0 }] }]);
    expect(yield* install(raw, never)).toBe(0);
    const { value: now } = yield* raw.call('tick');
    yield* raw.routine('kit.sleep', now + 3);
    expect((yield* raw.call('tick')).value).toBeGreaterThanOrEqual(now + 3);
    expect(yield* wakeTag(raw, 0)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a predicate goes with the last hold of a variable’s frame, and who waits for it wakes', () => {
  const shared: { frame: RawFrame | undefined } = { frame: undefined };
  const booted = runRaw(
    function* (raw) {
      while (shared.frame === undefined) yield* raw.sleep(1);
      const never = encodePredicate([{ tag: 9, terms: [{ left: word(shared.frame), operator: 'eq', right: 1 }] }]);
      expect(yield* install(raw, never)).toBe(0);
      // Without a limit: only the end of the other wakes it.
      yield* raw.routine('kit.sleep', 0);
      yield* mapTable(raw);
      expect(yield* wakeTag(raw, 0)).toBe(0);
      expect(yield* raw.fibers.load(TABLE + ENV.predicate)).toBe(0);
      expect(yield* raw.code('frame_alloc', shared.frame.ppn)).toBe(0);
      return 0;
    },
    { alone: true },
    [
      rawImage({
        main: function* (raw) {
          shared.frame = yield* raw.frame();
          yield* raw.sleep(6);
          return 0;
        },
      }),
    ],
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});

test(`${PREDICATE_LIMIT} environments may have one; a refused one leaves the old in force`, () => {
  const booted = runRaw(function* (raw) {
    const frame = yield* raw.frame();
    const always = encodePredicate([{ tag: 9, terms: [{ left: word(frame), operator: 'eq', right: 0 }] }]);
    for (let i = 0; i < 3; i += 1) expect(yield* install(raw, always)).toBe(0);
    expect(yield* install(raw, always.subarray(0, 8))).toBe(ERRORS.E_CODE);
    yield* raw.routine('kit.sleep', 0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('what is compiled means what it says: random predicates against their evaluation', () => {
  const u32 = fc.oneof(fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
  const operators = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
  const side = fc.oneof(
    u32.map((value) => ({ value })),
    fc.nat(7).map((at) => ({ at })),
  );
  const term = fc.record({ left: side, operator: fc.constantFrom(...operators), right: side });
  const products = fc.array(fc.array(term, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });
  const compare = (operator: (typeof operators)[number], l: number, r: number): boolean =>
    ({ eq: l === r, ne: l !== r, lt: l < r, le: l <= r, gt: l > r, ge: l >= r })[operator];
  const cases = fc.sample(fc.tuple(products, fc.array(u32, { minLength: 8, maxLength: 8 })), { numRuns: 60, seed: 4 });
  const got: number[] = [];
  runRaw(function* (raw) {
    yield* mapTable(raw);
    const frames = [yield* raw.frame(), yield* raw.frame()];
    for (const [sum, values] of cases) {
      for (const [half, frame] of frames.entries()) {
        const bytes = new DataView(new ArrayBuffer(16));
        for (let i = 0; i < 4; i += 1) bytes.setUint32(4 * i, values[4 * half + i] ?? 0, true);
        yield* raw.fill(frame, new Uint8Array(bytes.buffer));
      }
      const encode = (s: { value: number } | { at: number }): PredicateTerm['left'] =>
        'value' in s ? s.value : word(frames[s.at >> 2] ?? { ppn: 0, capability: [0, 0, 0, 0] }, 4 * (s.at & 3));
      const encoded = encodePredicate(
        sum.map((terms, i) => ({
          tag: i + 1,
          terms: terms.map(({ left, operator, right }) => ({ left: encode(left), operator, right: encode(right) })),
        })),
      );
      expect(yield* install(raw, encoded)).toBe(0);
      yield* raw.routine('kit.sleep', (yield* raw.call('tick')).value + 3);
      got.push(yield* wakeTag(raw, 0));
    }
    return 0;
  });
  const wanted = cases.map(([sum, values]) => {
    const value = (s: { value: number } | { at: number }): number => ('value' in s ? s.value : (values[s.at] ?? 0));
    return 1 + sum.findIndex((terms) => terms.every((t) => compare(t.operator, value(t.left), value(t.right))));
  });
  expect(got).toEqual(wanted);
  expect(new Set(wanted).size).toBeGreaterThan(3);
});

test('what is compiled is short: instructions of one, two, three and eight terms', () => {
  const { aegis } = boot([rawImage({ main: (raw) => raw.code('null') })]);
  const term: PredicateTerm = { left: exposedWord('slices', 0), operator: 'eq', right: 5 };
  const sizes = [1, 2, 3, 8].map((n) =>
    aegis.parts.predicates.set(0, encodePredicate([{ tag: 1, terms: Array.from({ length: n }, () => term) }])),
  );
  expect(sizes).toEqual([27, 32, 36, 56]);
});
