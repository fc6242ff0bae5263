/**
 * Where the walk through a function is: the block that is being filled, the node that every word of a local is now, and how blocks
 * part and meet.
 */
import { Graph, resolve, type Block, type Node } from './graph.ts';
import { VcodeError } from '../program/error.ts';
import type { Surroundings } from './surroundings.ts';
import { Values } from './values.ts';

/** A way that ends in front of a place, with the nodes that locals have there. */
export interface Incoming {
  readonly from: Block;
  readonly locals: readonly Node[];
}

/** Where a label's branches go. */
export interface Target {
  /** The loop's head; a block has its place behind it, which is made when the block ends. */
  readonly head: Block | undefined;
  readonly incoming: Incoming[];
}

/** Assumption: large functions of compilers have some thousand of both. */
const MOST_COPIED = 1 << 25;

export class Flow {
  readonly graph: Graph = new Graph();
  readonly values: Values;
  /** By word: a local that is a long has two. */
  locals: Node[];
  /** `undefined` behind a jump, until something is reached again. */
  block: Block | undefined;
  /** A position in the source. */
  at = -1;
  #copied = 0;
  readonly #traps = new Map<string, Block>();
  /** Whether there is a trap for each position, so that its address says where the program was; else there is one for each code. */
  readonly #tellsPlaces: boolean;

  constructor(words: number, { profile, isLeaf }: Pick<Surroundings, 'profile' | 'isLeaf'>) {
    // A leaf makes a constant where it is needed, not before ways part: most ways of a filter end soon.
    this.values = new Values(this.graph, isLeaf);
    this.#tellsPlaces = profile === 'own';
    this.locals = new Array<Node>(words).fill(this.values.constant(0));
  }

  /**
   * What locals are now, to be kept. Throws `VcodeError` `limit` for a function whose locals and branches together would take hundreds of
   * megabytes.
   */
  copy(): Node[] {
    this.#copied += this.locals.length;
    if (this.#copied > MOST_COPIED) {
      throw new VcodeError('limit', `a function has too many branches for its ${this.locals.length} words of locals`);
    }
    return this.locals.slice();
  }

  /** Goes on in a block. */
  begin(block: Block | undefined): void {
    this.block = block;
  }

  /** A node of this block. */
  pin(node: Node): Node {
    node.at = this.at;
    node.block = this.block;
    this.block?.nodes.push(node);
    return node;
  }

  goto(target: Block): void {
    if (this.block === undefined) return;
    this.block.end = { kind: 'goto' };
    this.graph.edge(this.block, target);
    this.block = undefined;
  }

  /** Ends the block with a branch; the walk goes on in the first successor. */
  branch(condition: Node, mayRead = false): { readonly then: Block; readonly otherwise: Block } {
    const [then, otherwise] = [this.graph.block(), this.graph.block()];
    if (this.block !== undefined) {
      this.block.at = this.at;
      this.block.end = { kind: 'if', mayRead };
      this.block.inputs = [condition];
      this.graph.edge(this.block, then);
      this.graph.edge(this.block, otherwise);
    }
    this.block = then;
    return { then, otherwise };
  }

  /** Leaves through a trap if the condition is not 0. */
  trapIf(condition: Node, code: number): void {
    const is = resolve(condition);
    if (is.op === 'const' && is.value === 0) return;
    const from = this.block;
    if (from === undefined) return;
    const trap = this.trap(code);
    const onward = this.graph.block();
    from.at = this.at;
    from.end = { kind: 'if', mayRead: false };
    from.inputs = [condition];
    this.graph.edge(from, trap);
    this.graph.edge(from, onward);
    this.block = onward;
  }

  trap(code: number): Block {
    const key = this.#tellsPlaces ? `${code} ${this.at}` : String(code);
    let trap = this.#traps.get(key);
    if (trap === undefined) {
      trap = this.graph.block();
      trap.at = this.at;
      trap.end = { kind: 'trap', code };
      trap.isCold = true;
      this.#traps.set(key, trap);
    }
    return trap;
  }

  return(words: Node[]): void {
    if (this.block === undefined) return;
    this.block.at = this.at;
    this.block.end = { kind: 'return' };
    this.block.inputs = words;
    this.block = undefined;
  }

  leave(target: Target): void {
    if (this.block === undefined) return;
    target.incoming.push({ from: this.block, locals: this.copy() });
    if (target.head !== undefined) this.goto(target.head);
    else this.block = undefined;
  }

  /** Goes on where all of these meet. */
  meet(incoming: readonly Incoming[]): void {
    const [first] = incoming;
    if (first === undefined) {
      this.block = undefined;
      return;
    }
    this.locals = first.locals.slice();
    if (incoming.length === 1) {
      this.block = first.from;
      return;
    }
    const block = this.graph.block();
    for (const { from } of incoming) {
      from.end = { kind: 'goto' };
      this.graph.edge(from, block);
    }
    this.block = block;
    for (let local = 0; local < this.locals.length; local += 1) {
      const one = resolve(this.locals[local] as Node);
      if (incoming.every(({ locals }) => resolve(locals[local] as Node) === one)) continue;
      this.locals[local] = this.phi(
        block,
        incoming.map(({ locals }) => locals[local] as Node),
      );
    }
  }

  phi(block: Block, inputs: Node[]): Node {
    const phi = this.graph.node('phi', inputs);
    phi.block = block;
    block.phis.push(phi);
    return phi;
  }
}
