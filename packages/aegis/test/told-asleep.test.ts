/**
 * Who is asked for frames in a slice in which it takes the event and sleeps again is told at its next slice all the same, for it is not passed over until
 * then. [SOSP95 §3.4]
 */
import { ENV, REVOKE_KINDS } from '@exokernel/abi';
import { T0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, RAW, rawImage, type RawImage } from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';

test('one that sleeps without a look at what it is asked', () => {
  const sleeper: RawImage = rawImage({
    name: 'sleeper',
    emit: (a) => {
      a.label('told');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.j('kit.prologue');
      a.nop();
      // The first takes the event, the second would sleep.
      a.label('sleep');
      emitCall(a, 'sleep');
      emitCall(a, 'sleep');
      a.b('sleep');
      a.nop();
    },
    main: function* (raw) {
      const told = sleeper.runtime.symbols.get('told') ?? 0;
      expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.exceptionPc, told)).toBe(0);
      for (let i = 0; i < 12; i += 1) yield* raw.frame();
      const self = yield* raw.granted('self');
      const asked = yield* raw.call('revoke', ...self, REVOKE_KINDS.frames, 2, 0);
      expect(asked).toMatchObject({ code: 0, value: 2 });
      return yield* raw.routine('sleep');
    },
  });
  const booted = boot([sleeper]);
  booted.machine.run(20 * QUANTUM);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.uWord(0, RAW.user)).toBeGreaterThan(0);
  expect(booted.aegis.environment(0).status).toBe('runnable');
});
