/** The steps from the IR to the IR that all back ends of the checked profile share; made once for each module. */
import { guardModule } from './guard.ts';
import type { Module } from './ir.ts';
import { rotateLoops } from './rotate.ts';

const DONE = new WeakMap<Module, Module>();

export function prepareChecked(module: Module): Module {
  let prepared = DONE.get(module);
  if (prepared === undefined) {
    prepared = prepareOnce(module);
    DONE.set(module, prepared);
  }
  return prepared;
}

/** The same, for a module that is not kept. */
export function prepareOnce(module: Module): Module {
  // A loop's test proves what its body reads only where it still stands before it.
  return rotateLoops(guardModule(module));
}
