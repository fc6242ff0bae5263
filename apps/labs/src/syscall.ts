/** The system-call lab: a null procedure call and the null system calls. [SOSP95 T4] */
import { S0, V0, ZERO, type Assembler } from '@exokernel/isa';
import { bare, emitCall } from './bare.ts';
import { otherCalls } from './calls.ts';
import { Bench, noNatives, timed, type Sample } from './bench.ts';
import { notSlower, type Effort, type Lab, type Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';
import { published } from './published.ts';

/** Calls in one measured loop, as [SOSP95] counted its loop. */
const CALLS_IN_LOOP = 16;

export const syscallLab: Lab = (models, effort) => {
  const measured = models.map((model) => measure(model, effort));
  const sections = measured.map(({ section }) => section);
  return {
    lab: 'syscall',
    sections,
    claims: [notSlower(sections), noNatives(measured.flatMap(({ samples }) => samples))],
  };
};

function measure(model: Model, effort: Effort): { section: Section; samples: readonly Sample[] } {
  const count = effort === 'full' ? 101 : 5;
  const program = bare({
    name: 'syscalls',
    emit: (a) => {
      a.label('main');
      emitProcedureCalls(a);
      a.label('null');
      emitCall(a, 'null');
      a.label('stack');
      emitCall(a, 'null_stack');
      a.label('end');
      a.j('main');
      a.nop();
      a.label('procedure');
      a.ret();
      a.nop();
    },
  });
  const bench = new Bench(model, [program.image]);
  bench.settle(0.01);
  const between = (from: string, to: string): Sample =>
    bench.measure({ env: 0, pc: program.at(from) }, { env: 0, pc: program.at(to) }, count);
  const procedure = between('calls', 'calls.end');
  const call = between('null', 'stack');
  const stack = between('stack', 'end');
  const others = otherCalls(model, count);
  return {
    section: {
      title: title(model),
      rows: [
        timed(model, 'null procedure call', procedure, published('null procedure call', model), CALLS_IN_LOOP),
        timed(model, 'null system call, no stack', call, published('null system call, no stack', model)),
        timed(model, 'null system call, stack', stack, published('null system call, stack', model)),
        ...others.rows,
      ],
    },
    samples: [procedure, call, stack, ...others.samples],
  };
}

function emitProcedureCalls(a: Assembler): void {
  a.li(S0, CALLS_IN_LOOP);
  a.label('calls');
  a.jal('procedure');
  a.nop();
  a.addiu(S0, S0, -1);
  a.bnez(S0, 'calls');
  a.nop();
  a.label('calls.end');
  a.move(V0, ZERO);
}
