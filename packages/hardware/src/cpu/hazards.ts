/**
 * The instructions that must not follow a load, because they would see the old value of its register. Registers are numbered as in DELAY_REGISTER: 32 + n is floating-point
 * register n. [KANE92 §1]
 */
import { EXTENSIONS, operandsOf, type InstructionRow, type Mnemonic } from '@exokernel/isa';
import { readsFpu } from './fpu-hazards.ts';

/**
 * Whether the instruction `word` must not see a load of `register` just before it. Naming the register is enough: the
 * slow path it leads to is right for every instruction. `lwl` and `lwr` merge into what is being loaded, and the native
 * unit waits for it. Instructions that read what they write are of extensions; without those they are exceptions, which end the
 * load themselves.
 */
export function isHazard(word: number, register: number): boolean {
  if (register >= 32) return readsFpu(word, register - 32);
  if (word >>> 25 === 0x25) return false;
  if (((word >>> 21) & 31) === register) return true;
  if (((word >>> 16) & 31) === register) return word >>> 26 !== 0x22 && word >>> 26 !== 0x26;
  return ((word >>> 11) & 31) === register && readsDestination(word);
}

/** The rows of instructions that read the register in the field of rd. */
const READ_RD: readonly InstructionRow[] = Object.values(EXTENSIONS).flatMap((table) =>
  Object.entries(table)
    .filter(([mnemonic]) => operandsOf(mnemonic as Mnemonic).some(({ kind, isRead }) => kind === 'rd' && isRead))
    .map(([, row]) => row),
);

function readsDestination(word: number): boolean {
  return READ_RD.some(([, match, mask]) => ((word ^ match) & mask) === 0);
}
