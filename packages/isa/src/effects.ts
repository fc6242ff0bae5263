/**
 * What an instruction word reads, loads and does to control flow, as register bit sets; derived from the table.
 *
 * For hazard checks and for translators. `loads` are the registers that have their new value only after the next
 * instruction (loads and moves from coprocessors) [KANE92 §1, load delay].
 */
import { decode, operandKinds } from './codec.ts';
import type { Mnemonic } from './instructions.ts';

/** What one instruction word does to registers and control flow. */
export interface Effects {
  /** Bit n: general register n is read. */
  readonly reads: number;
  /** Bit n: general register n is written. */
  readonly writes: number;
  /** Bit n: general register n is written one instruction late. */
  readonly loads: number;
  /** The next word is a delay slot. */
  readonly branches: boolean;
}

const NONE: Effects = { reads: 0, writes: 0, loads: 0, branches: false };
const JUMPS: ReadonlySet<string> = new Set(['j', 'jal', 'jr', 'jalr']);
const LINKS: ReadonlySet<string> = new Set(['jal', 'bltzal', 'bgezal']);

/** The effects of one word; a word that is no instruction has none. */
export function effects(word: number): Effects {
  const instruction = decode(word);
  if (instruction === undefined) return NONE;
  const { mnemonic, operands } = instruction;
  const kinds = operandKinds(mnemonic);
  const isStore = /^s(b|h|w|wl|wr)$/.test(mnemonic);
  const isMoveTo = /^(mt|ct)c[0-3]$/.test(mnemonic);
  const isLoad = /^l(b|bu|h|hu|w|wl|wr)$/.test(mnemonic);
  const isMoveFrom = /^(mf|cf)c[0-3]$/.test(mnemonic);
  const isBranch = kinds.includes('branch');
  const rtIsSource = isStore || isMoveTo || isBranch || kinds.includes('rd') || /^(mult|div)u?$/.test(mnemonic);
  let reads = 0;
  let writes = LINKS.has(mnemonic) ? 1 << 31 : 0;
  kinds.forEach((kind, i) => {
    const bit = 1 << (operands[i] ?? 0);
    if (kind === 'rs' || kind === 'base') reads |= bit;
    else if (kind === 'rd') writes |= bit;
    else if (kind === 'rt' && !isCoprocessorTransfer(mnemonic)) {
      if (rtIsSource) reads |= bit;
      else writes |= bit;
      if (/^lw[lr]$/.test(mnemonic)) reads |= bit;
    }
  });
  reads &= ~1;
  writes &= ~1;
  const loads = isLoad || isMoveFrom ? writes : 0;
  // lwl and lwr of one register may follow each other: the second merges into the first [KANE92 app. A, LWL].
  if (/^lw[lr]$/.test(mnemonic)) reads &= ~writes | (1 << (operands[2] ?? 0));
  return { reads, writes, loads, branches: isBranch || JUMPS.has(mnemonic) };
}

function isCoprocessorTransfer(mnemonic: Mnemonic): boolean {
  return /^[ls]wc[1-3]$/.test(mnemonic);
}

/** Where a branch goes. */
export interface ControlFlow {
  /** The target address; `undefined` for a jump through a register and for what is no branch. */
  readonly target: number | undefined;
  /** Control never falls through to the word after the delay slot. */
  readonly always: boolean;
}

/** The control flow of the word at `pc`; a word that does not branch falls through. */
export function controlFlow(word: number, pc: number): ControlFlow {
  const instruction = decode(word);
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
