/** The steps from the IR to the IR that all back ends of the checked profile share; made once for each module. */
import { guardModule } from './guard.ts';
import type { Module } from './ir.ts';
import { rotateLoops } from './rotate.ts';

const DONE = new WeakMap<Module, Module>();

export function prepareChecked(module: Module): Module {
  let prepared = DONE.get(module);
  if (prepared === undefined) {
    // A loop's test proves what its body reads only where it still stands before it.
    prepared = rotateLoops(guardModule(module));
    DONE.set(module, prepared);
  }
  return prepared;
}
