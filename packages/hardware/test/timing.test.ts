import { A0, A1, encode, S0, T0, T1, T2, V0, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import type { Profile } from '../src/index.ts';
import { boot, CODE, load } from './support.ts';
import { CACHE, DATA, program, PROFILES, run, warm } from './timing-support.ts';

describe('caches', () => {
  test('a fetch that misses brings in its block', () => {
    const cycles = PROFILES.map((profile) => {
      const machine = boot(() => undefined, { profile });
      const end = program(machine, (a) => {
        for (let i = 0; i < 8; i += 1) a.nop();
      });
      return [run(machine, end), run(machine, end)];
    });
    expect(cycles).toEqual([
      [8, 8],
      [8 + 8 * 6, 8],
      [8 + 2 * 15, 8],
    ]);
  });

  test('a block is aligned, wherever in it the fetch begins', () => {
    const machine = boot(() => undefined, { profile: 'dec5000' });
    const end = program(machine, (a) => {
      a.j(CODE + 0x1c);
      for (let i = 0; i < 9; i += 1) a.nop();
    });
    expect(run(machine, end)).toBe(5 + 3 * 15); // at 0 and 4; at 0x1c; at 0x20 and 0x24
    load(machine, CODE, (a) => a.nop());
    expect(run(machine, end)).toBe(10); // at 8 and 0x10 the blocks are there too
  });

  test.each<[string, (a: Assembler) => void, number[]]>([
    ['one word', (a) => a.lw(T0, 0, A0), [1, 7, 16]],
    [
      'the same word again',
      (a) => {
        a.lw(T0, 0, A0);
        a.lw(T1, 0, A0);
        a.lbu(T2, 3, A0);
      },
      [3, 9, 18],
    ],
    [
      'its neighbours',
      (a) => {
        a.lw(T0, 8, A0);
        a.lw(T1, 0, A0);
        a.lh(T2, 14, A0);
        a.lb(V0, 16, A0);
      },
      [4, 28, 34],
    ],
    [
      'a word in two steps',
      (a) => {
        a.lwl(T0, 6, A0);
        a.lwr(T0, 3, A0);
      },
      [2, 14, 17],
    ],
  ])('loads: %s', (_, build, cycles) => {
    expect(warm(build)).toEqual(cycles);
  });

  test('words a cache apart displace each other, in data and in instructions', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    const end = program(machine, (a) => {
      a.lw(T0, 0, A0);
      a.lw(T1, 0, A1);
      a.lw(T2, 0, A0);
    });
    machine.cpu.registers[A1] = (DATA + CACHE) | 0;
    run(machine, end);
    expect(run(machine, end)).toBe(3 + 2 * 6); // at its end the word at A0 is there
    machine.cpu.registers[A1] = (DATA + CACHE + 4) | 0;
    run(machine, end);
    expect(run(machine, end)).toBe(3);

    load(machine, CODE + CACHE, (a) => {
      a.b(CODE + CACHE);
      a.nop();
    });
    machine.cpu.pc = CODE + CACHE;
    machine.runTo(machine.cycles + 20);
    expect(run(machine, end)).toBe(3 + 2 * 6);
  });

  test('instructions and data have caches of their own', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    const end = program(machine, (a) => a.lw(T0, 0, A0));
    run(machine, end);
    machine.cpu.registers[A0] = CODE | 0;
    expect(run(machine, end)).toBe(7);
    expect(run(machine, end)).toBe(1);
  });

  test.each<[string, (a: Assembler) => void, number[]]>([
    [
      'a stored word is cached',
      (a) => {
        a.sw(T0, 0, A0);
        a.lw(T1, 0, A0);
      },
      [2, 2, 2],
    ],
    [
      'only that word: its neighbour is not, and waits for the store too',
      (a) => {
        a.sw(T0, 0, A0);
        a.lw(T1, 4, A0);
      },
      [2, 2 + 5 + 6, 2 + 1 + 15],
    ],
    [
      'a stored byte is not',
      (a) => {
        a.sb(T0, 0, A0);
        a.lw(T1, 0, A0);
      },
      [2, 2 + 5 + 6, 2 + 1 + 15],
    ],
    [
      'into a cached word it is merged',
      (a) => {
        a.sw(T0, 0, A0);
        a.sh(T0, 2, A0);
        a.swl(T0, 1, A0);
        a.lw(T0, 0, A0);
      },
      [4, 6, 6],
    ],
  ])('stores: %s', (_, build, cycles) => {
    expect(warm(build)).toEqual(cycles);
  });
});

