/** More than ten million instructions of random code, on both engines, on QEMU and on GXemul: the same registers and memory. */
import { existsSync } from 'node:fs';
import { decode, disassemble, EXTENSIONS, INSTRUCTIONS, type Extension, type Mnemonic } from '@exokernel/isa';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { BLOCKS, blockWords, inGxemul, inMachine, inQemu, RECORD_WORDS, RECORDS, type Ours } from './agreement.ts';
import { state } from './support.ts';

const QEMU = '/usr/bin/qemu-mipsel';
const GXEMUL = '/usr/bin/gxemul';
const missing = (path: string): string => (existsSync(path) ? '' : ` (skipped: no ${path})`);

/** Holds what another left against what the interpreter did, block by block; the message is the first block that differs. */
function expectAgreement(theirs: Int32Array, { results }: Ours, extensions: readonly Extension[]): void {
  expect(theirs.length).toBe(RECORD_WORDS * RECORDS);
  for (let at = 0; at < results.length; at += RECORD_WORDS) {
    const [ours, other] = [results, theirs].map((all) => all.subarray(at, at + RECORD_WORDS));
    if (ours?.every((word, i) => word === other?.[i]) === true) continue;
    const block = blockWords((at / RECORD_WORDS) % BLOCKS, extensions);
    const listing = [...block].map((word) => disassemble(word, undefined, undefined, extensions)).join('; ');
    expect(other, listing).toEqual(ours);
  }
}

const KERNEL_OR_COPROCESSOR = /\.|c[0-3]$|^(bc|cop|tlb|rfe|syscall|break)/;
const MIPS_I = (Object.keys(INSTRUCTIONS) as Mnemonic[]).filter((name) => !KERNEL_OR_COPROCESSOR.test(name));
const MIPS32 = [...MIPS_I, ...(Object.keys(EXTENSIONS.mips32) as Mnemonic[])];

describe.each<[string, Extension[], Mnemonic[]]>([
  ['MIPS I', [], MIPS_I],
  ['MIPS32', ['mips32'], MIPS32],
])('random code of %s', (_, extensions, all) => {
  let interpreted: Ours;

  beforeAll(() => {
    interpreted = inMachine({ engine: 'interpreter', extensions }, state);
  });

  test('is ten million instructions of every kind that needs no kernel and no coprocessor', () => {
    expect(interpreted.executed).toBeGreaterThan(10_000_000);
    const used = new Set<Mnemonic | undefined>();
    for (let i = 0; i < BLOCKS; i += 1) {
      for (const word of blockWords(i, extensions)) used.add(decode(word, extensions)?.mnemonic);
    }
    expect([...used].sort()).toEqual(all.toSorted());
  });

  test('has not run dry: its results are of many values', () => {
    expect(new Set(interpreted.results).size).toBeGreaterThan(interpreted.results.length / 4);
  });

  test('does the same on both engines, to the cycle, seen after every 1,000,003 cycles', () => {
    const compile = vi.spyOn(WebAssembly, 'Module');
    expect(inMachine({ engine: 'translator', extensions }, state)).toEqual(interpreted);
    // All blocks were translated, each to several regions.
    expect(compile.mock.calls.length).toBeGreaterThan(4 * BLOCKS);
    compile.mockRestore();
  });

  test.skipIf(missing(QEMU) !== '')(`does what it does in QEMU${missing(QEMU)}`, async () => {
    expectAgreement(await inQemu(QEMU, extensions), interpreted, extensions);
  });

  test.skipIf(missing(GXEMUL) !== '' || extensions.length > 0)(
    `does what it does in GXemul${missing(GXEMUL)}`,
    async () => {
      expectAgreement(await inGxemul(GXEMUL), interpreted, extensions);
    },
  );
});
