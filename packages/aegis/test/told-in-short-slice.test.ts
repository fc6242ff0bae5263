/**
 * Who is asked for frames is told of it, also if an accomplice of the one that wants them has its own slice end when it has just begun: what a slice
 * has left is exposed, and one that begins before a tick with little more than half of a quantum is over at the tick. [SOSP95 §3.3]
 */
import { ENTRYLO, ENV, ERRORS, EXPOSED, SLICE, WELL_KNOWN_READ } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  emitCall,
  memoryFor,
  RAW,
  rawImage,
  WINDOW,
  type RawImage,
} from '../../testkit/src/index.ts';

const QUANTUM = 390_625 - 1;
/** Cycles: above half of a quantum, which the victim's slice is to have; before the tick, when it begins then; from the begin of a slice to the loop. */
const KEPT = 700;
const INSTANT = 450;
const OVERHEAD = 330;

test('its slice ends when it has just begun', () => {
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
      yield* raw.sleep(60);
      // The next instance of the victim's slice will be short.
      for (;;) {
        const credit = booted.aegis.parts.memory.slice(0, SLICE.credit) | 0;
        if (credit + QUANTUM / 2 < 2 * KEPT && credit + QUANTUM / 2 > 0) break;
        yield* raw.sleep(1);
      }
      state.asked = yield* raw.code('frame_alloc', -1);
      return yield* raw.routine('compute');
    },
  });
  // Its slice is before the victim's. It leaves it so that the victim's begins with a little more than half of a quantum, and then just before a tick.
  const accomplice = rawImage({
    name: 'accomplice',
    entry: 'go',
    prologue: 'go',
    epilogue: 'late',
    emit: (a) => {
      a.label('go');
      a.li(A0, WINDOW);
      a.li(A1, (EXPOSED.slices & -4096) | ENTRYLO.valid);
      a.li(A2, WELL_KNOWN_READ[0]);
      a.li(A3, WELL_KNOWN_READ[1]);
      emitCall(a, 'tlbwr');
      a.lw(T1, (EXPOSED.slices % 4096) + SLICE.credit, A0);
      a.li(T0, QUANTUM / 2 - KEPT);
      a.addu(T1, T1, T0);
      a.slti(T0, T1, KEPT);
      a.beqz(T0, 'shorten');
      a.nop();
      a.li(T1, INSTANT);
      a.label('shorten');
      a.li(T0, QUANTUM - OVERHEAD);
      a.subu(T0, T0, T1);
      a.li(T1, 3);
      a.divu(T0, T1);
      a.mflo(T0);
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.label('late');
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
  const booted = boot([victim, needy, accomplice], { ramBytes: memoryFor(230) });
  booted.runUntil(() => state.asked !== 0, 10);
  expect(state.asked).toBe(ERRORS.E_AGAIN);
  const told = (): boolean => booted.uWord(0, RAW.user) > 0;
  const lost = (): number => booted.aegis.parts.memory.env(0, ENV.lost);
  const since = booted.machine.cycles;
  booted.runUntil(() => told() || lost() > 0, 10);
  expect({ told: told(), lost: lost(), ticks: Math.floor((booted.machine.cycles - since) / QUANTUM) }).toMatchObject({
    told: true,
    lost: 0,
  });
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
