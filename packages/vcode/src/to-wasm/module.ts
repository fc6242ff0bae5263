/**
 * A module of the checked profile as a module of WebAssembly, for the host.
 *
 * It imports its memory as `env.memory` and its host functions as `env.import N`, and exports its functions by their names and the globals
 * `fuel`, `status` and `stack`. A run that aborts sets the status and executes `unreachable`; one that the engine ends because of an
 * access leaves the status at 0. Region 0 is the memory, whose bounds the engine tests.
 */
import { I32, I64, ModuleBuilder, type FunctionBuilder, type ValueType as Byte } from '@exokernel/wasm';
import type { Module, ValueType } from '../ir/ir.ts';
import { prepareChecked } from '../ir/prepare.ts';
import { numberSections } from '../ir/sections.ts';
import { budgetsOf } from '../r3000/compile.ts';
import { emitFunction } from './function.ts';
import { moduleRun } from './run.ts';
import type { Surroundings } from './surroundings.ts';

const byte = (type: ValueType): Byte => (type === 'i64' ? I64 : I32);
/** Exports of the compiled module begin so; names of its own could be anything. */
export const FUNCTION = 'function ';
export const GLOBAL = 'global ';
export const IMPORT = 'import ';

/** Compiles a module for the host. */
export function moduleToWasm(given: Module): Uint8Array<ArrayBuffer> {
  const module = prepareChecked(given);
  const { costs, frames } = budgetsOf(given);
  const sections = numberSections(module);
  const builder = new ModuleBuilder();
  builder.importMemory('env', 'memory', { minimum: 0 });
  const imports = module.imports.map(({ parameters, results }, i) =>
    builder.importFunction('env', `${IMPORT}${i}`, parameters.map(byte), results.map(byte)),
  );
  const fuel = builder.global(I32, true, 0);
  const status = builder.global(I32, true, 0);
  const stack = builder.global(I32, true, 0);
  const most = builder.global(I32, true, 0);
  const globals = module.globals.map(({ type, initial }) => builder.global(byte(type), true, signedOf(type, initial)));
  const functions = module.functions.map(({ parameters, results }) =>
    builder.function(
      parameters.map(({ type }) => byte(type)),
      results.map(byte),
    ),
  );
  const signatureOf = builder.function([I32], [I32]);
  emitSignatures(signatureOf, module);
  const shared = {
    module,
    costs,
    globals,
    firstLocal: 0,
    firstRegion: undefined,
    loops: sections.loops,
  };
  module.functions.forEach((func, i) => {
    const f = functions[i] as FunctionBuilder;
    const frame = frames[i] ?? 0;
    const surroundings: Surroundings = {
      ...shared,
      run: moduleRun(f, { fuel, status, stack }, frame),
      section: sections.starts[i] ?? 0,
      calls: {
        stack,
        most,
        imports,
        functions,
        signatureOf: signatureOf.index,
        frame,
        typeOf: (parameters, results) => builder.type(parameters.map(byte), results.map(byte)),
      },
    };
    emitFunction(f, func, surroundings);
  });
  if (module.table.length > 0 && functions[0] !== undefined) {
    const [{ index: filler }] = functions as [FunctionBuilder];
    builder.table(module.table.map((index) => functions[index]?.index ?? filler));
  }
  for (const [name, index] of [
    ['fuel', fuel] as const,
    ['status', status] as const,
    ['stack', stack] as const,
    ['most', most] as const,
  ]) {
    builder.export(name, 'global', index);
  }
  globals.forEach((index, i) => {
    builder.export(`${GLOBAL}${i}`, 'global', index);
  });
  functions.forEach(({ index }, i) => {
    builder.export(`${FUNCTION}${i}`, 'function', index);
  });
  return builder.build();
}

function signedOf(type: ValueType, value: number | bigint): number | bigint {
  return type === 'i64' ? BigInt.asIntN(64, BigInt(value)) : Number(value) | 0;
}

/** A function that gives the signature's number of a slot; 0 for one that is empty or not there. */
function emitSignatures(f: FunctionBuilder, { table, functions }: Module): void {
  const numbers = [...new Set(table.map((index) => functions[index]?.signature ?? 0))].filter((number) => number > 0);
  for (let i = 0; i <= numbers.length; i += 1) f.block();
  f.localGet(0);
  // The innermost block is that of slots without function.
  f.brTable(
    table.map((index) => 1 + numbers.indexOf(functions[index]?.signature ?? 0)),
    0,
  );
  f.end();
  for (const number of [0, ...numbers]) {
    f.i32Const(number);
    f.return();
    if (number !== numbers.at(-1) && numbers.length > 0) f.end();
  }
  f.unreachable();
}
