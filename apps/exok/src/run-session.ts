/**
 * What a run begins with and leaves behind, besides its disk: a recording of all that came in from outside, the replay of one, or
 * a snapshot from which the next run goes on.
 *
 * A replay takes nothing from the terminal or a link. The disk is not part of any of them: give a replay a copy of it as it was.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Recorder, Replay, type Machine, type RunResult } from '@exokernel/hardware';
import { orRefuse } from './refusal.ts';
import { readInput, refusal } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';

/** How a run is driven. */
export interface Session {
  /** Advances by so many cycles, or to the end of a replay. */
  readonly run: (cycles: number) => RunResult;
  /** What a replay has come to; `undefined` before its end, and always for another run. */
  readonly replayed: () => 'replayed' | 'diverged' | undefined;
  readonly isReplay: boolean;
  /** To be called once, after the last run. `halted`: the program has ended, and there is nothing to go on with. Throws `UsageError`. */
  readonly finish: (halted: boolean) => void;
}

/** Begins a run as the options say. Throws `UsageError`. */
export function beginSession(
  machine: Machine,
  { record, replay, snapshot }: Pick<MachineSettings, 'record' | 'replay' | 'snapshot'>,
): Session {
  const plain: Session = {
    run: (cycles) => machine.run(cycles),
    replayed: () => undefined,
    isReplay: false,
    finish: () => undefined,
  };
  if (replay !== undefined) return replaying(machine, replay);
  if (record !== undefined) {
    checkWritable(record);
    const recorder = new Recorder(machine);
    return { ...plain, finish: () => orUnwritable(record, () => writeFileSync(record, recorder.finish())) };
  }
  if (snapshot === undefined) return plain;
  if (existsSync(snapshot)) orRefuse(snapshot, () => machine.restore(readInput(snapshot)));
  else checkWritable(snapshot);
  return {
    ...plain,
    finish: (halted) => {
      if (halted) return;
      // Whole or not at all: the run may be cut off meanwhile.
      orUnwritable(snapshot, () => {
        writeFileSync(`${snapshot}.new`, machine.snapshot());
        renameSync(`${snapshot}.new`, snapshot);
      });
    },
  };
}

function replaying(machine: Machine, file: string): Session {
  const replay = orRefuse(file, () => new Replay(machine, readInput(file)));
  return {
    run: (cycles) => replay.run(cycles),
    replayed: () => (replay.agrees === undefined ? undefined : replay.agrees ? 'replayed' : 'diverged'),
    isReplay: true,
    finish: () => undefined,
  };
}

/** It is better to know before the run. */
function checkWritable(file: string): void {
  orUnwritable(file, () => {
    const isNew = !existsSync(file);
    closeSync(openSync(file, 'a'));
    if (isNew) rmSync(file);
  });
}

function orUnwritable(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw refusal('write', file, error);
  }
}
