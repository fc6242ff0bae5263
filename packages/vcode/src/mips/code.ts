/**
 * Machine code before scheduling: a list of instructions and labels that knows nothing of delay slots.
 *
 * The selector appends in program order as if branches and loads took effect at once; `schedule` then makes it true for
 * the R3000. Registers are bit sets; bit 0, which is never `zero`, stands for HI and LO.
 */
import { RA, type Mnemonic, type Register } from '@exokernel/isa';

/** A place in the list. */
export interface Label {
  readonly kind: 'label';
  readonly name: string;
}

export interface Instruction {
  readonly kind: 'instruction';
  readonly mnemonic: Mnemonic;
  /** Registers and immediates in assembly order, without the branch target. */
  readonly operands: readonly number[];
  readonly target: Label | undefined;
  readonly reads: number;
  readonly writes: number;
  readonly flow: 'next' | 'branch' | 'jump' | 'return';
  readonly memory: 'none' | 'load' | 'store';
  /** A branch that decides whether later loads are inside their region: no load may move before its decision. */
  readonly guard: boolean;
  /** The immediate (or the pair of them) is the section's cost, known only at the end. */
  readonly charge: 'none' | 'whole' | 'high' | 'low';
  /** The fuel section that pays for it. Sections begin and end at labels, which no instruction passes. */
  readonly section: number;
  /** What executes in the delay slot; nothing yet if undefined. */
  slot: Instruction | undefined;
}

export type Item = Instruction | Label;

export const HI_LO = 1;

type Form =
  | 'three'
  | 'shift'
  | 'immediate'
  | 'upper'
  | 'load'
  | 'merge'
  | 'store'
  | 'compare'
  | 'test'
  | 'multiply'
  | 'from'
  | 'return';

/** The instructions that the selector uses, by the roles of their operands. */
const FORMS: Partial<Record<Mnemonic, Form>> = {
  addu: 'three',
  subu: 'three',
  and: 'three',
  or: 'three',
  xor: 'three',
  slt: 'three',
  sltu: 'three',
  sllv: 'three',
  srlv: 'three',
  srav: 'three',
  sll: 'shift',
  srl: 'shift',
  sra: 'shift',
  addiu: 'immediate',
  slti: 'immediate',
  sltiu: 'immediate',
  andi: 'immediate',
  ori: 'immediate',
  xori: 'immediate',
  lui: 'upper',
  lw: 'load',
  lhu: 'load',
  lbu: 'load',
  lwr: 'load',
  lwl: 'merge',
  sw: 'store',
  sh: 'store',
  sb: 'store',
  swl: 'store',
  swr: 'store',
  beq: 'compare',
  bne: 'compare',
  blez: 'test',
  bgtz: 'test',
  bltz: 'test',
  bgez: 'test',
  multu: 'multiply',
  divu: 'multiply',
  mflo: 'from',
  mfhi: 'from',
  jr: 'return',
};

const bit = (register: number | undefined): number => (register === undefined || register === 0 ? 0 : 1 << register);

function effects(form: Form, [a, b, c]: readonly number[]): { reads: number; writes: number } {
  switch (form) {
    case 'three':
      return { reads: bit(b) | bit(c), writes: bit(a) };
    case 'shift':
    case 'immediate':
      return { reads: bit(b), writes: bit(a) };
    case 'upper':
      return { reads: 0, writes: bit(a) };
    case 'load':
      return { reads: bit(c), writes: bit(a) };
    case 'merge':
      return { reads: bit(c) | bit(a), writes: bit(a) };
    case 'store':
      return { reads: bit(a) | bit(c), writes: 0 };
    case 'compare':
      return { reads: bit(a) | bit(b), writes: 0 };
    case 'test':
      return { reads: bit(a), writes: 0 };
    case 'multiply':
      return { reads: bit(a) | bit(b), writes: HI_LO };
    case 'from':
      return { reads: HI_LO, writes: bit(a) };
    case 'return':
      return { reads: bit(RA), writes: 0 };
  }
}

export interface EmitOptions {
  readonly target?: Label;
  readonly guard?: boolean;
  readonly charge?: Instruction['charge'];
  readonly slot?: Instruction;
}

/** The list under construction. */
export class MipsCode {
  readonly items: Item[] = [];
  readonly #limit: number;
  readonly #overflow: () => never;
  #labels = 0;
  /** How many labels are placed: equal numbers mean that control can only have come straight from there. */
  blocks = 0;
  /** The section that pays for what is appended next. */
  section = 0;

  /** Calls `overflow`, which throws, when more than `limit` instructions are appended. */
  constructor(limit: number, overflow: () => never) {
    this.#limit = limit;
    this.#overflow = overflow;
  }

  /** A new label, not placed yet. */
  label(name: string): Label {
    this.#labels += 1;
    return { kind: 'label', name: `${name}.${this.#labels}` };
  }

  place(label: Label): void {
    this.blocks += 1;
    this.items.push(label);
  }

  /** Appends one instruction. */
  emit(mnemonic: Mnemonic, operands: readonly number[], options: EmitOptions = {}): void {
    if (this.items.length >= this.#limit) this.#overflow();
    this.items.push(this.instruction(mnemonic, operands, options));
  }

  /** Makes an instruction without appending it: for a delay slot that the selector fills itself. */
  instruction(mnemonic: Mnemonic, operands: readonly number[], options: EmitOptions = {}): Instruction {
    const form = FORMS[mnemonic] ?? 'three';
    const always = mnemonic === 'beq' && operands[0] === operands[1];
    const branches = form === 'compare' || form === 'test';
    return {
      kind: 'instruction',
      mnemonic,
      operands,
      target: options.target,
      ...effects(form, operands),
      flow: form === 'return' ? 'return' : always ? 'jump' : branches ? 'branch' : 'next',
      memory: form === 'load' || form === 'merge' ? 'load' : form === 'store' ? 'store' : 'none',
      guard: options.guard ?? false,
      charge: options.charge ?? 'none',
      section: this.section,
      slot: options.slot,
    };
  }

  /** `rd = rs`; nothing if they are the same. */
  move(rd: Register, rs: Register): void {
    if (rd !== rs) this.emit('addu', [rd, rs, 0]);
  }

  /** `rt = value`, in one instruction where one is enough. */
  li(rt: Register, value: number): void {
    const v = value | 0;
    if (v >= -0x8000 && v <= 0x7fff) this.emit('addiu', [rt, 0, v]);
    else if (v >>> 16 === 0) this.emit('ori', [rt, 0, v]);
    else {
      this.emit('lui', [rt, v >>> 16]);
      if ((v & 0xffff) !== 0) this.emit('ori', [rt, rt, v & 0xffff]);
    }
  }

  jump(target: Label): void {
    this.emit('beq', [0, 0], { target });
  }
}
