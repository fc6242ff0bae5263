import { expect, test } from 'vitest';
import {
  controlFlow,
  effects,
  effectsOf,
  encode,
  type Mnemonic,
  operandKinds,
  type OperandKind,
} from '../src/index.ts';
import { ALL, limits, MNEMONICS } from './tables.ts';

/**
 * For rd = 3, rs and base = 4, rt = 5: `r` the registers read, `w` written, `l` written late, `b` a branch, `c` a
 * call. Written from the descriptions in [KANE92 app. A] and [MIPS32], not from the code.
 */
const EXPECTED: readonly (readonly [mnemonics: string, effect: string])[] = [
  ['add addu sub subu and or xor nor slt sltu sllv srlv srav', 'r4 r5 w3'],
  ['sll srl sra', 'r5 w3'],
  ['mfhi mflo', 'w3'],
  ['mthi mtlo', 'r4'],
  ['mult multu div divu', 'r4 r5'],
  ['jr', 'r4 b'],
  ['jalr', 'r4 w3 b c'],
  ['j', 'b'],
  ['jal', 'w31 b c'],
  ['beq bne', 'r4 r5 b'],
  ['blez bgtz bltz bgez', 'r4 b'],
  ['bltzal bgezal', 'r4 w31 b c'],
  ['addi addiu slti sltiu andi ori xori', 'r4 w5'],
  ['lui', 'w5'],
  ['lb lbu lh lhu lw', 'r4 w5 l5'],
  // The merge of lwl and lwr is bypassed, so that a pair may follow each other: no read that a hazard check must see.
  ['lwl lwr', 'r4 w5 l5'],
  ['sb sh sw swl swr', 'r4 r5'],
  ['lwc1 lwc2 lwc3 swc1 swc2 swc3', 'r4'],
  ['mfc0 mfc1 cfc1 mfc2 cfc2', 'w5 l5'],
  ['mtc0 mtc1 ctc1 mtc2 ctc2', 'r5'],
  ['bc0f bc0t bc1f bc1t bc2f bc2t bc3f bc3t', 'b'],
  ['syscall break tlbr tlbwi tlbwr tlbp rfe cop2 cop3', ''],
  // What they leave of a register is what it was.
  ['movz movn', 'r3 r4 r5 w3'],
  ['ins', 'r4 r5 w5'],
  ['teq', 'r4 r5'],
  ['mul', 'r4 r5 w3'],
  ['clz', 'r4 w3'],
  ['ext', 'r4 w5'],
  ['seb seh', 'r5 w3'],
  ['ll', 'r4 w5 l5'],
  ['sc', 'r4 r5 w5'],
  ['add.s sub.s mul.s div.s abs.s mov.s neg.s cvt.d.s cvt.w.s cvt.s.w cvt.d.w', ''],
  ['add.d sub.d mul.d div.d abs.d mov.d neg.d cvt.s.d cvt.w.d', ''],
  ...['s', 'd'].map(
    (f) =>
      [
        'f un eq ueq olt ult ole ule sf ngle seq ngl lt nge le ngt'
          .split(' ')
          .map((c) => `c.${c}.${f}`)
          .join(' '),
        '',
      ] as const,
  ),
];

const ROWS = EXPECTED.flatMap(([names, effect]) => names.split(' ').map((name) => [name as Mnemonic, effect] as const));

const OPERANDS: Partial<Record<OperandKind, number>> = { rd: 3, rd2: 3, rs: 4, base: 4, rt: 5 };

function operandFor(kind: OperandKind): number {
  return OPERANDS[kind] ?? 9;
}

function bits(set: number, letter: string): string[] {
  return Array.from({ length: 32 }, (_, n) => n).flatMap((n) => ((set >>> n) & 1 ? [`${letter}${n}`] : []));
}

test('the expected table covers every mnemonic once', () => {
  expect(ROWS.map(([name]) => name).toSorted()).toEqual(MNEMONICS.toSorted());
});

test.each(ROWS)('%s: %s', (mnemonic, expected) => {
  const word = encode({ mnemonic, operands: operandKinds(mnemonic).map(operandFor) }, ALL);
  const { reads, writes, loads, branches, calls } = effects(word, ALL);
  const found = [...bits(reads, 'r'), ...bits(writes, 'w'), ...bits(loads, 'l'), branches ? 'b' : '', calls ? 'c' : ''];
  expect(found.filter((text) => text !== '').join(' ')).toBe(expected);
  expect(effectsOf(mnemonic, word)).toEqual(effects(word, ALL));
});

test('register zero is never read, written or loaded', () => {
  for (const mnemonic of MNEMONICS) {
    const operands = operandKinds(mnemonic).map((kind) => Math.max(0, limits(kind)[0]));
    const { reads, writes, loads } = effects(encode({ mnemonic, operands }, ALL), ALL);
    expect((reads | writes | loads) & 1, mnemonic).toBe(0);
  }
});

test('a word that is no instruction has no effects and falls through', () => {
  expect(effects(0xffffffff)).toEqual({ reads: 0, writes: 0, loads: 0, branches: false, calls: false });
  expect(controlFlow(0xffffffff, 0)).toEqual({ target: undefined, always: false });
});

test.each([
  ['beq', [4, 5, -2], 0x0ffc, false],
  ['beq', [4, 4, 1], 0x1008, true],
  ['bne', [4, 5, 1], 0x1008, false],
  ['bgez', [0, 1], 0x1008, true],
  ['bgez', [4, 1], 0x1008, false],
  ['bgezal', [0, 1], 0x1008, true],
  ['bltz', [0, 1], 0x1008, false],
  ['bc0t', [1], 0x1008, false],
  ['bc1t', [1], 0x1008, false],
  ['j', [0x10], 0x40, true],
  ['jal', [0x10], 0x40, true],
  ['jr', [31], undefined, true],
  ['jalr', [31, 4], undefined, true],
  ['addu', [1, 2, 3], undefined, false],
] as const)('control flow of %s %j', (mnemonic, operands, target, always) => {
  expect(controlFlow(encode({ mnemonic, operands }), 0x1000)).toEqual({ target, always });
});
