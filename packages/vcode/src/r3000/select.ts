/**
 * From the placed graph to instructions. What remains to be chosen is little: multiplications and divisions share HI and LO, and accesses
 * that may be unaligned take two instructions.
 */
import { ZERO, type Mnemonic, type Register } from '@exokernel/isa';
import { isMadeInPlace } from '../ssa/place.ts';
import type { Block, Callee, Graph, Node, Op } from '../ssa/graph.ts';
import { VIRTUAL, type Instruction, type Kind, type Lines, type Selected, type Source } from './instructions.ts';

function mnemonics(of: Partial<Record<Op, Mnemonic>>): Map<Op, Mnemonic> {
  return new Map(Object.entries(of) as [Op, Mnemonic][]);
}

const THREE: ReadonlyMap<Op, Mnemonic> = mnemonics({
  add: 'addu',
  sub: 'subu',
  and: 'and',
  or: 'or',
  xor: 'xor',
  nor: 'nor',
  lts: 'slt',
  ltu: 'sltu',
  shl: 'sllv',
  shr: 'srlv',
  sar: 'srav',
});
const IMMEDIATE: ReadonlyMap<Op, Mnemonic> = mnemonics({
  addi: 'addiu',
  andi: 'andi',
  ori: 'ori',
  xori: 'xori',
  ltsi: 'slti',
  ltui: 'sltiu',
  shli: 'sll',
  shri: 'srl',
  sari: 'sra',
});
const PRODUCTS: Readonly<Record<string, readonly [operation: Mnemonic, from: Mnemonic]>> = {
  mul: ['multu', 'mflo'],
  mulhu: ['multu', 'mfhi'],
  mulhs: ['mult', 'mfhi'],
  divu: ['divu', 'mflo'],
  remu: ['divu', 'mfhi'],
  divs: ['div', 'mflo'],
  rems: ['div', 'mfhi'],
};
const LOADS: Readonly<Record<number, Mnemonic>> = { 1: 'lbu', 2: 'lhu', 4: 'lw', [-1]: 'lb', [-2]: 'lh', [-4]: 'lw' };
const STORES: Readonly<Record<number, Mnemonic>> = { 1: 'sb', 2: 'sh', 4: 'sw' };

const NONE: readonly never[] = [];

/** What a node's operation in HI and LO is, to be shared with another node of the same operands. */
interface Product {
  readonly operation: Mnemonic;
  readonly a: number;
  readonly b: number;
}

/** `record` holds the address of the module's record. */
export function select(graph: Graph, record: Register): Selected {
  return new Selector(graph, record).run();
}

class Selector {
  readonly #graph: Graph;
  readonly #record: Register;
  readonly #registers = new Map<Node, number>();
  readonly #remakes: (Node | undefined)[] = [];
  /** By call of the present block. */
  readonly #results = new Map<Node, Node[]>();
  #next = VIRTUAL;
  #out: Instruction[] = [];
  #product: Product | undefined;

  constructor(graph: Graph, record: Register) {
    this.#graph = graph;
    this.#record = record;
  }

  run(): Selected {
    const lines = this.#graph.blocks.map((block) => this.#block(block));
    return {
      lines,
      registers: this.#next,
      remakes: this.#remakes,
      registerOf: (node) => this.#source(node),
    };
  }

