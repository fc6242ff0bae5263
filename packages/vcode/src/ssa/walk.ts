/** Inputs before users, without recursion: a chain of values may be as long as a function. */
import type { Node } from './graph.ts';

export class Walk {
  readonly #nodes: Node[] = [];
  /** By open node: its next input. */
  readonly #next: number[] = [];

  /**
   * Goes from a node to its inputs, theirs, and so on, the first input first. `enter` tells whether a node is to be walked through; `leave` is
   * called when all its inputs are done.
   */
  run(root: Node, enter: (node: Node) => boolean, leave: (node: Node) => void): void {
    if (!enter(root)) return;
    const nodes = this.#nodes;
    const next = this.#next;
    nodes.push(root);
    next.push(0);
    while (nodes.length > 0) {
      const top = nodes.length - 1;
      const node = nodes[top] as Node;
      const at = next[top] as number;
      const input = node.inputs[at];
      if (input === undefined) {
        nodes.pop();
        next.pop();
        leave(node);
        continue;
      }
      next[top] = at + 1;
      if (!enter(input)) continue;
      nodes.push(input);
      next.push(0);
    }
  }
}
