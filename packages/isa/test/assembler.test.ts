import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  A0,
  A1,
  type Assembler,
  createAssembler,
  CP0_STATUS,
  decode,
  disassemble,
  INSTRUCTIONS,
  IsaError,
  type IsaErrorCode,
  RA,
  register,
  SP,
  T0,
  T1,
  V0,
  ZERO,
} from '../src/index.ts';

function assemble(write: (a: Assembler) => void, origin = 0x80001000): ReturnType<Assembler['assemble']> {
  const a = createAssembler(origin);
  write(a);
  return a.assemble();
}

function codeOf(run: () => unknown): IsaErrorCode | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof IsaError) return error.code;
    throw error;
  }
  return undefined;
}

describe('refusals', () => {
  const cases: readonly (readonly [IsaErrorCode, string, (a: Assembler) => void])[] = [
    [
      'label-undefined',
      'a label nobody defines',
      (a) => {
        a.j('nowhere');
        a.nop();
      },
    ],
    [
      'label-undefined',
      'a name of Object.prototype',
      (a) => {
        a.b('constructor');
        a.nop();
      },
    ],
    [
      'label-undefined',
      'the address of no label',
      (a) => {
        a.address('nowhere');
      },
    ],
    [
      'label-twice',
      'a label defined twice',
      (a) => {
        a.label('x');
        a.label('x');
      },
    ],
    [
      'target-range',
      'a branch one word too far forward',
      (a) => {
        a.b(0x80001000 + 4 + 4 * 0x8000);
        a.nop();
      },
    ],
    [
      'target-range',
      'a branch one word too far back',
      (a) => {
        a.b(0x80001000 + 4 - 4 * 0x8001);
        a.nop();
      },
    ],
    [
      'target-range',
      'a branch to half a word',
      (a) => {
        a.b(0x80001002);
        a.nop();
      },
    ],
    [
      'target-range',
      'a jump to another segment',
      (a) => {
        a.j(0x90000000);
        a.nop();
      },
    ],
    [
      'target-range',
      'a jump to half a word',
      (a) => {
        a.j(0x80001002);
        a.nop();
      },
    ],
    [
      'operand-range',
      'an immediate of 17 bits',
      (a) => {
        a.addiu(T0, T0, 0x8000);
      },
    ],
    [
      'operand-range',
      'a negative unsigned immediate',
      (a) => {
        a.andi(T0, T0, -1);
      },
    ],
    [
      'operand-range',
      'a shift of 32',
      (a) => {
        a.sll(T0, T0, 32);
      },
    ],
    [
      'operand-range',
      'a constant of 33 bits',
      (a) => {
        a.li(T0, 2 ** 32);
      },
    ],
    [
      'operand-range',
      'a constant below -2^31',
      (a) => {
        a.li(T0, -(2 ** 31) - 1);
      },
    ],
    [
      'operand-range',
      'a fraction',
      (a) => {
        a.li(T0, 0.5);
      },
    ],
    [
      'operand-range',
      'no number',
      (a) => {
        a.li(T0, NaN);
      },
    ],
    [
      'operand-range',
      'a label where a register belongs',
      (a) => {
        a.emit('addu', [T0, 'x', T0]);
      },
    ],
    [
      'operand-count',
      'an operand too few',
      (a) => {
        a.emit('addu', [T0, T0]);
      },
    ],
    [
      'branch-in-delay-slot',
      'a branch in a slot',
      (a) => {
        a.label('x');
        a.b('x');
        a.b('x');
        a.nop();
      },
    ],
    [
      'branch-in-delay-slot',
      'a return in the slot of a call',
      (a) => {
        a.jal(0x80001000);
        a.ret();
        a.nop();
      },
    ],
    [
      'load-delay',
      'a use after a load',
      (a) => {
        a.lw(T0, 0, A0);
        a.addu(V0, T0, T0);
      },
    ],
    [
      'load-delay',
      'a store of a loaded register',
      (a) => {
        a.lbu(T0, 0, A0);
        a.sb(T0, 0, A1);
      },
    ],
    [
      'load-delay',
      'a branch on a loaded register',
      (a) => {
        a.lw(T0, 0, A0);
        a.beqz(T0, 0x80001000);
        a.nop();
      },
    ],
    [
      'load-delay',
      'a jump through a loaded register',
      (a) => {
        a.lw(RA, 0, SP);
        a.ret();
        a.nop();
      },
    ],
    [
      'load-delay',
      'a use after mfc0',
      (a) => {
        a.mfc0(T0, CP0_STATUS);
        a.ori(T0, T0, 1);
      },
    ],
    [
      'load-delay',
      'a load through a loaded base',
      (a) => {
        a.lw(T0, 0, A0);
        a.lwl(T1, 3, T0);
      },
    ],
    [
      'load-delay',
      'a load in the slot of a branch that falls through into a use',
      (a) => {
        a.beqz(A0, 'end');
        a.lw(T0, 0, A1);
        a.addu(V0, T0, ZERO);
        a.label('end');
        a.nop();
      },
    ],
    [
      'load-delay',
      'a load in a slot whose forward target uses it',
      (a) => {
        a.beqz(A0, 'use');
        a.lw(T0, 0, A1);
        a.nop();
        a.label('use');
        a.addu(V0, T0, ZERO);
      },
    ],
    [
      'load-delay',
      'a load in a slot whose backward target uses it',
      (a) => {
        a.label('use');
        a.addu(V0, T0, ZERO);
        a.b('use');
        a.lw(T0, 0, A1);
      },
    ],
    [
      'load-delay',
      'a load in the slot of a call whose routine uses it',
      (a) => {
        a.jal('use');
        a.lw(A0, 0, SP);
        a.nop();
        a.label('use');
        a.addu(V0, A0, ZERO);
      },
    ],
    [
      'alignment',
      'an alignment of three',
      (a) => {
        a.align(3);
      },
    ],
    [
      'alignment',
      'an alignment of zero',
      (a) => {
        a.align(0);
      },
    ],
    [
      'alignment',
      'an alignment past any memory',
      (a) => {
        a.align(2 ** 40);
      },
    ],
  ];
  test.each(cases)('%s: %s', (code, _, write) => {
    expect(codeOf(() => assemble(write))).toBe(code);
  });

  test.each([2, 0x80000001, NaN, 0.5])('an origin of %d is refused', (origin) => {
    expect(codeOf(() => createAssembler(origin))).toBe('alignment');
  });

  test('register numbers outside 0..31 do not exist', () => {
    for (const n of [-1, 32, 0.5, NaN]) expect(() => register(n)).toThrow(RangeError);
  });
});

