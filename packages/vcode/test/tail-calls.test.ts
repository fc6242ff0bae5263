/** Calls in tail position: which become jumps in the own profile, what the code looks like, and that they take no stack. */
import { disassemble } from '@exokernel/isa';
import { I32, I64, ModuleBuilder, type FunctionBuilder, type ValueType } from '@exokernel/wasm';
import { describe, expect, test } from 'vitest';
import { compileOwn, fromWasm, functionSymbol, type ImportCode, type Module } from '../src/index.ts';
import { OwnMips } from './on-mips.ts';
import { runChecked } from './run-checked.ts';

const ORIGIN = 0x400000;
const DEEP = 1_000_000;

/** What a function looks like at ORIGIN; the others stand behind it. */
function listing(module: Module, imports: readonly ImportCode[] = []): string {
  const { words, symbols, table } = compileOwn(module, ORIGIN, { imports, grow: 0x300000 });
  const end = ((symbols.get(functionSymbol(1)) ?? table) - ORIGIN) / 4;
  return [...words.subarray(0, end)].map((word, i) => disassemble(word, ORIGIN + 4 * i)).join('\n');
}

type Types = readonly [parameters: readonly ValueType[], results: readonly ValueType[]];
interface Built {
  readonly builder: ModuleBuilder;
  /** The function that `listing` shows, and `f` of the exports. */
  readonly f: FunctionBuilder;
  readonly g: FunctionBuilder;
}

/** A module of f and g, in which g gives its first parameters, or zeros. */
function build(f: Types, g: Types, write: (built: Built) => void): Module {
  const builder = new ModuleBuilder();
  const [first, second] = [builder.function(...f), builder.function(...g)];
  builder.table([first.index, second.index]);
  builder.export('f', 'function', first.index);
  g[1].forEach((type, i) => {
    if (g[0][i] === type) second.localGet(i);
    else if (type === I64) second.i64Const(0n);
    else second.i32Const(0);
  });
  write({ builder, f: first, g: second });
  return fromWasm(builder.build());
}

const words = (count: number): ValueType[] => new Array<ValueType>(count).fill(I32);
const pass = (f: FunctionBuilder, count: number): void => {
  for (let i = 0; i < count; i += 1) f.localGet(i);
};

describe('the code', () => {
  test('a function whose only calls are in tail position has no frame', () => {
    const module = build([[I32, I32], [I32]], [[I32, I32], [I32]], ({ f, g }) => {
      f.localGet(1);
      f.localGet(0);
      f.i32Const(1);
      f.i32Add();
      f.call(g.index);
    });
    expect(listing(module)).toMatchInlineSnapshot(`
      "addiu v0,a0,1
      move a0,a1
      j 0x400010
      move a1,v0"
    `);
    expect(new OwnMips(module).call('f', [1, 7])).toMatchObject({ v0: 7, stack: 0 });
  });

  test('one of two ways, through the table', () => {
    const module = build([[I32, I64], [I64]], [[I64], [I64]], ({ builder, f }) => {
      f.localGet(0);
      f.if(I64);
      f.localGet(1);
      f.i32Const(1);
      f.callIndirect(builder.type([I64], [I64]));
      f.else();
      f.localGet(1);
      f.i64Const(1n);
      f.i64Add();
      f.end();
    });
    expect(listing(module)).toMatchInlineSnapshot(`
      "beqz a0,0x400034
      addiu v0,a1,1
      lw v0,4(gp)
      li a0,2
      lw v1,12(v0)
      nop
      bne v1,a0,0x400040
      nop
      lw t9,8(v0)
      move a0,a1
      jr t9
      move a1,a2
      addiu v0,a1,1
      sltiu a1,v0,1
      jr ra
      addu v1,a2,a1
      break 0x0,0x5"
    `);
    const own = new OwnMips(module);
    expect(own.call('f', [1, 5n]).results.slice(0, 2)).toEqual([5, 0]);
    expect(own.call('f', [0, 0xffffffffn]).results.slice(0, 2)).toEqual([0, 1]);
  });

  test('behind another call, the frame is taken down first', () => {
    const module = build([[I32, I32], [I32]], [[I32, I32], [I32]], ({ f, g }) => {
      f.localGet(0);
      pass(f, 2);
      f.call(g.index);
      f.i32Add();
      f.localGet(1);
      f.call(g.index);
    });
    expect(listing(module)).toMatchInlineSnapshot(`
      "addiu sp,sp,-16
      sw ra,12(sp)
      sw s0,8(sp)
      sw s1,4(sp)
      move s1,a0
      move s0,a1
      move a0,s1
      jal 0x400040
      move a1,s0
      addu a0,s1,v0
      move a1,s0
      lw ra,12(sp)
      lw s0,8(sp)
      lw s1,4(sp)
      j 0x400040
      addiu sp,sp,16"
    `);
    expect(new OwnMips(module).call('f', [3, 4])).toMatchObject({ v0: 6, stack: 16 });
  });
});

