/**
 * Two ExOS processes that talk, in machine code, one program for each of ExOS's mechanisms: a process and the child that it forks
 * hand a counter back and forth, or the child serves a call that increments one. [SOSP95 §6.1]
 */
import { A0, A1, A2, A3, RA, S0, S1, S2, S3, S4, SP, T0, T1, T4, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { UEXOS, emitPipeReadWord, emitPipeWriteWord, emitTrustedCall, emitTrustedReply, exos } from '@exokernel/exos';
import { compose, machineProgram, type EntryPoint, type MachineOs } from '@exokernel/libos-kit';
import type { Image } from '@exokernel/abi';

const NEEDS = ['processes', 'pipes', 'shared', 'lrpc', 'clock'] as const;
type Needed = (typeof NEEDS)[number];
type Os = MachineOs<Needed>;

/** The image, and where in the parent the measured operation begins and ends. */
export interface Talkers {
  readonly image: Image;
  readonly from: number;
  readonly to: number;
}

/** Notes addresses of the program while it is assembled. */
interface Marks {
  from: number;
  to: number;
}

export type Mechanism = 'pipe' | "pipe'" | 'shm' | 'lrpc' | 'trusted lrpc';

export function talkers(mechanism: Mechanism): Talkers {
  const marks: Marks = { from: 0, to: 0 };
  const image = compose(
    exos,
    machineProgram(mechanism, NEEDS, 4096, (a, os) => {
      a.addiu(SP, SP, -8);
      a.sw(RA, 4, SP);
      a.li(S0, os.data);
      PROGRAMS[mechanism](a, os, marks);
    }),
  );
  return { image, ...marks };
}

const PROGRAMS: Readonly<Record<Mechanism, (a: Assembler, os: Os, marks: Marks) => void>> = {
  pipe: emitPipe,
  "pipe'": emitInlinedPipe,
  shm: emitShared,
  lrpc: emitCall,
  'trusted lrpc': emitTrusted,
};

function call(a: Assembler, os: Os, name: EntryPoint<Needed>): void {
  a.jal(os.entry(name));
  a.nop();
}

/** Emits: opens two pipes, there and back, whose descriptors are then at s0 (reader, writer, reader, writer), and forks: s1 = child. */
function emitPipesAndFork(a: Assembler, os: Os): void {
  a.move(A0, S0);
  call(a, os, 'pipe_open');
  a.addiu(A0, S0, 8);
  call(a, os, 'pipe_open');
  call(a, os, 'process_fork');
  a.move(S1, V0);
}

/** s0 + 16: the counter. */
function emitPipe(a: Assembler, os: Os, marks: Marks): void {
  const transfer = (direction: 'read' | 'write', descriptor: number): void => {
    a.lw(A0, descriptor, S0);
    a.addiu(A1, S0, 16);
    a.jal(os.entry(`pipe_${direction}`));
    a.li(A2, 4);
  };
  const increment = (): void => {
    a.lw(T0, 16, S0);
    a.nop();
    a.addiu(T0, T0, 1);
    a.sw(T0, 16, S0);
  };
  emitPipesAndFork(a, os);
  a.beqz(S1, 'child');
  a.nop();
  a.label('parent');
  marks.from = a.here;
  marks.to = a.here;
  transfer('write', 4);
  transfer('read', 8);
  increment();
  a.b('parent');
  a.nop();
  a.label('child');
  transfer('read', 0);
  increment();
  transfer('write', 12);
  a.b('child');
  a.nop();
}

/** s2 = page of the pipe there, s3 = of that back, s1 = the name of the other process, s4 = the counter. */
function emitInlinedPipe(a: Assembler, os: Os, marks: Marks): void {
  call(a, os, 'process_self');
  a.move(A0, V0);
  call(a, os, 'lrpc_name');
  a.sw(V0, 20, S0);
  emitPipesAndFork(a, os);
  for (const [page, descriptor] of [
    [S2, 0],
    [S3, 8],
  ] as const) {
    a.lw(T0, descriptor, S0);
    a.nop();
    a.sll(T0, T0, 3);
    a.lw(page, UEXOS.descriptors, T0);
  }
  a.li(S4, 0);
  a.beqz(S1, 'child');
  a.move(A0, S1);
  call(a, os, 'lrpc_name');
  a.move(S1, V0);
  a.label('parent');
  marks.from = a.here;
  marks.to = a.here;
  emitPipeWriteWord(a, S2, S4, 'full');
  emitPipeReadWord(a, S3, S4, S1, [S2]);
  a.b('parent');
  a.addiu(S4, S4, 1);
  a.label('child');
  a.lw(S1, 20, S0);
  a.label('child.next');
  emitPipeReadWord(a, S2, S4, S1, [S3]);
  a.addiu(S4, S4, 1);
  emitPipeWriteWord(a, S3, S4, 'full');
  a.b('child.next');
  a.nop();
  a.label('full');
  a.break(0);
}

/** s2 = the shared page; the parent counts from even to odd, the child from odd to even. s1 = the other process. */
function emitShared(a: Assembler, os: Os, marks: Marks): void {
  call(a, os, 'process_self');
  a.sw(V0, 20, S0);
  call(a, os, 'shared_allocate');
  a.move(S2, V0);
  call(a, os, 'process_fork');
  a.move(S1, V0);
  a.move(S3, ZERO);
  a.bnez(S1, 'wait');
  a.nop();
  a.lw(S1, 20, S0);
  a.li(S3, 1);
  // s3: the parity that is ours.
  a.label('wait');
  a.lw(T0, 0, S2);
  a.nop();
  a.andi(T1, T0, 1);
  a.bne(T1, S3, 'yield');
  a.nop();
  marks.from = a.here;
  marks.to = a.here;
  a.addiu(T0, T0, 1);
  a.sw(T0, 0, S2);
  a.label('yield');
  a.jal(os.entry('process_yield'));
  a.move(A0, S1);
  a.b('wait');
  a.nop();
}

/** The child serves one procedure, which increments a counter of its own. */
function emitCall(a: Assembler, os: Os, marks: Marks): void {
  call(a, os, 'process_fork');
  a.move(S1, V0);
  a.bnez(S1, 'client');
  a.la(T0, 'increment');
  a.sw(T0, 0, S0);
  a.move(A0, S0);
  a.li(A1, 1);
  call(a, os, 'lrpc_serve');
  a.label('increment');
  a.lw(V0, UEXOS.program, ZERO);
  a.nop();
  a.addiu(V0, V0, 1);
  a.ret();
  a.sw(V0, UEXOS.program, ZERO);
  a.label('client');
  call(a, os, 'lrpc_bind');
  a.li(A0, 2);
  call(a, os, 'clock_sleep');
  a.label('client.next');
  a.move(A0, S1);
  a.move(A1, ZERO);
  a.move(A2, ZERO);
  marks.from = a.here;
  a.jal(os.entry('lrpc_call'));
  a.move(A3, ZERO);
  marks.to = a.here;
  a.b('client.next');
  a.move(T4, V0);
}

function emitTrusted(a: Assembler, os: Os, marks: Marks): void {
  call(a, os, 'process_fork');
  a.move(S1, V0);
  a.bnez(S1, 'client');
  a.nop();
  a.li(A0, -1);
  a.la(A1, 'increment');
  call(a, os, 'lrpc_trust');
  a.label('increment');
  a.lw(A0, UEXOS.program, ZERO);
  a.nop();
  a.addiu(A0, A0, 1);
  a.sw(A0, UEXOS.program, ZERO);
  emitTrustedCall(a);
  a.label('client');
  a.move(A0, S1);
  a.la(A1, 'reply');
  call(a, os, 'lrpc_trust');
  a.li(A0, 2);
  call(a, os, 'clock_sleep');
  a.move(V1, S1);
  a.label('client.next');
  marks.from = a.here;
  emitTrustedCall(a);
  a.break(0);
  a.label('reply');
  emitTrustedReply(a, 'stranger');
  marks.to = a.here;
  a.b('client.next');
  a.addiu(S2, S2, 1);
  a.label('stranger');
  a.li(A0, -1);
  emitTrustedCall(a);
  a.b('stranger');
  a.nop();
}
