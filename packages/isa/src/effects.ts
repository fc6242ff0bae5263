/**
 * What an instruction word reads, loads and does to control flow, as register bit sets; derived from the tables.
 *
 * For hazard checks and for translators. `loads` are the registers that have their new value only after the next
 * instruction (loads and moves from coprocessors) [KANE92 §1, load delay].
 */
import { decode, operandKinds, rowOf } from './codec.ts';
import { OPERAND_FIELDS, type Extension, type Mnemonic, type OperandKind } from './instructions.ts';

/** What one instruction word does to general registers and control flow. */
export interface Effects {
  /** Bit n: general register n is read. */
  readonly reads: number;
  /** Bit n: general register n is written. */
  readonly writes: number;
  /** Bit n: general register n is written one instruction late. */
  readonly loads: number;
  /** The next word is a delay slot. */
  readonly branches: boolean;
  /** It branches, and control can come back to behind the slot: a call. */
  readonly calls: boolean;
}

const NONE: Effects = { reads: 0, writes: 0, loads: 0, branches: false, calls: false };
const RA_BIT = 1 << 31;

const GENERAL: ReadonlySet<OperandKind> = new Set<OperandKind>(['rd', 'rd2', 'rs', 'rt', 'base']);

/** The effects of one word; a word that is no instruction of MIPS I or of the extensions named has none. */
export function effects(word: number, extensions?: readonly Extension[]): Effects {
  const instruction = decode(word, extensions);
  return instruction === undefined ? NONE : effectsOf(instruction.mnemonic, word);
}

/** The effects of a word as that instruction, whatever else it may be: bits outside its operands are not looked at. */
export function effectsOf(mnemonic: Mnemonic, word: number): Effects {
  const { operands, traits } = rowOf(mnemonic);
  let reads = 0;
  let writes = 0;
  for (const { kind, isRead, isWritten } of operands) {
    if (!GENERAL.has(kind)) continue;
    const bit = 1 << ((word >>> OPERAND_FIELDS[kind].shift) & 31);
    // lwl and lwr of one register may follow each other: the second merges into the first [KANE92 app. A, LWL].
    if (isRead && !(isWritten && traits.has('merges'))) reads |= bit;
    if (isWritten) writes |= bit;
  }
  const calls = traits.has('calls');
  if (calls && !operands.some(({ isWritten }) => isWritten)) writes |= RA_BIT;
  reads &= ~1;
  writes &= ~1;
  return { reads, writes, loads: traits.has('loads') ? writes : 0, branches: traits.has('branches'), calls };
}

/** Where a branch goes. */
export interface ControlFlow {
  /** The target address; `undefined` for a jump through a register and for what is no branch. */
  readonly target: number | undefined;
  /** Control never falls through to the word after the delay slot. */
  readonly always: boolean;
}

/** The control flow of the word at `pc`; a word that does not branch falls through. */
export function controlFlow(word: number, pc: number, extensions?: readonly Extension[]): ControlFlow {
  const instruction = decode(word, extensions);
  if (instruction === undefined) return { target: undefined, always: false };
  const { mnemonic, operands } = instruction;
  const [a = 0, b = 0, c = 0] = operands;
  switch (mnemonic) {
    case 'j':
    case 'jal':
      return { target: (((pc + 4) & 0xf0000000) | (a << 2)) >>> 0, always: true };
    case 'jr':
    case 'jalr':
      return { target: undefined, always: true };
    case 'beq':
      return { target: (pc + 4 + 4 * c) >>> 0, always: a === b };
    case 'bgez':
    case 'bgezal':
    case 'blez':
      return { target: (pc + 4 + 4 * b) >>> 0, always: a === 0 };
    default: {
      const branch = operandKinds(mnemonic).indexOf('branch');
      if (branch < 0) return { target: undefined, always: false };
      return { target: (pc + 4 + 4 * (operands[branch] ?? 0)) >>> 0, always: false };
    }
  }
}
