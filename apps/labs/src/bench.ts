/**
 * A machine with Aegis on it, and what happens on it between two places of programs, in cycles and instructions.
 *
 * The machine is executed instruction by instruction and looked at from outside, so that measuring leaves no trace in what is
 * measured: no call, no word of memory, no line of a cache. A sample is from when the instruction at `from` is about to be
 * executed until the one at `to` is, with the stalls between. Native functions that ran in it are counted with it.
 */
import { EXCEPTIONS, EXPOSED, type ENV, type Image } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { EVENT_KINDS, Machine } from '@exokernel/hardware';
import type { Claim, Row } from './lab.ts';
import type { Model } from './models.ts';
import { microseconds } from './units.ts';

/** A place in the program of an environment. */
export interface Place {
  readonly env: number;
  readonly pc: number;
}

/** What was executed between two places. */
export interface Sample {
  readonly cycles: number;
  readonly instructions: number;
  /** Native functions of kernel and application that completed, and what they were charged for. */
  readonly natives: number;
  readonly nativeCycles: number;
}

const KUC = 2;
/** A sample that takes longer than this will not end. */
const LIMIT_SECONDS = 2;

/** One machine and its kernel. */
export class Bench {
  readonly model: Model;
  readonly machine: Machine;
  readonly aegis: Aegis;
  readonly serial: string[] = ['', '', '', ''];
  #natives = 0;
  #nativeCycles = 0;
  #interrupts = 0;

  /** `secret` seeds the kernel's key. */
  constructor(model: Model, images: readonly Image[], options: { readonly secret?: Uint8Array } = {}) {
    this.model = model;
    const { serial } = this;
    this.machine = new Machine({
      profile: model,
      ramBytes: 8 * 1024 * 1024,
      serial: (line, byte) => {
        serial[line] = (serial[line] ?? '') + String.fromCharCode(byte);
      },
    });
    this.aegis = new Aegis(this.machine, options);
    for (const image of images) this.aegis.load(image);
    this.machine.listen((kind, _cycle, a, _b, c) => {
      if (kind === EVENT_KINDS.native.kind) {
        this.#natives += 1;
        this.#nativeCycles += c;
      } else if (kind === EVENT_KINDS.exception.kind && a === EXCEPTIONS.interrupt) this.#interrupts += 1;
    });
  }

  /** Runs this long, so that caches and tables are as they are in the long run. */
  settle(seconds: number): void {
    this.machine.run(Math.ceil(seconds * this.machine.hz));
  }

  /** Runs until `done`, in steps of 1/1000 s. Throws if that takes more than `seconds`. */
  until(done: () => boolean, seconds = 10): void {
    const limit = this.machine.cycles + seconds * this.machine.hz;
    while (!done()) {
      if (this.machine.cycles > limit) throw new Error(`not done after ${seconds} s of the machine${this.#dead()}`);
      this.settle(1 / 1000);
    }
  }

  /** Executes instruction by instruction until that at `place` is about to be executed. */
  to(place: Place): void {
    const { machine } = this;
    const limit = machine.cycles + LIMIT_SECONDS * machine.hz;
    while (!this.#isAt(place)) {
      if (machine.cycles > limit)
        throw new Error(`environment ${place.env} does not come to 0x${place.pc.toString(16)}${this.#dead()}`);
      machine.run(1);
    }
  }

  /** The next `count` passages from one place to the other that no interrupt came into. */
  samples(from: Place, to: Place, count: number): Sample[] {
    const { machine } = this;
    const samples: Sample[] = [];
    while (samples.length < count) {
      this.to(from);
      const before = this.#now();
      const interrupts = this.#interrupts;
      machine.run(1);
      this.to(to);
      const after = this.#now();
      if (this.#interrupts !== interrupts) continue;
      samples.push(difference(before, after));
    }
    return samples;
  }

  /** The median, by cycles, of `count` samples. */
  measure(from: Place, to: Place, count: number): Sample {
    const sorted = this.samples(from, to, count).sort((x, y) => x.cycles - y.cycles);
    const middle = sorted[sorted.length >> 1];
    if (middle === undefined) throw new RangeError('no samples');
    const natives = Math.max(...sorted.map((sample) => sample.natives));
    return { ...middle, natives };
  }

  /**
   * The same for long regions: from the system call at `from` to that at `to`, at the machine's full speed. What the first call
   * takes is in the sample. Interrupts too. `look` is called at both.
   */
  between(from: Place, to: Place, seconds: number, look: () => void = () => undefined): Sample {
    const { machine } = this;
    const seen: Sample[] = [];
    const stop = machine.listen((kind, _cycle, code, epc) => {
      if (kind !== EVENT_KINDS.exception.kind || code !== EXCEPTIONS.syscall) return;
      const place = seen.length === 0 ? from : to;
      if (seen.length === 2 || epc !== place.pc || this.current !== place.env) return;
      seen.push(this.#now());
      look();
    });
    this.until(() => seen.length === 2, seconds);
    stop();
    const [before, after] = seen;
    if (before === undefined || after === undefined) throw new Error('not both places were seen');
    return difference(before, after);
  }

  /** The environment whose registers the CPU has. */
  get current(): number {
    return this.aegis.parts.memory.current;
  }

  /** A word of the record of an environment, one of ENV. */
  record(env: number, field: (typeof ENV)[keyof typeof ENV]): number {
    return this.machine.memory.load32(EXPOSED.environments + env * 512 + field) >>> 0;
  }

  /** Which environments have ended, and why. */
  #dead(): string {
    const causes = this.aegis
      .environments()
      .map(({ name, cause }) => (cause === undefined ? '' : `; ${name} ${cause.text}`));
    return causes.join('');
  }

  #isAt({ env, pc }: Place): boolean {
    const { cpu } = this.machine;
    return cpu.pc === pc && (cpu.cp0.status & KUC) !== 0 && this.current === env;
  }

  #now(): Sample {
    const { cycles, instructions } = this.machine;
    return { cycles, instructions, natives: this.#natives, nativeCycles: this.#nativeCycles };
  }
}

function difference(before: Sample, after: Sample): Sample {
  return {
    cycles: after.cycles - before.cycles,
    instructions: after.instructions - before.instructions,
    natives: after.natives - before.natives,
    nativeCycles: after.nativeCycles - before.nativeCycles,
  };
}

/** A sample as a row in µs. `per`: how many operations it was. */
export function timed(
  model: Model,
  what: string,
  sample: Sample,
  published: Partial<Omit<Row, 'what' | 'unit' | 'measured'>>,
  per = 1,
): Row {
  return {
    what,
    unit: 'µs',
    measured: microseconds(model, sample.cycles / per),
    cycles: sample.cycles / per,
    instructions: sample.instructions / per,
    ...published,
  };
}

/** The claim that no native code ran in what was measured, which must be something. */
export function noNatives(samples: readonly Sample[]): Claim {
  const natives = samples.reduce((n, sample) => n + sample.natives, 0);
  return {
    text: `native code ran in no measured region (${samples.length} looked at)`,
    holds: samples.length > 0 && natives === 0,
  };
}
