/**
 * Demultiplexing without compiled code: a walk over the trie. For hosts that forbid generated code, and for few packets.
 */
import { readField } from './atoms.ts';
import type { Filter, Node } from './trie.ts';

/** The filter of the highest rank that matches, at or below a node reached at this position of the packet. */
export function search(node: Node, packet: Uint8Array, position: number): Filter | undefined {
  let best = node.filter;
  for (const branch of node.branches) {
    const { offset, size, mask } = branch.atom;
    const field = readField(packet, position + offset, size);
    if (field < 0) continue;
    const bits = (field & mask) >>> 0;
    const next = branch.kind === 'shift' ? branch.next : branch.cases.get(bits);
    if (next === undefined) continue;
    const found = search(next, packet, branch.kind === 'shift' ? position + bits * 2 ** branch.atom.shift : position);
    if (found !== undefined && found.rank > (best?.rank ?? 0)) best = found;
  }
  return best;
}

/** The ids of all filters that match, at or below a node reached at this position of the packet. */
export function searchAll(node: Node, packet: Uint8Array, position: number): number[] {
  const found = node.filter === undefined ? [] : [node.filter.id, ...node.filter.twins.map(({ id }) => id)];
  for (const branch of node.branches) {
    const { offset, size, mask } = branch.atom;
    const field = readField(packet, position + offset, size);
    if (field < 0) continue;
    const bits = (field & mask) >>> 0;
    const next = branch.kind === 'shift' ? branch.next : branch.cases.get(bits);
    if (next === undefined) continue;
    found.push(
      ...searchAll(next, packet, branch.kind === 'shift' ? position + bits * 2 ** branch.atom.shift : position),
    );
  }
  return found;
}
