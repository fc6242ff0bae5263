/**
 * Addresses that grow by the same amount in each iteration become pointers of their own; a counter that then serves its own test alone is replaced
 * by one of them.
 *
 * Sources: [COCKE77] for the reduction, [COOPER12 §10.7] for the test. For the own profile alone: that a pointer never comes round to a value it
 * had is known because it would have met an address that no program may touch.
 */
import { dominates } from './blocks.ts';
import { resolve, type Block, type Graph, type Loop, type Node } from './graph.ts';
import type { Values } from './values.ts';

/** A phi that grows by the same amount on every way back. */
interface Induction {
  readonly phi: Node;
  readonly initial: Node;
  readonly next: Node;
  readonly step: Node;
}

/** `induction * scale + base`, or `base` alone; `base` does not change in the loop. */
interface Linear {
  readonly induction: Induction | undefined;
  readonly scale: number;
  readonly base: Node;
}

/** Accesses whose addresses differ by constants alone. */
interface Group {
  readonly induction: Induction;
  readonly scale: number;
  readonly base: Node;
  readonly accesses: { readonly node: Node; readonly address: Node; readonly offset: number }[];
  /** What it takes to make the address anew. */
  readonly cost: number;
}

/** Reduces the addresses of every loop, the inner ones first. */
export function reduceAddresses(graph: Graph, values: Values): void {
  for (let i = graph.blocks.length - 1; i >= 0; i -= 1) {
    const header = graph.blocks[i] as Block;
    if (header.loop?.header === header) new Reduction(graph, values, header.loop).run();
  }
}

class Reduction {
  readonly #graph: Graph;
  readonly #values: Values;
  readonly #loop: Loop;
  readonly #header: Block;
  readonly #blocks: readonly Block[];
  readonly #isInvariant = new Map<Node, boolean>();
  readonly #linear = new Map<Node, Linear | undefined>();
  readonly #inductions = new Map<Node, Induction>();
  #entry = -1;

  constructor(graph: Graph, values: Values, loop: Loop) {
    this.#graph = graph;
    this.#values = values;
    this.#loop = loop;
    this.#header = loop.header;
    this.#blocks = graph.blocks.filter((block) => isInside(block, loop));
  }

