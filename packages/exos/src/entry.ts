/**
 * Where a process is entered: at the start of an instance of a slice (`exos.enter`), by an asynchronous transfer (a directed yield or a
 * late reply, `exos.transferred`), by a synchronous one (a call, or the reply to one, lrpc.ts). [SOSP95 §5.2]
 *
 * At the first two it goes on with what waits: its saved context; else where it gave the processor away (`waiting`); else
 * it awaits a call or a reply, and sleeps. So being given the processor by a stranger does no harm. What is to be looked for is looked for in
 * slices of its own, and the ticks between are counted from there: others cannot put it off by waking the process.
 *
 * A slice that another environment owns is this one's only while it serves a call. Else it is that of a caller which an end of
 * slice has cut off before it heard that this process is busy: the first instance that begins in it gives it back, with that answer. A
 * process never gives back a slice of its own, so no caller gets one.
 */
import {
  CALLS,
  ENTRYLO,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  ENV_STATUS,
  EXPOSED,
  PAGE_BYTES,
  WELL_KNOWN_READ,
} from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, T2, T8, T9, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { UKIT } from '@exokernel/libos-kit';
import { ANSWER, AWAITS, NO_NAME, UEXOS, WINDOWS } from './layout.ts';

/** Ticks after which one that awaits a reply looks whether its server lives, and one that may have another's slice whether it begins. */
const LOOK_TICKS = 4;
/** Instances of its own slices in which one that may have a caller's slice looks out for it, and one more. Assumption: two are enough but for debts. */
const ROUNDS = 3;
/** log2 of ENV_BYTES, and of PAGE_BYTES. */
const ENV_SHIFT: number = Math.log2(ENV_BYTES);
const PAGE_SHIFT: number = Math.log2(PAGE_BYTES);

/** Emits `exos.enter`, `exos.idle` and `lrpc.refuse`, for which an end of slice has nothing to save: RuntimeParts.entries. */
export function emitEntries(a: Assembler): void {
  emitBegin(a);
  emitGiveBack(a);
  emitRefuse(a);
  emitIdle(a);
}

/** v1 = the number of the owner of the slice, NO_ENV of what is left of another instance; the other registers are zero. */
function emitBegin(a: Assembler): void {
  a.label('exos.enter');
  a.lw(T8, UEXOS.self, ZERO);
  a.li(T9, 1);
  a.sw(T9, UEXOS.own, ZERO);
  a.lw(T2, UEXOS.serverSp, ZERO);
  a.beq(V1, T8, 'exos.enter.own');
  a.lw(T8, UEXOS.caller, ZERO);
  a.bltz(V1, 'exos.enter.go');
  a.li(T9, NO_NAME);
  // Another's. A server that awaits calls, or whose reply is under way, has nothing to do in it, nor has a process that serves nothing.
  a.bne(T2, ZERO, 'exos.enter.served');
  a.lw(T0, UKIT.contextPc, ZERO);
  a.beq(T8, T9, 'exos.enter.back');
  a.andi(T8, T8, ENV_LIMIT - 1);
  a.bne(T8, V1, 'exos.enter.go');
  a.nop();
  a.sw(ZERO, UEXOS.own, ZERO);
  a.label('exos.enter.go');
  a.j('exos.given');
  a.move(A1, ZERO);
  emitOwn(a);
  a.label('exos.enter.served');
  a.nop();
  a.bne(T0, ZERO, 'exos.enter.go');
  a.nop();
}

/**
 * A slice of its own, and nothing waits: that is one round of looking out. If it awaits a reply, its call went out in an instance that was not
 * its own, or a second slice begins: the slice goes to the server, which serves the call in it, or says again that it does not (`lrpc.awaits`).
 */
function emitOwn(a: Assembler): void {
  a.label('exos.enter.own');
  a.lw(T0, UKIT.contextPc, ZERO);
  a.lw(T1, UEXOS.waiting, ZERO);
  a.lw(T2, UEXOS.lookOut, ZERO);
  a.or(T0, T0, T1);
  a.bne(T0, ZERO, 'exos.enter.go');
  a.addiu(T2, T2, -1);
  a.blez(T2, 'exos.enter.awaits');
  a.lw(T8, UEXOS.callee, ZERO);
  a.sw(T2, UEXOS.lookOut, ZERO);
  emitLookAt(a);
  a.label('exos.enter.awaits');
  a.lw(T0, UEXOS.bound, ZERO);
  a.slti(T9, T8, ENV_LIMIT);
  // That of a trusted server, which has an entry of its own, is its name for good.
  a.beq(T0, ZERO, 'exos.enter.go');
  a.move(T2, ZERO);
  a.beq(T9, ZERO, 'exos.enter.go');
  a.nop();
  emitLookAt(a);
  a.move(V1, T8);
  a.li(A1, AWAITS);
  for (const r of [T0, T1, T8, T9]) a.move(r, ZERO);
  a.li(V0, CALLS.scall.number);
  a.syscall(0);
  // It is dead, or the slice is over.
  a.b('exos.enter.go');
  a.nop();
}

