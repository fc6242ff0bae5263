/**
 * Random modules: interpreter, WebAssembly on the host and MIPS agree to the last byte, and with the host's engine itself where the run is not
 * ended by fuel or stack. `MODULE_RUNS` sets how many.
 */
import { I32, I64, ModuleBuilder } from '@exokernel/wasm';
import { describe, expect, test } from 'vitest';
import { ABORT_FUEL, ABORT_STACK, fromWasm, type Module, type Value } from '@exokernel/vcode';
import { Exception } from './cpu.ts';
import { CheckedMips, OwnMips } from './on-mips.ts';
import { runChecked } from './run-checked.ts';
import { randomFrom, randomModule, type Random } from './random-wasm.ts';

const RUNS = Number(process.env['MODULE_RUNS'] ?? 50);
const FIRST = Number(process.env['MODULE_SEED'] ?? 1);
/** 90202: the upper half of a table's address in the slot of another block's branch. */
const KNOWN = [90202];
const SEEDS = [...KNOWN, ...Array.from({ length: RUNS }, (_, i) => FIRST + i)];
const PLENTY = 20_000_000;

const random64 = (random: Random): bigint => (BigInt(random(0x7fffffff)) << 33n) ^ BigInt(random(0x7fffffff));
const unsigned = (value: unknown): Value =>
  typeof value === 'bigint' ? BigInt.asUintN(64, value) : Number(value) >>> 0;
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const ended = new Map<string, number>();
const count = (what: string): void => {
  ended.set(what, (ended.get(what) ?? 0) + 1);
};

/** The same on the engine alone: `undefined` for a trap. */
function runOnEngine(
  bytes: Uint8Array<ArrayBuffer>,
  values: readonly Value[],
): { values: readonly Value[]; memory: Uint8Array } | undefined {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 3 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  try {
    const given = (exports['f'] as (...values: Value[]) => unknown)(
      ...values.map((value) => (typeof value === 'bigint' ? BigInt.asIntN(64, value) : value | 0)),
    );
    const results: unknown[] = given === undefined ? [] : Array.isArray(given) ? given : [given];
    return { values: results.map(unsigned), memory: new Uint8Array(memory.buffer) };
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The own profile, where nothing traps and memory does not grow. A broken promise of alignment ends it. */
function runOwn(module: Module, values: readonly Value[], meaning: ReturnType<typeof runChecked>): boolean {
  const own = new OwnMips(module);
  // `j`, or `jr t9`: nothing else makes these.
  if (own.code.words.some((word) => word >>> 26 === 2 || word === 0x03200008)) count('with jumps to functions');
  let run;
  try {
    run = own.call('f', values);
  } catch (error) {
    if (error instanceof Exception && error.code === 'alignment') return false;
    throw error;
  }
  const words = meaning.values.flatMap((value) =>
    typeof value === 'bigint' ? [Number(value & 0xffffffffn), Number(value >> 32n)] : [value],
  );
  expect(run.results.slice(0, words.length).map((word) => word >>> 0)).toEqual(words);
  expect(same(own.memory(), meaning.memory)).toBe(true);
  return true;
}

describe('random modules', () => {
  const cases = ['', ', whose functions end in calls'].flatMap((how) => SEEDS.map((seed) => [seed, how] as const));
  test.each(cases)('seed %i%s', (seed, how) => {
    const random = randomFrom(seed * 2654435761);
    const { bytes, shape } = randomModule(random, how !== '');
    const values = shape.parameters.map((type) =>
      type === I64 ? random64(random) : (random(0x7fffffff) * 2 + random(2)) >>> 0,
    );
    const module = fromWasm(bytes, { pages: 1 });
    const meaning = runChecked(module, values, random(5) === 0 ? random(3000) : PLENTY);
    count(`status ${meaning.status}`);
    if (meaning.status === ABORT_FUEL || meaning.status === ABORT_STACK) return;
    const engine = runOnEngine(bytes, values);
    expect(engine === undefined).toBe(meaning.status !== 0);
    if (engine === undefined) return;
    expect(engine.values).toEqual(meaning.values);
    expect(same(engine.memory, meaning.memory)).toBe(true);
    if (meaning.memory.length === 65536 && runOwn(module, values, meaning)) count('own');
  });

  test('many of them return, and many of those in the own profile', () => {
    if (RUNS < 50) return;
    expect(ended.get('status 0')).toBeGreaterThan(RUNS / 4);
    expect(ended.get('own')).toBeGreaterThan(RUNS / 10);
    expect(ended.get('with jumps to functions')).toBeGreaterThan(RUNS / 10);
  });
});

test('what stands behind a table of jumps is paid for', () => {
  const builder = new ModuleBuilder();
  const f = builder.function([I32], [I32]);
  const work = (rounds: number): void => {
    for (let k = 0; k < rounds; k += 1) {
      f.localGet(0);
      f.localGet(0);
      f.i32Const(8 + k);
      f.i32Rotl();
      f.i32Xor();
      f.localSet(0);
    }
  };
  f.loop();
  work(10);
  for (let i = 0; i < 9; i += 1) f.block();
  f.localGet(0);
  f.i32Const(7);
  f.i32And();
  f.brTable([0, 1, 2, 3, 4, 5, 6, 7], 7);
  for (let i = 0; i < 8; i += 1) {
    f.end();
    work(10);
    f.br(7 - i);
  }
  f.end();
  f.localGet(0);
  f.i32Const(1);
  f.i32Sub();
  f.localTee(0);
  f.i32Const(0xffff);
  f.i32And();
  f.brIf(0);
  f.end();
  f.localGet(0);
  builder.export('f', 'function', f.index);
  const module = fromWasm(builder.build());
  expect(runChecked(module, [5], 100_000).status).toBe(ABORT_FUEL);
  // As much is done in front of the table as behind it.
  const { executed } = new CheckedMips(module, 65536).call('f', [5], 100_000);
  expect(executed).toBeLessThan(100_200);
});
