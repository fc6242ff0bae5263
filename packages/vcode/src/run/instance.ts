/** What every back end of the checked profile gives: an instance of a module, whose memory and globals outlive a run. */
import type { Module } from '../ir/ir.ts';
import { VcodeError } from '../program/error.ts';

/** A word as an unsigned number, or a long as an unsigned bigint. */
export type Value = number | bigint;

/** What a run may use. */
export interface Allowance {
  /** 0 to 2^31 - 1. */
  readonly fuel: number;
  /** Bytes of stack. As given nothing: `STACK_BYTES`. */
  readonly stack?: number;
}

/** How a run ended: results (none after an abort), the status (0, or an abort code) and the fuel that is left. */
export interface Outcome {
  readonly values: readonly Value[];
  readonly status: number;
  readonly fuel: number;
}

/** A module that runs: its memory and its globals outlive a run. */
export interface ModuleInstance {
  /** Calls an export. Throws `VcodeError` `argument` for an unknown name or arguments that do not fit. */
  readonly call: (name: string, values: readonly Value[], allowance: Allowance) => Outcome;
  /** The bytes of the memory, now. Valid until the next run. */
  readonly memory: () => Uint8Array;
  /** A global's value, by index. */
  readonly global: (index: number) => Value;
}

/** What a function of the host that a module imports gets and gives. */
export type HostFunction = (...values: Value[]) => readonly Value[];

/** What an instance is made with. */
export interface InstanceOptions {
  /** By `module.name`. */
  readonly imports?: Readonly<Record<string, HostFunction>>;
  /** The most bytes that the memory may get; what the module allows, if that is less. As given nothing: 64 MiB. */
  readonly mostBytes?: number;
}

/** The stack of a run that says nothing else. */
export const STACK_BYTES: number = 16 * 1024;
export const PAGE = 65536;
/** Assumption: what a test or a handler needs. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The most bytes that the memory may get. Throws `VcodeError` `limit` for a module that begins with more. */
export function mostBytes(module: Module, options: InstanceOptions): number {
  const { pages = 0, most = 0 } = module.memory ?? {};
  const allowed = Math.floor((options.mostBytes ?? MOST_BYTES) / PAGE) * PAGE;
  if (pages * PAGE > allowed) {
    throw new VcodeError('limit', `${module.name} begins with ${pages * PAGE} bytes of memory, may have ${allowed}`, {
      bytes: pages * PAGE,
      allowed,
    });
  }
  return Math.min(most * PAGE, allowed);
}

/** Checks arguments. Gives the function's index. Throws `VcodeError` `argument`. */
export function checkCall(module: Module, name: string, values: readonly Value[], allowance: Allowance): number {
  const index = module.exports.get(name);
  const func = index === undefined ? undefined : module.functions[index];
  if (index === undefined || func === undefined)
    throw new VcodeError('argument', `${module.name} exports no function ${name}`, { name });
  const { fuel, stack = STACK_BYTES } = allowance;
  if (!Number.isInteger(fuel) || fuel < 0 || fuel > 0x7fffffff) {
    throw new VcodeError('argument', `fuel is ${fuel}, must be 0 to 2^31 - 1`, { fuel });
  }
  if (!Number.isInteger(stack) || stack < 0 || stack > MOST_STACK) {
    throw new VcodeError('argument', `the stack is ${stack} bytes, must be 0 to ${MOST_STACK}`, { stack });
  }
  const fits =
    values.length === func.parameters.length &&
    func.parameters.every(({ type }, i) => {
      const value = values[i];
      if (type === 'i64') return typeof value === 'bigint' && value >= 0n && value < 1n << 64n;
      return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
    });
  if (!fits)
    throw new VcodeError(
      'argument',
      `${name} takes ${func.parameters.map(({ type }) => type).join(', ') || 'nothing'}`,
      { name },
    );
  return index;
}

/** Deeper recursion than this many bytes of frames could overflow the host's stack. */
const MOST_STACK: number = 64 * 1024;

/** The memory that an instance begins with. Throws `VcodeError` `argument` for data outside it. */
export function initialMemory(module: Module, into: Uint8Array): void {
  const bytes = (module.memory?.pages ?? 0) * PAGE;
  for (const { offset, bytes: data } of module.data) {
    if (offset + data.length > bytes)
      throw new VcodeError('argument', `a data segment at ${offset} is outside the memory`, { offset });
    into.set(data, offset);
  }
}
