/** What is in registers when processes call each other: a caller reads nothing of a procedure but its result, a server nothing of its client's callers. */
import { A0, A1, A2, A3, AT, FP, GP, K0, K1, RA, SP, S0, T0, T1, V0, V1, ZERO, register } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { machine } from './machine.ts';
import { UEXOS } from '../src/index.ts';
import { boot, checkInvariants, emitCall, RAW, rawImage } from '../../testkit/src/index.ts';

const SECRET = 0x5ec12345;
const all = Array.from({ length: 31 }, (_, i) => register(i + 1));
const at = (base: number, r: number): number => base + 4 * r;
/** Words behind those of the registers: HI, LO, and that they are written. */
const [HI, LO, SEEN] = [32, 33, 34];

test('a caller sees the result of a procedure, and nothing else that the procedure had', () => {
  // What a routine keeps the procedure keeps; everything else it leaves.
  const temporaries = [AT, V1, A1, A2, A3, ...all.filter((r) => (r >= 8 && r < 16) || r === 24 || r === 25)];
  const server = machine('server', (a, call) => {
    a.la(T0, 'work');
    a.sw(T0, 0, S0);
    a.move(A0, S0);
    a.li(A1, 1);
    call('lrpc_serve');
    a.label('work');
    a.li(V0, SECRET);
    a.mthi(V0);
    a.mtlo(V0);
    for (const r of [A0, ...temporaries]) a.move(r, V0);
    a.ret();
    a.li(V0, 42);
  });
  const spy = rawImage({
    name: 'spy',
    entry: 'go',
    syncEntry: 'back',
    emit: (a) => {
      a.label('go');
      a.li(T0, 200_000);
      a.label('spin');
      a.addiu(T0, T0, -1);
      a.bgtz(T0, 'spin');
      a.nop();
      a.li(V1, 1);
      a.move(A1, ZERO);
      emitCall(a, 'scall');
      a.b('go');
      a.nop();
      a.label('back');
      for (const r of all) if (r !== K0 && r !== K1) a.sw(r, at(RAW.user, r), ZERO);
      a.mfhi(T0);
      a.mflo(T1);
      a.sw(T0, at(RAW.user, HI), ZERO);
      a.sw(T1, at(RAW.user, LO), ZERO);
      a.li(T0, 1);
      a.sw(T0, at(RAW.user, SEEN), ZERO);
      a.label('rest');
      a.b('rest');
      a.nop();
    },
  });
  const booted = boot([spy, server]);
  expect(booted.runUntil(() => booted.uWord(0, at(RAW.user, SEEN)) === 1, 5)).toBe(true);
  expect(booted.uWord(0, at(RAW.user, A0))).toBe(42);
  const seen = [...all.filter((r) => r !== K0 && r !== K1), HI, LO].filter(
    (r) => booted.uWord(0, at(RAW.user, r)) === SECRET,
  );
  expect(seen).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test("a server sees a client's arguments, and nothing that the client's callers have in registers", () => {
  const kept = [...all.filter((r) => r >= 16 && r < 24), FP];
  const spy = rawImage({
    name: 'spy',
    entry: 'rest',
    syncEntry: 'called',
    emit: (a) => {
      a.label('called');
      for (const r of all) if (r !== K0 && r !== K1) a.sw(r, at(RAW.user, r), ZERO);
      a.li(T0, 1);
      a.sw(T0, at(RAW.user, SEEN), ZERO);
      a.li(A0, 42);
      for (const r of [...kept, GP, SP, RA]) a.li(r, -1);
      emitCall(a, 'scall');
      a.label('rest');
      a.b('rest');
      a.nop();
    },
  });
  const client = machine('client', (a, call) => {
    call('lrpc_bind');
    a.li(A0, 8);
    call('clock_sleep');
    for (const r of kept) a.li(r, SECRET);
    a.sw(GP, UEXOS.program + 8, ZERO);
    a.sw(SP, UEXOS.program + 12, ZERO);
    a.move(A0, ZERO);
    a.move(A1, ZERO);
    a.li(A2, 7);
    a.li(A3, 8);
    call('lrpc_call');
    // All of them are as before.
    a.li(T0, SECRET);
    for (const r of kept) {
      a.bne(r, T0, 'end');
      a.nop();
    }
    for (const [r, word] of [
      [GP, 8],
      [SP, 12],
    ] as const) {
      a.lw(T0, UEXOS.program + word, ZERO);
      a.nop();
      a.bne(r, T0, 'end');
      a.nop();
    }
    a.sw(V0, UEXOS.program, ZERO);
    a.label('on');
    a.b('on');
    a.nop();
  });
  const booted = boot([spy, client]);
  expect(booted.runUntil(() => booted.uWord(1, UEXOS.program) !== 0, 5)).toBe(true);
  expect(booted.uWord(1, UEXOS.program)).toBe(42);
  expect([A1, A2, A3].map((r) => booted.uWord(0, at(RAW.user, r)))).toEqual([0, 7, 8]);
  const seen = all.filter((r) => r !== K0 && r !== K1 && booted.uWord(0, at(RAW.user, r)) === SECRET);
  expect(seen).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
