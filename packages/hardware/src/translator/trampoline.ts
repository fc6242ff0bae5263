/**
 * The loop that runs translated code: it looks PC up in the jump cache, calls the region, and returns when that had another
 * reason to stop than a jump, or when the cache does not know PC. A module of its own, for it imports the table of regions.
 */
import { I32, ModuleBuilder, type FunctionBuilder } from '@exokernel/wasm';
import * as S from '../cpu/state.ts';
import { JUMP_CACHE, JUMP_CACHE_ENTRIES, JUMP_ENTRY_BYTES, REASON } from './layout.ts';

/** The bytes of the module: `f(bank, mode)` with the byte offset of the fetch bank, and 1 for user mode. */
export function compileTrampoline(pages: number): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory('m', 'm', { minimum: pages, maximum: pages });
  module.importTable('m', 't', 1);
  const region = module.type([I32], [I32]);
  const code = module.function([I32, I32], [I32]);
  const [bank, mode] = [0, 1];
  const [pc, entry, reason] = [code.local(I32), code.local(I32), code.local(I32)];
  code.block();
  code.loop();
  code.i32Const(0);
  code.i32Load(4 * S.PC);
  code.localTee(pc);
  lookUp(code, pc, entry, () => code.localGet(bank), () => code.localGet(mode));
  code.i32Eqz();
  code.brIf(1);
  code.localGet(entry);
  code.i32Load(JUMP_CACHE + 12);
  code.localGet(entry);
  code.i32Load(JUMP_CACHE + 8);
  code.callIndirect(region);
  code.localTee(reason);
  code.i32Eqz();
  code.brIf(0);
  code.localGet(reason);
  code.return();
  code.end();
  code.end();
  code.i32Const(REASON.jump);
  module.export('f', 'function', code.index);
  return module.build();
}

/** With an address on the stack and in `pc`: leaves the offset of its entry in `entry`, and whether it is right on the stack. */
function lookUp(code: FunctionBuilder, pc: number, entry: number, bank: () => void, mode: () => void): void {
  code.i32Const(2);
  code.i32ShrU();
  code.i32Const(JUMP_CACHE_ENTRIES - 1);
  code.i32And();
  code.i32Const(JUMP_ENTRY_BYTES);
  code.i32Mul();
  code.localTee(entry);
  code.i32Load(JUMP_CACHE);
  code.localGet(pc);
  mode();
  code.i32Or();
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
}
