/**
 * Local remote procedure calls over synchronous protected control transfer. [SOSP95 §6.1, §7.1]
 *
 * The server is not trusted with registers: the client saves and restores all that survive a call, and clears s0 to s7 and fp, in which its own
 * callers may have secrets. It does not clear t0 to t9, HI and LO, which a program that has a secret in them can clear before a call, nor gp, sp and
 * ra, which are addresses. A procedure is a routine: it keeps s0 to s7, gp, sp and fp. All that it may leave in others but the result is cleared.
 * Arguments and results are in registers, for the kernel changes none of them. A server has a table of procedures, a stack, and one call at a time.
 * A client that calls a busy server (also one whose context waits), or a process that serves nothing, gets −1 at once. If the slice
 * ends just then, the client gets it when its slice begins next (entry.ts). The client takes a reply only from
 * the server that it called, and looks now and then whether the server lives. It names the server as the kernel does (ENV.name): an
 * environment that has the number later is not called, nor is its reply taken.
 *
 * A synchronous transfer donates the slice for good. So a reply is one only in the instance in which the call came, or in one of a
 * slice that the caller owns. In any other the reply is an asynchronous transfer, which costs the server the rest of this instance; the
 * caller's slice goes back when it begins. `lrpc.answer` decides that in a restartable sequence.
 *
 * A *trusted* server keeps those registers itself, and its procedure is its entry: the call is two transfers and little
 * else. That is for programs that agree on it; the parts are inlined. Whichever slice a reply goes out in, the client has it then: a
 * trusted server serves only callers that it trusts with its own slice.
 */
import { CALLS, ENV, ENV_BYTES, ENV_LIMIT } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  AT,
  FP,
  GP,
  RA,
  S0,
  S7,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  T9,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { UKIT, type Restartable } from '@exokernel/libos-kit';
import { CALLEE_SAVED, GIVE, emitRecord } from './directed-yield.ts';
import { emitLookOut } from './entry.ts';
import { ANSWER, NO_NAME, PROCEDURES, TRUSTED, UEXOS, WINDOWS } from './layout.ts';

/** What a routine may change, and a server clears: all but v0 and v1, which a transfer changes, a0, the result, and t0 and t1, which are 0 then. */
const TEMPORARIES: readonly Register[] = [AT, A1, A2, A3, T2, T3, T4, T5, T6, T7, T8, T9];
/** What a client's own callers may have in registers, and it cannot clear: s0 to s7. */
const HIDDEN: readonly Register[] = CALLEE_SAVED.slice(0, 8);
/** What is saved too, and is seldom another than at the last call; each with a register for what it was then. */
const SELDOM = [
  [GP, T0],
  [FP, T1],
  [SP, T2],
] as const;

/** Bytes of the stack that a call takes of a process that uses the floating-point unit. */
const CALL_FRAME = 24;

/** The words of the u-page that a process starts with. */
export const LRPC_WORDS: ReadonlyMap<number, number> = new Map([
  [UEXOS.callee, NO_NAME],
  [UEXOS.caller, NO_NAME],
]);

/** Emits the entry of synchronous transfers, and the routines lrpc_name, lrpc_call, lrpc_bind, lrpc_serve, lrpc_trust. */
export function emitLrpc(a: Assembler): void {
  emitSyncEntry(a);
  emitServer(a);
  emitCall(a);
  emitClient(a);
  emitTrust(a);
}

/** v1 = the caller; a reply's result is in a0; a call's procedure in a1, its arguments in a2 and a3. */
function emitSyncEntry(a: Assembler): void {
  a.label('exos.sync');
  a.lw(T8, UEXOS.callee, ZERO);
  a.lw(T9, UKIT.contextPc, ZERO);
  a.bne(V1, T8, 'lrpc.request');
  a.sltiu(T0, A1, PROCEDURES);
  // One that awaits a reply has no context: this is for the next instance to tell the server, should it ever be otherwise.
  a.bne(T9, ZERO, 'lrpc.refuse');
  a.move(V0, A0);
  a.label('lrpc.reply');
  emitLoadSaved(a);
  // The one that was called does not live any more: a0 = −1.
  a.label('lrpc.dead');
  a.b('lrpc.reply');
  a.move(V0, A0);

  // The same of a process that has used the floating-point unit. A call that can be served becomes its context, which waits.
  a.label('exos.sync.float');
  a.lw(T8, UEXOS.callee, ZERO);
  a.lw(T9, UKIT.contextPc, ZERO);
  a.beq(V1, T8, 'exos.sync');
  a.lw(T0, UEXOS.serverSp, ZERO);
  a.bne(T9, ZERO, 'exos.sync');
  a.nop();
  a.beq(T0, ZERO, 'exos.sync');
  a.la(T1, 'exos.sync');
  for (const r of [V1, A1, A2, A3]) a.sw(r, UKIT.context + 4 * r, ZERO);
  a.j('exos.float.prologue');
  a.sw(T1, UKIT.contextPc, ZERO);
}

