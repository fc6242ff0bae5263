/**
 * What WebAssembly has in one instruction and MIPS I in none: counts of bits, 64-bit division, copies. As functions of the IR, so that all
 * back ends run the same.
 *
 * Sources: [HACKER 5-1, 5-3] for the counts, [HACKER 9-4] for the division of a long by a word.
 */
import type { Body, Expression, Func, Statement, ValueType, Variable } from '../ir/ir.ts';
import { ABORT_BOUNDS, ABORT_DIVIDE } from '../ir/abort.ts';
import { binary, long, unary, word } from './operators.ts';

/** What is called where an instruction is too much for one: a name, and how it is built when it is needed. */
export interface Helper {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Helpers that it calls. */
  readonly needs: readonly string[];
  readonly build: (index: (name: string) => number) => Pick<Func, 'locals' | 'body'>;
}

export const local = (index: number): Expression => ({ kind: 'local', local: index });
export const set = (index: number, value: Expression): Statement => ({ kind: 'set', local: index, value });
export const give = (...values: Expression[]): Statement => ({ kind: 'return', values });
export const when = (condition: Expression, then: Body, otherwise: Body = []): Statement => ({
  kind: 'if',
  condition,
  then,
  otherwise,
});
export const call = (index: number, values: readonly Expression[], ...results: number[]): Statement => ({
  kind: 'call',
  function: index,
  values,
  results,
});
export const variables = (...types: ValueType[]): Variable[] => types.map((type, i) => ({ name: `h${i}`, type }));
export const add = (a: Expression, b: Expression): Expression => binary('add', a, b);
export const sub = (a: Expression, b: Expression): Expression => binary('sub', a, b);
export const shr = (a: Expression, count: number): Expression => binary('shr', a, word(count));
export const and = (a: Expression, b: Expression): Expression => binary('and', a, b);
const isZero = (a: Expression): Expression => binary('eq', a, word(0));

const leadingZeros: Helper = {
  parameters: ['i32'],
  results: ['i32'],
  needs: [],
  build: () => ({
    locals: variables('i32'),
    body: [
      when(isZero(local(0)), [give(word(32))]),
      ...[16, 8, 4, 2].map((bits) =>
        when(isZero(shr(local(0), 32 - bits)), [
          set(1, add(local(1), word(bits))),
          set(0, binary('shl', local(0), word(bits))),
        ]),
      ),
      give(sub(add(local(1), word(1)), shr(local(0), 31))),
    ],
  }),
};

const trailingZeros: Helper = {
  parameters: ['i32'],
  results: ['i32'],
  needs: ['i32.clz'],
  build: (index) => ({
    locals: variables('i32'),
    body: [
      when(isZero(local(0)), [give(word(32))]),
      call(index('i32.clz'), [and(local(0), sub(word(0), local(0)))], 1),
      give(sub(word(31), local(1))),
    ],
  }),
};

const population: Helper = {
  parameters: ['i32'],
  results: ['i32'],
  needs: [],
  build: () => {
    const x = local(0);
    return {
      locals: [],
      body: [
        set(0, sub(x, and(shr(x, 1), word(0x55555555)))),
        set(0, add(and(x, word(0x33333333)), and(shr(x, 2), word(0x33333333)))),
        set(0, and(add(x, shr(x, 4)), word(0x0f0f0f0f))),
        set(0, add(x, shr(x, 8))),
        give(and(add(x, shr(x, 16)), word(0x3f))),
      ],
    };
  },
};

/** A count over both words: of the first one, and if that is 0, 32 and that of the other. */
const counted = (name: string, first: 'high' | 'wrap', second: 'high' | 'wrap'): Helper => ({
  parameters: ['i64'],
  results: ['i64'],
  needs: [name],
  build: (index) => ({
    locals: variables('i32'),
    body: [
      when(
        isZero(unary(first, local(0))),
        [call(index(name), [unary(second, local(0))], 1), set(1, add(local(1), word(32)))],
        [call(index(name), [unary(first, local(0))], 1)],
      ),
      give(unary('extendu', local(1))),
    ],
  }),
});

