/**
 * Which instruction a word is for the CPU: an R3000 looks at fewer bits than `decode` of `isa`, and ignores those that the
 * manual wants to be zero. Instructions of the machine's extensions come first, and are as the tables have them.
 */
import { decode, EXTENSIONS, INSTRUCTIONS, type Extension, type Mnemonic } from '@exokernel/isa';

/** Where coprocessor operations and what the R3000 reserves have their place: there is no row. */
const NONE = 255;

/**
 * One number for the bits that the R3000 decodes: the opcode, the function of SPECIAL, the kind of REGIMM, or the number of a
 * coprocessor and its transfer.
 */
function decodedBits(word: number): number {
  const opcode = word >>> 26;
  if (opcode === 0) return 64 + (word & 63);
  if (opcode === 1) return 128 + ((word >>> 16) & 31);
  if (opcode >> 2 !== 4) return opcode;
  return (word & 0x2000000) === 0 ? 160 + ((opcode & 3) << 4) + ((word >>> 21) & 15) : NONE;
}

const ROWS: (Mnemonic | undefined)[] = Array.from({ length: 256 }, () => undefined);
for (const [mnemonic, [, match]] of Object.entries(INSTRUCTIONS)) ROWS[decodedBits(match)] = mnemonic as Mnemonic;
ROWS[NONE] = undefined;

/** Opcodes that an extension has instructions of. */
const OPCODES: ReadonlySet<number> = new Set(
  Object.values(EXTENSIONS).flatMap((table) => Object.values(table).map(([, match]) => match >>> 26)),
);

/** The instruction that `word` is to a CPU with these extensions. Operations of coprocessors and reserved words are none. */
export function identify(word: number, extensions: readonly Extension[]): Mnemonic | undefined {
  if (extensions.length > 0 && OPCODES.has(word >>> 26)) {
    const mnemonic = decode(word, extensions)?.mnemonic;
    if (mnemonic !== undefined) return mnemonic;
  }
  return ROWS[decodedBits(word)];
}
