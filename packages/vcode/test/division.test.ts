/** Division by constants, which needs no division: against big integers. */
import { I32, ModuleBuilder } from '@exokernel/wasm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromWasm } from '@exokernel/vcode';
import { decode } from '@exokernel/isa';
import { OwnMips } from './on-mips.ts';

const OPERATORS = ['i32DivU', 'i32RemU', 'i32DivS', 'i32RemS'] as const;
type Operator = (typeof OPERATORS)[number];

/** Divisors by which `div` is as good as anything; 0 traps. */
const SPECIAL = [
  0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 641, 6700417, 1_000_000_007, 0x10001, 0xaaaaaaab,
  0x55555555, 0xcccccccd, 0x92492493, 0xfffffff9, 0xfffffff3, 0xffff0001, 0x40000001, 0x3fffffff,
];
const POWERS = Array.from({ length: 31 }, (_, i) => 2 ** (i + 1));
const DIVISORS = [
  ...Array.from({ length: 1000 }, (_, i) => i + 1),
  ...POWERS.flatMap((power) => [power - 1, power, power + 1, -power >>> 0, (1 - power) >>> 0]).filter(
    (one) => one !== 0,
  ),
  ...SPECIAL,
];
const DIVIDENDS = [0, 1, 2, 3, 7, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff];

function exactly(operator: Operator, a: number, b: number): number {
  const isSigned = operator.endsWith('S');
  const [x, y] = isSigned ? [BigInt(a | 0), BigInt(b | 0)] : [BigInt(a), BigInt(b)];
  return Number(BigInt.asUintN(32, operator.includes('Div') ? x / y : x % y));
}

/** A module that divides by each of the divisors: `div N` takes the dividend. */
function dividing(operator: Operator, divisors: readonly number[]): OwnMips {
  const builder = new ModuleBuilder();
  divisors.forEach((divisor, i) => {
    const f = builder.function([I32], [I32]);
    f.localGet(0);
    f.i32Const(divisor | 0);
    f.emit(operator, []);
    builder.export(`by ${i}`, 'function', f.index);
  });
  return new OwnMips(fromWasm(builder.build()));
}

test.each(OPERATORS)('%s by every divisor up to 1000, and by special ones', (operator) => {
  const module = dividing(operator, DIVISORS);
  let seed = 12345;
  const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
  DIVISORS.forEach((divisor, i) => {
    const near = [divisor - 1, divisor, divisor + 1, -divisor, 2 * divisor - 1].map((one) => one >>> 0);
    for (const dividend of [...DIVIDENDS, ...near, random(), random(), random()]) {
      const { v0 } = module.call(`by ${i}`, [dividend]);
      if (v0 >>> 0 !== exactly(operator, dividend, divisor)) expect([dividend, divisor, v0 >>> 0]).toBe('exact');
    }
  });
});

test('random divisors and dividends', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...OPERATORS),
      fc.array(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 8, maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 20, maxLength: 20 }),
      (operator, divisors, dividends) => {
        const module = dividing(operator, divisors);
        divisors.forEach((divisor, i) => {
          for (const dividend of dividends) {
            expect(module.call(`by ${i}`, [dividend]).v0 >>> 0).toBe(exactly(operator, dividend, divisor));
          }
        });
      },
    ),
    { numRuns: 20 },
  );
});

test('no instruction divides, but for the least number as divisor', () => {
  for (const operator of OPERATORS) {
    const { words } = dividing(
      operator,
      DIVISORS.filter((divisor) => divisor !== 0x80000000),
    ).code;
    const mnemonics = [...words].map((word) => decode(word)?.mnemonic);
    expect(mnemonics).not.toContain(operator.endsWith('S') ? 'div' : 'divu');
  }
});
