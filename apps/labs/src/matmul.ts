/**
 * The matrix lab: 150 × 150 integers multiplied on ExOS, every page paged in on demand. [SOSP95 T9]
 *
 * From when the program is dispatched first until it ends. The region contains native code and says so: ExOS asks the kernel
 * for a frame for each page that is touched first.
 */
import { CALLS, DEATHS } from '@exokernel/abi';
import { matmul, matmulResult } from '@exokernel/demos';
import { exos } from '@exokernel/exos';
import { EVENT_KINDS, PROFILES } from '@exokernel/hardware';
import { compose } from '@exokernel/libos-kit';
import { Bench } from './bench.ts';
import { notSlower, type Lab, type Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';
import { published } from './published.ts';

const ROWS = 150;
const USER = 2;

export const matmulLab: Lab = (models, _effort, progress) => {
  const measured = models.map((model) => {
    progress(`on ${model}`);
    return measure(model);
  });
  const sections = measured.map(({ section }) => section);
  const right = { text: 'the product is right', holds: measured.every(({ holds }) => holds) };
  return { lab: 'matmul', sections, claims: [notSlower(sections), right] };
};

function measure(model: Model): { section: Section; holds: boolean } {
  const bench = new Bench(model, [compose(exos, matmul(ROWS))]);
  const { machine, aegis } = bench;
  let [first, last, natives, charged] = [-1, -1, 0, 0];
  machine.listen((kind, cycle, a, b, c) => {
    if (kind === EVENT_KINDS.return.kind && first < 0 && (a & USER) !== 0) first = cycle;
    if (kind !== EVENT_KINDS.native.kind || b >= 0 || first < 0 || last >= 0) return;
    natives += 1;
    charged += c;
    if (a === CALLS.env_free.number) last = cycle;
  });
  // Its end takes several calls; the region ends with the first.
  bench.until(() => aegis.environment(0).status === 'dead', 30);
  const { death, exit, stlbHits, tlbUpcalls } = aegis.environment(0);
  const cycles = last - first;
  const rows = [
    {
      what: `${ROWS} × ${ROWS} integers`,
      unit: 's',
      measured: cycles / PROFILES[model].hz,
      cycles,
      ...published('matrix multiplication', model),
    },
    { what: 'TLB misses that the STLB answers', unit: 'misses', measured: stlbHits },
    { what: 'TLB misses that ExOS answers', unit: 'misses', measured: tlbUpcalls },
    { what: `the share of ${natives} calls of native code`, unit: '%', measured: (100 * charged) / cycles },
  ];
  return {
    section: { title: title(model), rows },
    holds: death === DEATHS.exit && exit === matmulResult(ROWS),
  };
}
