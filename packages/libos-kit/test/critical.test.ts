/** Critical sections: no system call, no lock; the end of a slice waits for the end of the section. [XOK] */
import { DEATHS, ENV } from '@exokernel/abi';
import { A0, S0, S1, T0, T3, V0, ZERO, type Assembler } from '@exokernel/isa';
import { address, emitCriticalEnter, emitCriticalLeave, UKIT } from '../src/index.ts';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  emitEnd,
  emitSpin,
  quicken,
  rawImage,
  type Booted,
  type RawImage,
} from '../../testkit/src/index.ts';

/** A page that every environment of the test maps: two counters that are equal outside sections. */
const SHARED = 0x200000;
const ROUNDS = 400;
const MISMATCHES = 0x1500;

function emitForever(a: Assembler): void {
  a.label('spin');
  a.b('spin');
  a.nop();
}

/** Counts both counters up in a section, slowly, `ROUNDS` times; exits with the number of times they were unequal. */
function counter(critical: boolean): (a: Assembler) => void {
  return (a) => {
    a.label('go');
    a.li(S0, ROUNDS);
    a.li(S1, SHARED);
    a.label('round');
    if (critical) emitCriticalEnter(a);
    // Sections nest.
    if (critical) emitCriticalEnter(a);
    a.lw(T0, 0, S1);
    a.lw(V0, 4, S1);
    a.nop();
    const equal = a.fresh('equal');
    a.beq(T0, V0, equal);
    a.lw(T3, MISMATCHES, ZERO);
    a.nop();
    a.addiu(T3, T3, 1);
    a.sw(T3, MISMATCHES, ZERO);
    a.label(equal);
    a.addiu(T0, T0, 1);
    a.sw(T0, 0, S1);
    emitSpin(a, 100);
    a.lw(T0, 0, S1);
    a.nop();
    a.sw(T0, 4, S1);
    if (critical) emitCriticalLeave(a);
    if (critical) emitCriticalLeave(a);
    a.addiu(S0, S0, -1);
    a.bnez(S0, 'round');
    a.nop();
    a.lw(V0, MISMATCHES, ZERO);
    emitEnd(a);
  };
}

function two(critical: boolean): { exits: number[]; counters: number[]; calls: number[] } {
  const image = (): RawImage => rawImage({ entry: 'go', emit: counter(critical) });
  const booted = boot([image(), image()]);
  quicken(booted, 8192);
  const { frames, environments } = booted.aegis.parts;
  // What a library would do with a capability.
  const ppn = frames.allocate(0, -1);
  for (const env of [0, 1]) environments.map(env, ppn, SHARED, { writable: true, pages: [], node: 0, envNode: 0 });
  const counters: number[] = [];
  booted.runUntil(() => {
    if (booted.aegis.environments().every(({ status }) => status === 'dead')) return true;
    counters.splice(0, 2, booted.machine.memory.load32(ppn * 4096), booted.machine.memory.load32(ppn * 4096 + 4));
    return false;
  });
  const ended = booted.finish(0, 1);
  expect(ended.map(({ death }) => death)).toEqual([DEATHS.exit, DEATHS.exit]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return { exits: ended.map(({ exit }) => exit), counters, calls: ended.map(({ systemCalls }) => systemCalls) };
}

test('two environments in turn: inside a section nobody else runs', () => {
  const { exits, calls } = two(true);
  expect(exits).toEqual([0, 0]);
  // A yield for each end of a slice and the exit: none for a section.
  for (const n of calls) expect(n).toBeLessThan(ROUNDS / 3);
  expect(Math.min(...calls)).toBeGreaterThan(10);
});

test('without sections they do get in each other’s way', () => {
  expect(Math.max(...two(false).exits)).toBeGreaterThan(0);
});

test('a section that does not end is excess time, and finally fatal; nobody else suffers', () => {
  const stuck = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      emitCriticalEnter(a);
      a.label('stuck');
      a.b('stuck');
      a.nop();
    },
  });
  const other = rawImage({
    main: function* (raw) {
      yield* raw.sleep(20);
      return 3;
    },
  });
  const booted = boot([stuck, other]);
  const [dead, done] = booted.finish(0, 1);
  expect(dead?.death).toBe(DEATHS.excess);
  expect(done?.exit).toBe(3);
});

test('registers survive the end of a slice inside a section', () => {
  const image = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      emitCriticalEnter(a);
      for (let r = 8; r < 26; r += 1) a.li(r as never, 1000 + r);
      a.label('wait');
      a.lw(V0, UKIT.criticalInterrupted, ZERO);
      a.nop();
      a.beqz(V0, 'wait');
      a.nop();
      for (let r = 8; r < 26; r += 1) {
        a.addiu(r as never, r as never, -1000 - r);
        a.or(V0, V0, r as never);
      }
      // 1: it was interrupted, and every register was what it should be.
      a.move(S0, V0);
      emitCriticalLeave(a);
      a.move(V0, S0);
      emitEnd(a);
    },
  });
  const booted = boot([image, rawImage({ entry: 'spin', emit: emitForever })]);
  quicken(booted, 8192);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 1 });
  // It does not owe a slice.
  expect(booted.aegis.parts.memory.env(0, ENV.credit) | 0).toBeGreaterThan(-booted.machine.hz / 1024);
});

/** Waits for a fresh slice, then `nops` instructions, a section, and much longer than an environment may overrun its slice. */
function late(nops: number): RawImage {
  return rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      a.li(A0, -1);
      a.bal('kit.yield');
      a.nop();
      emitSpin(a, 700);
      a.label('before');
      for (let i = 0; i < nops; i += 1) a.nop();
      emitCriticalEnter(a);
      emitCriticalLeave(a);
      emitSpin(a, 20_000);
      a.li(V0, 7);
      emitEnd(a);
    },
  });
}

/** Of an environment's first slice after the yield: how far behind `before` it ended. */
function endOf(image: RawImage): number {
  const { machine } = running(image);
  const before = address(image.runtime, 'before');
  for (let i = 0; i < 30_000; i += 1) {
    machine.run(1);
    const { cause, epc } = machine.cpu.cp0;
    const at = (epc - before) / 4;
    const isInterrupt = ((cause >>> 2) & 31) === 0;
    if (isInterrupt && at >= 0 && at < 1000) return at;
  }
  return -1;
}

function running(image: RawImage): Booted {
  const booted = boot([image, rawImage({ entry: 'spin', emit: emitForever })]);
  quicken(booted, 8192);
  return booted;
}

test('a slice may end at any instruction of entering and leaving a section', () => {
  const end = endOf(late(1000));
  expect(end).toBeGreaterThan(30);
  for (let i = 0; i < 20; i += 1) {
    const booted = running(late(end - i));
    expect([i, booted.finish(0)[0]]).toMatchObject([i, { death: DEATHS.exit, exit: 7 }]);
  }
});
