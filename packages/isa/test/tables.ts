/** All rows of the tables, and operands for them. */
import fc from 'fast-check';
import {
  EXTENSIONS,
  INSTRUCTIONS,
  OPERAND_FIELDS,
  operandKinds,
  type Extension,
  type InstructionRow,
  type Mnemonic,
  type OperandKind,
} from '../src/index.ts';

/** Every extension there is. */
export const ALL = Object.keys(EXTENSIONS) as Extension[];

/** The rows of MIPS I and of every extension. */
export const ROWS: Readonly<Record<Mnemonic, InstructionRow>> = Object.assign(
  {},
  INSTRUCTIONS,
  ...Object.values(EXTENSIONS),
) as Record<Mnemonic, InstructionRow>;

export const MNEMONICS = Object.keys(ROWS) as Mnemonic[];

const SIGNED = new Set<OperandKind>(['imm', 'offset', 'branch']);

/** What an operand may be; `pos` is where a bit field begins. */
export function limits(kind: OperandKind, pos = 0): [number, number] {
  if (kind === 'size' || kind === 'last') return [1, 32 - pos];
  const { bits } = OPERAND_FIELDS[kind];
  return SIGNED.has(kind) ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

/** Operands in range for an instruction. */
export function operandsFor(mnemonic: Mnemonic): fc.Arbitrary<number[]> {
  return fc.integer({ min: 0, max: 31 }).chain((pos) =>
    fc.tuple(
      ...operandKinds(mnemonic).map((kind) => {
        const [min, max] = limits(kind, pos);
        return kind === 'pos' ? fc.constant(pos) : fc.integer({ min, max });
      }),
    ),
  );
}
