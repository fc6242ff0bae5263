/** A machine with Aegis on it, for tests: load images, run until something holds, look at the outcome. */
import { DEATHS, ENV, ENV_BYTES, EXPOSED, GUARANTEED_LIMIT, PAGE_BYTES, type Image } from '@exokernel/abi';
import { Aegis, type EnvironmentInfo } from '@exokernel/aegis';
import { FIRST_FREE_FRAME, KP, kernelPageAddress, tablesAt } from '@exokernel/aegis/inside';
import { EVENT_KINDS, Machine, type MachineOptions } from '@exokernel/hardware';
import { BystanderWatch, bystander } from './bystander.ts';
import { rawImage, type Raw, type RawOptions } from './raw.ts';
import type { Fiber } from '@exokernel/libos-kit';
import { KSEG0 } from '@exokernel/isa';

/** Status.KUc. */
const USER_MODE = 2;
/** Cycles between two looks: 1 ms of the machine. */
const STEP = 25_000;

/** A machine that runs Aegis. */
export interface Booted {
  readonly machine: Machine;
  readonly aegis: Aegis;
  /** What came out of each serial line. */
  serial(line: number): string;
  /** Runs until `done` or for `seconds` of machine time (default 10). Returns whether it was done. */
  runUntil(done: () => boolean, seconds?: number): boolean;
  /** Runs until all these environments are dead. Throws if they are not in time. */
  finish(...envs: number[]): EnvironmentInfo[];
  /** A word of an environment's u-page by its address there; 0 once the page is gone. */
  uWord(env: number, address: number): number;
  /** A word of any page that is a guaranteed mapping of an environment; 0 once it is gone. */
  word(env: number, va: number): number;
  /** Notes from now on who runs in user mode, from which cycle on. */
  watch(): { readonly env: number; readonly from: number }[];
}

/** Boots a machine with the given images. `secret` seeds the kernel's key. */
export function boot(
  images: readonly Image[],
  options: Omit<MachineOptions, 'serial'> = {},
  secret?: Uint8Array,
): Booted {
  const lines = ['', '', '', ''];
  const machine = new Machine({
    ...options,
    serial: (line, byte) => {
      lines[line] = (lines[line] ?? '') + String.fromCharCode(byte);
    },
  });
  const aegis = new Aegis(machine, secret === undefined ? {} : { secret });
  for (const image of images) aegis.load(image);
  const runUntil = (done: () => boolean, seconds = 10): boolean => {
    const limit = machine.cycles + seconds * machine.hz;
    while (!done() && machine.cycles < limit) machine.run(STEP);
    return done();
  };
  return {
    machine,
    aegis,
    serial: (line) => lines[line] ?? '',
    runUntil,
    finish: (...envs) => {
      const ended = runUntil(() => envs.every((env) => aegis.environment(env).status === 'dead'));
      const outcome = envs.map((env) => aegis.environment(env));
      if (!ended)
        throw new Error(
          `still running: ${outcome
            .filter((e) => e.status !== 'dead')
            .map((e) => e.name)
            .join()}`,
        );
      return outcome;
    },
    uWord: (env, address) => {
      const uPage = machine.memory.load32(EXPOSED.environments + env * ENV_BYTES + ENV.uPage);
      return uPage === 0 ? 0 : machine.memory.load32(uPage - KSEG0 + (address % PAGE_BYTES)) | 0;
    },
    word: (env, va) => {
      const { memory } = aegis.parts;
      for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
        const at = ENV.guaranteed + 8 * slot;
        if (memory.env(env, at) >>> 12 !== va >>> 12 || memory.env(env, at) === 0) continue;
        const ppn = memory.env(env, at + 4) >>> 12;
        return machine.memory.load32(ppn * PAGE_BYTES + (va % PAGE_BYTES)) | 0;
      }
      return 0;
    },
    watch: () => {
      const turns: { env: number; from: number }[] = [];
      machine.listen((kind, cycle, a) => {
        if (kind !== EVENT_KINDS.return.kind || (a & USER_MODE) === 0) return;
        const env = aegis.parts.memory.current;
        if (turns.at(-1)?.env !== env) turns.push({ env, from: cycle });
      });
      return turns;
    },
  };
}

/** Bytes of memory with which so many frames are free when nothing is loaded. */
export function memoryFor(frames: number): number {
  const first = FIRST_FREE_FRAME + frames;
  let ramBytes = PAGE_BYTES * first;
  while (tablesAt(ramBytes) < PAGE_BYTES * first) ramBytes += PAGE_BYTES;
  return ramBytes;
}

/** What the kernel programs its clock with, as the instruction `li t1, 0x2a`: 64 Hz. */
const CLOCK_AT_64_HZ = 0x2409002a;
/** Rates of the MC146818 by their selection in register A. */
const RATES = new Map([
  [8192, 3],
  [4096, 4],
  [2048, 5],
  [1024, 6],
]);

/** Makes a machine that has not run yet tick faster than the kernel's 64 Hz, so that slices end everywhere. */
export function quicken({ machine }: Booted, hertz: 8192 | 4096 | 2048 | 1024): void {
  const { memory } = machine;
  const words = new Int32Array(memory.read(0, new Uint8Array(PAGE_BYTES * FIRST_FREE_FRAME)).buffer);
  const at = words.indexOf(CLOCK_AT_64_HZ);
  if (at < 0 || words.indexOf(CLOCK_AT_64_HZ, at + 1) >= 0) throw new Error('the kernel sets its clock otherwise');
  memory.store32(4 * at, CLOCK_AT_64_HZ - 0x0a + (RATES.get(hertz) ?? 0));
  memory.store32(kernelPageAddress(KP.quantum) - KSEG0, Math.ceil(machine.hz / hertz));
}

/** The exit word of an environment that ended by itself; throws with the reason if it did not. */
export function exitOf(env: EnvironmentInfo): number {
  if (env.status !== 'dead') throw new Error(`${env.name} is ${env.status}`);
  if (env.death !== DEATHS.exit) throw new Error(`${env.name} ${env.cause?.text ?? ''}`);
  return env.exit;
}

/**
 * Boots a machine with one raw environment (number 0), whatever else is given and a bystander, and runs until the first has
 * ended by itself. An error that its fiber threw is thrown here, and whatever happened to the bystander. `alone`: without
 * it, for a test that counts all environments, slices or frames.
 */
export function runRaw(
  main: (raw: Raw) => Fiber<number>,
  options: Omit<RawOptions, 'main'> & { readonly alone?: boolean } = {},
  others: readonly Image[] = [],
  machine: Omit<MachineOptions, 'serial'> = {},
): Booted {
  const { alone = false, ...raw } = options;
  // The environment meets the error as an exception, and may go on and cause others.
  const thrown: unknown[] = [];
  function* watched(of: Raw): Fiber<number> {
    try {
      return yield* main(of);
    } catch (error) {
      thrown.push(error);
      throw error;
    }
  }
  const booted = boot([rawImage({ ...raw, main: watched }), ...others], machine);
  const watch = alone ? undefined : new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const ended = booted.runUntil(() => {
    watch?.look();
    return booted.aegis.environment(0).status === 'dead';
  });
  if (thrown.length > 0) throw thrown[0];
  const { lastError } = booted.machine.native;
  if (lastError !== undefined) throw lastError.error;
  if (!ended) throw new Error('the raw environment is still running');
  exitOf(booted.aegis.environment(0));
  const damage = watch?.damage() ?? [];
  if (damage.length > 0) throw new Error(damage.join('; '));
  return booted;
}
