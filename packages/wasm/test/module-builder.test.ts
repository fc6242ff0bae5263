import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { I32, I64, ModuleBuilder, OPCODES, WasmError, type FunctionBuilder, type OpcodeName } from '../src/index.ts';
import { WebAssembly } from './webassembly.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof WasmError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

function instantiate(builder: ModuleBuilder, imports?: object): Record<string, unknown> {
  return new WebAssembly.Instance(new WebAssembly.Module(builder.build()), imports).exports;
}

describe('misuse', () => {
  test('an import after a function', () => {
    const m = new ModuleBuilder();
    m.function([], []);
    expect(code(() => m.importFunction('a', 'b', [], []))).toBe('import-order');
  });
  test('open blocks, surplus ends, branches beyond the function', () => {
    const m = new ModuleBuilder();
    const f = m.function([], []);
    expect(code(() => f.end())).toBe('nesting');
    expect(code(() => f.br(1))).toBe('nesting');
    expect(code(() => f.br(-1))).toBe('nesting');
    f.block();
    expect(code(() => m.build())).toBe('nesting');
  });
  test('two memories, two tables, two exports of one name, an export of nothing', () => {
    const m = new ModuleBuilder();
    m.importMemory('env', 'memory', { minimum: 1 });
    expect(code(() => m.importMemory('env', 'memory', { minimum: 1 }))).toBe('duplicate');
    m.table([]);
    expect(code(() => m.table([]))).toBe('duplicate');
    expect(code(() => m.importTable('env', 'table', 1))).toBe('duplicate');
    m.export('memory', 'memory', 0);
    expect(code(() => m.export('memory', 'memory', 0))).toBe('duplicate');
    expect(code(() => m.export('f', 'function', 0))).toBe('index');
  });
});

