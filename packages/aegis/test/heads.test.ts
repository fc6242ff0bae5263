/** What the heads of the kernel's routines say, held against its words. */
import { REGISTER_NAMES, controlFlow, decode, effects } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { kernelImage } from '../src/kernel-image.ts';

const { origin, words, symbols, notes } = kernelImage();
const index = (address: number): number => ((address - origin) >>> 0) / 4;

interface Head {
  readonly label: string;
  readonly at: number;
  /** Index of the next routine's first word. */
  readonly end: number;
  readonly changes: ReadonlySet<string>;
  readonly fast: { readonly instructions: number; readonly by: ReadonlySet<string> } | undefined;
}

const FAST = /^(\d+) instructions(?: [^,]*)?(?:, by (.*))?$/;

/** The routines: labels with a head, which has a line of registers or of instructions, or one sentence. */
function heads(): Head[] {
  const labelled = [...symbols].filter(([name]) => isRoutine(name)).map(([label, at]) => ({ label, at: index(at) }));
  // Of several labels at one place the first is the routine's.
  const places = [...new Map(labelled.toReversed().map((each) => [each.at, each])).values()];
  places.sort((a, b) => a.at - b.at);
  return places.map(({ label, at }, i) => {
    const lines = notes.get((origin + 4 * at) >>> 0) ?? [];
    const registers = lines
      .filter((line) => /^(out |uses) /.test(line))
      .flatMap((line) => line.slice(5).split(', '))
      .map((role) => role.split(' ')[0] ?? '');
    const [, count, by] = lines.map((line) => FAST.exec(line)).find((match) => match !== null) ?? [];
    const fast = count === undefined ? undefined : { instructions: Number(count), by: new Set(by?.split(' and ')) };
    return { label, at, end: places[i + 1]?.at ?? words.length, changes: new Set(registers), fast };
  });
}

/** A head begins with a sentence; notes are none. */
function isRoutine(name: string): boolean {
  const [first] = notes.get(symbols.get(name) ?? 0) ?? [];
  return first !== undefined && /[.\]]$/.test(first);
}

function writtenIn({ at, end }: Head): Set<string> {
  const written = new Set<string>();
  for (let i = at; i < end; i += 1) {
    const { writes, loads } = effects(words[i] ?? 0);
    for (let r = 1; r < 32; r += 1) if ((((writes | loads) >>> r) & 1) !== 0) written.add(REGISTER_NAMES[r] ?? '');
  }
  return written;
}

/** Instructions from `at` to the jump through a register. */
function walk(at: number, by: ReadonlySet<string>): number {
  const taken = new Set([...by].map((label) => index(symbols.get(label) ?? 0)));
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

const HEADS = heads();

test('there are heads', () => {
  expect(HEADS.length).toBeGreaterThan(20);
  expect(HEADS.filter(({ fast }) => fast !== undefined).length).toBeGreaterThan(5);
});

test.each(HEADS.filter(({ fast }) => fast !== undefined).map((head) => [head.label, head] as const))(
  '%s has as many instructions as it says',
  (_, { at, fast }) => {
    for (const label of fast?.by ?? []) expect(symbols.has(label), label).toBe(true);
    expect(fast?.instructions).toBe(walk(at, fast?.by ?? new Set()));
  },
);

test.each(HEADS.map((head) => [head.label, head] as const))('%s changes the registers that it names', (_, head) => {
  expect([...head.changes].sort()).toEqual([...writtenIn(head)].sort());
});
