/**
 * One program of random code for all processors: its driver runs the blocks in rounds, leaves the registers, hi, lo and the
 * data after each in memory, and ends in the way of where it runs.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  A0,
  A1,
  A2,
  A3,
  AT,
  createAssembler,
  FP,
  GP,
  K0,
  K1,
  RA,
  T0,
  T1,
  T2,
  T3,
  T4,
  V0,
  ZERO,
  KSEG0,
  type Assembler,
  type Extension,
  type Register,
} from '@exokernel/isa';
import { Machine, type MachineOptions } from '../src/index.ts';
import { wordsOf } from './support.ts';
import { BLOCK_WORDS, ENTRY_BYTES, randomBlocks, randomSeeds, REGISTERS } from './agreement-code.ts';

export const BLOCKS = 120;
/** In each round every block gets fresh registers, and the data that the block before left. */
const ROUNDS = 4;
/** How often a block then runs, with what the run before left. */
const RUNS = 40;
export const RECORDS: number = BLOCKS * ROUNDS;
/** Words that are kept of a block in a round: r1 to r25, hi, lo, the data. */
export const RECORD_WORDS: number = REGISTERS - 1 + 2 + 64;

/** Where the parts of the program are, from its first address. The upper bits of that differ, the low 28 do not. */
const PHYSICAL = 0x100000;
const VARIABLES = 0x1000;
const CODE = 0x2000;
const SEEDS: number = CODE + 4 * BLOCK_WORDS * BLOCKS;
const RESULTS: number = SEEDS + 4 * (REGISTERS - 1) * RECORDS;
const RESULT_BYTES: number = 4 * RECORD_WORDS * RECORDS;

const GENERAL = Array.from({ length: REGISTERS - 1 }, (_, i) => (i + 1) as Register);

const MIPS_I = randomBlocks(1985, BLOCKS, PHYSICAL + CODE, []);
const MIPS32 = randomBlocks(1999, BLOCKS, PHYSICAL + CODE, ['mips32']);
const BLOCK_SEEDS = randomSeeds(3000, RECORDS);

function blockCode(extensions: readonly Extension[]): Uint32Array {
  return extensions.length > 0 ? MIPS32 : MIPS_I;
}

/** The words of block `index`. */
export function blockWords(index: number, extensions: readonly Extension[]): Uint32Array {
  return blockCode(extensions).subarray(BLOCK_WORDS * index, BLOCK_WORDS * (index + 1));
}

/** The program at `base`; `end` is what it does when all results are in memory. */
function program(base: number, extensions: readonly Extension[], end: (a: Assembler) => void): Uint32Array {
  const a = createAssembler(base);
  // The variables, behind the data, which is around gp: next block, next seeds, next results, runs to go.
  const [block, seeds, results, runs] = [128, 132, 136, 140];
  const step = (variable: number, bytes: number): void => {
    a.lw(K0, variable, GP);
    a.nop();
    a.addiu(K1, K0, bytes);
    a.sw(K1, variable, GP);
  };
  const initial: [number, number][] = [
    [block, CODE + ENTRY_BYTES],
    [seeds, SEEDS],
    [results, RESULTS],
  ];
  a.la(GP, base + VARIABLES + 128);
  a.li(FP, 1985);
  for (const [variable, offset] of initial) {
    a.la(K0, base + offset);
    a.sw(K0, variable, GP);
  }
  a.label('next');
  step(seeds, 4 * GENERAL.length);
  a.li(K1, RUNS);
  a.sw(K1, runs, GP);
  GENERAL.forEach((register, i) => a.lw(register, 4 * i, K0));
  a.nop();
  a.mthi(AT);
  a.mtlo(V0);
  a.label('again');
  // xorshift: other bits for every run
  a.sll(K1, FP, 13);
  a.xor(FP, FP, K1);
  a.srl(K1, FP, 17);
  a.xor(FP, FP, K1);
  a.sll(K1, FP, 5);
  a.xor(FP, FP, K1);
  a.lw(K1, block, GP);
  a.nop();
  a.jalr(RA, K1);
  a.nop();
  a.lw(K1, runs, GP);
  a.nop();
  a.addiu(K1, K1, -1);
  a.bnez(K1, 'again');
  a.sw(K1, runs, GP);
  step(results, 4 * RECORD_WORDS);
  GENERAL.forEach((register, i) => a.sw(register, 4 * i, K0));
  a.mfhi(AT);
  a.mflo(V0);
  a.sw(AT, 4 * GENERAL.length, K0);
  a.sw(V0, 4 * GENERAL.length + 4, K0);
  for (let i = 0; i < 64; i += 1) {
    a.lw(AT, 4 * i - 128, GP);
    a.nop();
    a.sw(AT, 4 * (GENERAL.length + 2 + i), K0);
  }
  step(block, 4 * BLOCK_WORDS);
  a.la(V0, base + CODE + ENTRY_BYTES);
  a.la(AT, base + SEEDS + ENTRY_BYTES);
  a.bne(AT, K1, 'more');
  a.nop();
  a.sw(V0, block, GP);
  a.label('more');
  a.lw(AT, results, GP);
  a.la(V0, base + RESULTS + RESULT_BYTES);
  a.bne(AT, V0, 'next');
  a.nop();
  end(a);
  const { words } = a.assemble();
  if (4 * words.length > VARIABLES) throw new Error('the driver is longer than its place');
  const image = new Uint32Array(RESULTS / 4);
  image.set(words);
  image.set(blockCode(extensions), CODE / 4);
  image.set(BLOCK_SEEDS, SEEDS / 4);
  return image;
}

