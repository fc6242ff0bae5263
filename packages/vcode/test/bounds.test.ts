import { describe, expect, test } from 'vitest';
import {
  compileMips,
  ABORT_BOUNDS,
  ABORT_DIVIDE,
  add,
  and,
  defineProgram,
  divu,
  eq,
  ltu,
  not,
  shl,
  type Program,
  type ProgramBuilder,
} from '../src/index.ts';
import { onInterpreter, onMips, onWasm, type Bindings } from './three-back-ends.ts';

/** Runs on all three and expects one outcome. */
function run(
  program: Program,
  bindings: Partial<Bindings> & Pick<Bindings, 'regions'>,
): { value: number; status: number; regions: readonly (readonly number[])[] } {
  const whole = { parameters: [], fuel: 100_000, ...bindings };
  const { value, status, fuel, regions } = onInterpreter(program, whole);
  const { executed, compiled, ...mips } = onMips(program, whole);
  expect(mips).toEqual({ value, status, fuel, regions });
  expect(onWasm(program, whole)).toEqual({ value, status, fuel, regions });
  expect(executed + compiled.words.length).toBeGreaterThan(0);
  return { value, status, regions };
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i + 1);

/** Branches of the MIPS code: what is left of the tests. */
function branches(write: (b: ProgramBuilder) => void): number {
  const { words } = compileMips(defineProgram('count', write), 0);
  return words.filter((word) => [1, 4, 5, 6, 7].includes(word >>> 26)).length;
}

describe('accesses at the edges', () => {
  test.each([
    ['the last byte', 4, 3, 1, 0],
    ['one behind', 4, 4, 1, ABORT_BOUNDS],
    ['a word that hangs over', 6, 3, 4, ABORT_BOUNDS],
    ['an empty region', 0, 0, 1, ABORT_BOUNDS],
    ['an index of 2^32 - 1', 4, 0xffffffff, 1, ABORT_BOUNDS],
    ['an index that wraps with the size', 4, 0xfffffffe, 4, ABORT_BOUNDS],
    ['an index of 2^31', 4, 0x80000000, 2, ABORT_BOUNDS],
  ] as const)('%s', (_, length, at, size, status) => {
    const indexed = defineProgram('indexed', (b) => {
      const p = b.parameter('p');
      b.return(b.region('in', 'r').load(size, 'little', p));
    });
    expect(run(indexed, { regions: [bytes(length)], parameters: [at] }).status).toBe(status);
    const displaced = defineProgram('displaced', (b) => {
      const p = b.parameter('p');
      // The sum does not wrap: an index near 2^32 stays outside whatever is added.
      b.return(b.region('in', 'r').load(size, 'little', p, 3));
    });
    expect(run(displaced, { regions: [bytes(length)], parameters: [at] }).status).toBe(ABORT_BOUNDS);
    expect(run(displaced, { regions: [bytes(length + 3)], parameters: [at] }).status).toBe(status);
    const constant = defineProgram('constant', (b) => {
      b.return(b.region('in', 'r').load(size, 'little', at));
    });
    expect(run(constant, { regions: [bytes(length)] }).status).toBe(status);
  });
});

