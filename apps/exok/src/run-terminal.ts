/**
 * A machine at a terminal: what the user types goes to its console, and what it prints comes out.
 *
 * On a terminal every key is the guest's, Ctrl-C too; Ctrl-] ends it. Otherwise the signals of the host do.
 */
import type { Readable } from 'node:stream';
import type { MachineOptions, RunResult } from '@exokernel/hardware';
import { CONSOLE_LINE, type ProgramEnding, type ReadyMachine } from './run-machine.ts';
import { Doze } from './doze.ts';
import { Pace } from './pace.ts';
import { openNetwork } from './run-network.ts';
import type { MachineSettings } from './run-options.ts';
import { beginSession, type Session } from './run-session.ts';

/** Where the console is. */
export interface Terminal {
  readonly output: (bytes: Uint8Array) => void;
  /** What is not the guest's to say. */
  readonly say: (text: string) => void;
  readonly input: Readable & Partial<Pick<NodeJS.ReadStream, 'isTTY' | 'setRawMode'>>;
  /** Ends the run. */
  readonly signal: AbortSignal;
}

/** How a run ended. */
export interface Outcome {
  readonly reason: 'halted' | 'time' | 'interrupted' | 'replayed' | 'diverged';
  /** Executed; those that passed in idle loops at once are among them. */
  readonly instructions: number;
  readonly cycles: number;
  /** Of the machine. */
  readonly seconds: number;
  readonly profile: string;
  readonly engine: string;
  /** Of a program for a library operating system that has ended. */
  readonly ending?: ProgramEnding;
}

/** Makes the machine, switched off; `serial` gets what its console prints, a byte at a time. */
export type MakeMachine = (
  settings: MachineSettings,
  serial: (byte: number) => void,
  lance: MachineOptions['lance'],
) => ReadyMachine;

/** Cycles between two looks at the outside. */
const STEP = 250_000;
/** Machine time for the console to finish after the program has halted, in seconds. */
const DRAIN_SECONDS = 0.25;
/** A machine that has idled and printed nothing for so many steps waits for input, and the host waits with it. */
const QUIET_STEPS = 20;
const IDLE_WAIT_MS = 10;
/** Host time to wait when the machine is where the host's clock is, and nothing is on its wire. */
const PACE_WAIT_MS = 1;
/** Ctrl-] */
const ESCAPE = 0x1d;

/** Runs until the program halts, time is up, or the user ends it. Throws `UsageError` before anything has run. */
export async function runAtTerminal(
  make: MakeMachine,
  settings: MachineSettings,
  { output, say, input, signal }: Terminal,
): Promise<Outcome> {
  let printed: number[] = [];
  const network = await openNetwork(settings, say);
  const lance =
    network === undefined ? undefined : ({ mac: settings.mac, wire: network.wire, geometry: 'kn01' } as const);
  let ready: ReadyMachine | undefined;
  let session: Session;
  try {
    ready = make(settings, (byte) => printed.push(byte), lance);
    session = beginSession(ready.machine, settings);
  } catch (error) {
    ready?.close();
    network?.close();
    throw error;
  }
  const { machine } = ready;
  const ended = new AbortController();
  const doze = new Doze();
  network?.wire.listenInputs(doze.wake);
  const typed = (data: Buffer): void => {
    doze.wake();
    if (input.isTTY && data.includes(ESCAPE)) ended.abort();
    else if (!session.isReplay) machine.serialInput(CONSOLE_LINE, data);
  };
  const flush = (): boolean => {
    const any = printed.length > 0;
    if (any) output(Uint8Array.from(printed));
    printed = [];
    return any;
  };
  if (input.isTTY) input.setRawMode?.(true);
  input.on('data', typed);
  try {
    const pace = network?.isOutside === true ? new Pace(machine) : undefined;
    const stop = AbortSignal.any([signal, ended.signal]);
    const reason = await drive(ready, session, settings.seconds, { signal: stop, flush, pace, doze });
    session.finish(reason === 'halted');
    const { instructions, cycles, hz, engine } = machine;
    const ending = ready.ending?.();
    const outcome = { reason, instructions, cycles, seconds: cycles / hz, profile: settings.profile, engine };
    return ending === undefined ? outcome : { ...outcome, ending };
  } finally {
    flush();
    input.off('data', typed);
    if (input.isTTY) input.setRawMode?.(false);
    input.pause();
    ready.close();
    network?.close();
  }
}

/** What is around a run. */
interface Around {
  readonly signal: AbortSignal;
  /** Prints what there is; returns whether there was any. */
  readonly flush: () => boolean;
  /** Of a machine with peers outside. */
  readonly pace: Pace | undefined;
  readonly doze: Doze;
}

async function drive(
  { machine, halted }: ReadyMachine,
  session: Session,
  seconds: number,
  { signal, flush, pace, doze }: Around,
): Promise<Outcome['reason']> {
  const limit = machine.cycles + seconds * machine.hz;
  let quiet = 0;
  while (machine.cycles < limit) {
    const result = session.run(Math.min(STEP, pace?.due ?? STEP));
    quiet = flush() || !isIdle(result) ? 0 : quiet + 1;
    const replayed = session.replayed();
    if (replayed !== undefined) return replayed;
    if (halted() && !session.isReplay) {
      machine.run(DRAIN_SECONDS * machine.hz);
      return 'halted';
    }
    if (signal.aborted) return 'interrupted';
    const isAhead = pace !== undefined && pace.due * 1000 < machine.hz && machine.wire?.isQuiet === true;
    if (quiet > QUIET_STEPS && !session.isReplay) await doze.wait(IDLE_WAIT_MS);
    else if (isAhead) await doze.wait(PACE_WAIT_MS);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  return 'time';
}

function isIdle({ cycles, idleCycles }: RunResult): boolean {
  return idleCycles * 2 > cycles;
}
