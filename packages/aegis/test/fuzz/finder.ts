/**
 * The finder: an environment that looks into all its registers whenever a slice of it begins, and into the floating-point unit, which
 * it has but never writes. It lets others run in its slices. All that it finds but zeros another has left there.
 */
import { A0, K0, register, S0, S7, T0, T1, V1, ZERO, type Assembler } from '@exokernel/isa';
import { emitCall, rawImage, SCRATCH, type Booted, type RawImage } from '../../../testkit/src/index.ts';

/** Words: what it has found; a sequence of numbers; that it has the unit. */
const FOUND = SCRATCH + 0xe00;
const SEQUENCE = SCRATCH + 0xe04;
const HAS_UNIT = SCRATCH + 0xe08;
const SUM = register(1);

function emitNote(a: Assembler, from: typeof T0): void {
  const same = a.fresh('finder.same');
  a.beq(from, ZERO, same);
  a.nop();
  a.sw(from, FOUND, ZERO);
  a.label(same);
}

function emitFinder(a: Assembler, seed: number): void {
  a.label('finder.start');
  a.li(T0, seed | 1);
  a.sw(T0, SEQUENCE, ZERO);
  a.b('finder.go');
  a.nop();
  a.label('finder.begin');
  // k0 holds where it begins, and v1 whose slice this is.
  for (let r = 2; r < 32; r += 1) if (register(r) !== K0 && register(r) !== V1) a.or(SUM, SUM, register(r));
  a.mfhi(T0);
  a.or(SUM, SUM, T0);
  a.mflo(T0);
  a.or(SUM, SUM, T0);
  emitNote(a, SUM);
  a.lw(T0, HAS_UNIT, ZERO);
  a.nop();
  a.beq(T0, ZERO, 'finder.go');
  a.move(T1, ZERO);
  for (let r = 0; r < 32; r += 1) {
    a.mfc1(T0, r);
    a.nop();
    a.or(T1, T1, T0);
  }
  emitNote(a, T1);
  a.label('finder.go');
  a.li(A0, 1);
  emitCall(a, 'fpu_mod');
  a.li(T0, 1);
  a.sw(T0, HAS_UNIT, ZERO);
  a.lw(S0, SEQUENCE, ZERO);
  a.li(T0, 0x41c64e6d);
  a.multu(S0, T0);
  a.mflo(S0);
  a.addiu(S0, S0, 12345);
  a.sw(S0, SEQUENCE, ZERO);
  a.srl(S7, S0, 24);
  a.label('finder.spin');
  a.addiu(S7, S7, -1);
  a.bgtz(S7, 'finder.spin');
  a.nop();
  a.srl(T0, S0, 16);
  a.andi(T1, T0, 3);
  a.beq(T1, ZERO, 'finder.yield');
  a.nop();
  a.srl(V1, S0, 20);
  a.andi(V1, V1, 7);
  emitCall(a, 'acall');
  a.label('finder.yield');
  a.li(A0, -1);
  emitCall(a, 'yield');
}

export function finder(seed: number): RawImage {
  return rawImage({
    name: 'finder',
    entry: 'finder.start',
    prologue: 'finder.begin',
    epilogue: 'finder.yield',
    emit: (a) => {
      emitFinder(a, seed);
    },
  });
}

/** Whether it has found something. */
export function wasFound(booted: Booted, env: number): boolean {
  return booted.word(env, FOUND) !== 0;
}
