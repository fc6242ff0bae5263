import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disassemble, encode, type Mnemonic, operandKinds } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { Machine } from '../src/index.ts';
import { random } from './support.ts';

const QEMU = '/usr/bin/qemu-mipsel';
const GCC = '/usr/bin/mipsel-linux-gnu-gcc';
const missing = [QEMU, GCC].filter((path) => !existsSync(path)).join(', ');

/** The data is 256 bytes around `gp`. */
const BLOCK_WORDS = 520;
const BLOCKS = 60;
const RUNS = 42;
const GP = 28;
/** `ra` holds the way back, `sp` and `k0`, `k1` are the driver's. */
const REGISTERS = 26;

const ALU =
  'addu subu and or xor nor slt sltu sll srl sra sllv srlv srav mfhi mflo mthi mtlo mult multu addiu slti sltiu andi ori xori lui';
const MEMORY = 'lb lh lwl lw lbu lhu lwr sb sh swl sw swr';
const BRANCHES = 'beq bne blez bgtz bltz bgez';
const pick = <T>(list: readonly T[], next: () => number): T => list[next() % list.length] as T;
const names = (list: string): Mnemonic[] => list.split(' ') as Mnemonic[];
const [alu, memory, branches] = [names(ALU), names(MEMORY), names(BRANCHES)];

function field(kind: string, next: () => number): number {
  if (kind === 'imm') return (next() << 16) >> (16 + (next() % 16));
  if (kind === 'uimm') return next() & 0xffff;
  if (kind === 'sa') return next() % 32;
  return next() % REGISTERS;
}

/** One instruction without a branch. After a load comes a `nop`, for QEMU has no delay; divisors are not zero. */
function emit(words: number[], next: () => number): void {
  const kind = next() % 8;
  if (kind === 0) {
    // Not by zero, whose result is undefined, nor 0x80000000 by -1.
    words.push(encode({ mnemonic: 'ori', operands: [1, next() % REGISTERS, 1] }));
    words.push(encode({ mnemonic: 'srl', operands: [1, 1, 1 + (next() % 20)] }));
    words.push(encode({ mnemonic: 'ori', operands: [1, 1, 1] }));
    words.push(encode({ mnemonic: pick(names('div divu'), next), operands: [next() % REGISTERS, 1] }));
    return;
  }
  if (kind === 1) {
    // Fresh bits, or all values would die out in long blocks.
    const rd = next() % REGISTERS;
    words.push(encode({ mnemonic: 'lui', operands: [1, next() & 0xffff] }));
    words.push(encode({ mnemonic: 'addiu', operands: [1, 1, (next() << 16) >> 16] }));
    words.push(encode({ mnemonic: 'xor', operands: [rd, rd, 1] }));
    return;
  }
  const mnemonic = kind < 4 ? pick(memory, next) : pick(alu, next);
  const size = /h/.test(mnemonic) ? 2 : /^[ls]w$/.test(mnemonic) ? 4 : 1;
  const operands = operandKinds(mnemonic).map((operand) => {
    if (operand === 'base') return GP;
    return operand === 'offset' ? ((next() % 256) - 128) & -size : field(operand, next);
  });
  words.push(encode({ mnemonic, operands }));
  if (mnemonic.startsWith('l') && mnemonic !== 'lui') words.push(0);
}

/** A straight line with forward branches, that ends with a return. */
function block(next: () => number): number[] {
  const words: number[] = [];
  while (words.length < BLOCK_WORDS - 12) {
    if (next() % 10 !== 0) {
      emit(words, next);
      continue;
    }
    const mnemonic = pick(branches, next);
    const body: number[] = [];
    for (let i = 0; i < next() % 3; i += 1) emit(body, next);
    const slot = encode({ mnemonic: 'addu', operands: [0, 1, 2].map(() => 1 + (next() % (REGISTERS - 1))) });
    const kinds = operandKinds(mnemonic);
    words.push(
      encode({ mnemonic, operands: kinds.map((k) => (k === 'branch' ? body.length + 1 : next() % REGISTERS)) }),
      slot,
      ...body,
    );
  }
  words.push(0x03e00008, 0); // jr ra
  while (words.length < BLOCK_WORDS) words.push(0);
  return words;
}

/**
 * Calls every block RUNS times, each time with the registers, hi, lo and the data that the run before left, and writes them
 * all after every block's last run. Before a block r1 to r25 are its words of `seeds`.
 */
