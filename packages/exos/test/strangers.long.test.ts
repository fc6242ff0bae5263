/**
 * What an environment without any right over a process cannot take from it: its slices, by calling it; its registers and slices, by having
 * the number of a process with which it talked; its life, by a server that dies at the wrong moment.
 */
import { ENV, ENV_STATUS, SLICE } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, S1, S2, S3, S5, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { address } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { machine } from './machine.ts';
import { UEXOS } from '../src/index.ts';
import { boot, checkInvariants, emitCall, RAW, rawImage, type Booted, type RawImage } from '../../testkit/src/index.ts';

/** Emits a loop that counts in UEXOS.program. */
function emitCompute(a: Assembler): void {
  a.label('compute');
  a.lw(T0, UEXOS.program, ZERO);
  a.nop();
  a.addiu(T0, T0, 1);
  a.sw(T0, UEXOS.program, ZERO);
  a.b('compute');
  a.nop();
}

/** Emits a loop of `turns` turns of two cycles. */
function emitSpin(a: Assembler, turns: number): void {
  const spin = a.fresh('spin');
  a.li(T0, turns);
  a.label(spin);
  a.addiu(T0, T0, -1);
  a.bgtz(T0, spin);
  a.nop();
}

/** Who runs in the slice at `position`. */
function runner({ aegis }: Booted, position: number): number {
  return (aegis.parts.memory.slice(position, SLICE.running) - 0x80020000) / 512;
}

describe('a slice of its own', () => {
  /** Calls environment 1 without end from where the clock's ticks come at each instruction of the refusal in time. */
  const caller: RawImage = rawImage({
    name: 'caller',
    entry: 'go',
    syncEntry: 'call',
    emit: (a) => {
      a.label('go');
      emitSpin(a, 500_000);
      a.label('call');
      a.lw(S2, RAW.user, ZERO);
      a.li(V1, 1);
      a.addiu(S2, S2, 1);
      a.sw(S2, RAW.user, ZERO);
      a.move(A1, ZERO);
      emitCall(a, 'scall');
      a.b('call');
      a.nop();
    },
  });

  test('is not given to a stranger who calls a process that computes, wherever its slice ends', () => {
    const victim = machine('victim', (a, call) => {
      call('lrpc_bind');
      emitCompute(a);
    });
    const booted = boot([caller, victim]);
    const { machine: computer, aegis } = booted;
    for (let i = 0; i < 160; i += 1) {
      // 15.6 ms and an odd number of cycles.
      computer.run(390_637);
      expect(runner(booted, 1)).toBe(1);
    }
    expect(booted.uWord(0, RAW.user)).toBeGreaterThan(2000);
    expect(aegis.environment(1).cycles).toBeGreaterThan(0.45 * computer.cycles);
    expect(checkInvariants(aegis)).toEqual([]);
  });

  /** A server of one procedure, which takes most of a slice. */
  const server = machine('server', (a, call) => {
    a.la(T0, 'work');
    a.sw(T0, 0, S0);
    a.move(A0, S0);
    a.li(A1, 1);
    call('lrpc_serve');
    a.label('work');
    emitSpin(a, 100_000);
    a.ret();
    a.addu(V0, A2, A3);
  });

  /** Calls it late in its slice; has the answer in RAW.user, and keeps the processor. */
  const client = (how: { readonly asyncEntry?: string }): RawImage =>
    rawImage({
      name: 'client',
      entry: 'go',
      syncEntry: 'back',
      ...how,
      emit: (a) => {
        a.label('go');
        emitSpin(a, 500_000);
        emitCall(a, 'tick');
        a.move(S1, V1);
        a.label('edge');
        emitCall(a, 'tick');
        a.beq(V1, S1, 'edge');
        a.nop();
        emitSpin(a, 110_000);
        a.move(A1, ZERO);
        a.li(A2, 40);
        a.li(A3, 2);
        a.li(V1, 1);
        emitCall(a, 'scall');
        a.label('late');
        a.sw(A0, RAW.user, ZERO);
        a.label('back');
        a.sw(A0, RAW.user + 4, ZERO);
        a.label('on');
        a.b('on');
        a.nop();
      },
    });

  test.each([
    ['is in the rest of an instance for a caller that can be entered so', { asyncEntry: 'late' }, 42],
    ['is not there for one that cannot', {}, 0],
  ] as const)(
    'is kept by a server whose procedure outlasts the slice of its caller: the reply %s',
    (_, how, answer) => {
      const booted = boot([client(how), server]);
      expect(booted.runUntil(() => booted.uWord(0, RAW.user + 4) !== 0, 5)).toBe(true);
      booted.machine.run(10 * 390_625);
      expect(booted.uWord(0, RAW.user)).toBe(answer);
      // What the caller had donated has come back too.
      expect([0, 1].map((position) => runner(booted, position))).toEqual([0, 1]);
      expect(checkInvariants(booted.aegis)).toEqual([]);
    },
  );
});