/** Emits: returns from the call. Nothing is awaited any more. */
function emitLoadSaved(a: Assembler): void {
  [...CALLEE_SAVED].reverse().forEach((r) => {
    a.lw(r, saved(r), ZERO);
  });
  a.ret();
  // An address of this process's own is no environment's name.
  a.sw(SP, UEXOS.callee, ZERO);
}

function emitSave(a: Assembler, r: Register | undefined): void {
  if (r === undefined) return;
  a.sw(r, saved(r), ZERO);
}

function saved(r: Register): number {
  return UEXOS.callSave + 4 * CALLEE_SAVED.indexOf(r);
}

/**
 * RuntimeParts.saved, with t0 = where the slice ended: a process that awaits a reply has no context, for the reply is not to find one. A
 * reply that has come is taken here and now: the context is that of the return from the call, so no end of slice finds it half done. A
 * call that has not gone out is not awaited yet. A call that has come in and can be served comes in again. One that cannot, or the
 * processor that was given, is forgotten. No register is trusted here but those of what has been found to be a call or a reply.
 */
export function emitSaved(a: Assembler): void {
  const out = a.fresh('saved');
  a.la(T1, 'exos.transferred');
  a.la(T2, 'lrpc.accepted');
  a.subu(T2, T2, T1);
  a.subu(T1, T0, T1);
  a.sltu(T1, T1, T2);
  a.bne(T1, ZERO, 'lrpc.saved.entered');
  a.la(T1, CALL.label);
  a.bne(T0, T1, out);
  a.li(T2, NO_NAME);
  a.b(out);
  a.sw(T2, UEXOS.callee, ZERO);
  a.label('lrpc.saved.entered');
  a.lw(T2, UEXOS.callee, ZERO);
  a.la(T1, 'exos.sync');
  a.bne(V1, T2, 'lrpc.saved.call');
  a.sltu(T0, T0, T1);
  a.li(T2, ANSWER);
  a.beq(T0, ZERO, 'lrpc.saved.reply');
  a.nop();
  a.beq(A1, T2, 'lrpc.saved.reply');
  a.nop();
  a.label('lrpc.saved.call');
  a.lw(T2, UEXOS.serverSp, ZERO);
  a.bne(T0, ZERO, 'lrpc.saved.forgotten');
  a.sltiu(T0, A1, PROCEDURES);
  a.beq(T2, ZERO, 'lrpc.saved.forgotten');
  a.nop();
  a.bne(T0, ZERO, out);
  a.sw(T1, UKIT.contextPc, ZERO);
  a.label('lrpc.saved.forgotten');
  emitLookOut(a);
  a.b(out);
  a.sw(ZERO, UKIT.contextPc, ZERO);
  a.label('lrpc.saved.reply');
  a.sw(A0, UKIT.context + 4 * V0, ZERO);
  CALLEE_SAVED.forEach((r, i) => {
    // Two at a time, for a load is there one instruction later.
    a.lw(i % 2 === 0 ? T1 : T2, saved(r), ZERO);
    if (i % 2 === 0) return;
    a.sw(T1, UKIT.context + 4 * (CALLEE_SAVED[i - 1] ?? 0), ZERO);
    a.sw(T2, UKIT.context + 4 * r, ZERO);
  });
  // The last of them is ra.
  a.sw(T2, UKIT.contextPc, ZERO);
  a.li(T2, NO_NAME);
  a.sw(T2, UEXOS.callee, ZERO);
  a.label(out);
}

