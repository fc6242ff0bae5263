/**
 * System-call dispatch, and the calls that are a few instructions: null, tick, sleep.
 *
 * A handler starts with k0 = the address after the `syscall`. It may use k0, k1, v0 and v1 and nothing else, and leaves
 * through `call.done` with v0 set; one that needs more goes through stack.ts. See the table of calls in `@exokernel/abi`.
 *
 * The dispatch begins the protected control transfer, of which every instruction counts: two places that would hold a `nop` compute
 * v0 = the offset of the record of environment v1. The low bits of the name in v1 are the number.
 */
import { CP0_EPC, A0, K0, K1, V0, V1, ZERO, type SlotAssembler } from '@exokernel/isa';
import { CALLS, CALL_LIMIT, ENV, ENV_BYTES, ENV_LIMIT, ERRORS, type CallName } from '@exokernel/abi';
import { KP } from '../layout.ts';
import { emitReturn, routine } from './routine.ts';

/** Label of the code that executes a call. */
export function callLabel(name: CallName): string {
  return `call.${name}`;
}

export function emitCallDispatch(a: SlotAssembler): void {
  routine(
    a,
    'syscall',
    {
      does: 'Dispatches a system call. [SOSP95 §5.1]',
      in: { number: V0, callee: V1, next: K0 },
      out: { record: V0 },
      uses: { known: K1, entry: K1, handler: K1 },
      fast: { instructions: 7 },
    },
    ({ number, callee, record, known, entry, handler }) => {
      a.sltiu(known, number, CALL_LIMIT);
      a.beq(known, ZERO, 'call.unknown', (slot) => slot.sll(entry, number, 2));
      a.lw(handler, KP.calls, entry);
      a.note(
        'in place of two nops: where the record of environment v1 is, which a transfer needs; others overwrite it',
      );
      a.andi(record, callee, ENV_LIMIT - 1);
      a.jr(handler, (slot) => slot.sll(record, record, Math.log2(ENV_BYTES)));
    },
  );

  routine(
    a,
    callLabel('null'),
    {
      does: 'null: does nothing. Other calls end here too.',
      in: { next: K0 },
      out: { error: V0 },
      uses: { restored: K1 },
      fast: { instructions: 4 },
    },
    ({ error }) => {
      a.label('call.ok');
      a.move(error, ZERO);
      a.label('call.done');
      emitReturn(a);
    },
  );

  for (const [label, code] of [
    ['call.unknown', 'E_CALL'],
    ['call.range', 'E_RANGE'],
    ['call.capability', 'E_CAP'],
    ['call.environment', 'E_ENV'],
    ['call.device', 'E_DEVICE'],
  ] as const) {
    routine(a, label, { does: `Refuses with ${code}.`, out: { error: V0 } }, ({ error }) => {
      a.b('call.refused', (slot) => slot.li(error, ERRORS[code]));
    });
  }
  routine(
    a,
    'call.refused',
    {
      does: 'Back behind the syscall, with v0: a refused call changes nothing else.',
      in: { error: V0 },
      out: { next: K0 },
    },
    ({ next }) => {
      a.note('not k0 of the dispatch: a refusal may come when k0 is a scratch register already');
      a.mfc0(next, CP0_EPC);
      a.b('call.done', (slot) => slot.addiu(next, next, 4));
    },
  );

  routine(
    a,
    callLabel('tick'),
    { does: 'tick: the number of ticks since the machine started.', out: { tick: V1 }, fast: { instructions: 7 } },
    ({ tick }) => {
      a.lw(tick, KP.tick, ZERO);
      a.b('call.ok');
    },
  );

  routine(
    a,
    callLabel('sleep'),
    {
      does: 'sleep(tick): the slices of the caller are passed over until an event, or that tick if it is not 0.',
      in: { wakeTick: A0 },
      uses: { env: K1, pending: V0, asleep: V0 },
      fast: { instructions: 11, when: 'if there was an event already', by: ['call.ok'] },
    },
    ({ wakeTick, env, pending, asleep }) => {
      a.lw(env, KP.env, ZERO);
      a.nop();
      a.note('an event between the look at memory and the call is not lost: it makes this sleep none');
      a.lw(pending, ENV.pending, env);
      a.sw(ZERO, ENV.pending, env);
      a.sw(ZERO, ENV.wakeTag, env);
      a.bne(pending, ZERO, 'call.ok', (slot) => slot.lw(asleep, ENV.begin, env));
      a.note('one that has something to be told at its next slice does not sleep until then');
      a.sw(wakeTick, ENV.wakeTick, env);
      a.sltu(asleep, ZERO, asleep);
      a.j('schedule', (slot) => slot.sw(asleep, ENV.asleep, env));
    },
  );
}

/** The calls that kernel TypeScript executes: one `cop2` each. */
export function emitNativeCalls(a: SlotAssembler): void {
  for (const name of Object.keys(CALLS) as CallName[]) {
    const call = CALLS[name];
    if (call.path !== 'native') continue;
    routine(
      a,
      callLabel(name),
      { does: `${name}: TypeScript of the kernel, at a declared cost.`, in: { next: K0 }, uses: { reschedule: K1 } },
      ({ next, reschedule }) => {
        a.sw(next, KP.epc, ZERO);
        a.cop2(call.number);
        a.b('native.done', (slot) => slot.lw(reschedule, KP.reschedule, ZERO));
      },
    );
  }
  routine(
    a,
    'native.done',
    {
      does: 'Back from TypeScript to the caller, or to another environment if the caller cannot go on.',
      in: { reschedule: K1 },
      out: { next: K0 },
      uses: { restored: K1 },
      fast: { instructions: 5 },
    },
    ({ reschedule, next, restored }) => {
      a.lw(next, KP.epc, ZERO);
      a.bne(reschedule, ZERO, 'native.more', (slot) => slot.lw(restored, KP.k1, ZERO));
      a.jr(next, (slot) => slot.rfe());
    },
  );
}
