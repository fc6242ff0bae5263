/**
 * The calibration lab: do the timing profiles take as long as the machines they are named for?
 *
 * Its claim is the null procedure call, which the papers give of all three machines as the measure of all else. Bandwidths
 * stand beside what was published of the nearest machine; what memory takes when the cache does not have a word is where
 * the profiles have it from, so that row says whether the model does what was put into it.
 */
import { PROFILES } from '@exokernel/hardware';
import { copy, nullCalls, sum } from './programs.ts';
import { measure } from './region.ts';
import type { Claim, Lab, Result, Row, Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';

/** How much is done; the numbers barely depend on it. */
export interface Amount {
  readonly repetitions: number;
  readonly calls: number;
  readonly largeBytes: number;
}

const FULL: Amount = { repetitions: 7, calls: 1000, largeBytes: 1024 * 1024 };
export const SHORT: Amount = { repetitions: 3, calls: 100, largeBytes: 128 * 1024 };

/** The largest difference from the published null procedure call for which the claim holds. */
const TOLERANCE = 0.25;
const SMALL = 4096;

/** Null procedure call, user mode, in µs [SOSP95 T4]. */
const NULL_CALL: Readonly<Record<Model, number>> = { dec2100: 0.57, dec3100: 0.42, dec5000: 0.28 };
/** Copy and checksum: data not in the cache less data in it, in µs [VCODE96 T4]. */
const UNCACHED: Readonly<Partial<Record<Model, number>>> = { dec3100: 1630 - 1290, dec5000: 812 - 656 };
/** MB/s of one copy and of two, the second of which finds its data in the cache [ASH96 T4]. */
const COPY_ONCE = 20;
const COPY_TWICE = 14;
const COPY_MACHINE = '5000/240 at 40 MHz';

export const calibrationLab: Lab = (models, effort) => calibrate(models, effort === 'full' ? FULL : SHORT);

/** Measures these models. */
export function calibrate(models: readonly Model[], effort: Amount): Result {
  const sections: Section[] = [];
  const ratios: string[] = [];
  let holds = true;
  for (const model of models) {
    const call = nullCall(model, effort);
    const ratio = call.measured / NULL_CALL[model];
    holds &&= Math.abs(ratio - 1) <= TOLERANCE;
    ratios.push(`${model} ${ratio.toFixed(2)}`);
    sections.push({ title: title(model), rows: [call, ...memory(model, effort)] });
  }
  const claim: Claim = {
    text: `a null procedure call takes what was published, within ${100 * TOLERANCE} % (${ratios.join(', ')})`,
    holds,
  };
  return { lab: 'calibration', sections, claims: [claim] };
}

function nullCall(model: Model, { calls, repetitions }: Amount): Row {
  const cycles = measure(model, nullCalls(calls), repetitions) / calls;
  const measured = (1e6 * cycles) / PROFILES[model].hz;
  return { what: 'null procedure call', unit: 'µs', measured, published: NULL_CALL[model], source: '[SOSP95 T4]' };
}

function memory(model: Model, { largeBytes, repetitions }: Amount): Row[] {
  const { hz } = PROFILES[model];
  const bandwidth = (bytes: number, cached: boolean): number =>
    (bytes * hz) / measure(model, copy(bytes, cached), repetitions) / 1e6;
  const wait = measure(model, sum(SMALL, false), repetitions) - measure(model, sum(SMALL, true), repetitions);
  const beside = model === 'dec5000' ? { on: COPY_MACHINE, source: '[ASH96 T4]' } : undefined;
  const published = UNCACHED[model];
  return [
    { what: `copy ${largeBytes / 1024} KB`, unit: 'MB/s', measured: bandwidth(largeBytes, false) },
    {
      what: 'copy 4 KB that are not cached',
      unit: 'MB/s',
      measured: bandwidth(SMALL, false),
      ...(beside && { ...beside, published: COPY_ONCE }),
    },
    {
      what: 'copy 4 KB that are cached',
      unit: 'MB/s',
      measured: bandwidth(SMALL, true),
      ...(beside && { ...beside, published: 1 / (1 / COPY_TWICE - 1 / COPY_ONCE) }),
    },
    {
      what: 'reading 4 KB takes longer when they are not cached',
      unit: 'µs',
      measured: (1e6 * wait) / hz,
      ...(published !== undefined && { published, source: '[VCODE96 T4]' }),
    },
  ];
}
