/**
 * The kernel's machine code keeps what an R3000 asks of code that no assembler rearranges: the registers of loads come one
 * instruction late, no branch stands in a delay slot, and the TLB sees what is moved to its registers one instruction later. [KANE92 §1, §6]
 */
import { controlFlow, decode, disassemble, effects } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { kernelImage } from '../src/kernel-image.ts';
import { KSEG0 } from '../src/layout.ts';

const { words } = kernelImage();

/** The index of a branch's target, if it is known. */
function targetOf(i: number): number | undefined {
  const flow = controlFlow(words[i] ?? 0, KSEG0 + 4 * i);
  return flow.target === undefined ? undefined : (flow.target - KSEG0) / 4;
}

/** What may be executed after word i: behind a branch its slot, behind a slot the target too. */
function after(i: number): number[] {
  if (i === 0 || !effects(words[i - 1] ?? 0).branches) return [i + 1];
  const target = targetOf(i - 1);
  return target === undefined ? [i + 1] : [i + 1, target];
}

function found(bad: (word: number, next: number) => boolean): string[] {
  return Array.from(words, (_, i) => i).flatMap((i) =>
    after(i)
      .filter((next) => bad(words[i] ?? 0, words[next] ?? 0))
      .map((next) => [i, next].map((at) => disassemble(words[at] ?? 0, KSEG0 + 4 * at)).join(', ')),
  );
}

const mnemonic = (word: number): string => decode(word)?.mnemonic ?? '';

test('no instruction reads what the one before loads', () => {
  expect(found((word, next) => (effects(word).loads & effects(next).reads) !== 0)).toEqual([]);
});

test('no branch is in the delay slot of another', () => {
  expect(found((word, next) => effects(word).branches && effects(next).branches)).toEqual([]);
});

test('the TLB is not asked right behind a move to its registers, nor Index read right behind a probe', () => {
  const toTlb = (word: number): boolean => mnemonic(word) === 'mtc0' && [0, 2, 10].includes((word >>> 11) & 31);
  expect(found((word, next) => toTlb(word) && mnemonic(next).startsWith('tlb'))).toEqual([]);
  expect(found((word, next) => mnemonic(word) === 'tlbp' && mnemonic(next) === 'mfc0')).toEqual([]);
});

test('there is such code: what is looked for is there', () => {
  const count = (name: RegExp): number => Array.from(words).filter((word) => name.test(mnemonic(word))).length;
  expect([/^tlb/, /^mtc0$/, /^lw$/, /^b/].map((name) => count(name) > 5)).toEqual([true, true, true, true]);
  expect(found((word) => mnemonic(word) === 'rfe').length).toBeGreaterThan(5);
});
