import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disassemble, INSTRUCTIONS, type Mnemonic } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { FpuBench, operation } from './fpu-support.ts';
import { random } from './support.ts';

const QEMU = '/usr/bin/qemu-mipsel';
const GCC = '/usr/bin/mipsel-linux-gnu-gcc';
const missing = [QEMU, GCC].filter((path) => !existsSync(path)).join(', ');

/** All operations of the unit, of which the comparisons are most and meet NaNs of both kinds. */
const MNEMONICS = (Object.keys(INSTRUCTIONS) as Mnemonic[]).filter((mnemonic) => mnemonic.includes('.'));

const RECORD = 24;
const COUNT = 200_000;

/**
 * Reads records { a: 8 bytes, b: 8, operation: 4, FCR31: 4 } until the end, and writes each back as { result: 8, FCR31: 4 }
 * followed by what it was. Every operation is a routine of four words.
 */
function driver(): string {
  const routines = MNEMONICS.map(
    (m) => `.word 0x${operation(m).toString(16)} # ${disassemble(operation(m))}\n jr $31\n nop\n nop`,
  );
  return `
.set noreorder
.set noat
.bss
.align 4
buffer: .space ${RECORD * COUNT + 0x100000}
.text
.globl __start
__start:
  lui $16, %hi(buffer)
  addiu $16, $16, %lo(buffer)
  move $17, $16
read:
  li $2, 4003
  li $4, 0
  move $5, $17
  lui $6, 16
  syscall
  bnez $7, end
  nop
  blez $2, begin
  nop
  b read
  addu $17, $17, $2
begin:
  move $18, $16
next:
  sltu $8, $18, $17
  beqz $8, finish
  lw $8, 16($18)
  lw $9, 20($18)
  lwc1 $f8, 0($18)
  lwc1 $f9, 4($18)
  lwc1 $f12, 8($18)
  lwc1 $f13, 12($18)
  mtc1 $0, $f4
  mtc1 $0, $f5
  ctc1 $9, $31
  lui $10, %hi(routines)
  addiu $10, $10, %lo(routines)
  sll $8, $8, 4
  addu $10, $10, $8
  jalr $10
  nop
  swc1 $f4, 0($18)
  swc1 $f5, 4($18)
  cfc1 $9, $31
  nop
  sw $9, 8($18)
  b next
  addiu $18, $18, ${RECORD}
finish:
  li $2, 4004
  li $4, 1
  move $5, $16
  subu $6, $17, $16
  syscall
  bnez $7, end
  nop
  addu $16, $16, $2
  bne $16, $17, finish
  nop
end:
  li $2, 4001
  move $4, $7
  syscall
  nop
routines:
${routines.join('\n')}
`;
}

/** Bits of a number: any; near 1; near the ends; whole words; few digits. */
function operand(next: () => number, isDouble: boolean): bigint {
  const [width, fraction] = isDouble ? [64, 52] : [32, 23];
  const low = BigInt(next());
  const bits = isDouble ? (BigInt(next()) << 32n) | low : low;
  const max = isDouble ? 2047 : 255;
  const kind = next() % 8;
  if (kind === 0) return bits;
  const near = (max - 1) / 2 + (next() % 64) - 32;
  const exponent = kind < 6 ? near : kind === 6 ? ([0, 1, 2, max - 2, max - 1, max][next() % 6] ?? 0) : next() % max;
  let digits = bits & ((1n << BigInt(fraction)) - 1n);
  if (next() % 3 === 0) digits &= -1n << BigInt(next() % fraction);
  if (next() % 16 === 0) digits = 0n;
  return (BigInt(next() & 1) << BigInt(width - 1)) | (BigInt(exponent) << BigInt(fraction)) | digits;
}

test.skipIf(missing !== '')(
  `operations give what QEMU gives${missing === '' ? '' : ` (skipped: no ${missing})`}`,
  () => {
    const next = random(3010);
    const records = new Uint8Array(RECORD * COUNT);
    const view = new DataView(records.buffer);
    for (let at = 0; at < records.length; at += RECORD) {
      const index = next() % MNEMONICS.length;
      const mnemonic = MNEMONICS[index] ?? 'add.s';
      const isDouble = /\.d$/.test(mnemonic);
      const a = mnemonic.endsWith('.w')
        ? BigInt.asUintN(64, BigInt((next() | 0) >> (next() % 32)))
        : operand(next, isDouble);
      view.setBigUint64(at, a, true);
      view.setBigUint64(at + 8, next() % 8 === 0 ? a : operand(next, isDouble), true);
      view.setUint32(at + 16, index, true);
      view.setUint32(at + 20, next() & 3, true);
    }
    const folder = mkdtempSync(join(tmpdir(), 'fpu-'));
    let answers: Uint8Array;
    try {
      writeFileSync(join(folder, 'driver.s'), driver());
      const flags = '-march=mips1 -mfp32 -mhard-float -nostdlib -static -mno-abicalls -fno-pic -no-pie -Wl,-e,__start';
      execFileSync(GCC, [...flags.split(' '), 'driver.s', '-o', 'driver'], { cwd: folder });
      answers = execFileSync(QEMU, [join(folder, 'driver')], { input: records, maxBuffer: 2 * records.length });
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(answers.length).toBe(records.length);
    const found = new DataView(answers.buffer, answers.byteOffset);
    const bench = new FpuBench();
    const compared = new Map<string, number>();
    const invalid = new Set<string>();
    const inexact = [0, 0, 0, 0];
    for (let at = 0; at < records.length; at += RECORD) {
      const mnemonic = MNEMONICS[view.getUint32(at + 16, true)] ?? 'add.s';
      const a = view.getBigUint64(at, true);
      const b = view.getBigUint64(at + 8, true);
      const mode = view.getUint32(at + 20, true);
      const ours = bench.run(mnemonic, a, b, mode);
      // What the R3010 leaves to software QEMU computes; and its abs and neg take NaNs.
      if (ours.cause === 'E' || (ours.cause === 'V' && /^(abs|neg)/.test(mnemonic))) continue;
      compared.set(`${mnemonic} ${mode}`, (compared.get(`${mnemonic} ${mode}`) ?? 0) + 1);
      if (ours.cause === 'V') invalid.add(mnemonic);
      const status = found.getUint32(at + 8, true);
      const isCompare = mnemonic.startsWith('c.');
      const theirs = isCompare ? BigInt((status >>> 23) & 1) : found.getBigUint64(at, true);
      if (ours.cause === 'I') inexact[mode] = (inexact[mode] ?? 0) + 1;
      const same = ours.bits === theirs && (bench.machine.cpu.fpu.status & 0x3ffff) === (status & 0x3ffff);
      if (same) continue;
      const what = `${mnemonic} 0x${a.toString(16)} 0x${b.toString(16)} mode ${mode}`;
      expect([what, ours.bits, bench.machine.cpu.fpu.status & 0x3ffff]).toEqual([what, theirs, status & 0x3ffff]);
    }
    expect(compared.size).toBe(4 * 52); // operations in each rounding mode
    expect(Math.min(...compared.values())).toBeGreaterThan(500);
    expect(invalid.size).toBe(52 - ['abs', 'neg', 'mov', 'cvt from w'].length * 2);
    expect(Math.min(...inexact)).toBeGreaterThan(5000);
  },
);
