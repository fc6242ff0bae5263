/**
 * The order of blocks, their dominators and loops; the graph is tidied on the way.
 *
 * In the order, dominators come first and the blocks of a loop stand together. Sources: [COOPER01] for the dominators.
 */
import { Loop, resolve, type Block, type Graph, type Node } from './graph.ts';

/** Drops what cannot be reached, joins what only follows, and makes everything about blocks known. */
export function tidyBlocks(graph: Graph): void {
  const reachable = order(graph);
  for (const block of reachable) dropUnreachable(block);
  resolvePhis(reachable);
  for (const block of reachable) {
    resolveAll(block.inputs);
    for (const node of block.nodes) resolveAll(node.inputs);
  }
  foldBranches(reachable);
  // What only leads to an abort is as seldom.
  for (let i = reachable.length - 1; i >= 0; i -= 1) {
    const block = reachable[i] as Block;
    if (block.end.kind === 'goto' && block.successors[0]?.isCold === true) block.isCold = true;
  }
  graph.blocks = join(order(graph));
  for (const block of graph.blocks) dropUnreachable(block);
  resolvePhis(graph.blocks);
  for (const block of graph.blocks) {
    resolveAll(block.inputs);
    for (const node of block.nodes) resolveAll(node.inputs);
  }
  findDominators(graph.blocks);
  findLoops(graph.blocks);
  graph.blocks = together(graph.blocks);
  graph.blocks.forEach((block, i) => {
    block.order = i;
  });
}

function resolveAll(nodes: Node[]): void {
  for (let i = 0; i < nodes.length; i += 1) nodes[i] = resolve(nodes[i] as Node);
}

/** Blocks that can be reached, in reverse postorder; of two successors the first comes first. */
function order(graph: Graph): Block[] {
  const [entry] = graph.blocks;
  const after: Block[] = [];
  if (entry === undefined) return after;
  const seen = new Set<Block>([entry]);
  const stack: { readonly block: Block; next: number }[] = [{ block: entry, next: entry.successors.length - 1 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const successor = top.block.successors[top.next];
    top.next -= 1;
    if (successor === undefined) {
      after.push(top.block);
      stack.pop();
    } else if (!seen.has(successor)) {
      seen.add(successor);
      stack.push({ block: successor, next: successor.successors.length - 1 });
    }
  }
  after.reverse();
  // Predecessors that were never reached are found by their mark.
  graph.blocks.forEach((block) => {
    block.order = seen.has(block) ? 0 : -1;
  });
  return after;
}

function dropUnreachable(block: Block): void {
  for (let i = block.predecessors.length - 1; i >= 0; i -= 1) {
    if ((block.predecessors[i]?.order ?? -1) >= 0) continue;
    block.predecessors.splice(i, 1);
    for (const phi of block.phis) phi.inputs.splice(i, 1);
  }
}

/** A phi of one value is that value. */
function resolvePhis(blocks: readonly Block[]): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const block of blocks) {
      if (block.phis.length === 0) continue;
      let kept = 0;
      for (const phi of block.phis) {
        resolveAll(phi.inputs);
        const only = onlyValue(phi);
        if (only === undefined) {
          block.phis[kept] = phi;
          kept += 1;
        } else {
          phi.replacement = only;
          changed = true;
        }
      }
      block.phis.length = kept;
    }
  }
}

function onlyValue(phi: Node): Node | undefined {
  let only: Node | undefined;
  for (const input of phi.inputs) {
    if (input === phi || input === only) continue;
    if (only !== undefined) return undefined;
    only = input;
  }
  return only;
}

/** A branch by a constant, or to one place, is none. */
function foldBranches(blocks: readonly Block[]): void {
  for (const block of blocks) {
    if (block.end.kind !== 'if') continue;
    const [condition] = block.inputs;
    if (condition?.op !== 'const') continue;
    const dead = condition.value === 0 ? 0 : 1;
    const gone = block.successors[dead];
    if (gone === undefined) continue;
    const at = gone.predecessors.indexOf(block);
    gone.predecessors.splice(at, 1);
    for (const phi of gone.phis) phi.inputs.splice(at, 1);
    block.successors.splice(dead, 1);
    block.end = { kind: 'goto' };
    block.inputs = [];
  }
}

