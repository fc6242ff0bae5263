/**
 * What was published of Aegis and ExOS, and beside them of Ultrix, on the three machines: µs, but for the matrix
 * multiplication, which is in seconds. In the order 2100, 3100, 5000/125. [SOSP95 T4] to [SOSP95 T13]
 */
import type { Row } from './lab.ts';
import { MODELS, type Model } from './models.ts';

type Cells = readonly [number | undefined, number | undefined, number | undefined];

interface Entry {
  readonly table: string;
  readonly exo: Cells;
  readonly ultrix?: Cells;
  /** L3, scaled by the paper to the 5000's clock. */
  readonly l3?: Cells;
}

const none = undefined;

/* prettier-ignore */
const PUBLISHED: Readonly<Record<string, Entry>> = {
  'null procedure call': { table: 'T4', exo: [0.56, 0.42, 0.28], ultrix: [0.57, 0.42, 0.28] },
  'null system call, no stack': { table: 'T4', exo: [3.2, 2.9, 1.6], ultrix: [32.2, 33.7, 21.3] },
  'null system call, stack': { table: 'T4', exo: [4.7, 3.5, 2.3], ultrix: [32.2, 33.7, 21.3] },
  unalign: { table: 'T5', exo: [2.8, 2.1, 1.5] },
  overflow: { table: 'T5', exo: [2.8, 2.1, 1.5], ultrix: [208, 151, 130] },
  coproc: { table: 'T5', exo: [2.8, 2.1, 1.5] },
  prot: { table: 'T5', exo: [3.0, 2.3, 1.5], ultrix: [238, 177, 154] },
  pct: { table: 'T6', exo: [2.9, 2.2, 1.4], l3: [none, none, 9.3] },
  pipe: { table: 'T8', exo: [30.9, 22.6, 14.2], ultrix: [326, 243, 199] },
  "pipe'": { table: 'T8', exo: [24.8, 18.6, 10.7] },
  shm: { table: 'T8', exo: [12.4, 9.3, 5.7], ultrix: [187, 139, 118] },
  lrpc: { table: 'T8', exo: [13.9, 10.4, 6.3] },
  'matrix multiplication': { table: 'T9', exo: [7.0, 5.2, 3.7], ultrix: [7.1, 5.2, 3.8] },
  dirty: { table: 'T10', exo: [17.5, 13.1, 9.8] },
  prot1: { table: 'T10', exo: [32.5, 24.4, 16.9], ultrix: [51.6, 39, 32] },
  prot100: { table: 'T10', exo: [213, 156, 109], ultrix: [175, 133, 102] },
  unprot100: { table: 'T10', exo: [275, 206, 143], ultrix: [175, 133, 102] },
  trap: { table: 'T10', exo: [13.9, 10.1, 4.8], ultrix: [240, 185, 161] },
  appel1: { table: 'T10', exo: [74.4, 55, 34], ultrix: [383, 302, 262] },
  appel2: { table: 'T10', exo: [45.9, 34, 22], ultrix: [335, 267, 232] },
  'trusted lrpc': { table: 'T12', exo: [8.6, 6.4, 2.9] },
  'dirty, inverted': { table: 'T13', exo: [8.0, 5.9, none] },
  'prot1, inverted': { table: 'T13', exo: [23.1, 17.7, none] },
  'prot100, inverted': { table: 'T13', exo: [253, 189, none] },
  'unprot100, inverted': { table: 'T13', exo: [325, 243, none] },
  'trap, inverted': { table: 'T13', exo: [13.9, 10.1, none] },
  'appel1, inverted': { table: 'T13', exo: [54.4, 40.4, none] },
  'appel2, inverted': { table: 'T13', exo: [38.8, 28.9, none] },
};

/** What a row shows of the publication; nothing where a cell was not published. Throws `RangeError` for no quantity of it. */
export function published(quantity: string, model: Model): Pick<Row, 'published' | 'source' | 'beside' | 'note'> {
  const entry = PUBLISHED[quantity];
  if (entry === undefined) throw new RangeError(`nothing was published of ${quantity}`);
  const cell = (cells: Cells | undefined): number | undefined => cells?.[MODELS.indexOf(model)];
  const exo = cell(entry.exo);
  const ultrix = cell(entry.ultrix);
  const l3 = cell(entry.l3);
  return {
    ...(exo !== undefined && { published: exo, source: `[SOSP95 ${entry.table}]` }),
    ...((ultrix ?? l3) !== undefined && {
      beside: { ...(ultrix !== undefined && { Ultrix: ultrix }), ...(l3 !== undefined && { L3: l3 }) },
    }),
    ...(exo !== undefined && ultrix !== undefined && exo > ultrix && { note: '(the original lost to Ultrix here)' }),
  };
}
