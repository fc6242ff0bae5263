/**
 * The WebAssembly back end: one program to a module whose only import is the memory that all its regions lie in.
 *
 * Exports `run(fuel, base, length, …, parameter, …)`, which returns the value as a signed number (`>>> 0` makes it the
 * u32), and two functions that say how the last run ended: `status()` and `fuel()`. A program with exactly one region and
 * no parameters also has `runEach(fuel, descriptors, count, results)`: one run for each `{base, length}` pair of words at
 * `descriptors`, values written as words to `results`, the number of aborted runs returned.
 *
 * The caller guarantees that regions lie in the memory; the engine traps otherwise. Source: [WASM].
 */
import { I32, ModuleBuilder, type FunctionBuilder } from '@exokernel/wasm';
import { isBounded } from '../mips/bounds.ts';
import { VcodeError } from '../program/error.ts';
import type { Program } from '../program/ir.ts';
import { lower } from '../lower/lower.ts';
import { sectionCosts } from '../mips/compile.ts';
import { WasmStatements } from './statements.ts';

/** How a program is compiled for the host. */
export interface WasmOptions {
  /**
   * False leaves out all charging: `fuel()` gives 0 and runs do not abort for it. Allowed only for programs whose loops all
   * have a static bound, which end by themselves.
   */
  readonly metered?: boolean;
}

/** Compiles a program. Throws `VcodeError` `malformed`, `limit`, or `unbounded` (an unmetered `while`). */
export function compileWasm(program: Program, { metered = true }: WasmOptions = {}): Uint8Array {
  if (!metered && !isBounded(program)) {
    throw new VcodeError('unbounded', `${program.name} has a while loop: it cannot run without fuel`);
  }
  const lowered = lower(program);
  const module = new ModuleBuilder();
  module.importMemory('env', 'memory', { minimum: 0 });
  const globals = { status: module.global(I32, true, 0), fuel: module.global(I32, true, 0) };
  const words = 1 + 2 * program.regions.length + program.parameters.length;
  const run = module.function(new Array<typeof I32>(words).fill(I32), [I32]);
  new WasmStatements(run, program, metered ? sectionCosts(program) : undefined, globals).program(lowered.body);
  module.export('run', 'function', run.index);
  for (const [name, global] of Object.entries(globals)) {
    const getter = module.function([], [I32]);
    getter.globalGet(global);
    module.export(name, 'function', getter.index);
  }
  if (words === 3) module.export('runEach', 'function', runEach(module, run, globals.status).index);
  return module.build();
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
