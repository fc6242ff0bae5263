/**
 * Nothing that one environment had in a register is found by the next, however the first leaves and the second is entered. Of
 * a protected control transfer the registers are the message; what a callee keeps in them and leaves with is not.
 */
import { CALLS, DEATHS, EXCEPTIONS, type CallName, type Image } from '@exokernel/abi';
import { A0, K0, T0, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  DUMP,
  emitCall,
  emitDump,
  emitFill,
  quicken,
  RAW,
  rawImage,
  REGISTERS,
  SCRATCH,
} from '../../testkit/src/index.ts';

const FINDER = 0;
const KEEPER = 1;
const OTHER = 2;
const NEXT = -1;

/** Where the finder stores the floating-point registers, FCR31 last, and that it is done; how often it has begun. */
const FLOATS = SCRATCH + 0x400;
const DONE = SCRATCH + 0x600;
const BEGUN = SCRATCH + 0x604;

/** An address that the keeper touches, what it keeps in floating-point register r, and its FCR31: flags and rounding. */
const SECRET_ADDRESS = 0x5ec2e70;
const secretFloat = (r: number): number => 0x5ec20000 + r;
const SECRET_CONTROL = 0x80007f;
const CONTROL = 31;

function emitOn(a: Assembler): void {
  a.li(A0, 1);
  emitCall(a, 'fpu_mod');
}

function emitLoop(a: Assembler): void {
  const loop = a.fresh('loop');
  a.label(loop);
  a.b(loop);
  a.nop();
}

/**
 * Emits the begin of a slice: the first time it sleeps, until tick 3 or for ever, so that all have begun before anything is
 * done; the second time it goes on here, later at `again`. k0 is not used by the program: nothing that is found is overwritten.
 */
function emitBegin(a: Assembler, tick: number, again: string): void {
  const go = a.fresh('go');
  a.lw(K0, BEGUN, ZERO);
  a.nop();
  a.addiu(K0, K0, 1);
  a.sw(K0, BEGUN, ZERO);
  a.addiu(K0, K0, -2);
  a.beq(K0, ZERO, go);
  a.nop();
  a.bgez(K0, again);
  a.nop();
  a.li(A0, tick);
  emitCall(a, 'sleep');
  emitLoop(a);
  a.label(go);
}

/** How the keeper comes to have secrets: whose slice, whose unit. */
interface Have {
  readonly finderOn: boolean;
  readonly keeperOn: boolean;
  readonly enteredBy: 'yield' | 'scall';
}

const HAVE: readonly (readonly [string, Have])[] = [
  ['in its own slice, with its own unit', { finderOn: false, keeperOn: true, enteredBy: 'yield' }],
  ['in its own slice, its unit taken from another', { finderOn: true, keeperOn: true, enteredBy: 'yield' }],
  ['in a slice and with the unit of its caller', { finderOn: true, keeperOn: false, enteredBy: 'scall' }],
  ['in the slice of its caller, with its own unit', { finderOn: false, keeperOn: true, enteredBy: 'scall' }],
  ['in the slice of its caller, the unit taken from it', { finderOn: true, keeperOn: true, enteredBy: 'scall' }],
];

/** How the keeper leaves: with these registers by a system call, or with none and by doing this. */
interface Leave {
  readonly call?: readonly [name: CallName, registers: readonly (readonly [Register, number])[]];
  readonly otherwise?: (a: Assembler) => void;
  readonly epilogue?: 'none' | 'none that yields';
  /** The finder is entered by a transfer from the keeper, once that has begun again; else by a yield to it. */
  readonly back?: 'scall';
  readonly death?: number;
}

const SLEEP: readonly (readonly [Register, number])[] = [[A0, 9]];

const LEAVE: readonly (readonly [string, Leave])[] = [
  ['yields to the next', { call: ['yield', [[A0, NEXT]]] }],
  ['yields to the finder', { call: ['yield', [[A0, FINDER]]] }],
  ['yields to another, who sleeps', { call: ['yield', [[A0, OTHER]]] }],
  ['sleeps, and the machine idles', { call: ['sleep', SLEEP] }],
  ['sleeps, the machine idles, and it transfers control back', { call: ['sleep', SLEEP], back: 'scall' }],
  ['yields, and transfers control back when it begins again', { call: ['yield', [[A0, NEXT]]], back: 'scall' }],
  ['transfers control to another for good, who sleeps', { call: ['scall', [[V1, OTHER]]] }],
  ['transfers control to another for a while, who sleeps', { call: ['acall', [[V1, OTHER]]] }],
  ['is told that its slice is over', { otherwise: emitLoop }],
  [
    'is ended when its slice is over, for it has no epilogue',
    { otherwise: emitLoop, epilogue: 'none', death: DEATHS.noEntry },
  ],
  ['is ended because it does not yield', { otherwise: emitLoop, epilogue: 'none that yields', death: DEATHS.excess }],
  ['ends', { call: ['env_free', [4, 5, 6, 7].map((r) => [r as Register, 0] as const)], death: DEATHS.exit }],
  [
    'is ended by an exception',
    { otherwise: (a) => a.break(0), death: DEATHS.unhandled | (EXCEPTIONS.breakpoint << 8) },
  ],
  [
    'is ended by an exception of the unit',
    {
      otherwise: (a) => {
        a.li(T0, 0x3ffff);
        a.ctc1(T0, CONTROL);
        emitLoop(a);
      },
      death: DEATHS.unhandled | (EXCEPTIONS.floatingPoint << 8),
    },
  ],
];

