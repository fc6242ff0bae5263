/**
 * From the trie to code: one vcode program that finds the winning filter of a packet.
 *
 * The program has one region, the message, and returns the filter's id plus 1, or 0. It has no loops, and it never aborts
 * for a short packet: before a subtree it asks once whether the packet has the bytes that every filter there needs, and
 * where not, the subtree does not match [DPF96]. Alternatives are tried in the order of the best filter that they
 * hold, so that a match usually ends the search; where a better one may still follow, the best so far is kept in locals.
 *
 * Fields are loaded little-endian and compared with constants whose bytes are exchanged instead.
 */
import { add, and, defineProgram, eq, ltu, shl, shr } from '@exokernel/vcode';
import type { Expression, Local, Program, ProgramBuilder, RegionHandle, RegionOptions } from '@exokernel/vcode';
import { fullMask, type FieldSize, type NormalAtom } from './atoms.ts';
import { subtrees, type Filter, type Node, type ShiftBranch, type TestBranch } from './trie.ts';

/** The program of a trie. Throws `VcodeError` `limit` if it outgrows the IR. */
export function generate(root: Node, region: RegionOptions): Program {
  return defineProgram('filters', (b) => {
    const generator = new Generator(b, b.region('message', 'r', region));
    generator.node(root, { position: 0, shifts: 0, inside: 0, pending: 0 }, 0);
    generator.finish();
  });
}

/**
 * The program of a trie all of whose matches count: it stores the id of each in the region `found`, a word each, and returns
 * how many there are; none if an exclusive filter matches. Throws `VcodeError` `limit` if it outgrows the IR.
 */
export function generateCopies(root: Node, region: RegionOptions): Program {
  return defineProgram('copies', (b) => {
    const message = b.region('message', 'r', region);
    const generator = new CopyGenerator(b, message, b.region('found', 'rw', { align: 4 }));
    generator.node(root, { position: 0, shifts: 0, inside: 0, pending: 0 }, 0);
    generator.finish();
  });
}

interface Place {
  /** Where offsets count from. */
  readonly position: Expression | number;
  readonly shifts: number;
  /** Bytes from there on that the packet certainly has. */
  readonly inside: number;
  /** The best rank that may still follow when this subtree has been tried. */
  readonly pending: number;
}

class Generator {
  readonly #b: ProgramBuilder;
  readonly #message: RegionHandle;
  readonly #ranks = new Map<Node, number>();
  readonly #needs = new Map<Node, number>();
  readonly #positions: Local[] = [];
  #best: { readonly rank: Local; readonly found: Local } | undefined;

  constructor(b: ProgramBuilder, message: RegionHandle) {
    this.#b = b;
    this.#message = message;
  }

  /** The end: returns the match that was kept, or 0. */
  finish(): void {
    this.#b.return(this.#best?.found ?? 0);
  }

  /**
   * Tries everything below a node. `recorded` is the best rank that may have been kept on the way to here, 0 if none;
   * returns the same for afterwards.
   */
  node(node: Node, place: Place, recorded: number): number {
    const own = node.filter?.rank ?? 0;
    const branches = node.branches.map((branch) => ({ branch, rank: this.#branchRank(branch) }));
    branches.sort((a, b) => b.rank - a.rank);
    let after = recorded;
    for (const [i, { branch, rank }] of branches.entries()) {
      // The filter that ends here matches in any case: what ranks below it need not be tried.
      if (rank < own) break;
      const next = Math.max(branches[i + 1]?.rank ?? 0, own);
      after = this.branch(branch, { ...place, pending: Math.max(place.pending, next) }, after);
    }
    return node.filter === undefined ? after : this.#accept(node.filter, place.pending, after);
  }

  #accept({ id, rank }: Filter, pending: number, recorded: number): number {
    const b = this.#b;
    if (recorded < rank && pending < rank) {
      b.return(id + 1);
      return recorded;
    }
    const best = (this.#best ??= { rank: b.local('rank'), found: b.local('found') });
    const keep = (): void => {
      b.set(best.rank, rank);
      b.set(best.found, id + 1);
    };
    if (recorded < rank) keep();
    else b.if(ltu(best.rank, rank), keep);
    return Math.max(recorded, rank);
  }

  protected branch(branch: TestBranch | ShiftBranch, place: Place, recorded: number): number {
    let after = recorded;
    const need = this.#branchNeed(branch);
    const inner = (inside: number): void => {
      if (branch.kind === 'test') after = this.#test(branch, { ...place, inside }, recorded);
      else after = this.#shift(branch, place, recorded);
    };
    if (need <= place.inside) inner(place.inside);
    else {
      this.#b.if(this.#message.fits(place.position, need), () => {
        inner(need);
      });
    }
    return after;
  }

  #test({ atom, cases }: TestBranch, place: Place, recorded: number): number {
    const { offset, size, mask } = atom;
    const field = this.#message.load(size, 'little', place.position, offset);
    const value = mask === fullMask(size) ? field : and(field, exchange(mask, size));
    let after = recorded;
    const arms = [...cases].map(([constant, node]): readonly [number, () => void] => [
      exchange(constant, size),
      () => {
        after = Math.max(after, this.node(node, place, recorded));
      },
    ]);
    const [only] = arms;
    if (arms.length === 1 && only !== undefined) this.#b.if(eq(value, only[0]), only[1]);
    else this.#b.switch(value, arms);
    return after;
  }

