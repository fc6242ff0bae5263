/**
 * Protected control transfer: the program counter becomes the callee's agreed entry, the callee gets the slice, its
 * address space is installed; the registers are not touched, for they are the message. [SOSP95 §5.2]
 *
 * A synchronous transfer donates this and all future instances of the slice, until the callee transfers it back; an
 * asynchronous one donates what is left of this instance. Both are atomic. Anyone may call; access control is the callee's,
 * which finds the caller's name in v1, where the kernel put it.
 *
 * A synchronous transfer names the callee's life too (ENV.name): a client neither calls nor hears the environment that has its
 * server's number after it. The gate holds that name, so the check costs nothing. No transfer is possible once the slice is over
 * (E_SLICE). A call that is refused changes v0 alone. Decision 0009 says what a transfer does not test, and why.
 */
import {
  CP0_ENTRYHI,
  CP0_EPC,
  K0,
  K1,
  V0,
  V1,
  ZERO,
  type Register,
  type SlotAssembler,
  type StraightAssembler,
} from '@exokernel/isa';
import { CALLS, ENV, ENV_BYTES, ENV_LIMIT, ERRORS, SLICE } from '@exokernel/abi';
import { KP, KSEG0, NATIVE, PHYSICAL } from '../layout.ts';
import { callLabel } from './calls.ts';
import { emitReturn, routine } from './routine.ts';

export const ENVIRONMENTS: number = KSEG0 + PHYSICAL.environments;
/** log2 of ENV_BYTES. */
export const ENV_SHIFT: number = Math.log2(ENV_BYTES);

/** scall(v1 name): the callee gets this and all future instances of the slice. */
export function emitSynchronousTransfer(a: SlotAssembler): void {
  routine(
    a,
    callLabel('scall'),
    {
      does: 'scall: protected control transfer to the environment named v1, with the slice. [SOSP95 §5.2]',
      in: { offset: V0, name: V1 },
      out: { caller: V1 },
      uses: { table: K0, callee: K1, gate: K0, slice: V0, entry: K0, asid: V0 },
      fast: { instructions: 16 },
    },
    ({ offset, name, caller, table, callee, gate, slice, entry, asid }) => {
      a.lui(table, ENVIRONMENTS >>> 16);
      a.note('the dispatch has computed the offset');
      a.addu(callee, offset, table);
      a.lw(gate, ENV.syncGate, callee);
      a.lw(slice, KP.slice, ZERO);
      a.note('of this life of the callee, with an entry and an ASID?');
      a.bne(gate, name, 'scall.closed', (slot) => slot.lw(entry, ENV.syncEntry, callee));
      a.lw(caller, KP.env, ZERO);
      a.note('this and all future instances of the slice');
      a.sw(callee, SLICE.running, slice);
      a.note('what the callee decides by');
      a.lw(caller, ENV.name, caller);
      a.sw(callee, KP.env, ZERO);
      emitArrive(a, callee, entry, asid);
    },
  );
  emitClosed(a, 'scall');
}

/** acall(v1 number): the callee gets the rest of this instance of the slice. */
export function emitAsynchronousTransfer(a: SlotAssembler): void {
  routine(
    a,
    callLabel('acall'),
    {
      does: 'acall: transfer to environment v1, with the rest of this instance of the slice. [SOSP95 §5.2]',
      in: { offset: V0, number: V1 },
      out: { caller: V1 },
      uses: { exists: K0, table: K0, callee: K1, entry: K0, noSlice: V0, asid: V0 },
      fast: { instructions: 17 },
    },
    ({ offset, number, caller, exists, table, callee, entry, noSlice, asid }) => {
      a.sltiu(exists, number, ENV_LIMIT);
      a.beq(exists, ZERO, 'call.environment', (slot) => slot.lui(table, ENVIRONMENTS >>> 16));
      a.addu(callee, offset, table);
      a.note('its entry, or 0 while it has none or has no ASID');
      a.lw(entry, ENV.asyncGate, callee);
      a.lw(caller, KP.env, ZERO);
      a.beq(entry, ZERO, 'acall.closed', (slot) => slot.lw(caller, ENV.name, caller));
      a.note("the slice is not the callee's: it cannot donate it on");
      a.lw(noSlice, KP.noSlice, ZERO);
      a.sw(callee, KP.env, ZERO);
      a.sw(noSlice, KP.slice, ZERO);
      emitArrive(a, callee, entry, asid);
    },
  );
  emitClosed(a, 'acall');
}

/** Emits the end of both: into the address space of the callee, at its entry, with every register of the caller's. */
function emitArrive(a: SlotAssembler, callee: Register, entry: Register, asid: Register): void {
  a.lw(asid, ENV.asid, callee);
  a.sw(ZERO, ENV.asleep, callee);
  a.note('the address space of the callee is installed: that is the whole switch');
  a.mtc0(asid, CP0_ENTRYHI);
  a.lw(K1, KP.k1, ZERO);
  a.jr(entry, (slot) => slot.rfe());
}

/** Why the gate of a callee is shut: it has no entry, it is of another life, or it has lost its ASID. */
function emitClosed(a: SlotAssembler, call: 'scall' | 'acall'): void {
  routine(
    a,
    `${call}.closed`,
    {
      does: 'The gate is shut. If that is for want of an ASID, the callee gets one and the call is made again.',
      in: { callee: K1, called: V1 },
      uses: { name: V0, entry: V0, again: V0, syscall: K0, restored: K1 },
      ...(call === 'acall' ? { out: { number: V1 } } : {}),
    },
    ({ callee, called, name, entry, again, syscall }) => {
      a.lw(name, ENV.name, callee);
      a.nop();
      if (call === 'scall') {
        a.bne(name, called, 'call.environment', (slot) => slot.lw(entry, ENV.syncEntry, callee));
      } else {
        a.note('v1 is the name of the caller already: the number again, which the name of the callee has');
        a.andi(called, name, ENV_LIMIT - 1);
        a.lw(entry, ENV.asyncEntry, callee);
      }
      a.nop();
      a.beq(entry, ZERO, 'call.environment');
      a.cop2(NATIVE.asid);
      a.li(again, CALLS[call].number);
      a.note('the syscall itself, not what is behind it');
      a.mfc0(syscall, CP0_EPC);
      emitReturn(a);
    },
  );
}

/** What the dispatch table holds in place of both transfers while the slice is over. */
export function emitTransferRefusals(a: SlotAssembler): void {
  routine(
    a,
    'call.slice',
    { does: 'Refuses with E_SLICE: the slice is over, and a callee would pay for the overrun.', out: { error: V0 } },
    ({ error }) => a.b('call.refused', (slot) => slot.li(error, ERRORS.E_SLICE)),
  );
}

/**
 * Emits: transfers are refused from now on (`over`), or possible again. A slice ends seldom and transfers are many, so the
 * dispatch table says it, not a test in each transfer. Uses `scratch`.
 */
export function emitTransfersPossible(a: StraightAssembler, possible: boolean, scratch: Register): void {
  for (const name of ['scall', 'acall'] as const) {
    a.la(scratch, possible ? callLabel(name) : 'call.slice');
    a.sw(scratch, KP.calls + 4 * CALLS[name].number, ZERO);
  }
}
