import { describe, expect, test } from 'vitest';
import { disassemble } from '@exokernel/isa';
import {
  ABORT_FUEL,
  add,
  and,
  bswap32,
  compileMips,
  compileWasm,
  createMemory,
  decodeProgram,
  defineProgram,
  encodeProgram,
  eq,
  formatProgram,
  instantiate,
  interpret,
  isBounded,
  ltu,
  maxCost,
  mul,
  remu,
  sectionCosts,
  shl,
  VcodeError,
  type Program,
  type ProgramBuilder,
  type Statement,
} from '../src/index.ts';
import { onInterpreter, onMips, onWasm } from './three-back-ends.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof VcodeError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

const plain = (body: readonly Statement[], more: Partial<Program> = {}): Program => ({
  name: 'plain',
  regions: [],
  parameters: [],
  locals: ['x'],
  body,
  ...more,
});

describe('misuse', () => {
  test.each<[string, (b: ProgramBuilder) => void]>([
    ['a break outside a loop', (b) => b.break()],
    ['a store to a read-only region', (b) => b.store(b.region('in', 'r'), 1, 'little', 0, 0)],
    ['a counter that is set in its loop', (b) => b.for('i', 3, (i) => b.set(i, 7))],
    ['a loop that runs never', (b) => b.for('i', 0, () => undefined)],
    [
      'two cases with one value',
      (b) =>
        b.switch(1, [
          [2, () => undefined],
          [2, () => undefined],
        ]),
    ],
    ['a system abort code', (b) => b.abort(ABORT_FUEL)],
    ['a constant of 33 bits', (b) => b.return(2 ** 32)],
    [
      'a parameter after a local',
      (b) => {
        b.local('x');
        b.parameter('p');
      },
    ],
    ['a displacement beyond the immediate', (b) => b.return(b.region('in', 'r').u8(b.local('x'), 0x7ff1))],
    [
      'nine regions',
      (b) => {
        for (let i = 0; i < 9; i += 1) b.region('r', 'r');
      },
    ],
    [
      'a skew beyond the alignment',
      (b) => {
        b.region('r', 'r', { align: 2, skew: 2 });
      },
    ],
  ])('%s', (_, write) => {
    expect(code(() => defineProgram('bad', write))).toBe('malformed');
  });
  test('one loop object in two places, and locals that are not declared', () => {
    const loop: Statement = { kind: 'for', counter: 0, count: 2, body: [] };
    expect(code(() => compileMips(plain([loop, loop]), 0))).toBe('malformed');
    expect(code(() => compileWasm(plain([{ kind: 'set', local: 1, value: { kind: 'const', value: 0 } }])))).toBe(
      'malformed',
    );
    expect(code(() => formatProgram(plain([{ kind: 'jump' } as unknown as Statement])))).toBe('malformed');
  });
  test('runs with the wrong regions, parameters or fuel', () => {
    const program = defineProgram('p', (b) => b.return(b.region('in', 'r').length));
    expect(code(() => interpret(program, { fuel: 100, regions: [] }))).toBe('argument');
    expect(code(() => interpret(program, { fuel: 100, regions: [new Uint8Array(1)], parameters: [1] }))).toBe(
      'argument',
    );
    expect(code(() => interpret(program, { fuel: -1, regions: [new Uint8Array(1)] }))).toBe('argument');
    expect(code(() => createMemory(2 ** 40))).toBe('argument');
  });
  test('a while without fuel', () => {
    const program = defineProgram('endless', (b) => b.while(1, () => undefined));
    expect(code(() => compileWasm(program, { metered: false }))).toBe('unbounded');
    expect([isBounded(program), maxCost(program)]).toEqual([false, undefined]);
  });
  test('nesting: 64 for what is encoded, more for what is built', () => {
    const nested = (depth: number): Program =>
      defineProgram('nested', (b) => {
        const nest = (rest: number): void => {
          if (rest === 0) b.return(1);
          else
            b.if(
              b.local('x'),
              () => undefined,
              () => nest(rest - 1),
            );
        };
        nest(depth);
      });
    expect(code(() => encodeProgram(nested(100)))).toBe('malformed');
    expect(onMips(nested(100), { regions: [], parameters: [], fuel: 1000 }).value).toBe(1);
    expect(decodeProgram(encodeProgram(nested(60))).locals).toHaveLength(60);
    expect(code(() => nested(1100))).toBe('malformed');
  });
});

const sumOfSquares = defineProgram('squares', (b) => {
  const n = b.parameter('n');
  const sum = b.local('sum');
  const i = b.local('i');
  b.while(ltu(i, n), () => {
    b.set(i, add(i, 1));
    b.if(eq(remu(i, 3), 0), () => b.continue());
    b.if(ltu(1000, sum), () => b.break());
    b.set(sum, add(sum, mul(i, i)));
  });
  b.return(sum);
});

