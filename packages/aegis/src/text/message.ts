/**
 * msg_send(env, words): eight words from registers into the next slot of a message ring. [XOK]
 *
 * The sender's number is stored last: a slot that has one is whole. The receiver empties a slot by storing zero there.
 */
import { A0, A1, A2, A3, K0, K1, T0, T1, T2, T3, T4, V0, ZERO, type Assembler } from '@exokernel/isa';
import { ENV, ENV_LIMIT, ERRORS, MESSAGE, MESSAGE_BYTES, PAGE_BYTES } from '@exokernel/abi';
import { KP } from '../layout.ts';
import { callLabel } from './calls.ts';
import { ENVIRONMENTS, ENV_SHIFT } from './transfer.ts';

const WORDS = [A1, A2, A3, T0, T1, T2, T3, T4] as const;

export function emitMessageCall(a: Assembler): void {
  a.label(callLabel('msg_send'));
  a.sltiu(K1, A0, ENV_LIMIT);
  a.beq(K1, ZERO, 'call.environment');
  a.sll(K1, A0, ENV_SHIFT);
  a.lui(V0, ENVIRONMENTS >>> 16);
  a.addu(K1, K1, V0);
  a.lw(V0, ENV.messageRing, K1);
  a.lw(K0, ENV.messageNext, K1);
  a.beq(V0, ZERO, 'call.environment');
  a.addu(V0, V0, K0);
  a.lw(K0, MESSAGE.sender, V0);
  a.nop();
  a.bne(K0, ZERO, 'msg_send.full');
  a.lw(K0, KP.env, ZERO);
  WORDS.forEach((r, i) => {
    a.sw(r, MESSAGE.words + 4 * i, V0);
  });
  a.lw(K0, ENV.id, K0);
  a.nop();
  a.addiu(K0, K0, 1);
  a.sw(K0, MESSAGE.sender, V0);
  a.addiu(V0, V0, MESSAGE_BYTES);
  a.andi(V0, V0, PAGE_BYTES - 1);
  a.sw(V0, ENV.messageNext, K1);
  a.li(V0, 1);
  a.sw(V0, ENV.pending, K1);
  a.b('call.refused');
  a.move(V0, ZERO);
  a.label('msg_send.full');
  a.b('call.refused');
  a.li(V0, ERRORS.E_AGAIN);
}
