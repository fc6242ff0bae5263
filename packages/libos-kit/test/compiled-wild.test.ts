/**
 * Compiled programs that run wild: any system call with any arguments, what they were given used again and in wrong places, words written
 * anywhere, recursion without end, calls through a table into nothing. They hurt themselves alone. `WILD_PROGRAMS` sets how many there are,
 * `WILD_SEED` makes others.
 */
import { CALLS } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { COMPILED_MEMORY, compiledProgram, compose } from '../src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { batch } from '../../batch/src/index.ts';
import { exos } from '../../exos/src/index.ts';
import { boot, bystander, BystanderWatch, checkInvariants } from '../../testkit/src/index.ts';

const PROGRAMS = Number(process.env['WILD_PROGRAMS'] ?? 6);
const SEED = Number(process.env['WILD_SEED'] ?? 1);
const AT_ONCE = 3;
/** Machine time that a program has until the next is looked for. */
const SECONDS = 3;
/** Stands in the program's data where the seed goes. */
const MAGIC = 0x5eed0bad;

/** Calls that do not come back to their caller have no import. */
const LEAVING = new Set(['yield', 'sleep', 'scall', 'acall']);
/** Without a capability these are about the caller, and are mostly its end. */
const SUICIDAL = new Set(['env_free', 'env_set', 'env_map']);
const words = (fields: readonly string[]): string[] =>
  fields.flatMap((field) => new Array<string>(Number(field.split(':')[1] ?? 1)).fill(field));

/** Declares every call, and calls each with what `word` and `known` give. */
function source(): string {
  const calls = Object.entries(CALLS).filter(([name]) => !LEAVING.has(name));
  const declarations = calls.map(([name, { args, results }]) => {
    const count = words(args).length + (results.length > 0 ? 1 : 0);
    const parameters = Array.from({ length: count }, (_, i) => `a${i}: i32`).join(', ');
    return `@external("aegis", "${name}") declare function ${name}_(${parameters}): i32;`;
  });
  const cases = calls.map(([name, { args, results }], i) => {
    const given = args.flatMap((field) =>
      field.endsWith(':4') ? [1, 2, 3, 4].map((word) => `known(slot, ${word})`) : words([field]).map(() => 'word()'),
    );
    if (results.length > 0) given.push('slotAt(next())');
    const seldom = SUICIDAL.has(name) ? 'if (next() % 64 == 0) ' : '';
    return `case ${i}: ${seldom}${name}_(${given.join(', ')}); return;`;
  });
  return `${declarations.join('\n')}
    const SLOTS: u32 = 12;
    const results = memory.data(48 * 12);
    const given: StaticArray<u32> = [${MAGIC}, 0];
    let state: u32 = 0;
    function next(): u32 { state ^= state << 13; state ^= state >> 17; state ^= state << 5; return state; }
    function slotAt(n: u32): i32 { return <i32>results + 48 * <i32>(n % SLOTS); }
    function known(slot: i32, word: i32): i32 { return next() % 16 == 0 ? <i32>next() : load<i32>(slot + 4 * word); }
    function word(): i32 {
      switch (next() % 6) {
        case 0: return next() & 15;
        case 1: return -1;
        case 2: return <i32>next();
        case 3: return load<i32>(slotAt(next()));
        case 4: return ${COMPILED_MEMORY} + <i32>(next() & 0xfffff);
        default: return 0;
      }
    }
    function call(): void {
      const slot = slotAt(next());
      switch (next() % ${calls.length}) { ${cases.join('\n')} default: }
    }
    function deep(n: u32): u32 { return n + deep(n + 1) * 3; }
    type Any = () => void;
    const functions: StaticArray<Any> = [call];
    function wild(): void {
      switch (next() % 8) {
        case 0: store<u32>(next(), next()); return;
        case 1: store<u32>((next() & 0xfffffffc) | 0x80000000, next()); return;
        case 2: store<u8>(next() % ${COMPILED_MEMORY}, <u8>next()); return;
        case 3: state ^= load<u32>(next()); return;
        case 4: deep(next()); return;
        case 5: call_indirect(next(), 0); return;
        case 6: memory.fill(next(), <u8>next(), next()); return;
        default: for (let at: usize = ${COMPILED_MEMORY}; ; at += 4096) store<u32>(at, next());
      }
    }
    export function main(): i32 {
      state = given[0];
      for (let i = 0; i < 600; i++) call();
      if (next() % 2 == 0) wild();
      for (let i = 0; i < 100; i++) call();
      functions[next() & 1]();
      return next();
    }`;
}

/** The module with another seed. */
function seeded(wasm: Uint8Array, seed: number): Uint8Array {
  const out = Uint8Array.from(wasm);
  const view = new DataView(out.buffer);
  for (let at = 0; at + 4 <= out.length; at += 1) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    view.setUint32(at, Math.imul(seed, 0x9e3779b1) | 1, true);
    return out;
  }
  throw new Error('the program has no seed');
}

test('programs that run wild hurt themselves alone', async () => {
  const { wasm, diagnostics } = await compileAssemblyScript(new Map([['main.ts', source()]]), 'main.ts', {
    memoryBase: COMPILED_MEMORY,
  });
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics[0]));
  const made = (seed: number): ReturnType<typeof compose> => {
    const program = compiledProgram(`wild ${seed}`, ['memory'], seeded(wasm, seed));
    return seed % 2 === 0 ? compose(batch, program) : compose(exos, program);
  };
  const endings = new Set<string>();
  for (let seed = SEED; seed < SEED + PROGRAMS; seed += AT_ONCE) {
    const booted = boot([bystander(), ...Array.from({ length: AT_ONCE }, (_, i) => made(seed + i))]);
    const { aegis, machine } = booted;
    const watch = new BystanderWatch(aegis, 0);
    const ended = (): boolean => {
      watch.look();
      return [1, 2, 3].every((env) => aegis.environment(env).status === 'dead');
    };
    booted.runUntil(ended, SECONDS);
    for (const env of [1, 2, 3])
      endings.add((aegis.environment(env).cause?.text ?? '').split(/ (?:0x|with|in) ?/)[0] ?? '');
    const where = `seeds from ${seed}, ${machine.cycles} cycles`;
    expect(watch.damage(), where).toEqual([]);
    expect(checkInvariants(aegis), where).toEqual([]);
  }
  // They got as far as doing what they are for.
  expect(endings.size).toBeGreaterThan(2);
});
