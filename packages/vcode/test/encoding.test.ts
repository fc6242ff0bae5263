import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  compileMips,
  compileWasm,
  decodeProgram,
  defineProgram,
  encodeProgram,
  formatProgram,
  isBounded,
  LIMITS,
  VcodeError,
  type Expression,
  type Program,
} from '../src/index.ts';
import { randomProgram } from './random-program.ts';

const attempt = (bytes: Uint8Array): Program | string => {
  try {
    return decodeProgram(bytes);
  } catch (error) {
    if (error instanceof VcodeError) return error.code;
    throw error;
  }
};

const small = encodeProgram(
  defineProgram('small', (b) => {
    const message = b.region('message', 'r');
    b.return(message.be16(12));
  }),
);

describe('hostile bytes', () => {
  test.each([
    ['nothing', []],
    ['another magic', [0x56, 0x44, 1]],
    ['another version', [0x56, 0x43, 2]],
    ['nine regions', [0x56, 0x43, 1, 0, 9]],
    ['a list that claims 2^28 items', [0x56, 0x43, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]],
    ['a number without end', [0x56, 0x43, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a statement that does not exist', [0x56, 0x43, 1, 0, 0, 0, 0, 1, 99]],
    ['a break outside a loop', [0x56, 0x43, 1, 0, 0, 0, 0, 1, 5]],
    ['a local that does not exist', [0x56, 0x43, 1, 0, 0, 0, 0, 1, 8, 1, 0]],
    ['an unprintable name', [0x56, 0x43, 1, 1, 7, 0, 0, 0, 0]],
  ])('%s', (_, bytes) => {
    expect(attempt(Uint8Array.from(bytes))).toBe('malformed');
  });
  test('too many bytes', () => {
    expect(attempt(new Uint8Array(LIMITS.bytes + 1))).toBe('limit');
  });
  test('nesting without end', () => {
    const header = [0x56, 0x43, 1, 0, 0, 0, 0];
    expect(attempt(Uint8Array.from([...header, ...new Array<number[]>(15000).fill([1, 4, 0, 1]).flat()]))).toBe(
      'malformed',
    );
    expect(attempt(Uint8Array.from([...header, 1, 8, ...new Array<number[]>(30000).fill([2, 0]).flat()]))).toBe(
      'malformed',
    );
  });
  test('every truncation', () => {
    for (let length = 0; length < small.length; length += 1)
      expect(attempt(small.subarray(0, length))).toBe('malformed');
    expect(attempt(Uint8Array.from([...small, 0]))).toBe('malformed');
  });
  test('mutated programs are refused with a code or are programs that compile', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        randomProgram,
        fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (program, changes) => {
          const bytes = encodeProgram(program);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const result = attempt(bytes);
          if (typeof result === 'string') return;
          accepted += 1;
          compileMips(result, 0x80000000);
          compileWasm(result);
          expect(formatProgram(result)).toContain('program');
        },
      ),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(10);
  });
  test('random bytes behind a right header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
        attempt(Uint8Array.from([0x56, 0x43, 1, 0, 1, 0, 1, 0, 0, 2, ...tail]));
      }),
      { numRuns: 2000 },
    );
  });
});

test('a program survives the round trip, but for the names of its locals', () => {
  fc.assert(
    fc.property(randomProgram, (program) => {
      const decoded = decodeProgram(encodeProgram(program));
      expect({ ...decoded, locals: decoded.locals.length }).toEqual({ ...program, locals: program.locals.length });
      expect(encodeProgram(decoded)).toEqual(encodeProgram(program));
    }),
    { numRuns: 300 },
  );
});

test('the largest encodings compile or are refused, in bounded time', () => {
  // 64 KB of one-byte loads, each a set of its own.
  const large = defineProgram('large', (b) => {
    const message = b.region('message', 'r');
    const x = b.local('x');
    for (let i = 0; i < 6000; i += 1) b.set(x, message.u8(x, i & 0x3f));
  });
  const bytes = encodeProgram(large);
  expect(bytes.length).toBeLessThan(LIMITS.bytes);
  expect(attempt(bytes)).toBeTypeOf('object');
  expect(() => compileMips(large, 0)).toThrow(expect.objectContaining({ code: 'limit' }) as Error);
  const loops = defineProgram('loops', (b) => {
    const goesOn = b.parameter('goesOn');
    const nest = (depth: number): void => {
      if (depth < 30) b.while(goesOn, () => nest(depth + 1));
    };
    for (let i = 0; i < 100; i += 1) nest(0);
  });
  expect(compileMips(decodeProgram(encodeProgram(loops)), 0).costs).toHaveLength(3001);
});

test('a shared expression that doubles at each level does not explode', () => {
  let doubling: Expression = { kind: 'const', value: 1 };
  for (let i = 0; i < 60; i += 1) doubling = { kind: 'binary', operator: 'add', left: doubling, right: doubling };
  expect(() => defineProgram('doubling', (b) => b.return(doubling))).toThrow(
    expect.objectContaining({ code: 'limit' }) as Error,
  );
  expect(isBounded(decodeProgram(small))).toBe(true);
});
