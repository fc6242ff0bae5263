/** `exok run`: a program for the bare machine, made here, started by the boot PROM; and what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { A0, A1, RA, SP, T0, createAssembler, type Assembler } from '@exokernel/isa';
import { PROM_ADDRESS, PROM_ENTRIES } from '@exokernel/hardware';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { runElf, type RunOptions } from '../src/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'exok-run-'));
const ORIGIN = 0x80040000;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** An executable of one segment at `origin`. */
function elf(origin: number, emit: (a: Assembler) => void): Uint8Array {
  const a = createAssembler(origin);
  emit(a);
  const { words } = a.assemble();
  const bytes = new Uint8Array(84 + 4 * words.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  [2, 8].forEach((half, i) => view.setUint16(16 + 2 * i, half, true));
  [1, origin, 52, 0, 0].forEach((word, i) => view.setUint32(20 + 4 * i, word, true));
  [52, 32, 1, 40, 0, 0].forEach((half, i) => view.setUint16(40 + 2 * i, half, true));
  const size = 4 * words.length;
  [1, 84, origin, origin, size, size, 7, 4].forEach((word, i) => view.setUint32(52 + 4 * i, word, true));
  words.forEach((word, i) => view.setUint32(84 + 4 * i, word, true));
  return bytes;
}

function call(a: Assembler, entry: number): void {
  a.li(T0, PROM_ADDRESS + 8 * entry);
  a.jalr(RA, T0);
  a.nop();
}

/** Runs a file; resolves to how it ended and what it printed. */
async function run(
  bytes: Uint8Array | undefined,
  options: Partial<RunOptions> = {},
): Promise<{ reason: string; printed: string }> {
  const file = join(folder, 'program.elf');
  if (bytes !== undefined) writeFileSync(file, bytes);
  let printed = '';
  const { reason } = await runElf({
    file,
    memory: 8,
    disk: undefined,
    args: [],
    seconds: 5,
    output: (data) => (printed += Buffer.from(data).toString('latin1')),
    input: new PassThrough() as unknown as NodeJS.ReadStream,
    signal: new AbortController().signal,
    ...options,
  });
  return { reason, printed };
}

test('a program prints through the PROM, with its argument, and returns to it', async () => {
  const program = elf(ORIGIN, (a) => {
    a.addiu(SP, SP, -24);
    a.sw(RA, 20, SP);
    a.lw(A1, 4, A1); // argv[1]
    a.la(A0, 'format');
    call(a, PROM_ENTRIES.printf);
    a.lw(RA, 20, SP);
    a.addiu(SP, SP, 24);
    a.ret();
    a.nop();
    a.label('format');
    a.bytes(new TextEncoder().encode('hello, %s\n\0'));
  });
  expect(await run(program, { args: ['world'] })).toEqual({ reason: 'halted', printed: 'hello, world\r\n' });
});

test('what somebody types reaches the program', async () => {
  const program = elf(ORIGIN, (a) => {
    call(a, PROM_ENTRIES.getchar);
    call(a, PROM_ENTRIES.halt);
  });
  const input = new PassThrough();
  const ended = run(program, { input: input as unknown as NodeJS.ReadStream });
  input.write('x');
  expect((await ended).reason).toBe('halted');
});

test('a program that never ends is stopped by time, or by the signal', async () => {
  const forever = elf(ORIGIN, (a) => {
    a.label('again');
    a.b('again');
    a.nop();
  });
  expect((await run(forever, { seconds: 0.1 })).reason).toBe('time');
  expect((await run(forever, { seconds: 1000, signal: AbortSignal.timeout(50) })).reason).toBe('interrupted');
});

describe('refused', () => {
  const nothing = (a: Assembler): void => {
    a.nop();
  };
  test.each([
    ['no file', undefined, { file: join(folder, 'missing') }],
    ['not an ELF', new TextEncoder().encode('#!/bin/sh'), {}],
    ['a segment beyond memory', elf(0x80ff0000, nothing), {}],
    ['a segment in mapped memory', elf(0x400000, nothing), {}],
    ['a missing disk', elf(ORIGIN, nothing), { disk: join(folder, 'missing.img') }],
  ] as const)('%s', async (_, bytes, options) => {
    await expect(run(bytes, options)).rejects.toThrow(UsageError);
  });
});
