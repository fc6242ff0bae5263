/**
 * The boot PROM's printf, as machine code: %s %c %d %u %x %X %o and %%, with a width, `-` (to the left) and `0` (zeros before
 * a number). `l` and letters that it does not know are passed over. Carriage returns are added.
 *
 * Deviation: a precision is taken as a width with zeros for numbers, and as a width for strings. Source: [DECPROM].
 */
import {
  A0,
  A1,
  A2,
  A3,
  RA,
  S0,
  S1,
  S2,
  S3,
  S4,
  S5,
  S6,
  S7,
  SP,
  T0,
  T1,
  T5,
  T6,
  T7,
  V0,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { emitEnter, emitLeave } from './console.ts';

const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO_DIGIT = 0x30;
/** Room for the digits of a number: eleven in octal. */
const DIGITS = 12;

/**
 * While a field is made: s0 in the format, s1 the next argument; s2 its characters and s5 how many; s3 its width, s4 what
 * fills it, s6 its sign or 0, s7 whether it goes to the left.
 */
const SAVED = [S0, S1, S2, S3, S4, S5, S6, S7];

/** printf(format, ...). */
export function emitPrintf(a: Assembler): void {
  a.label('prom.printf');
  // The caller has room for four arguments on its stack; those in registers go there, before any others.
  a.sw(A1, 4, SP);
  a.sw(A2, 8, SP);
  a.sw(A3, 12, SP);
  a.addiu(T0, SP, 4);
  emitEnter(a, SAVED, DIGITS);
  a.move(S0, A0);
  a.move(S1, T0);
  a.label('prom.printf.next');
  a.lbu(A0, 0, S0);
  a.addiu(S0, S0, 1);
  a.beq(A0, ZERO, 'prom.printf.end');
  a.li(T0, 0x25);
  a.beq(A0, T0, 'prom.printf.field');
  a.nop();
  a.label('prom.printf.plain');
  a.bal('prom.character');
  a.nop();
  a.b('prom.printf.next');
  a.nop();

  emitField(a);
  emitConversions(a);
  emitOutput(a);

  a.label('prom.printf.end');
  a.move(V0, ZERO);
  emitLeave(a, SAVED, DIGITS);
}

/** Flags, width and letter of a field. */
function emitField(a: Assembler): void {
  a.label('prom.printf.field');
  a.li(S3, 0);
  a.li(S4, SPACE);
  a.li(S6, 0);
  a.li(S7, 0);
  a.label('prom.printf.letter');
  a.lbu(A0, 0, S0);
  a.addiu(S0, S0, 1);
  a.beq(A0, ZERO, 'prom.printf.end');
  a.addiu(T1, A0, -ZERO_DIGIT);
  a.sltiu(T0, T1, 10);
  a.bne(T0, ZERO, 'prom.printf.digit');
  for (const [letter, label] of [
    ['%', 'plain'],
    ['-', 'left'],
    ['.', 'precision'],
    ['s', 'string'],
    ['c', 'char'],
    ['d', 'decimal'],
    ['u', 'unsigned'],
    ['x', 'hex'],
    ['X', 'capitals'],
    ['o', 'octal'],
  ] as const) {
    a.li(T0, letter.charCodeAt(0));
    a.beq(A0, T0, `prom.printf.${label}`);
  }
  a.nop();
  a.b('prom.printf.letter');
  a.nop();

  a.label('prom.printf.left');
  a.b('prom.printf.letter');
  a.li(S7, 1);

  a.label('prom.printf.precision');
  a.li(S3, 0);
  a.b('prom.printf.letter');
  a.li(S4, ZERO_DIGIT);

  // A zero before the width fills with zeros; the width is ten times what it was, and the digit.
  a.label('prom.printf.digit');
  a.or(T0, T1, S3);
  a.bne(T0, ZERO, 'prom.printf.width');
  a.sll(T0, S3, 3);
  a.b('prom.printf.letter');
  a.li(S4, ZERO_DIGIT);
  a.label('prom.printf.width');
  a.addu(T0, T0, S3);
  a.addu(T0, T0, S3);
  a.b('prom.printf.letter');
  a.addu(S3, T0, T1);
}

/** From a letter to the field's characters. */
function emitConversions(a: Assembler): void {
  a.label('prom.printf.string');
  a.lw(S2, 0, S1);
  a.addiu(S1, S1, 4);
  a.li(S4, SPACE);
  a.move(T0, S2);
  a.label('prom.printf.string.length');
  a.lbu(T1, 0, T0);
  a.nop();
  a.bne(T1, ZERO, 'prom.printf.string.length');
  a.addiu(T0, T0, 1);
  a.addiu(T0, T0, -1);
  a.b('prom.printf.output');
  a.subu(S5, T0, S2);

  a.label('prom.printf.char');
  a.lw(T0, 0, S1);
  a.addiu(S1, S1, 4);
  a.li(S4, SPACE);
  a.sb(T0, 0, SP);
  a.move(S2, SP);
  a.b('prom.printf.output');
  a.li(S5, 1);

  // t6: the base; t7: from 9 to the first letter of digits, less one.
  for (const [name, base, letters] of [
    ['hex', 16, 'a'],
    ['capitals', 16, 'A'],
    ['octal', 8, 'a'],
    ['unsigned', 10, 'a'],
  ] as const) {
    a.label(`prom.printf.${name}`);
    a.li(T6, base);
    a.b('prom.printf.number');
    a.li(T7, letters.charCodeAt(0) - ZERO_DIGIT - 10);
  }
  a.label('prom.printf.decimal');
  a.lw(T0, 0, S1);
  a.li(T6, 10);
  a.bgez(T0, 'prom.printf.number');
  a.subu(T0, ZERO, T0);
  a.sw(T0, 0, S1);
  a.li(S6, MINUS);

  a.label('prom.printf.number');
  a.lw(T0, 0, S1);
  a.addiu(S1, S1, 4);
  a.addiu(S2, SP, DIGITS);
  a.label('prom.printf.digits');
  a.divu(T0, T6);
  a.addiu(S2, S2, -1);
  a.mfhi(T1);
  a.mflo(T0);
  a.sltiu(T5, T1, 10);
  a.bne(T5, ZERO, 'prom.printf.small');
  a.addiu(T1, T1, ZERO_DIGIT);
  a.addu(T1, T1, T7);
  a.label('prom.printf.small');
  a.bne(T0, ZERO, 'prom.printf.digits');
  a.sb(T1, 0, S2);
  a.addiu(T0, SP, DIGITS);
  a.subu(S5, T0, S2);
}

/** Sign, characters and what fills the width. */
function emitOutput(a: Assembler): void {
  a.label('prom.printf.output');
  a.subu(S3, S3, S5);
  a.sltu(T0, ZERO, S6);
  a.subu(S3, S3, T0);
  a.bne(S7, ZERO, 'prom.printf.sign');
  a.li(T0, SPACE);
  a.bne(S4, T0, 'prom.printf.sign');
  a.nop();
  a.bal('prom.printf.fill');
  a.nop();
  a.label('prom.printf.sign');
  a.beq(S6, ZERO, 'prom.printf.zeros');
  a.nop();
  a.bal('prom.putchar');
  a.move(A0, S6);
  a.label('prom.printf.zeros');
  a.bne(S7, ZERO, 'prom.printf.characters');
  a.nop();
  a.bal('prom.printf.fill');
  a.nop();
  a.label('prom.printf.characters');
  a.beq(S5, ZERO, 'prom.printf.rest');
  a.nop();
  a.lbu(A0, 0, S2);
  a.addiu(S2, S2, 1);
  a.bal('prom.character');
  a.addiu(S5, S5, -1);
  a.b('prom.printf.characters');
  a.nop();
  a.label('prom.printf.rest');
  a.li(S4, SPACE);
  a.bal('prom.printf.fill');
  a.nop();
  a.b('prom.printf.next');
  a.nop();

  a.label('prom.printf.fill');
  a.move(T5, RA);
  a.label('prom.printf.fill.next');
  a.blez(S3, 'prom.printf.filled');
  a.move(RA, T5);
  a.bal('prom.putchar');
  a.move(A0, S4);
  a.b('prom.printf.fill.next');
  a.addiu(S3, S3, -1);
  a.label('prom.printf.filled');
  a.ret();
  a.nop();
}