describe('a fact does not outlive what it says', () => {
  test('a local that moves', () => {
    const program = defineProgram('moves', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      const x = b.local('x', p);
      b.require(input, x, 4);
      b.set(x, add(x, 4));
      b.return(input.le32(x));
    });
    expect(run(program, { regions: [bytes(8)], parameters: [0] })).toMatchObject({ status: 0, value: 0x08070605 });
    expect(run(program, { regions: [bytes(8)], parameters: [4] }).status).toBe(ABORT_BOUNDS);
    expect(run(program, { regions: [bytes(8)], parameters: [1] }).status).toBe(ABORT_BOUNDS);
  });
  test('a local that moves inside a row of loads', () => {
    const program = defineProgram('row', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      const x = b.local('x', p);
      const a = b.local('a', input.u8(x));
      b.set(x, input.u8(x, 1));
      b.return(add(shl(a, 8), input.u8(x, 2)));
    });
    // bytes[1] is 2 and bytes[4] is 5: the second load needs 3 bytes behind 2, not behind 0.
    expect(run(program, { regions: [bytes(5)], parameters: [0] })).toMatchObject({ status: 0, value: 0x105 });
    expect(run(program, { regions: [bytes(4)], parameters: [0] }).status).toBe(ABORT_BOUNDS);
    // From 1 on there are not the three bytes that the last load needs from its own index.
    const short = { regions: [Uint8Array.from([9, 7, 0])], parameters: [1] };
    expect(run(program, short)).toMatchObject({ status: 0, value: 0x700 });
    expect(run(program, { regions: [Uint8Array.from([9, 0, 0])], parameters: [0] })).toMatchObject({
      status: 0,
      value: 0x900,
    });
  });
  test('one way of a branch only', () => {
    const program = defineProgram('one way', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      b.if(p, () => b.require(input, 0, 4));
      b.return(input.u8(3));
    });
    for (const p of [0, 1]) {
      expect(run(program, { regions: [bytes(3)], parameters: [p] }).status).toBe(ABORT_BOUNDS);
      expect(run(program, { regions: [bytes(4)], parameters: [p] }).value).toBe(4);
    }
  });
  test('the lesser of two ways', () => {
    const program = defineProgram('lesser', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      b.if(
        p,
        () => b.require(input, 0, 8),
        () => b.require(input, 0, 4),
      );
      b.return(input.u8(7));
    });
    expect(run(program, { regions: [bytes(4)], parameters: [0] }).status).toBe(ABORT_BOUNDS);
    expect(run(program, { regions: [bytes(8)], parameters: [0] }).value).toBe(8);
  });
  test('an address computed on one way only', () => {
    const program = defineProgram('address', (b) => {
      const p = b.parameter('p');
      const x = b.parameter('x');
      const input = b.region('in', 'r');
      const sum = b.local('sum');
      b.if(p, () => b.set(sum, input.u8(x)));
      b.return(add(sum, input.u8(x, 1)));
    });
    for (const p of [0, 1]) expect(run(program, { regions: [bytes(4)], parameters: [p, 2] }).value).toBe(p * 3 + 4);
  });
  test('the false side of fits, and of its negation', () => {
    const program = defineProgram('sides', (b) => {
      const input = b.region('in', 'r');
      b.if(not(input.fits(0, 8)), () => {
        b.if(
          input.fits(0, 4),
          () => b.return(input.u8(3)),
          () => b.return(input.u8(3)),
        );
      });
      b.return(input.u8(7));
    });
    expect([3, 4, 8].map((length) => run(program, { regions: [bytes(length)] }))).toMatchObject([
      { status: ABORT_BOUNDS },
      { value: 4 },
      { value: 8 },
    ]);
  });
  test('a loop that moves its index', () => {
    const program = defineProgram('loop', (b) => {
      const input = b.region('in', 'r');
      const x = b.local('x');
      const sum = b.local('sum');
      b.require(input, x, 1);
      b.for('i', 4, () => {
        b.set(sum, add(sum, input.u8(x)));
        b.set(x, add(x, 3));
      });
      b.return(sum);
    });
    expect(run(program, { regions: [bytes(10)] }).value).toBe(1 + 4 + 7 + 10);
    expect(run(program, { regions: [bytes(9)] }).status).toBe(ABORT_BOUNDS);
  });
  test('an address kept in a register, and a local that then moves', () => {
    const program = defineProgram('address', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      const x = b.local('x', p);
      const first = b.local('first', input.u8(x));
      b.set(x, add(x, 1));
      b.return(add(shl(first, 8), input.u8(x)));
    });
    expect(run(program, { regions: [bytes(4)], parameters: [2] }).value).toBe(0x304);
  });
});

describe('what an observer can see stays in order', () => {
  test('a store before a load that fails is done, the one after is not', () => {
    const program = defineProgram('stores', (b) => {
      const out = b.region('out', 'rw');
      b.store(out, 1, 'little', 0, 0xaa);
      b.store(out, 1, 'little', 1, out.u8(9));
      b.store(out, 1, 'little', 2, 0xcc);
    });
    expect(run(program, { regions: [bytes(4)] })).toMatchObject({ status: ABORT_BOUNDS, regions: [[0xaa, 2, 3, 4]] });
  });
  test('a division by zero between two loads comes before the failure of the second', () => {
    const program = defineProgram('divide', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      const x = b.local('x', input.u8(0));
      b.set(x, divu(x, p));
      b.return(add(x, input.u8(9)));
    });
    expect(run(program, { regions: [bytes(4)], parameters: [0] }).status).toBe(ABORT_DIVIDE);
    expect(run(program, { regions: [bytes(4)], parameters: [1] }).status).toBe(ABORT_BOUNDS);
    const inOne = defineProgram('divide in one', (b) => {
      const p = b.parameter('p');
      const input = b.region('in', 'r');
      b.return(add(add(input.u8(0), divu(1, p)), input.u8(9)));
    });
    expect(run(inOne, { regions: [bytes(4)], parameters: [0] }).status).toBe(ABORT_DIVIDE);
  });
});