const population64: Helper = {
  parameters: ['i64'],
  results: ['i64'],
  needs: ['i32.popcnt'],
  build: (index) => ({
    locals: variables('i32', 'i32'),
    body: [
      call(index('i32.popcnt'), [unary('high', local(0))], 1),
      call(index('i32.popcnt'), [unary('wrap', local(0))], 2),
      give(unary('extendu', add(local(1), local(2)))),
    ],
  }),
};

/**
 * Quotient and remainder of a long (high, low) by a normalised word, whose highest bit is set and which is more than `high`: two digits of 16
 * bits, each estimated by its divisor's upper half and corrected at most twice.
 */
const divideWord: Helper = {
  parameters: ['i32', 'i32', 'i32'],
  results: ['i32', 'i32'],
  needs: [],
  build: () => {
    const [high, low, divisor, upper, lower, digit, rest, product, quotient] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
    const next = (head: Expression, below: Expression): Statement[] => [
      set(digit, binary('divu', head, local(upper))),
      set(rest, add(binary('shl', binary('remu', head, local(upper)), word(16)), below)),
      set(product, binary('mul', local(digit), local(lower))),
      when(binary('ltu', local(rest), local(product)), [
        set(digit, sub(local(digit), word(1))),
        set(rest, add(local(rest), local(divisor))),
        // If the sum went beyond 2^32, one correction was enough.
        when(and(binary('leu', local(divisor), local(rest)), binary('ltu', local(rest), local(product))), [
          set(digit, sub(local(digit), word(1))),
          set(rest, add(local(rest), local(divisor))),
        ]),
      ]),
      set(rest, sub(local(rest), local(product))),
    ];
    return {
      locals: variables('i32', 'i32', 'i32', 'i32', 'i32', 'i32'),
      body: [
        set(upper, shr(local(divisor), 16)),
        set(lower, and(local(divisor), word(0xffff))),
        ...next(local(high), shr(local(low), 16)),
        set(quotient, binary('shl', local(digit), word(16))),
        ...next(local(rest), and(local(low), word(0xffff))),
        give(binary('or', local(quotient), local(digit)), local(rest)),
      ],
    };
  },
};

/** Quotient and remainder of unsigned longs; the divisor is not 0. */
const divide64: Helper = {
  parameters: ['i64', 'i64'],
  results: ['i64', 'i64'],
  needs: ['divide word', 'i32.clz'],
  build: (index) => {
    const [dividend, divisor, shift, top, quotient, rest, most, product] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
    const low = (x: number): Expression => unary('wrap', local(x));
    const high = (x: number): Expression => unary('high', local(x));
    const pair = (upper: Expression, lower: Expression): Expression => binary('pair', upper, lower);
    const shl64 = (x: number, by: Expression): Expression => binary('shl64', local(x), by);
    return {
      locals: variables('i32', 'i32', 'i32', 'i32', 'i32', 'i64'),
      body: [
        when(isZero(high(divisor)), [
          when(isZero(high(dividend)), [
            give(
              unary('extendu', binary('divu', low(dividend), low(divisor))),
              unary('extendu', binary('remu', low(dividend), low(divisor))),
            ),
          ]),
          // Two words by one: the upper word first, then the rest of it with the lower.
          set(most, binary('divu', high(dividend), low(divisor))),
          set(top, binary('remu', high(dividend), low(divisor))),
          call(index('i32.clz'), [low(divisor)], shift),
          set(dividend, binary('shl64', pair(local(top), low(dividend)), local(shift))),
          call(
            index('divide word'),
            [high(dividend), low(dividend), binary('shl', low(divisor), local(shift))],
            quotient,
            rest,
          ),
          give(pair(local(most), local(quotient)), unary('extendu', binary('shr', local(rest), local(shift)))),
        ]),
        when(binary('ltu64', local(dividend), local(divisor)), [give(long(0n), local(dividend))]),
        // The quotient has one word. It is estimated by the divisor's upper 32 bits, and at most one too large.
        call(index('i32.clz'), [high(divisor)], shift),
        set(product, shl64(divisor, local(shift))),
        set(top, high(product)),
        set(product, binary('shr64', local(dividend), word(1))),
        call(index('divide word'), [high(product), low(product), local(top)], quotient, rest),
        set(quotient, binary('shr', local(quotient), sub(word(31), local(shift)))),
        when(local(quotient), [set(quotient, sub(local(quotient), word(1)))]),
        set(
          product,
          binary('sub64', local(dividend), binary('mul64', unary('extendu', local(quotient)), local(divisor))),
        ),
        when(binary('leu64', local(divisor), local(product)), [
          set(quotient, add(local(quotient), word(1))),
          set(product, binary('sub64', local(product), local(divisor))),
        ]),
        give(unary('extendu', local(quotient)), local(product)),
      ],
    };
  },
};

