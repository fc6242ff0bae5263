import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { compileMips, interpret } from '@exokernel/vcode';
import { compileFilters, DpfError, FilterSet, matches, type Atom, type FieldSize } from '../src/index.ts';
import { filter, packet } from './arbitrary.ts';
import { onMips } from './on-mips.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof DpfError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

const eq = (offset: number, value: number, size: FieldSize = 1): Atom => ({ kind: 'eq', offset, size, value });

describe('misuse', () => {
  test.each<[string, Atom[]]>([
    ['no atoms', []],
    ['a value beyond the field', [eq(0, 256)]],
    ['a negative offset', [eq(-1, 0)]],
    ['an offset that cannot be checked at once', [eq(0x7ff1, 0)]],
    ['a size of three', [eq(0, 0, 3 as FieldSize)]],
    ['an empty mask', [{ kind: 'meq', offset: 0, size: 1, mask: 0, value: 0 }]],
    ['a value outside its mask', [{ kind: 'meq', offset: 0, size: 1, mask: 0xf0, value: 1 }]],
    ['a shift that leaps', [{ kind: 'shift', offset: 0, size: 4, mask: 0xffffffff, shift: 0 }]],
    ['a shift by 16', [{ kind: 'shift', offset: 0, size: 1, mask: 1, shift: 16 }]],
    ['an unknown kind', [{ kind: 'or', offset: 0, size: 1, value: 0 } as unknown as Atom]],
    ['too many shifts', new Array<Atom>(33).fill({ kind: 'shift', offset: 0, size: 1, mask: 1, shift: 0 })],
  ])('%s', (_, atoms) => {
    expect(code(() => new FilterSet().insert(atoms))).toBe('malformed');
  });
  test('a duplicate overlaps, also when its fields are cut differently', () => {
    const set = new FilterSet();
    const id = set.insert([eq(12, 0x0800, 2)]);
    expect(code(() => set.insert([eq(12, 8), eq(13, 0)]))).toBe('overlap');
    set.delete(id);
    expect(set.insert([eq(12, 8), eq(13, 0)])).toBe(id);
  });
  test('limits of atoms and filters; ids are reused', () => {
    const set = new FilterSet();
    expect(code(() => set.insert(new Array<Atom>(257).fill(eq(0, 0))))).toBe('limit');
    for (let i = 0; i < 256; i += 1) expect(set.insert([eq(0, i)])).toBe(i);
    expect(code(() => set.insert([eq(1, 0)]))).toBe('limit');
    set.delete(200);
    set.delete(7);
    expect(code(() => set.delete(7))).toBe('unknown-filter');
    expect([set.insert([eq(1, 0)]), set.insert([eq(1, 1)])].sort((a, b) => a - b)).toEqual([7, 200]);
  });
  test('packets that are too long or outside the window', () => {
    const classifier = compileFilters(new FilterSet(), { windowBytes: 100 });
    expect(code(() => classifier.demux(new Uint8Array(0x10001)))).toBe('range');
    expect(code(() => classifier.classify(90, 11))).toBe('range');
    expect(code(() => classifier.classify(-4, 2))).toBe('range');
    expect(code(() => classifier.classifyBatch(0, 20, 0))).toBe('range');
    new DataView(classifier.window.buffer).setUint32(0, 0xfffffff0, true);
    const set = new FilterSet();
    set.insert([eq(0, 1)]);
    const other = compileFilters(set, { windowBytes: 100 });
    new DataView(other.window.buffer).setUint32(0, 0xfffffff0, true);
    new DataView(other.window.buffer).setUint32(4, 16, true);
    expect(code(() => other.classifyBatch(0, 1, 32))).toBe('range');
  });
});

describe('longest match', () => {
  test('more bits win, whatever the order; equals go to the first', () => {
    const prefix = (bits: number): Atom => {
      const mask = bits === 0 ? 0x80000000 : (0xffffffff << (32 - bits)) >>> 0;
      return { kind: 'meq', offset: 0, size: 4, mask, value: (0x0a0b0c0d & mask) >>> 0 };
    };
    const set = new FilterSet();
    const eight = set.insert([prefix(8)]);
    const full = set.insert([prefix(32)]);
    const sixteen = set.insert([prefix(16)]);
    const first = set.insert([eq(4, 1, 2)]);
    const second = set.insert([{ ...prefix(16), offset: 4, value: 0x00010000 } as Atom]);
    const classifier = compileFilters(set);
    const mips = onMips(set);
    for (const [bytes, winner] of [
      [[10, 11, 12, 13], full],
      [[10, 11, 12, 14], sixteen],
      [[10, 12, 0, 0], eight],
      [[9, 0, 0, 0, 0, 1, 0, 0], first],
      [[10, 12, 0, 0, 0, 1, 0, 0], first],
      [[10, 11, 0, 0, 0, 1, 0, 0], sixteen],
      [[10, 11], -1],
    ] as const) {
      const packet = Uint8Array.from(bytes);
      expect([set.demux(packet), classifier.demux(packet), mips(packet).id]).toEqual([winner, winner, winner]);
    }
    expect(second).toBeGreaterThan(first);
  });
});

/** The definition: every filter by itself, the best by bits and age. */
function naive(filters: ReadonlyMap<number, { atoms: readonly Atom[]; age: number }>, packet: Uint8Array): number {
  let [winner, most, age] = [-1, -1, 0];
  for (const [id, filter] of filters) {
    if (!matches(filter.atoms, packet)) continue;
    let bits = 0;
    for (const atom of filter.atoms) {
      if (atom.kind === 'shift') continue;
      bits += atom.kind === 'eq' ? 8 * atom.size : atom.mask.toString(2).replaceAll('0', '').length;
    }
    if (bits > most || (bits === most && filter.age < age)) [winner, most, age] = [id, bits, filter.age];
  }
  return winner;
}

