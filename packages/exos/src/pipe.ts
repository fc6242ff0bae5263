/**
 * Pipes, in machine code: a ring in a page that both ends share, and directed yields instead of a kernel. [SOSP95 §6.1]
 *
 * A process that finds the pipe empty (or full) gives the processor to the process at the other end, a few times. Then it notes that
 * it waits, and sleeps; the process that fills (or empties) the pipe yields straight to it. The limit of one tick on the sleep
 * makes a lost wakeup a delay. The ends are named with their lives (ENV.name): an environment that has the number of one that has ended is
 * not yielded to. Words are copied as words where everything is aligned. Several processes may have the same
 * end: what one of them does to the ring is a critical section. The ends trust each other: a pipe joins a process and its
 * children.
 */
import { CALLS, PAGE_BYTES } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  RA,
  S0,
  S1,
  S2,
  S3,
  S4,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { emitCriticalEnter, emitCriticalLeave, emitFillEntry } from '@exokernel/libos-kit';
import { DESCRIPTORS, END, PIPE, PIPE_BYTES, SHARED, UEXOS } from './layout.ts';
import type { PageTable } from './page-table.ts';

const SAVED: readonly Register[] = [RA, S0, S1, S2, S3, S4];
const FRAME = 24;
/** Directed yields before a sleep [XOK]. */
const TRIES = 3;

function emitEnter(a: Assembler): void {
  a.addiu(SP, SP, -FRAME);
  SAVED.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
}

function emitLeave(a: Assembler): void {
  SAVED.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.ret();
  a.addiu(SP, SP, FRAME);
}

/** Emits s0 = page of the pipe of descriptor a0, or a branch to `bad` if it is not open at this end. Uses t0, t1. */
function emitDescriptor(a: Assembler, end: number, bad: string): void {
  a.sltiu(T0, A0, DESCRIPTORS);
  a.beq(T0, ZERO, bad);
  a.sll(T0, A0, 3);
  a.lw(S0, UEXOS.descriptors, T0);
  a.lw(T1, UEXOS.descriptors + 4, T0);
  a.beq(S0, ZERO, bad);
  a.li(T0, end);
  a.bne(T1, T0, bad);
  a.nop();
}

export function emitPipes(a: Assembler, table: PageTable): void {
  emitOpen(a, table);
  emitTransfer(a, 'read');
  emitTransfer(a, 'write');
  emitClose(a);
  a.label('pipe.bad');
  a.b('pipe.leave');
  a.li(V0, -1);
  a.label('pipe.leave');
  emitLeave(a);
}

/** pipe_open(a0 = address of two words): the descriptors, reader first. A page of the heap becomes the pipe. */
function emitOpen(a: Assembler, table: PageTable): void {
  a.label('pipe_open');
  emitEnter(a);
  a.move(S1, A0);
  a.lw(S2, UEXOS.heap, ZERO);
  a.li(T0, table.heapEnd);
  a.beq(S2, T0, 'pipe.bad');
  a.nop();
  for (const descriptor of [S3, S4]) {
    const [next, found] = [a.fresh('pipe_open.next'), a.fresh('pipe_open.found')];
    a.move(descriptor, descriptor === S3 ? ZERO : S3);
    if (descriptor === S4) a.addiu(S4, S4, 8);
    a.label(next);
    a.sltiu(T0, descriptor, 8 * DESCRIPTORS);
    a.beq(T0, ZERO, 'pipe.bad');
    a.nop();
    a.lw(T0, UEXOS.descriptors, descriptor);
    a.nop();
    a.beq(T0, ZERO, found);
    a.nop();
    a.b(next);
    a.addiu(descriptor, descriptor, 8);
    a.label(found);
  }
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, 'pipe.bad');
  a.move(T1, S2);
  table.claim(a);
  emitFillEntry(a, SHARED);
  a.move(S0, S2);
  a.addiu(S2, S2, PAGE_BYTES);
  a.sw(S2, UEXOS.heap, ZERO);
  a.li(T0, 1);
  a.sw(T0, PIPE.readers, S0);
  a.sw(T0, PIPE.writers, S0);
  a.lw(A0, UEXOS.self, ZERO);
  a.bal('lrpc_name');
  a.nop();
  a.sw(V0, UEXOS.name, ZERO);
  for (const [descriptor, end, at] of [
    [S3, END.reader, 0],
    [S4, END.writer, 4],
  ] as const) {
    a.li(T0, end);
    a.sw(S0, UEXOS.descriptors, descriptor);
    a.sw(T0, UEXOS.descriptors + 4, descriptor);
    a.srl(T0, descriptor, 3);
    a.sw(T0, at, S1);
  }
  a.b('pipe.leave');
  a.move(V0, ZERO);
}