  #shift({ atom, next }: ShiftBranch, place: Place, recorded: number): number {
    const { offset, size, mask, shift } = atom;
    const b = this.#b;
    const position = (this.#positions[place.shifts] ??= b.local(`position${place.shifts + 1}`));
    const field = this.#message.load(size, 'big', place.position, offset);
    b.set(position, add(place.position, shl(and(field, mask), shift)));
    return this.node(next, { ...place, position, shifts: place.shifts + 1, inside: 0 }, recorded);
  }

  #branchRank(branch: TestBranch | ShiftBranch): number {
    let best = 0;
    for (const node of subtrees(branch)) best = Math.max(best, this.#rank(node));
    return best;
  }

  /** The best rank at or below a node. */
  #rank(node: Node): number {
    const known = this.#ranks.get(node);
    if (known !== undefined) return known;
    const rank = Math.max(node.filter?.rank ?? 0, ...node.branches.map((branch) => this.#branchRank(branch)));
    this.#ranks.set(node, rank);
    return rank;
  }

  /** Bytes from the position on without which no filter of the branch can match. */
  #branchNeed(branch: TestBranch | ShiftBranch): number {
    const own = end(branch.atom);
    if (branch.kind === 'shift') return own;
    let least = Infinity;
    for (const node of branch.cases.values()) least = Math.min(least, this.#need(node));
    return Math.max(own, least);
  }

  #need(node: Node): number {
    const known = this.#needs.get(node);
    if (known !== undefined) return known;
    const least = Math.min(...node.branches.map((branch) => this.#branchNeed(branch)));
    const need = node.filter === undefined ? least : 0;
    this.#needs.set(node, need);
    return need;
  }
}

/** Goes on after a match, so that all matches are found. */
class CopyGenerator extends Generator {
  readonly #builder: ProgramBuilder;
  readonly #found: RegionHandle;
  /** Where in `found` the next id goes, in bytes. */
  readonly #end: Local;

  constructor(b: ProgramBuilder, message: RegionHandle, found: RegionHandle) {
    super(b, message);
    this.#builder = b;
    this.#found = found;
    this.#end = b.local('end');
  }

  override finish(): void {
    this.#builder.return(shr(this.#end, 2));
  }

  override node(node: Node, place: Place, recorded: number): number {
    const { filter } = node;
    if (filter?.isExclusive === true) {
      this.#builder.return(0);
      return recorded;
    }
    const matching = filter === undefined ? [] : [filter, ...filter.twins];
    if (matching.length > 0) {
      this.#builder.require(this.#found, this.#end, 4 * matching.length);
      matching.forEach(({ id }, i) => {
        this.#builder.store(this.#found, 4, 'little', this.#end, id, 4 * i);
      });
      this.#builder.set(this.#end, add(this.#end, 4 * matching.length));
    }
    for (const branch of node.branches) this.branch(branch, place, recorded);
    return recorded;
  }
}

function end(atom: NormalAtom): number {
  return atom.offset + atom.size;
}

/** A field's constant with its bytes exchanged. */
function exchange(value: number, size: FieldSize): number {
  if (size === 1) return value;
  if (size === 2) return ((value & 0xff) << 8) | (value >>> 8);
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