describe('which calls', () => {
  const isJump = (module: Module, imports: readonly ImportCode[] = []): boolean => {
    const text = listing(module, imports);
    const jumps = /\bj 0x|\bjr t9/.test(text);
    expect(jumps).toBe(!/\bjal/.test(text));
    return jumps;
  };

  test.each<[string, Types, Types, boolean]>([
    ['eight words of arguments', [words(8), words(1)], [words(8), words(1)], true],
    ['nine', [words(9), words(1)], [words(9), words(1)], false],
    ['four longs', [new Array<ValueType>(4).fill(I64), [I64]], [new Array<ValueType>(4).fill(I64), [I64]], true],
    ['nine of ours, eight of the callee', [words(9), words(1)], [words(8), words(1)], true],
    ['six words of results', [words(2), words(6)], [words(2), words(6)], true],
    ['seven', [words(2), words(7)], [words(2), words(7)], false],
    ['no result', [words(1), []], [words(1), []], true],
    ['a result that is dropped', [words(1), []], [words(1), words(1)], true],
    ['a second result that is dropped', [words(2), words(1)], [words(2), words(2)], true],
  ])('%s: %#', (_, ours, theirs, expected) => {
    const module = build(ours, theirs, ({ f, g }) => {
      pass(f, theirs[0].length);
      f.call(g.index);
      for (let i = ours[1].length; i < theirs[1].length; i += 1) f.drop();
    });
    expect(isJump(module)).toBe(expected);
    const values = ours[0].map((type, i) => (type === I64 ? BigInt(i) << 33n : i + 40));
    const meaning = runChecked(module, values, 10_000);
    const own = new OwnMips(module).call('f', values);
    const given = meaning.values.flatMap((value) =>
      typeof value === 'bigint' ? [Number(value & 0xffffffffn), Number(value >> 32n)] : [value],
    );
    expect(own.results.slice(0, given.length)).toEqual(given);
  });

  test.each<[string, (built: Built) => void]>([
    [
      'results that change places',
      ({ f, g }) => {
        pass(f, 2);
        f.call(g.index);
        f.localSet(0);
        f.localSet(1);
        f.localGet(0);
        f.localGet(1);
      },
    ],
    [
      'a result that goes through an instruction',
      ({ f, g }) => {
        pass(f, 2);
        f.call(g.index);
        f.i32Const(1);
        f.i32Xor();
      },
    ],
    [
      'a global that is set afterwards',
      ({ builder, f, g }) => {
        const global = builder.global(I32, true, 0);
        pass(f, 2);
        f.call(g.index);
        f.i32Const(1);
        f.globalSet(global);
      },
    ],
  ])('not: %s', (_, write) => {
    expect(isJump(build([words(2), words(2)], [words(2), words(2)], write))).toBe(false);
  });

  const importing = (): Module => {
    const builder = new ModuleBuilder();
    const imported = builder.importFunction('kit', 'one', [I32], [I32]);
    const f = builder.function([I32, I32], [I32]);
    f.localGet(1);
    f.call(imported);
    builder.export('f', 'function', f.index);
    return fromWasm(builder.build());
  };

  test('an import that is a routine, and none that is written in line', () => {
    expect(listing(importing(), [{ kind: 'routine', address: 0x2000 }])).toMatchInlineSnapshot(`
      "j 0x2000
      move a0,a1"
    `);
    const lines = [
      { mnemonic: 'addiu', operands: [2, 0, 3] },
      { mnemonic: 'syscall', operands: [0] },
    ] as const;
    expect(listing(importing(), [{ kind: 'inline', arguments: [4], results: [2], lines }])).toMatchInlineSnapshot(`
      "move a0,a1
      li v0,3
      syscall
      jr ra
      nop"
    `);
  });
});

