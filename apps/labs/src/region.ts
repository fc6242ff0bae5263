/**
 * Cycles of a piece of machine code: it is executed between two system calls, and the machine says when each was taken.
 *
 * The two system calls, their handler and the return cost cycles too; those are measured with nothing between them and
 * subtracted. The first repetitions only fill the caches.
 */
import { CP0_EPC, createAssembler, K0, S7, type Assembler } from '@exokernel/isa';
import { EVENT_KINDS, Machine, type Profile } from '@exokernel/hardware';

const SYSCALL = 8;
const CODE = 0x80001000;
const HANDLER = 0x80000080;
const WARM_UP = 2;
const STEP = 1_000_000;

/** What to measure. K0, S7 and RA are not the region's. */
export interface Region {
  /** Before each repetition. */
  readonly prepare?: (a: Assembler) => void;
  readonly region: (a: Assembler) => void;
  /** What the region calls. */
  readonly functions?: (a: Assembler) => void;
}

/** Median of `repetitions` executions on a machine of 4 MB, in cycles. The machine is in kernel mode, in cached memory. */
export function measure(profile: Profile, what: Region, repetitions: number): number {
  const nothing: Region = { ...what, region: () => undefined };
  return median(intervals(profile, what, repetitions)) - median(intervals(profile, nothing, repetitions));
}

/** Cycles between the two system calls of each repetition. */
function intervals(profile: Profile, what: Region, repetitions: number): number[] {
  const machine = new Machine({ ramBytes: 4 * 1024 * 1024, profile });
  load(machine, HANDLER, (a) => {
    a.mfc0(K0, CP0_EPC);
    a.nop();
    a.addiu(K0, K0, 4);
    a.jr(K0);
    a.rfe();
  });
  load(machine, CODE, (a) => {
    a.li(S7, WARM_UP + repetitions);
    a.label('again');
    what.prepare?.(a);
    a.syscall(0);
    what.region(a);
    a.syscall(0);
    a.addiu(S7, S7, -1);
    a.bnez(S7, 'again');
    a.nop();
    a.break(0);
    what.functions?.(a);
  });
  machine.cpu.cp0.status = 0;
  machine.cpu.pc = CODE;
  const taken: number[] = [];
  const other: number[] = [];
  machine.listen((kind, cycle, code) => {
    if (kind === EVENT_KINDS.exception.kind) (code === SYSCALL ? taken : other).push(cycle);
  });
  while (other.length === 0) machine.run(STEP);
  if (taken.length !== 2 * (WARM_UP + repetitions)) throw new Error(`the program was left after ${taken.length} calls`);
  const lengths: number[] = [];
  for (let i = 2 * WARM_UP; i < taken.length; i += 2) lengths.push((taken[i + 1] ?? 0) - (taken[i] ?? 0));
  return lengths;
}

function load(machine: Machine, origin: number, build: (a: Assembler) => void): void {
  const a = createAssembler(origin);
  build(a);
  machine.memory.storeWords(origin & 0x1fffffff, a.assemble().words);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[sorted.length >> 1] ?? 0;
}
