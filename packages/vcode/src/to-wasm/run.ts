/**
 * How a run pays and ends. In a module of functions that call each other, a run that aborts sets the status and traps: fuel and status are globals.
 * Downloaded code is one function that returns in any case: its fuel is a parameter, and its ways out are blocks around the whole body.
 */
import type { FunctionBuilder } from '@exokernel/wasm';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL, RETURNED } from '../ir/abort.ts';

/** What statements and expressions do of it. */
export interface Run {
  /** Takes a cost from the fuel, or aborts. */
  readonly charge: (cost: number) => void;
  readonly abort: (code: number) => void;
  /** Aborts if the word on the stack is not 0. */
  readonly abortIf: (code: number) => void;
  /** The function returns what is on the stack. */
  readonly leave: () => void;
}

/** The globals of a module. */
export interface ModuleGlobals {
  readonly fuel: number;
  readonly status: number;
  readonly stack: number;
}

/** Adds to a global. */
export function addTo(f: FunctionBuilder, global: number, amount: number): void {
  f.globalGet(global);
  f.i32Const(amount);
  f.i32Add();
  f.globalSet(global);
}

/** A run in a function of a module, which has taken `frame` bytes of the stack. */
export function moduleRun(f: FunctionBuilder, { fuel, status, stack }: ModuleGlobals, frame: number): Run {
  const abort = (code: number): void => {
    f.i32Const(code);
    f.globalSet(status);
    f.unreachable();
  };
  return {
    abort,
    abortIf: (code) => {
      f.if();
      abort(code);
      f.end();
    },
    charge: (cost) => {
      f.globalGet(fuel);
      f.i32Const(cost);
      f.i32LtS();
      f.if();
      f.i32Const(0);
      f.globalSet(fuel);
      abort(ABORT_FUEL);
      f.end();
      addTo(f, fuel, -cost);
    },
    leave: () => {
      if (frame > 0) addTo(f, stack, frame);
      f.return();
    },
  };
}

/** The parameter of downloaded code that is its fuel. */
export const FUEL = 0;

/** What is tested in many places has a way out of its own; fuel comes last, for it changes what is left. */
const SHARED = [ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL] as const;

/** The run of downloaded code, whose result is a word. `body` emits everything that happens in it. */
export function leafRun(
  f: FunctionBuilder,
  globals: { readonly fuel: number; readonly status: number },
  isMetered: boolean,
  body: (run: Run) => void,
): void {
  const leave = (status: number): void => {
    f.i32Const(status);
    f.globalSet(globals.status);
    if (isMetered) {
      f.localGet(FUEL);
      f.globalSet(globals.fuel);
    }
    f.return();
  };
  const exits = new Map<number, number>();
  for (const code of [...SHARED].reverse()) {
    f.block();
    exits.set(code, f.depth);
  }
  const abort = (code: number): void => {
    const exit = exits.get(code);
    if (exit !== undefined) f.br(f.depth - exit);
    else {
      f.i32Const(0);
      leave(code);
    }
  };
  const abortIf = (code: number): void => {
    f.brIf(f.depth - (exits.get(code) ?? 0));
  };
  const charge = (cost: number): void => {
    if (!isMetered) return;
    f.localGet(FUEL);
    f.i32Const(cost);
    f.i32Sub();
    f.localTee(FUEL);
    f.i32Const(0);
    f.i32LtS();
    abortIf(ABORT_FUEL);
  };
  body({
    abort,
    abortIf,
    charge,
    leave: () => {
      leave(RETURNED);
    },
  });
  for (const code of SHARED) {
    f.end();
    if (code === ABORT_FUEL) {
      f.i32Const(0);
      f.localSet(FUEL);
    }
    f.i32Const(0);
    leave(code);
  }
}