describe('loops and fuel', () => {
  test('continue and break', () => {
    let sum = 0;
    for (let i = 1; i <= 100 && sum <= 1000; i += 1) if (i % 3 !== 0) sum += i * i;
    for (const run of [onInterpreter, onWasm, onMips]) {
      expect(run(sumOfSquares, { regions: [], parameters: [100], fuel: 10_000 }).value).toBe(sum);
    }
  });
  test('every amount of fuel ends at the same point on all three', () => {
    const program = defineProgram('writes', (b) => {
      const out = b.region('out', 'rw');
      b.for('i', 3, (i) => {
        b.store(out, 1, 'little', i, 0x10);
        b.for('j', 2, (j) => b.store(out, 1, 'little', add(i, j), add(shl(i, 4), j)));
      });
    });
    const most = maxCost(program) ?? 0;
    const ends = new Set<string>();
    for (let fuel = 0; fuel <= most + 1; fuel += 1) {
      const bindings = { regions: [new Uint8Array(8)], parameters: [], fuel };
      const meaning = onInterpreter(program, bindings);
      const { executed, compiled, ...mips } = onMips(program, bindings);
      expect(mips).toEqual(meaning);
      expect(onWasm(program, bindings)).toEqual(meaning);
      expect(executed).toBeLessThanOrEqual(fuel + 16 + compiled.costs.length);
      ends.add(`${meaning.status} ${meaning.regions.join()}`);
    }
    // Nothing, then 3 × (1 + 2) stores that each can be the last, some of which change nothing.
    expect(ends.size).toBeGreaterThanOrEqual(7);
    expect(onInterpreter(program, { regions: [new Uint8Array(8)], parameters: [], fuel: most })).toMatchObject({
      status: 0,
      fuel: 0,
    });
  });
  test('straight-line code costs exactly what executes', () => {
    const program = defineProgram('line', (b) => b.return(bswap32(b.region('in', 'r').le32(0))));
    const { executed, fuel } = onMips(program, { regions: [new Uint8Array(4)], parameters: [], fuel: 1000 });
    expect(executed).toBe(1000 - fuel);
    expect(sectionCosts(program)).toEqual([executed]);
  });
  test('costs beyond 15 bits', () => {
    const program = defineProgram('long', (b) => {
      const x = b.local('x', b.parameter('p'));
      for (let i = 0; i < 6000; i += 1) b.set(x, bswap32(x));
      b.return(x);
    });
    expect(code(() => compileMips(program, 0))).toBe('limit');
    const long = defineProgram('long', (b) => {
      const x = b.local('x', b.parameter('p'));
      for (let i = 0; i < 2400; i += 1) b.set(x, bswap32(add(x, 1)));
      b.return(x);
    });
    const bindings = { regions: [], parameters: [0x01020304], fuel: 100_000 };
    const { executed, compiled, ...mips } = onMips(long, bindings);
    expect(mips).toEqual(onInterpreter(long, bindings));
    expect(executed).toBe(compiled.costs[0]);
  });
});

test('the MIPS calling convention: record in a0, value and status out, the code itself', () => {
  const program = defineProgram('field', (b) => {
    const message = b.region('message', 'r', { align: 4 });
    b.return(and(message.le16(12), 0xff));
  });
  const { words, costs, activationBytes } = compileMips(program, 0x80010000);
  expect([costs, activationBytes]).toEqual([[14], 16]);
  expect([...words].map((word, i) => disassemble(word, 0x80010000 + 4 * i)).join('\n')).toMatchInlineSnapshot(`
    "lw v0,12(a0)
    lw at,0(a0)
    lw v1,8(a0)
    addiu at,at,-14
    bltz at,0x80010040
    sw at,0(a0)
    sltiu a1,v0,14
    bnez a1,0x80010038
    nop
    lhu a2,12(v1)
    move v1,zero
    andi v0,a2,0xff
    jr ra
    sw zero,4(a0)
    b 0x80010048
    li v1,1
    sw zero,0(a0)
    li v1,2
    move v0,zero
    jr ra
    sw v1,4(a0)"
  `);
});

describe('the WebAssembly host', () => {
  const program = defineProgram('first', (b) => {
    const message = b.region('message', 'r');
    b.return(message.be16(0));
  });
  test('one call for many runs', () => {
    const memory = createMemory(4096);
    const { runEach, status } = instantiate(program, memory, { metered: false });
    const view = new DataView(memory.buffer);
    [
      [512, 2],
      [514, 1],
      [516, 9],
    ].forEach(([base = 0, length = 0], i) => {
      view.setUint32(8 * i, base, true);
      view.setUint32(8 * i + 4, length, true);
    });
    for (let i = 0; i < 16; i += 1) view.setUint8(512 + i, i + 1);
    expect(runEach?.(0, 0, 3, 256)).toBe(1);
    expect([0, 1, 2].map((i) => view.getUint32(256 + 4 * i, true))).toEqual([0x0102, 0, 0x0506]);
    expect(status()).toBe(0);
  });
  test('runEach exists only for one region and no parameters', () => {
    expect(instantiate(sumOfSquares, createMemory(0)).runEach).toBeUndefined();
  });
});

test('a program as text', () => {
  const program = defineProgram('shown', (b) => {
    const p = b.parameter('p');
    const message = b.region('message', 'r', { align: 4, skew: 2 });
    const out = b.region('out', 'rw');
    const x = b.local('x', message.be16(p, 12));
    b.switch(
      x,
      [
        [0x0800, () => b.store(out, 4, 'little', 0, x)],
        [6, () => b.abort(16)],
      ],
      () => b.return(0),
    );
    b.for('i', 10, (i) =>
      b.if(
        out.fits(i, 4),
        () => b.break(),
        () => b.continue(),
      ),
    );
    b.while(out.length, () => b.set(x, bswap32(x)));
  });
  expect(formatProgram(program)).toMatchInlineSnapshot(`
    "program shown(message: r align 4 skew 2, out: rw, p)
      x = message.be16[p + 12]
      switch x
        case 0x800
          out.le32[0] = x
        case 6
          abort 16
        default
          return 0
      for i < 10
        if out.fits(i, 4)
          break
        else
          continue
      while out.length
        x = bswap32(x)"
  `);
});
