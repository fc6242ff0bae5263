/**
 * The trie that merges filters: shared prefixes are tested once, alternatives for one field become one switch.
 *
 * A node stands for the atoms on the way to it. `filter` is the filter that ends there; `branches` are what may be tested
 * next, each with a subtree for every constant. Source: [DPF96].
 */
import type { NormalAtom } from './atoms.ts';

/** A filter as it stands in a set. */
export interface Filter {
  readonly id: number;
  readonly atoms: readonly NormalAtom[];
  /** Its packets are its alone: no filter gets copies of them. */
  readonly isExclusive: boolean;
  /** Higher ranks win. Given anew whenever the set changes. */
  rank: number;
  /** Others with the very same atoms, which only those that get copies may have. */
  readonly twins: Filter[];
}

export interface TestBranch {
  readonly kind: 'test';
  readonly atom: Extract<NormalAtom, { readonly kind: 'meq' }>;
  readonly cases: Map<number, Node>;
}

export interface ShiftBranch {
  readonly kind: 'shift';
  readonly atom: Extract<NormalAtom, { readonly kind: 'shift' }>;
  readonly next: Node;
}

export interface Node {
  filter: Filter | undefined;
  readonly branches: (TestBranch | ShiftBranch)[];
}

/** A node without filter and branches. */
export function emptyNode(): Node {
  return { filter: undefined, branches: [] };
}

/** The branch of a node that tests what this atom tests (or shifts as it does). */
function findBranch(node: Node, atom: NormalAtom): TestBranch | ShiftBranch | undefined {
  return node.branches.find(({ atom: other }) => {
    if (other.offset !== atom.offset || other.size !== atom.size || other.mask !== atom.mask) return false;
    if (other.kind === 'shift') return atom.kind === 'shift' && other.shift === atom.shift;
    return atom.kind === 'meq';
  });
}

function child(branch: TestBranch | ShiftBranch | undefined, atom: NormalAtom): Node | undefined {
  if (branch?.kind === 'shift') return branch.next;
  return atom.kind === 'meq' ? branch?.cases.get(atom.value) : undefined;
}

/** The filter whose atoms are exactly these. */
export function findFilter(root: Node, atoms: readonly NormalAtom[]): Filter | undefined {
  let node: Node | undefined = root;
  for (const atom of atoms) node = node && child(findBranch(node, atom), atom);
  return node?.filter;
}

/** Adds a filter whose atoms are not in the trie yet. */
export function addFilter(root: Node, filter: Filter): void {
  let node = root;
  for (const atom of filter.atoms) {
    let branch = findBranch(node, atom);
    if (branch === undefined) {
      branch =
        atom.kind === 'shift' ? { kind: 'shift', atom, next: emptyNode() } : { kind: 'test', atom, cases: new Map() };
      node.branches.push(branch);
    }
    let next = child(branch, atom);
    if (next === undefined) {
      next = emptyNode();
      if (branch.kind === 'test' && atom.kind === 'meq') branch.cases.set(atom.value, next);
    }
    node = next;
  }
  node.filter = filter;
}

/** The subtrees of a branch. */
export function subtrees(branch: TestBranch | ShiftBranch): Iterable<Node> {
  return branch.kind === 'shift' ? [branch.next] : branch.cases.values();
}
