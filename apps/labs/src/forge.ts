/**
 * The forging lab: attacks on capabilities beside a victim, whose memory and whose share of the processor must not change.
 * [SOSP95 §3.1]
 */
import { ENV, FRAME, PAGE_BYTES, type CapabilityWords, type Image } from '@exokernel/abi';
import { S0, T0, T1, ZERO } from '@exokernel/isa';
import { KIT_TEXT, PAGE_TABLE, PAGE_TABLE_BYTES } from '@exokernel/libos-kit';
import { attack, type Outcome } from './attacks.ts';
import { bare } from './bare.ts';
import { Bench } from './bench.ts';
import type { Lab, Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';

const VICTIM = 0;
const ATTACKER = 1;
const GUESSES = { full: 20_000, short: 500 };
/** The other machine's secret. */
const OTHER = Uint8Array.of(1, 2, 3);
/** How far the victim's share may be from a half: a slice at either end. */
const SHARE_ERROR = 0.03;

export const forgeLab: Lab = (models, effort, progress) => {
  const runs = models.map((model) => {
    progress(`on ${model}`);
    return run(model, GUESSES[effort]);
  });
  const every = (holds: (one: Run) => boolean): boolean => runs.every(holds);
  return {
    lab: 'forge',
    sections: runs.map(show),
    claims: [
      {
        text: 'every attack is refused',
        holds: every((r) => r.outcomes.every((o) => o.attempts > 0 && o.accepted === 0)),
      },
      {
        text: 'what is genuine is accepted',
        holds: every(({ genuine }) => genuine.attempts > 0 && genuine.attempts === genuine.accepted),
      },
      { text: "not a byte of the victim's memory has changed", holds: every((r) => r.hash === r.hashAfter) },
      {
        text: `the victim has its half of the slices (${runs.map((r) => r.share.toFixed(3)).join(', ')})`,
        holds: every((r) => Math.abs(r.share - 0.5) <= SHARE_ERROR),
      },
    ],
  };
};

interface Run {
  readonly model: Model;
  readonly outcomes: readonly Outcome[];
  readonly genuine: Outcome;
  readonly hash: number;
  readonly hashAfter: number;
  readonly share: number;
}

function run(model: Model, guesses: number): Run {
  const outcomes: Outcome[] = [];
  const genuine: Outcome = { name: 'what is its own', attempts: 0, accepted: 0 };
  const victim = bare({
    name: 'victim',
    emit: (a) => {
      // Fills its page table's pages with numbers, and reads them for ever.
      a.label('main');
      a.li(S0, PAGE_TABLE);
      a.li(T1, PAGE_TABLE + PAGE_TABLE_BYTES);
      a.label('fill');
      a.sw(S0, 0, S0);
      a.addiu(S0, S0, 4);
      a.bne(S0, T1, 'fill');
      a.nop();
      a.label('read');
      a.li(S0, KIT_TEXT);
      a.label('read.next');
      a.lw(T0, 0, S0);
      a.addiu(S0, S0, 4);
      a.bne(S0, T1, 'read.next');
      a.move(ZERO, T0);
      a.b('read');
      a.nop();
    },
  });
  const foreign = fromAnotherMachine(model, victim.image);
  let frames: readonly number[] = [];
  let done = false;
  const attacker = bare({
    name: 'attacker',
    fiber: function* (fibers) {
      yield* attack(fibers, { frames, foreign, guesses }, outcomes, genuine);
      done = true;
      return 0;
    },
    emit: (a) => {
      a.label('main');
      a.b('main');
      a.nop();
    },
  });
  const bench = new Bench(model, [victim.image]);
  bench.settle(0.05);
  // Of the victim all but its u-page, where it saves its registers.
  const { memory } = bench.aegis.parts;
  const uPage = (memory.env(VICTIM, ENV.uPage) & 0x1fffffff) >>> 12;
  frames = Array.from({ length: bench.aegis.parts.frames.count }, (_, ppn) => ppn).filter(
    (ppn) => memory.frame(ppn, FRAME.owner) === VICTIM && ppn !== uPage,
  );
  const hash = hashOf(bench, frames);
  bench.aegis.load(attacker.image);
  const before = [VICTIM, ATTACKER].map((env) => bench.record(env, ENV.slices));
  bench.until(() => done, 600);
  // As many slices again for both, so that the ends do not count.
  bench.settle(1);
  const [mine = 0, theirs = 0] = [VICTIM, ATTACKER].map((env, i) => bench.record(env, ENV.slices) - (before[i] ?? 0));
  return { model, outcomes, genuine, hash, hashAfter: hashOf(bench, frames), share: mine / (mine + theirs) };
}

/** FNV-1a of the words of these frames. */
function hashOf(bench: Bench, frames: readonly number[]): number {
  const { memory } = bench.machine;
  let hash = 0x811c9dc5;
  for (const ppn of frames) {
    const words = new Int32Array(memory.read(ppn * PAGE_BYTES, new Uint8Array(PAGE_BYTES)).buffer);
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
  }
  return hash;
}

/** What a machine with another secret has made for its frames, by number: those of an image like the victim's. */
function fromAnotherMachine(model: Model, victim: Image): (ppn: number) => CapabilityWords | undefined {
  const { frames, memory } = new Bench(model, [victim], { secret: OTHER }).aegis.parts;
  return (ppn) => (memory.frame(ppn, FRAME.owner) === VICTIM ? frames.capability(ppn) : undefined);
}

function show({ model, outcomes, genuine }: Run): Section {
  const rows = [...outcomes, genuine].map((outcome) => ({
    what: outcome.name,
    unit: 'accepted',
    measured: outcome.accepted,
    note: `of ${outcome.attempts} attempts`,
  }));
  return { title: title(model), rows };
}
