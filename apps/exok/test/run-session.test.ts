/** Recordings, replays and snapshots on the command line: a run again, a run continued, and what is refused. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { A0, RA, T0, V0, createAssembler, type ElfImage } from '@exokernel/isa';
import { PROM_ADDRESS, PROM_ENTRIES } from '@exokernel/hardware';
import { afterAll, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { bareMachine } from '../src/run-machine.ts';
import { machineSettings } from '../src/run-options.ts';
import { runAtTerminal, type Outcome } from '../src/run-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'exok-session-'));
const ORIGIN = 0x80040000;
const DEFAULTS = { memory: 4, seconds: 5 };

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Prints every character that is typed, and ends at a full stop. */
const ECHO: ElfImage = (() => {
  const a = createAssembler(ORIGIN);
  const call = (entry: number): void => {
    a.li(T0, PROM_ADDRESS + 8 * entry);
    a.jalr(RA, T0);
    a.nop();
  };
  a.label('next');
  call(PROM_ENTRIES.getchar);
  a.move(A0, V0);
  call(PROM_ENTRIES.putchar);
  a.li(T0, '.'.charCodeAt(0));
  a.bne(V0, T0, 'next');
  a.nop();
  call(PROM_ENTRIES.halt);
  const { words } = a.assemble();
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return { entry: ORIGIN, segments: [{ vaddr: ORIGIN, bytes, memSize: bytes.length, flags: 7 }], notes: [] };
})();

interface Run {
  readonly reason: Outcome['reason'];
  readonly printed: string;
  readonly cycles: number;
}

/** `typed` is typed one character at a time, each after the one before was printed; then the run is interrupted, unless it ends. */
async function run(options: Record<string, string>, typed = '', args: readonly string[] = []): Promise<Run> {
  const input = new PassThrough();
  const abort = new AbortController();
  let printed = '';
  const type = (): void => {
    if (printed.length < typed.length) input.write(typed[printed.length]);
    else if (typed !== '') abort.abort();
  };
  const program = { name: 'echo', elf: ECHO, args };
  const terminal = {
    output: (data: Uint8Array) => {
      printed += Buffer.from(data).toString('latin1');
      type();
    },
    say: () => undefined,
    input: input as unknown as NodeJS.ReadStream,
    signal: abort.signal,
  };
  const ended = runAtTerminal(
    (...given) => bareMachine(program, ...given),
    machineSettings({ ...DEFAULTS, ...options }),
    terminal,
  );
  type();
  const { reason, cycles } = await ended;
  return { reason, printed, cycles };
}

test('a recording replayed: the same characters, the same cycle, whatever somebody types meanwhile', async () => {
  const record = join(folder, 'record');
  const first = await run({ record }, 'abc.');
  expect(first).toMatchObject({ printed: 'abc.' });
  const again = await run({ replay: record });
  expect(again).toEqual({ reason: 'replayed', printed: 'abc.', cycles: first.cycles });
  expect(await run({ replay: record, engine: 'interpreter' })).toEqual(again);
  expect((await run({ replay: record }, 'xyz')).cycles).toBeLessThanOrEqual(first.cycles);
});

test('a snapshot continued: what was typed before stays done', async () => {
  const snapshot = join(folder, 'snapshot');
  const first = await run({ snapshot }, 'ab');
  expect(first).toMatchObject({ reason: 'interrupted', printed: 'ab' });
  const second = await run({ snapshot, seconds: '0.01' });
  expect(second.reason).toBe('time');
  expect(second.cycles).toBeGreaterThan(first.cycles);
  const before = readFileSync(snapshot);
  expect(await run({ snapshot }, 'c.')).toMatchObject({ printed: 'c.' });
  // A program that has ended leaves none.
  expect(readFileSync(snapshot)).toEqual(before);
});

test.each([
  ['a recording that is not there', { replay: join(folder, 'missing') }, /missing/],
  ['a recording that is none', { replay: import.meta.filename }, /recording/],
  ['a recording in no folder', { record: join(folder, 'no', 'where') }, /no.where/],
  ['a snapshot that is none', { snapshot: import.meta.filename }, /snapshot/],
  ['a snapshot in no folder', { snapshot: join(folder, 'no', 'where') }, /no.where/],
] as const)('refused: %s', async (_, options, message) => {
  const refusal = run(options);
  await expect(refusal).rejects.toThrow(UsageError);
  await expect(refusal).rejects.toThrow(message);
});

test.each([
  ['a recording', { record: '/dev/full' }, /dev.full/],
  ['a snapshot', { snapshot: join(folder, 'taken') }, /taken/],
  ['a capture', { pcap: '/dev/full' }, /dev.full/],
] as const)('refused in the end: %s that can be begun and not written', async (_, options, message) => {
  mkdirSync(join(folder, 'taken.new'), { recursive: true });
  const refusal = run({ ...options, seconds: '0.01' });
  await expect(refusal).rejects.toThrow(UsageError);
  await expect(refusal).rejects.toThrow(message);
});

test('refused: what is cut short, and what belongs to another machine; the files stay as they are', async () => {
  const [record, snapshot, cut] = ['of-echo', 'of-echo.snapshot', 'cut'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await run({ record }, 'a');
  await run({ snapshot }, 'a');
  for (const [option, file] of [
    ['replay', record],
    ['snapshot', snapshot],
  ] as const) {
    const bytes = readFileSync(file);
    await expect(run({ [option]: file }, '', ['other'])).rejects.toThrow(UsageError);
    await expect(run({ [option]: file, memory: '8' })).rejects.toThrow(/4 MiB/);
    for (const length of [0, 7, bytes.length >> 1, bytes.length - 1]) {
      writeFileSync(cut, bytes.subarray(0, length));
      await expect(run({ [option]: cut })).rejects.toThrow(UsageError);
      expect(readFileSync(cut)).toHaveLength(length);
    }
    expect(readFileSync(file)).toEqual(bytes);
  }
  expect(existsSync(`${snapshot}.new`)).toBe(false);
});