  run(): void {
    const outside = this.#header.predecessors.flatMap((from, i) => (isInside(from, this.#loop) ? [] : [i]));
    if (outside.length !== 1) return;
    this.#entry = outside[0] ?? -1;
    for (const phi of this.#header.phis) this.#findInduction(phi);
    if (this.#inductions.size === 0) return;
    const groups = this.#findGroups();
    for (const induction of this.#inductions.values()) {
      this.#reduce(
        induction,
        groups.filter((group) => group.induction === induction),
      );
    }
  }

  #findInduction(phi: Node): void {
    const backs = phi.inputs.filter((_, i) => i !== this.#entry).map(resolve);
    const [next] = backs;
    if (next === undefined || backs.some((one) => one !== next) || next.op !== 'add') return;
    const [a, b] = next.inputs.map(resolve) as [Node, Node];
    const step = a === phi ? b : b === phi ? a : undefined;
    if (step === undefined || !this.#invariant(step)) return;
    this.#inductions.set(phi, { phi, initial: resolve(phi.inputs[this.#entry] as Node), next, step });
  }

  /** What is deeper than `depth` counts as changing. */
  #invariant(node: Node, depth = MOST_DEPTH): boolean {
    if (node.op === 'const' || node.op === 'field') return true;
    if (node.block !== undefined) return !isInside(node.block, this.#loop);
    const known = this.#isInvariant.get(node);
    if (known !== undefined) return known;
    const invariant = depth > 0 && node.inputs.every((input) => this.#invariant(resolve(input), depth - 1));
    this.#isInvariant.set(node, invariant);
    return invariant;
  }

  #findLinear(node: Node, depth = MOST_DEPTH): Linear | undefined {
    if (this.#linear.has(node)) return this.#linear.get(node);
    const linear = depth > 0 ? this.#computeLinear(node, depth - 1) : undefined;
    this.#linear.set(node, linear);
    return linear;
  }

  #computeLinear(node: Node, depth: number): Linear | undefined {
    const v = this.#values;
    if (this.#invariant(node)) return { induction: undefined, scale: 0, base: node };
    const induction = this.#inductions.get(node);
    if (induction !== undefined) return { induction, scale: 1, base: v.constant(0) };
    if (node.block !== undefined) return undefined;
    const [a, b] = node.inputs.map(resolve) as [Node, Node];
    if (node.op === 'add' || node.op === 'sub') {
      const [x, y] = [this.#findLinear(a, depth), this.#findLinear(b, depth)];
      if (x === undefined || y === undefined) return undefined;
      // A product by a constant may have become the difference of two shifts.
      if (x.induction !== undefined && y.induction !== undefined && x.induction !== y.induction) return undefined;
      return {
        induction: x.induction ?? y.induction,
        scale: (node.op === 'add' ? x.scale + y.scale : x.scale - y.scale) | 0,
        base: v.binary(node.op, x.base, y.base),
      };
    }
    if ((node.op === 'shl' || node.op === 'mul') && b.op === 'const') {
      const x = this.#findLinear(a, depth);
      if (x === undefined) return undefined;
      const factor = node.op === 'shl' ? 1 << b.value : b.value | 0;
      return { induction: x.induction, scale: Math.imul(x.scale, factor), base: v.binary(node.op, x.base, b) };
    }
    return undefined;
  }

  #findGroups(): Group[] {
    const groups: Group[] = [];
    for (const block of this.#blocks) {
      for (const node of block.nodes) {
        if (node.op !== 'load' && node.op !== 'store') continue;
        const address = resolve(node.inputs[0] as Node);
        const linear = this.#findLinear(address);
        if (linear?.induction === undefined || linear.scale === 0) continue;
        const { base, offset } = apart(linear.base, this.#values);
        const { induction, scale } = linear;
        const isPlain = base.op === 'const' && base.value === 0;
        let group = groups.find((one) => one.induction === induction && one.scale === scale && one.base === base);
        if (group === undefined) {
          const cost = (scale === 1 ? 0 : 1) + (isPlain ? 0 : 1);
          group = { induction, scale, base, accesses: [], cost };
          groups.push(group);
        }
        group.accesses.push({ node, address, offset });
      }
    }
    return groups.filter(({ cost }) => cost > 0);
  }

  #reduce(induction: Induction, groups: readonly Group[]): void {
    const [first] = groups;
    if (first === undefined || groups.length > MOST_POINTERS) return;
    const pointers = new Map(groups.map((group) => [group, this.#pointer(group)]));
    const test = this.#findTest(induction);
    if (test !== undefined && this.#isOnlyTested(induction, test.condition)) {
      // The pointer of an access that every iteration makes.
      const isSure = ({ accesses }: Group): boolean =>
        accesses.some(({ node }) => dominates(node.block as Block, test.block));
      const isShort = ({ scale }: Group): boolean =>
        test.rounds * Math.abs(Math.imul(scale, induction.step.value)) < 2 ** 32;
      const group = groups.find((one) => isSure(one) || isShort(one));
      if (group !== undefined) {
        this.#retest(group, pointers.get(group) as Node, test);
        return;
      }
    }
    // The counter stays: a pointer that saves only one addition saves nothing.
    for (const group of groups) {
      if (group.cost > 1) continue;
      for (const { node, address } of group.accesses) node.inputs[0] = address;
      const pointer = pointers.get(group);
      if (pointer !== undefined) this.#header.phis.splice(this.#header.phis.indexOf(pointer), 1);
    }
  }

  #scaled(node: Node, scale: number): Node {
    return this.#values.binary('mul', node, this.#values.constant(scale));
  }

  /** A phi that holds the group's address, and takes its place. */
  #pointer({ induction, scale, base, accesses }: Group): Node {
    const v = this.#values;
    const initial = v.binary('add', this.#scaled(induction.initial, scale), base);
    const pointer = this.#graph.node('phi', []);
    pointer.block = this.#header;
    const next = v.binary('add', pointer, this.#scaled(induction.step, scale));
    pointer.inputs = this.#header.predecessors.map((_, i) => (i === this.#entry ? initial : next));
    this.#header.phis.push(pointer);
    for (const { node, offset } of accesses) node.inputs[0] = v.binary('add', pointer, v.constant(offset));
    return pointer;
  }

  /** The branch that goes back while the next value of the counter is below a limit. */
  #findTest(induction: Induction): Test | undefined {
    const backs = this.#header.predecessors.filter((_, i) => i !== this.#entry);
    const [back] = backs;
    if (back === undefined || backs.length > 1) return undefined;
    const block = back.end.kind === 'if' ? back : back.predecessors.length === 1 ? back.predecessors[0] : undefined;
    if (block?.end.kind !== 'if' || (back !== block && back.nodes.length > 0)) return undefined;
    const way = block.successors.indexOf(back === block ? this.#header : back);
    const condition = resolve(block.inputs[0] as Node);
    const [a, b] = condition.inputs.map(resolve) as [Node | undefined, Node | undefined];
    if (a === undefined || b === undefined) return undefined;
    const { step, initial, next } = induction;
    if (condition.op === 'ne' || condition.op === 'eq') {
      const goesOn = condition.op === 'ne' ? 0 : 1;
      const limit = a === next ? b : b === next ? a : undefined;
      if (way !== goesOn || limit === undefined || !this.#invariant(limit) || step.op !== 'const') return undefined;
      return { block, condition, limit, way, rounds: Infinity };
    }
    if ((condition.op !== 'lts' && condition.op !== 'ltu') || way !== 0 || a !== next || !this.#invariant(b))
      return undefined;
    if (step.op !== 'const') return undefined;
    if (initial.op === 'const' && b.op === 'const') {
      const known = lastValue(condition.op, initial.value, step.value, b.value);
      if (known === undefined) return undefined;
      return { block, condition, limit: this.#values.constant(known.last), way, rounds: known.rounds };
    }
    if (step.value !== 1 || !this.#isBelow(condition.op, initial, b)) return undefined;
    return { block, condition, limit: b, way, rounds: Infinity };
  }

  /** Whether the loop is only entered if the first value is below the limit. */
  #isBelow(operator: 'lts' | 'ltu', initial: Node, limit: Node): boolean {
    let inner: Block = this.#header;
    for (let block = inner.dominator; block !== undefined; inner = block, block = block.dominator) {
      if (block.end.kind !== 'if') continue;
      const condition = resolve(block.inputs[0] as Node);
      const [a, b] = condition.inputs.map(resolve) as [Node | undefined, Node | undefined];
      if (condition.op !== operator || a !== initial || b !== limit) continue;
      if (block.successors[0] === inner && inner.predecessors.length === 1) return true;
    }
    return false;
  }

  /** Whether counter and next value serve each other and the test alone. */
  #isOnlyTested({ phi, next }: Induction, condition: Node): boolean {
    const seen = new Set<Node>();
    const work: Node[] = [];
    let isOnly = true;
    const use = (node: Node, by: Node | undefined): void => {
      const one = resolve(node);
      if (one === phi && by !== next) isOnly = false;
      if (one === next && by !== phi && by !== condition) isOnly = false;
      if (one === condition && by !== undefined) isOnly = false;
      if (!seen.has(one)) {
        seen.add(one);
        work.push(one);
      }
    };
    let tests = 0;
    for (const block of this.#graph.blocks) {
      for (const node of block.nodes) if (EFFECTS.has(node.op)) use(node, undefined);
      for (const node of block.inputs) {
        if (resolve(node) === condition) tests += 1;
        else if (resolve(node) === next || resolve(node) === phi) isOnly = false;
        use(node, undefined);
      }
    }
    for (let node = work.pop(); node !== undefined && isOnly; node = work.pop())
      for (const input of node.inputs) use(input, node);
    return isOnly && tests === 1;
  }

  #retest(group: Group, pointer: Node, { block, limit, way }: Test): void {
    const v = this.#values;
    const next = resolve(pointer.inputs.find((_, i) => i !== this.#entry) as Node);
    const end = v.binary('add', this.#scaled(limit, group.scale), group.base);
    const operator = way === 0 ? 'ne' : 'eq';
    block.inputs[0] = v.binary(operator, next, end);
  }
}

interface Test {
  readonly block: Block;
  readonly condition: Node;
  /** The first value of `next` with which the loop ends. */
  readonly limit: Node;
  readonly way: number;
  /** How many iterations there are; infinity if that is not known. */
  readonly rounds: number;
}

/** Sums and products inside each other that are looked through. Assumption: addresses are shallower. */
const MOST_DEPTH = 32;

/** More pointers than this take more registers than they save instructions. Assumption. */
const MOST_POINTERS = 6;

const EFFECTS: ReadonlySet<string> = new Set(['store', 'write', 'call', 'charge', 'load', 'read']);

function isInside(block: Block, loop: Loop): boolean {
  let one = block.loop;
  while (one !== undefined && one !== loop) one = one.outer;
  return one === loop;
}

/** The constant in a sum, and the rest. */
function apart(base: Node, values: Values): { base: Node; offset: number } {
  if (base.op === 'const') return { base: values.constant(0), offset: base.value };
  const [x, c] = base.inputs;
  if (base.op === 'add' && x !== undefined && c?.op === 'const') return { base: resolve(x), offset: c.value };
  return { base, offset: 0 };
}

/**
 * Of a loop that begins with `initial`, goes on below `limit` and runs at least once: the value with which it ends, and how many iterations it
 * makes. Nothing if it may not end.
 */
function lastValue(
  operator: 'lts' | 'ltu',
  initial: number,
  step: number,
  limit: number,
): { last: number; rounds: number } | undefined {
  const number = (value: number): number => (operator === 'lts' ? value | 0 : value >>> 0);
  const [from, to, by] = [number(initial), number(limit), step | 0];
  if (by <= 0 || from >= to) return undefined;
  const rounds = Math.ceil((to - from) / by);
  const last = from + rounds * by;
  return last > (operator === 'lts' ? 0x7fffffff : 0xffffffff) ? undefined : { last: last >>> 0, rounds };
}
