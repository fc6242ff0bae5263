/** Compiled programs on the machine: what they compute, whom they call, how they end. */
import { describe, expect, it } from 'vitest';
import { DEATHS } from '@exokernel/abi';
import { SP } from '@exokernel/isa';
import { compileOwn } from '@exokernel/vcode';
import {
  BOOT_STACK_TOP,
  COMPILED_MEMORY,
  compiledProgram,
  compose,
  PAGED_BASE,
  UKIT,
  type CompiledOptions,
} from '../src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { batch } from '../../batch/src/index.ts';
import { exos } from '../../exos/src/index.ts';
import { boot, exitOf } from '../../testkit/src/index.ts';

/** The opcode of `lw`. */
const LW = 0x23;

type Compiled = Required<Pick<CompiledOptions, 'placeOf'>> & { readonly wasm: Uint8Array };

async function compiled(text: string): Promise<Compiled> {
  const { wasm, diagnostics, placeOf } = await compileAssemblyScript(new Map([['main.ts', text]]), 'main.ts', {
    memoryBase: COMPILED_MEMORY,
  });
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return { wasm, placeOf };
}

/** What the library operating systems end programs with that err. */
const BAD: Readonly<Record<string, number>> = { batch: -1, exos: 139 };

type Composed = ReturnType<typeof compose>;
type Needs = 'memory' | 'clock';
const SYSTEMS: readonly {
  readonly name: string;
  readonly load: (needs: readonly Needs[], program: Compiled) => Composed;
}[] = [
  {
    name: 'batch',
    load: (needs, { wasm, ...options }) => compose(batch, compiledProgram('test', needs, wasm, options)),
  },
  { name: 'exos', load: (needs, { wasm, ...options }) => compose(exos, compiledProgram('test', needs, wasm, options)) },
];

