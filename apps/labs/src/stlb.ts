/**
 * The STLB lab: what an access costs by the number of pages that a program goes round in. [SOSP95 §5.4]
 *
 * A program reads a word of each of its pages in turn. All pages are bound to one frame, so that the data is in the cache and
 * nothing but translation differs: the TLB has it (64 entries, 8 of them the kernel's), or the STLB (4096), or the
 * program's own handler binds it again.
 */
import { CALLS, ENTRYLO, EXCEPTIONS } from '@exokernel/abi';
import type { EnvironmentInfo } from '@exokernel/aegis';
import { A0, A1, A2, A3, S0, S1, S2, S3, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { UKIT, resumeLabel } from '@exokernel/libos-kit';
import { bare, emitCall, type Bare } from './bare.ts';
import { Bench, noNatives, type Sample } from './bench.ts';
import type { Claim, Lab, Row, Section } from './lab.ts';
import type { Model } from './models.ts';
import { microseconds, title } from './units.ts';

/** Numbers of pages. The last is more than the STLB has entries. */
const PAGES = { full: [8, 16, 32, 48, 64, 96, 128, 256, 512, 1024, 2048, 3072, 6144, 8192], short: [8, 48, 512, 8192] };
const REGION = 0x10000000;
const TLB_USABLE = 56;
const STLB_ENTRIES = 4096;
/** What the handler saves, and what it binds: in the u-page. */
const SAVE = UKIT.libos;
const FRAME = UKIT.segments + 16 * 6;
const WIDTH = 50;
const ACCESSES = 4096;

interface Point {
  readonly pages: number;
  readonly sample: Sample;
  /** Per access. */
  readonly cycles: number;
  readonly refills: number;
  readonly upcalls: number;
}

export const stlbLab: Lab = (models, effort, progress) => {
  const measured = models.map((model) => ({
    model,
    points: PAGES[effort].map((pages) => {
      progress(`${pages} pages on ${model}`);
      return measure(model, pages);
    }),
  }));
  return {
    lab: 'stlb',
    sections: measured.map(({ model, points }) => show(model, points)),
    claims: [
      ...claims(measured.flatMap(({ points }) => points.map((point) => ({ ...point, base: points[0]?.cycles ?? 0 })))),
      noNatives(measured.flatMap(({ points }) => points.map(({ sample }) => sample))),
    ],
  };
};

function measure(model: Model, pages: number): Point {
  const program = walker(pages);
  const bench = new Bench(model, [program.image]);
  const from = { env: 0, pc: program.at('begin') };
  const to = { env: 0, pc: program.at('end') };
  bench.between(from, to, 10);
  const seen: EnvironmentInfo[] = [];
  const sample = bench.between(from, to, 10, () => seen.push(bench.aegis.environment(0)));
  const per = (count: (info: EnvironmentInfo) => number): number =>
    seen.length < 2 ? NaN : (Math.max(...seen.map(count)) - Math.min(...seen.map(count))) / accesses(pages);
  return {
    pages,
    sample,
    cycles: sample.cycles / accesses(pages),
    refills: per((info) => info.stlbHits),
    upcalls: per((info) => info.tlbUpcalls),
  };
}

/** Rounds in a sample: enough for what is around them not to count. */
function rounds(pages: number): number {
  return Math.ceil(ACCESSES / pages);
}

function accesses(pages: number): number {
  return pages * rounds(pages);
}

/** Goes round in `pages` pages for ever. */
function walker(pages: number): Bare {
  return bare({
    name: 'walker',
    resumes: [EXCEPTIONS.tlbl],
    handlers: { tlbl: 'fault' },
    emit: (a) => {
      a.label('main');
      a.li(S0, REGION);
      a.li(S1, REGION + 4096 * pages);
      a.li(S3, rounds(pages));
      a.li(V0, CALLS.null.number);
      a.label('begin');
      a.syscall(0);
      a.label('round');
      a.move(S2, S0);
      a.addiu(S3, S3, -1);
      a.label('next');
      a.lw(ZERO, 0, S2);
      a.addiu(S2, S2, 0x1000);
      // Five instructions an access: Random counts them down from 63 to 8, and four would meet every fourth entry only.
      a.nop();
      a.bne(S2, S1, 'next');
      a.nop();
      a.bnez(S3, 'round');
      a.nop();
      a.li(V0, CALLS.null.number);
      a.label('end');
      a.syscall(0);
      a.j('main');
      a.nop();
      emitFault(a);
    },
  });
}

/** t0 = EPC, t1 = the address: binds the page to the one frame, for reading. */
function emitFault(a: Assembler): void {
  const saved = [V0, V1, A0, A1, A2, A3];
  a.label('fault');
  a.sw(T0, UKIT.epc + 4 * EXCEPTIONS.tlbl, ZERO);
  saved.forEach((r, i) => {
    a.sw(r, SAVE + 4 * i, ZERO);
  });
  a.lw(A1, FRAME + 4, ZERO);
  a.move(A0, T1);
  a.sll(A1, A1, 12);
  a.ori(A1, A1, ENTRYLO.valid);
  a.lw(A2, FRAME + 8, ZERO);
  a.lw(A3, FRAME + 12, ZERO);
  emitCall(a, 'tlbwr');
  saved.forEach((r, i) => {
    a.lw(r, SAVE + 4 * i, ZERO);
  });
  a.j(resumeLabel(EXCEPTIONS.tlbl));
  a.nop();
}

function show(model: Model, points: readonly Point[]): Section {
  const base = points[0]?.cycles ?? 0;
  const most = Math.max(...points.map(({ cycles }) => cycles));
  const rows = points.map(({ pages, sample, cycles, refills, upcalls }): Row => {
    const misses = `${refills.toFixed(2)} refills, ${upcalls.toFixed(2)} upcalls, ${(cycles - base).toFixed(1)} cycles more`;
    return {
      what: `an access in turn to ${pages} pages`,
      unit: 'µs',
      measured: microseconds(model, cycles),
      cycles,
      instructions: sample.instructions / accesses(pages),
      note: misses,
    };
  });
  const plot = points.map(
    ({ pages, cycles }) => `${String(pages).padStart(6)} pages |${'#'.repeat(Math.ceil((WIDTH * cycles) / most))}`,
  );
  return { title: title(model), rows, plot };
}

function claims(points: readonly (Point & { readonly base: number })[]): Claim[] {
  const inTlb = points.filter(({ pages }) => pages <= 48);
  // Random replacement keeps some pages of a round that is little larger than the TLB.
  const inStlb = points.filter(({ pages }) => pages >= 8 * TLB_USABLE && pages < STLB_ENTRIES);
  const beyond = points.filter(({ pages }) => pages >= 2 * STLB_ENTRIES);
  return [
    {
      text: 'a working set that the TLB holds costs nothing (less than a cycle an access)',
      holds: inTlb.every(({ cycles, base }) => cycles - base < 1),
    },
    {
      text: 'one that the STLB holds costs its 19 instructions an access, and no more than 30 cycles with stalls',
      holds: inStlb.every(({ cycles, base, upcalls }) => cycles - base > 15 && cycles - base <= 30 && upcalls < 0.05),
    },
    {
      text: "one beyond it costs the program's handler (more than 100 cycles an access)",
      holds: beyond.every(({ cycles, base, upcalls }) => upcalls > 0.9 && cycles - base > 100),
    },
  ];
}
