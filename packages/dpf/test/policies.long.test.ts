/** Who gets a packet that several filters accept, against an evaluator that knows no trie; and which filters overlap at all. */
import { interpret } from '@exokernel/vcode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalize, testedBits } from '../src/atoms.ts';
import {
  arp,
  compileFilters,
  DpfError,
  FilterSet,
  icmpEcho,
  matches,
  tcp,
  udp,
  type Atom,
  type FieldSize,
  type OverlapPolicy,
} from '../src/index.ts';
import { canOverlap, isWithin } from '../src/overlap.ts';
import { filter, packet, testAtom } from './arbitrary.ts';
import { copiesOnMips, onMips } from './on-mips.ts';

const eq = (offset: number, value: number, size: FieldSize = 1): Atom => ({ kind: 'eq', offset, size, value });
const refused = (run: () => unknown): boolean => {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof DpfError && error.code === 'overlap') return true;
    throw error;
  }
};
const overlap = (a: readonly Atom[], b: readonly Atom[]): boolean => canOverlap(normalize(a), normalize(b));

describe('overlap', () => {
  const ip = '10.0.0.1';
  test.each<[string, Atom[], Atom[], boolean]>([
    ['two ports', tcp({ dstPort: 80 }), tcp({ dstPort: 81 }), false],
    ['a port and an address', tcp({ dstPort: 80 }), tcp({ dstIp: ip }), true],
    ['a listener and its connection', tcp({ dstPort: 80 }), tcp({ dstPort: 80, srcPort: 9 }), true],
    ['two protocols', tcp({ dstPort: 80 }), udp({ dstPort: 80 }), false],
    ['ARP and ICMP', arp(), icmpEcho(), false],
    ['bits beside each other', [eq(0, 1)], [{ kind: 'meq', offset: 0, size: 1, mask: 0xf0, value: 0 }], true],
    ['bits that exclude each other', [eq(0, 1)], [{ kind: 'meq', offset: 0, size: 1, mask: 0xf1, value: 0 }], false],
    ['fields that are cut differently', [eq(0, 0x0102, 2)], [eq(1, 3)], false],
    [
      'a shift whose length the other demands',
      [{ kind: 'shift', offset: 0, size: 1, mask: 0x0f, shift: 2 }, eq(0, 7)],
      [eq(0, 0x45), eq(20, 8)],
      false,
    ],
    [
      'a shift that may lead anywhere',
      [{ kind: 'shift', offset: 0, size: 1, mask: 0x0f, shift: 2 }, eq(0, 7)],
      [eq(20, 8)],
      true,
    ],
  ])('%s', (_, a, b, expected) => {
    expect(overlap(a, b)).toBe(expected);
    expect(overlap(b, a)).toBe(expected);
  });

  test('filters that some packet satisfies together overlap', () => {
    let together = 0;
    fc.assert(
      fc.property(filter, filter, fc.array(packet, { maxLength: 30 }), (a, b, packets) => {
        if (!packets.some((bytes) => matches(a, bytes) && matches(b, bytes))) return;
        together += 1;
        expect(overlap(a, b)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(together).toBeGreaterThan(10);
  });

  test('without shifts, filters overlap only if some packet satisfies both', () => {
    const tests = fc.array(testAtom, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(tests, tests, (a, b) => {
        // The packet that has every bit that either demands.
        const bytes = new Uint8Array(24);
        for (const one of normalize([...a, ...b])) {
          if (one.kind === 'shift') continue;
          for (let i = 0; i < one.size; i += 1) {
            bytes[one.offset + i] = (bytes[one.offset + i] ?? 0) | (one.value >>> (8 * (one.size - 1 - i)));
          }
        }
        expect(overlap(a, b)).toBe(matches(a, bytes) && matches(b, bytes));
      }),
      { numRuns: 1000 },
    );
  });
});

interface Known {
  readonly id: number;
  readonly atoms: Atom[];
  readonly policy: OverlapPolicy;
  readonly bits: number;
  readonly age: number;
}

const beats = (a: Known, b: Known): boolean => {
  const choosy: readonly OverlapPolicy[] = ['first', 'refuse'];
  if (choosy.includes(a.policy) || choosy.includes(b.policy)) return a.age < b.age;
  return a.bits !== b.bits ? a.bits > b.bits : a.age < b.age;
};

/** The winner by pairs, and all that get copies. */
function naive(known: readonly Known[], bytes: Uint8Array): { winner: number; copies: number[] } {
  const all = known.filter(({ atoms }) => matches(atoms, bytes));
  const rivals = all.filter(({ policy }) => policy !== 'all');
  const [winner] = rivals.filter((one) => rivals.every((other) => other === one || beats(one, other)));
  expect(rivals.length === 0 || winner !== undefined).toBe(true);
  return {
    winner: winner?.id ?? -1,
    copies: all.some(({ policy }) => policy === 'refuse')
      ? []
      : all.filter(({ policy }) => policy === 'all').map(({ id }) => id),
  };
}

const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);

test('the winner and the copies are those of the evaluator, on every back end, through inserts and deletes', () => {
  const seen = { several: 0, copies: 0, refused: 0 };
  const policy = fc.constantFrom<OverlapPolicy>('specific', 'specific', 'first', 'first', 'refuse', 'all');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(filter, policy), { minLength: 2, maxLength: 14 }),
      fc.array(fc.nat(13), { maxLength: 4 }),
      fc.array(packet, { minLength: 4, maxLength: 10 }),
      (filters, deletes, packets) => {
        const set = new FilterSet();
        const classifier = compileFilters(set, { windowBytes: 64 });
        let known: Known[] = [];
        const insert = ([atoms, how]: [Atom[], OverlapPolicy], age: number): void => {
          const one = { atoms, policy: how, bits: testedBits(normalize(atoms)), age };
          const isBarred = known.some(
            (other) =>
              (how === 'refuse' && overlap(atoms, other.atoms)) ||
              (other.policy === 'refuse' && isWithin(normalize(atoms), normalize(other.atoms))),
          );
          let id = -1;
          const isRefused = refused(() => {
            id = set.insert(atoms, how);
          });
          if (isBarred) expect(isRefused).toBe(true);
          if (isRefused) seen.refused += 1;
          else known.push({ ...one, id });
        };
        const compare = (): void => {
          const [winners, copies] = [onMips(set), copiesOnMips(set)];
          for (const bytes of packets) {
            const expected = naive(known, bytes);
            if (known.filter(({ atoms }) => matches(atoms, bytes)).length > 1) seen.several += 1;
            seen.copies += expected.copies.length;
            expect(set.demux(bytes)).toBe(expected.winner);
            expect(classifier.demux(bytes)).toBe(expected.winner);
            expect(winners(bytes).id).toBe(expected.winner);
            expect(sorted(set.copies(bytes))).toEqual(sorted(expected.copies));
            expect(sorted(copies(bytes))).toEqual(sorted(expected.copies));
            const found = new Uint8Array(4 * set.size);
            const { value } = interpret(set.copiesProgram(), { fuel: 0x7fffffff, regions: [bytes, found] });
            expect(value).toBe(expected.copies.length);
          }
        };
        filters.forEach(insert);
        compare();
        for (const id of deletes) {
          if (!known.some((one) => one.id === id)) continue;
          set.delete(id);
          known = known.filter((one) => one.id !== id);
        }
        compare();
        filters.slice(0, 3).forEach((one, i) => {
          insert(one, filters.length + i);
        });
        compare();
      },
    ),
    { numRuns: 200 },
  );
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(50);
});

