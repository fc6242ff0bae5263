/**
 * A case, and the ways to make one: of a program in TypeScript, or of a program of machine code, which was compiled or is assembled.
 *
 * A case runs one program on a machine of its own. The program must end by itself, with what the case expects, and must give back what it had.
 */
import { PAGE_BYTES, type Image } from '@exokernel/abi';
import {
  compiledProgram,
  compose,
  encodeUtf8,
  program,
  type Fiber,
  type InterfaceName,
  type Interfaces,
  type LibOs,
  type MachineProgram,
  type Placement,
  type Program,
} from '@exokernel/libos-kit';
import { COMPILED } from './compiled.ts';
import { changedByte, devicesFor, placementFor } from './devices.ts';
import { ConformanceError, type ConformanceErrorCode, type Place, type Subject, type Value } from './error.ts';
import type { Boot, ConformanceMachine, Devices } from './machine.ts';
import { peerOf, type Peer, type Script } from './peer.ts';

/** How programs come to a library operating system: in TypeScript, or as machine code. */
export type ProgramForm = 'fiber' | 'machine';

/** What a case runs on. */
export interface Setting {
  readonly libos: LibOs<InterfaceName>;
  readonly boot: Boot;
  readonly place: Place;
}

/** A case of the suite. */
export interface Case {
  readonly subject: Subject;
  readonly name: string;
  readonly needs: readonly InterfaceName[];
  readonly form: ProgramForm;
  readonly run: (setting: Setting) => void;
}

/** A case of one program. */
export interface ProgramCase extends Case {
  /** The program, made anew, and how its end is judged. */
  readonly task: (setting: Setting) => Task;
}

/** What a program in TypeScript says of what it finds. What is not as expected ends the program, and the case. */
export interface Check {
  /** That a value is another. */
  readonly is: (what: string, found: Value, expected: Value) => void;
  /** That a number lies between two, these among them. */
  readonly isBetween: (what: string, found: number, least: number, most: number) => void;
}

/** A program, and how its end is judged. */
export interface Task {
  readonly program: Program<InterfaceName>;
  /** What the program has said with an exit code; nothing if it was not the program. */
  readonly explain?: (exit: number) => Found | undefined;
  /** What the console has to show. */
  readonly prints?: string;
  /** What the host at the other end of the wire does meanwhile. */
  readonly host?: (peer: Peer) => Script;
  /** What a check in the program has found. */
  readonly failure?: () => ConformanceError | undefined;
  /** It leaves a process behind, and with it frames. */
  readonly leaves?: boolean;
}

interface Found {
  readonly code: ConformanceErrorCode;
  readonly what: string;
  readonly expected: Value;
  readonly found: Value;
}

/** The serial line of programs: that of the console by default. */
const LINE = 3;
/** Ticks of the machine that a program has: 10 s. */
const PATIENCE = 640;

/** The error of a case. */
export function failure({ place }: Setting, { code, ...what }: Found): ConformanceError {
  return new ConformanceError(code, { ...place, ...what });
}

/** What a case has besides its program. */
export interface Besides extends Pick<Task, 'prints' | 'leaves'> {
  /** As given nothing: the first interface that it needs. */
  readonly subject?: Subject;
  /** What the host at the other end of the wire does. */
  readonly host?: (peer: Peer, check: Check) => Script;
}

/** The check of a case. What it finds first is `first`, and is thrown. */
function checkOf(setting: Setting): { readonly check: Check; readonly first: () => ConformanceError | undefined } {
  let first: ConformanceError | undefined;
  const fail = (what: string, found: Value, expected: Value): never => {
    // Also of a child, whose parent then finds that it died.
    first ??= failure(setting, { code: 'value', what, expected, found });
    throw first;
  };
  const check: Check = {
    is: (what, found, expected) => {
      if (found !== expected) fail(what, found, expected);
    },
    isBetween: (what, found, least, most) => {
      if (!(found >= least && found <= most)) fail(what, found, `${least} to ${most}`);
    },
  };
  return { check, first: () => first };
}

/** A program in TypeScript, made anew. */
export function fiberTask<const N extends InterfaceName>(
  setting: Setting,
  name: string,
  needs: readonly [N, ...N[]],
  main: (os: Pick<Interfaces, N>, check: Check) => Fiber<void>,
): Task {
  const { check, first } = checkOf(setting);
  const made = program<InterfaceName>(name, needs, function* (os) {
    yield* main(os, check);
    return 0;
  });
  return { program: made, failure: first };
}

/** A case of a program in TypeScript. */
export function fiberCase<const N extends InterfaceName>(
  name: string,
  needs: readonly [N, ...N[]],
  main: (os: Pick<Interfaces, N>, check: Check) => Fiber<void>,
  { subject = needs[0], ...besides }: Besides = {},
): ProgramCase {
  const task = (setting: Setting): Task => withHost(setting, { ...fiberTask(setting, name, needs, main), ...besides });
  return alone({ subject, name: `${name} (TypeScript)`, needs, form: 'fiber', task });
}

/** With the host's script, whose checks are the case's. */
function withHost(setting: Setting, { host, ...task }: Omit<Task, 'host'> & Besides): Task {
  return host === undefined ? task : { ...task, host: (peer) => host(peer, checkOf(setting).check) };
}

/** What a step of a program in machine code looks at, and what it expects. */
export type Step = readonly [what: string, expected: string];

/**
 * What an exit code of a program in machine code means: the number of a step, from 1, in its low eight bits, and what the step has found in the
 * others. So a library operating system that keeps eight bits of it still tells the step.
 */
