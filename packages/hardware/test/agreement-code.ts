/**
 * Random code that does the same on every MIPS I, or on every MIPS32, to hold emulators against each other: it takes no exception and shows
 * nothing of where it lies but the low 28 bits of its address.
 *
 * Excluded, and why: uses of a register in the slot after its load (QEMU and GXemul have no load delay); division by zero
 * and of 0x80000000 by -1, `jalr` with one register (undefined); overflow in `add`, `addi` and `sub` (an exception).
 * Included though undefined [KANE92 app. A, MFHI]: a write of hi or lo soon after its read, of which all make the same.
 */
import {
  AT,
  createAssembler,
  FP,
  GP,
  K0,
  K1,
  operandKinds,
  RA,
  SP,
  V0,
  type Assembler,
  type Extension,
  type Mnemonic,
  type Register,
} from '@exokernel/isa';
import { random } from './support.ts';

/**
 * `r1` to `r25` are random code's own. k0 and k1 hold counts and addresses within a block, sp where it returns to; the data
 * is 256 bytes around gp; fp has other bits whenever a block is entered.
 */
export const REGISTERS = 26;

/** Every block begins with its functions and is entered behind them. */
const FUNCTIONS = 4;
const FUNCTION_WORDS = 8;
export const ENTRY_BYTES: number = 4 * FUNCTIONS * FUNCTION_WORDS;
export const BLOCK_WORDS = 560;

const names = (list: string): Mnemonic[] => list.split(' ') as Mnemonic[];
const ALU = names(
  'addu subu and or xor nor slt sltu sll srl sra sllv srlv srav mfhi mflo mthi mtlo mult multu addiu slti sltiu andi ori xori lui',
);
const MIPS32 = names('movz movn mul clz ext ins seb seh');
const TRAPPING = names('add addi sub');
const DIVISIONS = names('div divu');
const LOADS = names('lb lh lwl lw lbu lhu lwr');
const STORES = names('sb sh swl sw swr');
const BRANCHES = names('beq bne blez bgtz bltz bgez');
const LINKING = names('bltzal bgezal');

class Generator {
  readonly #next: () => number;
  readonly #a: Assembler;
  readonly #isExtended: boolean;

  constructor(next: () => number, a: Assembler, isExtended: boolean) {
    this.#next = next;
    this.#a = a;
    this.#isExtended = isExtended;
  }

