/** The merged trie as text: what is tested, what is shared, where filters end. Nothing parses it. */
import type { NormalAtom } from './atoms.ts';
import type { Node } from './trie.ts';

/** One line per test, alternatives indented below it. */
export function explainTrie(root: Node): string {
  const lines: string[] = [];
  show(root, 0, lines);
  return lines.length === 0 ? 'no filters' : lines.join('\n');
}

function show(node: Node, depth: number, lines: string[]): void {
  const line = (at: number, text: string): void => {
    lines.push('  '.repeat(at) + text);
  };
  if (node.filter !== undefined) line(depth, `filter ${node.filter.id}`);
  for (const branch of node.branches) {
    const { atom } = branch;
    if (branch.kind === 'shift') {
      line(depth, `skip (${field(atom)}) << ${branch.atom.shift}`);
      show(branch.next, depth + 1, lines);
      continue;
    }
    const [only] = branch.cases;
    if (branch.cases.size === 1 && only !== undefined) {
      line(depth, `${field(atom)} == ${hex(only[0], atom)}`);
      show(only[1], depth + 1, lines);
      continue;
    }
    line(depth, `switch ${field(atom)}`);
    for (const [value, next] of branch.cases) {
      line(depth + 1, hex(value, atom));
      show(next, depth + 2, lines);
    }
  }
}

function field(atom: NormalAtom): string {
  const isWhole = atom.mask === 2 ** (8 * atom.size) - 1;
  return `[${atom.offset}:${atom.size}]${isWhole ? '' : ` & ${hex(atom.mask, atom)}`}`;
}

function hex(value: number, atom: NormalAtom): string {
  return `0x${value.toString(16).padStart(2 * atom.size, '0')}`;
}
