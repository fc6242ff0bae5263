/**
 * The restartable sequences of the runtime: an end of slice at any instruction leaves the program right. The clock is made to
 * tick so fast that over the run every instruction of the runtime is hit by one; the program checks every register.
 */
import { ENV, ENV_STATUS } from '@exokernel/abi';
import { A0, RA, effects, register } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { KP } from '../../aegis/src/layout.ts';
import { KIT_TEXT, address } from '../src/index.ts';
import {
  boot,
  changed,
  checkInvariants,
  DUMP,
  EVENT_KINDS,
  emitDump,
  emitFill,
  emitRoutine,
  quicken,
  rawImage,
  type Booted,
  type Fiber,
  type Raw,
  type RawImage,
} from '../../testkit/src/index.ts';

const USER = 2;
/** Passages through a sequence between two looks at the registers. */
const MANY = 24;
/** Registers that a call of a routine keeps. */
const KEPT = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 'gp', 'sp', 'fp'];

function* dumped(raw: Raw): Fiber<number[]> {
  const words: number[] = [];
  for (let i = 0; i < 0x40; i += 1) words.push(yield* raw.fibers.load(DUMP + 4 * i));
  return words;
}

/** Runs every routine below, checking each time; `rounds` times. */
function* main(raw: Raw, rounds: number): Fiber<number> {
  let random = 1;
  // Everything at different times, or program and clock fall into step.
  const spin = function* (): Fiber<void> {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    yield* raw.routine('spin', 1 + (random >>> 22));
  };
  for (let i = 0; i < rounds; i += 1) {
    for (const routine of ['yields', 'sleeps']) {
      yield* spin();
      yield* raw.routine(routine);
      const wrong = changed(yield* dumped(raw)).filter((name) => KEPT.includes(name));
      if (wrong.length > 0) throw new Error(`round ${i}: ${routine} changes ${wrong.join()}`);
    }
    for (const routine of ['breaks', 'computes']) {
      yield* spin();
      yield* raw.routine(routine);
      const wrong = changed(yield* dumped(raw)).filter((name) => name !== 'k1');
      if (wrong.length > 0) throw new Error(`round ${i}: ${routine} changes ${wrong.join()}`);
    }
  }
  return 0;
}

function program(rounds: number): RawImage {
  return rawImage({
    main: (raw) => main(raw, rounds),
    emit: (a) => {
      a.label('spin');
      a.bnez(A0, 'spin');
      a.addiu(A0, A0, -1);
      a.ret();
      a.nop();
      emitRoutine(a, 'yields', () => {
        emitFill(a);
        for (let i = 0; i < MANY; i += 1) {
          a.bal('kit.yield');
          a.li(A0, -1);
        }
        emitDump(a);
      });
      emitRoutine(a, 'sleeps', () => {
        // A tick that has passed: any will do.
        emitFill(a);
        for (let i = 0; i < MANY; i += 1) {
          a.bal('kit.sleep');
          a.li(A0, 1);
        }
        emitDump(a);
      });
      emitRoutine(a, 'breaks', () => {
        emitFill(a);
        for (let i = 0; i < MANY; i += 1) a.break(0);
        emitDump(a);
      });
      emitRoutine(a, 'computes', () => {
        emitFill(a);
        for (let i = 0; i < 40; i += 1) a.xor(register(8 + (i % 8)), register(8 + (i % 8)), RA);
        for (let i = 0; i < 40; i += 1) a.xor(register(8 + (i % 8)), register(8 + (i % 8)), RA);
        emitDump(a);
      });
    },
  });
}

/** Another environment that takes its turns and gives them back. */
const partner = rawImage({
  entry: 'partner',
  emit: (a) => {
    a.label('partner');
    a.bal('kit.yield');
    a.li(A0, -1);
    a.b('partner');
    a.nop();
  },
});

function failure({ machine }: Booted): string | undefined {
  return machine.native.lastError?.message;
}

/** Addresses of instructions that the program executes, step by step, at the usual pace. */
function executed(image: RawImage): Set<number> {
  const booted = boot([image, partner]);
  const { machine, aegis } = booted;
  const seen = new Set<number>();
  const { memory } = aegis.parts;
  while (memory.kernelPage(KP.env) === 0 || memory.env(0, ENV.status) === ENV_STATUS.runnable) {
    if ((machine.cpu.cp0.status & USER) !== 0 && memory.current === 0) seen.add(machine.cpu.pc);
    machine.run(1);
  }
  expect(failure(booted)).toBeUndefined();
  return seen;
}

test('an end of slice at every instruction: prologue, resume, yield, sleep, the fiber loop', () => {
  const image = program(5000);
  const booted = boot([image, partner]);
  quicken(booted, 8192);
  const interrupted = new Set<number>();
  booted.machine.listen((kind, _cycle, code, epc) => {
    if (kind === EVENT_KINDS.exception.kind && code === 0 && booted.aegis.parts.memory.current === 0)
      interrupted.add(epc);
  });

  // An interrupt is never reported at an instruction in a delay slot, nor after the end of a slice until the yield.
  const { runtime } = image;
  const isSlot = (pc: number): boolean => effects(runtime.words[(pc - 4 - KIT_TEXT) / 4] ?? 0).branches;
  const inRuntime = (pc: number): boolean =>
    (pc >= KIT_TEXT && pc < address(runtime, 'kit.epilogue')) ||
    (pc >= address(runtime, 'kit.fiber.step') && pc < address(runtime, 'kit.fiber.done'));
  const missing = new Set([...executed(program(2))].filter((pc) => inRuntime(pc) && !isSlot(pc)));
  expect(missing.size).toBeGreaterThan(70);
  booted.runUntil(() => {
    for (const pc of interrupted) missing.delete(pc);
    return missing.size === 0 || booted.aegis.environment(0).status === 'dead';
  }, 20);
  expect(failure(booted)).toBeUndefined();
  expect([...missing].map((pc) => pc.toString(16))).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a program sees nothing of ends of slices, however often they come', () => {
  for (const hertz of [1024, 2048, 4096] as const) {
    const booted = boot([program(60), program(60), partner]);
    quicken(booted, hertz);
    booted.runUntil(() => [0, 1].every((env) => booted.aegis.environment(env).status === 'dead'), 30);
    expect(failure(booted)).toBeUndefined();
    expect([0, 1].map((env) => booted.aegis.environment(env).exit)).toEqual([0, 0]);
  }
});