describe('the stack', () => {
  /** f and g call each other, the parameter times; `how` is how, and what is done before. */
  const mutual = (how: 'directly' | 'through the table', before: 'nothing' | 'a call'): Module => {
    const builder = new ModuleBuilder();
    const functions = [builder.function([I32, I32], [I32, I64]), builder.function([I32, I32], [I32, I64])] as const;
    const leaf = builder.function([I32], [I32]);
    builder.table(functions.map(({ index }) => index));
    leaf.localGet(0);
    leaf.i32Const(3);
    leaf.i32Add();
    functions.forEach((f, i) => {
      f.localGet(0);
      f.i32Eqz();
      f.if();
      f.localGet(1);
      f.i64Const(BigInt(i) << 40n);
      f.return();
      f.end();
      f.localGet(0);
      f.i32Const(1);
      f.i32Sub();
      f.localGet(1);
      if (before === 'a call') f.call(leaf.index);
      f.i32Const(i + 1);
      f.i32Add();
      const other = functions[1 - i] as FunctionBuilder;
      if (how === 'directly') f.call(other.index);
      else {
        f.i32Const(1 - i);
        f.callIndirect(other.type);
      }
    });
    builder.export('f', 'function', functions[0].index);
    return fromWasm(builder.build());
  };

  test.each([
    [DEEP, 'directly', 'nothing', 0],
    [DEEP, 'through the table', 'nothing', 0],
    [DEEP / 10, 'directly', 'a call', 8],
    [DEEP / 10, 'through the table', 'a call', 8],
  ] as const)('%i calls %s, with %s before, take %i bytes', (deep, how, before, bytes) => {
    const module = mutual(how, before);
    const own = new OwnMips(module);
    const run = own.call('f', [deep, 5]);
    const step = before === 'nothing' ? 0 : 3 * deep;
    expect(run.results.slice(0, 3)).toEqual([5 + step + (3 * deep) / 2, 0, 0]);
    expect(run.stack).toBe(bytes);
    // Not so deep, it is what the interpreter says.
    const meaning = runChecked(module, [7, 5], 10_000);
    expect(meaning.values).toEqual([own.call('f', [7, 5]).v0, 1n << 40n]);
  });

  test('a function calls itself a million times in none', () => {
    const builder = new ModuleBuilder();
    const f = builder.function([I32, I64], [I64]);
    f.localGet(0);
    f.if(I64);
    f.localGet(0);
    f.i32Const(1);
    f.i32Sub();
    f.localGet(1);
    f.localGet(0);
    f.i64ExtendI32U();
    f.i64Add();
    f.call(f.index);
    f.else();
    f.localGet(1);
    f.end();
    builder.export('f', 'function', f.index);
    const run = new OwnMips(fromWasm(builder.build())).call('f', [DEEP, 0n]);
    const sum = (BigInt(DEEP) * BigInt(DEEP + 1)) / 2n;
    expect(run.results.slice(0, 2)).toEqual([Number(sum & 0xffffffffn) | 0, Number(sum >> 32n)]);
    expect(run.stack).toBe(0);
  });
});