describe('policies', () => {
  const packetOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

  test('first: who came first wins over the more specific, and loses to the less specific that came before', () => {
    const set = new FilterSet();
    const early = set.insert([eq(0, 1)], 'first');
    set.insert([eq(0, 1), eq(1, 1)]);
    expect(set.demux(packetOf(1, 1))).toBe(early);
    const other = set.insert([eq(2, 9)]);
    set.insert([eq(2, 9), eq(3, 9)], 'first');
    expect(set.demux(packetOf(0, 0, 9, 9))).toBe(other);
  });

  test('a filter without a place among the others is refused, and then nothing is changed', () => {
    const set = new FilterSet();
    const first = set.insert([eq(0, 1), eq(1, 1)]);
    set.insert([eq(0, 1)], 'first');
    // More specific than the first, which wins over the second, which would win over it.
    expect(refused(() => set.insert([eq(0, 1), eq(1, 1), eq(2, 1)]))).toBe(true);
    expect(set.size).toBe(2);
    expect(set.demux(packetOf(1, 1, 1))).toBe(first);
    // Where they do not meet it has one.
    expect(set.insert([eq(0, 1), eq(1, 2), eq(2, 1)])).toBe(2);
  });

  test('refuse: no packet of it is shared: what came before is in its way, what comes later loses, also copies', () => {
    const set = new FilterSet();
    set.insert([eq(0, 1)]);
    expect(refused(() => set.insert([eq(1, 1)], 'refuse'))).toBe(true);
    const own = set.insert([eq(0, 2)], 'refuse');
    // Filters that only meet it here and there are not kept out.
    const across = (['specific', 'first', 'all'] as const).map((policy, i) => set.insert([eq(1, 1), eq(2, i)], policy));
    for (const [i, id] of across.entries()) {
      const [alone, both] = [packetOf(3, 1, i), packetOf(2, 1, i)];
      expect([set.demux(both), set.copies(both)]).toEqual([own, []]);
      expect(i === 2 ? set.copies(alone) : [set.demux(alone)]).toEqual([id]);
      expect(copiesOnMips(set)(both)).toEqual([]);
      set.delete(id);
    }
    for (const policy of ['specific', 'first', 'refuse', 'all'] as const) {
      expect(
        refused(() => set.insert([eq(0, 2), eq(1, 1)], policy)),
        policy,
      ).toBe(true);
    }
    set.delete(own);
    expect(set.insert([eq(1, 1)], 'all')).toBe(own);
    expect(refused(() => set.insert([eq(0, 2)], 'refuse'))).toBe(true);
  });

  test('all: the same atoms as often as one likes, beside any winner; each goes away alone', () => {
    const set = new FilterSet();
    const winner = set.insert([eq(0, 1)]);
    const copies = Array.from({ length: 3 }, () => set.insert([eq(0, 1)], 'all'));
    expect(set.demux(packetOf(1))).toBe(winner);
    expect(set.copies(packetOf(1))).toEqual(copies);
    expect(set.overlapping(winner)).toEqual(copies);
    for (const gone of [copies[0], copies[2], copies[1]]) {
      set.delete(gone ?? -1);
      copies.splice(copies.indexOf(gone ?? -1), 1);
      expect(sorted(set.copies(packetOf(1)))).toEqual(copies);
    }
    expect(set.copyCount).toBe(0);
    expect(set.demux(packetOf(1))).toBe(winner);
  });
});