describe.each(SYSTEMS)('on $name', ({ name, load }) => {
  async function run(text: string, needs: readonly Needs[] = ['memory']): Promise<number | undefined> {
    const booted = boot([load(needs, await compiled(text))]);
    return booted.finish(0).map(exitOf)[0];
  }

  it('gives the exit code', async () => {
    expect(await run('export function main(): i32 {\n  return 42;\n}')).toBe(42);
  });

  it('has its static data and globals', async () => {
    const text = `const table: StaticArray<i32> = [3, 1, 4, 1, 5, 9, 2, 6];
      let calls = 0;
      function next(): i32 { calls++; return table[calls - 1]; }
      export function main(): i32 { let sum = 0; for (let i = 0; i < 8; i++) sum = sum * 10 + next(); return sum + calls; }`;
    expect(await run(text)).toBe(31415926 + 8);
  });

  it('recurses on a stack of its own', async () => {
    const text = `function depth(n: i32): i32 { return n == 0 ? 0 : 1 + depth(n - 1) * 1; }
      export function main(): i32 { return depth(200); }`;
    expect(await run(text)).toBe(200);
  });

  it('grows its memory, which is zero', async () => {
    const text = `export function main(): i32 {
        const before = memory.size();
        if (memory.grow(3) != before) return -1;
        if (memory.size() != before + 3) return -2;
        const at = (<usize>before) << 16;
        for (let i: usize = 0; i < 3 * 65536; i += 4) { if (load<i32>(at + i) != 0) return -3; store<i32>(at + i, <i32>i); }
        let sum: u32 = 0;
        for (let i: usize = 0; i < 3 * 65536; i += 4) sum += load<u32>(at + i);
        return sum == (3 * 16384 - 1) * (3 * 16384) / 2 * 4 ? memory.grow(0) - before : -4;
      }`;
    expect(await run(text)).toBe(3);
  });

  it('is refused more memory than there is', async () => {
    expect(await run('export function main(): i32 {\n  return memory.grow(0x7fff) + memory.grow(-1);\n}')).toBe(-2);
  });

  it('makes objects, and more than its first page holds', async () => {
    const text = `class Node { next: Node | null = null; constructor(public value: i32) {} }
      export function main(): i32 {
        let list: Node | null = null;
        for (let i = 0; i < 5000; i++) { const node = new Node(i); node.next = list; list = node; }
        let sum = 0;
        while (list) { sum += list.value; list = list.next; }
        return sum;
      }`;
    expect(await run(text)).toBe((4999 * 5000) / 2);
  });

  it('calls the routines of its interfaces', async () => {
    const text = `@external("kit", "clock_ticks") declare function ticks(): i32;
      @external("kit", "clock_sleep") declare function sleep(ticks: i32): i32;
      export function main(): i32 { const before = ticks(); sleep(3); return ticks() - before >= 3 ? 1 : 0; }`;
    expect(await run(text, ['memory', 'clock'])).toBe(1);
  });

  it('makes system calls in line', async () => {
    const text = `@external("aegis", "null") declare function nothing(): i32;
      @external("aegis", "frame_alloc") declare function frameAlloc(ppn: i32, results: usize): i32;
      @external("aegis", "frame_free") declare function frameFree(a: i32, b: i32, c: i32, d: i32): i32;
      const words = memory.data(20);
      export function main(): i32 {
        if (nothing() != 0) return -1;
        if (frameAlloc(-1, words) != 0) return -2;
        const ppn = load<i32>(words);
        if (frameFree(load<i32>(words, 4), load<i32>(words, 8), load<i32>(words, 12), load<i32>(words, 16)) != 0) return -3;
        // It is free: it can be asked for by its name.
        return frameAlloc(ppn, words) == 0 && load<i32>(words) == ppn ? 7 : -4;
      }`;
    expect(await run(text)).toBe(7);
  });

  it('sees a word change that it waits for: the stack pointer that the end of its first slice saves', async () => {
    const text = `@external("kit", "load32") declare function load32(at: usize): usize;
      export function main(): i32 {
        const before = load32(${UKIT.context + 4 * SP});
        while (load32(${UKIT.context + 4 * SP}) == before) {}
        const saved = load32(${UKIT.context + 4 * SP});
        return before == ${BOOT_STACK_TOP} && saved > ${PAGED_BASE} && saved < ${COMPILED_MEMORY} ? 1 : 0;
      }`;
    // Alone, an environment is never switched out: there are two, which wait alike.
    const program = await compiled(text);
    const booted = boot([load(['memory'], program), load(['memory'], program)]);
    expect(booted.finish(0, 1).map(exitOf)).toEqual([1, 1]);
  });

  it('reads a word as often as it says, where it says so', async () => {
    const text = (read: string): string => `@external("kit", "load32") declare function load32(at: usize): i32;
      export function main(): i32 { return ${read} ^ ${read}; }`;
    const loads = async (read: string): Promise<number> => {
      const { module } = compiledProgram('test', ['memory'], (await compiled(text(read))).wasm);
      const { words } = compileOwn(module, PAGED_BASE, { imports: [{ kind: 'load', size: 4, signed: false }] });
      return words.filter((word) => word >>> 26 === LW).length;
    };
    expect(await loads('load32(4096)')).toBe(2);
    expect(await loads('load<i32>(4096)')).toBeLessThan(2);
  });

  it.each([
    [
      'divides by zero',
      'let zero = 0;\nexport function main(): i32 {\n  return 5 / zero;\n}\nexport function set(): void {\n  zero = 1;\n}',
      /^was ended by a division by zero, at 0x40[0-9a-f]+ in main\/main \(main\.ts:3:\d+\)$/,
    ],
    [
      'is unreachable',
      'export function main(): i32 {\n  unreachable();\n  return 0;\n}',
      /^was ended by a trap: .*, at 0x40[0-9a-f]+ in main\/main \(main\.ts:2:\d+\)/,
    ],
    [
      'reads what is not there',
      'function at(p: usize): i32 {\n  return load<i32>(p);\n}\nexport function main(): i32 {\n  return at(0x20000000);\n}',
      /^was ended by a load from 0x20000000, where nothing is, at 0x40[0-9a-f]+ in main\/main \(main\.ts:2:\d+\)/,
    ],
    [
      'writes its own code',
      'export function main(): i32 {\n  store<i32>(0x400000, 0);\n  return 0;\n}',
      /^was ended by a store to 0x400000, which is read-only, at 0x40[0-9a-f]+ in main\/main \(main\.ts:2:\d+\)/,
    ],
    [
      'reads a word between words',
      'export function main(): i32 {\n  return load<i32>(0x500002);\n}',
      /^was ended by a load from 0x500002, which is misaligned or the kernel's, at 0x40[0-9a-f]+ in main\/main \(main\.ts:2:\d+\)/,
    ],
    [
      'recurses without end',
      'function f(n: i32): i32 {\n  return n + f(n + 1) * 3;\n}\nexport function main(): i32 {\n  return f(0);\n}',
      /^was ended by a store to 0x40[0-9a-f]+, where nothing is, at 0x40[0-9a-f]+ in main\/f \(main\.ts:2:\d+\)/,
    ],
  ])('ends, and it alone, when it %s, and the text says where', async (_, text, ending) => {
    const good =
      'export function main(): i32 {\n  let sum = 0;\n  for (let i = 0; i < 100000; i++) sum += i & 3;\n  return sum;\n}';
    const booted = boot([load(['memory'], await compiled(text)), load(['memory'], await compiled(good))]);
    const [bad, other] = booted.finish(0, 1);
    expect(bad?.status).toBe('dead');
    // By itself, with a word that says so, or by the kernel, for an exception that it has no handler for.
    if (bad?.death === DEATHS.exit) expect([0, 5]).not.toContain(bad.exit);
    expect(other && exitOf(other)).toBe(150000);
    expect([bad?.cause, other?.cause]).toEqual([
      expect.objectContaining({ text: expect.stringMatching(ending) as string, kind: 'exception' }),
      { text: 'exited with 150000', kind: 'exit' },
    ]);
    const place = / in (main\/\w+) \(main\.ts:(\d+)/.exec(bad?.cause?.text ?? '');
    expect(bad?.cause).toMatchObject({ function: place?.[1], source: { file: 'main.ts', line: Number(place?.[2]) } });
  });

  it('ends by itself with a word that looks like a fault, and the text does not take it for one', async () => {
    const text = `export function main(): i32 { return load<i32>(0x500000) == 0 ? ${BAD[name] ?? 0} : 0; }`;
    const booted = boot([load(['memory'], await compiled(text))]);
    booted.finish(0);
    const code = BAD[name] ?? 0;
    const words = code === -1 ? 'exited with -1 (E.CALL: no such call)' : `exited with ${code}`;
    expect(booted.aegis.environment(0).cause).toEqual({ text: words, kind: 'exit' });
  });

  it('without a source map the text says the function', async () => {
    const { wasm } = await compiled('export function main(): i32 {\n  unreachable();\n  return 0;\n}');
    const booted = boot([load(['memory'], { wasm, placeOf: () => undefined })]);
    booted.finish(0);
    expect(booted.aegis.environment(0).cause?.text).toMatch(/, at 0x40[0-9a-f]+ in main\/main$/);
  });
});

describe('the text of a death', () => {
  const ending = async (text: string, needs: readonly ('memory' | 'pipes')[] = ['memory']): Promise<string> => {
    const { wasm, placeOf } = await compiled(text);
    const booted = boot([compose(exos, compiledProgram('test', needs, wasm, { placeOf }))]);
    booted.finish(0);
    return booted.aegis.environment(0).cause?.text ?? '';
  };

  it('tells two traps of a function apart', async () => {
    const text = (n: number): string => `let n = ${n};
      export function set(): void { n = 0; }
      export function main(): i32 {
        assert(n != 1);
        assert(n != 2);
        if (n == 3) throw new Error('three');
        return n;
      }`;
    const endings = await Promise.all([1, 2, 3, 4].map((n) => ending(text(n))));
    expect(endings.map((line) => /main\.ts:(\d+)/.exec(line)?.[1])).toEqual(['4', '5', '6', undefined]);
  });

  it('names the caller, if it is certain', async () => {
    const text = (call: string): string => `let n = 7;
      export function set(): void { n = 0; }
      function find(n: i32): i32 { return n > 100 ? load<i32>(0x20000000) : find(n * 3 + 1) + 1; }
      export function main(): i32 {
        n++;
        return ${call};
      }
      function onward(k: i32): i32 {
        for (let i = 0; i < k; i++) n += n >> i;
        return find(n);
      }`;
    const place = 'main\\.ts:3:\\d+';
    expect(await ending(text('find(n + 200) + n'))).toMatch(
      new RegExp(`in main/find \\(${place}\\), called by main/main \\(main\\.ts:6:\\d+\\)$`),
    );
    // It has called itself; or the return address is that of the last call that was no jump.
    for (const call of ['find(n) + n', 'find(n + 200)', 'onward(n + 200) + onward(n)']) {
      expect(await ending(text(call))).toMatch(new RegExp(`in main/find \\(${place}\\)$`));
    }
  });

  it('blames no line for what a routine of the library operating system did', async () => {
    const text = `@external("kit", "pipe_open") declare function open(ends: usize): i32;
      export function main(): i32 { return open(0x20000000); }`;
    expect(await ending(text, ['memory', 'pipes'])).toMatch(
      /^was ended by a store to 0x20000000, where nothing is, at 0x[23][0-9a-f]{3} in code that is not of its program$/,
    );
  });
});

describe('what is refused', () => {
  const program = (wasm: Uint8Array, needs: readonly Needs[] = []): Composed =>
    compose(exos, compiledProgram('test', needs, wasm));

  it.each([
    ['no main', 'export function other(): i32 {\n  return 1;\n}'],
    [
      'an unknown system call',
      '@external("aegis", "nonsense") declare function f(): i32;\nexport function main(): i32 {\n  return f();\n}',
    ],
    [
      'a call that leaves',
      '@external("aegis", "yield") declare function f(env: i32): i32;\nexport function main(): i32 {\n  return f(-1);\n}',
    ],
    [
      'a call of another type',
      '@external("aegis", "null") declare function f(a: i32): i32;\nexport function main(): i32 {\n  return f(1);\n}',
    ],
    [
      'a routine it does not need',
      '@external("kit", "pipe_close") declare function f(a: i32): i32;\nexport function main(): i32 {\n  return f(1);\n}',
    ],
    [
      'a module that does not exist',
      '@external("env", "f") declare function f(): i32;\nexport function main(): i32 {\n  return f();\n}',
    ],
  ])('%s', async (_, text) => {
    const { wasm } = await compiled(text);
    expect(() => program(wasm)).toThrow(expect.objectContaining({ code: 'image' }) as Error);
  });

  it('static data where the kit is', async () => {
    const { wasm } = await compileAssemblyScript(
      new Map([['main.ts', 'const a: StaticArray<i32> = [1, 2];\nexport function main(): i32 {\n  return a[1];\n}']]),
      'main.ts',
      { memoryBase: 4096 },
    );
    expect(() => program(wasm ?? new Uint8Array())).toThrow(expect.objectContaining({ code: 'program-size' }) as Error);
  });
});
