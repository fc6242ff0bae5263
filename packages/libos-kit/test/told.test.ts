/**
 * A compiled library operating system gives up what the kernel asks for (`giveUpBy`), and so loses nothing by force: also if an accomplice of the one
 * that wants frames yields to it in the last instant of a slice, so that its upcall is cut off before it has noted anything.
 */
import { ERRORS } from '@exokernel/abi';
import { A0, T0, T1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { image, KIT, TELL } from './log-support.ts';
import { boot, checkInvariants, emitCall, memoryFor, RAW, rawImage } from '../../testkit/src/index.ts';

const PROGRAM = `
  import { PageTable, KIT_TABLE } from '${KIT}/page-table';
  import { giveUpBy } from '${KIT}/revocation';
  import { load32, store32 } from '${KIT}/kit';
  const PAGES = 120;
  const BASE: usize = 0x400000;
  let next = 0;
  function giveUp(frames: i32): i32 {
    store32(${TELL} + 4, load32(${TELL} + 4) + 1);
    let done = 0;
    for (; done < frames && next < PAGES; done++) KIT_TABLE.free(BASE + 4096 * next++, 0);
    return done;
  }
  export function main(): i32 {
    giveUpBy(giveUp);
    KIT_TABLE.reserve(BASE, PAGES);
    for (let i = 0; i < PAGES; i++) store32(BASE + 4096 * i, i);
    store32(${TELL}, 1);
    while (load32(${TELL}) != 0) store32(${TELL} + 8, load32(${TELL} + 8) + 1);
    return 1;
  }
`;

test.each([false, true])('an accomplice yields to it: %s', async (strikes) => {
  const state = { full: false, asked: 0 };
  const victim = await image(PROGRAM, {});
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
  const hoarder = rawImage({
    name: 'hoarder',
    main: function* (raw) {
      while (booted.uWord(0, TELL) === 0) yield* raw.sleep(1);
      while ((yield* raw.code('frame_alloc', -1)) === 0);
      state.full = true;
      for (;;) yield* raw.sleep(1000);
    },
  });
  const booted = boot([victim, needy, accomplice, hoarder], { ramBytes: memoryFor(260) });
  booted.runUntil(() => state.asked !== 0, 30);
  expect(state.asked).toBe(ERRORS.E_AGAIN);
  // Beyond the longest deadline.
  booted.machine.run(200 * 390_625);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'runnable', cause: undefined });
  expect(booted.uWord(0, TELL + 4)).toBeGreaterThan(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
