/**
 * Native functions of environments: TypeScript that a library operating system brings, host objects that no table can hold.
 *
 * The kernel installs those of an environment in the address space that it has at the time. A machine with an environment that
 * has some cannot be saved (saved.ts). Those that its children are to get are made by its factory.
 */
import type { NativeFactory, NativeFunction } from '@exokernel/abi';

/** Installs native functions in an address space; an empty list removes them. */
export type InstallNatives = (asid: number, functions: readonly NativeFunction[]) => void;

interface Environment {
  readonly factory: NativeFactory;
  readonly functions: readonly NativeFunction[];
}

export class Natives {
  readonly #install: InstallNatives;
  /** Of the living that have a factory. */
  readonly #environments = new Map<number, Environment>();

  constructor(install: InstallNatives) {
    this.#install = install;
  }

  /** A new environment. Throws what the factory throws. */
  enter(env: number, factory: NativeFactory | undefined): void {
    if (factory !== undefined) this.#environments.set(env, { factory, functions: factory(env) });
  }

  leave(env: number): void {
    this.#environments.delete(env);
  }

  factory(env: number): NativeFactory | undefined {
    return this.#environments.get(env)?.factory;
  }

  /** An environment has got an ASID, or an ASID has become free. */
  install(asid: number, env: number): void {
    this.#install(asid, this.#environments.get(env)?.functions ?? []);
  }

  remove(asid: number): void {
    this.#install(asid, []);
  }

  /** The living environments that have native functions. */
  get used(): readonly number[] {
    return [...this.#environments].filter(([, { functions }]) => functions.length > 0).map(([env]) => env);
  }

  /** Others live now than were entered here, and they have none. */
  restored(): void {
    this.#environments.clear();
  }
}
