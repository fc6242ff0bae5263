/**
 * A call that the kernel refuses, because the process called has no entry yet, returns once: also if a slice ends right behind the refusal, and the
 * process called opens its entry then and sends what looks like a reply.
 */
import { ENV } from '@exokernel/abi';
import { A0, A1, A2, A3, S1, T0, T1, T2, V1, ZERO } from '@exokernel/isa';
import { address } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, RAW, rawImage, type RawImage } from '../../testkit/src/index.ts';
import { UEXOS } from '../src/index.ts';
import { machine } from './machine.ts';

const FALSE_ANSWER = 0x666;
const CLIENT = 1;

test('a refused call returns once', () => {
  const liar: RawImage = rawImage({
    name: 'liar',
    entry: 'begin',
    prologue: 'begin',
    epilogue: 'end',
    emit: (a) => {
      const entry = (where: () => void): void => {
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        a.li(T0, ENV.syncEntry);
        where();
        emitCall(a, 'env_set');
      };
      a.label('begin');
      entry(() => a.la(T1, 'back'));
      a.li(A0, FALSE_ANSWER);
      a.li(V1, CLIENT);
      emitCall(a, 'scall');
      a.label('back');
      entry(() => a.move(T1, ZERO));
      a.label('end');
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  expect(address(liar.runtime, 'back')).toBeGreaterThan(0);
  // It counts its calls in a register and in memory.
  const client = machine('client', (a, call) => {
    call('lrpc_bind');
    a.move(S1, ZERO);
    a.label('loop');
    a.addiu(S1, S1, 1);
    a.lw(T0, UEXOS.program, ZERO);
    a.nop();
    a.addiu(T0, T0, 1);
    a.sw(T0, UEXOS.program, ZERO);
    a.move(A0, ZERO);
    a.move(A1, ZERO);
    call('lrpc_call');
    a.lw(T0, UEXOS.program, ZERO);
    a.sw(S1, UEXOS.program + 4, ZERO);
    a.li(T2, -1);
    a.beq(T0, S1, 'loop');
    a.nop();
    a.sw(T2, UEXOS.program + 8, ZERO);
    a.label('on');
    a.b('on');
    a.nop();
  });
  const booted = boot([liar, client]);
  booted.runUntil(() => booted.uWord(CLIENT, UEXOS.program + 8) !== 0, 5);
  expect(booted.uWord(CLIENT, UEXOS.program)).toBeGreaterThan(1000);
  expect(booted.uWord(CLIENT, UEXOS.program + 8)).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(RAW.user).toBeGreaterThan(0);
});
