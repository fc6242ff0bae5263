/**
 * What a region of code is: the blocks that direct branches reach from one address, inside one page.
 *
 * `blocks.ts` finds regions; `compile.ts` and `emission.ts` make code of them.
 */
import type { ControlFlow, Effects, OperandKind } from '@exokernel/isa';
import type { Statement } from '../semantics/language.ts';

/** One instruction of a block. */
export interface Step {
  readonly pc: number;
  readonly word: number;
  readonly effects: Effects;
  readonly flow: ControlFlow;
  /** What it does. */
  readonly statements: readonly Statement<OperandKind>[];
  /** A load that turned out to read a device's register. */
  readonly readsDevice: boolean;
}

/** How a block ends. */
export type Ending =
  /** A branch and its slot; `target` is an address, or undefined for a jump through a register. */
  | { readonly kind: 'branch'; readonly branch: Step; readonly slot: Step; readonly target: number | undefined }
  /** Goes on at the address after its last instruction. */
  | { readonly kind: 'next' }
  /** The instruction after its last one is the interpreter's. */
  | { readonly kind: 'slow' };

/** A stretch of code that is entered at its start only. */
export interface Block {
  readonly pc: number;
  readonly steps: readonly Step[];
  readonly ending: Ending;
  /** Instructions, those of the ending included. */
  readonly length: number;
}

/** Blocks of one page in the order of their addresses. The region can be entered at each that has instructions. */
export interface Region {
  readonly blocks: readonly Block[];
  /** First word in the page that the blocks depend on, and the first one behind. */
  readonly first: number;
  readonly end: number;
}

/** The instructions of a region, in the order of its blocks. */
export function* stepsOf({ blocks }: Region): Generator<Step> {
  for (const { steps, ending } of blocks) {
    yield* steps;
    if (ending.kind === 'branch') yield* [ending.branch, ending.slot];
  }
}
