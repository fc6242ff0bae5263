/**
 * Debts of slices: whatever a family does with its slices and its members, it has no more of the processor than its slices are worth. In each
 * test one member of a family overruns its slice by some quanta, and others see to it that the debt lies where it is not paid.
 * [SOSP95 §5.1.1]
 */
import { ENV, ENV_STATUS, POLICIES } from '@exokernel/abi';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { A0, A1, A2, A3, S0, T0, T1, T2, T3, T4, T5, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { address } from '../../libos-kit/src/index.ts';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  emitCall,
  rawImage,
  RAW,
  WINDOW,
  type RawImage,
} from '../../testkit/src/index.ts';
import { QUANTUM, spin } from './attackers.ts';
import { makeRing } from './network.ts';

/** What the members know: words of the page that holds their u-page. */
const AT = {
  /** The filter that the manager has bound, the frame with its bytes, its ring. */
  filter: RAW.user,
  frame: RAW.user + 16,
  ring: RAW.user + 32,
  length: RAW.user + 48,
  policy: RAW.user + 52,
  /** The thief: its capability, and the position of its slice. */
  thief: RAW.user + 64,
  position: RAW.user + 80,
  /** One that pays nothing: its capability, its number, and the position of its slice. */
  dustbin: RAW.user + 96,
  number: RAW.user + 112,
  dustbins: RAW.user + 116,
} as const;
const OF_THIEF = 5;
/** Before the thief's: what is freed and taken again is come to first. */
const OF_DUSTBIN = 3;

function load(a: Assembler, at: number, registers: readonly Register[] = [A0, A1, A2, A3]): void {
  registers.forEach((r, i) => a.lw(r, at + 4 * i, ZERO));
  a.nop();
}

/** Emits: a0 to a3 are the capability of a slice of the environment whose capability and position lie there. */
function emitSlice(a: Assembler, env: number, position: number): void {
  load(a, env);
  load(a, position, [T0]);
  emitCall(a, 'slice_alloc');
}

/**
 * How the family gets rid of its debt, each time before the thief's next slice: what its manager does, and what runs in the slice of a
 * dustbin. `emit` is empty if the manager does nothing.
 */
interface Way {
  readonly name: string;
  readonly dustbin: 'none' | 'sleeps' | 'spins' | 'embryo';
  readonly emit: (a: Assembler) => void;
}

function emitDustbinAnew(a: Assembler): void {
  emitSlice(a, AT.dustbin, AT.dustbins);
  emitCall(a, 'slice_free');
  emitSlice(a, AT.dustbin, AT.dustbins);
}

const WAYS: readonly Way[] = [
  { name: 'does no more', dustbin: 'none', emit: () => undefined },
  {
    name: 'has a member without slices bind a filter',
    dustbin: 'none',
    emit: (a) => {
      load(a, AT.filter);
      emitCall(a, 'filter_free');
      load(a, AT.frame);
      load(a, AT.ring, [T0, T1, T2, T3]);
      load(a, AT.length, [T4]);
      load(a, AT.policy, [T5]);
      emitCall(a, 'filter_bind');
      for (const [i, r] of [A0, A1, A2, A3].entries()) a.sw(r, AT.filter + 4 * i, ZERO);
    },
  },
  { name: 'takes the slice of a sleeper anew', dustbin: 'sleeps', emit: emitDustbinAnew },
  { name: 'takes the slice of one that computes anew', dustbin: 'spins', emit: emitDustbinAnew },
  { name: 'takes the slice of an embryo anew', dustbin: 'embryo', emit: emitDustbinAnew },
  {
    name: 'gives the slice to a sleeper, and takes it from that',
    dustbin: 'sleeps',
    emit: (a) => {
      emitSlice(a, AT.thief, AT.position);
      load(a, AT.number, [T0]);
      emitCall(a, 'slice_give');
      emitSlice(a, AT.dustbin, AT.position);
      emitCall(a, 'slice_free');
    },
  },
  {
    name: 'gives the slice to an embryo, and takes it from that',
    dustbin: 'embryo',
    emit: (a) => {
      emitSlice(a, AT.thief, AT.position);
      load(a, AT.number, [T0]);
      emitCall(a, 'slice_give');
      emitSlice(a, AT.dustbin, AT.position);
      emitCall(a, 'slice_free');
    },
  },
  {
    name: 'exchanges it for that of a sleeper, which is taken anew',
    dustbin: 'sleeps',
    emit: (a) => {
      emitSlice(a, AT.dustbin, AT.dustbins);
      emitCall(a, 'slice_free');
      emitSlice(a, AT.dustbin, AT.dustbins);
      [A0, A1, A2, A3].forEach((r, i) => a.sw(r, AT.filter + 4 * i, ZERO));
      emitSlice(a, AT.thief, AT.position);
      load(a, AT.filter, [T0, T1, T2, T3]);
      emitCall(a, 'slice_swap');
    },
  },
];

