/**
 * A compiled library operating system that has a function called at the begin of its slices (`onSliceBegin`), and a stranger with many slices that
 * yields to it in the last instant of each: the upcalls do not pile up on the upcall stack until it ends.
 */
import { A0, T0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { image, KIT, TELL } from './log-support.ts';
import { boot, checkInvariants, emitCall, RAW, rawImage } from '../../testkit/src/index.ts';

/** Looks at something for some two thousand cycles. */
const PROGRAM = `
  import { onSliceBegin } from '${KIT}/upcalls';
  import { load32, store32 } from '${KIT}/kit';
  export function main(): i32 {
    onSliceBegin(() => {
      store32(${TELL} + 4, load32(${TELL} + 4) + 1);
      for (let i = 0; i < 200; i++) store32(${TELL} + 8, i);
    });
    store32(${TELL}, 1);
    while (load32(${TELL}) != 0) store32(${TELL} + 12, load32(${TELL} + 12) + 1);
    return 1;
  }
`;

test.each([1, 30])('%i slices', async (slices) => {
  const victim = await image(PROGRAM, {});
  const stranger = rawImage({
    name: 'stranger',
    entry: 'go',
    prologue: 'go',
    epilogue: 'late',
    placement: { slices },
    emit: (a) => {
      a.label('go');
      // About a quantum less 1500 cycles.
      a.li(T0, 129_700);
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.li(A0, 0);
      emitCall(a, 'yield');
      a.label('late');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, RAW.user, ZERO);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  const booted = boot([victim, stranger]);
  booted.machine.run(400 * 390_625);
  expect(booted.aegis.environment(0).cause?.text).toBeUndefined();
  expect(booted.uWord(0, TELL + 4)).toBeGreaterThan(10);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