test('a process that gives the processor to the reader of its pipe shows a stranger with its number nothing', () => {
  const secret = 0x5ec12345;
  const WANTED = 2;
  // The parent writes; of two readers the one that read last ends, and the other sleeps.
  const victim = machine('victim', (a, call) => {
    a.move(A0, S0);
    call('pipe_open');
    a.lw(S1, 0, S0);
    a.lw(S2, 4, S0);
    a.nop();
    call('process_fork');
    a.beqz(V0, 'first');
    a.move(S3, V0);
    call('process_fork');
    a.beqz(V0, 'second');
    a.nop();
    a.move(A0, S2);
    a.move(A1, S0);
    a.li(A2, 4);
    call('pipe_write');
    a.move(A0, ZERO);
    call('process_wait');
    a.li(A0, 300);
    call('clock_sleep');
    a.li(S5, secret);
    a.move(A0, S2);
    a.move(A1, S0);
    a.li(A2, 4096);
    call('pipe_write');
    a.b('end');
    a.move(V0, ZERO);
    a.label('first');
    a.move(A0, S1);
    a.addiu(A1, S0, 64);
    a.li(A2, 4);
    call('pipe_read');
    a.b('end');
    a.move(V0, ZERO);
    a.label('second');
    a.li(A0, 100_000);
    call('clock_sleep');
  });
  let got = -1;
  const stranger = rawImage({
    name: 'stranger',
    emit: (a) => {
      a.label('spy');
      a.sw(S5, RAW.user, ZERO);
      a.lw(T1, RAW.user + 4, ZERO);
      a.nop();
      a.addiu(T1, T1, 1);
      a.sw(T1, RAW.user + 4, ZERO);
      a.label('idle');
      a.move(A0, ZERO);
      emitCall(a, 'sleep');
      a.b('idle');
      a.nop();
    },
    main: function* (raw) {
      const { memory } = booted.aegis.parts;
      while (memory.env(WANTED, ENV.status) !== ENV_STATUS.dead) yield* raw.sleep(1);
      while (got !== WANTED) {
        const child = yield* raw.call('env_alloc');
        const self = child.capability;
        if (child.value !== WANTED) {
          yield* raw.code('env_free', ...self, 0);
          continue;
        }
        const frame = yield* raw.frame();
        yield* raw.code('env_map', ...self, ...frame.capability, 0x1003);
        for (const i of [0, 1]) yield* raw.code('env_map', ...self, ...(yield* raw.segment(i)), 0x2000 + 0x1000 * i);
        yield* raw.code('env_set', ...self, ENV.prologue, address(stranger.runtime, 'idle'));
        yield* raw.code('env_set', ...self, ENV.status, ENV_STATUS.runnable);
        expect(yield* raw.code('env_set', ...self, ENV.asyncEntry, address(stranger.runtime, 'spy'))).toBe(0);
        got = child.value;
      }
      for (;;) yield* raw.sleep(1000);
    },
  });
  const booted = boot([stranger, victim]);
  booted.machine.run(12 * booted.machine.hz);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(got).toBe(WANTED);
  // The writer has filled the pipe, and waits.
  expect(booted.aegis.environment(1).status).toBe('runnable');
  expect([0, 4].map((at) => booted.uWord(WANTED, RAW.user + at))).toEqual([0, 0]);
  expect(booted.aegis.environment(WANTED).cycles).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

/** The tick comes at every place of the look: the client learns that its server is dead, and is not ended for a slice that is over. */
test.each([60_000, 109_850, 109_860, 109_870, 109_880, 109_890, 109_900, 109_910])(
  'a client whose server ends so short before the tick lives: %i turns after it',
  (turns) => {
    const client = machine('client', (a, call) => {
      call('lrpc_bind');
      a.li(A0, 8);
      call('clock_sleep');
      a.li(A0, 1);
      a.move(A1, ZERO);
      call('lrpc_call');
      a.sw(V0, UEXOS.program + 4, ZERO);
      emitCompute(a);
    });
    let self: readonly number[] | undefined;
    const server = rawImage({
      name: 'server',
      syncEntry: 'entered',
      emit: (a) => {
        a.label('entered');
        a.li(T0, 1);
        a.sw(T0, RAW.user, ZERO);
        a.label('sleep');
        a.move(A0, ZERO);
        emitCall(a, 'sleep');
        a.b('sleep');
        a.nop();
      },
      main: function* (raw) {
        self = yield* raw.granted('self');
        for (;;) yield* raw.sleep(1000);
      },
    });
    const accomplice = rawImage({
      name: 'accomplice',
      emit: (a) => {
        a.label('strike');
        emitCall(a, 'tick');
        a.move(T1, V1);
        a.label('edge');
        emitCall(a, 'tick');
        a.beq(V1, T1, 'edge');
        a.nop();
        emitSpin(a, turns);
        a.move(T0, ZERO);
        emitCall(a, 'env_free');
        a.li(A0, 0);
        a.jal('kit.yield');
        a.nop();
        a.label('forever');
        a.b('forever');
        a.nop();
      },
      main: function* (raw) {
        while (self === undefined || booted.uWord(1, RAW.user) === 0) yield* raw.sleep(1);
        yield* raw.sleep(3);
        yield* raw.routine('strike', ...self);
        return 0;
      },
    });
    const other = rawImage({
      name: 'other',
      entry: 'on',
      emit: (a) => {
        a.label('on');
        a.b('on');
        a.nop();
      },
    });
    const booted = boot([client, server, accomplice, other]);
    expect(booted.runUntil(() => booted.aegis.parts.memory.env(1, ENV.status) === ENV_STATUS.dead, 10)).toBe(true);
    booted.machine.run(30 * 390_625);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    expect(booted.uWord(0, UEXOS.program + 4)).toBe(-1);
    expect(booted.uWord(0, UEXOS.program)).toBeGreaterThan(1000);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);
