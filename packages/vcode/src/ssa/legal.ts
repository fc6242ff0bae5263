/**
 * From operators to instructions: constants become immediates, comparisons become part of branches, addresses get displacements.
 *
 * Runs before `place`, so that the halves of addresses and the constants that remain are shared and leave loops like other values.
 */
import { possibleBits, possibleBitsOfPhi, SEARCH_DEPTH } from './bits.ts';
import { resolve, type Block, type End, type Graph, type Node, type Op, type Table, type Test } from './graph.ts';
import type { Values } from './values.ts';
import { Walk } from './walk.ts';

const signed = (value: number): number => value | 0;
const fitsSigned = (value: number): boolean => signed(value) >= -0x8000 && signed(value) <= 0x7fff;
const fitsUnsigned = (value: number): boolean => value >>> 0 <= 0xffff;

/** Fewer cases are compared one by one, or searched. Assumption: a jump through a table takes six instructions. */
const FEW_CASES = 5;
/** A table has at most so many slots for a case. */
const SPARSE = 8;

/** Makes every node of the graph one that an instruction computes. `hasTables`: a switch may look into memory. */
export function legalise(graph: Graph, values: Values, hasTables: boolean): void {
  new Legaliser(values).run(graph.blocks, hasTables);
}

const nothing = (): void => undefined;

class Legaliser {
  readonly #values: Values;
  readonly #seen = new Set<Node>();
  readonly #walk = new Walk();

  constructor(values: Values) {
    this.#values = values;
  }

  run(blocks: readonly Block[], hasTables: boolean): void {
    // Branches and addresses first: they look at operators.
    for (const block of blocks) {
      if (block.end.kind === 'if') this.#branch(block, block.end);
      if (block.end.kind === 'switch' && hasTables) this.#switch(block, block.end);
      for (const node of block.nodes) if (node.op === 'load' || node.op === 'store') this.#address(node);
    }
    for (const block of blocks) {
      for (const phi of block.phis) this.#inputs(phi);
      for (const node of block.nodes) this.#inputs(node);
      for (let i = 0; i < block.inputs.length; i += 1) block.inputs[i] = this.#legal(block.inputs[i] as Node);
    }
  }

