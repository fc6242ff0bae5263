/**
 * Downloaded code as a module of WebAssembly whose only import is the memory that all its regions lie in.
 *
 * Exports `run(fuel, base, length, …, parameter, …)`, which returns the value as a signed number (`>>> 0` makes it the
 * u32), and two functions that say how the last run ended: `status()` and `fuel()`. Code with exactly one region and
 * no parameters also has `runEach(fuel, descriptors, count, results)`: one run for each `{base, length}` pair of words at
 * `descriptors`, values written as words to `results`, the number of aborted runs returned.
 *
 * The caller guarantees that regions lie in the memory; the engine traps otherwise. Source: [WASM].
 */
import { I32, ModuleBuilder, type FunctionBuilder } from '@exokernel/wasm';
import type { Func, Module } from '../ir/ir.ts';
import { numberSections } from '../ir/sections.ts';
import { emitFunction } from './function.ts';
import { FUEL, leafRun } from './run.ts';

/** Compiles the one function of a module without memory, globals and calls, which is prepared. Without costs, nothing is charged. */
export function leafToWasm(module: Module, costs: readonly number[] | undefined): Uint8Array<ArrayBuffer> {
  const { starts, loops } = numberSections(module);
  const func = module.functions[0] as Func;
  const builder = new ModuleBuilder();
  builder.importMemory('env', 'memory', { minimum: 0 });
  const globals = { status: builder.global(I32, true, 0), fuel: builder.global(I32, true, 0) };
  const firstRegion = FUEL + 1;
  const firstLocal = firstRegion + 2 * module.regions.length;
  const words = firstLocal + func.parameters.length;
  const f = builder.function(new Array<typeof I32>(words).fill(I32), [I32]);
  leafRun(f, globals, costs !== undefined, (run) => {
    emitFunction(f, func, {
      module,
      run,
      costs: costs ?? [],
      loops,
      section: starts[0] ?? 0,
      globals: [],
      firstLocal,
      firstRegion,
      calls: undefined,
    });
  });
  builder.export('run', 'function', f.index);
  for (const [name, global] of Object.entries(globals)) {
    const getter = builder.function([], [I32]);
    getter.globalGet(global);
    builder.export(name, 'function', getter.index);
  }
  if (words === 3) builder.export('runEach', 'function', runEach(builder, f, globals.status).index);
  return builder.build();
}

const DESCRIPTOR_BYTES = 8;

function runEach(module: ModuleBuilder, run: FunctionBuilder, status: number): FunctionBuilder {
  const [fuel, descriptors, count, results] = [0, 1, 2, 3] as const;
  const f = module.function([I32, I32, I32, I32], [I32]);
  const aborted = f.local(I32);
  const advance = (local: number, by: number): void => {
    f.localGet(local);
    f.i32Const(by);
    f.i32Add();
    f.localSet(local);
  };
  f.block();
  f.loop();
  f.localGet(count);
  f.i32Eqz();
  f.brIf(1);
  f.localGet(results);
  f.localGet(fuel);
  f.localGet(descriptors);
  f.i32Load();
  f.localGet(descriptors);
  f.i32Load(4);
  f.call(run.index);
  f.i32Store();
  f.localGet(aborted);
  f.globalGet(status);
  f.i32Const(0);
  f.i32Ne();
  f.i32Add();
  f.localSet(aborted);
  advance(descriptors, DESCRIPTOR_BYTES);
  advance(results, 4);
  advance(count, -1);
  f.br(0);
  f.end();
  f.end();
  f.localGet(aborted);
  return f;
}