test('trie walk, interpreter, WebAssembly and MIPS agree with the linear matcher, through inserts and deletes', () => {
  let matched = 0;
  fc.assert(
    fc.property(
      fc.array(filter, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(11), { maxLength: 4 }),
      fc.array(packet, { minLength: 3, maxLength: 8 }),
      fc.constantFrom({ align: 1 as const }, { align: 4 as const }, { align: 4 as const, skew: 2 }),
      (filters, deletes, packets, region) => {
        const set = new FilterSet();
        const classifier = compileFilters(set, { windowBytes: 1024 });
        const known = new Map<number, { atoms: readonly Atom[]; age: number }>();
        const insert = (atoms: readonly Atom[], age: number): void => {
          try {
            known.set(set.insert(atoms), { atoms, age });
          } catch (error) {
            if (!(error instanceof DpfError) || error.code !== 'overlap') throw error;
          }
        };
        const compare = (): void => {
          const mips = onMips(set, region);
          const view = new DataView(classifier.window.buffer);
          packets.forEach((bytes, i) => {
            const winner = naive(known, bytes);
            if (winner >= 0) matched += 1;
            expect(set.demux(bytes)).toBe(winner);
            expect(classifier.demux(bytes)).toBe(winner);
            expect(mips(bytes).id).toBe(winner);
            expect(interpret(set.program(), { fuel: 0x7fffffff, regions: [bytes] }).value - 1).toBe(winner);
            classifier.window.set(bytes, 256 + 32 * i);
            expect(classifier.classify(256 + 32 * i, bytes.length)).toBe(winner);
            view.setUint32(8 * i, 256 + 32 * i, true);
            view.setUint32(8 * i + 4, bytes.length, true);
          });
          classifier.classifyBatch(0, packets.length, 128);
          packets.forEach((bytes, i) => {
            expect(view.getUint32(128 + 4 * i, true) - 1).toBe(naive(known, bytes));
          });
        };
        filters.forEach(insert);
        compare();
        for (const id of deletes) {
          if (!known.delete(id)) continue;
          set.delete(id);
        }
        compare();
        filters.slice(0, 2).forEach((atoms, i) => {
          insert(atoms, filters.length + i);
        });
        compare();
      },
    ),
    { numRuns: 250 },
  );
  expect(matched).toBeGreaterThan(200);
});

test('a filter of 256 atoms, and 1,000 filters, compile', () => {
  const set = new FilterSet({ maxFilters: 1000 });
  const long = Array.from({ length: 256 }, (_, i): Atom => eq(2 * i, i & 0xff));
  const id = set.insert(long);
  const bytes = new Uint8Array(520);
  for (let i = 0; i < 256; i += 1) bytes[2 * i] = i;
  expect(onMips(set)(bytes).id).toBe(id);
  expect(compileFilters(set).demux(bytes)).toBe(id);
  for (let i = 0; i < 999; i += 1) set.insert([eq(600, 7, 2), eq(610, i, 4)]);
  const other = new Uint8Array(700);
  other.set([0, 7], 600);
  new DataView(other.buffer).setUint32(610, 567);
  expect(compileFilters(set).demux(other)).toBe(568);
  expect(onMips(set)(other).id).toBe(568);
});

test('a set follows from the list of its filters: made again with the same ids in the same order, it gives the same code', () => {
  const policy = fc.constantFrom('specific' as const, 'first' as const, 'refuse' as const, 'all' as const);
  const step = fc.oneof({ weight: 3, arbitrary: fc.tuple(filter, policy) }, { weight: 2, arbitrary: fc.nat(15) });
  let deleted = 0;
  const compiled = (set: FilterSet): unknown => {
    const programs = [
      set.size === set.copyCount ? [] : [set.program()],
      set.copyCount > 0 ? [set.copiesProgram()] : [],
    ];
    return [set.explain(), programs.flat().map((program) => [...compileMips(program, 0).words])];
  };
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 30 }), filter, policy, (steps, last, lastPolicy) => {
      const set = new FilterSet();
      const list = new Map<number, readonly [readonly Atom[], typeof lastPolicy]>();
      for (const one of steps) {
        if (typeof one !== 'number') {
          try {
            list.set(set.insert(...one), one);
          } catch (error) {
            if (!(error instanceof DpfError)) throw error;
          }
        } else if (list.delete(one)) {
          set.delete(one);
          deleted += 1;
        }
      }
      const again = new FilterSet();
      for (const [id, one] of list) expect(again.insert(...one, id)).toBe(id);
      expect(compiled(again)).toEqual(compiled(set));
      expect(code(() => again.insert(last, lastPolicy))).toBe(code(() => set.insert(last, lastPolicy)));
      expect(compiled(again)).toEqual(compiled(set));
    }),
    { numRuns: 150 },
  );
  expect(deleted).toBeGreaterThan(50);
});

test('an id that is taken, or none, is refused', () => {
  const set = new FilterSet({ maxFilters: 8 });
  expect(set.insert([eq(0, 1)], 'specific', 5)).toBe(5);
  for (const id of [5, 8, -1, 1.5, NaN]) expect(code(() => set.insert([eq(0, 2)], 'specific', id))).toBe('limit');
  expect(set.size).toBe(1);
});
