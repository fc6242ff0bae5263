/**
 * A function as a graph: values that float, and blocks that hold what must happen in order.
 *
 * A node that has no effect belongs to no block until `place` gives it one, so equal nodes are one node and nothing is computed
 * oftener than it must be. Everything here is a 32-bit word; a long is two nodes.
 *
 * Source: [CLICK95].
 */
import { VcodeError } from '../program/error.ts';

/** Operators on two words that float; the others are made by `legalise`. */
export type Operator =
  | 'add'
  | 'sub'
  | 'and'
  | 'or'
  | 'xor'
  | 'nor'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'lts'
  | 'ltu'
  | 'eq'
  | 'ne'
  | 'mul'
  | 'mulhu'
  | 'mulhs'
  | 'divu'
  | 'remu'
  | 'divs'
  | 'rems';

/** What a node does. All float, up to `field`. */
export type Op =
  | Operator
  | 'const'
  /** With an immediate, after `legalise`. */
  | 'addi'
  | 'andi'
  | 'ori'
  | 'xori'
  | 'shli'
  | 'shri'
  | 'sari'
  | 'ltsi'
  | 'ltui'
  /** A word of the module's record that does not change. */
  | 'field'
  /** In their block from the start. */
  | 'parameter'
  | 'phi'
  | 'load'
  | 'store'
  /** A word of the module's record, where its globals are. */
  | 'read'
  | 'write'
  | 'call'
  | 'result'
  | 'charge';

/** What a call calls. */
export type Callee =
  | { readonly kind: 'function'; readonly function: number }
  /** The address is the first input. */
  | { readonly kind: 'address' }
  | { readonly kind: 'import'; readonly import: number }
  /** Makes the memory longer. */
  | { readonly kind: 'grow' };

/** One value, or one effect. */
export class Node {
  readonly id: number;
  op: Op;
  inputs: Node[];
  /** A constant, a displacement, the index of a parameter or result, a trap's code, a section. */
  value: number;
  /** Bytes of an access; negative if it repeats the sign. */
  size = 0;
  /** Log2 of what the address is a multiple of. */
  align = 0;
  callee: Callee | undefined;
  /** An access that keeps its place among all others: the word may be changed by the kernel or a device. */
  isOrdered = false;
  block: Block | undefined;
  /** A position in the source, or -1. */
  at = -1;
  /** What this node turned out to be; itself while undefined. */
  replacement: Node | undefined;
  /** How many nodes and ends of blocks use it; known after `place`. */
  uses = 0;
  /** Of a floating node, in `place`: the block in which all its inputs are there, and the last one that all its users know. */
  early: Block | undefined;
  late: Block | undefined;
  /** For passes. */
  mark = 0;

  constructor(id: number, op: Op, inputs: Node[], value: number) {
    this.id = id;
    this.op = op;
    this.inputs = inputs;
    this.value = value;
  }
}

/** How a branch compares: two registers, or one with zero. */
export type Test = 'eq' | 'ne' | 'ltz' | 'gez' | 'lez' | 'gtz';

/** How a block ends. */
export type End =
  | { readonly kind: 'goto' }
  /**
   * To the first successor if the condition is not 0, else to the second. `mayRead`: what the ways read lies where it may be read before the
   * condition is known.
   */
  | { readonly kind: 'if'; readonly test?: Test; readonly mayRead: boolean }
  /** To the successor in whose row the value stands, to the last one if it stands in none. */
  | { readonly kind: 'switch'; readonly cases: readonly (readonly number[])[]; readonly table?: Table }
  | { readonly kind: 'return' }
  /** A jump to a function that returns to our caller; the inputs are those of the call. */
  | { readonly kind: 'tail'; readonly callee: Callee }
  | { readonly kind: 'trap'; readonly code: number };

/** A jump through a table: by a value from 0 on, of which that times 4 is the second input. */
export interface Table {
  /** Successors, by value. */
  readonly successors: readonly number[];
  /** Whether the value may be outside. */
  readonly isTested: boolean;
}

/** A stretch without branches. */
export class Block {
  readonly id: number;
  readonly predecessors: Block[] = [];
  readonly successors: Block[] = [];
  readonly phis: Node[] = [];
  /** In order; after `place`, floating nodes too. */
  nodes: Node[] = [];
  end: End = { kind: 'return' };
  /** What the end needs: a condition, a value, results, arguments. */
  inputs: Node[] = [];
  /** The position in the source of what ends it; -1 if it is not known. */
  at = -1;
  /** The innermost loop, known after `findLoops`. */
  loop: Loop | undefined;
  /** Known after `findDominators`. */
  dominator: Block | undefined;
  /** Steps to the entry in the tree of dominators. */
  level = 0;
  /** The place in the order of blocks. */
  order = 0;
  /** Whether it ends in an abort: out of the way of the rest. */
  isCold = false;

  constructor(id: number) {
    this.id = id;
  }

  get depth(): number {
    return this.loop?.depth ?? 0;
  }
}

/** A natural loop. */
export class Loop {
  readonly header: Block;
  readonly outer: Loop | undefined;
  readonly depth: number;
  /** The fuel section that pays for an iteration; 0 if none does. */
  readonly section: number;

  constructor(header: Block, outer: Loop | undefined, section: number) {
    this.header = header;
    this.outer = outer;
    this.depth = (outer?.depth ?? 0) + 1;
    this.section = section;
  }
}

/** What a node stands for now. */
export function resolve(node: Node): Node {
  let last = node;
  while (last.replacement !== undefined) last = last.replacement;
  // The next search is short.
  for (let one = node; one.replacement !== undefined && one.replacement !== last;) {
    const next: Node = one.replacement;
    one.replacement = last;
    one = next;
  }
  return last;
}

/** Assumption: of so many nodes, ten or more for an instruction that a branch reaches, no function can be compiled. */
const MOST_NODES = 1 << 19;

/** A function's blocks, the entry first, and its nodes' numbers. */
export class Graph {
  blocks: Block[] = [];
  readonly parameters: Node[] = [];
  nodes = 0;

  block(): Block {
    const block = new Block(this.blocks.length);
    this.blocks.push(block);
    return block;
  }

  /** Throws `VcodeError` `limit` for a function of more nodes than can become code that branches reach. */
  node(op: Op, inputs: Node[], value = 0): Node {
    this.nodes += 1;
    if (this.nodes > MOST_NODES) throw new VcodeError('limit', 'a function is too large to compile');
    return new Node(this.nodes, op, inputs, value);
  }

  /** Adds an edge. */
  edge(from: Block, to: Block): void {
    from.successors.push(to);
    to.predecessors.push(from);
  }
}