/** Replies to `UEXOS.caller` with a0, and does not return. */
export const ANSWERED: Restartable = {
  label: 'lrpc.answer',
  emit: (a) => {
    a.lw(T0, UEXOS.own, ZERO);
    a.lw(T1, UKIT.float, ZERO);
    a.lw(V1, UEXOS.caller, ZERO);
    a.or(T0, T0, T1);
    a.bne(T0, ZERO, 'lrpc.answer.late');
    a.li(V0, CALLS.scall.number);
    a.sw(SP, UEXOS.serverSp, ZERO);
    a.syscall(0);
    // The caller has died: no answer is possible.
    a.j('exos.idle');
    a.nop();
  },
};

function emitServer(a: Assembler): void {
  a.label('lrpc.request');
  a.beq(T0, ZERO, 'lrpc.refuse');
  a.lw(T0, UEXOS.serverSp, ZERO);
  a.bne(T9, ZERO, 'lrpc.refuse');
  a.sll(T1, A1, 2);
  a.beq(T0, ZERO, 'lrpc.refuse');
  a.lw(T9, UEXOS.procedures, T1);
  a.move(SP, T0);
  a.sw(V1, UEXOS.caller, ZERO);
  // Up to here an end of slice lets the call come in again (`emitSaved`): the jump and its slot are one.
  a.jalr(RA, T9);
  a.sw(ZERO, UEXOS.serverSp, ZERO);
  a.label('lrpc.accepted');
  a.move(A0, V0);
  // What the procedure has left in registers is not the caller's. Those that a routine keeps are the caller's own.
  for (const r of TEMPORARIES) a.move(r, ZERO);
  a.mthi(ZERO);
  a.j(ANSWERED.label);
  a.mtlo(ZERO);

  a.label('lrpc.answer.late');
  a.beq(T1, ZERO, 'lrpc.answer.own');
  a.nop();
  // The procedure has used the floating-point unit.
  a.bal('exos.float.away');
  a.move(S0, A0);
  a.move(A0, S0);
  a.j(ANSWERED.label);
  a.move(S0, ZERO);
  a.label('lrpc.answer.own');
  emitLookOut(a);
  a.move(T0, V1);
  emitRecord(a, T0);
  a.li(A1, ANSWER);
  a.li(T3, -1);
  a.sw(SP, UEXOS.serverSp, ZERO);
  // The next call comes in an instance of another's slice.
  a.sw(ZERO, UEXOS.own, ZERO);
  a.j(GIVE.label);
  a.addu(T1, T1, T2);

  // lrpc_serve(table of addresses, how many): serves, and does not return.
  a.label('lrpc_serve');
  a.move(T2, ZERO);
  a.la(T1, 'lrpc.none');
  a.label('lrpc_serve.next');
  a.sltu(T0, T2, A1);
  a.beq(T0, ZERO, 'lrpc_serve.none');
  a.move(T0, T1);
  a.lw(T0, 0, A0);
  a.addiu(A0, A0, 4);
  a.label('lrpc_serve.none');
  a.sll(T9, T2, 2);
  a.sw(T0, UEXOS.procedures, T9);
  a.addiu(T2, T2, 1);
  a.sltiu(T9, T2, PROCEDURES);
  a.bne(T9, ZERO, 'lrpc_serve.next');
  a.nop();
  a.bal('lrpc_bind');
  a.sw(SP, UEXOS.serverSp, ZERO);
  a.j('exos.idle');
  a.nop();
  a.label('lrpc.none');
  a.ret();
  a.li(V0, -1);
}

function emitClient(a: Assembler): void {
  // lrpc_bind(): from now on this process can be called, and called back. 0, or a negative error.
  a.label('lrpc_bind');
  a.lw(T0, UEXOS.floatUsed, ZERO);
  a.la(T1, 'exos.sync');
  a.beq(T0, ZERO, 'lrpc_bind.entry');
  a.sw(T1, UEXOS.bound, ZERO);
  a.la(T1, 'exos.sync.float');
  a.label('lrpc_bind.entry');
  // That of a trusted server, if there was one: it is none any more.
  a.li(T0, NO_NAME);
  a.sw(T0, UEXOS.callee, ZERO);
  a.label('lrpc.bind');
  for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
  a.li(T0, ENV.syncEntry);
  a.li(V0, CALLS.env_set.number);
  a.syscall(0);
  a.ret();
  a.nop();

  // lrpc_name(process): what a process is called by, in this life of its number.
  a.label('lrpc_name');
  a.andi(A0, A0, ENV_LIMIT - 1);
  a.sll(A0, A0, Math.log2(ENV_BYTES));
  a.li(T0, WINDOWS.environments);
  a.addu(A0, A0, T0);
  a.lw(V0, ENV.name, A0);
  a.ret();
  a.nop();
}

