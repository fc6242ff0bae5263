/** What the tests of timing share: programs between CODE and an endless loop, and the cycles they take. */
import { A0, type Assembler } from '@exokernel/isa';
import type { Machine } from '../src/index.ts';
import { boot, CODE, load } from './support.ts';

export const PROFILES = ['ideal', 'dec3100', 'dec5000'] as const;
export const DATA = 0x80002000;
/** What is so far apart meets in the caches. */
export const CACHE = 0x10000;

/** Runs what is between CODE and the label `end`; returns the cycles that it took. */
export function run(machine: Machine, end: number): number {
  machine.cpu.pc = CODE;
  const before = machine.cycles;
  while (machine.cpu.pc !== end) machine.runTo(machine.cycles + 1);
  return machine.cycles - before;
}

const machines = PROFILES.map((profile) => boot(() => undefined, { profile }));

/** Cycles of a program on each profile: executed for the second time, and A0 holding DATA, of which nothing is cached. */
export function warm(build: (a: Assembler) => void, status = 0): number[] {
  return machines.map((machine) => {
    const end = program(machine, build);
    machine.cpu.cp0.status = status;
    run(machine, end);
    forgetData(machine);
    machine.runTo(machine.cycles + 100); // what the first run left to do
    machine.cpu.registers[A0] = DATA | 0;
    return run(machine, end);
  });
}

/** Assembles at CODE, with an endless loop behind; returns its address. */
export function program(machine: Machine, build: (a: Assembler) => void): number {
  machine.cpu.registers[A0] = DATA | 0;
  const symbols = load(machine, CODE, (a) => {
    build(a);
    a.label('end');
    a.b('end');
    a.nop();
  });
  return symbols.get('end') ?? 0;
}

/** Empties the data cache. */
export function forgetData(machine: Machine): void {
  machine.cpu.emptyDataCache();
}
