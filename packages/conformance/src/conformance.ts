/** The suite: the cases of a library operating system. */
import type { InterfaceName, LibOs } from '@exokernel/libos-kit';
import type { Case, ProgramCase, ProgramForm } from './case.ts';
import { CLOCK } from './clock.ts';
import { CONSOLE } from './console.ts';
import { DISK } from './disk.ts';
import type { Subject } from './error.ts';
import { FILES } from './files.ts';
import { LRPC, TRUST } from './lrpc.ts';
import type { Boot } from './machine.ts';
import { MEMORY } from './memory.ts';
import { besideNeighbours } from './neighbours.ts';
import { PIPES } from './pipes.ts';
import { PROCESSES } from './processes.ts';
import { PROTECTION } from './protection.ts';
import { REGISTERS } from './registers.ts';
import { REVOCATION } from './revocation.ts';
import { SHARED } from './shared.ts';
import { UDP } from './udp.ts';

/** A case of a library operating system. */
export interface ConformanceCase {
  readonly subject: Subject;
  readonly name: string;
  /** Runs it. Throws `ConformanceError` if the library operating system does not do what it promises. */
  readonly run: () => void;
}

/** What the suite may be told. */
export interface ConformanceOptions {
  /** The forms in which the library operating system takes programs; as given nothing: both. */
  readonly programs?: readonly ProgramForm[];
}

const INTERFACES: readonly (readonly ProgramCase[])[] = [
  CONSOLE,
  CLOCK,
  MEMORY,
  PROCESSES,
  PIPES,
  SHARED,
  LRPC,
  PROTECTION,
  UDP,
  FILES,
];

/**
 * The cases for a library operating system: those that need nothing that it does not provide. Each runs on a machine of its own, which `boot`
 * makes. Throws `RangeError` if there is none: then the suite would say nothing.
 */
export function conformance<P extends InterfaceName>(
  libos: LibOs<P>,
  boot: Boot,
  { programs = ['fiber', 'machine'] }: ConformanceOptions = {},
): readonly ConformanceCase[] {
  // What it is given needs nothing else: that is seen to here.
  const tested = libos as unknown as LibOs<InterfaceName>;
  const isFor = ({ needs, form }: Case): boolean =>
    programs.includes(form) && needs.every((need) => tested.provides.includes(need));
  const own = INTERFACES.map((cases) => cases.filter(isFor));
  const together = programs.flatMap((form) => {
    // The first of each interface.
    const first = own.flatMap((cases) => cases.find((one) => one.form === form) ?? []);
    return first.length === 0 ? [] : [besideNeighbours(form, first)];
  });
  const cases: readonly Case[] = [
    ...own.flat(),
    ...[...REGISTERS, ...TRUST, ...DISK, ...REVOCATION].filter(isFor),
    ...together,
  ];
  if (cases.length === 0) throw new RangeError(`${libos.name} provides nothing that the suite has a case for`);
  return cases.map(({ subject, name, run }) => ({
    subject,
    name: `${subject}: ${name}`,
    run: () => {
      run({ libos: tested, boot, place: { libos: libos.name, subject, name } });
    },
  }));
}
