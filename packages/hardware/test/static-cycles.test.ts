/** What a program alone says of its cycles, against the machine: caches that have everything, and an empty write buffer. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { A0, A1, T0, T1, T2, ZERO, createAssembler, type Assembler, type Assembly } from '@exokernel/isa';
import { cycleColumn, staticCycles, type Profile } from '../src/index.ts';
import { CODE, boot } from './support.ts';

const DATA = 0x80004000;
/** Longer than anything that is under way. */
const REST = 80;

/** The code between two stretches in which nothing happens, twice: the second time the caches have it. */
function program(body: (a: Assembler) => void): (a: Assembler) => void {
  return (a) => {
    a.lui(A0, DATA >>> 16);
    a.ori(A0, A0, DATA & 0xffff);
    a.li(A1, 2);
    a.label('again');
    for (let i = 0; i < REST; i += 1) a.nop();
    a.label('start');
    body(a);
    a.label('end');
    a.addiu(A1, A1, -1);
    a.bne(A1, ZERO, 'again');
    a.nop();
    a.label('stop');
    a.b('stop');
    a.nop();
  };
}

/** Cycles of each instruction from `start` to `end`, as the program says and as the machine takes. */
function both(body: (a: Assembler) => void, profile: Profile): { said: number[]; taken: number[] } {
  const write = program(body);
  const machine = boot(write, { profile, ramBytes: 0x40000 });
  const a = createAssembler(CODE);
  write(a);
  const assembly: Assembly = a.assemble();
  const at = (label: string): number => ((assembly.symbols.get(label) ?? 0) - CODE) / 4;
  const taken: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    while (machine.cpu.pc !== assembly.symbols.get('start')) machine.run(1);
    for (let i = at('start'); i < at('end'); i += 1) {
      const before = machine.cycles;
      const executed = machine.instructions;
      while (machine.instructions === executed) machine.run(1);
      if (round === 1) taken.push(machine.cycles - before);
    }
  }
  return { said: staticCycles(assembly, profile).slice(at('start'), at('end')), taken };
}

const PIECES: Readonly<Record<string, (a: Assembler) => void>> = {
  'an instruction that waits for nothing': (a) => a.addu(T0, T0, T1),
  'a load': (a) => a.lw(T2, 8, A0),
  'a store': (a) => a.sw(T0, 8, A0),
  'a store of a byte': (a) => a.sb(T0, 9, A0),
  'a store of a part': (a) => a.swl(T0, 10, A0),
  'a multiplication': (a) => a.mult(T0, T1),
  'a division': (a) => a.div(T0, T1),
  'the product': (a) => a.mflo(T0),
  'what moves LO': (a) => a.mtlo(T0),
};

describe.each(['dec2100', 'dec3100', 'dec5000', 'ideal'] as const)('%s', (profile) => {
  test('random pieces take what their program says', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Object.keys(PIECES)), { minLength: 1, maxLength: 40 }), (pieces) => {
        const { said, taken } = both((a) => {
          for (const piece of ['a load', 'a store', ...pieces]) PIECES[piece]?.(a);
        }, profile);
        expect(said).toEqual(taken);
      }),
      { numRuns: 15 },
    );
  });

  test('an access to an address that no cache serves, loaded in the same stretch', () => {
    const { said, taken } = both((a) => {
      a.sw(T0, 8, A0);
      a.lui(T2, 0xa000);
      a.addu(T1, T2, ZERO);
      a.ori(T1, T1, 0x4000);
      a.lw(T0, 4, T1);
      a.nop();
      a.sh(T0, 8, T1);
      a.nop();
    }, profile);
    expect(said).toEqual(taken);
  });
});

test('the columns: one for profiles that take the same, and what is behind a jump begins anew', () => {
  const a = createAssembler(CODE);
  for (let i = 0; i < 6; i += 1) a.sw(T0, 4 * i, A0);
  a.b('end');
  a.nop();
  a.sw(T0, 0, A0);
  a.label('end');
  const assembly = a.assemble();
  const { heading, column } = cycleColumn(assembly);
  expect(heading).toMatch(/^cycles on ideal; dec2100 and dec3100; dec5000: /);
  expect(Array.from(assembly.words, (_, i) => column(i).trim())).toEqual([
    '1  1  1',
    '1  1  1',
    '1  1  1',
    '1  1  1',
    '1  3  1',
    '1  6  1',
    '1  1  1',
    '1  1  1',
    '1  1  1',
  ]);
});