/**
 * pipe_read(d, address, max): bytes read, 0 at the end of the stream. pipe_write(d, address, n): bytes written, fewer than n only if
 * there is no reader left.
 */
function emitTransfer(a: Assembler, kind: 'read' | 'write'): void {
  const reading = kind === 'read';
  const name = `pipe_${kind}`;
  const [mine, theirs] = reading ? [PIPE.readerWaits, PIPE.writerWaits] : [PIPE.writerWaits, PIPE.readerWaits];
  const [self, peer] = reading ? [PIPE.reader, PIPE.writer] : [PIPE.writer, PIPE.reader];
  a.label(name);
  emitEnter(a);
  emitDescriptor(a, reading ? END.reader : END.writer, 'pipe.bad');
  a.move(S1, A1);
  a.move(S2, A2);
  a.lw(S4, UEXOS.name, ZERO);
  a.move(S3, ZERO);
  a.addiu(S4, S4, 1);
  a.sw(S4, self, S0);
  a.li(S4, TRIES);

  a.label(`${name}.again`);
  a.beq(S2, ZERO, `${name}.end`);
  emitCriticalEnter(a, T2);
  a.lw(T0, PIPE.read, S0);
  a.lw(T1, PIPE.written, S0);
  if (!reading) {
    a.lw(T2, PIPE.readers, S0);
    a.nop();
    a.beq(T2, ZERO, `${name}.closed`);
  }
  a.nop();
  a.subu(T2, T1, T0);
  if (!reading) {
    a.li(T3, PIPE_BYTES);
    a.subu(T2, T3, T2);
  }
  a.bne(T2, ZERO, `${name}.some`);
  if (reading) {
    a.lw(T3, PIPE.writers, S0);
    a.nop();
    a.beq(T3, ZERO, `${name}.closed`);
  }
  a.nop();
  emitCriticalLeave(a);
  // Wait: the other end has the processor, and yields it when it waits itself.
  a.lw(A0, peer, S0);
  a.addiu(S4, S4, -1);
  a.bltz(S4, `${name}.sleep`);
  a.nop();
  a.beq(A0, ZERO, `${name}.sleep`);
  a.addiu(A0, A0, -1);
  a.bal('exos.yield');
  a.li(T3, -1);
  a.b(`${name}.again`);
  a.nop();
  // Or sleep: the process that changes the pipe yields to this one.
  a.label(`${name}.sleep`);
  a.lw(T3, UEXOS.name, ZERO);
  a.nop();
  a.addiu(T3, T3, 1);
  a.sw(T3, mine, S0);
  a.li(V0, CALLS.tick.number);
  a.syscall(0);
  a.bal('kit.sleep');
  a.addiu(A0, V1, 1);
  a.b(`${name}.again`);
  a.sw(ZERO, mine, S0);

  // Copy min(what there is, what is wanted) bytes. t0 = read, t1 = written.
  a.label(`${name}.some`);
  a.sltu(T3, S2, T2);
  const clipped = a.fresh('clipped');
  a.beq(T3, ZERO, clipped);
  a.addu(S3, S3, T2);
  a.subu(S3, S3, T2);
  a.addu(S3, S3, S2);
  a.move(T2, S2);
  a.label(clipped);
  a.subu(S2, S2, T2);
  const index = reading ? T0 : T1;
  a.addu(T4, index, T2);
  a.or(T3, S1, index);
  a.or(T3, T3, T2);
  a.andi(T3, T3, 3);
  a.bne(T3, ZERO, `${name}.copy`);
  a.nop();
  a.label(`${name}.words`);
  a.andi(T3, index, PIPE_BYTES - 1);
  a.addu(T3, T3, S0);
  a.lw(T5, reading ? PIPE.data : 0, reading ? T3 : S1);
  a.addiu(index, index, 4);
  if (reading) a.sw(T5, 0, S1);
  else a.sw(T5, PIPE.data, T3);
  a.bne(index, T4, `${name}.words`);
  a.addiu(S1, S1, 4);
  a.b(`${name}.copied`);
  a.nop();
  a.label(`${name}.copy`);
  a.andi(T3, index, PIPE_BYTES - 1);
  a.addu(T3, T3, S0);
  if (reading) {
    a.lbu(T5, PIPE.data, T3);
    a.addiu(index, index, 1);
    a.sb(T5, 0, S1);
  } else {
    a.lbu(T5, 0, S1);
    a.addiu(index, index, 1);
    a.sb(T5, PIPE.data, T3);
  }
  a.bne(index, T4, `${name}.copy`);
  a.addiu(S1, S1, 1);
  a.label(`${name}.copied`);
  a.sw(index, reading ? PIPE.read : PIPE.written, S0);
  emitCriticalLeave(a);
  // A process that waits for this runs now.
  a.lw(A0, theirs, S0);
  a.nop();
  a.beq(A0, ZERO, `${name}.woken`);
  a.addiu(A0, A0, -1);
  a.sw(ZERO, theirs, S0);
  a.bal('exos.yield');
  a.li(T3, -1);
  a.label(`${name}.woken`);
  if (!reading) {
    a.b(`${name}.again`);
    a.nop();
  }
  a.label(`${name}.end`);
  a.b('pipe.leave');
  a.move(V0, S3);
  a.label(`${name}.closed`);
  emitCriticalLeave(a);
  a.b(`${name}.end`);
  a.nop();
}

