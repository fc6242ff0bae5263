/**
 * Encoding and decoding of single instruction words, both derived from the instruction table.
 *
 * `decode(encode(i))` is `i` for every instruction with operands in range; a word that no row matches decodes to
 * `undefined` (the CPU raises Reserved Instruction for it). Branch and jump operands are the raw fields here: the
 * assembler turns labels into fields, the disassembler turns fields into addresses.
 */
import { INSTRUCTIONS, OPERAND_FIELDS, type Mnemonic, type OperandKind } from './instructions.ts';
import { IsaError } from './error.ts';

/** One decoded instruction. `operands` are in the row's order; signed fields are sign-extended. */
export interface Instruction {
  readonly mnemonic: Mnemonic;
  readonly operands: readonly number[];
}

interface Row {
  readonly mnemonic: Mnemonic;
  readonly kinds: readonly OperandKind[];
  readonly match: number;
  readonly mask: number;
}

const SIGNED: ReadonlySet<OperandKind> = new Set<OperandKind>(['imm', 'offset', 'branch']);

const ROWS: readonly Row[] = (Object.keys(INSTRUCTIONS) as Mnemonic[]).map((mnemonic) => {
  const [operands, match, mask] = INSTRUCTIONS[mnemonic];
  const kinds = operands === '' ? [] : (operands.split(',') as OperandKind[]);
  return { mnemonic, kinds, match: match | 0, mask: mask | 0 };
});

const BY_MNEMONIC: ReadonlyMap<string, Row> = new Map(ROWS.map((row) => [row.mnemonic, row]));

/** Rows by primary opcode, so that decoding looks at a handful. */
const BY_OPCODE: readonly (readonly Row[])[] = Array.from({ length: 64 }, (_, opcode) =>
  ROWS.filter((row) => row.match >>> 26 === opcode),
);

/** The operand kinds of an instruction, in assembly order. */
export function operandKinds(mnemonic: Mnemonic): readonly OperandKind[] {
  return rowOf(mnemonic).kinds;
}

/** Decodes one 32-bit word; `undefined` if it is no instruction of the table. */
export function decode(word: number): Instruction | undefined {
  for (const row of BY_OPCODE[word >>> 26] ?? []) {
    if ((word & row.mask) !== row.match) continue;
    return { mnemonic: row.mnemonic, operands: row.kinds.map((kind) => extract(word, kind)) };
  }
  return undefined;
}

/** Encodes one instruction as an unsigned 32-bit word. Throws `IsaError` `operand-count` or `operand-range`. */
export function encode({ mnemonic, operands }: Instruction): number {
  const row = rowOf(mnemonic);
  if (operands.length !== row.kinds.length) {
    throw new IsaError('operand-count', `${mnemonic} takes ${row.kinds.length} operands, not ${operands.length}`, {
      mnemonic,
    });
  }
  let word = row.match;
  row.kinds.forEach((kind, i) => {
    const value = operands[i] ?? 0;
    const { shift, bits } = OPERAND_FIELDS[kind];
    const low = SIGNED.has(kind) ? -(2 ** (bits - 1)) : 0;
    const high = low + 2 ** bits - 1;
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new IsaError('operand-range', `${mnemonic}: ${kind} is ${value}, must be ${low} to ${high}`, {
        mnemonic,
        kind,
        value,
      });
    }
    word |= (value & (2 ** bits - 1)) << shift;
  });
  return word >>> 0;
}

function extract(word: number, kind: OperandKind): number {
  const { shift, bits } = OPERAND_FIELDS[kind];
  const value = (word >>> shift) & (2 ** bits - 1);
  return SIGNED.has(kind) ? (value << (32 - bits)) >> (32 - bits) : value;
}

function rowOf(mnemonic: string): Row {
  const row = BY_MNEMONIC.get(mnemonic);
  if (row === undefined) throw new IsaError('unknown-instruction', `no instruction ${mnemonic}`, { mnemonic });
  return row;
}