/** What our machine left. */
export interface Ours {
  readonly results: Int32Array;
  /** Instructions, without those that did nothing at the end. */
  readonly executed: number;
  /** What `look` gave after each of its steps. */
  readonly looks: readonly unknown[];
}

/** Runs the program on our machine, in steps of an odd number of cycles. */
export function inMachine(options: MachineOptions, look: (machine: Machine) => unknown): Ours {
  const machine = new Machine({ ramBytes: 0x200000, translation: { after: 2, worthwhile: 8 }, ...options });
  const { cpu, memory } = machine;
  const image = program(KSEG0 + PHYSICAL, options.extensions ?? [], (a) => {
    a.label('end');
    a.b('end');
    a.nop();
  });
  memory.storeWords(PHYSICAL, image);
  cpu.cp0.status = 1; // with interrupts enabled, and none that comes, the end is idle
  cpu.pc = KSEG0 + PHYSICAL;
  const looks: unknown[] = [];
  let idle = 0;
  while (idle === 0 && looks.length < 30) {
    idle = machine.run(1_000_003).idleCycles;
    looks.push(look(machine));
  }
  const results = wordsOf(machine, PHYSICAL + RESULTS, RESULT_BYTES / 4);
  return { results, executed: machine.instructions - idle, looks };
}

/** Runs the program in QEMU's emulation of a Linux process. */
export async function inQemu(qemu: string, extensions: readonly Extension[] = []): Promise<Int32Array> {
  const base = PHYSICAL;
  const image = program(base, extensions, (a) => {
    a.li(A0, 1);
    a.la(A1, base + RESULTS);
    a.li(A2, RESULT_BYTES);
    a.label('write');
    a.li(V0, 4004);
    a.syscall(0);
    a.bnez(A3, 'exit');
    a.subu(A2, A2, V0);
    a.bgtz(A2, 'write');
    a.addu(A1, A1, V0);
    a.label('exit');
    a.li(V0, 4001);
    a.move(A0, A3);
    a.syscall(0);
  });
  const out = await execute(base, image, qemu, []);
  return new Int32Array(Uint8Array.from(out).buffer);
}

/** Runs the program on GXemul's bare machine, whose console prints the bytes stored at 0x10000000; 0x10000010 halts it. */
export async function inGxemul(gxemul: string): Promise<Int32Array> {
  const base = KSEG0 + PHYSICAL;
  const image = program(base, [], (a) => {
    a.lui(T0, 0xb000);
    a.la(T1, base + RESULTS);
    a.la(T2, base + RESULTS + RESULT_BYTES);
    a.label('word');
    a.lw(T3, 0, T1);
    a.addiu(T1, T1, 4);
    // Four bits in a letter, from A.
    for (let shift = 28; shift >= 0; shift -= 4) {
      a.srl(T4, T3, shift);
      a.andi(T4, T4, 15);
      a.addiu(T4, T4, 0x41);
      a.sb(T4, 0, T0);
    }
    a.bne(T1, T2, 'word');
    a.nop();
    a.sb(ZERO, 16, T0);
    a.label('end');
    a.b('end');
    a.nop();
  });
  const out = await execute(base, image, gxemul, ['-q', '-E', 'testmips', '-C', 'R3000', '-M', '16']);
  const text = out.toString('latin1');
  return Int32Array.from({ length: Math.floor(text.length / 8) }, (_, i) => {
    let word = 0;
    for (let k = 8 * i; k < 8 * i + 8; k += 1) word = (word << 4) | (text.charCodeAt(k) - 0x41);
    return word;
  });
}

/** An executable of one segment that is loaded at `base`, with room for the results. */
function elf(base: number, image: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(0x1000 + 4 * image.length);
  const view = new DataView(bytes.buffer);
  const put = (at: number, size: 2 | 4, ...values: number[]): void => {
    values.forEach((value, i) => {
      if (size === 2) view.setUint16(at + 2 * i, value, true);
      else view.setUint32(at + 4 * i, value, true);
    });
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  put(16, 2, 2, 8); // an executable, MIPS
  put(20, 4, 1, base, 52, 0, 0x1000); // version, entry, program headers, no sections, flags: o32
  put(40, 2, 52, 32, 1, 40);
  put(52, 4, 1, 0x1000, base, base, 4 * image.length, RESULTS + RESULT_BYTES, 7, 0x1000);
  bytes.set(new Uint8Array(image.buffer), 0x1000);
  return bytes;
}

/** What `command` prints when it executes the image. Its input stays open, for GXemul does not begin without. */
async function execute(base: number, image: Uint32Array, command: string, options: string[]): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'agreement-'));
  try {
    const file = join(folder, 'program');
    writeFileSync(file, elf(base, image), { mode: 0o755 });
    return await new Promise<Buffer>((resolve, reject) => {
      const child = spawn(command, [...options, file], { stdio: ['pipe', 'pipe', 'ignore'], timeout: 40_000 });
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.on('error', reject);
      child.on('close', () => {
        resolve(Buffer.concat(chunks));
      });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
