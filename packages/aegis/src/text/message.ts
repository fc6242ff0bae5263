/**
 * msg_send(env, words): eight words from registers into the next slot of a message ring. [XOK]
 *
 * The sender's number is stored last: a slot that has one is whole. The receiver empties a slot by storing zero there.
 */
import { A0, A1, A2, A3, K0, K1, T0, T1, T2, T3, T4, V0, ZERO, type SlotAssembler } from '@exokernel/isa';
import { ENV, ENV_LIMIT, ERRORS, MESSAGE, MESSAGE_BYTES, PAGE_BYTES } from '@exokernel/abi';
import { KP } from '../layout.ts';
import { callLabel } from './calls.ts';
import { routine } from './routine.ts';
import { ENVIRONMENTS, ENV_SHIFT } from './transfer.ts';

const WORDS = [A1, A2, A3, T0, T1, T2, T3, T4] as const;

export function emitMessageCall(a: SlotAssembler): void {
  routine(
    a,
    callLabel('msg_send'),
    {
      does: "msg_send(env, eight words): the words and the sender's number to the next slot of a message ring. [XOK]",
      in: { receiver: A0 },
      out: { error: V0 },
      uses: { exists: K1, env: K1, ring: V0, next: K0, slotAt: V0, held: K0, sender: K0, following: V0, event: V0 },
      fast: { instructions: 38 },
    },
    ({ receiver, error, exists, env, ring, next, slotAt, held, sender, following, event }) => {
      a.sltiu(exists, receiver, ENV_LIMIT);
      a.beq(exists, ZERO, 'call.environment', (slot) => slot.sll(env, receiver, ENV_SHIFT));
      a.lui(ring, ENVIRONMENTS >>> 16);
      a.addu(env, env, ring);
      a.lw(ring, ENV.messageRing, env);
      a.lw(next, ENV.messageNext, env);
      a.beq(ring, ZERO, 'call.environment', (slot) => slot.addu(slotAt, ring, next));
      a.lw(held, MESSAGE.sender, slotAt);
      a.nop();
      a.bne(held, ZERO, 'msg_send.full', (slot) => slot.lw(sender, KP.env, ZERO));
      WORDS.forEach((word, i) => {
        a.sw(word, MESSAGE.words + 4 * i, slotAt);
      });
      a.lw(sender, ENV.id, sender);
      a.nop();
      a.addiu(sender, sender, 1);
      a.note('last: a slot with a sender is whole, for the receiver may look at any time');
      a.sw(sender, MESSAGE.sender, slotAt);
      a.addiu(following, slotAt, MESSAGE_BYTES);
      a.andi(following, following, PAGE_BYTES - 1);
      a.sw(following, ENV.messageNext, env);
      a.note('a sleeper wakes');
      a.li(event, 1);
      a.sw(event, ENV.pending, env);
      a.b('call.refused', (slot) => slot.move(error, ZERO));
      a.label('msg_send.full');
      a.b('call.refused', (slot) => slot.li(error, ERRORS.E_AGAIN));
    },
  );
}
