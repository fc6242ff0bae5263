/**
 * The revocation lab: three ways to take something back, side by side. [SOSP95 §3.3], [LECTURE]
 *
 * *Transparent*: ASIDs go from one environment to another, and neither is told; the price is paid at the next dispatch. *Notify*: the
 * kernel takes frames of its own choice at once, and tells. *Cooperative*: it asks, and the environment gives up what it can
 * spare. The worker has precious frames and spare ones, and the kernel cannot know which are which. Taking is kernel
 * TypeScript at a declared price, and its rows say so.
 */
import { CALLS, ENV, REVOKE_KINDS, REVOKE_MODES, U, type CapabilityWords } from '@exokernel/abi';
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, A1, A2, A3, S0, S1, S2, ZERO, type Assembler } from '@exokernel/isa';
import { UKIT, U_PAGE, loadCapability, type Fiber, type Fibers } from '@exokernel/libos-kit';
import { bare, emitCall } from './bare.ts';
import { Bench, type Sample } from './bench.ts';
import type { Claim, Lab, Row, Section } from './lab.ts';
import type { Model } from './models.ts';
import { microseconds, title } from './units.ts';

const WORKER = 0;
const FRAMES = 8;
const TAKEN = 4;
/** The worker's spare frames: capabilities in its u-page, and how many of them it has given up. */
const SPARE = UKIT.libos;
const GIVEN = UKIT.libos + 16 * FRAMES;
/** Environments for whom there are ASIDs enough, and for whom there are not: the processor has 63. */
const CROWDS = { few: 8, many: 80 };
const ROUNDS = 4;

type Mode = keyof typeof REVOKE_MODES;

interface Taken {
  readonly mode: Mode;
  /** From the call of `revoke` until the worker has the frames no more. */
  readonly cycles: number;
  readonly taken: number;
  readonly preciousLost: number;
}

export const revokeLab: Lab = (models, _effort, progress) => {
  const runs = models.map((model) => {
    progress(`on ${model}`);
    return {
      model,
      switches: { few: dispatch(model, CROWDS.few), many: dispatch(model, CROWDS.many) },
      modes: (['cooperative', 'notify'] as const).map((mode) => revoke(model, mode)),
    };
  });
  return { lab: 'revoke', sections: runs.map(show), claims: claims(runs) };
};

interface Run {
  readonly model: Model;
  readonly switches: Readonly<Record<keyof typeof CROWDS, Switches>>;
  readonly modes: readonly Taken[];
}

/** Turns of environments: given the processor, one counts, and gives it back. */
interface Switches {
  readonly sample: Sample;
  /** Every one of them found its registers and its memory as they were. */
  readonly unnoticed: boolean;
}

/** A ring of `count` environments to which one yields in turn; each counts its turns in a register and in memory. */
function dispatch(model: Model, count: number): Switches {
  const giver = bare({
    name: 'giver',
    emit: (a) => {
      a.label('main');
      a.li(S0, 1);
      a.label('give');
      a.bal('kit.yield');
      a.move(A0, S0);
      a.label('given');
      a.addiu(S0, S0, 1);
      a.sltiu(S1, S0, count + 1);
      a.bnez(S1, 'give');
      a.nop();
      a.j('main');
      a.nop();
    },
  });
  const taker = bare({
    name: 'taker',
    placement: { slices: 0 },
    emit: (a) => {
      a.label('main');
      a.addiu(S0, S0, 1);
      a.lw(S1, SPARE, ZERO);
      a.nop();
      a.addiu(S1, S1, 1);
      a.sw(S1, SPARE, ZERO);
      a.bne(S0, S1, 'lost');
      a.nop();
      a.bal('kit.yield');
      a.li(A0, 0);
      a.j('main');
      a.nop();
      a.label('lost');
      a.break(0);
    },
  });
  const bench = new Bench(model, [giver.image, ...Array.from({ length: count }, () => taker.image)]);
  bench.settle(0.1);
  const samples = bench.samples({ env: 0, pc: giver.at('give') }, { env: 0, pc: giver.at('given') }, ROUNDS * count);
  const lives = Array.from({ length: count }, (_, i) => bench.record(i + 1, ENV.death) === 0);
  const sample = samples.sort((x, y) => x.cycles - y.cycles)[samples.length >> 1];
  if (sample === undefined) throw new RangeError('no samples');
  return { sample, unnoticed: lives.every(Boolean) };
}

