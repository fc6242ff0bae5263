/**
 * How translated code is entered: a module of its own, which looks PC up in the jump cache and goes to the region there.
 * Regions go on to each other in the same way; the one that knows no way to go returns.
 */
import { I32, ModuleBuilder } from '@exokernel/wasm';
import * as S from '../memory/cpu-state.ts';
import { goToRegion, REGION_PARAMETERS, REGION_RESULTS } from './jump-cache.ts';
import { REASON } from './layout.ts';
import type { Timing } from '../timing/profiles.ts';
import { emitRefill, REFILL_PARAMETERS } from './stalls.ts';

/**
 * The bytes of the module: `f(bank, mode)` with the byte offset of the fetch bank, and 1 for user mode; `r` is the function that
 * regions call to refill the data cache, if there is one.
 */
export function compileTrampoline(pages: number, timing: Timing | undefined): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory('m', 'm', { minimum: pages, maximum: pages });
  module.importTable('m', 't', 1);
  const region = module.type(REGION_PARAMETERS, REGION_RESULTS);
  const code = module.function([I32, I32], [I32]);
  const [bank, mode] = [0, 1];
  const [pc, entry] = [code.local(I32), code.local(I32)];
  code.i32Const(0);
  code.i32Load(4 * S.PC);
  code.localSet(pc);
  goToRegion(
    code,
    region,
    { pc, entry },
    () => code.localGet(bank),
    () => code.localGet(mode),
  );
  code.i32Const(REASON.jump);
  module.export('f', 'function', code.index);
  if (timing !== undefined) {
    const refill = module.function(REFILL_PARAMETERS, [I32]);
    emitRefill(refill, timing);
    module.export('r', 'function', refill.index);
  }
  return module.build();
}
