/**
 * The code that goes on at an address by way of the jump cache (`layout.ts`): by a tail call, so that jumps need no stack.
 */
import { I32, type FunctionBuilder, type ValueType } from '@exokernel/wasm';
import { JUMP_CACHE, JUMP_ENTRY_BYTES, JUMP_FACTOR, JUMP_SHIFT } from './layout.ts';

/** A region takes the number of the entry and returns a reason. */
export const REGION_PARAMETERS: readonly ValueType[] = [I32];
export const REGION_RESULTS: readonly ValueType[] = [I32];

/**
 * Emits: if the jump cache knows the address in the local `pc`, leave for the region that it names; else go on. `entry` is a
 * local for the work; `bank` pushes the byte offset of the fetch bank and `mode` 1 for user mode.
 */
export function goToRegion(
  code: FunctionBuilder,
  type: number,
  { pc, entry }: { readonly pc: number; readonly entry: number },
  bank: () => void,
  mode: () => void,
): void {
  code.localGet(pc);
  mode();
  code.i32Or();
  code.i32Const(JUMP_FACTOR | 0);
  code.i32Mul();
  code.i32Const(JUMP_SHIFT);
  code.i32ShrU();
  code.i32Const(Math.log2(JUMP_ENTRY_BYTES));
  code.i32Shl();
  code.localTee(entry);
  code.i32Load(JUMP_CACHE);
  code.localGet(pc);
  code.i32Eq();
  code.localGet(entry);
  code.i32Load(JUMP_CACHE + 4);
  bank();
  code.localGet(pc);
  code.i32Const(12);
  code.i32ShrU();
  code.i32Const(2);
  code.i32Shl();
  code.i32Add();
  code.i32Load(0);
  code.i32Eq();
  code.i32And();
  code.if();
  code.localGet(entry);
  code.i32Load(JUMP_CACHE + 12);
  code.localGet(entry);
  code.i32Load(JUMP_CACHE + 8);
  code.returnCallIndirect(type);
  code.end();
}
