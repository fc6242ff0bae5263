/** Library operating systems with a fault, and what the suite says of them. */
import type { InterfaceName, Interfaces, LibOs, Placement } from '@exokernel/libos-kit';
import { exos } from '../../exos/src/index.ts';
import { ConformanceError, conformance, type Boot, type ConformanceOptions } from '../src/index.ts';
import { bootAt } from './machine.ts';

/** The interfaces that can be broken for programs in TypeScript. */
export type Broken = Pick<Interfaces, 'clock' | 'memory' | 'console' | 'processes' | 'udp' | 'files'>;

/** ExOS with parts of it broken, for programs in TypeScript; or with another placement of its own. */
export function breaking(
  broken: (os: Broken) => Partial<Broken>,
  placed: (placement: Placement) => Placement = (placement) => placement,
): LibOs<keyof Broken> {
  return {
    ...exos,
    name: 'broken',
    provides: ['clock', 'memory', 'console', 'processes', 'udp', 'files'],
    load: (program, placement) => {
      if (program.kind !== 'fiber') return exos.load(program, placed(placement));
      const { main } = program;
      return exos.load({ ...program, main: (os) => main({ ...os, ...broken(os) }) }, placed(placement));
    },
  };
}

/** The error of the first case of this name that fails. Throws if none does. */
export function errorOf<P extends InterfaceName>(
  libos: LibOs<P>,
  part: string,
  boot: Boot = bootAt(),
  options?: ConformanceOptions,
): ConformanceError {
  const found = conformance(libos, boot, options).filter(({ name }) => name.includes(part));
  for (const { run } of found) {
    try {
      run();
    } catch (error) {
      if (error instanceof ConformanceError) return error;
      throw error;
    }
  }
  throw new Error(`no case with ${part} fails`);
}
