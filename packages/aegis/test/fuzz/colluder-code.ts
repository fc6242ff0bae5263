/** The machine code of a colluder: what it does when it is entered by another, and the routines that its moves call. */
import { A0, A1, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { emitCall } from '../../../testkit/src/index.ts';
import { emitTransfer } from '../soaker.ts';
import { PAGE } from './colluding.ts';
import { FLOAT } from './random-code.ts';

export function emitColluder(a: Assembler): void {
  emitTransfer(a, (b) => {
    b.lw(V0, FLOAT, ZERO);
    b.nop();
    b.beqz(V0, 'fuzz.entered');
    b.nop();
    for (let r = 0; r < 8; r += 1) b.mtc1(V0, r);
    b.li(A0, -1);
    emitCall(b, 'yield');
    b.label('fuzz.entered');
  });
  // fuzz.fill(va, word): a page of it. The word is in no register afterwards.
  a.label('fuzz.fill');
  a.li(T0, PAGE / 4);
  a.label('fuzz.fill.next');
  a.sw(A1, 0, A0);
  a.addiu(T0, T0, -1);
  a.bnez(T0, 'fuzz.fill.next');
  a.addiu(A0, A0, 4);
  a.move(A1, ZERO);
  a.ret();
  a.nop();
  // fuzz.spin(turns), of three cycles each.
  a.label('fuzz.spin');
  a.addiu(A0, A0, -1);
  a.bgtz(A0, 'fuzz.spin');
  a.nop();
  a.ret();
  a.nop();
  // fuzz.tick(): waits for the next tick.
  a.label('fuzz.tick');
  emitCall(a, 'tick');
  a.move(T1, V1);
  a.label('fuzz.tick.same');
  emitCall(a, 'tick');
  a.beq(T1, V1, 'fuzz.tick.same');
  a.nop();
  a.ret();
  a.nop();
  // fuzz.float(word): into eight registers, if it may.
  a.label('fuzz.float');
  for (let r = 0; r < 8; r += 1) a.mtc1(A0, r);
  a.ret();
  a.nop();
}
