/**
 * The labs of interprocess communication on ExOS: pipe, pipe', shared memory, local RPC, and RPC with a trusted server.
 * [SOSP95 T8, T12]
 *
 * Two processes hand a counter back and forth; the latency is half a round trip. A call is measured whole.
 */
import { Bench, noNatives, timed, type Sample } from './bench.ts';
import { notSlower, type Effort, type Lab, type Progress, type Result, type Row } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';
import { published } from './published.ts';
import { talkers, type Mechanism } from './talkers.ts';

export const ipcLab: Lab = (models, effort, progress) =>
  measureAll('ipc', ['pipe', "pipe'", 'shm', 'lrpc'], models, effort, progress);

export const trustedLrpcLab: Lab = (models, effort, progress) => {
  const result = measureAll('trusted-lrpc', ['lrpc', 'trusted lrpc'], models, effort, progress);
  const cheaper = result.sections.every(({ rows: [lrpc, trusted] }) => (trusted?.cycles ?? 0) < (lrpc?.cycles ?? 0));
  return { ...result, claims: [...result.claims, { text: 'trust makes a call cheaper', holds: cheaper }] };
};

function measureAll(
  lab: string,
  mechanisms: readonly Mechanism[],
  models: readonly Model[],
  effort: Effort,
  progress: Progress,
): Result {
  const samples: Sample[] = [];
  const sections = models.map((model) => {
    const rows: Row[] = mechanisms.map((mechanism) => {
      progress(`${mechanism} on ${model}`);
      const { sample, ways } = measure(model, mechanism, effort);
      samples.push(sample);
      return timed(model, mechanism, sample, published(mechanism, model), ways);
    });
    return { title: title(model), rows };
  });
  return { lab, sections, claims: [notSlower(sections), noNatives(samples)] };
}

/** A sample, and how many ways it is: two for a round trip, one for a call. */
function measure(model: Model, mechanism: Mechanism, effort: Effort): { sample: Sample; ways: number } {
  const { image, from, to } = talkers(mechanism);
  const bench = new Bench(model, [image]);
  bench.settle(0.15);
  const sample = bench.measure({ env: 0, pc: from }, { env: 0, pc: to }, effort === 'full' ? 101 : 3);
  return { sample, ways: from === to ? 2 : 1 };
}