describe('what the R3000 allows is not refused', () => {
  const cases: readonly (readonly [string, (a: Assembler) => void])[] = [
    [
      'a use one instruction later',
      (a) => {
        a.lw(T0, 0, A0);
        a.nop();
        a.addu(V0, T0, T0);
      },
    ],
    [
      'lwl and lwr of one register',
      (a) => {
        a.lwl(T0, 3, A0);
        a.lwr(T0, 0, A0);
      },
    ],
    [
      'a load that the next instruction overwrites',
      (a) => {
        a.lw(T0, 0, A0);
        a.li(T0, 1);
      },
    ],
    [
      'a load into zero',
      (a) => {
        a.lw(ZERO, 0, A0);
        a.addu(V0, ZERO, ZERO);
      },
    ],
    [
      'data that looks like a use',
      (a) => {
        a.lw(T0, 0, A0);
        a.word(0x01001025);
      },
    ],
    [
      'data that looks like a branch in a slot',
      (a) => {
        a.ret();
        a.word(0x03e00008);
      },
    ],
    [
      'a load in the slot of jr: its target is unknown',
      (a) => {
        a.ret();
        a.lw(V0, 0, SP);
        a.addu(A0, V0, ZERO);
      },
    ],
    [
      'a load in the slot of b: the word after it is not next',
      (a) => {
        a.b('end');
        a.lw(T0, 0, A0);
        a.addu(V0, T0, ZERO);
        a.label('end');
        a.nop();
      },
    ],
    [
      'a load in a slot whose target is outside the program',
      (a) => {
        a.b(0x80000800);
        a.lw(T0, 0, A0);
      },
    ],
    [
      'a last load',
      (a) => {
        a.lw(T0, 0, A0);
      },
    ],
  ];
  test.each(cases)('%s', (_, write) => {
    expect(codeOf(() => assemble(write))).toBeUndefined();
  });

  test('the farthest branches both ways', () => {
    const forward = assemble((a) => {
      a.b(0x80001000 + 4 + 4 * 0x7fff);
      a.nop();
    });
    const back = assemble((a) => {
      a.b(0x80001000 + 4 - 4 * 0x8000);
      a.nop();
    });
    expect([forward.words[0], back.words[0]]).toEqual([0x10007fff, 0x10008000]);
  });
});

test('labels forward and backward, data, alignment', () => {
  const { words, symbols, origin } = assemble((a) => {
    a.label('loop');
    a.bne(A0, A1, 'done');
    a.addiu(A0, A0, -1);
    a.j('loop');
    a.nop();
    a.label('done');
    a.ret();
    a.nop();
    a.align(16);
    a.label('table');
    a.address('done');
    a.address(0x12345678);
    a.bytes(Uint8Array.of(1, 2, 3, 4, 5));
    expect(a.here).toBe(0x80001030);
  });
  expect(origin).toBe(0x80001000);
  expect([...symbols]).toEqual([
    ['loop', 0x80001000],
    ['done', 0x80001010],
    ['table', 0x80001020],
  ]);
  expect([...words]).toEqual([
    0x14850003, 0x2484ffff, 0x08000400, 0, 0x03e00008, 0, 0, 0, 0x80001010, 0x12345678, 0x04030201, 0x05,
  ]);
});

