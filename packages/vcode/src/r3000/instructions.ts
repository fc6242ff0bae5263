/**
 * Instructions on virtual registers: what `select` makes of a graph and `allocate` gives registers to.
 *
 * Numbers below 32 are the CPU's registers, the others are virtual ones. An instruction reads at its position and writes at the
 * position after it.
 */
import type { Mnemonic } from '@exokernel/isa';
import type { Block, Callee, Node, Test } from '../ssa/graph.ts';

/** The first number of a virtual register. */
export const VIRTUAL = 32;

/** A value that goes somewhere, together with others: from a virtual register, or a constant that is made there. */
export type Source = { readonly register: number } | { readonly constant: number };

/** What an instruction is, apart from its registers. */
export type Kind =
  /** `mnemonic` with up to one result `def` and two operands `a`, `b`. */
  | 'plain'
  /** A 32-bit constant. */
  | 'constant'
  /** The function's parameters become the `defs`. */
  | 'enter'
  | 'call'
  /** A call in the place of a return: a jump. */
  | 'tail'
  | 'return'
  | 'branch'
  | 'switch'
  | 'jump'
  | 'trap'
  /** Pays for a fuel section. */
  | 'charge';

export interface Instruction {
  readonly kind: Kind;
  readonly mnemonic: Mnemonic;
  /** The result, or -1. */
  def: number;
  /** Operands in the order of assembly, without the result; -1 where there is none. */
  a: number;
  b: number;
  readonly immediate: number;
  /** Of calls and entries: results or parameters. */
  readonly defs: readonly number[];
  /** Of calls, jumps to functions and returns: arguments or results. */
  readonly sources: readonly Source[];
  readonly callee: Callee | undefined;
  readonly test: Test | undefined;
  /** An access that no other passes. */
  readonly isOrdered: boolean;
  /** A position in the source, or -1. */
  readonly at: number;
  position: number;
}

/** A block of instructions. */
export interface Lines {
  readonly block: Block;
  readonly instructions: Instruction[];
  /** Virtual registers of the phis, in their order. */
  readonly phis: readonly number[];
  /** By successor, then by phi of it: what comes from here. */
  from: number;
  to: number;
}

/** A function in instructions. */
export interface Selected {
  readonly lines: readonly Lines[];
  /** How many registers there are, the CPU's included. */
  readonly registers: number;
  /** By virtual register: the constant or field that it holds, which can be made again instead of kept. */
  readonly remakes: readonly (Node | undefined)[];
  /** By node id: its virtual register. */
  readonly registerOf: (node: Node) => Source;
}
