/** A module as it stands in its bytes: what `decodeModule` gives. Source: [WASM §2.5]. */

/** `i32`, `i64`, `f32`, `f64`. */
export type WasmType = 'i32' | 'i64' | 'f32' | 'f64';

/** What a function takes and gives. */
export interface FunctionType {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
}

/** The size of a memory in pages or of a table in slots; the maximum may be left out. */
export interface Limits {
  readonly minimum: number;
  readonly maximum: number | undefined;
}

/** A global's type, and whether it may change. */
export interface GlobalType {
  readonly type: WasmType;
  readonly mutable: boolean;
}

/** What a module needs from outside. */
export type WasmImport = { readonly module: string; readonly name: string } & (
  | { readonly kind: 'function'; readonly type: number }
  | { readonly kind: 'table'; readonly limits: Limits }
  | { readonly kind: 'memory'; readonly limits: Limits }
  | ({ readonly kind: 'global' } & GlobalType)
);

/** A constant: a number, its bits if it is floating, the value of an imported global, or a sum, difference or product of such. */
export type ConstantExpression =
  | { readonly kind: 'i32' | 'f32'; readonly value: number }
  | { readonly kind: 'i64' | 'f64'; readonly value: bigint }
  | { readonly kind: 'global'; readonly global: number }
  | {
      readonly kind: 'add' | 'sub' | 'mul';
      readonly type: 'i32' | 'i64';
      readonly left: ConstantExpression;
      readonly right: ConstantExpression;
    };

/** A function of the module's own; `type` is an index. */
export interface WasmFunction {
  readonly type: number;
  /** Locals behind the parameters. */
  readonly locals: readonly WasmType[];
  /** The instructions, from the first to behind the last `end`: offsets in the module. */
  readonly from: number;
  readonly to: number;
}

/** Functions for the table. */
export interface ElementSegment {
  readonly mode: 'active' | 'passive' | 'declared';
  readonly offset: ConstantExpression | undefined;
  /** Indices of functions. */
  readonly functions: readonly number[];
}

/** Bytes for the memory. */
export interface DataSegment {
  /** Without offset it is passive. */
  readonly offset: ConstantExpression | undefined;
  readonly bytes: Uint8Array;
}

/** A name for something of the module, by its index. */
export interface WasmExport {
  readonly name: string;
  readonly kind: 'function' | 'table' | 'memory' | 'global';
  readonly index: number;
}

/** A module as it stands in its bytes. Index spaces begin with the imports. */
export interface WasmModule {
  readonly bytes: Uint8Array;
  readonly types: readonly FunctionType[];
  readonly imports: readonly WasmImport[];
  readonly functions: readonly WasmFunction[];
  readonly table: Limits | undefined;
  readonly memory: Limits | undefined;
  readonly globals: readonly (GlobalType & { readonly initial: ConstantExpression })[];
  readonly exports: readonly WasmExport[];
  readonly start: number | undefined;
  readonly elements: readonly ElementSegment[];
  readonly data: readonly DataSegment[];
  /** What the data count section says. */
  readonly dataCount: number | undefined;
  /** Names of functions, from the name section. */
  readonly names: ReadonlyMap<number, string>;
  /** Other custom sections, by name; of two of one name the last. */
  readonly custom: ReadonlyMap<string, Uint8Array>;
}
