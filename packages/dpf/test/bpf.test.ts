/** The BPF machine: its operations, its limits, its two forms of text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BPF,
  BPF_MAX_INSTRUCTIONS,
  decodeBpf,
  encodeBpf,
  formatBpf,
  formatInstruction,
  parseBpf,
  runBpf,
  validateBpf,
  type BpfInstruction,
} from '../src/bpf/index.ts';
import { BY_CODE } from '../src/bpf/operations-table.ts';
import { DpfError } from '../src/index.ts';

const one = (code: number, k = 0, jt = 0, jf = 0): BpfInstruction => ({ code, jt, jf, k });
const RETURN_A = one(BPF.RET_A);
const packet = Uint8Array.from([0x45, 0x01, 0x02, 0x03, 0xff, 0xfe, 0xfd, 0xfc]);
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof DpfError ? error.code : String(error);
  }
};

describe('the meaning of programs', () => {
  test.each([
    ['a word', [one(BPF.LD_ABS, 4)], 0xfffe_fdfc],
    ['a half', [one(BPF.LDH_ABS, 6)], 0xfdfc],
    ['a byte', [one(BPF.LDB_ABS, 7)], 0xfc],
    ['relative to X', [one(BPF.LDX_IMM, 2), one(BPF.LDH_IND, 1)], 0x03ff],
    ['the length of a header', [one(BPF.LDX_MSH, 0), one(BPF.TXA)], 20],
    ['the length on the wire', [one(BPF.LD_LEN)], 100],
    ['the same, in X', [one(BPF.LDX_LEN), one(BPF.TXA)], 100],
    ['a sum that wraps', [one(BPF.LD_IMM, 0xffff_ffff), one(BPF.ADD_K, 3)], 2],
    ['a difference that wraps', [one(BPF.LD_IMM, 1), one(BPF.SUB_K, 2)], 0xffff_ffff],
    ['a product', [one(BPF.LD_IMM, 0xffff_ffff), one(BPF.MUL_K, 0xffff_ffff)], 1],
    ['a quotient without a sign', [one(BPF.LD_IMM, 0xffff_fffe), one(BPF.DIV_K, 2)], 0x7fff_ffff],
    ['a remainder without a sign', [one(BPF.LD_IMM, 0xffff_ffff), one(BPF.MOD_K, 10)], 5],
    ['a shift by 31', [one(BPF.LD_IMM, 3), one(BPF.LSH_K, 31)], 0x8000_0000],
    ['a shift by 32', [one(BPF.LD_IMM, 3), one(BPF.LDX_IMM, 32), one(BPF.LSH_X)], 0],
    ['a shift to the right', [one(BPF.LD_IMM, 0x8000_0000), one(BPF.RSH_K, 31)], 1],
    ['a negation', [one(BPF.LD_IMM, 1), one(BPF.NEG)], 0xffff_ffff],
    ['bits', [one(BPF.LD_IMM, 0xf0f0_f0f0), one(BPF.OR_K, 0x0f), one(BPF.AND_K, 0xff), one(BPF.XOR_K, 0x01)], 0xfe],
    [
      'memory, from A and from X',
      [one(BPF.LD_IMM, 7), one(BPF.ST, 15), one(BPF.LDX_MEM, 15), one(BPF.STX, 0), one(BPF.LD_MEM, 0)],
      7,
    ],
    ['what Linux knows, beginning with the protocol', [one(BPF.LDH_ABS, 0xffff_f000)], 0x1000],
    ['memory that was never set', [one(BPF.LD_IMM, 7), one(BPF.LD_MEM, 3)], 0],
  ])('%s', (_, program, value) => {
    expect(runBpf([...program, RETURN_A], packet, 100, (offset) => 0x1000 + offset)).toBe(value);
  });

  test.each([
    ['a word that ends beyond the packet', [one(BPF.LD_ABS, 5)]],
    ['a half that ends beyond the packet', [one(BPF.LDH_ABS, 7)]],
    ['a byte behind the packet', [one(BPF.LDB_ABS, 8)]],
    ['an offset that would wrap around', [one(BPF.LDX_IMM, 0xffff_ffff), one(BPF.LDB_IND, 1)]],
    ['a header behind the packet', [one(BPF.LDX_MSH, 8)]],
    ['a division by X = 0', [one(BPF.LDX_IMM, 0), one(BPF.DIV_X)]],
    ['a remainder by X = 0', [one(BPF.LDX_IMM, 0), one(BPF.MOD_X)]],
    ['what Linux knows, on a host that is not Linux', [one(BPF.LDB_ABS, 0xffff_f030)]],
  ])('%s ends the program with 0', (_, program) => {
    expect(runBpf([...program, one(BPF.RET_K, 99)], packet)).toBe(0);
  });

  test.each([
    [BPF.JEQ_K, [false, true, false]],
    [BPF.JGT_K, [false, false, true]],
    [BPF.JGE_K, [false, true, true]],
  ])('comparison 0x%s has no sign', (code, expected) => {
    const above = [0x7fff_ffff, 0x8000_0000, 0x8000_0001];
    const program = (a: number): BpfInstruction[] => [
      one(BPF.LD_IMM, a),
      one(code, 0x8000_0000, 0, 1),
      one(BPF.RET_K, 1),
      one(BPF.RET_K, 2),
    ];
    expect(above.map((a) => runBpf(program(a), packet) === 1)).toEqual(expected);
    const byX = (a: number): BpfInstruction[] => {
      const [load, , ...rest] = program(a);
      return [load!, one(BPF.LDX_IMM, 0x8000_0000), one(code | 8, 0, 0, 1), ...rest];
    };
    expect(above.map((a) => runBpf(byX(a), packet) === 1)).toEqual(expected);
  });

  test('a test of bits looks at the highest too', () => {
    const rest = [one(BPF.RET_K, 1), one(BPF.RET_K, 2)];
    const byK = (k: number): BpfInstruction[] => [one(BPF.LD_ABS, 4), one(BPF.JSET_K, k, 0, 1), ...rest];
    const byX = (k: number): BpfInstruction[] => [
      one(BPF.LD_ABS, 4),
      one(BPF.LDX_IMM, k),
      one(BPF.JSET_X, 0, 0, 1),
      ...rest,
    ];
    for (const program of [byK, byX])
      expect([0x8000_0000, 0x0001_0000, 0x0000_0002, 0x0000_0100].map((k) => runBpf(program(k), packet))).toEqual([
        1, 2, 2, 1,
      ]);
  });

  test('a program that is not valid ends all the same', () => {
    const endless = [one(BPF.JA, 0xffff_ffff), RETURN_A];
    expect(runBpf(endless, packet)).toBe(0);
    expect(runBpf([], packet)).toBe(0);
    expect(runBpf([one(BPF.JA, 5)], packet)).toBe(0);
    expect(runBpf([one(BPF.LD_MEM, 16), one(BPF.RET_K, 1)], packet)).toBe(0);
    expect(runBpf([one(BPF.ST, 16), one(BPF.RET_K, 1)], packet)).toBe(0);
    expect(runBpf([one(0x1234), one(BPF.RET_K, 1)], packet)).toBe(0);
  });
});

test('the codes of the operations', () => {
  const names = [
    '0 ld #,1 ldx #,2 st M,3 stx M,4 add #,5 ja,6 ret #,7 tax,c add x,14 sub #,15 jeq #,16 ret,1c sub x,1d jeq x,20 ld [],24 mul #',
    '25 jgt #,28 ldh [],2c mul x,2d jgt x,30 ldb [],34 div #,35 jge #,3c div x,3d jge x,40 ld [x],44 or #,45 jset #,48 ldh [x]',
    '4c or x,4d jset x,50 ldb [x],54 and #,5c and x,60 ld M,61 ldx M,64 lsh #,6c lsh x,74 rsh #,7c rsh x,80 ld #pktlen',
    '81 ldx #pktlen,84 neg,87 txa,94 mod #,9c mod x,a4 xor #,ac xor x,b1 ldxb 4*',
  ];
  for (const row of names.join(',').split(',')) {
    const [hex = '', name = '', operand = ''] = row.split(' ');
    const listed = formatInstruction(one(parseInt(hex, 16), 7), 0)
      .slice(6)
      .split(/\s+/);
    expect(listed[0], row).toBe(name);
    if (operand === '[]') expect(listed[1], row).toBe('[7]');
    else if (operand === '[x]') expect(listed.slice(1, 4).join(' '), row).toBe('[x + 7]');
    else expect((listed[1] ?? '').startsWith(operand), row).toBe(true);
  }
});

describe('which programs may run', () => {
  const accept = one(BPF.RET_K, 1);
  test.each([
    ['nothing', []],
    ['no ret at the end', [one(BPF.LD_IMM)]],
    ['an unknown operation', [one(0x0e), accept]],
    ['a branch beyond the end', [one(BPF.JEQ_K, 0, 1, 0), accept]],
    ['the other branch beyond the end', [one(BPF.JEQ_K, 0, 0, 1), accept]],
    ['a jump beyond the end', [one(BPF.JA, 1), accept]],
    ['a loop', [one(BPF.JA, 0xffff_ffff), accept]],
    ['memory without end', [one(BPF.ST, 16), accept]],
    ['a division by 0', [one(BPF.DIV_K, 0), accept]],
    ['a remainder by 0', [one(BPF.MOD_K, 0), accept]],
    ['a shift by 32', [one(BPF.LSH_K, 32), accept]],
    ['a word that is none', [one(BPF.LD_IMM, 2 ** 32), accept]],
    ['a branch that is no byte', [one(BPF.LD_IMM, 0, 256), accept]],
    ['a code that is no number', [one(NaN), accept]],
  ])('not %s', (_, program) => {
    expect(codeOf(() => validateBpf(program))).toBe('malformed');
  });

  test('not more than a million instructions', () => {
    const long = new Array<BpfInstruction>(BPF_MAX_INSTRUCTIONS + 1).fill(accept);
    expect(codeOf(() => validateBpf(long))).toBe('malformed');
    expect(codeOf(() => validateBpf(long.slice(1)))).toBeUndefined();
  });

  const instruction = fc.record({
    code: fc.constantFrom(...BY_CODE.keys()),
    jt: fc.integer({ min: 0, max: 6 }),
    jf: fc.integer({ min: 0, max: 6 }),
    k: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 0xffff_ffff })),
  });

  test('those that may end, with a word', () => {
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 12 }), fc.uint8Array({ maxLength: 40 }), (body, bytes) => {
        const program = [...body, RETURN_A];
        const result = runBpf(program, bytes);
        expect(Number.isInteger(result) && result >= 0 && result <= 0xffff_ffff).toBe(true);
      }),
    );
  });

  test('numbers say a program, and a listing does', () => {
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 12 }), (body) => {
        expect(decodeBpf(encodeBpf(body))).toEqual(body);
        // A listing has branches where an operation branches, and an operand where it has one.
        const plain = body.map(({ code, jt, jf, k }) => {
          const { branches, operand } = BY_CODE.get(code)!;
          const hasK = !['none', 'x', 'length'].includes(operand);
          const isOffset = operand === 'jump' || operand === 'memory';
          return { code, jt: branches ? jt : 0, jf: branches ? jf : 0, k: hasK ? (isOffset ? k & 15 : k) : 0 };
        });
        expect(parseBpf(formatBpf(plain))).toEqual(plain);
      }),
    );
  });
});

describe('text', () => {
  test('a refusal names the line', () => {
    const line = (run: () => unknown): unknown => {
      try {
        return run();
      } catch (error) {
        return (error as DpfError).details['line'];
      }
    };
    expect(line(() => parseBpf('(000) ret      #0\n(001) nothing'))).toBe(2);
    expect(line(() => decodeBpf('2\n6 0 0 0\n6 0 0'))).toBe(3);
  });

  const listing = [
    '(000) ldh      [12]',
    '(001) jeq      #0x800           jt 2\tjf 5',
    '(002) ldxb     4*([14]&0xf)',
    '(003) ldb      [vlanp]',
    '(004) ret      #262144',
    '(005) ret      #0',
  ].join('\n');

  test('a listing, and the numbers of the same program', () => {
    const program = parseBpf(listing);
    expect(formatBpf(program)).toBe(listing);
    expect(encodeBpf(program)).toBe(
      '6\n40 0 0 12\n21 0 3 2048\n177 0 0 14\n48 0 0 4294963248\n6 0 0 262144\n6 0 0 0\n',
    );
    expect(formatInstruction(one(0x0e), 0)).toBe('(000) unimp    0xe');
  });

  test('a branch reaches 255 instructions', () => {
    expect(parseBpf('(000) jeq      #0x1             jt 256\tjf 1')).toEqual([one(BPF.JEQ_K, 1, 255, 0)]);
    expect(parseBpf('(000) jeq      #0x1             jt 1\tjf 256')).toEqual([one(BPF.JEQ_K, 1, 0, 255)]);
  });

  test('negative operands are words', () => {
    expect(parseBpf('(000) ld       [-4096]')).toEqual([one(BPF.LD_ABS, 0xffff_f000)]);
    expect(parseBpf('(000) add      #-1')).toEqual([one(BPF.ADD_K, 0xffff_ffff)]);
  });

  test.each([
    'ldh [12]',
    '(001) ret      #0',
    '(000) xyz      #0',
    '(000) ldh      12',
    '(000) ldh      [nothing]',
    '(000) jeq      #0x800',
    '(000) jeq      #0x800           jt 0\tjf 5',
    '(000) jeq      #0x800           jt 2\tjf 500',
    '(000) jeq      #0x800           jt 500\tjf 2',
    '(000) jeq      #0x800           jt 2\tjf 0',
    '(000) ret      #99999999999',
    '(000) ret      #-3000000000',
    '(000) ret      #0           jt 2\tjf 5',
  ])('%j is no listing', (text) => {
    expect(codeOf(() => parseBpf(text))).toBe('malformed');
  });

  test.each([
    '',
    'x',
    '2\n6 0 0 0',
    '1\n6 0 0',
    '1\n6 0 0 4294967296',
    '1\n6 256 0 0',
    '1\n70000 0 0 0',
    '1\n-6 0 0 0',
  ])('%j is no program', (text) => {
    expect(codeOf(() => decodeBpf(text))).toBe('malformed');
  });
});
