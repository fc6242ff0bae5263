/**
 * Machine instructions with registers, in blocks, before their delay slots are filled.
 *
 * Branches and loads act as if they took effect at once; `schedule` makes it true. Registers are bit sets; bit 0, which is never
 * `zero`, stands for HI and LO.
 */
import { A0, A1, A2, A3, FP, RA, SP, V0, V1, type Mnemonic, type Register } from '@exokernel/isa';

export const HI_LO = 1;

/** One instruction. */
export interface Line {
  readonly mnemonic: Mnemonic;
  /** Registers and immediates in assembly order, without a target. */
  readonly operands: readonly number[];
  readonly reads: number;
  readonly writes: number;
  readonly memory: 'none' | 'load' | 'store' | 'all';
  /** An access that no other passes. */
  readonly isOrdered: boolean;
  /** Of a load: it may be made whether its value is needed or not. Of a branch: so may the loads on its ways. */
  readonly mayRead: boolean;
  readonly flow: 'next' | 'branch' | 'jump' | 'call' | 'return';
  /** Where a branch or jump goes. */
  readonly target: MachineBlock | undefined;
  /** What a `jal` calls, or what an address is of: resolved when everything has its place. */
  readonly symbol: string | undefined;
  /** The immediate is this section's cost, negative. */
  readonly charge: number;
  /** A position in the source, or -1. */
  readonly at: number;
}

/** Lines that are executed in a row. */
export class MachineBlock {
  readonly id: number;
  lines: Line[] = [];
  /** Where control goes when the lines are through; none after a return or a trap. */
  next: MachineBlock | undefined;
  /** The fuel section that pays for it. */
  readonly section: number;
  readonly depth: number;
  /** Registers that are needed at its beginning. */
  liveIn = 0;
  /** The targets of a jump through a table. */
  table: readonly MachineBlock[] = [];
  /** The place in the order of blocks; beyond all others while it has none. */
  index = 0x7fffffff;
  /** How many ways lead here; into the first block, one more. */
  predecessors = 0;

  constructor(id: number, section: number, depth: number) {
    this.id = id;
    this.section = section;
    this.depth = depth;
  }
}

type Form =
  | 'three'
  | 'immediate'
  | 'upper'
  | 'load'
  | 'merge'
  | 'store'
  | 'compare'
  | 'test'
  | 'multiply'
  | 'from'
  | 'register'
  | 'call'
  | 'trap';

/** The instructions that are used, by the roles of their operands. */
const FORMS: Partial<Record<Mnemonic, Form>> = {
  addu: 'three',
  subu: 'three',
  and: 'three',
  or: 'three',
  xor: 'three',
  nor: 'three',
  slt: 'three',
  sltu: 'three',
  sllv: 'three',
  srlv: 'three',
  srav: 'three',
  sll: 'immediate',
  srl: 'immediate',
  sra: 'immediate',
  addiu: 'immediate',
  slti: 'immediate',
  sltiu: 'immediate',
  andi: 'immediate',
  ori: 'immediate',
  xori: 'immediate',
  lui: 'upper',
  lw: 'load',
  lh: 'load',
  lhu: 'load',
  lb: 'load',
  lbu: 'load',
  lwr: 'merge',
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
  mult: 'multiply',
  multu: 'multiply',
  div: 'multiply',
  divu: 'multiply',
  mflo: 'from',
  mfhi: 'from',
  jr: 'register',
  jalr: 'call',
  jal: 'call',
  j: 'trap',
  break: 'trap',
  syscall: 'trap',
};

export const bit = (register: number | undefined): number =>
  register === undefined || register === 0 ? 0 : 1 << register;

/** What a mnemonic says of a line, whatever its operands. */
interface Kind {
  readonly form: Form;
  readonly memory: Line['memory'];
  readonly flow: Line['flow'];
}

const KINDS: ReadonlyMap<Mnemonic, Kind> = new Map(
  (Object.keys(FORMS) as Mnemonic[]).map((mnemonic) => {
    const form = FORMS[mnemonic] ?? 'three';
    return [mnemonic, { form, memory: memoryOf(mnemonic, form), flow: flowOf(mnemonic, form) }];
  }),
);

