/** More than ten million instructions of random code, on both engines, on QEMU and on GXemul: the same registers and memory. */
import { existsSync } from 'node:fs';
import { decode, disassemble, INSTRUCTIONS, type Mnemonic } from '@exokernel/isa';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { BLOCKS, blockWords, inGxemul, inMachine, inQemu, RECORD_WORDS, RECORDS, type Ours } from './agreement.ts';
import { state } from './support.ts';

const QEMU = '/usr/bin/qemu-mipsel';
const GXEMUL = '/usr/bin/gxemul';
const missing = (path: string): string => (existsSync(path) ? '' : ` (skipped: no ${path})`);

/** Holds what another left against what the interpreter did, block by block; the message is the first block that differs. */
function expectAgreement(theirs: Int32Array, { results }: Ours): void {
  expect(theirs.length).toBe(RECORD_WORDS * RECORDS);
  for (let at = 0; at < results.length; at += RECORD_WORDS) {
    const [ours, other] = [results, theirs].map((all) => all.subarray(at, at + RECORD_WORDS));
    if (ours?.every((word, i) => word === other?.[i]) === true) continue;
    const listing = [...blockWords((at / RECORD_WORDS) % BLOCKS)].map((word) => disassemble(word)).join('; ');
    expect(other, listing).toEqual(ours);
  }
}

describe('random code', () => {
  let interpreted: Ours;

  beforeAll(() => {
    interpreted = inMachine({ engine: 'interpreter' }, state);
  });

  test('is ten million instructions of every kind that needs no kernel and no coprocessor', () => {
    expect(interpreted.executed).toBeGreaterThan(10_000_000);
    const used = new Set<Mnemonic | undefined>();
    for (let i = 0; i < BLOCKS; i += 1) for (const word of blockWords(i)) used.add(decode(word)?.mnemonic);
    const all = (Object.keys(INSTRUCTIONS) as Mnemonic[]).filter(
      (mnemonic) => !/\.|c[0-3]$|^(bc|cop|tlb|rfe|syscall|break)/.test(mnemonic),
    );
    expect([...used].sort()).toEqual(all.sort());
  });

  test('has not run dry: its results are of many values', () => {
    expect(new Set(interpreted.results).size).toBeGreaterThan(interpreted.results.length / 4);
  });

  test('does the same on both engines, to the cycle, seen after every 1,000,003 cycles', () => {
    const compile = vi.spyOn(WebAssembly, 'Module');
    expect(inMachine({ engine: 'translator' }, state)).toEqual(interpreted);
    // All blocks were translated, each to several regions.
    expect(compile.mock.calls.length).toBeGreaterThan(4 * BLOCKS);
    compile.mockRestore();
  });

  test.skipIf(missing(QEMU) !== '')(`does what it does in QEMU${missing(QEMU)}`, async () => {
    expectAgreement(await inQemu(QEMU), interpreted);
  });

  test.skipIf(missing(GXEMUL) !== '')(`does what it does in GXemul${missing(GXEMUL)}`, async () => {
    expectAgreement(await inGxemul(GXEMUL), interpreted);
  });
});
