/** What the selection of operators needs of the selection of expressions (`expressions.ts`), which needs it in turn. */
import type { Register } from '@exokernel/isa';
import type { Guard, LoweredExpression } from '../lower/lowered.ts';
import type { Label, MipsCode } from './code.ts';

/** A value in a register. */
export interface Held {
  readonly register: Register;
  readonly temporary: boolean;
}

/** Selects expressions and keeps account of the temporaries. */
export interface Selector {
  readonly code: MipsCode;
  /** A free temporary, or the wanted register, which must be the caller's to write. */
  take(wanted?: Register): Held;
  release(held: Held): void;
  /** The result in whatever register suits; in `wanted` if given. */
  select(node: LoweredExpression, wanted?: Register): Held;
  /** Both operands of something, the left one first. */
  selectPair(left: LoweredExpression, right: LoweredExpression): [Held, Held];
  /** Branches to `exit` unless the guarded bytes lie in the region. */
  guard(region: number, index: Held, guard: Guard, exit: Label): void;
  /** Branches to `target` if the guarded bytes lie in the region. */
  guardInside(region: number, index: Held, guard: Guard, target: Label): void;
}
