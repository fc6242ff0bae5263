/** Where a function of the module for the host stands. */
import type { FunctionBuilder } from '@exokernel/wasm';
import type { Module, Statement, ValueType } from '../ir/ir.ts';
import type { Run } from './run.ts';

/** What expressions may name. Numbers are indices of globals and locals. */
export interface Names {
  readonly globals: readonly number[];
  /** Of the IR's local 0. */
  readonly firstLocal: number;
  /** Of the base of region 0; its length, and the others, follow. Nothing: region 0 is the memory. */
  readonly firstRegion: number | undefined;
}

/** What a function may name in the module that is built. Numbers are indices of globals and functions. */
export interface Surroundings extends Names {
  readonly module: Module;
  readonly run: Run;
  readonly costs: readonly number[];
  readonly loops: ReadonlyMap<Statement, number>;
  readonly section: number;
  /** What calls need, in a module whose functions call each other. */
  readonly calls: Calls | undefined;
}

export interface Calls {
  readonly stack: number;
  readonly most: number;
  readonly imports: readonly number[];
  readonly functions: readonly FunctionBuilder[];
  readonly signatureOf: number;
  readonly frame: number;
  readonly typeOf: (parameters: readonly ValueType[], results: readonly ValueType[]) => number;
}
