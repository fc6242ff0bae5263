/** What each instruction takes and gives, from the table of instructions. Source: [WASM §3.3]. */
import { BY_OPCODE, naturalAlignment } from './instruction-set.ts';
import type { WasmType } from './module.ts';

const LETTERS: Readonly<Record<string, WasmType>> = { i: 'i32', l: 'i64', f: 'f32', d: 'f64' };
export const isFloat = (type: WasmType | undefined): boolean => type === 'f32' || type === 'f64';

/** The types of an instruction's operands and results; empty for one that is polymorphic. */
export interface Rule {
  readonly operands: readonly WasmType[];
  readonly results: readonly WasmType[];
  readonly natural: number;
  readonly isFloat: boolean;
}

/** By opcode. */
export const RULES: readonly (Rule | undefined)[] = BY_OPCODE.map((entry) => {
  if (entry === undefined) return undefined;
  const [, immediates, operands, results] = entry.row;
  const types = (letters: string): WasmType[] =>
    Array.from(letters, (letter) => LETTERS[letter]).filter((type) => type !== undefined);
  const rule = { operands: types(operands), results: types(results) };
  return {
    ...rule,
    natural: immediates === 'access' ? naturalAlignment(entry.name) : 0,
    isFloat: [...rule.operands, ...rule.results].some(isFloat),
  };
});
