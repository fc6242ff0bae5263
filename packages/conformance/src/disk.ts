/**
 * The disk of `files`: what has been answered is there in the next life, also where power was lost at some write. Two programs follow each other on
 * one disk, each on a machine of its own.
 */
import type { InterfaceName } from '@exokernel/libos-kit';
import {
  compiledTask,
  expectOthersBlocks,
  failure,
  fiberTask,
  imageOf,
  runTask,
  runUntil,
  type Case,
  type ProgramForm,
  type Setting,
  type Task,
} from './case.ts';
import { newDisk } from './devices.ts';
import { bytesOf, listed, patternOf } from './files.ts';

const NEEDS: readonly ['files'] = ['files'];
const FORMS: Readonly<Record<ProgramForm, string>> = { fiber: 'TypeScript', machine: 'compiled' };
/** Ticks after which power is lost: while the disk is formatted, and while files grow. */
const CUTS = [3, 17, 31, 46];
const [A_NEXT_LIFE, POWER] = [
  'files are there in the next life',
  'power is lost at some write: what was answered is there, and nothing by half',
];

/** Programs of two lives. */
interface Lives {
  readonly first: Task;
  readonly second: Task;
}

/** What the files of the first life are, as far as they were answered; and with the call that is under way. */
interface Answered {
  is: string;
  next: string;
}

function diskCase(name: string, form: ProgramForm, run: (setting: Setting) => void): Case {
  const needs: readonly InterfaceName[] = NEEDS;
  return { subject: 'disk', name: `${name} (${FORMS[form]})`, needs, form, run };
}

/** The second life follows when the first has ended. */
function inTurn(form: ProgramForm, lives: (setting: Setting) => Lives): Case {
  return diskCase(A_NEXT_LIFE, form, (setting) => {
    const disk = newDisk();
    const { first, second } = lives(setting);
    runTask(setting, first, { disk });
    runTask(setting, second, { disk });
  });
}

/** The second life follows when the first has lost its power. */
function cut(form: ProgramForm, lives: (setting: Setting) => Lives): Case {
  return diskCase(POWER, form, (setting) => {
    for (const ticks of CUTS) {
      const disk = newDisk();
      const { first, second } = lives(setting);
      const machine = setting.boot([imageOf(setting, first.program)], { disk });
      runUntil(machine, () => first.failure?.() !== undefined || machine.environment(0).ending !== undefined, ticks);
      const known = first.failure?.();
      if (known !== undefined) throw known;
      const { exit, ending } = machine.environment(0);
      if (ending !== undefined && exit !== 0) {
        const told = exit === undefined ? undefined : first.explain?.(exit);
        const what = 'how the program ended whose power is lost';
        throw failure(setting, told ?? { code: 'end', what, expected: 'not yet', found: ending });
      }
      machine.powerCut?.();
      expectOthersBlocks(setting, { disk });
      runTask(setting, second, { disk });
    }
  });
}

export const DISK: readonly Case[] = [
  inTurn('fiber', (setting) => {
    let list: string | number = '';
    return {
      first: fiberTask(setting, A_NEXT_LIFE, NEEDS, function* ({ files }, check) {
        const gone = yield* files.create('gone');
        const a = yield* files.create('a');
        const b = yield* files.create('b');
        check.is('append of 5000 bytes', yield* files.append(a, patternOf(5000)), 5000);
        check.is('append of 10 bytes', yield* files.append(b, patternOf(10)), 10);
        check.is('remove', yield* files.remove(gone), 0);
        list = yield* listed(files);
      }),
      second: fiberTask(setting, A_NEXT_LIFE, NEEDS, function* ({ files }, check) {
        check.is('list in the next life', yield* listed(files), list);
        const a = yield* files.find('a');
        check.is('the bytes of a', yield* bytesOf(files, a), patternOf(5000).join());
        check.is('append of 10 bytes more', yield* files.append(a, patternOf(10)), 10);
        check.is('size after that', yield* files.size(a), 5010);
      }),
    };
  }),
  inTurn('machine', () => ({ first: compiledTask('disk', 'grows'), second: compiledTask('disk', 'whole') })),
  cut('fiber', (setting) => {
    const answered: Answered = { is: '', next: '' };
    return { first: grows(setting, answered), second: grown(setting, answered) };
  }),
  cut('machine', () => ({ first: compiledTask('disk', 'grows'), second: compiledTask('disk', 'grown') })),
];

/** Files come, grow and go. What they are is written down before each call, and after it. */
function grows(setting: Setting, answered: Answered): Task {
  return fiberTask(setting, POWER, NEEDS, function* ({ files }, check) {
    const model = new Map<string, string>();
    const text = (): string => [...model].map(([name, bytes]) => `${name}=${bytes}`).join('; ');
    for (let i = 0; i < 200; i += 1) {
      const name = `file ${i}`;
      model.set(name, '');
      answered.next = text();
      const file = yield* files.create(name);
      check.isBetween('create', file, 1, 0x7fffffff);
      answered.is = text();
      const bytes = patternOf(100 + ((i * 331) % 1500), i);
      model.set(name, bytes.join());
      answered.next = text();
      check.is(`append of ${bytes.length} bytes`, yield* files.append(file, bytes), bytes.length);
      answered.is = text();
      const old = `file ${i - 3}`;
      if (!model.delete(old)) continue;
      answered.next = text();
      check.is('remove', yield* files.remove(yield* files.find(old)), 0);
      answered.is = text();
    }
  });
}

/** What there is in the next life is what was answered, with or without the call that was under way. */
function grown(setting: Setting, answered: Answered): Task {
  return fiberTask(setting, POWER, NEEDS, function* ({ files }, check) {
    const entries = yield* files.list();
    if (typeof entries === 'number') {
      check.is('list in the next life', entries, 'a list');
      return;
    }
    const found: string[] = [];
    for (const { file, name } of entries) found.push(`${name}=${yield* bytesOf(files, file)}`);
    const now = found.join('; ');
    check.is('the files of the next life', now, now === answered.next ? answered.next : answered.is);
  });
}