/** Aborts like a division of words by zero. */
const refuseZero = (divisor: Expression): Statement =>
  when(binary('eq64', divisor, long(0n)), [{ kind: 'abort', code: ABORT_DIVIDE }]);

const unsigned = (result: 0 | 1): Helper => ({
  parameters: ['i64', 'i64'],
  results: ['i64'],
  needs: ['divide long'],
  build: (index) => ({
    locals: variables('i64', 'i64'),
    body: [refuseZero(local(1)), call(index('divide long'), [local(0), local(1)], 2, 3), give(local(2 + result))],
  }),
});

const signed = (result: 0 | 1): Helper => ({
  parameters: ['i64', 'i64'],
  results: ['i64'],
  needs: ['divide long'],
  build: (index) => {
    const isNegative = (x: number): Expression => binary('lts64', local(x), long(0n));
    const absolute = (x: number): Statement => when(isNegative(x), [set(x, binary('sub64', long(0n), local(x)))]);
    const [sign, quotient, rest] = [2, 3, 4] as const;
    const overflow = and(binary('eq64', local(0), long(1n << 63n)), binary('eq64', local(1), long(-1n)));
    return {
      locals: variables('i32', 'i64', 'i64'),
      body: [
        refuseZero(local(1)),
        when(overflow, result === 0 ? [{ kind: 'abort', code: ABORT_DIVIDE }] : [give(long(0n))]),
        set(sign, result === 0 ? binary('xor', isNegative(0), isNegative(1)) : isNegative(0)),
        absolute(0),
        absolute(1),
        call(index('divide long'), [local(0), local(1)], quotient, rest),
        when(local(sign), [give(binary('sub64', long(0n), local(quotient + result)))]),
        give(local(quotient + result)),
      ],
    };
  },
});

/** Aborts unless `count` bytes from an address on are in memory. */
export const refuseOutside = (at: Expression, count: Expression): Statement =>
  when(
    binary(
      'or',
      binary('ltu', { kind: 'length', region: 0 }, count),
      binary('ltu', sub({ kind: 'length', region: 0 }, count), at),
    ),
    [{ kind: 'abort', code: ABORT_BOUNDS }],
  );

const bytesAt = (index: Expression, size: 1 | 4): Expression => ({
  kind: 'load',
  signed: false,
  region: 0,
  size,
  index,
  displacement: 0,
  endian: 'little',
  align: size === 4 ? 2 : 0,
});
export const storeAt = (index: Expression, size: 1 | 4, value: Expression): Statement => ({
  kind: 'store',
  region: 0,
  size,
  index,
  displacement: 0,
  endian: 'little',
  align: size === 4 ? 2 : 0,
  value,
});
/** Repeats `body` as long as the condition holds; `label` and the one after it are its labels. */
export const repeat = (label: number, condition: Expression, body: Body): Statement => ({
  kind: 'loop',
  label,
  body: [when(condition, [...body, { kind: 'branch', label }])],
});

