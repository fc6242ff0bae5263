/**
 * Revocation: the kernel asks for frames, or for slices, while a program runs. The library operating system gives some (frames it pages in again), or keeps
 * silent and loses them. Either way the program finds its data as they were, or it ends; it never reads something else.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import type { Placement } from '@exokernel/libos-kit';
import {
  compiledCase,
  failure,
  fiberCase,
  framesOf,
  imageOf,
  runUntil,
  type Case,
  type ProgramCase,
  type Setting,
} from './case.ts';
import { devicesFor } from './devices.ts';
import type { ConformanceMachine } from './machine.ts';
import { bystander, expectUnharmed } from './neighbours.ts';

const PAGES = 24;

/** What is asked back. */
interface Resource {
  readonly of: 'frames' | 'slices';
  readonly revoke: (machine: ConformanceMachine, count: number) => void;
  /** Ticks after which it is asked for, and how many. */
  readonly requests: readonly (readonly [ticks: number, count: number])[];
  readonly placement: Placement;
}

/** In the end for all. */
const FRAMES: Resource = {
  of: 'frames',
  revoke: (machine, count) => {
    machine.revoke(0, count);
  },
  requests: [
    [4, 6],
    [8, 6],
    [12, 1000],
  ],
  placement: {},
};
/** It keeps one: without it, it would never run again. */
const SLICES: Resource = {
  of: 'slices',
  revoke: (machine, count) => {
    machine.revokeSlices(0, count);
  },
  requests: [
    [4, 1],
    [8, 1],
  ],
  placement: { slices: 3 },
};

const NAME = ' are asked back while the program runs: its data stay what they were, or it ends';

const holds = fiberCase(`frames${NAME}`, ['memory', 'clock'], function* ({ memory, clock }, check) {
  const at = yield* memory.allocate(PAGES * PAGE_BYTES);
  check.isBetween('allocate(98304)', at, PAGE_BYTES, 0x7fffffff);
  for (let i = 0; i < PAGES; i += 1) yield* memory.store(at + i * PAGE_BYTES, i + 1);
  const until = (yield* clock.ticks()) + 18;
  while ((yield* clock.ticks()) < until) {
    for (let i = 0; i < PAGES; i += 1) check.is('a word of memory', yield* memory.load(at + i * PAGE_BYTES), i + 1);
  }
});

export const REVOCATION: readonly Case[] = [FRAMES, SLICES].flatMap((resource) =>
  [holds, compiledCase('revocation', 'holds')].map((one) => ({
    ...one,
    name: one.name.replace('frames', resource.of),
    subject: 'revocation' as const,
    run: (setting: Setting) => {
      runRevoked(setting, one, resource);
    },
  })),
);

function runRevoked(setting: Setting, { task, needs }: ProgramCase, { requests, revoke, placement }: Resource): void {
  const { program, failure: failed, explain } = task(setting);
  const images = [imageOf(setting, program, placement), bystander()];
  const machine = setting.boot(images, devicesFor(needs));
  const free = images.reduce((sum, image) => sum + framesOf(image), machine.framesFree());
  let ticks = 0;
  const hasEnded = runUntil(machine, () => {
    const request = requests.find(([at]) => at === ticks);
    if (request !== undefined) revoke(machine, request[1]);
    ticks += 1;
    return failed?.() !== undefined || machine.environment(0).ending !== undefined;
  });
  const known = failed?.();
  if (known !== undefined) throw known;
  const { exit } = machine.environment(0);
  const told = exit === undefined ? undefined : explain?.(exit);
  if (told !== undefined) throw failure(setting, told);
  if (!hasEnded) {
    const what = 'a program of which something is asked back';
    throw failure(setting, { code: 'time', what, expected: 'an end', found: 'still running' });
  }
  expectUnharmed(setting, machine, 1);
  const kept = free - machine.framesFree();
  if (kept !== 0) throw failure(setting, { code: 'frames', what: 'frames not given back', expected: 0, found: kept });
}
