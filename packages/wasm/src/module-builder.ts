/**
 * A WebAssembly module under construction: types, imports, functions, one table, globals, exports; `build()` gives bytes.
 *
 * All imported functions must be declared before the first function of the module, because they share one index space.
 * A module imports at most one memory and never defines one: the program that instantiates it owns the memory.
 *
 * Source: [WASM §5.5].
 */
import { ByteWriter } from './byte-writer.ts';
import { createFunction, I32, I64, type FunctionBuilder, type ValueType } from './function-builder.ts';
import { WasmError } from './error.ts';

/** Sizes of a memory in pages of 64 KiB. */
export interface MemoryLimits {
  readonly minimum: number;
  readonly maximum?: number;
}

const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  global: 6,
  export: 7,
  element: 9,
  code: 10,
} as const;
const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;
const FUNCREF = 0x70;
const FUNCTION_TYPE = 0x60;
const END = 0x0b;

type ExportKind = keyof typeof KIND;

/** A module under construction. */
export class ModuleBuilder {
  readonly #types: {
    readonly key: string;
    readonly parameters: readonly ValueType[];
    readonly results: readonly ValueType[];
  }[] = [];
  readonly #imports: ((section: ByteWriter) => void)[] = [];
  readonly #functions: FunctionBuilder[] = [];
  readonly #globals: { readonly type: ValueType; readonly mutable: boolean; readonly initial: bigint }[] = [];
  readonly #exports = new Map<string, { readonly kind: ExportKind; readonly index: number }>();
  #table: readonly number[] | undefined;
  #importedFunctions = 0;
  #hasMemory = false;
  #hasTable = false;

  /** The index of a function type; equal types share one. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}>${results.join()}`;
    const known = this.#types.findIndex((type) => type.key === key);
    if (known >= 0) return known;
    this.#types.push({ key, parameters: [...parameters], results: [...results] });
    return this.#types.length - 1;
  }

  /** Imports the memory that every load and store uses. Throws `WasmError` `duplicate` on a second one. */
  importMemory(module: string, name: string, limits: MemoryLimits): void {
    if (this.#hasMemory) throw new WasmError('duplicate', 'the module already imports a memory');
    this.#hasMemory = true;
    this.#imports.push((section) => {
      section.name(module);
      section.name(name);
      section.byte(KIND.memory);
      section.byte(limits.maximum === undefined ? 0 : 1);
      section.unsigned(limits.minimum);
      if (limits.maximum !== undefined) section.unsigned(limits.maximum);
    });
  }

  /** Imports the table of `callIndirect`, of at least so many slots. Throws `WasmError` `duplicate` if there is one. */
  importTable(module: string, name: string, minimum: number): void {
    this.#oneTable();
    this.#imports.push((section) => {
      section.name(module);
      section.name(name);
      section.byte(KIND.table);
      section.byte(FUNCREF);
      section.byte(0);
      section.unsigned(minimum);
    });
  }

  /** Imports a function and returns its index. Throws `WasmError` `import-order` after the first `function`. */
  importFunction(
    module: string,
    name: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
  ): number {
    if (this.#functions.length > 0) {
      throw new WasmError('import-order', `import ${module}.${name} comes after a function: declare imports first`);
    }
    const type = this.type(parameters, results);
    this.#imports.push((section) => {
      section.name(module);
      section.name(name);
      section.byte(KIND.function);
      section.unsigned(type);
    });
    this.#importedFunctions += 1;
    return this.#importedFunctions - 1;
  }

  /** A new function, empty so far. Emit its code through what this returns. */
  function(parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    const index = this.#importedFunctions + this.#functions.length;
    const built = createFunction(index, this.type(parameters, results), parameters.length);
    this.#functions.push(built);
    return built;
  }

  /** A new global and its index. `initial` is an integer of its type. */
  global(type: ValueType, mutable: boolean, initial: number | bigint): number {
    this.#globals.push({ type, mutable, initial: BigInt(initial) });
    return this.#globals.length - 1;
  }

  /** The table for `callIndirect`, filled with these functions from slot 0. Throws `WasmError` `duplicate`. */
  table(functions: readonly number[]): void {
    this.#oneTable();
    this.#table = [...functions];
  }

  #oneTable(): void {
    if (this.#hasTable) throw new WasmError('duplicate', 'the module already has a table');
    this.#hasTable = true;
  }

  /** Exports what has this index in the space of its kind. Throws `WasmError` `duplicate` or `index`. */
  export(name: string, kind: ExportKind, index: number): void {
    if (this.#exports.has(name)) throw new WasmError('duplicate', `export ${name} exists twice`, { name });
    const size = {
      function: this.#importedFunctions + this.#functions.length,
      table: this.#hasTable ? 1 : 0,
      memory: this.#hasMemory ? 1 : 0,
      global: this.#globals.length,
    }[kind];
    if (!Number.isInteger(index) || index < 0 || index >= size) {
      throw new WasmError('index', `export ${name}: there is no ${kind} ${index}`, { name, kind, index });
    }
    this.#exports.set(name, { kind, index });
  }

  /** The module's bytes. Throws `WasmError` `nesting` when a function has an open block. */
  build(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    for (const byte of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) out.byte(byte);
    section(out, SECTION.type, this.#types, (to, { parameters, results }) => {
      to.byte(FUNCTION_TYPE);
      for (const types of [parameters, results]) {
        to.unsigned(types.length);
        for (const type of types) to.byte(type);
      }
    });
    section(out, SECTION.import, this.#imports, (to, write) => {
      write(to);
    });
    section(out, SECTION.function, this.#functions, (to, { type }) => {
      to.unsigned(type);
    });
    const tables = this.#table === undefined ? [] : [this.#table];
    section(out, SECTION.table, tables, (to, functions) => {
      to.byte(FUNCREF);
      to.byte(1);
      to.unsigned(functions.length);
      to.unsigned(functions.length);
    });
    section(out, SECTION.global, this.#globals, (to, { type, mutable, initial }) => {
      to.byte(type);
      to.byte(mutable ? 1 : 0);
      to.byte(type === I32 ? 0x41 : 0x42);
      if (type === I64) to.signed64(initial);
      else to.signed32(Number(initial));
      to.byte(END);
    });
    section(out, SECTION.export, [...this.#exports], (to, [name, { kind, index }]) => {
      to.name(name);
      to.byte(KIND[kind]);
      to.unsigned(index);
    });
    section(out, SECTION.element, tables, (to, functions) => {
      to.byte(0);
      to.byte(0x41);
      to.byte(0);
      to.byte(END);
      to.unsigned(functions.length);
      for (const index of functions) to.unsigned(index);
    });
    section(out, SECTION.code, this.#functions, (to, built) => {
      to.sized(built.body());
    });
    return out.bytes().slice();
  }
}

/** One section: its number, its size, a vector of items. An empty vector writes nothing. */
function section<T>(out: ByteWriter, id: number, items: readonly T[], write: (to: ByteWriter, item: T) => void): void {
  if (items.length === 0) return;
  const content = new ByteWriter();
  content.unsigned(items.length);
  for (const item of items) write(content, item);
  out.byte(id);
  out.sized(content);
}