/** Emits: it may sleep for LOOK_TICKS from now on. Changes v0 and v1. */
function emitLookAt(a: Assembler): void {
  a.li(V0, CALLS.tick.number);
  a.syscall(0);
  a.addiu(V1, V1, LOOK_TICKS);
  a.sw(V1, UEXOS.lookAt, ZERO);
}

/** v1 = the number of the owner. The context may wait in the handler of a fault: so no access may fault here. */
function emitGiveBack(a: Assembler): void {
  a.label('exos.enter.back');
  a.sll(T8, V1, ENV_SHIFT);
  a.srl(T9, V1, PAGE_SHIFT - ENV_SHIFT);
  a.sll(T9, T9, PAGE_SHIFT);
  a.li(A0, WINDOWS.environments);
  a.addu(A0, A0, T9);
  a.li(A1, EXPOSED.environments | ENTRYLO.valid);
  a.addu(A1, A1, T9);
  a.li(A2, WELL_KNOWN_READ[0]);
  a.li(A3, WELL_KNOWN_READ[1]);
  a.move(T0, ZERO);
  a.li(V0, CALLS.tlbwr.number);
  a.syscall(0);
  a.li(A0, WINDOWS.environments);
  a.bne(V0, ZERO, 'exos.enter.go');
  a.addu(A0, A0, T8);
  a.lw(V1, ENV.name, A0);
  a.sw(ZERO, UEXOS.own, ZERO);
  a.li(A0, -1);
  a.li(A1, ANSWER);
  a.li(V0, CALLS.scall.number);
  a.syscall(0);
  // It has no entry for that: it wants its slice here.
  a.sw(V0, UEXOS.own, ZERO);
  a.j('exos.given');
  a.move(A1, ZERO);
}

/**
 * A call that is not served, in the instance of the slice in which it came. If that ends here, the caller hears at its next instance, by
 * `exos.enter`.
 */
function emitRefuse(a: Assembler): void {
  a.label('lrpc.refuse');
  a.li(T0, ANSWER);
  // The caller's business is the answer alone, not the words that were looked at.
  a.move(T8, ZERO);
  a.move(T9, ZERO);
  a.beq(A1, T0, 'lrpc.refuse.answer');
  a.li(T1, AWAITS);
  a.beq(A1, T1, 'lrpc.awaits');
  a.label('lrpc.refuse.now');
  a.move(T1, ZERO);
  a.move(T2, ZERO);
  a.move(A1, T0);
  a.li(A0, -1);
  a.li(V0, CALLS.scall.number);
  a.syscall(0);
  a.b('exos.go');
  a.move(A1, ZERO);
  // The caller awaits a reply, and has its slice served in: if its call is not under way, or its reply, it has lost a refusal.
  a.label('lrpc.awaits');
  a.lw(T1, UEXOS.caller, ZERO);
  a.lw(T2, UEXOS.serverSp, ZERO);
  a.bne(T1, V1, 'lrpc.refuse.now');
  a.lw(T1, UKIT.contextPc, ZERO);
  a.beq(T2, ZERO, 'lrpc.awaits.served');
  a.move(T2, ZERO);
  a.beq(T1, ZERO, 'lrpc.refuse.now');
  a.label('lrpc.awaits.served');
  a.move(A1, ZERO);
  a.b('exos.go');
  a.sw(ZERO, UEXOS.own, ZERO);
  // No call: a slice of this process comes back, with the answer to a call of which it has heard by other ways.
  a.label('lrpc.refuse.answer');
  a.sw(T0, UEXOS.own, ZERO);
  a.move(A1, ZERO);
  // The floating-point unit is the caller's.
  a.label('exos.go');
  a.lw(T0, UEXOS.floatUsed, ZERO);
  a.nop();
  a.bne(T0, ZERO, 'exos.go.float');
  a.nop();
  a.j('exos.given');
  a.nop();
  a.label('exos.go.float');
  a.j('exos.given.float');
  a.nop();
}

