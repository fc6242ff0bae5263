/** The floating-point unit: who may use it, whose values its registers hold, its exceptions. [SOSP95 T3] */
import { DEATHS, EXCEPTIONS, type Image } from '@exokernel/abi';
import { A0, S0, S1, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { EVENT_KINDS } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { INTERRUPT } from '../src/layout.ts';
import {
  boot,
  changed,
  checkInvariants,
  DUMP,
  emitCall,
  emitDump,
  emitEnd,
  emitFill,
  emitRoutine,
  emitSpin,
  quicken,
  RAW,
  rawImage,
  runRaw,
  type RawImage,
} from '../../testkit/src/index.ts';

function emitOn(a: Assembler, on: number): void {
  a.li(A0, on);
  emitCall(a, 'fpu_mod');
}

function running(emit: (a: Assembler) => void, more: Partial<Parameters<typeof rawImage>[0]> = {}): RawImage {
  return rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      emit(a);
    },
    ...more,
  });
}

/** Ends with the word at `address`. */
function emitEndWith(a: Assembler, address: number): void {
  a.lw(V0, address, ZERO);
  a.nop();
  emitEnd(a);
}

test('who has not asked takes a coprocessor exception, before and after', () => {
  const image = running((a) => {
    a.mtc1(ZERO, 0);
    emitOn(a, 1);
    a.mtc1(ZERO, 0);
    emitOn(a, 0);
    a.mtc1(ZERO, 0);
    // Again off changes nothing.
    emitOn(a, 0);
    a.mtc1(ZERO, 0);
    emitEndWith(a, RAW.counts + 4 * EXCEPTIONS.coprocessor);
  });
  const booted = boot([image]);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 3 });
});

test('its registers stay from slice to slice while nobody else uses the unit', () => {
  const user = running((a) => {
    emitOn(a, 1);
    a.li(T0, 40);
    a.mtc1(T0, 4);
    a.nop();
    a.cvt_d_w(4, 4);
    a.li(T0, 2);
    a.mtc1(T0, 6);
    a.nop();
    a.cvt_d_w(6, 6);
    emitSpin(a, 200_000);
    a.add_d(8, 4, 6);
    a.cvt_w_d(8, 8);
    a.mfc1(V0, 8);
    a.nop();
    emitEnd(a);
  });
  const other = running((a) => {
    a.b('go');
    a.nop();
  });
  const booted = boot([user, other]);
  quicken(booted, 8192);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 42 });
  expect(booted.aegis.environment(0).slices).toBeGreaterThan(10);
});

/** Puts its own number into a register over and over, and exits with 1 once it reads what is neither that nor zero. */
function possessive(mine: number): RawImage {
  return running((a) => {
    emitOn(a, 1);
    a.li(S0, mine);
    a.li(S1, 60_000);
    a.label('again');
    a.mfc1(T0, 31);
    a.cfc1(T1, 31);
    a.beq(T0, ZERO, 'fine');
    a.nop();
    a.bne(T0, S0, 'leak');
    a.nop();
    a.bne(T1, ZERO, 'leak');
    a.label('fine');
    a.mtc1(S0, 31);
    a.addiu(S1, S1, -1);
    a.bnez(S1, 'again');
    a.nop();
    a.li(V0, 2);
    emitEnd(a);
    a.label('leak');
    a.li(V0, 1);
    emitEnd(a);
  });
}

