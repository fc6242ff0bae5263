/** A process that uses the floating-point unit, alone on the machine, is not ended by a stranger who gives it the rest of a slice. */
import { A0, A1, S0, S1, S2, T0, T1, V0, V1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, exitOf, quicken, RAW, rawImage } from '../../testkit/src/index.ts';
import { UEXOS, emitFloatUse } from '../src/index.ts';
import { machine } from './machine.ts';

const victim = machine('victim', (a) => {
  a.li(A0, 1);
  emitCall(a, 'fpu_mod');
  a.label('compute');
  a.li(T0, 42);
  a.mtc1(T0, 4);
  a.nop();
  a.mfc1(T1, 4);
  a.lw(T0, UEXOS.program, ZERO);
  a.addiu(T1, T1, -41);
  a.addu(T0, T0, T1);
  a.sw(T0, UEXOS.program, ZERO);
  a.b('compute');
  a.nop();
});

test.each(['acall', 'scall'] as const)('a stranger calls it: %s', (call) => {
  const stranger = rawImage({
    name: 'stranger',
    entry: 'go',
    prologue: 'go',
    syncEntry: 'go',
    emit: (a) => {
      a.label('go');
      a.li(V1, 1);
      emitCall(a, call);
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.b('go');
      a.nop();
    },
  });
  const booted = boot([stranger, victim]);
  booted.machine.run(64 * 390_625);
  const { status, cause } = booted.aegis.environment(1);
  expect([status, cause?.text]).toEqual(['runnable', undefined]);
  expect(booted.uWord(1, UEXOS.program)).toBeGreaterThan(100_000);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

const user = machine('user', (a) => {
  emitFloatUse(a);
  a.label('compute');
  a.lw(T0, UEXOS.program, ZERO);
  a.li(T1, 42);
  a.mtc1(T1, 4);
  a.li(T1, 1000);
  a.label('wait');
  a.bnez(T1, 'wait');
  a.addiu(T1, T1, -1);
  a.mfc1(T1, 4);
  a.nop();
  a.addiu(T1, T1, -42);
  a.bnez(T1, 'end');
  a.addiu(T0, T0, 1);
  a.sw(T0, UEXOS.program, ZERO);
  a.b('compute');
  a.nop();
});

test.each([
  ['has not', 0],
  ['has', 1],
] as const)('its registers are not those of a stranger who %s the unit', (_, on) => {
  const stranger = rawImage({
    name: 'stranger',
    entry: 'go',
    prologue: 'go',
    emit: (a) => {
      a.label('go');
      if (on === 1) {
        a.li(A0, 1);
        emitCall(a, 'fpu_mod');
        a.li(T0, 0x666);
        a.mtc1(T0, 4);
      }
      a.li(V1, 1);
      emitCall(a, 'acall');
      a.b('go');
      a.nop();
    },
  });
  const booted = boot([stranger, user]);
  booted.machine.run(128 * 390_625);
  const { status, cause } = booted.aegis.environment(1);
  expect([status, cause?.text]).toEqual(['runnable', undefined]);
  expect(booted.uWord(1, UEXOS.program)).toBeGreaterThan(5000);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('they are kept over a call of a procedure that uses them too, and neither sees those of the other', () => {
  const booted = boot([
    machine('both', (a, call) => {
      call('process_fork');
      a.move(S1, V0);
      a.bnez(S1, 'client');
      a.nop();
      emitFloatUse(a);
      a.la(T0, 'work');
      a.sw(T0, 0, S0);
      a.move(A0, S0);
      a.li(A1, 1);
      call('lrpc_serve');
      a.label('work');
      a.mfc1(T0, 4);
      a.li(T1, 0x777);
      a.mtc1(T1, 4);
      a.ret();
      a.move(V0, T0);
      a.label('client');
      call('lrpc_bind');
      emitFloatUse(a);
      a.li(A0, 8);
      call('clock_sleep');
      a.li(T0, 0x666);
      a.mtc1(T0, 4);
      a.li(S2, 2000);
      a.label('next');
      a.move(A0, S1);
      a.move(A1, ZERO);
      call('lrpc_call');
      a.li(T1, -1);
      a.beq(V0, T1, 'next');
      a.li(T1, 0x666);
      a.beq(V0, T1, 'wrong');
      a.mfc1(T0, 4);
      a.nop();
      a.bne(T0, T1, 'wrong');
      a.addiu(S2, S2, -1);
      a.move(A0, S1);
      call('process_yield');
      a.li(T1, 0x666);
      a.mfc1(T0, 4);
      a.nop();
      a.bne(T0, T1, 'wrong');
      a.nop();
      a.bnez(S2, 'next');
      a.nop();
      a.b('end');
      a.li(V0, 42);
      a.label('wrong');
      a.li(V0, 13);
    }),
  ]);
  quicken(booted, 1024);
  expect(booted.finish(0).map(exitOf)).toEqual([42]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