function revoke(model: Model, mode: Mode): Taken {
  const precious: number[] = [];
  let self: CapabilityWords | undefined;
  let asked = -1;
  const worker = bare({
    name: 'worker',
    handlers: { interrupt: 'asked' },
    fiber: function* (fibers) {
      for (let i = 0; i < FRAMES; i += 1) precious.push((yield* allocate(fibers))[1]);
      for (let i = 0; i < FRAMES; i += 1) {
        for (const [k, word] of (yield* allocate(fibers)).entries()) yield* fibers.store(SPARE + 16 * i + 4 * k, word);
      }
      // Passed on without the kernel.
      self = yield* loadCapability(fibers, UKIT.self);
      return 0;
    },
    emit: emitWorker,
  });
  const manager = bare({
    name: 'manager',
    fiber: function* (fibers) {
      while (self === undefined) yield* fibers.syscall('tick');
      const { cycles } = bench.machine;
      const code = yield* fibers.syscall('revoke', ...self, REVOKE_KINDS.frames, TAKEN, REVOKE_MODES[mode]);
      if (code === 0) asked = cycles;
      return 0;
    },
    emit: (a) => {
      a.label('main');
      a.b('main');
      a.nop();
    },
  });
  const bench: Bench = new Bench(model, [worker.image, manager.image]);
  const { frames } = bench.aegis.parts;
  const held = (): number =>
    Array.from({ length: frames.count }, (_, ppn) => ppn).filter((ppn) => frames.holders(ppn).has(WORKER)).length;
  bench.until(() => self !== undefined, 10);
  const before = held();
  let gone = -1;
  const stop = bench.machine.listen((kind, cycle, a, b) => {
    if (kind !== EVENT_KINDS.native.kind || b >= 0 || gone >= 0) return;
    const takes = a === CALLS.frame_free.number || a === CALLS.revoke.number;
    if (takes && held() <= before - TAKEN) gone = cycle;
  });
  bench.until(() => asked >= 0 && gone >= 0, 10);
  stop();
  bench.settle(0.2);
  return {
    mode,
    cycles: gone - asked,
    taken: before - held(),
    preciousLost: precious.filter((ppn) => !frames.holders(ppn).has(WORKER)).length,
  };
}

function* allocate(fibers: Fibers): Fiber<CapabilityWords> {
  const code = yield* fibers.syscall('frame_alloc', -1);
  if (code !== 0) throw new RangeError(`frame_alloc answers ${code}`);
  return fibers.results('frame_alloc').capability;
}

/** Works; and when it is asked for frames, gives up as many spare ones. */
function emitWorker(a: Assembler): void {
  a.label('main');
  a.b('main');
  a.nop();
  a.label('asked');
  a.lw(S0, U_PAGE + U.revokeFrames, ZERO);
  a.lw(S1, GIVEN, ZERO);
  a.blez(S0, 'asked.done');
  a.nop();
  a.label('asked.next');
  a.sltiu(S2, S1, 16 * FRAMES);
  a.beqz(S2, 'asked.done');
  a.lw(A0, SPARE, S1);
  a.lw(A1, SPARE + 4, S1);
  a.lw(A2, SPARE + 8, S1);
  a.lw(A3, SPARE + 12, S1);
  emitCall(a, 'frame_free');
  a.addiu(S1, S1, 16);
  a.sw(S1, GIVEN, ZERO);
  a.addiu(S0, S0, -1);
  a.bgtz(S0, 'asked.next');
  a.nop();
  a.label('asked.done');
  a.j('kit.prologue');
  a.nop();
}

function show({ model, switches, modes }: Run): Section {
  const transparent = (['few', 'many'] as const).map((crowd): Row => {
    const { cycles, instructions, natives, nativeCycles } = switches[crowd].sample;
    return {
      what: `transparent: a turn of one among ${CROWDS[crowd]} environments`,
      unit: 'µs',
      measured: microseconds(model, cycles),
      cycles,
      instructions,
      note:
        natives === 0
          ? 'no environment loses an ASID'
          : `with ${natives} native step of ${nativeCycles} cycles: an ASID is taken`,
    };
  });
  const others = modes.map(({ mode, cycles, taken, preciousLost }): Row => ({
    what: `${mode}: ${taken} frames are back`,
    unit: 'µs',
    measured: microseconds(model, cycles),
    cycles,
    note: `${preciousLost} precious frames lost; native`,
  }));
  return { title: title(model), rows: [...transparent, ...others] };
}

function claims(runs: readonly Run[]): Claim[] {
  const of = (mode: Mode): Taken[] => runs.flatMap(({ modes }) => modes.filter((taken) => taken.mode === mode));
  return [
    {
      text: 'transparent: who loses an ASID never notices',
      holds: runs.every(({ switches }) => switches.many.unnoticed && switches.many.sample.natives > 0),
    },
    {
      text: 'with ASIDs enough a dispatch contains no native code',
      holds: runs.every(({ switches }) => switches.few.unnoticed && switches.few.sample.natives === 0),
    },
    {
      text: 'cooperative: all that was asked for is back, and nothing precious is lost',
      holds: of('cooperative').every(({ taken, preciousLost }) => taken === TAKEN && preciousLost === 0),
    },
    {
      text: 'notify: as much is back at once, and the kernel took what the worker would have kept',
      holds: of('notify').every(
        ({ taken, preciousLost, cycles }, i) =>
          taken === TAKEN && preciousLost > 0 && cycles < (of('cooperative')[i]?.cycles ?? 0),
      ),
    },
  ];
}
