/**
 * pipe': the pipe of pipe.ts with its operations inlined for one word, by a program that knows its pipes. [SOSP95 §6.1]
 *
 * No descriptors, no calls, no checks but those of the ring; the same page, so that the other end may use either. A reader that
 * finds it empty gives the processor to the one it names, and keeps only what is live.
 */
import { T0, T1, T2, T3, type Assembler, type Register } from '@exokernel/isa';
import { emitGive } from './directed-yield.ts';
import { PIPE, PIPE_BYTES } from './layout.ts';

/**
 * Emits a write of the word `value` to the pipe whose page is at `pipe`; a branch to `full` if it has no room for it. Uses t0 to
 * t3.
 */
export function emitPipeWriteWord(a: Assembler, pipe: Register, value: Register, full: string): void {
  a.lw(T0, PIPE.written, pipe);
  a.lw(T1, PIPE.read, pipe);
  a.andi(T2, T0, PIPE_BYTES - 1);
  a.subu(T1, T0, T1);
  a.sltiu(T1, T1, PIPE_BYTES - 3);
  a.addu(T2, T2, pipe);
  a.beqz(T1, full);
  a.addiu(T0, T0, 4);
  a.sw(value, PIPE.data, T2);
  a.sw(T0, PIPE.written, pipe);
}

/**
 * Emits a read of a word from the pipe whose page is at `pipe` into `value`; waits for it, giving the processor to `peer`, a name, each
 * time. Keeps `live`, `pipe` and `peer`; uses t0 to t3, and every other register if it waits.
 */
export function emitPipeReadWord(
  a: Assembler,
  pipe: Register,
  value: Register,
  peer: Register,
  live: readonly Register[] = [],
): void {
  const [again, some] = [a.fresh('pipe.again'), a.fresh('pipe.some')];
  a.label(again);
  a.lw(T0, PIPE.read, pipe);
  a.lw(T1, PIPE.written, pipe);
  a.andi(T2, T0, PIPE_BYTES - 1);
  a.subu(T1, T1, T0);
  a.sltiu(T1, T1, 4);
  a.beqz(T1, some);
  a.addu(T2, T2, pipe);
  emitGive(a, peer, [pipe, peer, ...live]);
  a.b(again);
  a.nop();
  a.label(some);
  a.lw(T3, PIPE.data, T2);
  a.addiu(T0, T0, 4);
  a.sw(T0, PIPE.read, pipe);
  a.move(value, T3);
}
