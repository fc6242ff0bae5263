/**
 * Floating values: one node for equal computations, and the simplest node that computes the same.
 *
 * Nothing here has an effect, so every rule holds for all inputs. Constants stand on the right where operands may be exchanged; there
 * is no `leu`, `gt` or `not`: those are `ltu` and `lts` with operands exchanged, and `xor` 1 of a truth value.
 */
import { isCheap, possibleBits, SEARCH_DEPTH } from './bits.ts';
import { divideBy, type Arithmetic } from './division.ts';
import { resolve, type Graph, type Node, type Op, type Operator } from './graph.ts';

/** The operators that float, with a number for the table of values. */
const NUMBERS: Partial<Record<Op, number>> = {
  add: 1,
  sub: 2,
  and: 3,
  or: 4,
  xor: 5,
  nor: 6,
  shl: 7,
  shr: 8,
  sar: 9,
  lts: 10,
  ltu: 11,
  eq: 12,
  ne: 13,
  mul: 14,
  mulhu: 15,
  mulhs: 16,
  divu: 17,
  remu: 18,
  divs: 19,
  rems: 20,
};

const COMMUTES: ReadonlySet<Op> = new Set<Op>(['add', 'and', 'or', 'xor', 'nor', 'eq', 'ne', 'mul', 'mulhu', 'mulhs']);

const isConst = (node: Node, value: number): boolean => node.op === 'const' && node.value === value;

/** Makes values of one graph. */
export class Values implements Arithmetic {
  readonly #graph: Graph;
  readonly #constants = new Map<number, Node>();
  readonly #fields = new Map<number, Node>();
  readonly #known = new Map<number, Node>();
  /** Keys of values; of constants, -1 minus the constant. */
  readonly #made: number[] = [];
  readonly #forgetsConstants: boolean;

  /** With `forgetsConstants`, constants that take two instructions are values like others to `forget`. */
  constructor(graph: Graph, forgetsConstants: boolean) {
    this.#graph = graph;
    this.#forgetsConstants = forgetsConstants;
  }

  /** For `forget`: what is known now. */
  get known(): number {
    return this.#made.length;
  }

  /**
   * Forgets the values that were made since. Equal values of two ways would otherwise be one node, which would be computed before the ways
   * part, for those too that need it on neither.
   */
  forget(known: number): void {
    while (this.#made.length > known) {
      const key = this.#made.pop() as number;
      if (key < 0) this.#constants.delete(-1 - key);
      else this.#known.delete(key);
    }
  }

  constant(value: number): Node {
    const unsigned = value >>> 0;
    let node = this.#constants.get(unsigned);
    if (node === undefined) {
      node = this.#graph.node('const', [], unsigned);
      this.#constants.set(unsigned, node);
      if (this.#forgetsConstants && !isCheap(unsigned)) this.#made.push(-1 - unsigned);
    }
    return node;
  }

  /** A word of the module's record that does not change. */
  field(offset: number): Node {
    let node = this.#fields.get(offset);
    if (node === undefined) {
      node = this.#graph.node('field', [], offset);
      this.#fields.set(offset, node);
    }
    return node;
  }

  /** The value of `left operator right`. Divisors are not 0. */
  binary(operator: Operator, left: Node, right: Node): Node {
    let [a, b] = [resolve(left), resolve(right)];
    if (a.op === 'const' && b.op === 'const') return this.constant(compute(operator, a.value, b.value));
    if (COMMUTES.has(operator) && (a.op === 'const' || (b.op !== 'const' && a.id > b.id))) [a, b] = [b, a];
    return this.#simpler(operator, a, b) ?? this.#node(operator, a, b);
  }

  /** 1 if the truth value is 0, else 0. */
  not(truth: Node): Node {
    return this.binary('eq', truth, this.constant(0));
  }

  #node(operator: Operator, a: Node, b: Node): Node {
    const key = ((NUMBERS[operator] ?? 0) * 0x1000000 + a.id) * 0x1000000 + b.id;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const node = this.#graph.node(operator, [a, b]);
    this.#known.set(key, node);
    this.#made.push(key);
    return node;
  }