describe('modules that the engine accepts and runs', () => {
  test('an empty module is the eight-byte header', () => {
    expect([...new ModuleBuilder().build()]).toEqual([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    instantiate(new ModuleBuilder());
  });

  test('factorial: loop, locals, i64', () => {
    const m = new ModuleBuilder();
    const f = m.function([I32], [I64]);
    const product = f.local(I64);
    f.i64Const(1n);
    f.localSet(product);
    f.block();
    f.loop();
    f.localGet(0);
    f.i32Eqz();
    f.brIf(1);
    f.localGet(product);
    f.localGet(0);
    f.i64ExtendI32U();
    f.i64Mul();
    f.localSet(product);
    f.localGet(0);
    f.i32Const(1);
    f.i32Sub();
    f.localSet(0);
    f.br(0);
    f.end();
    f.end();
    f.localGet(product);
    m.export('factorial', 'function', f.index);
    const { factorial } = instantiate(m) as { factorial: (n: number) => bigint };
    expect(factorial(20)).toBe(2432902008176640000n);
  });

  test('imports, memory, globals, table, call_indirect, br_table', () => {
    const m = new ModuleBuilder();
    m.importMemory('env', 'memory', { minimum: 1, maximum: 4 });
    const note = m.importFunction('env', 'note', [I32], []);
    const calls = m.global(I32, true, 0);
    const double = m.function([I32], [I32]);
    double.localGet(0);
    double.i32Const(1);
    double.i32Shl();
    const negate = m.function([I32], [I32]);
    negate.i32Const(0);
    negate.localGet(0);
    negate.i32Sub();
    m.table([double.index, negate.index]);
    const apply = m.function([I32, I32, I32], []);
    apply.globalGet(calls);
    apply.i32Const(1);
    apply.i32Add();
    apply.globalSet(calls);
    apply.localGet(1);
    apply.localGet(1);
    apply.i32Load();
    apply.localGet(0);
    apply.callIndirect(double.type);
    apply.i32Store(4);
    apply.localGet(1);
    apply.i32Load(4);
    apply.call(note);
    const pick = m.function([I32], [I32]);
    pick.block();
    pick.block();
    pick.block();
    pick.localGet(0);
    pick.brTable([0, 1], 2);
    pick.end();
    pick.i32Const(10);
    pick.return();
    pick.end();
    pick.i32Const(11);
    pick.return();
    pick.end();
    pick.i32Const(-1);
    m.export('apply', 'function', apply.index);
    m.export('pick', 'function', pick.index);
    m.export('calls', 'global', calls);
    m.export('table', 'table', 0);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const noted: number[] = [];
    // A memory without maximum does not match an import with one: the engine itself checks what was encoded.
    expect(() => instantiate(m, { env: { memory, note: () => undefined } })).toThrow();
    const bounded = new WebAssembly.Memory({ initial: 1, maximum: 4 });
    const exports = instantiate(m, { env: { memory: bounded, note: (value: number) => noted.push(value) } }) as {
      apply: (slot: number, address: number) => void;
      pick: (n: number) => number;
      calls: { value: number };
    };
    new Int32Array(bounded.buffer)[2] = 21;
    exports.apply(0, 8);
    exports.apply(1, 8);
    expect(noted).toEqual([42, -21]);
    expect(exports.calls.value).toBe(2);
    expect([0, 1, 2, 99].map((n) => exports.pick(n))).toEqual([10, 11, -1, -1]);
  });

  const binary: Partial<Record<OpcodeName, (a: number, b: number) => number>> = {
    i32Add: (a, b) => (a + b) | 0,
    i32Sub: (a, b) => (a - b) | 0,
    i32Mul: Math.imul,
    i32And: (a, b) => a & b,
    i32Or: (a, b) => a | b,
    i32Xor: (a, b) => a ^ b,
    i32Shl: (a, b) => a << b,
    i32ShrS: (a, b) => a >> b,
    i32ShrU: (a, b) => (a >>> b) | 0,
    i32Rotl: (a, b) => (b & 31 ? (a << b) | (a >>> (32 - (b & 31))) : a),
    i32Eq: (a, b) => Number(a === b),
    i32Ne: (a, b) => Number(a !== b),
    i32LtS: (a, b) => Number(a < b),
    i32LtU: (a, b) => Number(a >>> 0 < b >>> 0),
    i32GtS: (a, b) => Number(a > b),
    i32GtU: (a, b) => Number(a >>> 0 > b >>> 0),
    i32LeS: (a, b) => Number(a <= b),
    i32LeU: (a, b) => Number(a >>> 0 <= b >>> 0),
    i32GeS: (a, b) => Number(a >= b),
    i32GeU: (a, b) => Number(a >>> 0 >= b >>> 0),
    i32DivU: (a, b) => ((a >>> 0) / (b >>> 0)) | 0,
    i32RemU: (a, b) => ((a >>> 0) % (b >>> 0)) | 0,
    i32DivS: (a, b) => (a / b) | 0,
    i32RemS: (a, b) => (a % b) | 0,
  };
  test('32-bit operators mean what JavaScript says they do', () => {
    const m = new ModuleBuilder();
    for (const name of Object.keys(binary) as (keyof typeof binary)[]) {
      const f: FunctionBuilder = m.function([I32, I32], [I32]);
      f.localGet(0);
      f.localGet(1);
      f.emit(name, []);
      m.export(name, 'function', f.index);
    }
    const exports = instantiate(m) as Record<string, (a: number, b: number) => number>;
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        for (const [name, meaning] of Object.entries(binary)) {
          if (/Div|Rem/.test(name) && (b === 0 || (a === -0x80000000 && b === -1))) continue;
          // `+ 0` because the remainder of a negative number may be -0, which the engine gives as 0.
          expect([name, exports[name]?.(a, b)]).toEqual([name, meaning(a, b) + 0]);
        }
      }),
    );
  });

  test('constants of both widths survive', () => {
    fc.assert(
      fc.property(fc.integer(), fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (small, large) => {
        const m = new ModuleBuilder();
        const f = m.function([], [I32]);
        f.i32Const(small);
        const g = m.function([], [I64]);
        g.i64Const(large);
        const initial = m.global(I64, false, large);
        m.export('f', 'function', f.index);
        m.export('g', 'function', g.index);
        m.export('initial', 'global', initial);
        const exports = instantiate(m) as { f: () => number; g: () => bigint; initial: { value: bigint } };
        expect([exports.f(), exports.g(), exports.initial.value]).toEqual([small, large, large]);
      }),
      { numRuns: 50 },
    );
  });

  test('every row of the table is an instruction that the engine knows', () => {
    // After `unreachable` the operand stack is polymorphic, so any plain instruction is valid there.
    for (const [name, [, kind]] of Object.entries(OPCODES) as [OpcodeName, readonly [number, string]][]) {
      const m = new ModuleBuilder();
      m.importMemory('env', 'memory', { minimum: 1 });
      m.global(I32, true, 0);
      const f = m.function([I32], []);
      m.table([f.index]);
      f.unreachable();
      const immediates: Record<string, unknown[]> = {
        index: [0],
        label: [0],
        i32: [1],
        i64: [1n],
        labels: [[0], 0],
        indirect: [0],
      };
      if (name === 'else') f.if();
      if (name === 'end') f.block();
      f.emit(name, immediates[kind] ?? []);
      if (kind === 'block' || name === 'else') f.end();
      f.unreachable();
      expect(() => new WebAssembly.Module(m.build()), name).not.toThrow();
    }
  });
});