function keeper({ keeperOn }: Have, { call, otherwise, epilogue, back }: Leave): Image {
  const image = rawImage({
    name: 'keeper',
    entry: 'start',
    prologue: 'start',
    syncEntry: 'keep',
    epilogue: 'end',
    handlers: { breakpoint: undefined, floatingPoint: undefined },
    emit: (a) => {
      a.label('start');
      emitBegin(a, 0, 'again');
      a.label('keep');
      a.li(T0, 2);
      a.sw(T0, BEGUN, ZERO);
      a.li(T0, SECRET_ADDRESS);
      a.lw(T0, 0, T0);
      if (keeperOn) emitOn(a);
      for (let r = 0; r < 32; r += 1) {
        a.li(T0, secretFloat(r));
        a.mtc1(T0, r);
      }
      a.li(T0, SECRET_CONTROL);
      a.ctc1(T0, CONTROL);
      emitFill(
        a,
        new Map([...(call === undefined ? [] : ([[V0, CALLS[call[0]].number]] as const)), ...(call?.[1] ?? [])]),
      );
      if (call !== undefined) a.syscall(0);
      otherwise?.(a);
      emitLoop(a);
      a.label('again');
      a.li(back === undefined ? A0 : V1, FINDER);
      emitCall(a, back ?? 'yield');
      emitLoop(a);
      a.label('end');
      if (epilogue !== undefined) emitLoop(a);
      a.li(A0, NEXT);
      emitCall(a, 'yield');
    },
  });
  return epilogue === 'none' ? { ...image, epilogue: 0 } : image;
}

function finder({ finderOn, enteredBy }: Have): Image {
  return rawImage({
    name: 'finder',
    entry: 'start',
    prologue: 'start',
    syncEntry: 'find',
    emit: (a) => {
      a.label('start');
      emitBegin(a, 3, 'find');
      if (finderOn) emitOn(a);
      a.li(enteredBy === 'yield' ? A0 : V1, KEEPER);
      emitCall(a, enteredBy);
      emitLoop(a);
      a.label('find');
      a.lw(K0, DONE, ZERO);
      a.nop();
      a.label('found');
      a.bnez(K0, 'found');
      a.nop();
      emitDump(a);
      emitCall(a, 'null_stack');
      emitDump(a, 1);
      a.break(0);
      emitOn(a);
      for (let r = 0; r < 32; r += 1) {
        a.mfc1(T0, r);
        a.nop();
        a.sw(T0, FLOATS + 4 * r, ZERO);
      }
      a.cfc1(T0, CONTROL);
      a.nop();
      a.sw(T0, FLOATS + 128, ZERO);
      a.li(T0, 1);
      a.sw(T0, DONE, ZERO);
      emitLoop(a);
    },
  });
}

/** Sleeps, also when it is entered. */
function other(): Image {
  return rawImage({
    name: 'other',
    entry: 'rest',
    prologue: 'rest',
    syncEntry: 'rest',
    asyncEntry: 'rest',
    emit: (a) => {
      a.label('rest');
      a.li(A0, 0);
      emitCall(a, 'sleep');
      a.b('rest');
      a.nop();
    },
  });
}

describe.each(HAVE)('the keeper has its secrets %s', (_, have) => {
  test.each(LEAVE)('and %s', (_, leave) => {
    const booted = boot([finder(have), keeper(have, leave), other()]);
    quicken(booted, 1024);
    expect(booted.runUntil(() => booted.word(FINDER, DONE) === 1, 1)).toBe(true);
    // To end takes longer than one of these short slices.
    if (leave.death !== undefined) booted.finish(KEEPER);
    expect(booted.aegis.environment(KEEPER).death).toBe(leave.death ?? DEATHS.none);
    // All that the keeper put into registers came from nowhere else: the finder has zeros, but for the keeper's number (v1) and
    // the name of the call by which it was entered (v0); or, in what is left of another's instance, for its owner's (v1), which is none.
    const isMessage = leave.back === 'scall';
    const found = REGISTERS.flatMap((r) =>
      [0, 1].map((n) => [r, n, booted.word(FINDER, DUMP + 0x100 * n + 4 * r)] as const),
    ).filter(([r, , value]) => value !== 0 && !(isMessage && r === V0) && !(r === V1 && (isMessage || value === -1)));
    expect(found).toEqual([]);
    expect([0x80, 0x84].map((at) => booted.word(FINDER, DUMP + at))).toEqual([0, 0]);
    expect(Array.from({ length: 33 }, (_, r) => booted.word(FINDER, FLOATS + 4 * r))).toEqual(Array(33).fill(0));
    // An exception that has no address tells none, nor of the unit's exceptions.
    expect(booted.uWord(FINDER, RAW.counts + 4 * EXCEPTIONS.breakpoint)).toBe(1);
    expect(booted.uWord(FINDER, RAW.badVaddr)).toBe(0);
    expect(booted.uWord(FINDER, RAW.cause) & 0x8000).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});
