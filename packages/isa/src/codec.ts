/**
 * Encoding and decoding of single instruction words, both derived from the instruction tables.
 *
 * `decode(encode(i))` is `i` for every instruction with operands in range; a word that no row matches decodes to
 * `undefined` (the CPU raises Reserved Instruction for it). So does one whose operands contradict each other: a bit field
 * beyond the word, an `rd2` that differs in its two fields. Instructions of an extension exist only for a caller that names
 * it. Branch and jump operands are the raw fields here: the assembler turns labels into fields, the disassembler turns
 * fields into addresses.
 *
 * Assumption: the manual leaves those contradictions UNPREDICTABLE [MIPS32 ch. 3, EXT, INS, CLZ].
 */
import {
  EXTENSIONS,
  INSTRUCTIONS,
  OPERAND_FIELDS,
  type Extension,
  type InstructionRow,
  type Mnemonic,
  type OperandKind,
  type Trait,
} from './instructions.ts';
import { IsaError } from './error.ts';

/** One decoded instruction. `operands` are in the row's order; signed fields are sign-extended. */
export interface Instruction {
  readonly mnemonic: Mnemonic;
  readonly operands: readonly number[];
}

/** One operand of a row. */
export interface Operand {
  readonly kind: OperandKind;
  /** A register that the instruction reads, or a number. */
  readonly isRead: boolean;
  readonly isWritten: boolean;
}

/** A row as the functions of this package use it. */
export interface Row {
  readonly mnemonic: Mnemonic;
  /** Undefined for MIPS I. */
  readonly extension: Extension | undefined;
  readonly operands: readonly Operand[];
  readonly match: number;
  readonly mask: number;
  readonly traits: ReadonlySet<Trait>;
}

const NO_EXTENSIONS: readonly Extension[] = [];

const SIGNED: ReadonlySet<OperandKind> = new Set<OperandKind>(['imm', 'offset', 'branch']);

/** The field in which `rd2` stands once more, and that of the position from which `size` and `last` count. */
const TWIN = OPERAND_FIELDS.rt;
const POSITION = OPERAND_FIELDS.pos;

function rowsOf(table: Readonly<Record<string, InstructionRow>>, extension?: Extension): Row[] {
  return Object.entries(table).map(([mnemonic, [operands, match, mask, traits]]) => ({
    mnemonic: mnemonic as Mnemonic,
    extension,
    operands: operands === '' ? [] : operands.split(',').map(parseOperand),
    match: match | 0,
    mask: mask | 0,
    traits: new Set(traits?.split(' ') as Trait[] | undefined),
  }));
}

function parseOperand(text: string): Operand {
  return {
    kind: text.replace(/^[=+]/, '') as OperandKind,
    isRead: !text.startsWith('='),
    isWritten: /^[=+]/.test(text),
  };
}

const ROWS: readonly Row[] = [
  ...rowsOf(INSTRUCTIONS),
  ...(Object.keys(EXTENSIONS) as Extension[]).flatMap((name) => rowsOf(EXTENSIONS[name], name)),
];

const BY_MNEMONIC: ReadonlyMap<string, Row> = new Map(ROWS.map((row) => [row.mnemonic, row]));

/** Rows by primary opcode, so that decoding looks at a handful. */
const BY_OPCODE: readonly (readonly Row[])[] = Array.from({ length: 64 }, (_, opcode) =>
  ROWS.filter((row) => row.match >>> 26 === opcode),
);

/** The row of a mnemonic. Throws `IsaError` `unknown-instruction`. */
export function rowOf(mnemonic: string): Row {
  const row = BY_MNEMONIC.get(mnemonic);
  if (row === undefined) throw new IsaError('unknown-instruction', `no instruction ${mnemonic}`, { mnemonic });
  return row;
}

/** The operands of an instruction, in assembly order. Throws `IsaError` `unknown-instruction`. */
export function operandsOf(mnemonic: Mnemonic): readonly Operand[] {
  return rowOf(mnemonic).operands;
}

/** Their kinds alone. Throws `IsaError` `unknown-instruction`. */
export function operandKinds(mnemonic: Mnemonic): readonly OperandKind[] {
  return rowOf(mnemonic).operands.map(({ kind }) => kind);
}