/** Nothing to go on with: until a call or a reply comes. */
function emitIdle(a: Assembler): void {
  a.label('exos.idle');
  a.lw(T8, UEXOS.callee, ZERO);
  a.move(A0, ZERO);
  a.slti(T9, T8, ENV_LIMIT);
  a.beq(T9, ZERO, 'exos.idle.sleep');
  a.sw(ZERO, UEXOS.own, ZERO);
  // A reply, in whichever slice.
  a.sw(T9, UEXOS.own, ZERO);
  // The table's window may fault, and the fault's handler be interrupted: not here, then.
  a.lw(T9, UKIT.criticalDepth, ZERO);
  a.andi(T1, T8, ENV_LIMIT - 1);
  a.addiu(T0, T9, 1);
  a.sw(T0, UKIT.criticalDepth, ZERO);
  a.li(T0, WINDOWS.environments);
  a.sll(T1, T1, ENV_SHIFT);
  a.addu(T1, T1, T0);
  a.lw(T0, ENV.status, T1);
  a.lw(T1, ENV.name, T1);
  a.sw(T9, UKIT.criticalDepth, ZERO);
  a.lw(T9, UKIT.criticalInterrupted, ZERO);
  a.xor(T1, T1, T8);
  // The slice has ended meanwhile: it is left at once, and looked again in the next.
  a.bne(T9, ZERO, 'exos.idle.over');
  a.addiu(T0, T0, -ENV_STATUS.runnable);
  a.or(T0, T0, T1);
  a.bne(T0, ZERO, 'lrpc.dead');
  a.li(A0, -1);
  a.b('exos.idle.look');
  a.nop();
  a.label('exos.idle.sleep');
  a.lw(T9, UEXOS.lookOut, ZERO);
  a.nop();
  a.beq(T9, ZERO, 'exos.idle.now');
  a.addiu(T9, T9, -1);
  a.bne(T9, ZERO, 'exos.idle.over');
  a.nop();
  // It sleeps up to then whatever wakes it, and looks out again: a slice in debt may begin much later, and begins only while this process is awake.
  a.label('exos.idle.look');
  a.li(V0, CALLS.tick.number);
  a.syscall(0);
  a.lw(A0, UEXOS.lookAt, ZERO);
  a.nop();
  a.subu(T9, A0, V1);
  a.bgtz(T9, 'exos.idle.now');
  a.slti(T9, T8, ENV_LIMIT);
  // What awaits a reply looks once, when its own slice begins.
  a.bne(T9, ZERO, 'exos.idle.over');
  a.nop();
  emitLookOut(a);
  a.b('exos.idle.over');
  a.nop();
  a.label('exos.idle.now');
  a.li(V0, CALLS.sleep.number);
  a.syscall(0);
  // There was an event already.
  a.b('exos.idle');
  a.nop();
  a.label('exos.idle.over');
  a.sw(ZERO, UKIT.criticalInterrupted, ZERO);
  a.li(A0, -1);
  a.li(V0, CALLS.yield.number);
  a.syscall(0);
}

/** Emits: a slice of a caller's may be here. RuntimeParts.abandoned, for what is given up may be a call. Changes t1. */
export function emitLookOut(a: Assembler): void {
  a.li(T1, ROUNDS);
  a.sw(T1, UEXOS.lookOut, ZERO);
}

/**
 * Emits `exos.given`: v1 = the name of who gives the processor, or no name; a1 = ANSWER if that is a reply, which is in a0. And `exos.given.float`,
 * the same of a process that has used the floating-point unit: where it gave the processor away becomes its context, which waits.
 */
export function emitGiven(a: Assembler): void {
  // By a transfer: in an instance that is no client's, whichever this process was cut off in. What ends in it must not be taken for served in the client's.
  a.label('exos.transferred');
  a.li(T9, 1);
  a.sw(T9, UEXOS.own, ZERO);
  a.label('exos.given');
  a.lw(T1, UEXOS.waiting, ZERO);
  a.lw(T0, UKIT.contextPc, ZERO);
  a.beq(T1, ZERO, 'exos.given.called');
  a.nop();
  a.bne(T0, ZERO, 'kit.prologue');
  a.nop();
  a.jr(T1);
  a.nop();
  a.label('exos.given.called');
  a.lw(T8, UEXOS.callee, ZERO);
  a.bne(T0, ZERO, 'kit.prologue');
  a.li(T9, ANSWER);
  a.bne(V1, T8, 'exos.idle');
  a.nop();
  a.bne(A1, T9, 'exos.idle');
  a.nop();
  a.j('lrpc.reply');
  a.move(V0, A0);
  a.label('exos.transferred.float');
  a.li(T9, 1);
  a.sw(T9, UEXOS.own, ZERO);
  a.label('exos.given.float');
  a.lw(T0, UKIT.contextPc, ZERO);
  a.lw(T1, UEXOS.waiting, ZERO);
  a.bne(T0, ZERO, 'exos.given.own');
  a.nop();
  a.beq(T1, ZERO, 'exos.given.called');
  a.nop();
  a.sw(T1, UKIT.contextPc, ZERO);
  a.label('exos.given.own');
  a.j('exos.float.prologue');
  a.nop();
}