function driver(blocks: readonly number[][], seeds: readonly number[]): string {
  const general = Array.from({ length: REGISTERS - 1 }, (_, i) => i + 1);
  const calls = blocks.map(
    (_, i) => `
  lui $26, %hi(seeds + ${4 * REGISTERS * i})
  addiu $26, $26, %lo(seeds + ${4 * REGISTERS * i})
${general.map((n) => `  lw $${n}, ${4 * n}($26)`).join('\n')}
  lui $28, %hi(cells + 128)
  addiu $28, $28, %lo(cells + 128)
  mthi $1
  mtlo $2
  li $30, ${RUNS}
again${i}:
  jal blocks + ${4 * BLOCK_WORDS * i}
  addiu $30, $30, -1
  bnez $30, again${i}
  nop
  lui $26, %hi(dump)
  addiu $26, $26, %lo(dump)
${general.map((n) => `  sw $${n}, ${4 * n}($26)`).join('\n')}
  mfhi $8
  mflo $9
  sw $8, ${4 * REGISTERS}($26)
  sw $9, ${4 * REGISTERS + 4}($26)
  move $5, $26
  jal output
  li $6, ${4 * REGISTERS + 8}
  lui $5, %hi(cells)
  addiu $5, $5, %lo(cells)
  jal output
  li $6, 256`,
  );
  const data = (words: readonly number[]): string =>
    words.map((word) => `.word 0x${(word >>> 0).toString(16)}`).join('\n');
  return `
.set noreorder
.set noat
.globl __start
.bss
.align 8
cells: .space 256
.text
__start:
${calls.join('\n')}
  li $2, 4001
  li $4, 0
  syscall
output:
  li $2, 4004
  li $4, 1
  syscall
  jr $31
  nop
blocks:
${blocks.map(data).join('\n')}
.data
.align 4
seeds:
${data(seeds)}
dump: .space ${4 * REGISTERS + 8}
`;
}

function inQemu(blocks: readonly number[][], seeds: readonly number[]): Int32Array {
  const folder = mkdtempSync(join(tmpdir(), 'integer-'));
  try {
    writeFileSync(join(folder, 'driver.s'), driver(blocks, seeds));
    const flags = '-march=mips1 -mfp32 -nostdlib -static -mno-abicalls -fno-pic -no-pie -Wl,-e,__start';
    execFileSync(GCC, [...flags.split(' '), 'driver.s', '-o', 'driver'], { cwd: folder });
    const out = execFileSync(QEMU, [join(folder, 'driver')], { maxBuffer: 1 << 24 });
    return new Int32Array(new Uint8Array(out).buffer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(missing !== '')(
  `random code does what it does in QEMU${missing === '' ? '' : ` (skipped: no ${missing})`}`,
  () => {
    const next = random(1985);
    const blocks = Array.from({ length: BLOCKS }, () => block(next));
    const seeds = Array.from({ length: BLOCKS * REGISTERS }, () =>
      next() % 4 === 0 ? (next() << 24) >> 24 : next() | 0,
    );
    const expected = inQemu(blocks, seeds);
    const record = REGISTERS + 2 + 64;
    expect(expected.length).toBe(BLOCKS * record);
    expect(new Set(expected).size).toBeGreaterThan(20 * BLOCKS); // the values have not died out

    const machine = new Machine({ ramBytes: 0x40000 });
    const { cpu } = machine;
    const code = 0x2000;
    blocks.forEach((words, i) => {
      machine.memory.storeWords(code + 4 * BLOCK_WORDS * i, Uint32Array.from(words));
    });
    cpu.cp0.status = 0;
    const data = new Int32Array(64);
    for (let i = 0; i < BLOCKS; i += 1) {
      for (let n = 1; n < REGISTERS; n += 1) cpu.registers[n] = seeds[REGISTERS * i + n] ?? 0;
      cpu.registers[GP] = 0x80001080 | 0;
      cpu.hi = cpu.registers[1] ?? 0;
      cpu.lo = cpu.registers[2] ?? 0;
      for (let runs = 0; runs < RUNS; runs += 1) {
        cpu.registers[31] = 0x80001800 | 0; // a branch to itself
        machine.memory.storeWords(0x1800, Uint32Array.of(0x1000ffff, 0));
        cpu.pc = 0x80000000 + code + 4 * BLOCK_WORDS * i;
        machine.run(BLOCK_WORDS);
        expect(cpu.pc & ~7).toBe(0x80001800 | 0);
      }
      for (let k = 0; k < 64; k += 1) data[k] = machine.memory.load32(0x1000 + 4 * k);
      const from = record * i;
      const registers = expected.subarray(from + 1, from + REGISTERS);
      const listing = (blocks[i] ?? []).map((word) => disassemble(word)).join('; ');
      expect([...cpu.registers.subarray(1, REGISTERS)], listing).toEqual([...registers]);
      expect([cpu.hi, cpu.lo]).toEqual([...expected.subarray(from + REGISTERS, from + REGISTERS + 2)]);
      expect([...data]).toEqual([...expected.subarray(from + REGISTERS + 2, from + record)]);
    }
    expect(machine.instructions).toBeGreaterThan(1_000_000);
  },
);
