/**
 * Programs that call the file routines with anything: pointers into nothing, into the kernel, the kit, the library and its buffers, lengths that go round.
 * They get errors or end; a neighbour's files on the same disk, and a bystander, are as they were.
 */
import { COMPILED_MEMORY, type ENTRY_POINTS, compiledProgram, compose, program } from '@exokernel/libos-kit';
import { PAGE_BYTES } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { memoryStore } from '../../hardware/src/index.ts';
import { boot, bystander, BystanderWatch, checkInvariants, exitOf } from '../../testkit/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { exos, exosInverted } from '../src/index.ts';

const PROGRAMS = Number(process.env['WILD_PROGRAMS'] ?? 8);
const BLOCKS = 24;
/** Stands in the program's data where the seed goes. */
const MAGIC = 0x5eed0bad;
const ARGUMENTS: Readonly<Record<(typeof ENTRY_POINTS)['files'][number], number>> = {
  file_create: 2,
  file_find: 2,
  file_size: 1,
  file_read: 4,
  file_append: 3,
  file_remove: 1,
  file_list: 2,
  file_format: 0,
};

const SOURCE = `
  ${Object.entries(ARGUMENTS)
    .map(
      ([name, n]) =>
        `@external("kit", "${name}") declare function ${name}(${Array.from({ length: n }, (_, i) => `a${i}: i32`).join(', ')}): i32;`,
    )
    .join('\n')}
  const given: StaticArray<u32> = [${MAGIC}, 0];
  const page: usize = memory.data(8192);
  let state: u32 = 0;
  function next(): u32 { state ^= state << 13; state ^= state >> 17; state ^= state << 5; return state; }
  /** Mostly something that is right. */
  function address(): i32 {
    switch (next() % 1000) {
      case 0: return 0;
      case 1: return -1 - <i32>(next() % 8);
      case 2: return <i32>next();
      case 3: return 0x1000 + <i32>(next() & 0xfff);
      case 4: return 0x2000 + <i32>(next() & 0x7fff);
      case 5: return 0x7a0000 + <i32>(next() & 0x3ffff);
      case 6: return 0x80000000 | <i32>(next() & 0xfffff);
      case 7: return 0x7ffff000 + <i32>(next() & 0xfff);
      default: return <i32>page + <i32>(next() & 0xfff);
    }
  }
  function length(): i32 {
    switch (next() % 12) {
      case 0: return -1 - <i32>(next() % 8);
      case 1: return <i32>next();
      case 2: return 0x7fffffff - <i32>(next() % 8);
      case 3: return 0;
      case 4: return 4096;
      default: return <i32>(next() % 40);
    }
  }
  function file(): i32 { return next() % 8 == 0 ? <i32>next() : <i32>(next() % 24); }
  export function main(): i32 {
    state = given[0];
    for (let i = 0; i < 400; i++) {
      switch (next() % 16) {
        case 0: case 1: case 2: file_create(address(), length()); break;
        case 3: file_find(address(), length()); break;
        case 4: file_size(file()); break;
        case 5: case 6: case 7: case 8: file_read(file(), length(), address(), length()); break;
        case 9: case 10: case 11: file_append(file(), address(), length()); break;
        case 12: file_remove(file()); break;
        case 13: case 14: file_list(file(), address()); break;
        default: if (next() % 8 == 0) file_format();
      }
      store<i32>(page + (next() & 0x1ffc), next());
    }
    return 42;
  }
`;

test(`${PROGRAMS} wild programs`, { timeout: 600_000 }, async () => {
  const { wasm, diagnostics } = await compileAssemblyScript(new Map([['main.ts', SOURCE]]), 'main.ts', {
    memoryBase: COMPILED_MEMORY,
  });
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  const view = new DataView(wasm.buffer);
  const at = Array.from({ length: wasm.length - 4 }, (_, i) => i).find((i) => view.getUint32(i, true) === MAGIC);
  if (at === undefined) throw new Error('no seed in the module');
  const outcomes = new Map<string, number>();
  for (let seed = 1; seed <= PROGRAMS; seed += 1) {
    view.setUint32(at, Math.imul(seed, 0x9e3779b1) | 1, true);
    const libos = seed % 2 === 0 ? exosInverted : exos;
    const wild = compose(libos, compiledProgram('wild', ['files', 'memory'], wasm.slice()), {
      extent: { start: 0, blocks: BLOCKS },
    });
    const neighbour = compose(
      exos,
      program('neighbour', ['files'], function* (os) {
        const file = yield* os.files.create('mine');
        for (let i = 0; i < 20; i += 1) yield* os.files.append(file, new Uint8Array(300).fill(i));
        const bytes = yield* os.files.read(file, 0, 1 << 20);
        if (typeof bytes === 'number' || bytes.length !== 6000) return 1;
        return bytes.every((byte, i) => byte === Math.floor(i / 300)) ? 42 : 2;
      }),
      { extent: { start: BLOCKS, blocks: BLOCKS } },
    );
    const store = memoryStore(new Uint8Array(2 * BLOCKS * PAGE_BYTES));
    const booted = boot([wild, neighbour], { disk: { store } });
    const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
    const isDead = (env: number): boolean => booted.aegis.environment(env).status === 'dead';
    booted.runUntil(() => {
      watch.look();
      return isDead(0) && isDead(1);
    }, 30);
    expect(exitOf(booted.aegis.environment(1))).toBe(42);
    expect(watch.damage()).toEqual([]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
    const { status, exit, death } = booted.aegis.environment(0);
    const outcome = `${status} ${death} ${exit}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // Some end by what they did, some come to their end.
  expect(outcomes.size).toBeGreaterThan(1);
});
