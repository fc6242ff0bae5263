/**
 * The boot PROM's console routines, as machine code: characters and lines on serial line 3, polled.
 *
 * `prom.character` (a0) is putchar with a carriage return before a new line; it and `prom.putchar` use t0 to t4 and v0 only.
 * Source: [DECPROM] for the routines, [DZ11] for the registers.
 */
import {
  A0,
  RA,
  S0,
  S1,
  S2,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T7,
  V0,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';

/** DC7085 in kseg1: control and status, receive buffer and line parameters, transmit control, transmit data [DZ11]. */
const DZ = 0xbc000000;
const CSR = 0x00;
const RBUF_LPR = 0x08;
const TCR = 0x10;
const TDR = 0x18;
const MSE = 0x20;
const TRDY = 0x8000;
const DVAL = 0x8000;
const CONSOLE_LINE = 3;
/** Receiver on, 9600 baud, 8 bits, no parity. */
const LINE_PARAMETERS = 0x1e18 | CONSOLE_LINE;

const BACKSPACE = 0x08;
const NEW_LINE = 0x0a;
const RETURN = 0x0d;
const ERASE_LINE = 0x15;
const SPACE = 0x20;
const DELETE = 0x7f;

/** Sets the line up. */
export function emitConsoleStart(a: Assembler): void {
  a.lui(T0, DZ >>> 16);
  a.li(T1, LINE_PARAMETERS);
  a.sh(T1, RBUF_LPR, T0);
  a.li(T1, MSE);
  a.sh(T1, CSR, T0);
}

/** Saves ra and these registers on the stack, above `room` bytes of its own; `emitLeave` undoes it and returns. */
export function emitEnter(a: Assembler, saved: readonly Register[], room = 0): void {
  a.addiu(SP, SP, -frameBytes(saved, room));
  [RA, ...saved].forEach((register, i) => {
    a.sw(register, room + 4 * i, SP);
  });
}

export function emitLeave(a: Assembler, saved: readonly Register[], room = 0): void {
  [RA, ...saved].forEach((register, i) => {
    a.lw(register, room + 4 * i, SP);
  });
  a.addiu(SP, SP, frameBytes(saved, room));
  a.ret();
  a.nop();
}

function frameBytes(saved: readonly Register[], room: number): number {
  return (room + 4 * (saved.length + 1) + 7) & ~7;
}

/** putchar(a0), getchar(), and `prom.character`. */
export function emitCharacters(a: Assembler): void {
  // Only the console's line transmits meanwhile: the scanner stops at the first line that is ready.
  a.label('prom.putchar');
  a.lui(T0, DZ >>> 16);
  a.lhu(T4, TCR, T0);
  a.li(T1, 1 << CONSOLE_LINE);
  a.sh(T1, TCR, T0);
  a.label('prom.putchar.wait');
  a.lhu(T1, CSR, T0);
  a.li(T2, TRDY | (CONSOLE_LINE << 8));
  a.and(T1, T1, T2);
  a.bne(T1, T2, 'prom.putchar.wait');
  a.nop();
  a.sb(A0, TDR, T0);
  a.sh(T4, TCR, T0);
  a.ret();
  a.move(V0, A0);

  a.label('prom.getchar');
  a.lui(T0, DZ >>> 16);
  a.label('prom.getchar.wait');
  a.lhu(T1, RBUF_LPR, T0);
  a.li(T3, DVAL | (CONSOLE_LINE << 8));
  a.andi(T2, T1, DVAL | 0x0300);
  a.bne(T2, T3, 'prom.getchar.wait');
  a.nop();
  a.ret();
  a.andi(V0, T1, 0xff);

  a.label('prom.character');
  a.li(T0, NEW_LINE);
  a.bne(A0, T0, 'prom.putchar');
  a.move(T3, RA);
  a.bal('prom.putchar');
  a.li(A0, RETURN);
  a.move(RA, T3);
  a.b('prom.putchar');
  a.li(A0, NEW_LINE);
}

/** puts(a0): the string, without a new line of its own. showchar(a0): control characters as ^X. */
export function emitPuts(a: Assembler): void {
  a.label('prom.puts');
  emitEnter(a, [S0]);
  a.move(S0, A0);
  a.label('prom.puts.next');
  a.lbu(A0, 0, S0);
  a.addiu(S0, S0, 1);
  a.beq(A0, ZERO, 'prom.puts.end');
  a.nop();
  a.bal('prom.character');
  a.nop();
  a.b('prom.puts.next');
  a.nop();
  a.label('prom.puts.end');
  a.move(V0, ZERO);
  emitLeave(a, [S0]);

  a.label('prom.showchar');
  a.andi(A0, A0, 0x7f);
  a.sltiu(T0, A0, SPACE);
  a.bne(T0, ZERO, 'prom.showchar.control');
  a.li(T0, DELETE);
  a.bne(A0, T0, 'prom.putchar');
  a.nop();
  a.label('prom.showchar.control');
  a.move(T3, RA);
  a.xori(T7, A0, 0x40); // DEL becomes a question mark
  a.bal('prom.putchar');
  a.li(A0, 0x5e);
  a.move(RA, T3);
  a.b('prom.putchar');
  a.move(A0, T7);
}

/**
 * gets(a0): a line into the buffer, which it returns, with what is typed shown. DEL and backspace take back a character, ^U
 * all of them; other control characters are passed over. As the real one it trusts the buffer to be long enough.
 */
export function emitGets(a: Assembler): void {
  const saved = [S0, S1, S2];
  a.label('prom.gets');
  emitEnter(a, saved);
  a.move(S0, A0);
  a.move(S1, A0);
  a.label('prom.gets.next');
  a.bal('prom.getchar');
  a.nop();
  a.move(S2, V0);
  for (const [code, label] of [
    [RETURN, 'end'],
    [NEW_LINE, 'end'],
    [BACKSPACE, 'erase'],
    [DELETE, 'erase'],
    [ERASE_LINE, 'erase'],
  ] as const) {
    a.li(T0, code);
    a.beq(S2, T0, `prom.gets.${label}`);
  }
  a.sltiu(T0, S2, SPACE);
  a.bne(T0, ZERO, 'prom.gets.next');
  a.nop();
  a.sb(S2, 0, S1);
  a.addiu(S1, S1, 1);
  a.bal('prom.putchar');
  a.move(A0, S2);
  a.b('prom.gets.next');
  a.nop();

  a.label('prom.gets.erase');
  a.beq(S1, S0, 'prom.gets.next');
  a.nop();
  a.addiu(S1, S1, -1);
  for (const code of [BACKSPACE, SPACE, BACKSPACE]) {
    a.bal('prom.putchar');
    a.li(A0, code);
  }
  a.li(T0, ERASE_LINE);
  a.beq(S2, T0, 'prom.gets.erase');
  a.nop();
  a.b('prom.gets.next');
  a.nop();

  a.label('prom.gets.end');
  a.sb(ZERO, 0, S1);
  a.bal('prom.character');
  a.li(A0, NEW_LINE);
  a.move(V0, S0);
  emitLeave(a, saved);
}