  #simpler(operator: Operator, a: Node, b: Node): Node | undefined {
    const c = b.op === 'const' ? b.value : undefined;
    switch (operator) {
      case 'add':
        return this.#add(a, b, c);
      case 'sub':
        if (a === b) return this.constant(0);
        if (c !== undefined) return this.binary('add', a, this.constant(-c));
        return undefined;
      case 'and':
        return this.#and(a, b, c);
      case 'or':
        if (c === 0 || a === b) return a;
        if (c === 0xffffffff) return b;
        return undefined;
      case 'xor':
        return this.#xor(a, b, c);
      case 'shl':
      case 'shr':
      case 'sar':
        return this.#shift(operator, a, c);
      case 'eq':
      case 'ne':
        return this.#equal(operator, a, b, c);
      case 'ltu':
        if (a === b || c === 0) return this.constant(0);
        if (isConst(a, 0)) return this.binary('ne', b, this.constant(0));
        if (c === 1) return this.binary('eq', a, this.constant(0));
        return this.#carry(a, b);
      case 'lts':
        if (a === b) return this.constant(0);
        if (c === 0)
          return possibleBits(a, SEARCH_DEPTH) < 0x80000000
            ? this.constant(0)
            : this.binary('shr', a, this.constant(31));
        return undefined;
      case 'mul':
        return this.#multiply(a, b, c);
      case 'divu':
      case 'remu':
      case 'divs':
      case 'rems':
        return c === undefined ? undefined : divideBy(this, operator, a, c);
      case 'nor':
      case 'mulhu':
      case 'mulhs':
        return undefined;
    }
  }

  /** Whether x + c went beyond 2^32: a question about x alone, or about the sum. */
  #carry(a: Node, b: Node): Node | undefined {
    const [x, y] = a.inputs;
    if (a.op !== 'add' || x !== b || y?.op !== 'const') return undefined;
    if (y.value === 1) return this.binary('eq', a, this.constant(0));
    return this.not(this.binary('ltu', x, this.constant(-y.value)));
  }

  #add(a: Node, b: Node, c: number | undefined): Node | undefined {
    if (c === 0) return a;
    const [x, y] = a.inputs;
    if (c !== undefined && a.op === 'add' && y?.op === 'const' && x !== undefined) {
      return this.binary('add', x, this.constant(y.value + c));
    }
    // A constant goes outward, where an access can take it as its displacement.
    if (a.op === 'add' && y?.op === 'const' && x !== undefined && b.op !== 'const') {
      return this.binary('add', this.binary('add', x, b), y);
    }
    const [p, q] = b.inputs;
    if (b.op === 'add' && q?.op === 'const' && p !== undefined) return this.binary('add', this.binary('add', a, p), q);
    if (b.op === 'sub' && p !== undefined && q !== undefined && isConst(p, 0)) return this.binary('sub', a, q);
    if (a.op === 'sub' && x !== undefined && y !== undefined && isConst(x, 0)) return this.binary('sub', b, y);
    return undefined;
  }

  #and(a: Node, b: Node, c: number | undefined): Node | undefined {
    if (a === b) return a;
    if (c === undefined) return undefined;
    const possible = possibleBits(a, SEARCH_DEPTH);
    if ((possible & c) === 0) return this.constant(0);
    if ((possible & ~c) === 0) return a;
    const [x, y] = a.inputs;
    if (a.op === 'and' && x !== undefined && y?.op === 'const')
      return this.binary('and', x, this.constant(y.value & c));
    return undefined;
  }

  #xor(a: Node, b: Node, c: number | undefined): Node | undefined {
    if (c === 0) return a;
    if (a === b) return this.constant(0);
    const [x, y] = a.inputs;
    if (c !== undefined && a.op === 'xor' && y?.op === 'const' && x !== undefined) {
      return this.binary('xor', x, this.constant(y.value ^ c));
    }
    if (c === 1 && (a.op === 'eq' || a.op === 'ne') && x !== undefined && y !== undefined) {
      return this.binary(a.op === 'eq' ? 'ne' : 'eq', x, y);
    }
    return undefined;
  }

  #shift(operator: 'shl' | 'shr' | 'sar', a: Node, c: number | undefined): Node | undefined {
    if (c === undefined) return isConst(a, 0) ? a : undefined;
    const count = c & 31;
    if (count === 0) return a;
    if (count !== c) return this.binary(operator, a, this.constant(count));
    if (operator === 'sar' && possibleBits(a, SEARCH_DEPTH) < 0x80000000)
      return this.binary('shr', a, this.constant(count));
    if (operator === 'shr' && possibleBits(a, SEARCH_DEPTH) >>> count === 0) return this.constant(0);
    const [x, y] = a.inputs;
    if (x === undefined || y?.op !== 'const') return undefined;
    if (a.op === operator) {
      const sum = y.value + count;
      if (sum <= 31) return this.binary(operator, x, this.constant(sum));
      return operator === 'sar' ? this.binary('sar', x, this.constant(31)) : this.constant(0);
    }
    // Up and down again is a mask; so is down and up.
    if (operator === 'shr' && a.op === 'shl' && y.value === count && count >= 16) {
      return this.binary('and', x, this.constant(0xffffffff >>> count));
    }
    if (operator === 'shl' && a.op === 'and') {
      const mask = y.value << count;
      if (
        mask >>> count === y.value >>> 0 &&
        possibleBits(x, SEARCH_DEPTH) >>> (32 - count) === 0 &&
        (possibleBits(x, SEARCH_DEPTH) & ~y.value) === 0
      ) {
        return this.binary('shl', x, this.constant(count));
      }
    }
    // Alignment of an index: (x >> n) << n.
    if (
      operator === 'shl' &&
      a.op === 'shr' &&
      y.value === count &&
      count <= 15 &&
      (possibleBits(x, SEARCH_DEPTH) & ((1 << count) - 1)) === 0
    ) {
      return x;
    }
    return undefined;
  }

  #equal(operator: 'eq' | 'ne', a: Node, b: Node, c: number | undefined): Node | undefined {
    const truth = (holds: boolean): Node => this.constant(holds === (operator === 'eq') ? 1 : 0);
    if (a === b) return truth(true);
    if (c === undefined) return undefined;
    const possible = possibleBits(a, SEARCH_DEPTH);
    if ((c & ~possible) !== 0) return truth(false);
    const [x, y] = a.inputs;
    if (possible <= 1) {
      // A truth value: itself, or its opposite.
      if ((c === 1) === (operator === 'eq')) return a;
      if (a.op === 'eq' || a.op === 'ne') return x && y && this.binary(a.op === 'eq' ? 'ne' : 'eq', x, y);
      return this.binary('xor', a, this.constant(1));
    }
    if (x === undefined || y === undefined) return undefined;
    if (c === 0 && (a.op === 'xor' || a.op === 'sub')) return this.binary(operator, x, y);
    if (a.op === 'add' && y.op === 'const' && c !== 0) return this.binary(operator, x, this.constant(c - y.value));
    if (a.op === 'xor' && y.op === 'const') return this.binary(operator, x, this.constant(c ^ y.value));
    // The sign bit alone, or what is shifted out of sight.
    if (c === 0 && a.op === 'shl' && y.op === 'const' && possibleBits(x, SEARCH_DEPTH) >>> (32 - y.value) === 0) {
      return this.binary(operator, x, this.constant(0));
    }
    return undefined;
  }

  #multiply(a: Node, b: Node, c: number | undefined): Node | undefined {
    if (c === undefined) return undefined;
    if (c === 0) return b;
    if (c === 1) return a;
    if (c === 0xffffffff) return this.binary('sub', this.constant(0), a);
    const [low, high] = [31 - Math.clz32(c & -c), 31 - Math.clz32(c)];
    const shifted = (x: Node, count: number): Node => this.binary('shl', x, this.constant(count));
    if (low === high) return shifted(a, low);
    // Two bits, or a row of ones: two shifts and a sum. multu and mflo are two instructions too, but take 12 cycles.
    const odd = c >>> low;
    if ((odd & (odd - 1)) === 1 && (odd - 1) >>> 0 === 2 ** (high - low)) {
      return shifted(this.binary('add', shifted(a, high - low), a), low);
    }
    if (((odd + 1) & odd) === 0 && odd + 1 <= 0x80000000) {
      return shifted(this.binary('sub', shifted(a, 31 - Math.clz32(odd + 1)), a), low);
    }
    return undefined;
  }
}