  #inputs(node: Node): void {
    for (let i = 0; i < node.inputs.length; i += 1) node.inputs[i] = this.#legal(node.inputs[i] as Node);
  }

  /** A node and all that floats below it. */
  #legal(node: Node): Node {
    const one = resolve(node);
    this.#walk.run(one, this.#enter, nothing);
    return one;
  }

  /** An operator becomes an instruction before its inputs do. */
  readonly #enter = (node: Node): boolean => {
    if (node.block !== undefined || this.#seen.has(node)) return false;
    this.#seen.add(node);
    this.#operation(node);
    const { inputs } = node;
    for (let i = 0; i < inputs.length; i += 1) inputs[i] = resolve(inputs[i] as Node);
    return true;
  };

  #operation(node: Node): void {
    const [a, b] = node.inputs;
    if (a === undefined || b === undefined) return;
    const c = b.op === 'const' ? b.value : undefined;
    switch (node.op) {
      case 'add':
        if (c !== undefined && fitsSigned(c)) immediate(node, 'addi', signed(c));
        return;
      case 'and':
        if (c !== undefined && fitsUnsigned(c)) immediate(node, 'andi', c);
        return;
      case 'or':
        if (c !== undefined && fitsUnsigned(c)) immediate(node, 'ori', c);
        return;
      case 'xor':
        if (c === 0xffffffff) {
          node.op = 'nor';
          node.inputs = [a, this.#values.constant(0)];
        } else if (c !== undefined && fitsUnsigned(c)) immediate(node, 'xori', c);
        return;
      case 'shl':
      case 'shr':
      case 'sar':
        if (c !== undefined) immediate(node, `${node.op}i`, c & 31);
        return;
      case 'lts':
        if (c !== undefined && fitsSigned(c)) immediate(node, 'ltsi', signed(c));
        return;
      case 'ltu':
        if (c !== undefined && fitsSigned(c)) immediate(node, 'ltui', signed(c));
        return;
      case 'eq':
      case 'ne': {
        const difference = c === 0 ? a : this.#values.binary('xor', a, b);
        if (node.op === 'eq') {
          node.inputs = [difference];
          node.op = 'ltui';
          node.value = 1;
        } else {
          node.inputs = [this.#values.constant(0), difference];
          node.op = 'ltu';
        }
        return;
      }
      default:
    }
  }

  /** What fits is taken from the address into the displacement; of the rest, the upper half is made once. */
  #address(node: Node): void {
    const address = resolve(node.inputs[0] as Node);
    const x = address.op === 'add' ? address.inputs[0] : undefined;
    const constant = x === undefined ? address : (address.inputs[1] as Node);
    if (constant.op !== 'const') return;
    const offset = constant.value;
    // The parts of an access that is not aligned lie up to three bytes further.
    if (x !== undefined && fitsSigned(offset) && fitsSigned(offset + 3)) {
      node.inputs[0] = x;
      node.value = signed(offset);
      return;
    }
    const low = Math.min((offset << 16) >> 16, 0x7ffc);
    const upper = this.#values.constant(offset - low);
    node.inputs[0] = x === undefined ? upper : this.#values.binary('add', x, upper);
    // Adding may have folded into something that has a constant of its own.
    node.value = low;
  }

  /** Values that stand close together are looked up in a table. */
  #switch(block: Block, end: Extract<End, { kind: 'switch' }>): void {
    const v = this.#values;
    const successorOf = new Map<number, number>();
    end.cases.forEach((values, i) => {
      for (const value of values) successorOf.set(value, i);
    });
    if (successorOf.size < FEW_CASES) return;
    const value = resolve(block.inputs[0] as Node);
    // A value that is known to be small is the index itself, if a constant was added to it, without that.
    const [x, c] = value.inputs.map(resolve);
    const [plain, added] = value.op === 'add' && x !== undefined && c?.op === 'const' ? [x, c.value] : [value, 0];
    const bits = possibleBitsOfPhi(plain);
    if (bits < SPARSE * successorOf.size) {
      const successors = Array.from(
        { length: bits + 1 },
        (_, i) => successorOf.get((i + added) >>> 0) ?? end.cases.length,
      );
      this.#jumpBy(block, plain, { successors, isTested: false });
      return;
    }
    let [least, most] = [0xffffffff, 0];
    for (const one of successorOf.keys()) {
      least = Math.min(least, one);
      most = Math.max(most, one);
    }
    // A table from 0 on saves the subtraction.
    if (least < 4) least = 0;
    const size = most - least + 1;
    if (size > SPARSE * successorOf.size) return;
    const index = v.binary('add', value, v.constant(-least));
    const successors = Array.from({ length: size }, (_, i) => successorOf.get(least + i) ?? end.cases.length);
    this.#jumpBy(block, index, { successors, isTested: possibleBits(index, SEARCH_DEPTH) >= size });
  }

  #jumpBy(block: Block, index: Node, table: Table): void {
    if (block.end.kind !== 'switch') return;
    block.inputs = [index, this.#values.binary('shl', index, this.#values.constant(2))];
    block.end = { ...block.end, table };
  }

  #branch(block: Block, end: Extract<End, { kind: 'if' }>): void {
    const zero = this.#values.constant(0);
    let test: Test = 'ne';
    let node = resolve(block.inputs[0] as Node);
    let other = zero;
    let isOpposite = false;
    for (;;) {
      const [a, b] = node.inputs;
      const c = b?.op === 'const' ? b.value : undefined;
      if (a === undefined || b === undefined) break;
      if (node.op === 'xor' && c === 1 && possibleBits(a, 4) <= 1) {
        isOpposite = !isOpposite;
        node = a;
        continue;
      }
      if (node.op === 'eq' || node.op === 'ne') {
        if (node.op === 'eq') isOpposite = !isOpposite;
        if (c === 0) {
          node = a;
          if (possibleBits(a, 4) <= 1) continue;
        } else {
          node = a;
          other = b;
        }
        break;
      }
      if ((node.op === 'shr' || node.op === 'sar') && c === 31) {
        test = 'ltz';
        node = a;
      } else if (node.op === 'lts' && a.op === 'const' && a.value === 0) {
        test = 'gtz';
        node = b;
      } else if (node.op === 'lts' && c === 1) {
        test = 'lez';
        node = a;
      } else if ((node.op === 'lts' || node.op === 'ltu') && a.op === 'const') {
        // c < x is not x < c + 1.
        const most = node.op === 'lts' ? 0x7fffffff : 0xffffffff;
        if (a.value !== most && fitsSigned(a.value + 1)) {
          node = this.#values.binary(node.op, b, this.#values.constant(a.value + 1));
          isOpposite = !isOpposite;
        }
      }
      break;
    }
    block.inputs = test === 'ne' ? [node, other] : [node];
    block.end = { ...end, test: isOpposite ? OPPOSITE[test] : test };
  }
}

export const OPPOSITE: Readonly<Record<Test, Test>> = {
  eq: 'ne',
  ne: 'eq',
  ltz: 'gez',
  gez: 'ltz',
  lez: 'gtz',
  gtz: 'lez',
};

function immediate(node: Node, op: Op, value: number): void {
  node.inputs.length = 1;
  node.op = op;
  node.value = value;
}
