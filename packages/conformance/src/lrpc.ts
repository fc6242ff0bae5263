/** Interface `lrpc`: a child serves, its parent calls. */
import { A2, A3, RA, T0, V0 } from '@exokernel/isa';
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
