/**
 * The native unit, coprocessor 2: `cop2 n` executes function n of the current address space, a TypeScript function.
 *
 * MIPS leaves coprocessor 2 to the implementer. A function sees the registers and the memory of the program that
 * executes the instruction (`NativeCpu`). An access that faults does not return: the function is left, the machine is as it was before
 * the instruction (stores already made stay), and the exception is raised there; when the instruction is restarted, the
 * function runs again from its start. So a function does its accesses in an order in which a second run does no harm, and
 * changes nothing of its own before the last access that can fault.
 *
 * An instruction costs 1 cycle and what the function charges; what it charged before a fault is not counted. A load just
 * before the instruction is complete: the unit waits for it.
 */
import { EVENT_KINDS } from '../bus/events.ts';
import { HardwareError } from '../error.ts';
import type { Cpu } from './cpu.ts';
import * as S from '../memory/cpu-state.ts';
import { NativeAccess, type NativeCpu } from './native-access.ts';

/** One native function. A function of the kernel may also use `machine.cpu` (CP0 and the TLB, not the registers). */
export type NativeFunction = (cpu: NativeCpu) => void;

/** What a user's native function threw, of its own. */
export interface NativeFailure {
  readonly index: number;
  readonly space: number;
  readonly message: string;
  /** What it threw, or an Error made of it. */
  readonly error: Error;
}

/** The `space` of the kernel's functions in events. */
export const KERNEL_SPACE = -1;

/** The native unit of one machine. */
export class NativeUnit {
  readonly #cpu: Cpu;
  readonly #access: NativeAccess;
  readonly #user: (readonly NativeFunction[])[] = Array.from({ length: 64 }, () => []);
  #kernel: readonly NativeFunction[] = [];
  readonly #stateful = new Set<number | 'kernel'>();
  #lastError: NativeFailure | undefined;
  #begin: () => void = () => undefined;
  #end: () => void = () => undefined;
  #commit: () => number = () => 0;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#access = new NativeAccess(cpu, (begin, end, commit) => {
      this.#begin = begin;
      this.#end = end;
      this.#commit = commit;
    });
  }

  /**
   * Replaces the functions of an address space (ASID 0 to 63) or of the kernel. Throws `native-space`. `stateless` promises that
   * the functions keep nothing outside the machine, so that it can be saved with them.
   */
  install(
    space: number | 'kernel',
    functions: readonly NativeFunction[],
    { stateless = false }: { readonly stateless?: boolean } = {},
  ): void {
    if (functions.length === 0 || stateless) this.#stateful.delete(space);
    else this.#stateful.add(space);
    if (space === 'kernel') this.#kernel = [...functions];
    else if (Number.isInteger(space) && space >= 0 && space < 64) this.#user[space] = [...functions];
    else throw new HardwareError('native-space', `no address space ${space}: use 0 to 63 or 'kernel'`, { space });
  }

  /** The address spaces whose functions may keep something outside the machine. */
  get stateful(): readonly (number | 'kernel')[] {
    return [...this.#stateful];
  }

  /** What the last user's function that threw something of its own threw. */
  get lastError(): NativeFailure | undefined {
    return this.#lastError;
  }

  /** For the CPU: executes `cop2 n`, or takes its exception. Throws `kernel-native`. */
  execute(n: number): void {
    const cpu = this.#cpu;
    const user = cpu.userMode;
    const space = user ? cpu.asid : KERNEL_SPACE;
    const run = (user ? this.#user[space] : this.#kernel)?.[n];
    if (run === undefined) {
      cpu.raise(S.EXC_RI);
      return;
    }
    this.#begin();
    let thrown: unknown;
    let returned = false;
    try {
      run(this.#access);
      returned = true;
    } catch (error) {
      thrown = error;
    }
    this.#end();
    if (cpu.fault >= 0) cpu.raiseFault();
    else if (returned) {
      const charged = this.#commit();
      cpu.events.emit(EVENT_KINDS.native.kind, cpu.clock.now, n, space, charged);
    } else if (user) this.#userFailed(n, space, thrown);
    else this.#kernelFailed(n, thrown);
  }

  /** To a program its function is an instruction, and this one cannot be executed. */
  #userFailed(index: number, space: number, thrown: unknown): void {
    const cpu = this.#cpu;
    this.#lastError = { index, space, message: describe(thrown), error: errorOf(thrown) };
    cpu.events.emit(EVENT_KINDS['native-error'].kind, cpu.clock.now, index, space, 0);
    cpu.raise(S.EXC_RI);
  }

  /** The kernel is the host's own program: the error is the host's, and the machine stands before the instruction. */
  #kernelFailed(index: number, thrown: unknown): void {
    const { state, clock, at, atInSlot } = this.#cpu;
    clock.now -= 1;
    state[S.NEXT_PC] = this.#cpu.get(S.PC);
    state[S.PC] = at;
    state[S.IN_SLOT] = atInSlot ? 1 : 0;
    const message = `native function ${index} of the kernel threw: ${describe(thrown)}`;
    throw new HardwareError('kernel-native', message, { index }, { cause: thrown });
  }
}

/** The error that a function threw; one made of it, if it threw something else. Never throws itself. */
function errorOf(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
  } catch {
    // It is no Error of any use.
  }
  return new Error(describe(thrown), { cause: thrown });
}

/** A message for what a function threw; never throws itself. */
function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
    return typeof thrown === 'string' ? thrown : `a value of type ${typeof thrown}`;
  } catch {
    return 'an error that cannot be described';
  }
}
