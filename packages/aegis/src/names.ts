/**
 * What people call environments: labels of the host, of which the kernel knows nothing. They go through a snapshot beside the
 * memory.
 */
import { ENV_LIMIT } from '@exokernel/abi';
import type { StateStream } from '@exokernel/hardware';

/** Its own name, that of the image it stems from, and the library operating system. */
export interface EnvironmentNames {
  readonly name: string;
  readonly family: string;
  readonly libos: string;
}

type Entry = readonly [env: number, names: EnvironmentNames];

export class Names {
  #names: ReadonlyMap<number, EnvironmentNames> = new Map();
  /** Those that were read, until everything else is in place. */
  #read: ReadonlyMap<number, EnvironmentNames> = new Map();

  of(env: number): EnvironmentNames {
    return this.#names.get(env) ?? { name: `environment ${env}`, family: 'environment', libos: 'none' };
  }

  set(env: number, names: EnvironmentNames): void {
    this.#names = new Map([...this.#names, [env, names]]);
  }

  /** A new tenant of record `env` is named after its parent. */
  created(env: number, parent: number): void {
    const names = this.#names.get(parent);
    const others = [...this.#names].filter(([other]) => other !== env);
    this.#names = new Map(
      names === undefined ? others : [...others, [env, { ...names, name: `${names.family}/${env}` }]],
    );
  }

  state(s: StateStream): void {
    const entries = s.list<Entry>([...this.#names], (entry) => {
      const [env, { name, family, libos }] = entry ?? [0, this.of(0)];
      return [s.integer(env, 0, ENV_LIMIT - 1), { name: s.text(name), family: s.text(family), libos: s.text(libos) }];
    });
    if (s.reads) this.#read = new Map(entries);
  }

  /** Those that were read are true now. */
  restored(): void {
    this.#names = this.#read;
  }
}
