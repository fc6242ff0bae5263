/**
 * A server that replies in the last instant of a slice, and once more from its own slice: the client returns from its call once, and what another
 * server answers is what the client gets.
 */
import { A0, A1, A2, A3, S0, SP, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, RAW, rawImage } from '../../testkit/src/index.ts';
import { UEXOS } from '../src/index.ts';
import { machine } from './machine.ts';

const FALSE_ANSWER = 0x666;
const CLIENT = 1;
const SERVER = 2;

function emitSpin(a: Assembler, turns: number): void {
  const spin = a.fresh('spin');
  a.li(T0, turns);
  a.label(spin);
  a.addiu(T0, T0, -1);
  a.bgtz(T0, spin);
  a.nop();
}

test('a reply at the edge of a slice does not let the server answer for another', () => {
  // Words of its u-page: +0 it was called, +4 turns of its loop, +8 it has replied once, +12 and twice.
  const liar = rawImage({
    name: 'liar',
    entry: 'begin',
    prologue: 'begin',
    epilogue: 'end',
    syncEntry: 'called',
    emit: (a) => {
      a.label('begin');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.beqz(T0, 'rest');
      a.li(T1, CLIENT);
      a.bne(V1, T1, 'own');
      a.lw(T0, RAW.user + 8, ZERO);
      a.nop();
      a.bnez(T0, 'rest');
      a.lw(T0, RAW.user + 4, ZERO);
      a.nop();
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.li(T0, 1);
      a.sw(T0, RAW.user + 8, ZERO);
      // Its own name in sp.
      a.move(SP, ZERO);
      a.li(A0, FALSE_ANSWER);
      a.li(V1, CLIENT);
      emitCall(a, 'scall');
      a.b('rest');
      a.nop();
      a.label('own');
      a.lw(T0, RAW.user + 8, ZERO);
      a.lw(T1, RAW.user + 12, ZERO);
      a.beqz(T0, 'rest');
      a.nop();
      a.bnez(T1, 'rest');
      a.li(T1, 1);
      a.sw(T1, RAW.user + 12, ZERO);
      a.li(A0, FALSE_ANSWER + 1);
      a.li(V1, CLIENT);
      emitCall(a, 'scall');
      a.label('rest');
      a.b('rest');
      a.nop();
      a.label('called');
      // A call, or an answer that it does not want.
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.bnez(T0, 'rest');
      a.li(T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.li(T0, 130_200);
      a.sw(T0, RAW.user + 4, ZERO);
      a.b('rest');
      a.nop();
      a.label('end');
      a.lw(T0, RAW.user + 4, ZERO);
      a.nop();
      a.addiu(T0, T0, -4);
      a.sw(T0, RAW.user + 4, ZERO);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  const client = machine('client', (a, call) => {
    call('lrpc_bind');
    a.li(A0, 8);
    call('clock_sleep');
    a.move(A0, ZERO);
    a.move(A1, ZERO);
    call('lrpc_call');
    a.sw(V0, UEXOS.program, ZERO);
    a.lw(T0, UEXOS.program + 8, ZERO);
    a.nop();
    a.addiu(T0, T0, 1);
    a.sw(T0, UEXOS.program + 8, ZERO);
    a.li(A0, SERVER);
    a.move(A1, ZERO);
    a.li(A2, 40);
    a.li(A3, 2);
    call('lrpc_call');
    a.sw(V0, UEXOS.program + 4, ZERO);
    a.label('compute');
    a.b('compute');
    a.nop();
  });
  const server = machine('server', (a, call) => {
    a.la(T0, 'work');
    a.sw(T0, 0, S0);
    a.move(A0, S0);
    a.li(A1, 1);
    call('lrpc_serve');
    a.label('work');
    emitSpin(a, 300_000);
    a.ret();
    a.addu(V0, A2, A3);
  });
  const booted = boot([liar, client, server]);
  booted.runUntil(() => booted.uWord(CLIENT, UEXOS.program + 4) !== 0, 30);
  const seen = {
    first: booted.uWord(CLIENT, UEXOS.program),
    returns: booted.uWord(CLIENT, UEXOS.program + 8),
    second: booted.uWord(CLIENT, UEXOS.program + 4),
  };
  expect(booted.uWord(0, RAW.user + 8)).toBe(1);
  expect(seen).toEqual({ first: FALSE_ANSWER, returns: 1, second: 42 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