/** The family: a manager without slices that is entered anew each time, a thief that overruns by so many quanta, a dustbin. */
function family(quanta: number, way: Way): RawImage {
  const image = rawImage({
    name: 'manager',
    emit: (a) => {
      a.label('thief.go');
      a.addiu(S0, S0, 1);
      a.b('thief.go');
      a.nop();
      a.label('thief.end');
      spin(a, 'thief.spin', Math.max(1, quanta * QUANTUM));
      if (quanta > 0 && !way.name.startsWith('gives')) {
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        load(a, AT.position, [T0]);
        emitCall(a, 'slice_alloc');
        emitCall(a, 'slice_free');
      }
      a.label('leaves');
      a.li(A0, -1);
      emitCall(a, 'yield');
      a.b('leaves');
      a.nop();
      a.label('sleeps');
      a.move(A0, ZERO);
      emitCall(a, 'sleep');
      a.b('sleeps');
      a.nop();
      a.label('manager.go');
      way.emit(a);
      emitSlice(a, AT.thief, AT.position);
      a.b('leaves');
      a.nop();
    },
    main: function* (raw) {
      const make = function* (labels: readonly [string, string], words: ReadonlyMap<number, number>, starts = true) {
        const child = yield* raw.call('env_alloc');
        if (!starts) return child;
        const frame = yield* raw.frame();
        expect(yield* raw.bind(WINDOW, frame)).toBe(0);
        for (const [at, word] of words) yield* raw.fibers.store(WINDOW + (at - 0x1000), word);
        yield* raw.code('tlbvad', WINDOW);
        expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, 0x1003)).toBe(0);
        for (let i = 0; i < 2; i += 1) {
          const of = yield* raw.segment(i);
          expect(yield* raw.code('env_map', ...child.capability, ...of, 0x2000 + 0x1000 * i)).toBe(0);
        }
        for (const [field, value] of [
          [ENV.prologue, address(image.runtime, labels[0])],
          [ENV.epilogue, address(image.runtime, labels[1])],
          [ENV.status, ENV_STATUS.runnable],
        ] as const) {
          expect(yield* raw.code('env_set', ...child.capability, field, value)).toBe(0);
        }
        return child;
      };
      const bytes = encodeFilter(etherType(0x1234));
      const frame = yield* raw.frame();
      yield* raw.fill(frame, bytes);
      const ring = yield* makeRing(raw, false, 1);
      const thief = yield* make(['thief.go', 'thief.end'], new Map([[AT.position, OF_THIEF]]));
      const words = new Map<number, number>([
        [AT.length, bytes.length],
        [AT.policy, POLICIES.specific],
        [AT.position, OF_THIEF],
        [AT.dustbins, OF_DUSTBIN],
      ]);
      const know = (at: number, capability: readonly number[]): void => {
        capability.forEach((word, i) => words.set(at + 4 * i, word));
      };
      know(AT.frame, frame.capability);
      know(AT.ring, ring.capability);
      know(AT.thief, thief.capability);
      if (way.dustbin !== 'none') {
        const go = way.dustbin === 'spins' ? 'thief.go' : 'sleeps';
        const dustbin = yield* make([go, 'leaves'], new Map(), way.dustbin !== 'embryo');
        expect(yield* raw.code('slice_alloc', ...dustbin.capability, OF_DUSTBIN)).toBe(0);
        know(AT.dustbin, dustbin.capability);
        words.set(AT.number, dustbin.value);
        yield* raw.sleep(20);
      }
      const manager = yield* make(['manager.go', 'leaves'], words);
      expect(yield* raw.code('slice_alloc', ...thief.capability, OF_THIEF)).toBe(0);
      for (;;) yield* raw.routine('kit.yield', manager.value);
    },
  });
  return image;
}

test.each([0, 7].flatMap((quanta) => WAYS.map((way) => [quanta, way.name, way] as const)))(
  'who overruns by %i quanta and %s has no more than its slices are worth',
  (quanta, _name, way) => {
    const booted = boot([family(quanta, way), bystander()]);
    const { aegis, machine } = booted;
    const watch = new BystanderWatch(aegis, 1);
    const run = (seconds: number): void => {
      booted.runUntil(() => {
        watch.look();
        return false;
      }, seconds);
    };
    run(1);
    const [before, from] = [aegis.environment(1).cycles, machine.cycles];
    run(12);
    expect(machine.native.lastError).toBeUndefined();
    expect(checkInvariants(aegis)).toEqual([]);
    expect(watch.damage()).toEqual([]);
    // What the slices of the family are worth that do not sleep, the manager's too.
    const part = way.dustbin === 'spins' ? 1 / 4 : 1 / 3;
    expect((aegis.environment(1).cycles - before) / (machine.cycles - from)).toBeGreaterThan(0.95 * part);
  },
);
