/** The demo's report: a table for people, an object for scripts. Only what the machine counted; no time of the host. */
import type { EnvironmentInfo } from '@exokernel/aegis';
import { table } from '../table.ts';
import type { Check } from './checks.ts';
import type { World } from './world.ts';

/** What `--json` prints. */
export interface Report {
  readonly machine: {
    readonly profile: string;
    readonly hz: number;
    readonly ramBytes: number;
    readonly cycles: number;
    readonly instructions: number;
    readonly seconds: number;
  };
  readonly environments: readonly Counts[];
  /** What the programs printed. */
  readonly console: string;
  readonly checks: readonly Check[];
}

interface Counts {
  readonly name: string;
  readonly libos: string;
  readonly status: string;
  readonly slices: number;
  readonly instructions: number;
  readonly cycles: number;
  readonly systemCalls: number;
  readonly exceptions: number;
  readonly stlbHits: number;
  readonly tlbUpcalls: number;
  readonly nativeSteps: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

export function makeReport(world: World, checks: readonly Check[]): Report {
  const { machine, aegis } = world;
  return {
    machine: {
      profile: 'ideal',
      hz: machine.hz,
      ramBytes: machine.memory.ramBytes,
      cycles: machine.cycles,
      instructions: machine.instructions,
      seconds: machine.cycles / machine.hz,
    },
    environments: aegis.environments().map(counts),
    console: world.console(),
    checks,
  };
}

function counts(e: EnvironmentInfo): Counts {
  const { name, libos, status, slices, instructions, cycles, systemCalls, exceptions, stlbHits, tlbUpcalls } = e;
  const { nativeSteps, packetsIn, packetsOut } = e;
  return {
    name,
    libos,
    status,
    slices,
    instructions,
    cycles,
    systemCalls,
    exceptions,
    stlbHits,
    tlbUpcalls,
    nativeSteps,
    packetsIn,
    packetsOut,
  };
}

const COLUMNS: readonly (readonly [title: string, value: (c: Counts) => string | number])[] = [
  ['environment', (c) => c.name],
  ['libOS', (c) => c.libos],
  ['state', (c) => c.status],
  ['slices', (c) => c.slices],
  ['instructions', (c) => c.instructions],
  ['cycles', (c) => c.cycles],
  ['system calls', (c) => c.systemCalls],
  ['exceptions', (c) => c.exceptions],
  ['STLB hits', (c) => c.stlbHits],
  ['TLB upcalls', (c) => c.tlbUpcalls],
  ['native steps', (c) => c.nativeSteps],
  ['packets in', (c) => c.packetsIn],
  ['packets out', (c) => c.packetsOut],
];

/** The report as text, one line per environment and per check. */
export function formatReport(report: Report): string {
  const { machine } = report;
  const rows = report.environments.map((environment) =>
    COLUMNS.map(([, value]) => {
      const cell = value(environment);
      return typeof cell === 'number' ? cell.toLocaleString('en') : cell;
    }),
  );
  const checks = report.checks.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'FAILED'}  ${name} (${detail})`);
  return [
    `DECstation, profile ${machine.profile}, ${machine.hz / 1e6} MHz, ${machine.ramBytes / 2 ** 20} MiB: ` +
      `${machine.seconds.toFixed(3)} s of machine time, ${machine.instructions.toLocaleString('en')} instructions, ` +
      `${machine.cycles.toLocaleString('en')} cycles`,
    '',
    table(
      COLUMNS.map(([title]) => title),
      rows,
      (column) => column < 3,
    ).trimEnd(),
    '',
    ...report.console
      .trimEnd()
      .split('\n')
      .map((line) => `console | ${line}`),
    '',
    ...checks,
    '',
  ].join('\n');
}
