/** For tests of the kernel's parts: a kernel whose environments do not run. What they would call is called for them. */
import { DISK, ENV, ENV_STATUS, type NativeCpu } from '@exokernel/abi';
import { Machine } from '@exokernel/hardware';
import { expect } from 'vitest';
import { memoryFor } from '../../testkit/src/index.ts';
import { Aegis } from '../src/index.ts';
import { PHYSICAL } from '../src/layout.ts';

/** Registers of devices that say nothing and take everything. */
export const CPU: NativeCpu = {
  registers: new Int32Array(32),
  load8: () => 0,
  load16: () => 0,
  load32: () => 0,
  store8: () => undefined,
  store16: () => undefined,
  store32: () => undefined,
  read: () => undefined,
  write: () => undefined,
  probe: () => false,
  charge: () => undefined,
  jump: () => undefined,
};

/** How many blocks the disk has. */
export const BLOCKS = 4096;

export class World {
  readonly aegis: Aegis;
  readonly parts: Aegis['parts'];
  readonly #frames = new Map<number, number>();

  #names = 0;

  /** `free`: how many frames are free. */
  constructor(free = 2600) {
    this.aegis = new Aegis(new Machine({ ramBytes: memoryFor(free), engine: 'interpreter' }));
    this.parts = this.aegis.parts;
    this.parts.memory.set(PHYSICAL.disk + DISK.blocks, BLOCKS);
  }

  /** A started environment of a maker, or of the loader. Returns its number or an error. */
  born(parent: number): number {
    const { environments, frames, memory } = this.parts;
    const env = environments.allocate(parent, undefined);
    if (env < 0) return env;
    const ppn = frames.allocate(env, -1);
    environments.map(env, ppn, 0x1000, { writable: true, pages: [ENV.uPage], node: 0, envNode: 0 });
    this.#frames.set(env, ppn);
    for (const [field, value] of [
      [ENV.prologue, 0x2000],
      [ENV.status, ENV_STATUS.runnable],
    ] as const) {
      expect(environments.set(env, field, value)).toBe(0);
    }
    expect(memory.env(env, ENV.frames)).toBe(1);
    return env;
  }

  /** The frame that an environment was born with. */
  frame(env: number): number {
    return this.#frames.get(env) ?? -1;
  }

  /** A number that was not given before. */
  fresh(): number {
    this.#names += 1;
    return this.#names;
  }

  family(env: number): number {
    return this.parts.families.of(env);
  }
}