test('of several users each finds its own values or zeros, never another’s', () => {
  const booted = boot([possessive(11), possessive(22), possessive(33)]);
  quicken(booted, 8192);
  expect(booted.finish(0, 1, 2).map(({ exit }) => exit)).toEqual([2, 2, 2]);
  // A record that is used again has not its former tenant's.
  const next = booted.aegis.load(possessive(44));
  expect(booted.finish(next).map(({ exit }) => exit)).toEqual([2]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

/** 1 / 0 with the exception of division enabled. */
function emitDivision(a: Assembler): void {
  emitOn(a, 1);
  a.li(T0, 1);
  a.mtc1(T0, 4);
  a.mtc1(ZERO, 6);
  a.li(T0, 0x400);
  a.ctc1(T0, 31);
  a.cvt_d_w(4, 4);
  a.cvt_d_w(6, 6);
  a.label('division');
  a.div_d(8, 4, 6);
  a.nop();
}

test('an exception of the unit goes to the handler of code 15: where, and FCR31; it comes once', () => {
  const image = running((a) => {
    emitDivision(a);
    // Bit 0: it came from the division; bit 1: FCR31 says division by zero; from bit 2 on: how often.
    a.la(T0, 'division');
    a.lw(T1, RAW.epc, ZERO);
    a.lw(V0, RAW.counts + 4 * EXCEPTIONS.floatingPoint, ZERO);
    a.xor(T0, T0, T1);
    a.sltiu(T0, T0, 1);
    a.lw(T1, RAW.badVaddr, ZERO);
    a.sll(V0, V0, 2);
    a.srl(T1, T1, 14);
    a.andi(T1, T1, 2);
    a.or(V0, V0, T0);
    a.or(V0, V0, T1);
    emitEnd(a);
  });
  expect(boot([image]).finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 4 + 2 + 1 });
});

test('after an exception of the unit every register is what it was, but k1, by which the handler comes back', () => {
  const dump: number[] = [];
  runRaw(
    function* (raw) {
      yield* raw.routine('divide');
      for (let i = 0; i < 0x40; i += 1) dump.push(yield* raw.fibers.load(DUMP + 4 * i));
      expect(yield* raw.fibers.load(RAW.counts + 4 * EXCEPTIONS.floatingPoint)).toBe(1);
      return 0;
    },
    {
      emit: (a) => {
        emitRoutine(a, 'divide', () => {
          emitOn(a, 1);
          a.li(T0, 1);
          a.mtc1(T0, 4);
          a.mtc1(ZERO, 6);
          a.li(T0, 0x400);
          a.ctc1(T0, 31);
          a.cvt_d_w(4, 4);
          a.cvt_d_w(6, 6);
          emitFill(a);
          a.div_d(8, 4, 6);
          emitDump(a);
        });
      },
    },
  );
  expect(changed(dump)).toEqual(['k1']);
});

test('who has no handler for it ends, and nobody else', () => {
  const image = running(emitDivision, { handlers: { floatingPoint: undefined } });
  const booted = boot([image, possessive(5)]);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.unhandled | (EXCEPTIONS.floatingPoint << 8) });
  expect(booted.finish(1)[0]).toMatchObject({ exit: 2 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a pending exception of one is not heard by another, nor does it stop the machine', () => {
  // All causes and enables at once, over and over.
  const image = running((a) => {
    emitOn(a, 1);
    a.li(T0, 0x3ffff);
    a.label('again');
    a.ctc1(T0, 31);
    a.b('again');
    a.nop();
  });
  const booted = boot([image, possessive(7)]);
  quicken(booted, 1024);
  expect(booted.finish(1)[0]).toMatchObject({ exit: 2 });
  expect(booted.uWord(0, RAW.counts + 4 * EXCEPTIONS.floatingPoint)).toBeGreaterThan(100);
  expect(booted.uWord(1, RAW.counts + 4 * EXCEPTIONS.floatingPoint)).toBe(0);
});

test('who is ended with an exception pending leaves none that an interrupt of a device stumbles over', () => {
  // The handler raises it again, so that many a tick finds both pending; without an epilogue that is the end.
  const raising = (delay: number): Image => ({
    ...running(
      (a) => {
        emitOn(a, 1);
        for (let i = 0; i < delay; i += 1) a.nop();
        a.li(T1, 0x3ffff);
        a.label('raise');
        a.nop();
        a.ctc1(T1, 31);
        a.b('raise');
        a.nop();
      },
      { handlers: { floatingPoint: 'raise' } },
    ),
    epilogue: 0,
  });
  const other = running((a) => {
    a.b('go');
    a.nop();
  });
  const booted = boot([other]);
  quicken(booted, 1024);
  const { machine, aegis } = booted;
  let pending = 0;
  machine.listen((kind, _cycle, a) => {
    const isBoth = kind === EVENT_KINDS.exception.kind && a === EXCEPTIONS.interrupt;
    if (isBoth && (machine.cpu.cp0.cause & INTERRUPT.fpu) !== 0) pending += 1;
  });
  for (let delay = 0; delay < 100; delay += 1) {
    booted.finish(aegis.load(raising(delay)));
    // One that does not use the unit is interrupted by a device.
    machine.serialInput(3, Uint8Array.of(65));
    machine.run(50_000);
    expect(machine.cpu.cp0.cause & INTERRUPT.fpu).toBe(0);
  }
  expect(pending).toBeGreaterThan(0);
  expect(checkInvariants(aegis)).toEqual([]);
});

test('what one leaves in the registers that it got by a transfer is not seen by whose unit it was', () => {
  const SECRET = 0x5ec2e7;
  // A server that was called with the unit on, keeps a secret in it, and is at its end when its slice ends.
  const server = running(
    (a) => {
      a.b('go');
      a.nop();
      a.label('entry');
      a.li(T0, SECRET);
      for (let r = 0; r < 32; r += 1) a.mtc1(T0, r);
      a.ctc1(T0, 31);
      a.label('busy');
      a.b('busy');
      a.nop();
    },
    { syncEntry: 'entry', placement: { slices: 1 } },
  );
  const client = running(
    (a) => {
      a.lw(S0, RAW.user, ZERO);
      a.li(T0, 1);
      a.bnez(S0, 'again');
      a.sw(T0, RAW.user, ZERO);
      emitOn(a, 1);
      a.li(V1, 0);
      emitCall(a, 'scall');
      a.label('again');
      a.mfc1(T0, 5);
      a.cfc1(T1, 31);
      a.nop();
      a.or(V0, T0, T1);
      emitEnd(a);
    },
    { prologue: 'go', placement: { slices: 2 } },
  );
  const booted = boot([server, client]);
  expect(booted.finish(1)[0]).toMatchObject({ death: DEATHS.exit, exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
