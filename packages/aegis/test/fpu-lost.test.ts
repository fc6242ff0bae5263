/**
 * The registers of the floating-point unit stay from slice to slice while no other environment uses the unit: also when the next slice is that of an
 * environment that ends before it begins, because it has taken its prologue away.
 */
import { ENV } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, V0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, emitEnd, emitSpin, rawImage } from '../../testkit/src/index.ts';

test.each([false, true])('another without a prologue is next: %s', (without) => {
  const user = rawImage({
    name: 'user',
    entry: 'go',
    emit: (a) => {
      a.label('go');
      a.li(A0, 1);
      emitCall(a, 'fpu_mod');
      a.li(T0, 42);
      a.mtc1(T0, 4);
      emitSpin(a, 1_000_000);
      a.mfc1(V0, 4);
      a.nop();
      emitEnd(a);
    },
  });
  const other = rawImage({
    name: 'other',
    entry: 'go',
    emit: (a) => {
      a.label('go');
      for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
      a.li(T0, ENV.prologue);
      a.li(T1, 0);
      if (without) emitCall(a, 'env_set');
      a.label('yield');
      a.li(A0, -1);
      a.bal('kit.yield');
      a.nop();
      a.b('yield');
      a.nop();
    },
  });
  const booted = boot([user, other]);
  expect(booted.finish(0)[0]?.exit).toBe(42);
  expect(booted.aegis.environment(1).status).toBe(without ? 'dead' : 'runnable');
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