/** A block that only follows another becomes part of it. */
function join(blocks: readonly Block[]): Block[] {
  const kept: Block[] = [];
  for (const block of blocks) {
    const [from] = block.predecessors;
    const follows =
      from !== undefined &&
      block.predecessors.length === 1 &&
      from.end.kind === 'goto' &&
      from !== block &&
      !block.isCold;
    if (!follows) {
      kept.push(block);
      continue;
    }
    for (const phi of block.phis) phi.replacement = phi.inputs[0];
    block.phis.length = 0;
    for (const node of block.nodes) {
      node.block = from;
      from.nodes.push(node);
    }
    from.end = block.end;
    from.inputs = block.inputs;
    from.at = block.at;
    from.successors.length = 0;
    for (const successor of block.successors) {
      from.successors.push(successor);
      const at = successor.predecessors.indexOf(block);
      successor.predecessors[at] = from;
    }
    block.order = -1;
  }
  return kept;
}

function findDominators(blocks: readonly Block[]): void {
  blocks.forEach((block, i) => {
    block.order = i;
    block.dominator = undefined;
  });
  const [entry] = blocks;
  if (entry === undefined) return;
  entry.dominator = entry;
  for (let changed = true; changed;) {
    changed = false;
    for (const block of blocks) {
      if (block === entry) continue;
      let dominator: Block | undefined;
      // The last ones first: where thousands of tests lead to one abort, each meets the next one at once.
      for (let i = block.predecessors.length - 1; i >= 0; i -= 1) {
        const from = block.predecessors[i] as Block;
        if (from.dominator === undefined) continue;
        dominator = dominator === undefined ? from : meet(from, dominator);
      }
      if (dominator !== block.dominator) {
        block.dominator = dominator;
        changed = true;
      }
    }
  }
  entry.dominator = undefined;
  for (const block of blocks) block.level = block.dominator === undefined ? 0 : block.dominator.level + 1;
}

function meet(a: Block, b: Block): Block {
  let [x, y] = [a, b];
  while (x !== y) {
    while (x.order > y.order) x = x.dominator as Block;
    while (y.order > x.order) y = y.dominator as Block;
  }
  return x;
}

/** The nearest block that dominates both. */
export function commonDominator(a: Block, b: Block): Block {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x.level >= y.level) x = x.dominator as Block;
    else y = y.dominator as Block;
  }
  return x;
}

export function dominates(a: Block, b: Block): boolean {
  let block: Block | undefined = b;
  while (block !== undefined && block.level > a.level) block = block.dominator;
  return block === a;
}

/** Structured control flow has natural loops only, and the outer ones' heads come first. */
function findLoops(blocks: readonly Block[]): void {
  for (const block of blocks) block.loop = undefined;
  for (const header of blocks) {
    const backs = header.predecessors.filter((from) => from.order >= header.order);
    if (backs.length === 0) continue;
    const section = header.nodes.find((node) => node.op === 'charge')?.value ?? 0;
    const loop = new Loop(header, header.loop, section);
    const work = [...backs];
    const outer = header.loop;
    header.loop = loop;
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      if (block.loop !== outer || block === header) continue;
      block.loop = loop;
      for (const from of block.predecessors) work.push(from);
    }
  }
}

/** Loops in one piece, and what ends in a trap at the end. */
function together(blocks: readonly Block[]): Block[] {
  const left = new Map<Loop, number>();
  for (const block of blocks) {
    for (let { loop } = block; loop !== undefined; loop = loop.outer) left.set(loop, (left.get(loop) ?? 0) + 1);
  }
  const ordered: Block[] = [];
  const waiting: Block[][] = [];
  const open: Loop[] = [];
  const isInside = (block: Block, loop: Loop): boolean => {
    for (let one = block.loop; one !== undefined; one = one.outer) if (one === loop) return true;
    return false;
  };
  const put = (block: Block): void => {
    const innermost = open.at(-1);
    if (innermost !== undefined && !isInside(block, innermost)) {
      waiting.at(-1)?.push(block);
      return;
    }
    if (block.loop !== undefined && block.loop.header === block) {
      open.push(block.loop);
      waiting.push([]);
    }
    ordered.push(block);
    for (let { loop } = block; loop !== undefined; loop = loop.outer) left.set(loop, (left.get(loop) ?? 0) - 1);
    for (let last = open.at(-1); last !== undefined && left.get(last) === 0; last = open.at(-1)) {
      open.pop();
      for (const later of waiting.pop() ?? []) put(later);
    }
  };
  for (const block of blocks) if (!block.isCold) put(block);
  for (const block of blocks) if (block.isCold) ordered.push(block);
  return ordered;
}