describe('write buffer', () => {
  /** Cycles of `count` stores one after the other. */
  function stores(count: number): number[] {
    return warm((a) => {
      for (let i = 0; i < count; i += 1) a.sw(T0, 4 * i, A0);
    });
  }

  test('takes stores until it is full, and then one whenever memory has taken one', () => {
    // KN01: the first is with memory from cycle 1 to 7, the fifth finds four and waits for that.
    expect([3, 4, 5, 6, 7].map((n) => stores(n)[1])).toEqual([3, 4, 7, 13, 19]);
    // At two cycles a store six of them wait when the eleventh is added, one cycle early.
    expect([10, 11, 12, 13].map((n) => stores(n)[2])).toEqual([10, 11, 13, 15]);
    expect(stores(13)[0]).toBe(13);
  });

  test('empties while other instructions are executed', () => {
    const [, kn01] = warm((a) => {
      for (let i = 0; i < 5; i += 1) {
        a.sw(T0, 0, A0);
        for (let k = 0; k < 5; k += 1) a.nop();
      }
    });
    expect(kn01).toBe(30);
  });

  test.each<[Profile, number]>([
    ['ideal', 0],
    ['dec3100', 2],
    ['dec5000', 0], // the loop is longer than its store
  ])('bc0f waits for it: %s', (profile, turns) => {
    const machine = boot(() => undefined, { profile });
    const end = program(machine, (a) => {
      a.move(S0, ZERO);
      a.sw(T0, 0, A0);
      a.nop();
      a.label('wait');
      a.bc0f('wait');
      a.addiu(S0, S0, 1);
    });
    run(machine, end);
    run(machine, end);
    expect(machine.cpu.registers[S0]).toBe(turns + 1);
  });
});

