/**
 * Protected control transfer: the program counter becomes the callee's agreed entry, the callee gets the slice, its
 * address space is installed; the registers are not touched, for they are the message. [SOSP95 §5.2]
 *
 * A synchronous transfer donates this and all future instances of the slice, until the callee transfers it back; an
 * asynchronous one donates what is left of this instance. Both are atomic. Anyone may call; access control is the callee's,
 * which finds the caller's number in v1, where the kernel put it. Not possible once the slice is over (E_SLICE). A call that
 * is refused changes v0 alone. What a transfer does not test, and why, is decision 0009.
 */
import { CP0_ENTRYHI, CP0_EPC, K0, K1, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { CALLS, ENV, ERRORS, SLICE } from '@exokernel/abi';
import { KP, KSEG0, NATIVE, PHYSICAL } from '../layout.ts';
import { callLabel } from './calls.ts';

export const ENVIRONMENTS: number = KSEG0 + PHYSICAL.environments;
/** log2 of ENV_BYTES. */
export const ENV_SHIFT = 9;

export function emitTransfer(a: Assembler, kind: 'synchronous' | 'asynchronous'): void {
  const synchronous = kind === 'synchronous';
  const name = synchronous ? 'scall' : 'acall';
  a.label(callLabel(name));
  // The dispatch has put KP.slice into v0, and into k1 whether there is an environment v1.
  a.beq(K1, ZERO, 'call.environment');
  a.sll(K1, V1, ENV_SHIFT);
  a.lui(K0, ENVIRONMENTS >>> 16);
  a.addu(K1, K1, K0);
  a.lw(K0, synchronous ? ENV.syncGate : ENV.asyncGate, K1);
  a.lw(V1, KP.env, ZERO);
  a.beq(K0, ZERO, `${name}.closed`);
  a.lw(V1, ENV.id, V1);
  if (synchronous) a.sw(K1, SLICE.running, V0);
  else a.lw(V0, KP.noSlice, ZERO);
  a.sw(K1, KP.env, ZERO);
  if (!synchronous) a.sw(V0, KP.slice, ZERO);
  a.lw(V0, ENV.asid, K1);
  a.sw(ZERO, ENV.asleep, K1);
  a.mtc0(V0, CP0_ENTRYHI);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  // The gate is shut: there is no such entry, or no ASID at present; then the callee gets one and the call is made again.
  a.label(`${name}.closed`);
  a.lw(V0, synchronous ? ENV.syncEntry : ENV.asyncEntry, K1);
  a.lui(V1, ENVIRONMENTS >>> 16);
  a.subu(V1, K1, V1);
  a.beq(V0, ZERO, 'call.environment');
  a.srl(V1, V1, ENV_SHIFT);
  a.cop2(NATIVE.asid);
  a.li(V0, CALLS[name].number);
  a.mfc0(K0, CP0_EPC);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();
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