/** Fills upward: bytes to a word's beginning, words, the remaining bytes. */
const fill: Helper = {
  parameters: ['i32', 'i32', 'i32'],
  results: [],
  needs: [],
  build: () => {
    const [at, value, count, end] = [0, 1, 2, 3] as const;
    const forward = (label: number, size: 1 | 4, condition: Expression): Statement =>
      repeat(label, condition, [storeAt(local(at), size, local(value)), set(at, add(local(at), word(size)))]);
    return {
      locals: variables('i32'),
      body: [
        refuseOutside(local(at), local(count)),
        set(end, add(local(at), local(count))),
        when(binary('leu', word(8), local(count)), [
          forward(1, 1, and(local(at), word(3))),
          set(value, binary('mul', and(local(value), word(0xff)), word(0x01010101))),
          set(count, and(local(end), word(-4))),
          forward(2, 4, binary('ne', local(at), local(count))),
        ]),
        forward(3, 1, binary('ne', local(at), local(end))),
        give(),
      ],
    };
  },
};

/** Copies upward if the target is below the source, else downward; in words where both lie alike. */
const copy: Helper = {
  parameters: ['i32', 'i32', 'i32'],
  results: [],
  needs: [],
  build: () => {
    const [to, from, count, end] = [0, 1, 2, 3] as const;
    const step = (size: 1 | 4, way: 1 | -1): Statement[] => [
      set(to, add(local(to), word(size * way))),
      set(from, add(local(from), word(size * way))),
    ];
    const up = (label: number, size: 1 | 4, condition: Expression): Statement =>
      repeat(label, condition, [storeAt(local(to), size, bytesAt(local(from), size)), ...step(size, 1)]);
    const down = (label: number, size: 1 | 4, condition: Expression): Statement =>
      repeat(label, condition, [...step(size, -1), storeAt(local(to), size, bytesAt(local(from), size))]);
    const alike = and(
      isZero(and(binary('xor', local(to), local(from)), word(3))),
      binary('leu', word(8), local(count)),
    );
    return {
      locals: variables('i32'),
      body: [
        refuseOutside(local(to), local(count)),
        refuseOutside(local(from), local(count)),
        when(binary('leu', local(count), sub(local(to), local(from))), [
          // Upward: the target is below the source, or behind its end.
          set(end, add(local(to), local(count))),
          when(alike, [
            up(1, 1, and(local(to), word(3))),
            set(count, and(local(end), word(-4))),
            up(2, 4, binary('ne', local(to), local(count))),
          ]),
          up(3, 1, binary('ne', local(to), local(end))),
          give(),
        ]),
        set(end, local(to)),
        set(to, add(local(to), local(count))),
        set(from, add(local(from), local(count))),
        when(alike, [
          down(4, 1, and(local(to), word(3))),
          set(count, and(add(local(end), word(3)), word(-4))),
          down(5, 4, binary('ne', local(to), local(count))),
        ]),
        down(6, 1, binary('ne', local(to), local(end))),
        give(),
      ],
    };
  },
};

/** By the name of the instruction, or of what others share. */
export const HELPERS: Readonly<Record<string, Helper>> = {
  'i32.clz': leadingZeros,
  'i32.ctz': trailingZeros,
  'i32.popcnt': population,
  'i64.clz': counted('i32.clz', 'high', 'wrap'),
  'i64.ctz': counted('i32.ctz', 'wrap', 'high'),
  'i64.popcnt': population64,
  'divide word': divideWord,
  'divide long': divide64,
  'i64.div_u': unsigned(0),
  'i64.rem_u': unsigned(1),
  'i64.div_s': signed(0),
  'i64.rem_s': signed(1),
  'memory.fill': fill,
  'memory.copy': copy,
};