  #register(node: Node): number {
    if (node.op === 'const' && node.value === 0) return ZERO;
    let register = this.#registers.get(node);
    if (register === undefined) {
      register = this.#fresh();
      this.#registers.set(node, register);
      if (node.op === 'const' || node.op === 'field') this.#remakes[register] = node;
    }
    return register;
  }

  #fresh(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  #source(node: Node): Source {
    return isMadeInPlace(node) ? { constant: node.value } : { register: this.#register(node) };
  }

  #emit(kind: Kind, mnemonic: Mnemonic, rest: Partial<Instruction>): void {
    this.#out.push({
      kind,
      mnemonic,
      def: rest.def ?? -1,
      a: rest.a ?? -1,
      b: rest.b ?? -1,
      immediate: rest.immediate ?? 0,
      defs: rest.defs ?? NONE,
      sources: rest.sources ?? NONE,
      callee: rest.callee,
      test: rest.test,
      isOrdered: rest.isOrdered ?? false,
      at: this.#at,
      position: 0,
    });
  }

  #at = -1;

  #block(block: Block): Lines {
    this.#out = [];
    this.#product = undefined;
    const phis = block.phis.map((phi) => this.#register(phi));
    if (block.predecessors.length === 0) {
      const parameters = block.nodes.filter((node) => node.op === 'parameter');
      this.#emit('enter', 'nop' as Mnemonic, {
        defs: parameters.map((node) => (node.uses > 0 ? this.#register(node) : -1)),
      });
    }
    this.#findResults(block);
    for (const node of block.nodes) this.#node(node);
    this.#end(block);
    return { block, instructions: this.#out, phis, from: 0, to: 0 };
  }

  /** What is needed of each call's results: they stand in its block. */
  #findResults(block: Block): void {
    this.#results.clear();
    for (const node of block.nodes) {
      const [call] = node.inputs;
      if (node.op !== 'result' || call === undefined) continue;
      const known = this.#results.get(call);
      if (known === undefined) this.#results.set(call, [node]);
      else known.push(node);
    }
  }

  #node(node: Node): void {
    const [first, second] = node.inputs;
    this.#at = node.at >= 0 ? node.at : this.#at;
    const three = THREE.get(node.op);
    const immediate = IMMEDIATE.get(node.op);
    if (three !== undefined && first !== undefined && second !== undefined) {
      const [a, b] = [this.#register(first), this.#register(second)];
      // The shifts by a register name the count last, like the rest here; `write` puts the operands in the order of assembly.
      this.#emit('plain', three, { def: this.#register(node), a, b });
    } else if (immediate !== undefined && first !== undefined) {
      this.#emit('plain', immediate, { def: this.#register(node), a: this.#register(first), immediate: node.value });
    } else this.#other(node);
  }

  #other(node: Node): void {
    switch (node.op) {
      case 'const':
        this.#emit('constant', 'lui', { def: this.#register(node), immediate: node.value });
        return;
      case 'field':
      case 'read':
        this.#emit('plain', 'lw', { def: this.#register(node), a: this.#record, immediate: node.value });
        return;
      case 'write':
        this.#emit('plain', 'sw', {
          a: this.#register(node.inputs[0] as Node),
          b: this.#record,
          immediate: node.value,
        });
        return;
      case 'load':
        this.#load(node);
        return;
      case 'store':
        this.#store(node);
        return;
      case 'call':
        this.#call(node);
        return;
      case 'charge':
        this.#emit('charge', 'addiu', { immediate: node.value });
        return;
      case 'parameter':
      case 'result':
      case 'phi':
        return;
      default:
        this.#multiply(node);
    }
  }

  #multiply(node: Node): void {
    const row = PRODUCTS[node.op];
    const [first, second] = node.inputs;
    if (row === undefined || first === undefined || second === undefined) return;
    const [operation, from] = row;
    const [a, b] = [this.#register(first), this.#register(second)];
    const before = this.#product;
    const isSame = before !== undefined && before.operation === operation && before.a === a && before.b === b;
    if (!isSame) {
      this.#emit('plain', operation, { a, b });
      this.#product = { operation, a, b };
    }
    this.#emit('plain', from, { def: this.#register(node) });
  }

  #load(node: Node): void {
    const base = this.#register(node.inputs[0] as Node);
    const { size, value: immediate } = node;
    const def = this.#register(node);
    const natural = Math.abs(size) === 4 ? 2 : Math.abs(size) === 2 ? 1 : 0;
    if (node.align >= natural) {
      this.#emit('plain', LOADS[size] ?? 'lw', { def, a: base, immediate, isOrdered: node.isOrdered });
    } else if (natural === 2) {
      // The second half merges with the first, in one register.
      this.#emit('plain', 'lwr', { def, a: base, immediate });
      this.#emit('plain', 'lwl', { def, a: base, b: def, immediate: immediate + 3 });
    } else {
      const [low, high, up] = [this.#fresh(), this.#fresh(), this.#fresh()];
      this.#emit('plain', size < 0 ? 'lb' : 'lbu', { def: high, a: base, immediate: immediate + 1 });
      this.#emit('plain', 'lbu', { def: low, a: base, immediate });
      this.#emit('plain', 'sll', { def: up, a: high, immediate: 8 });
      this.#emit('plain', 'or', { def, a: up, b: low });
    }
  }

  #store(node: Node): void {
    const base = this.#register(node.inputs[0] as Node);
    const value = this.#register(node.inputs[1] as Node);
    const { size, value: immediate } = node;
    const natural = size === 4 ? 2 : size === 2 ? 1 : 0;
    if (node.align >= natural) {
      this.#emit('plain', STORES[size] ?? 'sw', { a: value, b: base, immediate, isOrdered: node.isOrdered });
    } else if (natural === 2) {
      this.#emit('plain', 'swr', { a: value, b: base, immediate });
      this.#emit('plain', 'swl', { a: value, b: base, immediate: immediate + 3 });
    } else {
      const up = this.#fresh();
      this.#emit('plain', 'srl', { def: up, a: value, immediate: 8 });
      this.#emit('plain', 'sb', { a: value, b: base, immediate });
      this.#emit('plain', 'sb', { a: up, b: base, immediate: immediate + 1 });
    }
  }

  #call(node: Node): void {
    this.#product = undefined;
    const results = new Array<number>(node.value).fill(-1);
    for (const result of this.#results.get(node) ?? []) results[result.value] = this.#register(result);
    const isAddress = node.callee?.kind === 'address';
    const { callee } = node;
    this.#emit('call', isAddress ? 'jalr' : 'jal', { ...this.#passed(callee, node.inputs), defs: results, callee });
  }

  /** The address that is called, if it is one, and the arguments. */
  #passed(callee: Callee | undefined, inputs: readonly Node[]): Pick<Instruction, 'a' | 'sources'> {
    const [address, ...rest] = inputs;
    const isAddress = callee?.kind === 'address' && address !== undefined;
    const sources = (isAddress ? rest : inputs).map((input) => this.#source(input));
    return { a: isAddress ? this.#register(address) : -1, sources };
  }

  #end(block: Block): void {
    const { end, inputs, at } = block;
    if (at >= 0) this.#at = at;
    switch (end.kind) {
      case 'goto':
        this.#emit('jump', 'j', {});
        return;
      case 'if': {
        const [a, b] = inputs;
        const registers = { a: this.#register(a as Node), b: b === undefined ? -1 : this.#register(b) };
        this.#emit('branch', 'beq', { ...registers, test: end.test ?? 'ne' });
        return;
      }
      case 'switch':
        this.#emit('switch', 'jr', {
          a: this.#register(inputs[0] as Node),
          b: inputs[1] === undefined ? -1 : this.#register(inputs[1]),
        });
        return;
      case 'return':
        this.#emit('return', 'jr', { sources: inputs.map((input) => this.#source(input)) });
        return;
      case 'tail': {
        const { callee } = end;
        this.#emit('tail', callee.kind === 'address' ? 'jr' : 'j', { ...this.#passed(callee, inputs), callee });
        return;
      }
      case 'trap':
        this.#emit('trap', 'break', { immediate: end.code });
    }
  }
}
