/**
 * Linux as the monolithic reference: the benchmarks of `linux/bench.c` on one machine, and on two on one wire, by profile,
 * beside what was published for Ultrix.
 *
 * Cycles are exact and the same every time: a mark is a system call at a known address, which the machine's event stream
 * shows. Whatever Linux does in between counts, the ticks of its clock too, but a median leaves most of those out.
 */
import { EVENT_KINDS, Network, Wire, type Machine } from '@exokernel/hardware';
import { loadElf } from '@exokernel/isa';
import { bareMachine, type ReadyMachine } from '../run-machine.ts';
import type { MachineSettings } from '../run-options.ts';
import { linuxProgram } from './boot.ts';
import { measured } from './measure.ts';
import { PAPER_MACHINES, ROWS, type Row } from './published.ts';
import { initramfs } from './userland.ts';

/** What one row came to under one profile. */
export interface Figure {
  readonly name: string;
  readonly what: string;
  readonly profile: string;
  readonly cycles: number;
  readonly microseconds: number;
  /** What was published for Ultrix on that machine, and how many times that Linux takes. */
  readonly ultrix?: number;
  readonly ratio?: number;
}

/** What is needed to run them. */
export interface Bench {
  readonly kernel: string;
  readonly init: Uint8Array;
  readonly settings: MachineSettings;
  /** Names of /init's benchmarks, and `udp`; default all. */
  readonly only?: readonly string[];
}

/** Cycles of one iteration by name, and how many a second has. */
interface Run {
  readonly cycles: ReadonlyMap<string, number>;
  readonly hz: number;
}

const MARK = 'mark';
const UDP = 'udp';
const SYSCALL = 8;
/** Nanoseconds between two looks at whether it has ended. */
const STEP = 10_000_000;
/** Seconds of a machine after which a benchmark hangs. */
const LIMIT = 300;
const CLIENT = '10.0.0.1';
const SERVER = '10.0.0.2';
const PORT = '7';

/** Runs them under the profile of the settings. Throws `UsageError` before anything has run, `Error` if Linux fails. */
export function benchLinux(bench: Bench): Figure[] {
  const { only, settings } = bench;
  const alone = only?.filter((name) => name !== UDP) ?? [];
  const runs: Run[] = [];
  if (only === undefined || alone.length > 0) runs.push(onOneMachine(bench, alone.length > 0 ? [MARK, ...alone] : []));
  if (only === undefined || only.includes(UDP)) runs.push(onTwoMachines(bench));
  const cycles = new Map(runs.flatMap((run) => [...run.cycles]));
  const hz = runs[0]?.hz ?? NaN;
  return ROWS.flatMap((row) => figure(row, cycles, hz, settings.profile));
}

/** The row's figure, if all of its parts were measured. */
function figure(row: Row, all: Run['cycles'], hz: number, profile: string): Figure[] {
  const { name, what, plus, minus = [], ultrix } = row;
  const sum = (names: readonly string[]): number => names.reduce((total, part) => total + (all.get(part) ?? NaN), 0);
  const cycles = sum(plus) - sum(minus);
  if (Number.isNaN(cycles)) return [];
  const microseconds = (cycles / hz) * 1e6;
  const published = ultrix?.[PAPER_MACHINES.findIndex((machine) => machine === profile)];
  const beside = published === undefined ? {} : { ultrix: published, ratio: microseconds / published };
  return [{ name, what, profile, cycles, microseconds, ...beside }];
}

/** A machine with Linux in it, what it printed, and the marks that it made. */
interface Guest extends ReadyMachine {
  readonly console: () => string;
  readonly marks: readonly number[];
}

function guest({ kernel, init, settings }: Bench, command: readonly string[], address?: string, wire?: Wire): Guest {
  const program = linuxProgram(
    { kernel, initramfs: initramfs(init), command, append: ['quiet'], ...(address === undefined ? {} : { address }) },
    settings,
  );
  let printed = '';
  const bare = bareMachine(
    program,
    settings,
    (byte) => (printed += String.fromCharCode(byte)),
    wire === undefined ? undefined : { mac: stationOf(address), wire, geometry: 'kn01' },
  );
  const marks: number[] = [];
  const place = loadElf(init).symbols?.get('mark_syscall');
  bare.machine.listen((kind, cycle, code, epc) => {
    if (kind === EVENT_KINDS.exception.kind && code === SYSCALL && epc === place) marks.push(cycle);
  });
  return { ...bare, console: () => printed, marks };
}

/** Digital's prefix, and the end of the address. */
function stationOf(address = ''): Uint8Array {
  return Uint8Array.of(0x08, 0x00, 0x2b, 0x00, 0x00, Number(address.split('.').at(-1)));
}

function onOneMachine(bench: Bench, names: readonly string[]): Run {
  const linux = guest(bench, ['bench', ...names]);
  untilHalted(linux, [linux.machine]);
  return { cycles: measured(linux.console(), linux.marks), hz: linux.machine.hz };
}

function onTwoMachines(bench: Bench): Run {
  const wire = new Wire();
  const server = guest(bench, ['udp-echo', PORT], SERVER, wire);
  const client = guest(bench, ['bench', UDP, SERVER, PORT], CLIENT, wire);
  untilHalted(client, [client.machine, server.machine]);
  return { cycles: measured(client.console(), client.marks), hz: client.machine.hz };
}

function untilHalted(linux: Guest, machines: readonly Machine[]): void {
  const network = new Network(machines);
  while (!linux.halted() && network.now < LIMIT * 1e9) network.run(STEP);
  if (linux.halted()) return;
  throw new Error(`Linux has not ended after ${LIMIT} s; its console:\n${linux.console()}`);
}
