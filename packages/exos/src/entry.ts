/**
 * Where a process is entered: at the start of its slice, by an asynchronous transfer (a directed yield), by a synchronous one
 * (a call, or the reply to one). [SOSP95 §5.2]
 *
 * At the first two it goes on with what waits: its saved context; else where it gave the processor away (`waiting`); else
 * it awaits a call or a reply, and sleeps. So being given the processor by a stranger does no harm. A synchronous
 * transfer is a reply if it comes from the process that this one has called, else a call (lrpc.ts).
 */
import { CALLS, ENV, ENV_LIMIT, ENV_STATUS } from '@exokernel/abi';
import { A0, T0, T1, T8, T9, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { UKIT } from '@exokernel/libos-kit';
import { UEXOS, WINDOWS } from './layout.ts';

/** Ticks after which one that awaits a reply looks whether its server lives. */
const LOOK_TICKS = 4;
/** log2 of ENV_BYTES. */
const ENV_SHIFT = 9;

/** Emits `exos.enter` and `exos.idle`, for which an end of slice has nothing to save: RuntimeParts.entries. */
export function emitEntries(a: Assembler): void {
  a.label('exos.enter');
  a.lw(T1, UEXOS.waiting, ZERO);
  a.lw(T0, UKIT.contextPc, ZERO);
  a.beq(T1, ZERO, 'exos.enter.context');
  a.nop();
  a.bne(T0, ZERO, 'exos.enter.waits');
  a.nop();
  a.jr(T1);
  a.nop();
  // The context, but a client may wait to hear that this process is busy.
  a.label('exos.enter.waits');
  a.lw(V1, UEXOS.refusing, ZERO);
  a.nop();
  a.slti(T0, V1, ENV_LIMIT);
  a.beq(T0, ZERO, 'kit.prologue');
  a.nop();
  a.j('lrpc.refuse');
  a.nop();
  a.label('exos.enter.context');
  a.bne(T0, ZERO, 'exos.enter.waits');
  a.nop();

  // Nothing to go on with: until a call or a reply comes.
  a.label('exos.idle');
  a.lw(T8, UEXOS.callee, ZERO);
  a.move(A0, ZERO);
  a.slti(T9, T8, ENV_LIMIT);
  a.beq(T9, ZERO, 'exos.idle.sleep');
  // A reply. The table's window may fault, and the fault's handler be interrupted: not here, then.
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
  a.xor(T1, T1, T8);
  a.addiu(T0, T0, -ENV_STATUS.runnable);
  a.or(T0, T0, T1);
  a.bne(T0, ZERO, 'lrpc.dead');
  a.sw(ZERO, UKIT.criticalInterrupted, ZERO);
  a.li(V0, CALLS.tick.number);
  a.syscall(0);
  a.addiu(A0, V1, LOOK_TICKS);
  a.label('exos.idle.sleep');
  a.li(V0, CALLS.sleep.number);
  a.syscall(0);
  // There was an event already.
  a.b('exos.idle');
  a.nop();
}
