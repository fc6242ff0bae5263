/**
 * The disassembler: one word to one line, in the operand syntax of GNU objdump, derived from the instruction tables.
 *
 * Every word has a line: one that is no instruction prints as `.word`. Pseudo names (`nop move li b beqz bnez bal`)
 * stand only where the assembler's method of that name would give the same word back, so a line always names exactly
 * one word. The line is for readers; a program that wants the parts calls `decode`.
 *
 * Source: [KANE92 app. A, D].
 */
import { decode, type Instruction, operandKinds } from './codec.ts';
import type { Extension, OperandKind } from './instructions.ts';
import { CP0_NAMES, REGISTER_NAMES } from './registers.ts';

/**
 * One line for a 32-bit word. With `pc` (the address of the word) branch and jump targets are absolute addresses;
 * without it branches print as `.+n` bytes from the word itself and jumps as the low 28 bits. With `symbols` (as in
 * `Assembly`) a target that has a name is followed by `<name>`. Words of an extension print as `.word` unless it is named.
 * Never throws.
 */
export function disassemble(
  word: number,
  pc?: number,
  symbols?: ReadonlyMap<string, number>,
  extensions?: readonly Extension[],
): string {
  const instruction = decode(word, extensions);
  if (instruction === undefined) return `.word 0x${hex8(word)}`;
  const { mnemonic, operands } = pseudo(instruction);
  if (mnemonic === 'syscall' || mnemonic === 'break') return trap(mnemonic, instruction.operands[0] ?? 0);
  // GNU leaves out the code of a conditional trap if it is zero.
  const printed = operands.filter(([kind, value]) => kind !== 'trap' || value !== 0);
  const text = printed.map(([kind, value]) => print(kind, value, pc, symbols));
  // GNU names the destination of a division, which is always zero: two operands are its macro.
  if (mnemonic === 'div' || mnemonic === 'divu') text.unshift('zero');
  // An offset and its base are one operand in the text: 4(a0).
  const base = operands.findIndex(([kind]) => kind === 'base');
  if (base > 0) text.splice(base - 1, 2, `${text[base - 1] ?? ''}(${text[base] ?? ''})`);
  return text.length === 0 ? mnemonic : `${mnemonic} ${text.join(',')}`;
}

interface Line {
  readonly mnemonic: string;
  readonly operands: readonly (readonly [OperandKind, number])[];
}

function pseudo({ mnemonic, operands }: Instruction): Line {
  const [a = 0, b = 0, c = 0] = operands;
  const kinds = operandKinds(mnemonic);
  const line = (name: string, ...keep: number[]): Line => ({
    mnemonic: name,
    operands: keep.map((i) => [kinds[i] ?? 'rd', operands[i] ?? 0] as const),
  });
  switch (mnemonic) {
    case 'sll':
      if (a === 0 && b === 0 && c === 0) return line('nop');
      break;
    case 'addu':
      if (c === 0) return line('move', 0, 1);
      break;
    case 'addiu':
      if (b === 0) return line('li', 0, 2);
      break;
    case 'ori':
      if (b === 0 && c >= 0x8000) return line('li', 0, 2);
      break;
    case 'beq':
      if (a === 0 && b === 0) return line('b', 2);
      if (b === 0) return line('beqz', 0, 2);
      break;
    case 'bne':
      if (b === 0) return line('bnez', 0, 2);
      break;
    case 'bgezal':
      if (a === 0) return line('bal', 1);
      break;
    default:
  }
  return line(mnemonic, ...operands.keys());
}

function print(kind: OperandKind, value: number, pc?: number, symbols?: ReadonlyMap<string, number>): string {
  switch (kind) {
    case 'rd':
    case 'rd2':
    case 'rs':
    case 'rt':
    case 'base':
      return REGISTER_NAMES[value] ?? `$${value}`;
    case 'c0':
      return CP0_NAMES[value] ?? `$${value}`;
    case 'cn':
    case 'ct':
      return `$${value}`;
    case 'fd':
    case 'fs':
    case 'ft':
      return `$f${value}`;
    case 'imm':
    case 'offset':
      return `${value}`;
    case 'sa':
    case 'uimm':
    case 'code':
    case 'trap':
    case 'cofun':
    case 'pos':
    case 'size':
    case 'last':
      return `0x${value.toString(16)}`;
    case 'branch': {
      const bytes = 4 + 4 * value;
      return pc === undefined ? `.${bytes < 0 ? '' : '+'}${bytes}` : place((pc + bytes) >>> 0, symbols);
    }
    case 'jump': {
      const segment = pc === undefined ? 0 : (pc + 4) & 0xf0000000;
      return place((segment | (value << 2)) >>> 0, pc === undefined ? undefined : symbols);
    }
  }
}

function place(address: number, symbols?: ReadonlyMap<string, number>): string {
  for (const [name, at] of symbols ?? []) if (at >>> 0 === address) return `0x${address.toString(16)} <${name}>`;
  return `0x${address.toString(16)}`;
}

/** GNU writes the code of `syscall` as one number and that of `break` as two of ten bits, and leaves out zeros. */
function trap(mnemonic: 'syscall' | 'break', code: number): string {
  if (code === 0) return mnemonic;
  if (mnemonic === 'syscall') return `syscall 0x${code.toString(16)}`;
  const low = code & 0x3ff;
  return `break 0x${(code >>> 10).toString(16)}${low === 0 ? '' : `,0x${low.toString(16)}`}`;
}

function hex8(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
