/**
 * The stride lab: a scheduler in an application. One environment owns every slice and hands each on by a directed yield to one
 * of three others, which own none, in proportion 3:2:1. [SOSP95 §7.3, fig 3]
 *
 * Stride scheduling: who has run least for its tickets is next. The kernel knows nothing of tickets; what each got is
 * counted from outside.
 */
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, S0, S1, S2, T0, T1, type Assembler, type Register } from '@exokernel/isa';
import { bare } from './bare.ts';
import { Bench } from './bench.ts';
import type { Lab, Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';

/** Tickets of environments 1, 2 and 3, and their strides: the least common multiple over the tickets. */
const TICKETS = [3, 2, 1] as const;
const ALL = TICKETS.reduce((sum, n) => sum + n, 0);
const STRIDES = TICKETS.map((tickets) => 6 / tickets);
const PASSES: readonly Register[] = [S0, S1, S2];
const USER = 2;
const QUANTA = { full: 300, short: 60 };
/** Lines of the plot, and its columns. */
const LINES = 10;
const COLUMNS = 50;

export const strideLab: Lab = (models, effort, progress) => {
  const runs = models.map((model) => {
    progress(`on ${model}`);
    return { model, turns: schedule(model, QUANTA[effort]) };
  });
  const worst = Math.max(...runs.flatMap(({ turns }) => turns.map((_, i) => error(turns.slice(0, i + 1)))));
  return {
    lab: 'stride',
    sections: runs.map(({ model, turns }) => show(model, turns)),
    claims: [
      {
        text: `no environment is ever more than one quantum off its ideal share (at most ${worst.toFixed(2)})`,
        holds: worst <= 1,
      },
    ],
  };
};

/** Who ran, quantum by quantum: 0, 1 or 2. */
function schedule(model: Model, quanta: number): number[] {
  const scheduler = bare({
    name: 'scheduler',
    emit: (a) => {
      a.label('main');
      PASSES.forEach((pass, i) => {
        a.li(pass, STRIDES[i] ?? 0);
      });
      a.label('next');
      emitChoice(a);
      a.label('give');
      a.bal('kit.yield');
      a.nop();
      a.b('next');
      a.nop();
    },
  });
  const worker = (i: number): ReturnType<typeof bare> =>
    bare({
      name: `worker ${i}`,
      placement: { slices: 0 },
      emit: (a) => {
        a.label('main');
        a.b('main');
        a.nop();
      },
    });
  const bench = new Bench(model, [scheduler.image, ...TICKETS.map((_, i) => worker(i).image)]);
  const turns: number[] = [];
  let running = -1;
  bench.machine.listen((kind, _cycle, status) => {
    if (kind !== EVENT_KINDS.return.kind || (status & USER) === 0) return;
    const { current } = bench;
    if (current !== running && current > 0) turns.push(current - 1);
    running = current;
  });
  bench.until(() => turns.length >= quanta, quanta / 32 + 1);
  return turns.slice(0, quanta);
}

/** Emits a0 = the environment with the least pass, whose pass grows by its stride. Who comes first wins a tie. */
function emitChoice(a: Assembler): void {
  a.move(T0, PASSES[0] ?? S0);
  a.li(A0, 1);
  PASSES.slice(1).forEach((pass, i) => {
    const kept = a.fresh('kept');
    a.sltu(T1, pass, T0);
    a.beqz(T1, kept);
    a.nop();
    a.move(T0, pass);
    a.li(A0, i + 2);
    a.label(kept);
  });
  PASSES.forEach((pass, i) => {
    const other = a.fresh('other');
    a.li(T1, i + 1);
    a.bne(A0, T1, other);
    a.nop();
    a.addiu(pass, pass, STRIDES[i] ?? 0);
    a.label(other);
  });
}

function counts(turns: readonly number[]): number[] {
  return TICKETS.map((_, i) => turns.filter((turn) => turn === i).length);
}

/** The largest distance from an ideal share, in quanta. */
function error(turns: readonly number[]): number {
  return Math.max(...counts(turns).map((count, i) => Math.abs(count - (turns.length * (TICKETS[i] ?? 0)) / ALL)));
}

function show(model: Model, turns: readonly number[]): Section {
  const got = counts(turns);
  const rows = TICKETS.map((tickets, i) => ({
    what: `slices of the one with ${tickets} of ${ALL} tickets, of ${turns.length}`,
    unit: 'slices',
    measured: got[i] ?? 0,
    note: `ideal ${((turns.length * tickets) / ALL).toFixed(1)}`,
  }));
  const plot = ['after  slices so far (each line: 3, 2, 1 tickets; | is the ideal)'];
  const most = (turns.length * Math.max(...TICKETS)) / ALL;
  for (let line = 1; line <= LINES; line += 1) {
    const after = Math.floor((turns.length * line) / LINES);
    counts(turns.slice(0, after)).forEach((count, i) => {
      const ideal = Math.round((COLUMNS * after * (TICKETS[i] ?? 0)) / ALL / most);
      const bar = '#'.repeat(Math.round((COLUMNS * count) / most)).padEnd(COLUMNS + 1);
      plot.push(
        `${i === 0 ? String(after).padStart(5) : '     '}  ${bar.slice(0, ideal)}|${bar.slice(ideal + 1)} ${count}`,
      );
    });
  }
  return { title: title(model), rows, plot };
}
