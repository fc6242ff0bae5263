/** A client that calls its child without end, and strangers beside them. */
import { A0, A1, A2, A3, S0, S1, S2, T0, T1, T2, V0, V1, ZERO } from '@exokernel/isa';
import { UEXOS } from '../src/index.ts';
import { emitCall, RAW, rawImage, type Booted, type RawImage } from '../../testkit/src/index.ts';
import { machine, type Image } from './machine.ts';

/** Where the client counts its calls. */
const CALLS_MADE: number = UEXOS.program;

/** Environment 0, if it is loaded first, calls its child, which adds two numbers in up to `turns` turns (a power of two). */
export function caller(turns = 128): Image {
  return machine('caller', (a, call) => {
    call('process_fork');
    a.move(S1, V0);
    a.bnez(S1, 'client');
    a.nop();
    a.la(T0, 'work');
    a.sw(T0, 0, S0);
    a.move(A0, S0);
    a.li(A1, 1);
    call('lrpc_serve');
    a.label('work');
    a.andi(T0, A2, turns - 1);
    a.label('more');
    a.bnez(T0, 'more');
    a.addiu(T0, T0, -1);
    a.ret();
    a.addu(V0, A2, A3);
    a.label('client');
    call('lrpc_bind');
    a.li(A0, 64);
    call('clock_sleep');
    a.move(A0, S1);
    call('lrpc_name');
    a.move(S1, V0);
    a.move(S2, ZERO);
    a.label('loop');
    a.addiu(S2, S2, 1);
    a.move(A0, S1);
    a.move(A1, ZERO);
    a.andi(A2, S2, 0x7fff);
    a.li(A3, 77);
    call('lrpc_call');
    a.sw(S2, CALLS_MADE, ZERO);
    a.bltz(V0, 'loop');
    a.andi(T0, S2, 0x7fff);
    a.addiu(T0, T0, 77);
    a.beq(V0, T0, 'loop');
    a.nop();
    a.b('end');
    a.li(V0, 13);
  });
}

/** Spins for a random time, then does that to environment `target`, without end. `a1` is what it has in a1. */
export function stranger(seed: number, how: 'yield' | 'acall' | 'scall', target: number, a1 = 0): RawImage {
  return rawImage({
    name: `stranger ${seed}`,
    entry: 'go',
    prologue: 'go',
    epilogue: 'late',
    syncEntry: 'go',
    asyncEntry: 'go',
    emit: (a) => {
      a.label('go');
      a.lw(T0, RAW.user, ZERO);
      a.nop();
      a.bnez(T0, 'seeded');
      a.nop();
      a.li(T0, seed * 7919 + 1);
      a.label('seeded');
      a.sll(T1, T0, 13);
      a.xor(T0, T0, T1);
      a.srl(T1, T0, 17);
      a.xor(T0, T0, T1);
      a.sll(T1, T0, 5);
      a.xor(T0, T0, T1);
      a.sw(T0, RAW.user, ZERO);
      a.andi(T2, T0, 0x3ff);
      a.label('spin');
      a.addiu(T2, T2, -1);
      a.bgtz(T2, 'spin');
      a.nop();
      a.li(A0, target);
      a.li(V1, target);
      a.li(A1, a1);
      a.li(A2, 0x7f);
      emitCall(a, how);
      a.b('go');
      a.nop();
      a.label('late');
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
  });
}

/** Runs so many pieces of so many cycles, up to three in a row in which the client has made no call. Whether it has gone on to the end. */
export function goesOn(booted: Booted, pieces: number, cycles: number): boolean {
  let last = 0;
  let still = 0;
  for (let i = 0; i < pieces && still < 3; i += 1) {
    booted.machine.run(cycles);
    const now = booted.uWord(0, CALLS_MADE);
    still = now === last && i > 3 ? still + 1 : 0;
    last = now;
  }
  return still < 3;
}
