/** `exok run`: a program for the bare machine, made here, started by the boot PROM; and what is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { A0, A1, A2, A3, RA, SP, T0, createAssembler, type Assembler } from '@exokernel/isa';
import { PROM_ADDRESS, PROM_ENTRIES } from '@exokernel/hardware';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { machineSettings } from '../src/run-options.ts';
import { bareMachine, readElf } from '../src/run-machine.ts';
import { runAtTerminal, type Outcome } from '../src/run-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'exok-run-'));
const ORIGIN = 0x80040000;
const DEFAULTS = { memory: 8, seconds: 5 };

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

interface Choices {
  readonly file?: string;
  readonly options?: Record<string, string>;
  readonly args?: readonly string[];
  readonly initrd?: Uint8Array;
  readonly input?: PassThrough;
  readonly signal?: AbortSignal;
  readonly say?: (text: string) => void;
}

/** Runs a file; resolves to how it ended and what it printed. */
async function run(
  bytes: Uint8Array | undefined,
  choices: Choices = {},
): Promise<{ reason: Outcome['reason']; printed: string }> {
  const { file = join(folder, 'program.elf'), options = {}, args = [], initrd } = choices;
  if (bytes !== undefined) writeFileSync(file, bytes);
  const settings = machineSettings({ ...DEFAULTS, ...options });
  let printed = '';
  const program = { name: file, elf: readElf(file), args, ...(initrd === undefined ? {} : { initrd }) };
  const { reason } = await runAtTerminal((...given) => bareMachine(program, ...given), settings, {
    output: (data) => (printed += Buffer.from(data).toString('latin1')),
    say: choices.say ?? ((): void => undefined),
    input: choices.input ?? new PassThrough(),
    signal: choices.signal ?? new AbortController().signal,
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
  const ended = run(program, { input });
  input.write('x');
  expect((await ended).reason).toBe('halted');
});

test('a program that never ends is stopped by time, or by the signal', async () => {
  const forever = elf(ORIGIN, (a) => {
    a.label('again');
    a.b('again');
    a.nop();
  });
  expect((await run(forever, { options: { seconds: '0.1' } })).reason).toBe('time');
  expect((await run(forever, { options: { seconds: '1000' }, signal: AbortSignal.timeout(50) })).reason).toBe(
    'interrupted',
  );
});

test('a peer that names a frame of 4 GB loses its link, and the machine goes on; the capture is a file', async () => {
  const forever = elf(ORIGIN, (a) => {
    a.label('again');
    a.b('again');
    a.nop();
  });
  const pcap = join(folder, 'wire.pcapng');
  const said: string[] = [];
  const ended = new AbortController();
  const say = (text: string): void => {
    said.push(text);
    const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    if (port !== undefined)
      connect(Number(port), '127.0.0.1')
        .on('error', () => undefined)
        .write('\xff\xff\xff\xff', 'latin1');
    else ended.abort();
  };
  const options = { net: 'listen:tcp:0', pcap, seconds: '30' };
  expect((await run(forever, { options, say, signal: ended.signal })).reason).toBe('interrupted');
  expect(said[1]).toMatch(/4294967295/);
  expect(said).toHaveLength(2);
  expect(readFileSync(pcap).readUInt32LE(0)).toBe(0x0a0d0d0a);
});

describe('refused', () => {
  const nothing = (a: Assembler): void => {
    a.nop();
  };
  const odd = join(folder, 'odd.img');
  writeFileSync(odd, new Uint8Array(700));
  const bigEndian = elf(ORIGIN, nothing);
  bigEndian[5] = 2;
  test.each([
    ['no file', undefined, { file: join(folder, 'missing') }, /missing/],
    ['not an ELF', new TextEncoder().encode('#!/bin/sh'), {}, /magic/],
    ['a big-endian one', bigEndian, {}, /data encoding/],
    ['cut short', elf(ORIGIN, nothing).subarray(0, 60), {}, /program header table/],
    ['a segment beyond memory', elf(0x80ff0000, nothing), {}, /0x80ff0000.*--memory/],
    ['a segment in mapped memory', elf(0x400000, nothing), {}, /0x400000/],
    ['a missing disk', elf(ORIGIN, nothing), { options: { disk: join(folder, 'missing.img') } }, /missing\.img/],
    ['a disk of odd size', elf(ORIGIN, nothing), { options: { disk: odd } }, /700/],
    ['an initrd without room', elf(ORIGIN, nothing), { initrd: new Uint8Array(8 << 20) }, /8388608/],
    ['an unknown profile', elf(ORIGIN, nothing), { options: { profile: 'vax' } }, /vax/],
    ['an unknown engine', elf(ORIGIN, nothing), { options: { engine: 'steam' } }, /steam/],
    ['a link of no kind', elf(ORIGIN, nothing), { options: { net: 'pigeon:roof' } }, /pigeon:roof/],
    ['a link without a port', elf(ORIGIN, nothing), { options: { net: 'stream:tcp:host' } }, /stream:tcp:host/],
    ['a port too high', elf(ORIGIN, nothing), { options: { net: 'udp:70000:7' } }, /70000/],
    ['a peer that is not there', elf(ORIGIN, nothing), { options: { net: `stream:unix:${folder}/none` } }, /none/],
    ['a capture that cannot be', elf(ORIGIN, nothing), { options: { pcap: `${folder}/no/where` } }, /no\/where/],
    ['an argument that is not ASCII', elf(ORIGIN, nothing), { args: ['naïve'] }, /naïve/],
  ] as const)('%s', async (_, bytes, choices, message) => {
    const refusal = run(bytes, choices);
    await expect(refusal).rejects.toThrow(UsageError);
    await expect(refusal).rejects.toThrow(message);
  });
});

test('an initrd lies behind the program, which is told where', async () => {
  const program = elf(ORIGIN, (a) => {
    a.addiu(SP, SP, -24);
    a.sw(RA, 20, SP);
    a.lw(A2, 8, A1); // argv[2]
    a.lw(A1, 4, A1);
    a.lui(A3, 0x8005);
    a.la(A0, 'format');
    call(a, PROM_ENTRIES.printf);
    a.lw(RA, 20, SP);
    a.addiu(SP, SP, 24);
    a.ret();
    a.nop();
    a.label('format');
    a.bytes(new TextEncoder().encode('%s %s %s\n\0'));
  });
  const initrd = new TextEncoder().encode('inside\0');
  expect((await run(program, { initrd })).printed).toBe('rd_start=0x80050000 rd_size=7 inside\r\n');
});
