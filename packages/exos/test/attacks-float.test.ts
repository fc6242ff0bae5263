/** A process that uses the floating-point unit, alone on the machine, is not ended by a stranger who gives it the rest of a slice. */
import { A0, T0, T1, V1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, RAW, rawImage } from '../../testkit/src/index.ts';
import { UEXOS } from '../src/index.ts';
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
