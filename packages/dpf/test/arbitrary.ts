/** Random filters and packets whose values are of few bits, so that they match now and then. */
import fc from 'fast-check';
import { fullMask, type FieldSize } from '../src/atoms.ts';
import type { Atom } from '../src/index.ts';

const size = fc.constantFrom<FieldSize>(1, 2, 4);

export const testAtom: fc.Arbitrary<Atom> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('eq' as const), offset: fc.nat(10), size, value: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc
      .record({
        kind: fc.constant('meq' as const),
        offset: fc.nat(10),
        size,
        mask: fc.constantFrom(1, 3, 0x80, 0xff),
        value: fc.nat(3),
      })
      .map((one) => ({ ...one, mask: one.mask & fullMask(one.size), value: one.value & one.mask })),
  },
);

const atom: fc.Arbitrary<Atom> = fc.oneof(
  { weight: 7, arbitrary: testAtom },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('shift' as const),
      offset: fc.nat(6),
      size,
      mask: fc.constantFrom(1, 3),
      shift: fc.nat(2),
    }),
  },
);

export const filter: fc.Arbitrary<Atom[]> = fc.array(atom, { minLength: 1, maxLength: 5 });
export const packet: fc.Arbitrary<Uint8Array> = fc
  .array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3), { maxLength: 24 })
  .map((bytes) => Uint8Array.from(bytes));
