/**
 * A bare machine at a terminal: what somebody types goes to its console, what it prints comes out.
 *
 * On a terminal every key is the guest's, Ctrl-C too; Ctrl-] ends it. Otherwise the signals of the host do.
 */
import type { RunResult } from '@exokernel/hardware';
import { CONSOLE_LINE, bareMachine, type BareMachine, type Program } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';

/** Where the console is. */
export interface Terminal {
  readonly output: (bytes: Uint8Array) => void;
  readonly input: NodeJS.ReadStream;
  /** Ends the run. */
  readonly signal: AbortSignal;
}

/** How a run ended. */
export interface Outcome {
  readonly reason: 'halted' | 'time' | 'interrupted';
  /** Executed; those that passed in idle loops at once are among them. */
  readonly instructions: number;
  readonly cycles: number;
  /** Of the machine. */
  readonly seconds: number;
  readonly profile: string;
  readonly engine: string;
}

/** Cycles between two looks at the outside. */
const STEP = 250_000;
/** Machine time for the console to finish after the program has halted, in seconds. */
const DRAIN_SECONDS = 0.25;
/** A machine that has idled and printed nothing for so many steps waits for somebody, and the host does with it. */
const QUIET_STEPS = 20;
const IDLE_WAIT_MS = 10;
/** Ctrl-] */
const ESCAPE = 0x1d;

/** Runs until the program halts, time is up, or the user ends it. Throws `UsageError` before anything has run. */
export async function runAtTerminal(
  program: Program,
  settings: MachineSettings,
  { output, input, signal }: Terminal,
): Promise<Outcome> {
  let printed: number[] = [];
  const bare = bareMachine(program, settings, (byte) => printed.push(byte));
  const { machine } = bare;
  const ended = new AbortController();
  const typed = (data: Buffer): void => {
    if (input.isTTY && data.includes(ESCAPE)) ended.abort();
    machine.serialInput(CONSOLE_LINE, data);
  };
  const flush = (): boolean => {
    const any = printed.length > 0;
    if (any) output(Uint8Array.from(printed));
    printed = [];
    return any;
  };
  if (input.isTTY) input.setRawMode(true);
  input.on('data', typed);
  try {
    const reason = await drive(bare, settings.seconds, AbortSignal.any([signal, ended.signal]), flush);
    const { instructions, cycles, hz, engine } = machine;
    return { reason, instructions, cycles, seconds: cycles / hz, profile: settings.profile, engine };
  } finally {
    flush();
    input.off('data', typed);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    bare.close();
  }
}

async function drive(
  { machine, halted }: BareMachine,
  seconds: number,
  signal: AbortSignal,
  flush: () => boolean,
): Promise<Outcome['reason']> {
  const limit = seconds * machine.hz;
  let quiet = 0;
  while (machine.cycles < limit) {
    const result = machine.run(STEP);
    quiet = flush() || !isIdle(result) ? 0 : quiet + 1;
    if (halted()) {
      machine.run(DRAIN_SECONDS * machine.hz);
      return 'halted';
    }
    if (signal.aborted) return 'interrupted';
    await breathe(quiet > QUIET_STEPS);
  }
  return 'time';
}

function isIdle({ cycles, idleCycles }: RunResult): boolean {
  return idleCycles * 2 > cycles;
}

/** Lets Node see its input. */
function breathe(waits: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (waits) setTimeout(resolve, IDLE_WAIT_MS);
    else setImmediate(resolve);
  });
}