/** The operator on two constants. */
function compute(operator: Operator, a: number, b: number): number {
  const product = (signed: boolean): number => {
    const wide = signed ? BigInt(a | 0) * BigInt(b | 0) : BigInt(a) * BigInt(b);
    return Number(BigInt.asUintN(32, wide >> 32n));
  };
  switch (operator) {
    case 'add':
      return (a + b) >>> 0;
    case 'sub':
      return (a - b) >>> 0;
    case 'and':
      return (a & b) >>> 0;
    case 'or':
      return (a | b) >>> 0;
    case 'xor':
      return (a ^ b) >>> 0;
    case 'nor':
      return ~(a | b) >>> 0;
    case 'shl':
      return (a << b) >>> 0;
    case 'shr':
      return a >>> b;
    case 'sar':
      return (a >> b) >>> 0;
    case 'lts':
      return (a | 0) < (b | 0) ? 1 : 0;
    case 'ltu':
      return a < b ? 1 : 0;
    case 'eq':
      return a === b ? 1 : 0;
    case 'ne':
      return a === b ? 0 : 1;
    case 'mul':
      return Math.imul(a, b) >>> 0;
    case 'mulhu':
      return product(false);
    case 'mulhs':
      return product(true);
    case 'divu':
      return b === 0 ? 0 : Math.floor(a / b);
    case 'remu':
      return b === 0 ? 0 : a % b;
    case 'divs':
      return b === 0 ? 0 : ((a | 0) / (b | 0)) >>> 0;
    case 'rems':
      return b === 0 ? 0 : ((a | 0) % (b | 0)) >>> 0;
  }
}
