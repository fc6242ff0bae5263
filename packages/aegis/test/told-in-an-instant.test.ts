/**
 * Who is asked for frames is told of it in a slice of its own, also if an accomplice of the one that wants them yields to it in the last instant of
 * a slice, in which its handler executes nothing. [SOSP95 §3.3]
 */
import { ENV, ERRORS, REVOKE_KINDS } from '@exokernel/abi';
import { A0, T0, T1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, emitCall, memoryFor, RAW, rawImage, type RawImage } from '../../testkit/src/index.ts';

test.each([false, true])('an accomplice yields to it: %s', (strikes) => {
  const state = { full: false, asked: 0 };
  const victim: RawImage = rawImage({
    name: 'victim',
    emit: (a) => {
      a.label('told');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.j('kit.prologue');
      a.nop();
      a.label('compute');
      a.b('compute');
      a.nop();
    },
    main: function* (raw) {
      const told = victim.runtime.symbols.get('told') ?? 0;
      expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.exceptionPc, told)).toBe(0);
      while ((yield* raw.code('frame_alloc', -1)) === 0);
      state.full = true;
      return yield* raw.routine('compute');
    },
  });
  // It keeps its slice, so that the accomplice's begins with a tick.
  const needy = rawImage({
    name: 'needy',
    emit: (a) => {
      a.label('compute');
      a.b('compute');
      a.nop();
    },
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) yield* raw.code('frame_free', ...(yield* raw.segment(i)));
      while (!state.full) yield* raw.sleep(1);
      yield* raw.sleep(200);
      state.asked = yield* raw.code('frame_alloc', -1);
      return yield* raw.routine('compute');
    },
  });
  // It finds out how long its slice is, and yields just before the end.
  const accomplice = rawImage({
    name: 'accomplice',
    entry: 'go',
    prologue: 'go',
    epilogue: 'late',
    emit: (a) => {
      a.label('go');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.bnez(T0, 'spin');
      a.nop();
      a.li(T0, 130_220);
      a.sw(T0, RAW.user, ZERO);
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.li(A0, strikes ? 0 : -1);
      emitCall(a, 'yield');
      a.label('late');
      a.lw(T0, RAW.user, ZERO);
      a.li(T1, -6);
      a.addu(T0, T0, T1);
      a.sw(T0, RAW.user, ZERO);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  const booted = boot([victim, needy, accomplice], { ramBytes: memoryFor(230) });
  booted.runUntil(() => state.asked !== 0, 30);
  expect(state.asked).toBe(ERRORS.E_AGAIN);
  // Ten rounds.
  booted.machine.run(30 * 390_625);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.uWord(0, RAW.user)).toBeGreaterThan(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('one that has no ASID when its slice begins is told in that slice', () => {
  const image: RawImage = rawImage({
    entry: 'compute',
    emit: (a) => {
      a.label('told');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.label('compute');
      a.b('compute');
      a.nop();
      a.label('late');
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
    prologue: 'compute',
    epilogue: 'late',
    placement: { slices: 2 },
  });
  const booted = boot([image, image]);
  const { memory, asids, revocation } = booted.aegis.parts;
  booted.machine.run(3 * 390_625);
  memory.setEnv(0, ENV.exceptionPc, image.runtime.symbols.get('told') ?? 0);
  expect(revocation.ask(0, REVOKE_KINDS.slices, 1)).toBe(1);
  booted.runUntil(() => memory.current === 1, 1);
  asids.leave(0);
  booted.machine.run(3 * 390_625);
  expect(booted.uWord(0, RAW.user)).toBe(1);
});
