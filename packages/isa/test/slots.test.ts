/** Delay slots as arguments: the same words as in the plain form, and nothing that could be mistaken. */
import { describe, expect, test } from 'vitest';
import {
  A0,
  CP0_EPC,
  IsaError,
  RA,
  T0,
  T1,
  V0,
  ZERO,
  createAssembler,
  withSlots,
  type Assembler,
  type Assembly,
  type SlotAssembler,
} from '../src/index.ts';

function slotted(write: (s: SlotAssembler) => void): Assembly {
  const a = createAssembler(0x80001000);
  write(withSlots(a));
  return a.assemble();
}

function plain(write: (a: Assembler) => void): Assembly {
  const a = createAssembler(0x80001000);
  write(a);
  return a.assemble();
}

test('every kind of branch: what is given stands in its slot', () => {
  const one = slotted((s) => {
    s.label('start');
    s.beq(A0, T0, 'start', (slot) => slot.addu(T0, T0, T1));
    s.bltz(A0, 'start', (slot) => slot.li(V0, -1));
    s.b('start', (slot) => slot.move(V0, ZERO));
    s.bal('start', (slot) => slot.mfc0(T1, CP0_EPC));
    s.beqz(A0, 'start', (slot) => slot.sw(T0, 4, A0));
    s.j('start', (slot) => slot.sll(T0, T0, 1));
    s.jalr(RA, T0, (slot) => slot.srl(T0, T0, 1));
    s.jr(T0, (slot) => slot.rfe());
    s.ret((slot) => slot.nop());
    s.bc1t('start', (slot) => slot.lui(T0, 1));
  });
  const two = plain((a) => {
    a.label('start');
    a.beq(A0, T0, 'start');
    a.addu(T0, T0, T1);
    a.bltz(A0, 'start');
    a.li(V0, -1);
    a.b('start');
    a.move(V0, ZERO);
    a.bal('start');
    a.mfc0(T1, CP0_EPC);
    a.beqz(A0, 'start');
    a.sw(T0, 4, A0);
    a.j('start');
    a.sll(T0, T0, 1);
    a.jalr(RA, T0);
    a.srl(T0, T0, 1);
    a.jr(T0);
    a.rfe();
    a.ret();
    a.nop();
    a.bc1t('start');
    a.lui(T0, 1);
  });
  expect([...one.words]).toEqual([...two.words]);
});

test('without an argument a nop stands in the slot', () => {
  expect([...slotted((s) => s.jr(RA)).words]).toEqual([
    ...plain((a) => {
      a.jr(RA);
      a.nop();
    }).words,
  ]);
});

test('a slot has a label and a note of its own', () => {
  const { symbols, notes } = slotted((s) => {
    s.label('first');
    s.bne(A0, ZERO, 'slot', (slot) => {
      slot.label('slot');
      slot.note('on both ways');
      slot.move(V0, ZERO);
    });
    s.ret();
  });
  expect(symbols.get('slot')).toBe(0x80001004);
  expect(notes.get(0x80001004)).toEqual(['on both ways']);
});

test('both forms write to one program', () => {
  const a = createAssembler(0x80001000);
  const s = withSlots(a);
  s.b('end');
  a.label('end');
  expect([s.here, s.origin]).toEqual([0x80001008, 0x80001000]);
});

test('a plain assembler is none with slots', () => {
  const use = (s: SlotAssembler): boolean => s.fillsSlots;
  // @ts-expect-error -- it would ignore what is given for a slot
  expect(use(createAssembler(0))).toBe(undefined);
  expect(use(withSlots(createAssembler(0)))).toBe(true);
});

describe('a slot that is not one word is refused', () => {
  const refusal = (write: (s: SlotAssembler) => void): string => {
    try {
      slotted(write);
    } catch (error) {
      if (error instanceof IsaError) return error.code;
      throw error;
    }
    return '';
  };

  test.each([
    ['two words of a constant', (s: SlotAssembler) => s.b('x', (slot) => slot.li(T0, 0x12345678))],
    ['an address', (s: SlotAssembler) => s.b('x', (slot) => slot.la(T0, 'x'))],
    ['nothing', (s: SlotAssembler) => s.b('x', () => undefined)],
    ['a branch, past the types', (s: SlotAssembler) => s.b('x', () => s.ret())],
  ])('%s', (_, write) => {
    expect(
      refusal((s) => {
        s.label('x');
        write(s);
      }),
    ).toBe('delay-slot');
  });

  test('an instruction that branches is no method of a slot', () => {
    slotted((s) => {
      s.label('x');
      s.b('x', (slot) => {
        // @ts-expect-error -- a branch in a delay slot
        expect(typeof slot.b).toBe('function');
        slot.nop();
      });
    });
  });
});
