/** Processes that use one thing at once, with slices that end everywhere: a server with two clients, a pipe with two writers. */
import { CALLS } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, S1, S2, S3, S4, T0, V0, V1 } from '@exokernel/isa';
import { compose, program } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { machine, type Image } from './machine.ts';
import { exos } from '../src/index.ts';
import { boot, bystander, checkInvariants, exitOf, quicken } from '../../testkit/src/index.ts';

/** Ticks between two attempts, and cycles of a tick at 8192 Hz. */
const APART = 16;
const TICK = 3052;

/**
 * A server and two clients. At every sixteenth tick one asks for what takes `slow` turns; the other asks for what is quick,
 * each time a little later, so that a tick finds the server at each instruction of its answer: just before the other (`after`
 * −1), or when the server is at work for it (2).
 */
function clients(attempts: number, slow: number, after: number): Image {
  return machine('clients', (a, call) => {
    call('process_fork');
    a.move(S1, V0);
    a.bnez(S1, 'clients');
    ['quick', 'slow'].forEach((label, i) => {
      a.la(T0, label);
      a.sw(T0, 4 * i, S0);
    });
    a.move(A0, S0);
    a.li(A1, 2);
    call('lrpc_serve');
    a.label('slow');
    a.li(T0, slow);
    a.label('slow.more');
    a.bnez(T0, 'slow.more');
    a.addiu(T0, T0, -1);
    a.label('quick');
    a.ret();
    a.addu(V0, A2, A3);

    a.label('clients');
    a.li(V0, CALLS.tick.number);
    a.syscall(0);
    a.addiu(S4, V1, 1000);
    a.li(S2, attempts);
    call('process_fork');
    a.move(S3, V0);
    call('lrpc_bind');
    a.bnez(V0, 'wrong');
    a.nop();
    a.label('next');
    a.beqz(S3, 'early');
    a.li(V0, CALLS.tick.number);
    a.syscall(0);
    a.subu(A0, S4, V1);
    call('clock_sleep');
    a.b('ask');
    a.li(A1, 1);
    a.label('early');
    a.li(V0, CALLS.tick.number);
    a.syscall(0);
    a.addiu(T0, S4, after);
    a.subu(T0, V1, T0);
    a.bltz(T0, 'early');
    a.li(T0, Math.floor(TICK / 3));
    a.subu(T0, T0, S2);
    a.label('spin');
    a.addiu(T0, T0, -1);
    a.bgtz(T0, 'spin');
    a.li(A1, 0);
    a.label('ask');
    a.move(A0, S1);
    a.move(A2, S2);
    a.li(A3, 5);
    call('lrpc_call');
    a.bltz(V0, 'asked');
    a.addiu(T0, S2, 5);
    a.bne(V0, T0, 'wrong');
    a.label('asked');
    a.addiu(S2, S2, -1);
    a.bnez(S2, 'next');
    a.addiu(S4, S4, APART);
    a.b('end');
    a.li(V0, 42);
    a.label('wrong');
    a.li(V0, 13);
  });
}

test.each([-1, 2])(
  'a server with two clients answers both, or says that it is busy, whenever its slice ends: %i',
  (after) => {
    const attempts = 400;
    // Environments: a client, who has nothing to do with it, the server, the other client.
    const booted = boot([clients(attempts, 6000, after), bystander()]);
    quicken(booted, 8192);
    const both = [0, 3];
    booted.runUntil(() => both.every((env) => booted.aegis.environment(env).status === 'dead'), 10);
    expect(both.map((env) => exitOf(booted.aegis.environment(env)))).toEqual([42, 42]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);

test('a pipe with two writers has every word once, in the order of each, and ends with the last of them', () => {
  const words = 3000;
  const image = compose(
    exos,
    program('writers', ['processes', 'pipes'], function* ({ processes, pipes }) {
      const { reader, writer } = yield* pipes.pipe();
      for (const tag of [1, 2]) {
        yield* processes.fork(function* () {
          yield* pipes.close(reader);
          for (let i = 0; i < words; i += 1) {
            yield* pipes.write(writer, new Uint8Array(Int32Array.of((tag << 16) | i).buffer));
          }
          yield* pipes.close(writer);
          return 0;
        });
      }
      yield* pipes.close(writer);
      const next = [0, 0, 0];
      for (;;) {
        const bytes = yield* pipes.read(reader, 4);
        if (bytes.length === 0) break;
        const word = new DataView(bytes.buffer).getUint32(0, true);
        const tag = word >>> 16;
        if ((word & 0xffff) !== next[tag]) return 1000 * tag + (next[tag] ?? 0);
        next[tag] = (next[tag] ?? 0) + 1;
      }
      return next[1] === words && next[2] === words ? 42 : 13;
    }),
  );
  const booted = boot([image]);
  // A shorter slice would be over its limit with one call of the kernel in a critical section.
  quicken(booted, 2048);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 10);
  expect(exitOf(booted.aegis.environment(0))).toBe(42);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