/** Decodes one 32-bit word; `undefined` if it is no instruction of MIPS I or of the extensions named. */
export function decode(word: number, extensions: readonly Extension[] = NO_EXTENSIONS): Instruction | undefined {
  for (const { mnemonic, extension, match, mask, operands } of BY_OPCODE[word >>> 26] ?? []) {
    if ((word & mask) !== match) continue;
    if (extension !== undefined && !extensions.includes(extension)) continue;
    const values = operands.map(({ kind }) => operandOf(word, kind));
    if (values.every((value) => value !== undefined)) return { mnemonic, operands: values };
  }
  return undefined;
}

/**
 * Encodes one instruction as an unsigned 32-bit word. Throws `IsaError` `operand-count`, `operand-range`,
 * `unknown-instruction`, or `extension` for one of an extension that is not named.
 */
export function encode({ mnemonic, operands }: Instruction, extensions: readonly Extension[] = NO_EXTENSIONS): number {
  const row = rowOf(mnemonic);
  if (row.extension !== undefined && !extensions.includes(row.extension)) {
    throw new IsaError('extension', `${mnemonic} belongs to the extension ${row.extension}: name it to use it`, {
      mnemonic,
      extension: row.extension,
    });
  }
  if (operands.length !== row.operands.length) {
    throw new IsaError('operand-count', `${mnemonic} takes ${row.operands.length} operands, not ${operands.length}`, {
      mnemonic,
    });
  }
  let word = row.match;
  for (let i = 0; i < operands.length; i += 1) {
    const { kind } = row.operands[i] as Operand;
    const value = operands[i] as number;
    const [low, high] = limits(kind, word);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new IsaError('operand-range', `${mnemonic}: ${kind} is ${value}, must be ${low} to ${high}`, {
        mnemonic,
        kind,
        value,
      });
    }
    word |= insert(word, kind, value);
  }
  return word >>> 0;
}

/** The least and the greatest value of each kind of operand, if no other operand matters: made once, for code is encoded at run time. */
const LIMITS = Object.fromEntries(
  (Object.keys(OPERAND_FIELDS) as OperandKind[]).map((kind) => {
    const { bits } = OPERAND_FIELDS[kind];
    const low = SIGNED.has(kind) ? -(2 ** (bits - 1)) : 0;
    return [kind, [low, low + 2 ** bits - 1] as const];
  }),
) as Readonly<Record<OperandKind, readonly [number, number]>>;

/** The least and the greatest value of an operand; `word` has the operands before it. */
function limits(kind: OperandKind, word: number): readonly [number, number] {
  return kind === 'size' || kind === 'last' ? [1, 32 - field(word, POSITION)] : LIMITS[kind];
}

/** The bits of `word` that an operand in range sets. */
function insert(word: number, kind: OperandKind, value: number): number {
  const { shift, bits } = OPERAND_FIELDS[kind];
  switch (kind) {
    case 'rd2':
      return (value << shift) | (value << TWIN.shift);
    case 'size':
      return (value - 1) << shift;
    case 'last':
      return (field(word, POSITION) + value - 1) << shift;
    default:
      return (value & ((1 << bits) - 1)) << shift;
  }
}

/** The operand of that kind in `word`; undefined if its fields contradict each other. */
export function operandOf(word: number, kind: OperandKind): number | undefined {
  const { bits } = OPERAND_FIELDS[kind];
  const value = field(word, OPERAND_FIELDS[kind]);
  switch (kind) {
    case 'rd2':
      return value === field(word, TWIN) ? value : undefined;
    case 'size':
      return field(word, POSITION) + value < 32 ? value + 1 : undefined;
    case 'last': {
      const size = value - field(word, POSITION) + 1;
      return size >= 1 ? size : undefined;
    }
    default:
      return SIGNED.has(kind) ? (value << (32 - bits)) >> (32 - bits) : value;
  }
}

function field(word: number, { shift, bits }: { readonly shift: number; readonly bits: number }): number {
  return (word >>> shift) & (2 ** bits - 1);
}