test('a test that is made early, while a value is loaded, still holds behind the branch', () => {
  // A set of filters that once read beyond a packet of ten bytes.
  const program = defineProgram('early', (b) => {
    const input = b.region('in', 'r', { align: 4 });
    const [rank, found] = [b.local('rank'), b.local('found')];
    const keep = (one: number, id: number): void => {
      b.set(rank, one);
      b.set(found, id);
    };
    b.if(input.fits(0, 1), () => {
      b.if(eq(and(input.u8(0), 1), 0), () => {
        b.if(input.fits(0, 4), () => b.if(eq(input.le32(0), 0x1000000), () => b.return(1)));
        keep(3, 2);
      });
    });
    b.if(input.fits(0, 10), () => {
      b.if(eq(input.le16(8), 0), () => {
        b.if(input.fits(0, 11), () => b.if(eq(input.le16(9), 0), () => b.return(3)));
        b.if(eq(and(input.le32(0), 0x3000000), 0x2000000), () => b.return(4));
      });
    });
    b.if(input.fits(0, 4), () => {
      b.if(eq(input.le32(0), 0x1000000), () => {
        b.if(eq(and(input.le32(0), 0x80000000), 0), () => b.if(ltu(rank, 2), () => keep(2, 5)));
      });
    });
    b.if(input.fits(0, 4), () => {
      b.if(eq(and(input.le32(0), 0x80000000), 0), () => {
        b.if(eq(input.u8(0), 1), () => b.if(ltu(rank, 1), () => keep(1, 6)));
      });
    });
    b.return(found);
  });
  for (const first of [0, 1, 2]) {
    for (let length = 0; length < 13; length += 1) {
      const message = new Uint8Array(length);
      if (length > 0) message[0] = first;
      expect(run(program, { regions: [message] }).status).toBe(0);
    }
  }
});

describe('tests that are left out', () => {
  test('one test serves a row of loads, and what require has shown', () => {
    const row = (b: ProgramBuilder): void => {
      const input = b.region('in', 'r');
      const sum = b.local('sum');
      for (const at of [0, 2, 8, 13]) b.set(sum, add(sum, input.le16(at)));
      b.return(sum);
    };
    const none = branches((b) => b.return(b.region('in', 'r').length));
    expect(branches(row)).toBe(none + 2); // the test, and the jump of its exit
    const shown = branches((b) => {
      const out = b.region('out', 'rw');
      b.require(out, 0, 16);
      for (let at = 0; at < 16; at += 4) b.store(out, 4, 'little', at, 0);
    });
    expect(shown).toBe(none + 2);
  });
});

describe('alignment', () => {
  const sum = (align: 1 | 2 | 4, skew: number, at: (b: ProgramBuilder) => number | ReturnType<typeof and>): Program =>
    defineProgram('sum', (b) => {
      const p = b.parameter('p');
      const io = b.region('io', 'rw', { align, skew });
      const x = b.local('x', and(p, 0xfc));
      b.set(x, add(x, at(b)));
      b.store(io, 4, 'little', x, io.le32(x, 4), 8);
      b.store(io, 2, 'little', x, io.le16(x, 6), 12);
      b.return(add(io.le32(2), io.le16(1)));
    });
  // The executor of these tests refuses unaligned words: what is not proved must be taken apart.
  test.each([
    [1, 0, 0],
    [2, 0, 2],
    [2, 1, 4],
    [4, 0, 4],
    [4, 0, 2],
    [4, 1, 1],
    [4, 2, 2],
    [4, 2, 4],
    [4, 3, 3],
  ] as const)('align %i, skew %i, steps of %i', (align, skew, step) => {
    for (const p of [0, 4, 5]) {
      const outcome = run(
        sum(align, skew, () => step),
        { regions: [bytes(40)], parameters: [p] },
      );
      expect(outcome.status).toBe(0);
    }
  });
  test('words are used exactly where they are proved', () => {
    const loads = (align: 1 | 4, skew: number, at: number): string[] => {
      const { words } = compileMips(
        defineProgram('one', (b) => b.return(b.region('in', 'r', { align, skew }).le32(at))),
        0,
      );
      const names: Record<number, string> = { 0x22: 'lwl', 0x23: 'lw', 0x26: 'lwr' };
      // The record is read with lw too: base, length, fuel.
      return [...words]
        .map((word) => names[word >>> 26] ?? '')
        .filter((name) => name !== '')
        .slice(3);
    };
    expect(loads(4, 0, 8)).toEqual(['lw']);
    expect(loads(4, 2, 14)).toEqual(['lw']);
    expect(loads(4, 0, 14)).toEqual(['lwr', 'lwl']);
    expect(loads(1, 0, 8)).toEqual(['lwr', 'lwl']);
  });
});
