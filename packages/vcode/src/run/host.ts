/** An instance that runs as WebAssembly on the host. The `WebAssembly` object is the host's; what is used of it is declared here. */
import { ABORT_BOUNDS, RETURNED } from '../ir/abort.ts';
import type { Module } from '../ir/ir.ts';
import { VcodeError } from '../program/error.ts';
import { FUNCTION, GLOBAL, IMPORT, moduleToWasm } from '../to-wasm/module.ts';
import {
  checkCall,
  initialMemory,
  mostBytes,
  PAGE,
  STACK_BYTES,
  type Allowance,
  type ModuleInstance,
  type InstanceOptions,
  type Outcome,
  type Value,
} from './instance.ts';

interface HostGlobal {
  value: Value;
}
interface HostWebAssembly {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
  readonly RuntimeError: new () => Error;
}
type HostExports = Readonly<Record<string, HostGlobal | ((...values: Value[]) => unknown)>>;
declare const WebAssembly: HostWebAssembly;

/** Compiles and instantiates a module. Throws `VcodeError` for one that does not compile, or data outside its memory. */
export function instantiateModule(module: Module, options: InstanceOptions = {}): ModuleInstance {
  const instance = new HostInstance(module, options);
  if (module.start !== undefined) instance.start(module.start);
  return instance;
}

class HostInstance implements ModuleInstance {
  readonly #module: Module;
  readonly #memory: { readonly buffer: ArrayBuffer };
  readonly #exports: HostExports;

  constructor(module: Module, options: InstanceOptions) {
    this.#module = module;
    const most = mostBytes(module, options) / PAGE;
    this.#memory = new WebAssembly.Memory({ initial: module.memory?.pages ?? 0, maximum: Math.max(most, 1) });
    initialMemory(module, new Uint8Array(this.#memory.buffer));
    const env: Record<string, unknown> = { memory: this.#memory };
    module.imports.forEach((one, i) => {
      const host = options.imports?.[`${one.module}.${one.name}`];
      env[`${IMPORT}${i}`] = (...values: Value[]): unknown => {
        if (host === undefined) throw new VcodeError('argument', `the import ${one.module}.${one.name} is not given`);
        const results = host(...values.map(unsigned)).map(signed);
        return one.results.length === 1 ? results[0] : results;
      };
    });
    const compiled = new WebAssembly.Module(moduleToWasm(module));
    this.#exports = new WebAssembly.Instance(compiled, { env }).exports as HostExports;
    this.#global('most').value = most;
  }

  memory(): Uint8Array {
    return new Uint8Array(this.#memory.buffer);
  }

  global(index: number): Value {
    return unsigned(this.#global(`${GLOBAL}${index}`).value);
  }

  call(name: string, values: readonly Value[], allowance: Allowance): Outcome {
    return this.#run(checkCall(this.#module, name, values, allowance), values, allowance);
  }

  start(index: number): void {
    const { status } = this.#run(index, [], { fuel: 0x7fffffff });
    if (status !== RETURNED) throw new VcodeError('argument', `the start function aborts with ${status}`, { status });
  }

  #global(name: string): HostGlobal {
    return this.#exports[name] as HostGlobal;
  }

  #run(index: number, values: readonly Value[], { fuel, stack = STACK_BYTES }: Allowance): Outcome {
    const [left, status] = [this.#global('fuel'), this.#global('status')];
    left.value = fuel;
    status.value = RETURNED;
    this.#global('stack').value = stack;
    const run = this.#exports[`${FUNCTION}${index}`] as (...given: Value[]) => unknown;
    try {
      const given = run(...values.map(signed));
      const results = given === undefined ? [] : Array.isArray(given) ? (given as Value[]) : [given as Value];
      return { values: results.map(unsigned), status: RETURNED, fuel: left.value };
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      // What the module itself did not refuse, the engine did: an access outside the memory.
      return { values: [], status: status.value || ABORT_BOUNDS, fuel: left.value };
    }
  }
}

const unsigned = (value: Value): Value => (typeof value === 'bigint' ? BigInt.asUintN(64, value) : value >>> 0);
const signed = (value: Value): Value => (typeof value === 'bigint' ? BigInt.asIntN(64, value) : value | 0);
