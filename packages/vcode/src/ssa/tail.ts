/**
 * Calls in the place of a return: where a function gives back what the last function that it calls gave, it goes on there and does not come back.
 *
 * The own profile only. In the checked one a frame is charged until its function returns, on all back ends, and the host's calls keep theirs.
 */
import type { ImportCode } from '../ir/imports.ts';
import { resolve, type Block, type Graph, type Node } from './graph.ts';

/**
 * Makes ends of blocks of all calls that only returns follow. Calls stay that take or give more words than `most`, which registers hold: the others
 * would be in the frame of our caller, who left room for ours alone. Calls that are written in line stay too. Runs before `tidyBlocks`, which drops
 * what is not reached any more.
 */
export function findTailCalls(
  graph: Graph,
  imports: readonly (ImportCode | undefined)[],
  most: { readonly taken: number; readonly given: number },
): void {
  /** By block: those that do not lead there any more. */
  const gone = new Map<Block, Set<Block>>();
  for (const block of graph.blocks) {
    const call = lastCall(block);
    if (call?.callee === undefined) continue;
    const { callee, inputs } = call;
    if (callee.kind === 'import' && imports[callee.import]?.kind === 'inline') continue;
    const words = inputs.length - (callee.kind === 'address' ? 1 : 0);
    if (words > most.taken || call.value > most.given) continue;
    const given = returned(block, call.value);
    if (given?.every((node, i) => node.op === 'result' && node.value === i && node.inputs[0] === call) !== true)
      continue;
    const [next] = block.successors;
    if (next !== undefined) gone.set(next, (gone.get(next) ?? new Set<Block>()).add(block));
    block.successors.length = 0;
    block.nodes.splice(block.nodes.indexOf(call));
    block.end = { kind: 'tail', callee };
    block.inputs = inputs;
    block.at = call.at;
  }
  for (const [to, froms] of gone) dropWays(to, froms);
}

/** The call that is the last thing that a block does. */
function lastCall({ nodes }: Block): Node | undefined {
  let last = nodes.length - 1;
  while (nodes[last]?.op === 'result') last -= 1;
  const node = nodes[last];
  return node?.op === 'call' ? node : undefined;
}

/** So many blocks are followed to a return. Assumption: real functions nest fewer of what ends with them. */
const FAR = 64;

/** What a block returns without doing more; nothing if it does more, does not return, or returns more words than `most`. */
function returned(block: Block, most: number): readonly Node[] | undefined {
  const path = [block];
  for (let last = block; last.end.kind === 'goto';) {
    const [next] = last.successors;
    if (next === undefined || next.nodes.length > 0 || path.length > FAR) return undefined;
    path.push(next);
    last = next;
  }
  const end = path.pop() as Block;
  if (end.end.kind !== 'return' || end.inputs.length > most) return undefined;
  let words = end.inputs.map(resolve);
  // A phi is what comes from the block before.
  for (let to = end, from = path.pop(); from !== undefined; to = from, from = path.pop()) {
    const way = to.predecessors.indexOf(from);
    words = words.map((word) => (word.block === to && word.op === 'phi' ? resolve(word.inputs[way] as Node) : word));
  }
  return words;
}

/** Takes away the ways that end in jumps now, all of a block at once: there may be thousands of both ways and phis. */
function dropWays(to: Block, gone: ReadonlySet<Block>): void {
  const stays = to.predecessors.map((from) => !gone.has(from));
  for (const list of [to.predecessors, ...to.phis.map(({ inputs }) => inputs)]) {
    let kept = 0;
    list.forEach((one, way) => {
      if (stays[way] !== true) return;
      list[kept] = one;
      kept += 1;
    });
    list.length = kept;
  }
}
