/**
 * Interface `lrpc`: a child serves, its parent calls. A *trusted* server keeps the registers that a routine keeps: a call is two synchronous
 * transfers of the program's, with arguments and result in registers. It serves without end, so it is left behind.
 */
import { CALLS } from '@exokernel/abi';
import { A0, A1, A2, A3, RA, S0, S1, T0, T1, V0, V1, ZERO } from '@exokernel/isa';
import { END, assembledCase, type Emit } from './assembled.ts';
import type { ProgramCase } from './case.ts';

/** Offsets in the program's data. */
const [TABLE, CHILD, SERVER] = [0, 0x10, 0x14];
/** How often the parent asks a server that does not serve yet. */
const PATIENCE = 200;

type Needed = 'lrpc' | 'processes';

export const LRPC: readonly ProgramCase[] = [
  assembledCase(
    'a procedure of another process answers, and one that is not there does not',
    ['lrpc', 'processes'],
    (e) => {
      const { a, call, keeping, is, isNoError } = e;
      emitFork(e);
      // The first answer: before, the server is busy.
      a.li(T0, PATIENCE);
      a.sw(T0, 0x20, emitData(e));
      a.label('ask');
      keeping('lrpc_call', { word: SERVER }, 0, 5, 7);
      a.bgez(V0, 'answered');
      a.nop();
      call('process_yield', { word: CHILD });
      a.lw(T0, 0x20, emitData(e));
      a.nop();
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'ask');
      a.sw(T0, 0x20, V0);
      a.li(V0, -1);
      a.label('answered');
      is('lrpc_call(server, 0, 5, 7): the sum', V0, 12);
      keeping('lrpc_call', { word: SERVER }, 1, 5, 7);
      is('lrpc_call(server, 1, 5, 7): the difference', V0, -2);
      keeping('lrpc_call', { word: SERVER }, 3, 5, 7);
      is('lrpc_call of a procedure that is not there', V0, -1);
      keeping('lrpc_call', { word: SERVER }, 2, 0, 0);
      is('lrpc_call of a server that ends', V0, -1);
      call('process_wait', 0);
      isNoError('process_wait(0)');
      keeping('lrpc_call', { word: SERVER }, 0, 5, 7);
      is('lrpc_call of a server that has ended', V0, -1);
    },
  ),
];

/** Emits v0 = the address of the data. Gives v0. */
function emitData({ a, data }: Emit<Needed>): typeof V0 {
  a.li(V0, data);
  return V0;
}

/** Emits a fork whose child serves three procedures; the parent goes on, with the child's name in the data. */
function emitFork(e: Emit<Needed>): void {
  const { a, data, call, keep, isNoError } = e;
  call('process_fork');
  isNoError('process_fork()');
  keep(CHILD);
  a.bnez(V0, 'parent');
  a.nop();
  a.li(A2, data + TABLE);
  ['sum', 'difference', 'last'].forEach((label, i) => {
    a.la(T0, label);
    a.sw(T0, 4 * i, A2);
  });
  call('lrpc_serve', data + TABLE, 3);
  a.label('sum');
  a.jr(RA);
  a.addu(V0, A2, A3);
  a.label('difference');
  a.jr(RA);
  a.subu(V0, A2, A3);
  // The server ends, and owes an answer.
  a.label('last');
  a.j(END);
  a.li(V0, 0);

  a.label('parent');
  call('lrpc_bind');
  isNoError('lrpc_bind()');
  call('lrpc_name', { word: CHILD });
  keep(SERVER);
}

/** Calls of the trusted server. */
const ROUNDS = 400;
/** Offsets in the data: the server's own count, and who called. */
const [COUNT, CALLER] = [0x30, 0x34];
const [KEPT_A, KEPT_B] = [0x1234567, -77];

export const TRUST: readonly ProgramCase[] = [
  assembledCase(
    'a trusted server is entered with calls, its client with replies, and registers are kept',
    ['lrpc', 'processes', 'clock'],
    (e) => {
      const { a, data, call, keep, is, isNoError } = e;
      const transfer = (): void => {
        a.li(V0, CALLS.scall.number);
        a.syscall(0);
      };
      call('process_fork');
      isNoError('process_fork()');
      keep(CHILD);
      a.bnez(V0, 'client');
      a.li(A0, -1);
      a.la(A1, 'served');
      a.li(T0, e.entry('lrpc_trust'));
      a.jalr(RA, T0);
      a.nop();
      // It gives how often it was called, in memory of its own, and what it was given, plus one. v1 is the caller's name.
      a.label('served');
      a.li(T0, data + COUNT);
      a.lw(T1, 0, T0);
      a.addiu(A2, A2, 1);
      a.addiu(A1, T1, 1);
      a.sw(A1, 0, T0);
      transfer();

      a.label('client');
      call('lrpc_name', { word: CHILD });
      keep(SERVER);
      a.move(A0, V0);
      a.la(A1, 'replied');
      a.li(T0, e.entry('lrpc_trust'));
      a.jalr(RA, T0);
      a.nop();
      is('lrpc_trust(server, entry)', V0, 0);
      // Until it serves.
      call('clock_sleep', 64);
      a.li(S0, KEPT_A);
      a.li(S1, KEPT_B);
      a.move(A3, ZERO);
      a.label('next');
      a.addiu(A2, A3, 1000);
      a.li(T0, data + SERVER);
      a.lw(V1, 0, T0);
      transfer();
      is('a call of the trusted server: an error', V0, 0);
      a.j(END);
      a.li(V0, -1);
      a.label('replied');
      a.li(T0, data + CALLER);
      a.sw(V1, 0, T0);
      a.addiu(A3, A3, 1);
      a.addiu(T0, A3, 1000);
      a.subu(T0, T0, A2);
      is('what the server has made of its argument, less what it should be', T0, 0);
      a.subu(T0, A1, A3);
      is('how often the server was called, less how often it was', T0, 0);
      a.li(T0, ROUNDS);
      a.bne(A3, T0, 'next');
      a.nop();
      is('s0 behind the calls', S0, KEPT_A);
      is('s1 behind the calls', S1, KEPT_B);
      a.li(T0, data + SERVER);
      a.lw(T0, 0, T0);
      a.li(T1, data + CALLER);
      a.lw(T1, 0, T1);
      a.nop();
      a.subu(T0, T0, T1);
      is('the name of who has replied, less the server’s', T0, 0);
    },
    { leaves: true },
  ),
];