function memoryOf(mnemonic: Mnemonic, form: Form): Line['memory'] {
  if (form === 'load' || form === 'merge') return 'load';
  if (form === 'store') return 'store';
  return form === 'call' || mnemonic === 'syscall' ? 'all' : 'none';
}

function flowOf(mnemonic: Mnemonic, form: Form): Line['flow'] {
  if (form === 'call') return 'call';
  if (form === 'register') return 'return';
  if (mnemonic === 'j') return 'jump';
  return form === 'compare' || form === 'test' ? 'branch' : 'next';
}

function readsOf(form: Form, operands: readonly number[]): number {
  switch (form) {
    case 'three':
      return bit(operands[1]) | bit(operands[2]);
    case 'immediate':
    case 'call':
      // jalr names the link register first.
      return bit(operands[1]);
    case 'load':
      return bit(operands[2]);
    case 'merge':
    case 'store':
      return bit(operands[0]) | bit(operands[2]);
    case 'compare':
    case 'multiply':
      return bit(operands[0]) | bit(operands[1]);
    case 'test':
    case 'register':
      return bit(operands[0]);
    case 'from':
      return HI_LO;
    case 'upper':
    case 'trap':
      return 0;
  }
}

function writesOf(form: Form, operands: readonly number[]): number {
  switch (form) {
    case 'three':
    case 'immediate':
    case 'upper':
    case 'load':
    case 'merge':
    case 'from':
      return bit(operands[0]);
    case 'multiply':
      return HI_LO;
    default:
      return 0;
  }
}

/** What a line may say besides its operands. */
export type LineOptions = Partial<
  Pick<Line, 'target' | 'symbol' | 'charge' | 'at' | 'isOrdered' | 'mayRead'> & {
    readonly reads: number;
    readonly writes: number;
  }
>;

/** Makes a line. */
export function line(mnemonic: Mnemonic, operands: readonly number[], options: LineOptions = {}): Line {
  const { form, memory, flow } = KINDS.get(mnemonic) as Kind;
  const always = mnemonic === 'beq' && operands[0] === operands[1];
  return {
    mnemonic,
    operands,
    reads: readsOf(form, operands) | (options.reads ?? 0),
    writes: writesOf(form, operands) | (options.writes ?? 0),
    memory,
    isOrdered: options.isOrdered ?? false,
    mayRead: options.mayRead ?? false,
    flow: always ? 'jump' : flow,
    target: options.target,
    symbol: options.symbol,
    charge: options.charge ?? 0,
    at: options.at ?? -1,
  };
}

export const NOP: Line = line('sll', [0, 0, 0]);

/** `rd = value`, in one instruction where one is enough. */
export function load32(register: number, value: number, at: number): Line[] {
  const v = value | 0;
  if (v >= -0x8000 && v <= 0x7fff) return [line('addiu', [register, 0, v], { at })];
  if (v >>> 16 === 0) return [line('ori', [register, 0, v], { at })];
  const upper = line('lui', [register, v >>> 16], { at });
  return (v & 0xffff) === 0 ? [upper] : [upper, line('ori', [register, register, v & 0xffff], { at })];
}

/** Registers that carry arguments and results between compiled functions: those of o32, and more. */
export const ARGUMENTS: readonly number[] = [A0, A1, A2, A3, 8, 9, 10, 11];
export const RESULTS: readonly number[] = [V0, V1, A0, A1, A2, A3];
/** Lost in calls. `at` is left out: moves use it. */
export const LOST: readonly number[] = [V0, V1, A0, A1, A2, A3, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25];
/** Holds the fuel in the checked profile. */
export const FUEL: Register = FP;
/** Kept by calls. */
export const KEPT: readonly number[] = [16, 17, 18, 19, 20, 21, 22, 23, FUEL];
export const LOST_MASK: number = LOST.reduce((mask, register) => mask | bit(register), bit(1) | bit(RA) | HI_LO);
export const KEPT_MASK: number = KEPT.reduce((mask, register) => mask | bit(register), bit(SP) | bit(28));