/** pipe_close(d). The last of an end to close wakes the other. */
function emitClose(a: Assembler): void {
  a.label('pipe_close');
  emitEnter(a);
  a.sltiu(T0, A0, DESCRIPTORS);
  a.beq(T0, ZERO, 'pipe.bad');
  a.sll(S1, A0, 3);
  a.lw(S0, UEXOS.descriptors, S1);
  a.lw(T1, UEXOS.descriptors + 4, S1);
  a.beq(S0, ZERO, 'pipe.bad');
  a.sw(ZERO, UEXOS.descriptors, S1);
  a.addiu(T1, T1, -END.reader);
  a.sll(T1, T1, 2);
  a.addu(T1, T1, S0);
  emitCriticalEnter(a);
  a.lw(T2, PIPE.readers, T1);
  a.nop();
  a.addiu(T2, T2, -1);
  a.sw(T2, PIPE.readers, T1);
  // PIPE.readers and writers are neighbours, and so are the words of the waiting processes, the other way round.
  a.subu(T1, S0, T1);
  a.addu(S1, S0, T1);
  emitCriticalLeave(a);
  a.lw(A0, PIPE.writerWaits, S1);
  a.nop();
  a.beq(A0, ZERO, 'pipe_close.done');
  a.addiu(A0, A0, -1);
  a.bal('exos.yield');
  a.li(T3, -1);
  a.label('pipe_close.done');
  a.b('pipe.leave');
  a.move(V0, ZERO);
}
