/**
 * The exception lab: from an instruction that is in error to the first instruction of the application's handler. [SOSP95 T5]
 *
 * The kernel saves three registers for the application and jumps to it; the application resumes itself.
 */
import { EXCEPTIONS, type ExceptionName } from '@exokernel/abi';
import { T0, T3, T4, V0, ZERO, type Assembler } from '@exokernel/isa';
import { KIT_TEXT, UKIT, resumeLabel } from '@exokernel/libos-kit';
import { bare } from './bare.ts';
import { Bench, noNatives, timed, type Sample } from './bench.ts';
import { notSlower, type Effort, type Lab, type Section } from './lab.ts';
import type { Model } from './models.ts';
import { title } from './units.ts';
import { published } from './published.ts';

/** An erring instruction, by the paper's name for it. */
const ERRORS = [
  { name: 'unalign', exception: 'adel', emit: (a) => a.lw(V0, KIT_TEXT + 1, ZERO) },
  { name: 'overflow', exception: 'overflow', emit: (a) => a.add(V0, T3, T4) },
  { name: 'coproc', exception: 'coprocessor', emit: (a) => a.add_d(0, 0, 0) },
  { name: 'prot', exception: 'mod', emit: (a) => a.sw(V0, KIT_TEXT, ZERO) },
] as const satisfies readonly {
  readonly name: 'unalign' | 'overflow' | 'coproc' | 'prot';
  readonly exception: ExceptionName;
  readonly emit: (a: Assembler) => void;
}[];

export const exceptionsLab: Lab = (models, effort) => {
  const measured = models.map((model) => measure(model, effort));
  const sections = measured.map(({ section }) => section);
  return {
    lab: 'exceptions',
    sections,
    claims: [notSlower(sections), noNatives(measured.flatMap(({ samples }) => samples))],
  };
};

function measure(model: Model, effort: Effort): { section: Section; samples: readonly Sample[] } {
  const count = effort === 'full' ? 101 : 5;
  const program = bare({
    name: 'errors',
    resumes: ERRORS.map(({ exception }) => EXCEPTIONS[exception]),
    handlers: Object.fromEntries(ERRORS.map(({ name, exception }) => [exception, `${name}.handler`])),
    emit: (a) => {
      a.label('main');
      a.li(T3, 0x7fffffff);
      a.move(T4, T3);
      for (const { name, emit } of ERRORS) {
        a.label(name);
        emit(a);
        a.nop();
      }
      a.j('main');
      a.nop();
      for (const { name, exception } of ERRORS) {
        const code = EXCEPTIONS[exception];
        a.label(`${name}.handler`);
        a.addiu(T0, T0, 4);
        a.sw(T0, UKIT.epc + 4 * code, ZERO);
        a.j(resumeLabel(code));
        a.nop();
      }
    },
  });
  const bench = new Bench(model, [program.image]);
  bench.settle(0.01);
  const samples = ERRORS.map(({ name }) =>
    bench.measure({ env: 0, pc: program.at(name) }, { env: 0, pc: program.at(`${name}.handler`) }, count),
  );
  const rows = ERRORS.flatMap(({ name }, i) => {
    const sample = samples[i];
    return sample === undefined ? [] : [timed(model, name, sample, published(name, model))];
  });
  return { section: { title: title(model), rows }, samples };
}
