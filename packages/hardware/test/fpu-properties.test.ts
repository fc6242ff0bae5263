import type { Mnemonic } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FpuBench } from './fpu-support.ts';
import { arithmetic, compare, convert, type Format, type Outcome } from './softfloat.ts';

/** Bits of numbers that meet: few exponents near each other, near the ends and near 0; fractions of few bits or many. */
function bitsOf(format: Format): fc.Arbitrary<bigint> {
  const [width, fraction, max] = format === 's' ? [32, 23, 255] : [64, 52, 2047];
  const exponent = fc.oneof(
    fc.integer({ min: 0, max }),
    fc.integer({ min: (max - 1) / 2 - 60, max: (max - 1) / 2 + 60 }),
    fc.constantFrom(0, 1, 2, max - 2, max - 1, max),
  );
  const digits = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << BigInt(fraction)) - 1n }),
    fc.constantFrom(0n, 0n, 1n, 2n, (1n << BigInt(fraction)) - 1n, 1n << BigInt(fraction - 1)),
    fc.integer({ min: 0, max: fraction - 1 }).map((n) => (1n << BigInt(n)) - 1n),
    fc.bigInt({ min: 0n, max: 255n }).map((n) => n << BigInt(fraction - 8)),
  );
  return fc
    .tuple(fc.boolean(), exponent, digits)
    .map(([sign, e, f]) => (BigInt(sign) << BigInt(width - 1)) | (BigInt(e) << BigInt(fraction)) | f);
}

/** The second operand is often close to the first: cancellation, halves, quotients near 1. */
function pair(format: Format): fc.Arbitrary<[bigint, bigint]> {
  const sign = 1n << (format === 's' ? 31n : 63n);
  const bits = bitsOf(format);
  const near = fc.tuple(bits, fc.bigInt({ min: -4n, max: 4n }), fc.boolean()).map(([a, by, flip]): [bigint, bigint] => {
    const b = BigInt.asUintN(format === 's' ? 32 : 64, a + by);
    return [a, flip ? b ^ sign : b];
  });
  return fc.oneof({ weight: 3, arbitrary: fc.tuple(bits, bits) }, { weight: 1, arbitrary: near });
}

const bench = new FpuBench();
const KEPT = 0x89abcdefn;

/** Holds one operation against the expected outcome, with and without traps. */
function check(mnemonic: Mnemonic, a: bigint, b: bigint, mode: number, enables: number, expected: Outcome): void {
  const isCompare = mnemonic.startsWith('c.');
  const kept = isCompare ? 0n : /^cvt\.d|^[^c].*\.d$/.test(mnemonic) ? 0x0123456789abcdefn : KEPT;
  const found = bench.run(mnemonic, a, b, mode | (enables << 7));
  const enabled = [...'VZOUI'].filter((_, i) => (enables & (0x10 >> i)) !== 0);
  const traps = [...expected.flags].some((flag) => flag === 'E' || enabled.includes(flag));
  const what = `${mnemonic} 0x${a.toString(16)} 0x${b.toString(16)} mode ${mode}`;
  expect({ what, ...found }).toEqual({
    what,
    bits: traps ? kept : expected.bits,
    cause: expected.flags,
    flags: traps ? '' : expected.flags,
    trapped: traps,
  });
}

const mode = fc.integer({ min: 0, max: 3 });
/** Mostly no traps. */
const enables = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 31 }));

describe.each(['s', 'd'] as const)('the unit is a softfloat in BigInt, format %s [IEEE754]', (f) => {
  test.each(['add', 'sub', 'mul', 'div'] as const)('%s', (op) => {
    fc.assert(
      fc.property(pair(f), mode, enables, ([a, b], m, e) => {
        check(`${op}.${f}`, a, b, m, e, arithmetic(op, f, a, b, m));
      }),
      { numRuns: 3000 },
    );
  });

  test('comparisons', () => {
    const conditions = 'f un eq ueq olt ult ole ule sf ngle seq ngl lt nge le ngt'.split(' ');
    fc.assert(
      fc.property(pair(f), fc.nat(15), enables, ([a, b], condition, e) => {
        const mnemonic = `c.${conditions[condition] ?? ''}.${f}` as Mnemonic;
        check(mnemonic, a, b, 0, e, compare(f, condition, a, b));
      }),
      { numRuns: 3000 },
    );
  });

  test('conversions', () => {
    const other = f === 's' ? 'd' : 's';
    fc.assert(
      fc.property(bitsOf(f), fc.bigInt({ min: 0n, max: 0xffffffffn }), mode, enables, (a, w, m, e) => {
        check(`cvt.${other}.${f}` as Mnemonic, a, 0n, m, e, convert(other, f, a, m));
        check(`cvt.w.${f}`, a, 0n, m, e, convert('w', f, a, m));
        check(`cvt.${f}.w`, w, 0n, m, e, convert(f, 'w', w, m));
      }),
      { numRuns: 2000 },
    );
  });
});

test('results at the ends of the range, in every mode', () => {
  const ends = (f: Format): bigint[] => {
    const [min, max] = f === 's' ? [0x00800000n, 0x7f7fffffn] : [0x0010000000000000n, 0x7fefffffffffffffn];
    const sign = f === 's' ? 0x80000000n : 0x8000000000000000n;
    const one = f === 's' ? 0x3f800000n : 0x3ff0000000000000n;
    const half = f === 's' ? 0x3f000000n : 0x3fe0000000000000n;
    const all = [
      0n,
      min,
      min + 1n,
      2n * min,
      max,
      max - 1n,
      half,
      half - 1n,
      one,
      one + 1n,
      one - 1n,
      max / 2n,
      max + 1n,
    ];
    // Half a unit in the last place of the largest number, more and less.
    const ulp = f === 's' ? 0x73000000n : 0x7c90000000000000n;
    return [...all, ulp, ulp + 1n, ulp - 1n].flatMap((x) => [x, x | sign]);
  };
  let checked = 0;
  for (const f of ['s', 'd'] as const) {
    for (const a of ends(f)) {
      for (const b of ends(f)) {
        for (const op of ['add', 'sub', 'mul', 'div'] as const) {
          for (let m = 0; m < 4; m += 1) {
            const expected = arithmetic(op, f, a, b, m);
            const found = bench.run(`${op}.${f}`, a, b, m);
            const same =
              found.cause === expected.flags && (expected.bits === undefined || found.bits === expected.bits);
            if (!same) check(`${op}.${f}`, a, b, m, 0, expected);
            checked += 1;
          }
        }
      }
    }
  }
  expect(checked).toBe(2 * 32 * 32 * 16);
});
