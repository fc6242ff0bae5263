/**
 * From instructions on virtual registers and their places to machine lines: moves where a value changes its place, the frame, the ends of
 * blocks.
 */
import { AT, GP, RA, SP, T9, V0, ZERO, type Mnemonic } from '@exokernel/isa';
import type { Block, Node, Test } from '../ssa/graph.ts';
import type { Allocation } from './allocate.ts';
import type { Convention } from './convention.ts';
import type { ImportCode } from '../ir/imports.ts';
import { ABORT_FUEL, ABORT_STACK } from '../ir/abort.ts';
import { ARGUMENTS, bit, FUEL, KEPT_MASK, line, load32, LOST_MASK, MachineBlock, RESULTS, type Line } from './code.ts';
import { branchLine, TABLE_HIGH, TABLE_LOW } from './branches.ts';
import { Exits } from './exits.ts';
import { each, type Interval, type Life } from './intervals.ts';
import { VIRTUAL, type Instruction, type Lines, type Selected, type Source } from './instructions.ts';
import { frameWord, movesInOrder, STACK, type Move } from './moves.ts';
import { search } from './search.ts';

/** A function's blocks in their order, and the size of its frame in bytes. */
export interface Written {
  readonly blocks: readonly MachineBlock[];
  readonly frame: number;
}

export function write(
  selected: Selected,
  life: Life,
  allocation: Allocation,
  convention: Convention,
  section: number,
): Written {
  return new Writer(selected, life, allocation, convention, section).run();
}

/** Bytes of a frame in the checked profile. */
const LEAST_FRAME = 64;

class Writer {
  readonly #selected: Selected;
  readonly #life: Life;
  readonly #allocation: Allocation;
  readonly #to: Convention;
  readonly #blocks: MachineBlock[];
  /** Words for arguments and results of calls that registers do not hold. */
  readonly #outgoing: number;
  readonly #words: number;
  /** Bytes of the stack. */
  readonly #frame: number;
  readonly #savesRa: boolean;
  readonly #moves = new Map<number, Move[]>();
  #lines: Line[] = [];
  /** The number of the block that is written. */
  #at = 0;
  readonly #extras = new Map<number, MachineBlock[]>();
  readonly #exits: Exits;
  readonly #section: number;

