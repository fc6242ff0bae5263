/**
 * The transfer lab: one way of a synchronous protected control transfer, there and back. [SOSP95 T6]
 *
 * From the instruction that loads the call's number to the first instruction of the callee's entry. L3's figure is its
 * unidirectional call on a 486, scaled by the paper to the clock of the 5000.
 */
import { S0, V1 } from '@exokernel/isa';
import { bare, emitCall } from './bare.ts';
import { Bench, noNatives, timed, type Sample } from './bench.ts';
import { notSlower, type Effort, type Lab, type Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';
import { published } from './published.ts';

const CLIENT = 0;
const SERVER = 1;

export const pctLab: Lab = (models, effort) => {
  const measured = models.map((model) => measure(model, effort));
  const sections = measured.map(({ section }) => section);
  return {
    lab: 'pct',
    sections,
    claims: [notSlower(sections), noNatives(measured.flatMap(({ samples }) => samples))],
  };
};

function measure(model: Model, effort: Effort): { section: Section; samples: readonly Sample[] } {
  const count = effort === 'full' ? 101 : 5;
  const client = bare({
    name: 'client',
    syncEntry: 'reply',
    emit: (a) => {
      a.label('main');
      a.label('reply');
      a.li(V1, SERVER);
      a.addiu(S0, S0, 1);
      a.label('call');
      emitCall(a, 'scall');
    },
  });
  const server = bare({
    name: 'server',
    syncEntry: 'entry',
    prologue: 'begin',
    emit: (a) => {
      a.label('main');
      a.label('idle');
      a.b('idle');
      a.nop();
      // v1 is the caller.
      a.label('entry');
      a.addiu(S0, S0, 1);
      a.label('return');
      emitCall(a, 'scall');
      // v1 is the owner of the slice that begins: the client's, if an end of slice has cut off a call. It goes back.
      a.label('begin');
      a.beqz(V1, 'return');
      a.nop();
      a.j('kit.prologue');
      a.nop();
    },
  });
  const bench = new Bench(model, [client.image, server.image]);
  bench.settle(0.04);
  const there = bench.measure({ env: CLIENT, pc: client.at('call') }, { env: SERVER, pc: server.at('entry') }, count);
  const back = bench.measure({ env: SERVER, pc: server.at('return') }, { env: CLIENT, pc: client.at('reply') }, count);
  return {
    section: {
      title: title(model),
      rows: [
        timed(model, 'the call', there, published('pct', model)),
        timed(model, 'the reply', back, published('pct', model)),
      ],
    },
    samples: [there, back],
  };
}
