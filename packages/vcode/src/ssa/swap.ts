/** The bytes of a word in the opposite order, by shifts and masks: MIPS I has no instruction for it. */
import type { Node } from './graph.ts';
import type { Values } from './values.ts';

/** Exchanges the low `size` bytes; the upper ones of a half become 0. */
export function swapBytes(v: Values, x: Node, size: number): Node {
  const shl = (node: Node, by: number): Node => v.binary('shl', node, v.constant(by));
  const shr = (node: Node, by: number): Node => v.binary('shr', node, v.constant(by));
  const and = (node: Node, mask: number): Node => v.binary('and', node, v.constant(mask));
  const or = (a: Node, b: Node): Node => v.binary('or', a, b);
  if (size === 2) return or(shl(and(x, 0xff), 8), and(shr(x, 8), 0xff));
  return or(or(shl(x, 24), shl(and(x, 0xff00), 8)), or(and(shr(x, 8), 0xff00), shr(x, 24)));
}
