/** Listings: labels, notes, delay slots, and names only where they are certain. */
import { expect, test } from 'vitest';
import {
  A0,
  RA,
  T0,
  T1,
  T2,
  V0,
  ZERO,
  createAssembler,
  listing,
  withSlots,
  type ListingOptions,
} from '../src/index.ts';

const RECORD = { name: 'R', fields: { first: 0, second: 4, big: 8 } };
const OPTIONS: ListingOptions = {
  zero: { name: 'Z', fields: { record: -8, other: -4 } },
  pointers: new Map([['Z.record', RECORD]]),
  tables: new Map([[0x8002, RECORD]]),
  natives: new Map([[7, 'NATIVE.seven']]),
};

function lines(write: (a: ReturnType<typeof withSlots>) => void, options: ListingOptions = OPTIONS): string[] {
  const a = createAssembler(0x80001000);
  write(withSlots(a));
  return listing(a.assemble(), options).map((line) => line.replace(/^ {2}[0-9a-f]{8} {2}/, '  '));
}

test('names, notes and slots', () => {
  expect(
    lines((a) => {
      a.label('go');
      a.note('why');
      a.lw(T0, -8, ZERO);
      a.lw(T1, -4, ZERO);
      a.lw(T2, 0, T0);
      a.lw(V0, 0, T1);
      a.nop();
      a.sw(V0, 12, T0);
      a.lui(T1, 0x8002);
      a.addu(T1, T1, T2);
      a.move(T2, T1);
      a.bne(V0, ZERO, 'go', (slot) => slot.sb(V0, 4, T2));
      a.cop2(7);
      a.cop2(8);
      a.jr(RA);
    }),
  ).toEqual([
    'go:',
    '            # why',
    '  lw t0,Z.record(zero)',
    '  lw t1,Z.other(zero)',
    '  lw t2,R.first(t0)',
    '  lw v0,0(t1)',
    '  nop',
    '  sw v0,R.big+4(t0)',
    '  lui t1,0x8002',
    '  addu t1,t1,t2',
    '  move t2,t1',
    '  bnez v0,0x80001000 <go>',
    '    sb v0,R.second(t2)',
    '  cop2 NATIVE.seven',
    '  cop2 0x8',
    '  jr ra',
    '    nop',
  ]);
});

test('a register that may hold something else has no record: after a write, a label, a call', () => {
  const shown = lines((a) => {
    a.lw(T0, -8, ZERO);
    a.nop();
    a.addiu(T0, T0, 4);
    a.lw(T1, 0, T0);
    a.lw(T0, -8, ZERO);
    a.nop();
    a.label('here');
    a.lw(T1, 0, T0);
    a.lw(T0, -8, ZERO);
    a.nop();
    a.bal('here', (slot) => slot.lw(T2, 4, T0));
    a.lw(T1, 0, T0);
  });
  expect(shown.filter((line) => line.includes('(t0)'))).toEqual([
    '  lw t1,0(t0)',
    '  lw t1,0(t0)',
    '    lw t2,R.second(t0)',
    '  lw t1,0(t0)',
  ]);
});

test('zeros behind a jump are padding; a nop behind anything else, or with a label, is none', () => {
  expect(
    lines((a) => {
      a.nop();
      a.jr(RA);
      a.align(32);
      a.label('x');
      a.nop();
      a.beq(A0, ZERO, 'x');
      a.nop();
    }),
  ).toEqual(['  nop', '  jr ra', '    nop', 'x:', '  nop', '  beqz a0,0x80001020 <x>', '    nop', '  nop']);
});

test('a symbol: its parts and what ends with it; a column before each instruction', () => {
  const write = (a: ReturnType<typeof withSlots>): void => {
    a.label('one');
    a.nop();
    a.label('one.part');
    a.nop();
    a.label('loop.1');
    a.nop();
    a.label('two');
    a.nop();
    a.label('call.one');
    a.nop();
  };
  expect(lines(write, { symbol: 'one', column: (i) => `${i} ` })).toEqual([
    'one:',
    '  0 nop',
    'one.part:',
    '  1 nop',
    'loop.1:',
    '  2 nop',
    'call.one:',
    '  4 nop',
  ]);
  expect(lines(write, { symbol: 'three' })).toEqual([]);
  expect(listing(createAssembler(0).assemble())).toEqual([]);
});
