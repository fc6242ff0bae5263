/**
 * System-call dispatch, and the calls that are a few instructions: null, tick, sleep.
 *
 * A handler starts with k0 = the address after the `syscall`. It may use k0, k1, v0 and v1 and nothing else, and leaves
 * through `call.done` with v0 set; one that needs more goes through stack.ts. See the table of calls in `@exokernel/abi`.
 *
 * Two places behind a load and a jump, where other kernels have a `nop`, begin the protected control transfer, of which
 * every instruction counts: v0 = the offset of the record of environment v1, of whose name the low bits are the number.
 */
import { CP0_EPC, A0, K0, K1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { CALLS, CALL_LIMIT, ENV, ENV_BYTES, ENV_LIMIT, ERRORS, type CallName } from '@exokernel/abi';
import { KP } from '../layout.ts';

/** Label of the code that executes a call. */
export function callLabel(name: CallName): string {
  return `call.${name}`;
}

export function emitCallDispatch(a: Assembler): void {
  a.label('syscall');
  a.sltiu(K1, V0, CALL_LIMIT);
  a.beq(K1, ZERO, 'call.unknown');
  a.sll(K1, V0, 2);
  a.lw(K1, KP.calls, K1);
  a.andi(V0, V1, ENV_LIMIT - 1);
  a.jr(K1);
  a.sll(V0, V0, Math.log2(ENV_BYTES));

  a.label(callLabel('null'));
  a.label('call.ok');
  a.move(V0, ZERO);
  a.label('call.done');
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  for (const [label, code] of [
    ['call.unknown', ERRORS.E_CALL],
    ['call.range', ERRORS.E_RANGE],
    ['call.capability', ERRORS.E_CAP],
    ['call.environment', ERRORS.E_ENV],
    ['call.device', ERRORS.E_DEVICE],
  ] as const) {
    a.label(label);
    a.b('call.refused');
    a.li(V0, code);
  }
  a.label('call.refused');
  a.mfc0(K0, CP0_EPC);
  a.b('call.done');
  a.addiu(K0, K0, 4);

  a.label(callLabel('tick'));
  a.lw(V1, KP.tick, ZERO);
  a.b('call.ok');
  a.nop();

  a.label(callLabel('sleep'));
  a.lw(K1, KP.env, ZERO);
  a.nop();
  a.lw(V0, ENV.pending, K1);
  a.sw(ZERO, ENV.pending, K1);
  a.sw(ZERO, ENV.wakeTag, K1);
  a.bne(V0, ZERO, 'call.ok');
  a.li(V0, 1);
  a.sw(V0, ENV.asleep, K1);
  a.j('schedule');
  a.sw(A0, ENV.wakeTick, K1);
}

/** The calls that kernel TypeScript executes: one `cop2` each. */
export function emitNativeCalls(a: Assembler): void {
  for (const name of Object.keys(CALLS) as CallName[]) {
    const call = CALLS[name];
    if (call.path !== 'native') continue;
    a.label(callLabel(name));
    a.sw(K0, KP.epc, ZERO);
    a.cop2(call.number);
    a.b('native.done');
    a.lw(K1, KP.reschedule, ZERO);
  }
  a.label('native.done');
  a.lw(K0, KP.epc, ZERO);
  a.bne(K1, ZERO, 'schedule');
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();
}