/**
 * Emits lrpc_call(server's name, procedure, x, y): what it returns, or −1.
 *
 * A store into a full write buffer waits five cycles on the DECstations 2100 and 3100. So gp, fp and sp, which seldom change, are stored only if
 * they did, and what is to be cleared is cleared between the stores.
 */
function emitCall(a: Assembler): void {
  a.label('lrpc_call');
  a.lw(T3, UKIT.float, ZERO);
  for (const [r, before] of SELDOM) a.lw(before, saved(r), ZERO);
  SELDOM.forEach(([r, before], i) => {
    const same = a.fresh('same');
    a.beq(r, before, same);
    emitSave(a, HIDDEN[i]);
    emitSave(a, r);
    a.label(same);
  });
  a.bne(T3, ZERO, 'lrpc_call.float');
  emitSave(a, RA);
  for (const r of [...HIDDEN.slice(0, SELDOM.length), FP]) a.move(r, ZERO);
  for (const r of HIDDEN.slice(SELDOM.length)) {
    emitSave(a, r);
    if (r !== HIDDEN.at(-1)) a.move(r, ZERO);
  }
  a.j(CALL.label);
  a.move(S7, ZERO);
  a.label('lrpc_call.refused');
  a.li(V0, -1);
  emitLoadSaved(a);

  // The floating-point unit is put away before, and its registers are loaded when it is used again: whatever the server had on, it is off then.
  a.label('lrpc_call.float');
  a.addiu(SP, SP, -CALL_FRAME);
  [RA, A0, A1, A2, A3].forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.bal('exos.float.away');
  a.nop();
  [A0, A1, A2, A3].forEach((r, i) => {
    a.lw(r, 4 + 4 * i, SP);
  });
  a.bal('lrpc_call');
  a.nop();
  a.bal('exos.float.away');
  a.sw(V0, 4, SP);
  a.lw(RA, 0, SP);
  a.lw(V0, 4, SP);
  a.ret();
  a.addiu(SP, SP, CALL_FRAME);
}

/** The last of it: an end of slice in it makes the call anew, also one that the kernel has just refused, for no register changed but v0. */
export const CALL: Restartable = {
  label: 'lrpc_call.out',
  emit: (a) => {
    a.sw(A0, UEXOS.callee, ZERO);
    a.move(V1, A0);
    a.li(V0, CALLS.scall.number);
    a.syscall(0);
    a.j('lrpc_call.refused');
    a.sw(SP, UEXOS.callee, ZERO);
  },
};

/**
 * lrpc_trust(server's name, entry): a client (which gets 0, or a negative error) is entered at `entry` with replies of this server;
 * a server (−1) is entered there with calls, and does not return.
 */
function emitTrust(a: Assembler): void {
  a.label('lrpc_trust');
  a.addiu(T0, A0, 1);
  a.sw(ZERO, UEXOS.bound, ZERO);
  a.move(T1, A1);
  a.li(T2, TRUSTED);
  a.beq(T0, ZERO, 'lrpc_trust.server');
  // Also a client's: it goes on in its server's slice, if a reply came in it, and does not give that back.
  a.sw(T2, UEXOS.caller, ZERO);
  a.j('lrpc.bind');
  a.sw(A0, UEXOS.callee, ZERO);
  a.label('lrpc_trust.server');
  a.bal('lrpc.bind');
  a.nop();
  a.j('exos.idle');
  a.nop();
}

/**
 * Emits a call of the trusted server in v1; arguments in any registers. What follows it is executed only if it is refused. The
 * reply comes in at the entry that was given to lrpc_trust, whose first instructions `emitTrustedReply` emits.
 */
export function emitTrustedCall(a: Assembler): void {
  a.li(V0, CALLS.scall.number);
  a.syscall(0);
}

/** Emits the check that the server replies and no other environment. `stranger` is a label of the program's. Uses t8. */
export function emitTrustedReply(a: Assembler, stranger: string): void {
  a.lw(T8, UEXOS.callee, ZERO);
  a.nop();
  a.bne(V1, T8, stranger);
  a.nop();
}
