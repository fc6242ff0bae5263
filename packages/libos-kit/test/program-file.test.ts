/** Programs in files: what comes back, and what a stranger's file may say. */
import fc from 'fast-check';
import { IsaError } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { LibosError, compose, readProgram, writeProgram, type LinkedProgram } from '../src/index.ts';
import { batch } from '../../batch/src/index.ts';
import { boot } from '../../testkit/src/index.ts';

const ADDRESS = 0x400000;
/** Exits with 5: `jr ra`, `li v0,5`. */
const { runtime } = batch.link({
  kind: 'machine',
  name: 'x',
  needs: [],
  data: 0,
  text: (a) => {
    a.nop();
  },
});
const PROGRAM: LinkedProgram<'memory' | 'clock'> = {
  kind: 'linked',
  name: 'five',
  needs: ['memory'],
  libos: 'batch',
  runtime,
  pages: [
    { va: ADDRESS, bytes: Uint8Array.of(8, 0, 0xe0, 3, 5, 0, 2, 0x24), writable: false },
    { va: 0x401000, bytes: new Uint8Array(4096), writable: true },
  ],
  code: {
    functions: [{ name: 'five', address: ADDRESS }],
    routines: [{ name: 'memory_allocate', address: 0x2578 }],
    end: ADDRESS + 8,
    lines: [{ address: ADDRESS, place: { file: 'five.ts', line: 1, column: 2 } }],
  },
};

test('what is written is read again, and runs', () => {
  const read = readProgram(writeProgram(PROGRAM));
  expect(read).toEqual(PROGRAM);
  const booted = boot([compose(batch, read as typeof PROGRAM)]);
  booted.finish(0);
  // `jr ra` with the value in its slot: addiu v0, zero, 5.
  expect(booted.aegis.environment(0).cause).toEqual({ text: 'exited with 5', kind: 'exit' });
});

test.each([
  ['another interface', { needs: ['nonsense'] }],
  ['a name that moves the cursor', { name: '\u001b[2J' }],
  ['no library operating system', { libos: 5 }],
  ['a hash that is no word', { runtime: -1 }],
  [
    'functions that are not in order',
    { code: { ...PROGRAM.code!, functions: [2, 1].map((address) => ({ name: 'f', address })) } },
  ],
  [
    'pages outside of the program’s region',
    {
      pages: [
        { va: ADDRESS, bytes: PROGRAM.pages[0]!.bytes },
        { va: 0x1000, bytes: new Uint8Array(4) },
      ],
    },
  ],
] as const)('a file with %s is refused', (_, change) => {
  const file = writeProgram({ ...PROGRAM, ...change } as unknown as LinkedProgram<'memory'>);
  expect(() => readProgram(file)).toThrow(expect.objectContaining({ code: 'image' }) as Error);
});

test('changed files are refused by a typed error, or give a program that fits', () => {
  const whole = writeProgram(PROGRAM);
  const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(changes, (bytes) => {
      const file = whole.slice();
      for (const [at, value] of bytes) file[at] = value;
      try {
        const program = readProgram(file);
        if (program !== undefined) compose(batch, program as typeof PROGRAM);
      } catch (error) {
        if (!(error instanceof IsaError) && !(error instanceof LibosError)) throw error;
      }
    }),
    { numRuns: 300 },
  );
});
