/**
 * What a snapshot of the machine needs of the kernel beside the memory, in which all its state is.
 *
 * Native functions are host objects and cannot be saved: while a living environment has some, a machine is neither saved nor
 * restored. When a snapshot's memory is in place, what the kernel derived from it is made again (docs/kernel.md, "State").
 */
import { HardwareError, type Stateful, type StateStream } from '@exokernel/hardware';
import { blake2s } from '@noble/hashes/blake2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { AegisError } from './error.ts';
import { kernelImage } from './kernel-image.ts';
import type { Names } from './names.ts';
import type { Natives } from './natives.ts';
import { TABLES } from './tables.ts';

let made: string | undefined;

/** A hash of the kernel's text and tables, which are the same for every machine. */
function kernelHash(): string {
  if (made === undefined) {
    const tables = Uint8Array.from(JSON.stringify(TABLES), (letter) => letter.charCodeAt(0));
    const text = new Uint8Array(kernelImage().words.buffer);
    made = bytesToHex(blake2s.create({ dkLen: 8 }).update(text).update(tables).digest());
  }
  return made;
}

/** The kernel as a part of a machine that is saved. */
export class SavedKernel implements Stateful {
  /** Which kernel it is: one with another text or other tables is not taken up by this one. */
  readonly description: string;
  readonly #natives: Natives;
  readonly #names: Names;
  readonly #derived: readonly { restored(): void }[];

  /** `derived` are the parts that derive something from the tables. */
  constructor(natives: Natives, names: Names, derived: readonly { restored(): void }[]) {
    this.description = `Aegis ${kernelHash()}`;
    this.#natives = natives;
    this.#names = names;
    this.#derived = derived;
  }

  /** Throws `AegisError` `fibers`. */
  state(s: StateStream): void {
    const [env] = this.#natives.used;
    if (env !== undefined) {
      const { name } = this.#names.of(env);
      const message = `environment ${env} (${name}) has native functions, which no snapshot holds: replay its inputs instead`;
      throw new AegisError('fibers', message, { env, name });
    }
    this.#names.state(s);
  }

  /** Throws `HardwareError` `snapshot` if the tables hold what cannot be. */
  restored(): void {
    try {
      for (const part of [...this.#derived, this.#natives, this.#names]) part.restored();
    } catch (cause) {
      throw new HardwareError('snapshot', 'the tables of the kernel hold what cannot be', {}, { cause });
    }
  }
}
