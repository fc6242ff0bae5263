/**
 * Tests as a graph of blocks, and the graph as a program.
 *
 * A block is a run of instructions and a comparison with two ways out. A test is a part of the graph with one way in and two out, so that
 * `and`, `or` and `not` cost a constant: they join ways out, and no list of jumps is walked. Jumps go forward only, because
 * blocks are laid out so that each comes after all that lead to it.
 */
import { BPF, type BpfInstruction } from '../bpf/instruction.ts';

/** An instruction within a block. */
export interface Statement {
  readonly code: number;
  readonly k: number;
}

/** A way out: where it leads is known when the test is joined to others. */
export class Exit {
  #target: Block | 'accept' | 'reject' | null = null;
  #same: Exit | null = null;

  /** From now on this exit leads where the other one leads. */
  follow(other: Exit): void {
    this.#last().#same = other.#last();
  }

  /** Lets the exit lead to a block or to a verdict. */
  lead(target: Block | 'accept' | 'reject'): void {
    this.#last().#target = target;
  }

  /** Where the exit leads. */
  get target(): Block | 'accept' | 'reject' {
    return this.#last().#target ?? 'reject';
  }

  #last(): Exit {
    // Chains of a thousand `or` make long ones: each exit on the way is pointed to the one before the last.
    let at: Exit = this; // eslint-disable-line @typescript-eslint/no-this-alias
    for (;;) {
      const next: Exit | null = at.#same;
      if (next === null) return at;
      if (next.#same !== null) at.#same = next.#same;
      at = next;
    }
  }
}

/** A run of instructions, and a comparison, or null to go on at `yes`. */
export interface Block {
  statements: Statement[];
  readonly compare: Statement | null;
  readonly yes: Exit;
  readonly no: Exit;
}

/** A part of the graph. `constant`: what is known of it without a packet; such a test does not read the packet. */
export interface Test {
  readonly entry: Block;
  readonly yes: Exit;
  readonly no: Exit;
  readonly constant: boolean | null;
}

/** Both, in this order: the second is not tried when the first fails. */
export function and(first: Test, second: Test): Test {
  if (first.constant === false || second.constant === true) return first;
  if (second.constant === false || first.constant === true) return second;
  first.yes.lead(second.entry);
  first.no.follow(second.no);
  return { entry: first.entry, yes: second.yes, no: second.no, constant: null };
}

/** Either, in this order: the second is not tried when the first holds. */
export function or(first: Test, second: Test): Test {
  if (first.constant === true || second.constant === false) return first;
  if (second.constant === true || first.constant === false) return second;
  first.no.lead(second.entry);
  first.yes.follow(second.yes);
  return { entry: first.entry, yes: second.yes, no: second.no, constant: null };
}

/** The contrary. */
export function not({ entry, yes, no, constant }: Test): Test {
  return { entry, yes: no, no: yes, constant: constant === null ? null : !constant };
}

/** Makes blocks, and refuses to make more instructions than the caller allows. */
export class BlockMaker {
  readonly #most: number;
  readonly #refuse: () => never;
  #made = 0;

  /** `refuse` is called when a block would be one instruction too many. */
  constructor(most: number, refuse: () => never) {
    this.#most = most;
    this.#refuse = refuse;
  }

  /** A block with this comparison; without one it goes on at `yes`. */
  block(statements: Statement[], compare: Statement | null): Block {
    this.#made += statements.length + 1;
    if (this.#made > this.#most) this.#refuse();
    return { statements, compare, yes: new Exit(), no: new Exit() };
  }

  /** A block as a test. */
  test(statements: Statement[], compare: Statement | null): Test {
    const entry = this.block(statements, compare);
    return { entry, yes: entry.yes, no: entry.no, constant: null };
  }

  /** The test that is always true, or always false. */
  constant(value: boolean): Test {
    const test = this.test([{ code: BPF.LD_IMM, k: value ? 0 : 1 }], { code: BPF.JEQ_K, k: 0 });
    return { ...test, constant: value };
  }
}

/** The blocks that can be reached, each after all that lead to it. */
function layOut(entry: Block): Block[] {
  const order: Block[] = [];
  const seen = new Set<Block>([entry]);
  const stack: { readonly block: Block; readonly next: Block[] }[] = [];
  const successors = ({ compare, yes, no }: Block): Block[] =>
    (compare === null ? [yes.target] : [yes.target, no.target]).filter((one) => typeof one !== 'string');
  stack.push({ block: entry, next: successors(entry) });
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.next.shift();
    if (next === undefined) {
      order.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, next: successors(next) });
    }
  }
  return order.reverse();
}

/** The farthest that a branch of a comparison reaches, less the two jumps that may stand right behind it. */
const NEAR = 253;

/**
 * The program of a test: it accepts `snapLength` bytes where the test holds. It is made from its end, so that the length of
 * every jump is known; a branch that is too far for its byte goes over a jump behind it.
 */
export function assemble(test: Test, snapLength: number): BpfInstruction[] {
  test.yes.lead('accept');
  test.no.lead('reject');
  const reversed: BpfInstruction[] = [];
  const push = (code: number, k: number, jt = 0, jf = 0): void => {
    reversed.push({ code, jt, jf, k });
  };
  /** How many instructions there are from a target to the end. */
  const places = new Map<Block | 'accept' | 'reject', number>();
  push(BPF.RET_K, 0);
  places.set('reject', reversed.length);
  push(BPF.RET_K, snapLength);
  places.set('accept', reversed.length);
  const distance = (place: number): number => reversed.length - place;
  for (const block of layOut(test.entry).reverse()) {
    let yes = places.get(block.yes.target) ?? 0;
    if (block.compare === null) {
      if (distance(yes) > 0) push(BPF.JA, distance(yes));
    } else {
      let no = places.get(block.no.target) ?? 0;
      const [isYesFar, isNoFar] = [distance(yes) > NEAR, distance(no) > NEAR];
      if (isNoFar) {
        push(BPF.JA, distance(no));
        no = reversed.length;
      }
      if (isYesFar) {
        push(BPF.JA, distance(yes));
        yes = reversed.length;
      }
      push(block.compare.code, block.compare.k, distance(yes), distance(no));
    }
    for (const { code, k } of block.statements.toReversed()) push(code, k);
    places.set(block, reversed.length);
  }
  return reversed.reverse();
}
