/**
 * Validates a module, and gives every function as a table of instructions for compilers.
 *
 * Throws `WasmError`: `malformed`, `invalid` with the name of the function and an offset in the module, `unsupported`, `limit`. Source:
 * [WASM §3.4].
 */
import { ByteReader } from './byte-reader.ts';
import { decodeModule } from './decode.ts';
import { WasmError } from './error.ts';
import type { FunctionType, Limits, WasmModule, WasmType } from './module.ts';
import { fail, validateFunction, type Code, type Space } from './validate-function.ts';

/** A module that keeps all rules. */
export interface ValidModule extends WasmModule {
  readonly code: readonly Code[];
  /** By index in the space of functions, imports first. */
  readonly functionTypes: readonly FunctionType[];
  readonly globalTypes: readonly { readonly type: WasmType; readonly mutable: boolean }[];
}

/** Decodes and validates a module. */
export function validateModule(bytes: Uint8Array): ValidModule {
  const module = decodeModule(bytes);
  const imported = <K extends WasmModule['imports'][number]['kind']>(
    kind: K,
  ): Extract<WasmModule['imports'][number], { kind: K }>[] =>
    module.imports.filter((one): one is Extract<WasmModule['imports'][number], { kind: K }> => one.kind === kind);
  const typeOf = (index: number): FunctionType => module.types[index] ?? { parameters: [], results: [] };
  const functionTypes = [
    ...imported('function').map(({ type }) => typeOf(type)),
    ...module.functions.map(({ type }) => typeOf(type)),
  ];
  const globalTypes = [...imported('global'), ...module.globals];
  const space: Space = { module, functionTypes, globalTypes };
  checkModule(space);
  const skipped = functionTypes.length - module.functions.length;
  const code = module.functions.map((func, i) => {
    try {
      return validateFunction(space, typeOf(func.type), func.locals, new ByteReader(bytes, func.from, func.to));
    } catch (error) {
      if (!(error instanceof WasmError)) throw error;
      const name = module.names.get(skipped + i) ?? `function ${skipped + i}`;
      throw new WasmError(error.code, `${name}: ${error.message}`, { ...error.details, function: name });
    }
  });
  return { ...module, code, functionTypes, globalTypes };
}

function checkModule({ module, functionTypes, globalTypes }: Space): void {
  const has = (limits: Limits | undefined): number => (limits === undefined ? 0 : 1);
  const counts = {
    function: functionTypes.length,
    table: has(module.table),
    memory: has(module.memory),
    global: globalTypes.length,
  };
  for (const { kind, index, name } of module.exports) {
    if (index >= counts[kind]) fail(`unknown ${kind} ${index}, exported as ${name}`);
  }
  for (const { mode, functions } of module.elements) {
    if (mode === 'active' && module.table === undefined) fail('unknown table 0');
    for (const index of functions)
      if (index >= counts.function) fail(`unknown function ${index} in an element segment`);
  }
  for (const { offset } of module.data)
    if (offset !== undefined && module.memory === undefined) fail('unknown memory 0');
  if (module.start !== undefined) {
    const type = functionTypes[module.start];
    if (type === undefined) fail(`unknown function ${module.start}`);
    if (type.parameters.length > 0 || type.results.length > 0) fail('start function');
  }
}
