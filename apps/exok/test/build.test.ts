/** `exok build`, and `exok run` of what it has made: sources to a program on a library operating system, and what is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { loadElf } from '@exokernel/isa';
import { readProgram, writeProgram } from '@exokernel/libos-kit';
import { afterAll, describe, expect, test } from 'vitest';
import { build, type BuildOptions } from '../src/build.ts';
import { UsageError } from '../src/error.ts';
import { carryOut } from '../src/program.ts';
import { libosMachine } from '../src/run-libos.ts';
import { machineSettings, type MachineOptionValues } from '../src/run-options.ts';
import { runAtTerminal, type Outcome } from '../src/run-terminal.ts';

const PROGRAMS = join(import.meta.dirname, '../../demos/programs');
const folder = mkdtempSync(join(tmpdir(), 'exok-build-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Built {
  readonly code: number;
  readonly printed: string;
  readonly said: string;
  readonly file: string;
}

async function built(entry: string, options: Partial<BuildOptions> = {}): Promise<Built> {
  const file = join(folder, `${String(Math.floor(performance.now() * 1000))}.elf`);
  let [printed, said] = ['', ''];
  const output = { print: (text: string) => (printed += text), say: (text: string) => (said += text) };
  const code = await build(entry, { libos: 'batch', entry: 'main', runtime: 'stub', out: file, ...options }, output);
  return { code, printed, said, file };
}

function source(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function run(
  file: string,
  ip?: string,
  values: MachineOptionValues = {},
): Promise<Pick<Outcome, 'reason' | 'ending'> & { readonly printed: string }> {
  const program = readProgram(readFileSync(file));
  if (program === undefined) throw new Error('no program');
  let printed = '';
  const { reason, ending } = await runAtTerminal(
    (...given) => libosMachine({ name: file, program, ip }, ...given),
    machineSettings({ memory: 8, seconds: 5, ...values }),
    {
      output: (data) => (printed += Buffer.from(data).toString('latin1')),
      say: () => undefined,
      input: new PassThrough(),
      signal: new AbortController().signal,
    },
  );
  return { reason, printed, ...(ending === undefined ? {} : { ending }) };
}

const BAD =
  'let zero = 0;\nexport function main(): i32 {\n  return 5 / zero;\n}\nexport function set(): void {\n  zero = 1;\n}\n';

describe('a program', () => {
  test('is built for ExOS, prints, and exits', async () => {
    const { code, said, file } = await built(join(PROGRAMS, 'hello.ts'), { libos: 'exos' });
    expect({ code, said }).toEqual({ code: 0, said: `hello for exos in ${file}\n` });
    expect(await run(file)).toEqual({
      reason: 'halted',
      printed: 'Hello from 42!\n',
      ending: { text: 'hello exited with 0', isItsOwn: true, exit: 0 },
    });
  });

  test('that needs the network is told who it is, and opens a socket on the wire', async () => {
    const text = `import { udp_close, udp_open } from './kit';
      export function main(): i32 {
        const socket = udp_open(7);
        return socket < 0 ? socket : 100 + udp_close(socket);
      }`;
    writeFileSync(join(folder, 'kit.ts'), readFileSync(join(PROGRAMS, 'kit.ts')));
    const { file } = await built(source('network.ts', text), { libos: 'exos' });
    await expect(run(file)).rejects.toThrow(/use --ip/);
    const pcap = join(folder, 'network.pcapng');
    expect((await run(file, '10.0.0.1', { pcap })).ending).toMatchObject({ exit: 100 });
    // Without a wire there is no controller: E_DEVICE.
    expect((await run(file, '10.0.0.1')).ending).toMatchObject({ exit: -11 });
  });

  test('that errs names function and line, and its listing shows them', async () => {
    const { code, printed, file } = await built(source('bad.ts', BAD), { listing: true });
    expect(code).toBe(0);
    expect(printed).toMatch(
      /\nbad\/main:\n(.*\n)* +# bad\.ts:3:10 {2}return 5 \/ zero;\n(.*\n)* {2}00400[0-9a-f]{3} {2}break 0x0,0x3\n/,
    );
    expect((await run(file)).ending).toMatchObject({
      text: expect.stringMatching(
        /^bad was ended by a division by zero, at 0x400[0-9a-f]+ in bad\/main \(bad\.ts:3:10\)$/,
      ) as string,
      isItsOwn: false,
    });
  });

  test('may be WebAssembly; then only functions have names', async () => {
    const module = [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      [1, 5, 1, 0x60, 0, 1, 0x7f],
      [3, 2, 1, 0],
      [7, 8, 1, 4, ...Buffer.from('main'), 0, 0],
      [10, 7, 1, 5, 0, 0x41, 7, 0x0f, 0x0b],
    ];
    const file = join(folder, 'seven.wasm');
    writeFileSync(file, Uint8Array.from(module.flat()));
    const { code, printed, file: elf } = await built(file, { listing: true });
    expect(code).toBe(0);
    expect(printed).toMatch(/\nmain:\n {2}00400100 {2}jr ra\n {2}00400104 {4}li v0,7\n$/);
    expect((await run(elf)).ending).toMatchObject({ text: 'seven exited with 7', exit: 7 });
  });

  test('is an executable that other tools read', async () => {
    const { file } = await built(source('plain.ts', 'export function main(): i32 {\n  return 1;\n}\n'));
    const { entry, symbols, segments } = loadElf(readFileSync(file));
    expect(entry).toBe(0x400000);
    expect([...(symbols ?? [])]).toEqual([
      ['_start', 0x400000],
      ['plain/main', 0x400100],
    ]);
    expect(segments.map(({ flags }) => flags)).toEqual([5, 6, 6, 6]);
  });
});

test('what is wrong in the sources is told with file, line and column, and nothing is made', async () => {
  const entry = source('wrong.ts', "import { x } from './other';\nexport function main(): i32 {\n  return x + y;\n}\n");
  source('other.ts', 'export const x = nothing;\n');
  const { code, said, file } = await built(entry);
  expect(code).toBe(1);
  expect(said.trimEnd().split('\n').sort()).toEqual([
    `${join(folder, 'other.ts')}(1,18): error TS2304: Cannot find name 'nothing'.`,
    `${join(folder, 'wrong.ts')}(3,14): error TS2304: Cannot find name 'y'.`,
  ]);
  expect(existsSync(file)).toBe(false);
});

describe('refused', () => {
  const refusal = async (work: () => Promise<unknown>): Promise<string> => {
    const error: unknown = await work().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  };

  test.each([
    [
      'a program that its libOS does not suffice for',
      join(PROGRAMS, 'hello.ts'),
      {},
      /needs console, which batch does not/,
    ],
    ['one without main', source('none.ts', 'export function other(): void {}\n'), {}, /exports no function main/],
    [
      'an import that is not there',
      source(
        'lost.ts',
        '@external("kit", "fly") declare function fly(): i32;\nexport function main(): i32 {\n  return fly();\n}\n',
      ),
      {},
      /kit\.fly, which none/,
    ],
    [
      'floating point',
      source('float.ts', 'export function main(): i32 {\n  return <i32>(load<f64>(8) * 1.5);\n}\n'),
      {},
      /float/,
    ],
    ['bytes that are no module', source('no.wasm', 'nothing'), {}, /no\.wasm: /],
    [
      'a file that cannot be written',
      join(PROGRAMS, 'matmul.ts'),
      { out: join(folder, 'missing', 'x.elf') },
      /cannot write/,
    ],
  ] as const)('%s', async (_, entry, options, message) => {
    expect(await refusal(() => built(entry, options))).toMatch(message);
  });

  test('a program of another version of the library operating system, or of one that is not there', async () => {
    const { file } = await built(source('old.ts', 'export function main(): i32 {\n  return 1;\n}\n'));
    const program = readProgram(readFileSync(file))!;
    for (const [change, message] of [
      [{ runtime: 1 }, /old was built for another batch: build it again/],
      [{ libos: 'unix' }, /no library operating system unix/],
    ] as const) {
      writeFileSync(file, writeProgram({ ...program, ...change }));
      expect(await refusal(() => carryOut(['run', file]))).toMatch(message);
    }
    writeFileSync(file, writeProgram(program));
    expect(await refusal(() => carryOut(['run', file, '--', 'argument']))).toMatch(/for the bare machine/);
  });
});
