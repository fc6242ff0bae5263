/**
 * The virtual-memory lab: Appel and Li's operations on ExOS's page tables. [SOSP95 T10, T13]
 *
 * dirty asks whether a page is dirty; prot1, prot100, unprot100 change the protection of so many pages; trap is an access to
 * a protected page, its handler, and back; appel1 the same with a handler that protects one page and unprotects another;
 * appel2 protects 100 pages, touches each, and its handler unprotects it (per page).
 */
import { exos, exosInverted } from '@exokernel/exos';
import { Bench, noNatives, timed, type Sample } from './bench.ts';
import { notSlower, type Lab, type Row } from './lab.ts';
import { title } from './units.ts';
import { published } from './published.ts';
import { OPERATIONS, PER_PASSAGE, vmProgram } from './vm-program.ts';

/** The structures of page tables, and what the paper's rows of each are called. */
const STRUCTURES = [
  { libos: exos, suffix: '' },
  { libos: exosInverted, suffix: ', inverted' },
] as const;

export const vmLab: Lab = (models, effort, progress) => {
  const samples: Sample[] = [];
  const sections = models.map((model) => {
    const rows = STRUCTURES.flatMap(({ libos, suffix }) => {
      progress(`${libos.name} on ${model}`);
      const { image, marks } = vmProgram(libos);
      const bench = new Bench(model, [image]);
      bench.settle(0.1);
      return OPERATIONS.map((name): Row => {
        const { from, to } = marks[name];
        const sample = bench.measure({ env: 0, pc: from }, { env: 0, pc: to }, effort === 'full' ? 51 : 1);
        samples.push(sample);
        return timed(model, `${name}${suffix}`, sample, published(`${name}${suffix}`, model), PER_PASSAGE[name]);
      });
    });
    return { title: title(model), rows };
  });
  return { lab: 'vm', sections, claims: [notSlower(sections), noNatives(samples)] };
};
