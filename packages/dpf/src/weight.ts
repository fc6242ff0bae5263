/**
 * How much a run of a set's programs does at most: the heaviest path through a trie, piece by piece.
 *
 * The programs would tell it more closely. But what one filter adds to a program depends on the others: on a test of the packet's
 * length that several have in common, on a match that must be kept because a better one may follow. What is counted here grows by no
 * more than a filter's own pieces when that comes, whatever the others are, and never when one goes.
 */
import { fullMask, type NormalAtom } from './atoms.ts';
import { subtrees, type Filter, type Node } from './trie.ts';

/** What a piece of a program is made of at most: branches, loads and stores, and other instructions. */
export interface Pieces {
  readonly instructions: number;
  readonly branches: number;
  readonly loads: number;
  readonly stores: number;
}

/** What is given for pieces, 0 or more. */
export type Weigh = (pieces: Pieces) => number;

/** A match that is kept, if it ranks above the one that was kept before. */
const KEPT: Pieces = { instructions: 8, branches: 1, loads: 1, stores: 2 };
/** The room for copies is tested, and their number counted on; then an id is stored for each. */
const FOUND: Pieces = { instructions: 10, branches: 2, loads: 2, stores: 1 };
const COPY: Pieces = { instructions: 2, branches: 0, loads: 0, stores: 1 };
/** One value is compared with a constant; with several, half of them are told apart first; and there is a way back. */
const COMPARED: Pieces = { instructions: 3, branches: 1, loads: 0, stores: 0 };
const HALVED: Pieces = { instructions: 4, branches: 1, loads: 0, stores: 0 };
const BACK: Pieces = { instructions: 1, branches: 1, loads: 0, stores: 0 };
/** More than so many values are halved. */
const ROW = 3;

/** The heaviest path through a trie, of those filters that count; `copies`: each match is stored. */
export function heaviest(
  root: Node,
  weigh: Weigh,
  how: { readonly counts: (id: number) => boolean; readonly copies: boolean },
): number {
  return below(root, weigh, how, true) ?? 0;
}

/** What a filter of these atoms adds to the heaviest path at most, whatever the others are; `copies`: of a trie whose matches are stored. */
export function ownWeight(atoms: readonly NormalAtom[], weigh: Weigh, copies: boolean): number {
  let aligned = true;
  let sum = copies ? weigh(FOUND) + weigh(COPY) : weigh(KEPT);
  // One more value of a field: another comparison, and a way back if there was one only; or another level of halves.
  const more = Math.max(weigh(COMPARED) + weigh(BACK), weigh(HALVED));
  for (const atom of atoms) {
    sum += weigh(pieces(atom, aligned));
    if (atom.kind === 'shift') aligned = false;
    else sum += weigh(COMPARED) + more;
  }
  return sum;
}

/** The heaviest path below a node; undefined if no filter there counts. `aligned`: offsets count from a word boundary. */
function below(
  node: Node,
  weigh: Weigh,
  how: { readonly counts: (id: number) => boolean; readonly copies: boolean },
  aligned: boolean,
): number | undefined {
  let sum = 0;
  let any = false;
  const matching = node.filter === undefined ? [] : all(node.filter).filter(({ id }) => how.counts(id));
  if (matching.length > 0) {
    any = true;
    sum += how.copies ? weigh(FOUND) + matching.length * weigh(COPY) : weigh(KEPT);
  }
  for (const branch of node.branches) {
    const paths: number[] = [];
    for (const next of subtrees(branch)) {
      const path = below(next, weigh, how, aligned && branch.kind === 'test');
      if (path !== undefined) paths.push(path);
    }
    if (paths.length === 0) continue;
    any = true;
    sum += weigh(pieces(branch.atom, aligned)) + Math.max(...paths);
    if (branch.kind === 'test') sum += searchWeight(paths.length, weigh);
  }
  return any ? sum : undefined;
}

function all(filter: Filter): readonly Filter[] {
  return [filter, ...filter.twins];
}

/** To find one value among so many. */
function searchWeight(values: number, weigh: Weigh): number {
  let levels = 0;
  for (let left = values; left > ROW; left = Math.ceil(left / 2)) levels += 1;
  const compared = levels > 0 ? ROW : values;
  return levels * weigh(HALVED) + compared * weigh(COMPARED) + (values > 1 ? weigh(BACK) : 0);
}

/** The packet's length is tested, and the field loaded and masked; of a shift the position is counted on. */
function pieces(atom: NormalAtom, aligned: boolean): Pieces {
  const { offset, size } = atom;
  const whole = atom.kind === 'meq' && aligned && offset % size === 0;
  const isWord = atom.kind === 'meq' && size === 4;
  const loads = whole ? 1 : isWord ? 2 : size;
  // Bytes are put together. What counts from a position that is not the packet's first byte needs that, and may find it in memory.
  const joined = whole || isWord ? 0 : 2 * (size - 1);
  const moved = aligned ? { instructions: 0, branches: 0, loads: 0 } : { instructions: 3, branches: 1, loads: 2 };
  const masked = atom.mask === fullMask(size) ? 0 : 3;
  const shift = atom.kind === 'shift' ? { instructions: 5, stores: 1 } : { instructions: 0, stores: 0 };
  return {
    instructions: 2 + masked + joined + moved.instructions + shift.instructions,
    branches: 1 + moved.branches,
    loads: loads + moved.loads,
    stores: shift.stores,
  };
}
