/** What code does to registers: fill them all, store them all, compare. */
import { REGISTER_NAMES, ZERO, register, K0, T0, type Assembler, type Register } from '@exokernel/isa';

/** A page that every raw environment may write without a base register: its page table, which it does not use. */
export const SCRATCH = 0x4000;
/** Where `emitDump` stores register r: the first dump; further ones every 0x100. */
export const DUMP: number = SCRATCH + 0x100;
const SAVED = SCRATCH;

/** All that a program can rely on: everything but $zero and the kernel's k0. */
export const REGISTERS: readonly Register[] = Array.from({ length: 31 }, (_, i) => register(i + 1)).filter(
  (r) => r !== K0,
);

/** What `emitFill` puts into register r. */
export function pattern(r: number): number {
  return (0x5a000000 + r * 0x10101) | 0;
}
const HI_PATTERN = 0x1234567;
const LO_PATTERN = 0x89abcde;

/** Emits: every register to its pattern, HI and LO too, but for those in `others`. Call inside `emitFrame`. */
export function emitFill(a: Assembler, others: ReadonlyMap<Register, number> = new Map()): void {
  const t = T0;
  a.li(t, HI_PATTERN);
  a.mthi(t);
  a.li(t, LO_PATTERN);
  a.mtlo(t);
  for (const r of REGISTERS) a.li(r, others.get(r) ?? pattern(r));
}

/** Emits: every register stored in dump number `n`, then HI and LO. Uses t0 in the end. */
export function emitDump(a: Assembler, n = 0): void {
  const at = DUMP + 0x100 * n;
  for (const r of REGISTERS) a.sw(r, at + 4 * r, ZERO);
  const t = T0;
  a.mfhi(t);
  a.sw(t, at + 0x80, ZERO);
  a.mflo(t);
  a.sw(t, at + 0x84, ZERO);
}

/** Emits a routine at `label` whose body may use every register. */
export function emitRoutine(a: Assembler, label: string, body: () => void): void {
  const kept = REGISTERS.filter((r) => r >= 16);
  a.label(label);
  for (const r of kept) a.sw(r, SAVED + 4 * r, ZERO);
  body();
  for (const r of kept) a.lw(r, SAVED + 4 * r, ZERO);
  a.nop();
  a.ret();
  a.nop();
}

/** The registers of a dump that are not what they should be, by name. `words` are the words from DUMP on. */
export function changed(words: readonly number[], n = 0, others: ReadonlyMap<Register, number> = new Map()): string[] {
  const at = 0x40 * n;
  const wrong = REGISTERS.filter((r) => words[at + r] !== (others.get(r) ?? pattern(r))).map(
    (r) => REGISTER_NAMES[r] ?? '',
  );
  if (words[at + 0x20] !== HI_PATTERN) wrong.push('hi');
  if (words[at + 0x21] !== LO_PATTERN) wrong.push('lo');
  return wrong;
}
