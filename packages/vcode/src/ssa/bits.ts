/** What is known about the bits of a value. */
import { resolve, type Node } from './graph.ts';

const fitsSigned = (value: number): boolean => (value | 0) >= -0x8000 && (value | 0) <= 0x7fff;

/** Whether one instruction makes the constant. */
export const isCheap = (value: number): boolean => fitsSigned(value) || value >>> 0 <= 0xffff || (value & 0xffff) === 0;

/** How far the search for known bits goes. Assumption: code from compilers shows nothing more behind that. */
export const SEARCH_DEPTH = 4;

/** The bits that may be set, as a mask; an upper bound. */
export function possibleBits(node: Node, depth: number): number {
  if (node.op === 'const') return node.value;
  if (node.op === 'eq' || node.op === 'ne' || node.op === 'lts' || node.op === 'ltu') return 1;
  if (node.op === 'load') return node.size === 1 ? 0xff : node.size === 2 ? 0xffff : 0xffffffff;
  const [a, b] = node.inputs;
  if (depth === 0 || a === undefined || b === undefined) return 0xffffffff;
  switch (node.op) {
    case 'and':
      return (possibleBits(a, depth - 1) & possibleBits(b, depth - 1)) >>> 0;
    case 'or':
    case 'xor':
      return (possibleBits(a, depth - 1) | possibleBits(b, depth - 1)) >>> 0;
    case 'shl':
      return b.op === 'const' ? (possibleBits(a, depth - 1) << b.value) >>> 0 : 0xffffffff;
    case 'shr':
      return b.op === 'const' ? possibleBits(a, depth - 1) >>> b.value : 0xffffffff;
    case 'add': {
      const sum = possibleBits(a, depth - 1) + possibleBits(b, depth - 1);
      return sum > 0xffffffff ? 0xffffffff : (ones(sum) & ~(lowZeros(a, b, depth) - 1)) >>> 0;
    }
    case 'remu':
      return b.op === 'const' ? ones(b.value - 1) : 0xffffffff;
    default:
      return 0xffffffff;
  }
}

/** Phis that flow into each other, at most. Assumption: the states of a machine meet in fewer. */
const MOST_PHIS = 64;

/** The same for a value that may be a phi, in a finished graph: the bits of all that flows into it. */
export function possibleBitsOfPhi(node: Node): number {
  if (node.op !== 'phi') return possibleBits(node, SEARCH_DEPTH);
  const phis = new Set<Node>([node]);
  let bits = 0;
  for (const phi of phis) {
    for (const input of phi.inputs) {
      const one = resolve(input);
      if (one.op === 'phi') phis.add(one);
      else bits = (bits | possibleBits(one, SEARCH_DEPTH)) >>> 0;
    }
    if (bits === 0xffffffff || phis.size > MOST_PHIS) return 0xffffffff;
  }
  return bits;
}

/** All bits up to the highest of the number. */
function ones(value: number): number {
  return value === 0 ? 0 : 0xffffffff >>> Math.clz32(value);
}

/** A power of two of which both are multiples. */
function lowZeros(a: Node, b: Node, depth: number): number {
  const bits = possibleBits(a, depth - 1) | possibleBits(b, depth - 1);
  return bits === 0 ? 1 : (bits & -bits) >>> 0;
}
