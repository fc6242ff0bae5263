/**
 * The form that the compiling back ends read: the IR as a fresh tree with constants folded, code that cannot run left
 * out, every access marked with the test it still needs, and every loop with its section.
 *
 * Made by `lower`; never built by hand.
 */
import type { BinaryOperator, Place, UnaryOperator } from '../program/ir.ts';

/**
 * What must be tested before an access, for `extent` bytes from the index: `floor`, that the region has `extent` bytes at
 * all; `span`, that the index is at most its length minus `extent` (which needs the floor, or an extent of 1, where it is
 * `index < length`). Both may be needed.
 */
export interface Guard {
  readonly extent: number;
  readonly floor: boolean;
  readonly span: boolean;
}

/** A place that has been lowered; without guard, the access is known to be inside. */
export interface LoweredPlace extends Omit<Place, 'index'> {
  readonly index: LoweredExpression;
  readonly guard: Guard | undefined;
}

export type LoweredExpression =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'local'; readonly local: number }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: LoweredExpression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: LoweredExpression;
      readonly right: LoweredExpression;
    }
  | ({ readonly kind: 'load' } & LoweredPlace)
  | { readonly kind: 'length'; readonly region: number }
  | { readonly kind: 'fits'; readonly region: number; readonly index: LoweredExpression; readonly guard: Guard };

export type LoweredBody = readonly LoweredStatement[];

export type LoweredStatement =
  | { readonly kind: 'set'; readonly local: number; readonly value: LoweredExpression }
  | ({ readonly kind: 'store'; readonly value: LoweredExpression } & LoweredPlace)
  | {
      readonly kind: 'if';
      readonly condition: LoweredExpression;
      readonly then: LoweredBody;
      readonly otherwise: LoweredBody;
    }
  | {
      readonly kind: 'for';
      readonly section: number;
      readonly counter: number;
      readonly count: number;
      readonly body: LoweredBody;
    }
  | {
      readonly kind: 'while';
      readonly section: number;
      readonly condition: LoweredExpression;
      readonly body: LoweredBody;
    }
  | { readonly kind: 'break' | 'continue' }
  | {
      readonly kind: 'switch';
      readonly value: LoweredExpression;
      /** In ascending order of their values. */
      readonly cases: readonly { readonly value: number; readonly body: LoweredBody }[];
      readonly otherwise: LoweredBody;
    }
  | { readonly kind: 'return'; readonly value: LoweredExpression }
  | { readonly kind: 'abort'; readonly code: number };

export interface LoweredProgram {
  readonly body: LoweredBody;
  /** Fuel sections, the program's own included. */
  readonly sections: number;
  /** Log2 of what every value of a local is known to be a multiple of: 0, 1 or 2. */
  readonly alignments: readonly number[];
}
