/**
 * Protected control transfer: the program counter becomes the callee's agreed entry, the callee gets the slice, its
 * address space is installed; the registers are not touched, for they are the message. [SOSP95 §5.2]
 *
 * A synchronous transfer donates this and all future instances of the slice, until the callee transfers it back; an
 * asynchronous one donates what is left of this instance. Both are atomic. Anyone may call; access control is the callee's,
 * which finds the caller's name in v1, where the kernel put it. A synchronous transfer names the callee's life too (ENV.name):
 * a client does not call, nor get a reply from, who has the number after its server. The gate holds that name, so it costs nothing. Not possible once the slice is over (E_SLICE). A call that
 * is refused changes v0 alone. What a transfer does not test, and why, is decision 0009.
 */
import { CP0_ENTRYHI, CP0_EPC, K0, K1, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { CALLS, ENV, ENV_LIMIT, ERRORS, SLICE } from '@exokernel/abi';
import { KP, KSEG0, NATIVE, PHYSICAL } from '../layout.ts';
import { callLabel } from './calls.ts';

export const ENVIRONMENTS: number = KSEG0 + PHYSICAL.environments;
/** log2 of ENV_BYTES. */
export const ENV_SHIFT = 9;

export function emitTransfer(a: Assembler, kind: 'synchronous' | 'asynchronous'): void {
  const synchronous = kind === 'synchronous';
  const name = synchronous ? 'scall' : 'acall';
  a.label(callLabel(name));
  // The dispatch has put the offset of the callee's record into v0.
  if (synchronous) emitSynchronous(a);
  else emitAsynchronous(a);
  a.lw(V0, ENV.asid, K1);
  a.sw(ZERO, ENV.asleep, K1);
  a.mtc0(V0, CP0_ENTRYHI);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  // The gate is shut. If that is for want of an ASID, the callee gets one and the call is made again.
  a.label(`${name}.closed`);
  a.lw(V0, ENV.name, K1);
  a.nop();
  if (synchronous) a.bne(V0, V1, 'call.environment');
  else a.andi(V1, V0, ENV_LIMIT - 1);
  a.lw(V0, synchronous ? ENV.syncEntry : ENV.asyncEntry, K1);
  a.nop();
  a.beq(V0, ZERO, 'call.environment');
  a.nop();
  a.cop2(NATIVE.asid);
  a.li(V0, CALLS[name].number);
  a.mfc0(K0, CP0_EPC);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();
}

/** v1 is the callee's name: that of an earlier life of its record is not what the gate has. */
function emitSynchronous(a: Assembler): void {
  a.lui(K0, ENVIRONMENTS >>> 16);
  a.addu(K1, V0, K0);
  a.lw(K0, ENV.syncGate, K1);
  a.lw(V0, KP.slice, ZERO);
  a.note('of this life of the callee, with an entry and an ASID?');
  a.bne(K0, V1, 'scall.closed');
  a.lw(K0, ENV.syncEntry, K1);
  a.lw(V1, KP.env, ZERO);
  a.note('this and all future instances of the slice');
  a.sw(K1, SLICE.running, V0);
  a.note('what the callee decides by');
  a.lw(V1, ENV.name, V1);
  a.sw(K1, KP.env, ZERO);
}

/** v1 is the callee's number: the rest of the instance goes to the environment that has the number now. */
function emitAsynchronous(a: Assembler): void {
  a.sltiu(K0, V1, ENV_LIMIT);
  a.beq(K0, ZERO, 'call.environment');
  a.lui(K0, ENVIRONMENTS >>> 16);
  a.addu(K1, V0, K0);
  a.lw(K0, ENV.asyncGate, K1);
  a.lw(V1, KP.env, ZERO);
  a.beq(K0, ZERO, 'acall.closed');
  a.lw(V1, ENV.name, V1);
  a.lw(V0, KP.noSlice, ZERO);
  a.sw(K1, KP.env, ZERO);
  a.sw(V0, KP.slice, ZERO);
}

/** Why there is no transfer to anybody: the slice is over. */
export function emitTransferRefusals(a: Assembler): void {
  a.label('call.slice');
  a.b('call.refused');
  a.li(V0, ERRORS.E_SLICE);
}

/**
 * Emits: transfers are refused from now on (`over`), or possible again. A slice ends seldom and transfers are many, so the
 * dispatch table says it, not a test in each transfer. Uses `scratch`.
 */
export function emitTransfersPossible(a: Assembler, possible: boolean, scratch: Register): void {
  for (const name of ['scall', 'acall'] as const) {
    a.la(scratch, possible ? callLabel(name) : 'call.slice');
    a.sw(scratch, KP.calls + 4 * CALLS[name].number, ZERO);
  }
}
