/**
 * Programs on a WebAssembly host. Nothing here allocates per run: the exports are called directly (to-wasm/leaf.ts says what they are).
 *
 * The `WebAssembly` object is the host's; its few members that are used are declared here because the language's library
 * does not know them.
 */
import { moduleOf } from '../from-program/translate.ts';
import { VcodeError } from '../program/error.ts';
import type { Program } from '../program/ir.ts';
import { prepareOnce } from '../ir/prepare.ts';
import { leafToWasm } from '../to-wasm/leaf.ts';
import { hasBound } from './bounds.ts';
import { compiledOf } from './mips.ts';

/** How a program is compiled for the host. */
export interface WasmOptions {
  /**
   * False leaves out all charging: `fuel()` gives 0 and runs do not abort for it. Allowed only for programs whose loops all
   * have a static bound, which end by themselves.
   */
  readonly metered?: boolean;
}

/** Compiles a program. Throws `VcodeError` `malformed`, `limit`, or `unbounded` (an unmetered `while`). */
export function compileWasm(program: Program, { metered = true }: WasmOptions = {}): Uint8Array<ArrayBuffer> {
  const module = prepareOnce(moduleOf(program));
  if (!metered && !hasBound(module)) {
    throw new VcodeError('unbounded', `${program.name} has a while loop: it cannot run without fuel`);
  }
  return leafToWasm(module, metered ? compiledOf(program).costs : undefined);
}
/** A WebAssembly memory, as the host gives it. */
export interface HostMemory {
  readonly buffer: ArrayBuffer;
}

interface HostWebAssembly {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  readonly Memory: new (limits: { readonly initial: number }) => HostMemory;
}

declare const WebAssembly: HostWebAssembly;

/** A program as WebAssembly, over a memory. */
export interface Instance {
  readonly memory: HostMemory;
  /**
   * `run(fuel, base, length, …, parameter, …)`: for each region its place in the memory, then the parameters. Returns the
   * value as a signed number: `>>> 0` makes it the u32. All arguments must be given; regions must lie in the memory.
   */
  readonly run: (fuel: number, ...binding: number[]) => number;
  /** How the last run ended: 0, or an abort code. */
  readonly status: () => number;
  /** What the last run left of its fuel. */
  readonly fuel: () => number;
  /**
   * For programs with one region and no parameters: a run for each of `count` pairs of words {base, length} at
   * `descriptors`; values go to words at `results`. Returns how many runs aborted (their value is 0).
   */
  readonly runEach: ((fuel: number, descriptors: number, count: number, results: number) => number) | undefined;
}

/** A new memory of at least this many bytes. */
export function createMemory(bytes: number): HostMemory {
  const pages = Math.ceil(bytes / 65536);
  if (!Number.isInteger(pages) || pages < 0 || pages > 65536) {
    throw new VcodeError('argument', `${bytes} bytes are no size of a memory`, { bytes });
  }
  return new WebAssembly.Memory({ initial: pages });
}

/** Compiles and instantiates a program over a memory. Throws like `compileWasm`. */
export function instantiate(program: Program, memory: HostMemory, options?: WasmOptions): Instance {
  const module = new WebAssembly.Module(compileWasm(program, options));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { run, status, fuel, runEach } = exports as Omit<Instance, 'memory'>;
  return { memory, run, status, fuel, runEach };
}
