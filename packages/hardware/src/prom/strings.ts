/**
 * The boot PROM's string routines, as machine code. They use t0 to t3, a0, a1 and v0 only. Source: [DECPROM].
 */
import { A0, A1, T0, T1, T2, T3, V0, ZERO, type Assembler } from '@exokernel/isa';

/** getenv(name): the value's address, or 0. The variables are pairs of addresses at `prom.variables`, up to a 0. */
export function emitGetenv(a: Assembler): void {
  a.label('prom.getenv');
  a.la(T0, 'prom.variables');
  a.label('prom.getenv.next');
  a.lw(T1, 0, T0);
  a.lw(V0, 4, T0);
  a.beq(T1, ZERO, 'prom.nothing');
  a.addiu(T0, T0, 8);
  a.move(T2, A0);
  a.label('prom.getenv.compare');
  a.lbu(T3, 0, T1);
  a.lbu(A1, 0, T2);
  a.addiu(T1, T1, 1);
  a.bne(T3, A1, 'prom.getenv.next');
  a.addiu(T2, T2, 1);
  a.bne(T3, ZERO, 'prom.getenv.compare');
  a.nop();
  a.ret();
  a.nop();
}

/** strcmp, strlen, strcpy and strcat, as in C. */
export function emitStrings(a: Assembler): void {
  a.label('prom.strcmp');
  a.lbu(T0, 0, A0);
  a.lbu(T1, 0, A1);
  a.addiu(A0, A0, 1);
  a.bne(T0, T1, 'prom.strcmp.end');
  a.addiu(A1, A1, 1);
  a.bne(T0, ZERO, 'prom.strcmp');
  a.nop();
  a.label('prom.strcmp.end');
  a.ret();
  a.subu(V0, T0, T1);

  a.label('prom.strlen');
  a.move(V0, A0);
  a.label('prom.strlen.next');
  a.lbu(T0, 0, V0);
  a.nop();
  a.bne(T0, ZERO, 'prom.strlen.next');
  a.addiu(V0, V0, 1);
  a.addiu(V0, V0, -1);
  a.ret();
  a.subu(V0, V0, A0);

  a.label('prom.strcat');
  a.move(V0, A0);
  a.label('prom.strcat.next');
  a.lbu(T0, 0, A0);
  a.nop();
  a.bne(T0, ZERO, 'prom.strcat.next');
  a.addiu(A0, A0, 1);
  a.b('prom.strcpy.next');
  a.addiu(A0, A0, -1);

  a.label('prom.strcpy');
  a.move(V0, A0);
  a.label('prom.strcpy.next');
  a.lbu(T0, 0, A1);
  a.addiu(A1, A1, 1);
  a.sb(T0, 0, A0);
  a.bne(T0, ZERO, 'prom.strcpy.next');
  a.addiu(A0, A0, 1);
  a.ret();
  a.nop();
}
