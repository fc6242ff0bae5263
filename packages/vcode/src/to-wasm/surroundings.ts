/** Where a function of the module for the host stands. */
import type { FunctionBuilder } from '@exokernel/wasm';
import type { Module, Statement, ValueType } from '../ir/ir.ts';

/** What a function may name in the module that is built. Numbers are indices of globals and functions. */
export interface Surroundings {
  readonly module: Module;
  readonly fuel: number;
  readonly status: number;
  readonly stack: number;
  readonly most: number;
  readonly globals: readonly number[];
  readonly imports: readonly number[];
  readonly functions: readonly FunctionBuilder[];
  readonly signatureOf: number;
  readonly costs: readonly number[];
  readonly loops: ReadonlyMap<Statement, number>;
  readonly section: number;
  readonly frame: number;
  readonly typeOf: (parameters: readonly ValueType[], results: readonly ValueType[]) => number;
}
