/**
 * Gives every floating node its block and its place there: as early as it must, as late as it may, outside as many loops as possible.
 *
 * Source: [CLICK95 §3]. In a block a floating node stands just before what needs it first, so that it takes a register for a short
 * time only.
 */
import { isCheap } from './bits.ts';
import { commonDominator } from './blocks.ts';
import type { Block, Graph, Node } from './graph.ts';
import { Walk } from './walk.ts';

/** Whether this use of a constant needs no register: it is made where it goes. */
export function isMadeInPlace(node: Node): boolean {
  return node.op === 'const' && isCheap(node.value);
}

/**
 * Places everything that is needed. Nodes that are not needed have no block afterwards, and stand in none. With `fieldsFirst`, words of the record
 * are loaded before the first section is paid for, if no run but one that aborts does without them: there, loads have something to wait for.
 */
export function place(graph: Graph, fieldsFirst: boolean): void {
  const [entry] = graph.blocks;
  if (entry === undefined) return;
  const floating = dropUnused(graph, entry);
  chooseLate(graph, floating, fieldsFirst);
  arrange(graph, floating, fieldsFirst ? entry : undefined);
}

const EFFECTS: ReadonlySet<string> = new Set(['store', 'write', 'call', 'charge']);

/** Keeps what an effect or an end needs. Gives the floating nodes, inputs before users, each with its earliest block. */
function dropUnused(graph: Graph, entry: Block): Node[] {
  const floating: Node[] = [];
  const pinned: Node[] = [];
  const walk = new Walk();
  /** Counts a use; tells whether the node floats and is needed for the first time. */
  const use = (node: Node): boolean => {
    node.uses += 1;
    if (node.mark === 1) return false;
    node.mark = 1;
    if (node.block === undefined) return true;
    pinned.push(node);
    return false;
  };
  const done = (node: Node): void => {
    let early = entry;
    for (const input of node.inputs) {
      const block = input.block ?? input.early ?? entry;
      if (block.level > early.level) early = block;
    }
    node.early = early;
    floating.push(node);
  };
  const need = (node: Node): void => {
    walk.run(node, use, done);
  };
  for (const block of graph.blocks) {
    for (const node of block.nodes) if ((EFFECTS.has(node.op) || node.isOrdered) && node.mark === 0) need(node);
    for (const node of block.inputs) need(node);
  }
  for (let node = pinned.pop(); node !== undefined; node = pinned.pop()) for (const input of node.inputs) need(input);
  for (const block of graph.blocks) {
    block.nodes = block.nodes.filter((node) => node.mark === 1 || node.op === 'parameter');
    keep(block.phis);
  }
  return floating;
}

function keep(nodes: Node[]): void {
  let kept = 0;
  for (const node of nodes) {
    if (node.mark !== 1) continue;
    nodes[kept] = node;
    kept += 1;
  }
  nodes.length = kept;
}

function chooseLate(graph: Graph, floating: readonly Node[], fieldsFirst: boolean): void {
  const use = (node: Node, block: Block): void => {
    if (node.block !== undefined) return;
    node.late = node.late === undefined ? block : commonDominator(node.late, block);
  };
  // The last blocks first: they are near each other.
  for (let k = graph.blocks.length - 1; k >= 0; k -= 1) {
    const block = graph.blocks[k] as Block;
    for (const phi of block.phis) {
      phi.inputs.forEach((input, i) => {
        if (!isMadeInPlace(input)) use(input, block.predecessors[i] as Block);
      });
    }
    for (const node of block.nodes) {
      const isCall = node.op === 'call';
      for (const input of node.inputs) if (!isCall || !isMadeInPlace(input)) use(input, block);
    }
    const leaves = block.end.kind === 'return' || block.end.kind === 'tail';
    for (const input of block.inputs) if (!leaves || !isMadeInPlace(input)) use(input, block);
  }
  for (let i = floating.length - 1; i >= 0; i -= 1) {
    const node = floating[i] as Node;
    const { late: last, early } = node;
    if (last === undefined) continue;
    let best = last;
    for (let block: Block = last; block !== early;) {
      block = block.dominator as Block;
      if (block.depth < best.depth) best = block;
    }
    if (fieldsFirst && node.op === 'field') best = beforeTests(best);
    node.block = best;
    for (const input of node.inputs) use(input, best);
  }
}

/** The first of the blocks that come before this one whenever the run does not abort. */
function beforeTests(block: Block): Block {
  let first = block;
  for (
    let { dominator } = block;
    dominator !== undefined && dominator.depth <= first.depth;
    { dominator } = dominator
  ) {
    if (dominator.successors.filter(({ isCold }) => !isCold).length !== 1) break;
    first = dominator;
  }
  return first;
}

/** More fields than this are not loaded at once: they would take all registers. */
const MOST_FIELDS = 8;

/** Puts the floating nodes of each block between the others; fields of the entry before everything. */
function arrange(graph: Graph, floating: readonly Node[], entry: Block | undefined): void {
  const rest = new Map<Block, Node[]>();
  const walk = new Walk();
  for (const node of floating) {
    const { block } = node;
    if (block === undefined || (node.op === 'const' && node.value === 0)) continue;
    const list = rest.get(block);
    if (list === undefined) rest.set(block, [node]);
    else list.push(node);
  }
  for (const block of graph.blocks) {
    const own = rest.get(block);
    if (own === undefined) continue;
    for (const node of own) node.mark = 2;
    const ordered: Node[] = [];
    const isWaiting = (node: Node): boolean => {
      if (node.mark !== 2 || node.block !== block) return false;
      node.mark = 1;
      return true;
    };
    const done = (node: Node): void => {
      ordered.push(node);
    };
    const put = (node: Node): void => {
      walk.run(node, isWaiting, done);
    };
    if (block === entry)
      own
        .filter(({ op }) => op === 'field')
        .slice(0, MOST_FIELDS)
        .forEach(put);
    for (const node of block.nodes) {
      for (const input of node.inputs) put(input);
      ordered.push(node);
    }
    const last: Node[] = [];
    // What the end compares comes last, so that it dies soonest.
    const ends = new Set(block.inputs);
    for (const node of own) if (!ends.has(node)) last.push(node);
    for (const node of last) put(node);
    for (const node of block.inputs) put(node);
    block.nodes = ordered;
  }
}