test('fresh labels are distinct', () => {
  const a = createAssembler(0);
  expect(a.fresh('loop')).not.toBe(a.fresh('loop'));
});

test('every row has a method', () => {
  const a = createAssembler(0) as unknown as Record<string, unknown>;
  for (const mnemonic of Object.keys(INSTRUCTIONS))
    expect(a[mnemonic.replaceAll('.', '_')], mnemonic).toBeTypeOf('function');
});

/** What t0 holds after the words: addiu, ori and lui are all that li and la use. */
function run(words: Uint32Array): number {
  let t0 = 0;
  for (const word of words) {
    const { mnemonic, operands } = decode(word) ?? { mnemonic: 'none', operands: [] };
    const [rt, second = 0, imm = 0] = operands;
    expect(rt).toBe(T0);
    const source = second === 0 ? 0 : t0;
    if (mnemonic === 'lui') t0 = second << 16;
    else if (mnemonic === 'ori') t0 = source | imm;
    else if (mnemonic === 'addiu') t0 = (source + imm) | 0;
    else throw new Error(disassemble(word));
  }
  return t0 >>> 0;
}

describe('li and la', () => {
  test.each([
    [0, ['li t0,0']],
    [-1, ['li t0,-1']],
    [0x7fff, ['li t0,32767']],
    [-0x8000, ['li t0,-32768']],
    [0x8000, ['li t0,0x8000']],
    [0xffff, ['li t0,0xffff']],
    [0x10000, ['lui t0,0x1']],
    [-0x8001, ['lui t0,0xffff', 'ori t0,t0,0x7fff']],
    [0x80000000, ['lui t0,0x8000']],
    [-0x80000000, ['lui t0,0x8000']],
    [0xffffffff, ['li t0,-1']],
    [0x12345678, ['lui t0,0x1234', 'ori t0,t0,0x5678']],
  ])('li %i', (value, lines) => {
    const { words } = assemble((a) => {
      a.li(T0, value);
    });
    expect([...words].map((word) => disassemble(word))).toEqual(lines);
    expect(run(words)).toBe(value >>> 0);
  });

  test('hold every constant', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.integer({ min: 0, max: 0xffffffff })), (value) => {
        expect(
          run(
            assemble((a) => {
              a.li(T0, value);
            }).words,
          ),
        ).toBe(value >>> 0);
        const { words } = assemble((a) => {
          a.la(T0, value);
        });
        expect(words.length).toBe(2);
        expect(run(words)).toBe(value >>> 0);
      }),
    );
  });

  test.each([0, 4, 0x7ffc, 0x8000, 0xfffc, 0x80007ffc, 0x80008000, 0xffff8000, 0xfffffffc])('la %i', (target) => {
    expect(
      run(
        assemble((a) => {
          a.la(T0, target);
        }).words,
      ),
    ).toBe(target);
  });

  test('la of a label behind it', () => {
    const { words, symbols } = assemble((a) => {
      a.la(T0, 'x');
      a.nop();
      a.label('x');
    }, 0x80007ff8);
    expect(run(words.subarray(0, 2))).toBe(symbols.get('x'));
    expect(symbols.get('x')).toBe(0x80008004);
  });
});

describe('extensions', () => {
  test('an assembler made with one has its instructions; another refuses them, with a code', () => {
    const a = createAssembler(0x80001000, ['mips32']);
    a.ll(T0, 4, A0);
    a.nop();
    a.ins(T0, A1, 3, 16);
    a.sc(T0, 4, A0);
    a.clz(V0, T0);
    a.teq(V0, ZERO, 7);
    expect([...a.assemble().words]).toEqual([0xc0880004, 0, 0x7ca890c4, 0xe0880004, 0x71021020, 0x004001f4]);
    const plain = createAssembler(0x80001000);
    plain.emit('clz', [V0, T0]);
    expect(codeOf(() => plain.assemble())).toBe('extension');
  });

  test.each<[string, (a: Assembler<'mips32'>) => void]>([
    ['the register that ll loads', (a) => a.movn(V0, T0, A0)],
    ['the destination that movz may leave', (a) => a.movz(T0, A0, A1)],
    ['the register that ins fills', (a) => a.ins(T0, A0, 0, 1)],
    ['what sc stores', (a) => a.sc(T0, 0, A0)],
  ])('the load delay holds for them: %s', (_, use) => {
    const a = createAssembler(0x80001000, ['mips32']);
    a.ll(T0, 0, A0);
    use(a);
    expect(codeOf(() => a.assemble())).toBe('load-delay');
  });

  test('a register that is only written may be the one being loaded', () => {
    const a = createAssembler(0x80001000, ['mips32']);
    a.ll(T0, 0, A0);
    a.mul(T0, A0, A1);
    expect(a.assemble().words).toHaveLength(2);
  });
});
