/**
 * Neighbours: environments beside the library operating system. Its program does not notice them, but for the time that they take, and they do not
 * notice it.
 *
 * They are made with the kit alone, so they run wherever the library operating system runs.
 */
import { CALLS, type Image } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, T0, T1, V0, V1, ZERO, register } from '@exokernel/isa';
import { UKIT, address, assembleRuntime, buildImage, compiledLibOs, compiledLibrary } from '@exokernel/libos-kit';
import {
  failure,
  expectOthersBlocks,
  imageOf,
  judge,
  runUntil,
  type Case,
  type ProgramCase,
  type ProgramForm,
  type Setting,
} from './case.ts';
import { BYSTANDER, WILD } from './compiled.ts';
import { devicesFor } from './devices.ts';
import type { ConformanceMachine } from './machine.ts';

/** What the bystander gives when nothing has happened to it. */
const UNHARMED = 42;
/** How many environments the stranger enters: more than there are programs. */
const ENTERED = 16;
const FORMS: Readonly<Record<ProgramForm, string>> = { fiber: 'TypeScript', machine: 'machine code' };
/** A seed with which the wild neighbour does not end itself soon. */
const LONG_LIVED = 2;
/** The serial line of the wild neighbour, which may keep it busy. */
const WILD_LINE = 2;
/** Stands in the data of the wild neighbour where its seed goes. */
const SEED = 0x5eed0bad;

/**
 * Programs of several cases at once, beside a bystander, a wild environment, and one that forces its way in. Each must end as it does alone, and is a
 * neighbour of the others.
 */
export function besideNeighbours(form: ProgramForm, cases: readonly ProgramCase[]): Case {
  const name = `programs of every interface beside each other, a wild environment, and one that forces its way in (${FORMS[form]})`;
  return {
    subject: 'neighbours',
    name,
    needs: cases.flatMap(({ needs }) => needs),
    form,
    run: (setting) => {
      const tasks = cases.map((one) => {
        const place = { ...setting.place, name: `${one.subject}: ${one.name}` };
        return { place, task: one.task({ ...setting, place }) };
      });
      const programs = tasks.map(({ task }) => imageOf(setting, task.program));
      const devices = devicesFor(tasks.flatMap(({ task }) => task.program.needs));
      const machine = setting.boot([...programs, bystander(), wild(LONG_LIVED), stranger(ENTERED)], devices);
      tasks.forEach(({ place, task }, id) => {
        judge({ ...setting, place }, machine, task, id);
      });
      expectUnharmed(setting, machine, programs.length);
      expectOthersBlocks(setting, devices);
    },
  };
}

/** That the bystander ends as if it were alone. Throws `ConformanceError` `neighbour`. */
export function expectUnharmed(setting: Setting, machine: ConformanceMachine, id: number): void {
  runUntil(machine, () => machine.environment(id).ending !== undefined);
  const { exit, ending = 'still running' } = machine.environment(id);
  if (exit === UNHARMED) return;
  const what = 'how an environment beside it ended';
  throw failure(setting, { code: 'neighbour', what, expected: `exited with ${UNHARMED}`, found: ending });
}

/** Images that were made: compiling one takes longer than running it. */
const MADE = new Map<string, Image>();

function once(name: string, make: () => Image): Image {
  const image = MADE.get(name) ?? make();
  MADE.set(name, image);
  return image;
}

/** An environment that looks after its own memory for a while. */
export function bystander(): Image {
  return once('bystander', () => compiledLibOs([], compiledLibrary('bystander', Uint8Array.from(BYSTANDER))).alone());
}

/** An environment that makes any system call with any arguments, without end. */
function wild(seed: number): Image {
  return once(`wild ${seed}`, () => {
    const bytes = Uint8Array.from(WILD);
    const view = new DataView(bytes.buffer);
    let at = 0;
    while (view.getUint32(at, true) !== SEED) at += 1;
    view.setUint32(at, Math.imul(seed, 0x9e3779b1) | 1, true);
    const libos = compiledLibOs([], compiledLibrary('wild', bytes));
    return libos.alone({ name: `wild ${seed}`, tap: true, serialLine: WILD_LINE });
  });
}

/** Where the stranger counts. */
const COUNT = UKIT.libos;
/** Registers that it lies in: all that its next transfer does not need. */
const LIES = [A0, A1, A2, A3, T1, ...Array.from({ length: 8 }, (_, i) => register(S0 + i))];

/** An environment that enters the first `targets` environments, a power of two, by protected control transfer, of either kind, with a lie in every register. */
function stranger(targets: number): Image {
  const runtime = assembleRuntime({
    resumes: [],
    emit: (a) => {
      // Wherever it comes back, it goes on with the next.
      a.label('stranger');
      a.lw(T0, COUNT, ZERO);
      a.nop();
      a.addiu(T0, T0, 1);
      a.sw(T0, COUNT, ZERO);
      a.andi(V1, T0, targets - 1);
      a.andi(T0, T0, targets);
      for (const r of LIES) a.li(r, 0x123);
      a.bnez(T0, 'stranger.transfer');
      a.li(V0, CALLS.scall.number);
      a.li(V0, CALLS.acall.number);
      a.label('stranger.transfer');
      a.syscall(0);
      a.j('stranger');
      a.nop();
    },
  });
  return buildImage({
    name: 'stranger',
    libos: 'none',
    runtime,
    entry: address(runtime, 'stranger'),
    pages: [],
    handlers: {},
    natives: () => [],
    placement: {},
    prologue: 'stranger',
    syncEntry: 'stranger',
    asyncEntry: 'stranger',
  });
}
