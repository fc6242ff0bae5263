/** What the heads of the kernel's routines say, held against its words. */
import { REGISTER_NAMES, controlFlow, decode, effects } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { kernelImage } from '../src/kernel-image.ts';
import { readHead, type HeadNotes } from '../src/text/routine.ts';

const { origin, words, symbols, notes } = kernelImage();
const index = (address: number): number => ((address - origin) >>> 0) / 4;

interface Routine extends HeadNotes {
  readonly label: string;
  readonly at: number;
  /** Index of the next routine's first word. */
  readonly end: number;
}

function routines(): Routine[] {
  // Of several labels at one place the first is the routine's.
  const places = new Map([...symbols].toReversed().map(([label, address]) => [index(address), label]));
  const headed = [...places].flatMap(([at, label]) => {
    const head = readHead(notes.get((origin + 4 * at) >>> 0) ?? []);
    return head === undefined ? [] : [{ label, at, ...head }];
  });
  headed.sort((a, b) => a.at - b.at);
  return headed.map((head, i) => ({ ...head, end: headed[i + 1]?.at ?? words.length }));
}

function writtenIn({ at, end }: Routine): Set<string> {
  const written = new Set<string>();
  for (let i = at; i < end; i += 1) {
    const { writes, loads } = effects(words[i] ?? 0);
    for (let r = 1; r < 32; r += 1) if ((((writes | loads) >>> r) & 1) !== 0) written.add(REGISTER_NAMES[r] ?? '');
  }
  return written;
}

/** Instructions from `at` to the jump through a register. */
function walk(at: number, by: readonly string[]): number {
  const taken = new Set(by.map((label) => index(symbols.get(label) ?? 0)));
  let count = 0;
  for (let i = at; count < 1000;) {
    const word = words[i] ?? 0;
    count += 1;
    const mnemonic = decode(word)?.mnemonic;
    const { branches, calls } = effects(word);
    if (!branches) {
      i += 1;
      continue;
    }
    count += 1;
    if (mnemonic === 'jr') return count;
    const { target, always } = controlFlow(word, (origin + 4 * i) >>> 0);
    const to = target === undefined ? -1 : index(target);
    i = !calls && (always || taken.has(to)) ? to : i + 2;
  }
  return Infinity;
}

const ROUTINES = routines();

test('there are heads', () => {
  expect(ROUTINES.length).toBeGreaterThan(20);
  expect(ROUTINES.filter(({ fast }) => fast !== undefined).length).toBeGreaterThan(5);
});

test.each(ROUTINES.filter(({ fast }) => fast !== undefined).map((head) => [head.label, head] as const))(
  '%s has as many instructions as it says',
  (_, { at, fast }) => {
    expect((fast?.by ?? []).filter((label) => !symbols.has(label))).toEqual([]);
    expect(fast?.instructions).toBe(walk(at, fast?.by ?? []));
  },
);

test.each(ROUTINES.map((head) => [head.label, head] as const))('%s changes the registers that it names', (_, head) => {
  expect([...head.changes].sort()).toEqual([...writtenIn(head)].sort());
});