describe('uncached accesses', () => {
  test.each<[string, (a: Assembler) => void, number[]]>([
    [
      'loads wait for stores and for memory, every time',
      (a) => {
        a.lui(T1, 0xa000);
        a.lw(T0, 0x2000, T1);
        a.lw(T0, 0x2000, T1);
        a.sw(T2, 0x2000, T1);
        a.lb(T0, 0x2000, T1);
      },
      [5, 5 + 6 + 6 + 5 + 6, 5 + 12 + 12 + 1 + 12],
    ],
    [
      'they leave nothing in the cache',
      (a) => {
        a.lui(T1, 0xa000);
        a.lw(T0, 0x2000, T1);
        a.sw(T2, 0x2004, T1);
        for (let i = 0; i < 8; i += 1) a.nop();
        a.lw(T0, 0, A0);
        a.lw(T0, 4, A0);
      },
      [13, 13 + 6 + 6 + 6, 13 + 12 + 15],
    ],
    [
      'a device',
      (a) => {
        a.lui(T1, 0xbe00);
        a.lw(T0, 0, T1);
      },
      [2, 8, 14],
    ],
  ])('%s', (_, build, cycles) => {
    expect(warm(build)).toEqual(cycles);
  });

  test('fetches', () => {
    const cycles = PROFILES.map((profile) => {
      const machine = boot(() => undefined, { profile });
      load(machine, CODE, (a) => {
        a.lw(T0, 0, A0);
        a.word(encode({ mnemonic: 'addu', operands: [T1, T0, T0] })); // does not see the load yet
        a.addu(T2, T0, T0);
        a.nop();
      });
      machine.cpu.registers[A0] = DATA | 0;
      machine.memory.store32(0x2000, 21);
      machine.cpu.pc = CODE + 0x20000000;
      machine.runTo(machine.cycles + 1);
      machine.runTo(machine.cycles + 1);
      const before = machine.cycles;
      while (machine.cpu.pc !== CODE + 0x20000010) machine.runTo(machine.cycles + 1);
      expect([machine.cpu.registers[T1], machine.cpu.registers[T2]]).toEqual([0, 42]);
      return machine.cycles - before;
    });
    expect(cycles).toEqual([2, 2 * 7, 2 * 13]);
  });

  test('pages with the N bit, but for `ideal`', () => {
    const N = 0x800;
    const cycles = PROFILES.map((profile) => {
      const machine = boot(() => undefined, { profile });
      const end = program(machine, (a) => {
        a.lw(T0, 0x1000, ZERO);
        a.lw(T0, 0x2000, ZERO);
      });
      machine.cpu.tlb.write(0, 0x1000, 0x2000 | N | 0x200);
      machine.cpu.tlb.write(1, 0x2000, 0x3000 | 0x200);
      run(machine, end);
      return run(machine, end);
    });
    expect(cycles).toEqual([2, 8, 14]);
  });

  test('code in such a page runs into the next one, which is cached', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    machine.cpu.tlb.write(0, 0x1000, 0x2000 | 0x800 | 0x200);
    machine.cpu.tlb.write(1, 0x2000, 0x3000 | 0x200);
    for (let round = 0; round < 2; round += 1) {
      machine.cpu.pc = 0x1ff8;
      const before = machine.cycles;
      while (machine.cpu.pc !== 0x2008) machine.runTo(machine.cycles + 1);
      expect(machine.cycles - before).toBe(4 + (round === 0 ? 4 : 2) * 6);
    }
  });

  test('an access that faults waits for nothing; a bus error for the bus', () => {
    for (const [base, cycles] of [
      [0x00004000, 1],
      [0xa0000002, 1],
      [0xb6000000, 7],
    ] as const) {
      const machine = boot(() => undefined, { profile: 'dec3100' });
      program(machine, (a) => a.lw(T0, 0, A0));
      machine.cpu.pc = CODE;
      machine.cpu.registers[A0] = base | 0;
      machine.runTo(machine.cycles + 1);
      expect(machine.cycles).toBe(6 + cycles);
      expect(machine.cpu.pc).toBe(base < 0x80000000 ? 0x80000000 : 0x80000080);
    }
  });
});

test('native functions cost what they charge, wherever they reach, and leave the caches as they are', () => {
  const machine = boot(() => undefined, { profile: 'dec3100' });
  const end = program(machine, (a) => {
    a.cop2(0);
    a.lw(T0, 0, A0);
  });
  machine.cpu.cp0.status = 0x40000000;
  machine.native.install('kernel', [
    (cpu) => {
      cpu.load32(DATA + CACHE);
      cpu.store32(DATA + CACHE, 1);
      cpu.store8(0xa0003000, cpu.load8(0xa0003001));
      cpu.load32(0xbe000000);
      cpu.charge(10);
    },
  ]);
  run(machine, end);
  expect(run(machine, end)).toBe(12);
});

test('an idle loop passes at once only when its fetches do not wait', () => {
  for (const [segment, instructions, isFast] of [
    [0x80000000, 1000 - 12, true],
    [0xa0000000, 143, false],
  ] as const) {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    load(machine, segment + 0x1000, (a) => {
      a.b(segment + 0x1000);
      a.nop();
    });
    machine.cpu.cp0.status = 1;
    machine.cpu.pc = segment + 0x1000;
    const result = machine.run(1000);
    expect(result.instructions).toBe(instructions);
    expect(result.idleCycles > 0).toBe(isFast);
  }
});