function explainWith(steps: readonly Step[]): NonNullable<Task['explain']> {
  return (exit) => {
    const [what, expected] = steps[(exit & 0xff) - 1] ?? [];
    return what === undefined ? undefined : { code: 'value', what, expected, found: exit >> 8 };
  };
}

/** A case that runs its program alone. */
function alone(one: Omit<ProgramCase, 'run'>): ProgramCase {
  const run = (setting: Setting): void => {
    runTask(setting, one.task(setting));
  };
  return { ...one, run };
}

/** A case of a program in machine code that is assembled. */
export function machineCase(
  name: string,
  program: MachineProgram<InterfaceName>,
  steps: readonly Step[],
  besides: Pick<Task, 'leaves'> = {},
): ProgramCase {
  const { needs } = program;
  const [subject = 'clock'] = needs;
  const task = (): Task => ({ program, explain: explainWith(steps), ...besides });
  return alone({ subject, name: `${name} (machine code)`, needs, form: 'machine', task });
}

/** A program that was compiled: the export `entry` of programs/`file`. */
export function compiledTask(file: keyof typeof COMPILED, entry: string): Task {
  const { needs, wasm } = COMPILED[file];
  return {
    program: compiledProgram(entry, needs, Uint8Array.from(wasm), { entry }),
    explain: explainWith(listed(file, entry).steps),
  };
}

/** A case of a program that was compiled. */
export function compiledCase(
  file: keyof typeof COMPILED,
  entry: string,
  { subject = file, ...besides }: Besides = {},
): ProgramCase {
  const task = (setting: Setting): Task => withHost(setting, { ...compiledTask(file, entry), ...besides });
  const name = `${listed(file, entry).name} (compiled)`;
  return alone({ subject, name, needs: COMPILED[file].needs, form: 'machine', task });
}

function listed(file: keyof typeof COMPILED, entry: string): (typeof COMPILED)[typeof file]['cases'][number] {
  const found = COMPILED[file].cases.find((one) => one.entry === entry);
  if (found === undefined) throw new RangeError(`programs/${file}.ts exports no ${entry}`);
  return found;
}

/** Runs a program alone, and judges its end. Throws `ConformanceError`. */
export function runTask(setting: Setting, task: Task, devices: Devices = devicesFor(task.program.needs)): void {
  const image = imageOf(setting, task.program);
  const machine = setting.boot([image], devices);
  const free = machine.framesFree() + framesOf(image);
  judge(setting, machine, task);
  const { prints } = task;
  if (prints !== undefined) {
    const expected = String.fromCharCode(...encodeUtf8(prints));
    runUntil(machine, () => machine.serial(LINE).length >= expected.length);
    const found = machine.serial(LINE);
    if (found !== expected) throw failure(setting, { code: 'console', what: 'the console', expected, found });
  }
  expectOthersBlocks(setting, devices);
  if (task.leaves === true) return;
  const kept = free - machine.framesFree();
  if (kept !== 0) throw failure(setting, { code: 'frames', what: 'frames not given back', expected: 0, found: kept });
}

/** That blocks of the disk which are not the program's are as they were. Throws `ConformanceError`. */
export function expectOthersBlocks(setting: Setting, { disk }: Devices): void {
  const at = disk === undefined ? -1 : changedByte(disk);
  if (at < 0) return;
  const what = `byte ${at} of the disk, which is not the program’s`;
  throw failure(setting, { code: 'neighbour', what, expected: 'what was there', found: disk?.[at] });
}

/** Runs until the program, environment `id`, has ended as it should. Throws `ConformanceError`. */
export function judge(setting: Setting, machine: ConformanceMachine, task: Task, id = 0): void {
  const { failure: failed = () => undefined, explain, host } = task;
  const state = (): ReturnType<typeof machine.environment> => machine.environment(id);
  const peer = host === undefined ? undefined : peerOf(machine);
  const script = peer === undefined ? undefined : host?.(peer);
  let isHeard = script === undefined;
  runUntil(machine, () => {
    peer?.tick();
    isHeard ||= script?.next().done === true;
    return failed() !== undefined || state().ending !== undefined;
  });
  const known = failed();
  if (known !== undefined) throw known;
  const { exit, ending } = state();
  const what = 'how the program ended';
  const wanted = 'exited with 0';
  if (ending === undefined) throw failure(setting, { code: 'time', what, expected: wanted, found: 'still running' });
  if (exit === 0 && isHeard) return;
  if (exit === 0) {
    const missing = 'what the host at the other end of the wire waits for';
    throw failure(setting, { code: 'value', what: missing, expected: 'a datagram', found: 'nothing' });
  }
  const told = exit === undefined ? undefined : explain?.(exit);
  throw failure(setting, told ?? { code: 'end', what, expected: wanted, found: ending });
}

/** Runs until something holds, or for so many ticks. */
export function runUntil(machine: ConformanceMachine, done: () => boolean, patience: number = PATIENCE): boolean {
  for (let ticks = 0; ticks < patience && !done(); ticks += 1) machine.run(1);
  return done();
}

/** The image of a program. */
export function imageOf({ libos }: Setting, task: Program<InterfaceName>, placement: Placement = {}): Image {
  return compose(libos, task, { serialLine: LINE, ...placementFor(task.needs), ...placement });
}

/** The frames that an environment of this image begins with: its segments, its pages, and its u-page. */
export function framesOf({ segments, frames }: Image): number {
  return segments.reduce((sum, { size }) => sum + Math.ceil(size / PAGE_BYTES), frames.length + 1);
}
