/**
 * Revocation: the kernel asks for frames while a program runs. The library operating system gives some and pages them in again, or keeps silent and
 * loses them. Either way the program finds its data as they were, or it ends; it never reads something else.
 */
import { PAGE_BYTES } from '@exokernel/abi';
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
import { bystander, expectUnharmed } from './neighbours.ts';

const PAGES = 24;
/** Ticks after which it is asked, and for how many frames; in the end for all. */
const REQUESTS = [
  [4, 6],
  [8, 6],
  [12, 1000],
] as const;

const holds = fiberCase(
  'frames are asked back while the program runs: its data stay what they were, or it ends',
  ['memory', 'clock'],
  function* ({ memory, clock }, check) {
    const at = yield* memory.allocate(PAGES * PAGE_BYTES);
    check.isBetween('allocate(98304)', at, PAGE_BYTES, 0x7fffffff);
    for (let i = 0; i < PAGES; i += 1) yield* memory.store(at + i * PAGE_BYTES, i + 1);
    const until = (yield* clock.ticks()) + 24;
    while ((yield* clock.ticks()) < until) {
      for (let i = 0; i < PAGES; i += 1) check.is('a word of memory', yield* memory.load(at + i * PAGE_BYTES), i + 1);
    }
  },
);

export const REVOCATION: readonly Case[] = [holds, compiledCase('revocation', 'holds')].map((one) => ({
  ...one,
  subject: 'revocation',
  run: (setting) => {
    runRevoked(setting, one);
  },
}));

function runRevoked(setting: Setting, { task }: ProgramCase): void {
  const { program, failure: failed, explain } = task(setting);
  const images = [imageOf(setting, program), bystander()];
  const machine = setting.boot(images);
  const free = images.reduce((sum, image) => sum + framesOf(image), machine.framesFree());
  let ticks = 0;
  const hasEnded = runUntil(machine, () => {
    const request = REQUESTS.find(([at]) => at === ticks);
    if (request !== undefined) machine.revoke(0, request[1]);
    ticks += 1;
    return failed?.() !== undefined || machine.environment(0).ending !== undefined;
  });
  const known = failed?.();
  if (known !== undefined) throw known;
  const { exit } = machine.environment(0);
  const told = exit === undefined ? undefined : explain?.(exit);
  if (told !== undefined) throw failure(setting, told);
  if (!hasEnded) {
    const what = 'a program whose frames are asked back';
    throw failure(setting, { code: 'time', what, expected: 'an end', found: 'still running' });
  }
  expectUnharmed(setting, machine, 1);
  const kept = free - machine.framesFree();
  if (kept !== 0) throw failure(setting, { code: 'frames', what: 'frames not given back', expected: 0, found: kept });
}