  #below(n: number): number {
    return this.#next() % n;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #register(): Register {
    return this.#below(REGISTERS) as Register;
  }

  #operand(kind: string): number {
    if (kind === 'imm') return (this.#next() << 16) >> (16 + this.#below(16));
    if (kind === 'uimm') return this.#below(0x10000);
    if (kind === 'sa' || kind === 'pos') return this.#below(32);
    return this.#register();
  }

  #compute(): void {
    const mnemonic = this.#pick(this.#isExtended && this.#below(4) === 0 ? MIPS32 : ALU);
    const operands = operandKinds(mnemonic).map((kind) => this.#operand(kind));
    if (mnemonic === 'ext' || mnemonic === 'ins') operands[3] = 1 + this.#below(32 - (operands[2] ?? 0));
    this.#a.emit(mnemonic, operands);
  }

  #access(mnemonic: Mnemonic): void {
    const size = /h/.test(mnemonic) ? 2 : /^[ls]w$/.test(mnemonic) ? 4 : 1;
    this.#a.emit(mnemonic, [this.#register(), (this.#below(256) - 128) & -size, GP]);
  }

  /** Both halves of an unaligned word, in either order. */
  #unaligned(): void {
    const isLoad = this.#below(2) === 0;
    const register = this.#register();
    const at = this.#below(253) - 128;
    const halves: [Mnemonic, number][] = [
      [isLoad ? 'lwr' : 'swr', at],
      [isLoad ? 'lwl' : 'swl', at + 3],
    ];
    if (this.#below(2) === 0) halves.reverse();
    for (const [mnemonic, offset] of halves) this.#a.emit(mnemonic, [register, offset, GP]);
    if (isLoad) this.#a.nop();
  }

  #divide(): void {
    this.#a.ori(AT, this.#register(), 1);
    this.#a.srl(AT, AT, 1 + this.#below(20));
    this.#a.ori(AT, AT, 1);
    this.#a.emit(this.#pick(DIVISIONS), [this.#register(), AT]);
  }

  /** Fresh bits, or all values would die out in long blocks, and every run would be like the one before. */
  #refresh(): void {
    const rd = this.#register();
    this.#a.emit(this.#pick(['sll', 'srl', 'sra']), [AT, FP, this.#below(32)]);
    this.#a.addiu(AT, AT, (this.#next() << 16) >> 16);
    this.#a.xor(rd, rd, AT);
  }

  /** Sums of numbers of 31 bits do not overflow. */
  #add(): void {
    const mnemonic = this.#pick(TRAPPING);
    this.#a.sra(AT, this.#register(), 1);
    if (mnemonic === 'addi') {
      this.#a.addi(this.#register(), AT, this.#operand('imm'));
      return;
    }
    this.#a.sra(V0, this.#register(), 1);
    this.#a.emit(mnemonic, [this.#register(), ...(this.#below(2) === 0 ? [AT, V0] : [V0, AT])]);
  }

  /** `ll` and `sc`, of one word or of two, with no store between: QEMU looks at the word's value. A trap that is none. */
  #link(): void {
    const at = (this.#below(256) - 128) & -4;
    this.#a.emit('ll', [this.#register(), at, GP]);
    this.#a.nop();
    for (let left = this.#below(3); left > 0; left -= 1) this.#compute();
    this.#a.emit('sc', [this.#register(), this.#below(4) === 0 ? at ^ 4 : at, GP]);
    this.#a.ori(AT, this.#register(), 1);
    this.#a.sll(V0, this.#register(), 1);
    this.#a.emit('teq', [AT, V0, this.#below(1024)]);
    // Of many bits these leave few.
    for (let left = 3; left > 0; left -= 1) this.#refresh();
  }

  /** One operation, without a branch. */
  #simple(): void {
    const kind = this.#below(16);
    if (this.#isExtended && this.#below(16) === 0) this.#link();
    else if (kind === 0) this.#divide();
    else if (kind === 1) this.#add();
    else if (kind < 4) this.#refresh();
    else if (kind === 4) this.#unaligned();
    else if (kind < 7) this.#access(this.#pick(STORES));
    else if (kind < 9) {
      this.#access(this.#pick(LOADS));
      this.#a.nop();
    } else this.#compute();
  }

  #body(most: number): void {
    for (let left = this.#below(most + 1); left > 0; left -= 1) this.#simple();
  }

  /** What a delay slot may hold: anything of one word but a load, whose value would be used too early at the target. */
  #slot(): void {
    if (this.#below(4) === 0) this.#access(this.#pick(STORES));
    else this.#compute();
  }

  /** On to a place a few operations ahead, or not. */
  #forward(): void {
    const on = this.#a.fresh('on');
    if (this.#below(4) === 0) this.#a.j(on);
    else {
      const mnemonic = this.#pick(BRANCHES);
      this.#a.emit(mnemonic, [this.#register(), ...(/eq|ne/.test(mnemonic) ? [this.#register()] : []), on]);
    }
    this.#slot();
    this.#body(2);
    this.#a.label(on);
  }

  /** Up to four rounds; how many may depend on the data. */
  #loop(): void {
    const again = this.#a.fresh('again');
    if (this.#below(2) === 0) this.#a.andi(K0, this.#register(), 3);
    else this.#a.li(K0, 1 + this.#below(3));
    this.#a.label(again);
    this.#body(3);
    if (this.#below(2) === 0) this.#forward();
    this.#a.addiu(K0, K0, -1);
    this.#a.emit(this.#pick(['bgtz', 'bgez']), [K0, again]);
    this.#slot();
  }

  /** Calls one of the block's functions in one of four ways; what comes to see the way back is its low 28 bits. */
  #call(functions: readonly number[]): void {
    const to = this.#pick(functions);
    const kind = this.#below(4);
    if (kind === 0) this.#a.jal(to);
    else if (kind === 1) this.#a.emit(this.#pick(LINKING), [this.#register(), to]);
    else if (kind === 2) this.#a.bal(to);
    else {
      const here = this.#a.fresh('here');
      this.#a.bal(here);
      this.#a.nop();
      this.#a.label(here);
      this.#a.addiu(K1, RA, to - this.#a.here);
      this.#a.jalr(RA, K1);
    }
    this.#slot();
    this.#a.sll(this.#register(), RA, 4);
  }

  /** Ends in `BLOCK_WORDS` words, at the address that it was called from. */
  block(): void {
    const a = this.#a;
    const end = a.here + 4 * BLOCK_WORDS;
    const functions = Array.from({ length: FUNCTIONS }, (_, i) => a.here + 4 * FUNCTION_WORDS * i);
    for (const address of functions) {
      for (let left = 1 + this.#below(FUNCTION_WORDS - 3); left > 0; left -= 1) this.#compute();
      a.ret();
      this.#slot();
      while (a.here < address + 4 * FUNCTION_WORDS) a.nop();
    }
    a.move(SP, RA);
    // The longest of these has less than 40 words, with links in it less than 95.
    while (a.here < end - 4 * (this.#isExtended ? 97 : 42)) {
      const kind = this.#below(20);
      if (kind === 0) this.#loop();
      else if (kind === 1) this.#call(functions);
      else if (kind === 2) this.#forward();
      else this.#simple();
    }
    a.jr(SP);
    this.#slot();
    while (a.here < end) a.nop();
  }
}

/** The words of `count` blocks that lie one behind the other from `origin`, whose upper four bits do not matter. */
export function randomBlocks(
  seed: number,
  count: number,
  origin: number,
  extensions: readonly Extension[],
): Uint32Array {
  const a = createAssembler(origin, extensions);
  const generator = new Generator(random(seed), a, extensions.length > 0);
  for (let i = 0; i < count; i += 1) generator.block();
  return a.assemble().words;
}

/** What `r1` to `r25` hold before each of `count` blocks. */
export function randomSeeds(seed: number, count: number): Uint32Array {
  const next = random(seed);
  return Uint32Array.from({ length: count * (REGISTERS - 1) }, () =>
    next() % 4 === 0 ? (next() << 24) >> 24 : next(),
  );
}