  constructor(selected: Selected, life: Life, allocation: Allocation, convention: Convention, section: number) {
    this.#selected = selected;
    this.#life = life;
    this.#allocation = allocation;
    this.#to = convention;
    this.#section = section;
    this.#blocks = selected.lines.map(
      ({ block }) => new MachineBlock(block.order, block.loop?.section ?? section, block.depth),
    );
    const called = selected.lines.flatMap(({ instructions }) => instructions.filter(({ kind }) => kind === 'call'));
    this.#outgoing = called.reduce((most, one) => Math.max(most, outgoingWords(one)), 0);
    this.#savesRa = called.some(({ callee }) => callee !== undefined && convention.inline(callee) === undefined);
    this.#exits = new Exits(convention, this.#blocks.length, section);
    // One word to spare where places in memory may have to change with each other.
    const slots = allocation.slots + (allocation.slots > 0 ? 1 : 0);
    this.#words = this.#outgoing + slots + allocation.saved.length + (this.#savesRa ? 1 : 0);
    // Recursion is bounded on the host too, whose frames are larger.
    const least = this.#words > 0 && convention.stackLimit !== undefined ? LEAST_FRAME : 0;
    this.#frame = this.#isLeaf ? 0 : Math.max(least, (this.#words * 4 + 7) & ~7);
  }

  run(): Written {
    this.#splitMoves();
    for (const lines of this.#selected.lines) this.#block(lines);
    const blocks = this.#blocks.flatMap((block, i) => [block, ...(this.#extras.get(i) ?? [])]);
    return {
      blocks: [...blocks, ...this.#exits.blocks()],
      frame: this.#isLeaf ? 4 * this.#words : this.#frame,
    };
  }

  /** Whether there is no stack. */
  get #isLeaf(): boolean {
    return this.#to.spills.base !== SP;
  }

  /* Places. */

  #interval(register: number): Interval | undefined {
    return this.#allocation.intervals[register];
  }

  #slot(whole: Interval): number {
    return STACK + this.#outgoing + whole.slot;
  }

  /** The register at a position, where one is promised. */
  #register(register: number, position: number): number {
    if (register < VIRTUAL) return Math.max(register, 0);
    return this.#interval(register)?.at(position).register ?? 0;
  }

  /** Where to get a value from at a position. */
  #from(register: number, position: number): Move['from'] {
    if (register < VIRTUAL) return register;
    const part = this.#interval(register)?.at(position);
    return part === undefined ? 0 : this.#fromPart(part);
  }

  #fromPart(part: Interval): Move['from'] {
    if (part.register >= 0) return part.register;
    const { remake } = part.whole;
    return remake === undefined ? this.#slot(part.whole) : remade(remake);
  }

  /** Moves to where a value is wanted at a position: a register, or memory, or both. */
  #into(register: number, position: number, from: Move['from']): Move[] {
    const interval = this.#interval(register);
    if (interval === undefined) return [];
    const { whole, register: to } = interval.at(position);
    const moves: Move[] = [];
    if (to >= 0) moves.push({ to, from });
    if (whole.slot >= 0) moves.push({ to: this.#slot(whole), from });
    return moves;
  }

  #source(source: Source, position: number): Move['from'] {
    return 'constant' in source ? { constant: source.constant } : this.#from(source.register, position);
  }

  /** Where parts follow each other inside a block, the value moves. */
  #splitMoves(): void {
    const starts = new Set(this.#selected.lines.map(({ from }) => from));
    for (const interval of new Set(this.#allocation.intervals)) {
      if (interval === undefined) continue;
      let before: Interval | undefined;
      for (const part of interval.parts) {
        if (before?.to === part.from && !starts.has(part.from) && part.register >= 0) {
          const moves = this.#moves.get(part.from) ?? [];
          moves.push({ to: part.register, from: this.#fromPart(before) });
          this.#moves.set(part.from, moves);
        }
        before = part;
      }
    }
  }

  #spareWord(): number {
    return this.#outgoing + this.#allocation.slots;
  }

  #put(moves: readonly Move[], at: number): void {
    for (const one of movesInOrder(moves, () => this.#spareWord(), at, this.#to)) this.#lines.push(one);
  }

  /* Blocks. */

  #block(lines: Lines): void {
    const { block } = lines;
    const machine = this.#blocks[block.order] as MachineBlock;
    this.#lines = machine.lines;
    this.#at = block.order;
    const [only] = block.predecessors;
    if (only !== undefined && block.predecessors.length === 1 && only.successors.length > 1) this.#edge(only, block);
    for (const instruction of lines.instructions) {
      const moves = this.#moves.get(instruction.position);
      if (moves !== undefined) this.#put(moves, instruction.at);
      if (instruction.kind === 'jump') this.#edgeOut(block);
      this.#instruction(instruction, block, machine);
    }
  }

  #edgeOut(block: Block): void {
    const [successor] = block.successors;
    if (successor !== undefined) this.#edge(block, successor);
  }

  /** What changes its place on the way from one block to another. */
  #edge(from: Block, to: Block): void {
    const end = (this.#selected.lines[from.order] as Lines).to - 1;
    const start = this.#selected.lines[to.order] as Lines;
    const moves: Move[] = [];
    const live = this.#life.liveIn[to.order];
    if (live !== undefined) {
      each(live, (register) => {
        const interval = this.#interval(register);
        if (interval === undefined || interval.parts.length === 1) return;
        const [before, after] = [interval.at(end), interval.at(start.from)];
        if (before === after || after.register < 0) return;
        moves.push({ to: after.register, from: this.#fromPart(before) });
      });
    }
    const way = to.predecessors.indexOf(from);
    start.phis.forEach((register, i) => {
      const input = to.phis[i]?.inputs[way];
      if (input === undefined) return;
      const source = this.#selected.registerOf(input);
      const isSame = 'register' in source && this.#interval(source.register)?.whole === this.#interval(register)?.whole;
      const value = this.#source(source, end);
      for (const move of this.#into(register, start.from, value)) {
        // One interval's word of the stack holds the value already.
        if (!(isSame && move.to >= STACK)) moves.push(move);
      }
    });
    this.#put(moves, -1);
  }

  /* Instructions. */

  #emit(mnemonic: Mnemonic, operands: readonly number[], options: Parameters<typeof line>[2] = {}): void {
    this.#lines.push(line(mnemonic, operands, options));
  }

  #instruction(instruction: Instruction, block: Block, machine: MachineBlock): void {
    const { position, at } = instruction;
    switch (instruction.kind) {
      case 'plain':
        this.#plain(instruction);
        return;
      case 'constant': {
        const register = this.#define(instruction);
        if (register >= 0) this.#lines.push(...load32(register, instruction.immediate, at));
        return;
      }
      case 'enter':
        this.#enter(instruction);
        return;
      case 'call':
        this.#call(instruction);
        return;
      case 'tail':
        this.#tail(instruction);
        return;
      case 'return':
        this.#return(instruction);
        return;
      case 'charge':
        this.#pay(instruction.immediate, at);
        return;
      case 'trap':
        this.#lines.push(...this.#to.trap(instruction.immediate, at));
        machine.next = this.#exits.aborted();
        return;
      case 'jump':
        machine.next = this.#blocks[block.successors[0]?.order ?? 0];
        return;
      case 'branch': {
        const [then, otherwise] = block.successors.map((successor) => this.#blocks[successor.order]);
        const operands = [this.#register(instruction.a, position)];
        if (instruction.b >= 0) operands.push(this.#register(instruction.b, position));
        const mayRead = block.end.kind === 'if' && block.end.mayRead;
        this.#lines.push(branchLine(instruction.test ?? 'ne', operands, then as MachineBlock, at, mayRead));
        machine.next = otherwise;
        return;
      }
      case 'switch':
        this.#switch(instruction, block, machine);
    }
  }

  #emitBranch(test: Test, operands: readonly number[], target: MachineBlock, at: number): void {
    this.#lines.push(branchLine(test, operands, target, at));
  }

  /** The register of the result; -1 if nothing needs it. */
  #define({ def, position }: Instruction): number {
    return this.#register(def, position + 1);
  }

  #plain(instruction: Instruction): void {
    const { mnemonic, def, position, immediate, at } = instruction;
    const a = this.#register(instruction.a, position);
    const b = this.#register(instruction.b, position);
    const result = def >= 0 ? this.#define(instruction) : 0;
    switch (mnemonic) {
      case 'lwl':
        // The part that was loaded first is changed in place.
        if (result !== b && result === a) {
          this.#emit('lwl', [b, immediate, a], { at });
          this.#emit('addu', [result, b, 0], { at });
        } else {
          if (result !== b) this.#emit('addu', [result, b, 0], { at });
          this.#emit('lwl', [result, immediate, a], { at });
        }
        break;
      case 'lw':
      case 'lh':
      case 'lhu':
      case 'lb':
      case 'lbu':
      case 'lwr':
        this.#emit(mnemonic, [result, immediate, a], {
          at,
          isOrdered: instruction.isOrdered,
          mayRead: a === this.#to.record,
        });
        break;
      case 'sw':
      case 'sh':
      case 'sb':
      case 'swl':
      case 'swr':
        this.#emit(mnemonic, [a, immediate, b], { at, isOrdered: instruction.isOrdered });
        break;
      case 'mult':
      case 'multu':
      case 'div':
      case 'divu':
        this.#emit(mnemonic, [a, b], { at });
        break;
      case 'mflo':
      case 'mfhi':
        this.#emit(mnemonic, [result], { at });
        break;
      default:
        this.#emit(mnemonic, instruction.b >= 0 ? [result, a, b] : [result, a, immediate], { at });
    }
    this.#keep(def, position + 1, at);
  }

  /** Stores a result in its place in memory, if it has one. */
  #keep(def: number, position: number, at: number): void {
    const interval = def >= VIRTUAL ? this.#interval(def) : undefined;
    if (interval === undefined || interval.slot < 0) return;
    this.#emit('sw', frameWord(interval.at(position).register, this.#slot(interval), this.#to), { at });
  }

  #pay(section: number, at: number): void {
    const { fuel, isDear, beforePaying, paid } = this.#to;
    const isFirst = section === this.#section;
    if (isFirst) this.#lines.push(...beforePaying);
    if (isDear) {
      this.#emit('lui', [AT, 0], { charge: section, at });
      this.#emit('ori', [AT, AT, 0], { charge: section, at });
      this.#emit('subu', [fuel, fuel, AT], { at });
    } else this.#emit('addiu', [fuel, fuel, 0], { charge: section, at });
    if (isFirst) this.#lines.push(...paid);
    this.#emitBranch('ltz', [fuel], this.#exits.of(ABORT_FUEL), at);
  }

  #enter({ defs, position, at }: Instruction): void {
    if (this.#frame > 0) this.#emit('addiu', [SP, SP, -this.#frame], { at });
    if (this.#frame > 0 && this.#to.stackLimit !== undefined) {
      this.#emit('lw', [AT, this.#to.stackLimit, GP], { at });
      this.#emit('sltu', [AT, SP, AT], { at });
      this.#emitBranch('ne', [AT, ZERO], this.#exits.of(ABORT_STACK), at);
    }
    this.#saved((register, offset) => {
      this.#emit('sw', [register, offset, SP], { at });
    });
    const moves = defs.flatMap((register, i) => {
      const from = ARGUMENTS[i] ?? STACK + this.#frame / 4 + i - ARGUMENTS.length;
      return register < 0 ? [] : this.#into(register, position + 1, from);
    });
    this.#put(moves, at);
  }

  #saved(visit: (register: number, offset: number) => void): void {
    let offset = this.#frame;
    for (const register of this.#savesRa ? [RA, ...this.#allocation.saved] : this.#allocation.saved) {
      offset -= 4;
      visit(register, offset);
    }
  }

  #call(instruction: Instruction): void {
    const { callee, position, defs, at } = instruction;
    if (callee === undefined) return;
    const inline = this.#to.inline(callee);
    const [into, out] = inline === undefined ? [ARGUMENTS, RESULTS] : [inline.arguments, inline.results];
    const reads = this.#pass(instruction, into) | bit(SP) | bit(GP) | bit(FUEL);
    const options = { reads, writes: LOST_MASK, at };
    if (inline !== undefined) this.#inline(inline, options);
    else if (callee.kind === 'address') this.#emit('jalr', [RA, T9], options);
    else this.#emit('jal', [], { ...options, symbol: this.#to.symbol(callee) });
    const results = defs.flatMap((register, i) => {
      const from = out[i] ?? STACK + i - out.length;
      return register < 0 ? [] : this.#into(register, position + 3, from);
    });
    // Results leave their registers while other values may come into them.
    this.#put([...results, ...(this.#moves.get(position + 2) ?? [])], at);
  }

  /** Puts the arguments and the address of a call where they belong. Gives the registers of the arguments. */
  #pass({ callee, sources, a, position, at }: Instruction, into: readonly number[]): number {
    const moves: Move[] = sources.map((source, i) => ({
      to: into[i] ?? STACK + i - into.length,
      from: this.#source(source, position),
    }));
    if (callee?.kind === 'address') moves.push({ to: T9, from: this.#from(a, position) });
    this.#put(moves, at);
    return sources.slice(0, into.length).reduce((mask, _, i) => mask | bit(into[i]), 0);
  }

  /** The callee finds what our caller left, but for the arguments, and returns to it. */
  #tail(instruction: Instruction): void {
    const { callee, at } = instruction;
    if (callee === undefined) return;
    const reads = this.#pass(instruction, ARGUMENTS) | KEPT_MASK | bit(RA);
    this.#leaveFrame(at);
    const jump =
      callee.kind === 'address'
        ? line('jr', [T9], { reads, at })
        : line('j', [], { reads, at, symbol: this.#to.symbol(callee) });
    this.#lines.push({ ...jump, flow: 'return' });
  }

  /** What is written in line; a system call among it reads the arguments and loses what a call loses. */
  #inline(
    { lines }: Extract<ImportCode, { kind: 'inline' }>,
    options: { readonly reads: number; readonly writes: number; readonly at: number },
  ): void {
    for (const { mnemonic, operands } of lines) {
      const isCall = mnemonic === 'syscall';
      // The kernel keeps ra.
      const effects = isCall ? { reads: options.reads | bit(V0), writes: options.writes & ~bit(RA) } : {};
      this.#emit(mnemonic, operands, { ...effects, at: options.at });
    }
  }

  #return({ sources, position, at }: Instruction): void {
    const moves = sources.map((source, i) => ({
      to: RESULTS[i] ?? STACK + this.#frame / 4 + i - RESULTS.length,
      from: this.#source(source, position),
    }));
    this.#put(moves, at);
    this.#leaveFrame(at);
    const results = sources.slice(0, RESULTS.length).reduce((mask, _, i) => mask | bit(RESULTS[i]), 0);
    this.#lines.push(...this.#to.beforeReturn);
    this.#emit('jr', [RA], { reads: results | this.#to.returned, at });
  }

  #leaveFrame(at: number): void {
    this.#saved((register, offset) => {
      this.#emit('lw', [register, offset, SP], { at });
    });
    if (this.#frame > 0) this.#emit('addiu', [SP, SP, this.#frame], { at });
  }

  #switch(instruction: Instruction, block: Block, machine: MachineBlock): void {
    if (block.end.kind !== 'switch') return;
    const { position, at } = instruction;
    const value = this.#register(instruction.a, position);
    const targets = block.successors.map((successor) => this.#blocks[successor.order] as MachineBlock);
    const otherwise = targets.at(-1) as MachineBlock;
    const { cases, table } = block.end;
    if (table === undefined) {
      const pairs = cases.flatMap((values, i) => values.map((one) => [one, targets[i] as MachineBlock] as const));
      pairs.sort(([a], [b]) => a - b);
      search(value, pairs, { lines: this.#lines, otherwise, at, part: () => this.#extra(otherwise) });
      machine.next = otherwise;
      return;
    }
    if (table.isTested) {
      const size = table.successors.length;
      this.#lines.push(
        ...(size <= 0x7fff
          ? [line('sltiu', [AT, value, size], { at })]
          : [...load32(AT, size, at), line('sltu', [AT, value, AT], { at })]),
      );
      this.#emitBranch('eq', [AT, ZERO], otherwise, at);
    }
    machine.table = table.successors.map((successor) => targets[successor] as MachineBlock);
    this.#emit('lui', [AT], { symbol: TABLE_HIGH, at });
    this.#emit('addu', [AT, AT, this.#register(instruction.b, position)], { at });
    this.#emit('lw', [AT, 0, AT], { symbol: TABLE_LOW, at });
    this.#lines.push({ ...line('jr', [AT], { at }), flow: 'jump' });
  }

  /** One more block, behind the present one. */
  #extra(next: MachineBlock): MachineBlock {
    const present = this.#blocks[this.#at] as MachineBlock;
    const block = new MachineBlock(present.id, present.section, present.depth);
    block.next = next;
    const list = this.#extras.get(this.#at);
    if (list === undefined) this.#extras.set(this.#at, [block]);
    else list.push(block);
    return block;
  }
}

function remade(node: Node): Move['from'] {
  return node.op === 'const' ? { constant: node.value } : { field: node.value };
}

function outgoingWords({ sources, defs }: Instruction): number {
  return Math.max(0, sources.length - ARGUMENTS.length, defs.length - RESULTS.length);
}
