/**
 * Fibers: TypeScript that waits. A fiber is a generator; each of its steps is one `cop2` instruction, so the machine can
 * interrupt it between steps and takes its exceptions exactly.
 *
 * What a step yields is done by machine code on its behalf (runtime.ts): a real `syscall`, or a call of a routine. A fiber
 * that touches memory which faults yields the access; the exception is raised at the `cop2`, handled as any other, and
 * the instruction is restarted. Fibers of one environment nest like calls.
 */
import type { CallArguments, CallName, CallResults, NativeCpu, NativeFunction } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, V0, V1 } from '@exokernel/isa';
import { checkedCall, namedResults } from './call-words.ts';
import { LibosError } from './error.ts';
import { STEP } from './runtime.ts';

/** Registers of a call's arguments: a0 to a3, t0 to t7. */
const ARGUMENTS = [A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7];

/** What a fiber asks for. */
export type Trap =
  | { readonly kind: 'syscall'; readonly number: number; readonly args: readonly number[] }
  | { readonly kind: 'call'; readonly address: number; readonly args: readonly number[] }
  | { readonly kind: 'touch'; readonly va: number; readonly write: boolean };

/** A computation that may wait, with result T. Run another with `yield*`. */
export type Fiber<T> = Generator<Trap, T, void>;

interface Running {
  readonly fiber: Fiber<number>;
  pending: Trap | undefined;
  /** An access that it had not asked for faulted inside it, or it threw: its generator is gone. */
  failed: boolean;
  /** The system call whose results the registers hold. */
  called: CallName | undefined;
}

/** The fibers of all environments of one image: each has a stack of them. */
export class Fibers {
  readonly #stacks = new Map<number, Running[]>();
  #cpu: NativeCpu | undefined;
  #env = -1;
  #top: Running | undefined;

  /** Native function NATIVE_STEP of an environment: advances its innermost fiber to its next trap. */
  step(env: number): NativeFunction {
    const stack: Running[] = [];
    this.#stacks.set(env, stack);
    return (cpu) => {
      const top = stack.at(-1);
      if (top === undefined || top.failed) throw new RangeError('a fiber step without a fiber');
      if (top.pending?.kind === 'touch') touch(cpu, top.pending.va, top.pending.write);
      this.#cpu = cpu;
      this.#env = env;
      this.#top = top;
      for (;;) {
        const { done, value } = advance(top);
        if (done === true) {
          stack.pop();
          cpu.registers[V0] = value;
          cpu.registers[T8] = STEP.done;
          return;
        }
        top.pending = value;
        if (value.kind !== 'touch') {
          this.#perform(cpu, value);
          return;
        }
        touch(cpu, value.va, value.write);
      }
    };
  }

  /**
   * A native function of an environment that starts a fiber; `emitFiberEntry` makes the routine around it. `make` gets a0 to
   * a3, and may look at all registers as they were at the call.
   */
  start(env: number, make: (args: readonly number[], registers: Int32Array) => Fiber<number>): NativeFunction {
    return (cpu) => {
      const fiber = make([...cpu.registers.subarray(4, 8)], cpu.registers.slice());
      this.#stacks.get(env)?.push({ fiber, pending: undefined, failed: false, called: undefined });
    };
  }

  /** The environment that executes the present step. */
  get env(): number {
    return this.#env;
  }

  /** The CPU in the present step. Valid until the next `yield`. */
  get cpu(): NativeCpu {
    if (this.#cpu === undefined) throw new RangeError('no fiber is running');
    return this.#cpu;
  }

  /**
   * Makes a system call with the words that it takes; a capability is four of them, `...capability`. Returns its code (0, or
   * negative); `results` gives the rest. Throws `LibosError` `call` for what does not compile.
   */
  *syscall<Name extends CallName>(name: Name, ...args: CallArguments<Name>): Fiber<number> {
    const words: readonly number[] = args;
    const number = checkedCall(name, words);
    yield { kind: 'syscall', number, args: words };
    this.#called(name);
    return this.register(V0);
  }

  /** Calls a routine of the environment's machine code. Returns its v0. */
  *call(address: number, ...args: readonly number[]): Fiber<number> {
    yield { kind: 'call', address, args };
    this.#called(undefined);
    return this.register(V0);
  }

  /**
   * What the last system call gave, by the names of the table: `results('frame_alloc')` is a ppn and a capability. Throws
   * `LibosError` `call` if this fiber's last was another one, or a call of a routine, which may have changed the registers.
   */
  results<Name extends CallName>(name: Name): CallResults<Name> {
    const called = this.#top?.called;
    if (called !== name) {
      throw new LibosError('call', `results of ${name}, but the last call was ${called ?? 'none'}`, { name, called });
    }
    return namedResults(name, (i) => this.register(V1 + i)) as CallResults<Name>;
  }

  register(n: number): number {
    return this.cpu.registers[n] ?? 0;
  }

  /** Makes a page present, for writing too if told so: what its library operating system does when it faults. */
  *touch(va: number, write: boolean): Fiber<void> {
    if (!this.cpu.probe(va, write)) yield { kind: 'touch', va, write };
  }

  /** The word at `va`. */
  *load(va: number): Fiber<number> {
    if (!this.cpu.probe(va, false)) yield { kind: 'touch', va, write: false };
    return this.cpu.load32(va);
  }

  *store(va: number, value: number): Fiber<void> {
    if (!this.cpu.probe(va, true)) yield { kind: 'touch', va, write: true };
    this.cpu.store32(va, value);
  }

  /** Copies memory from `va` into `bytes`. Not atomic: a fault may come between pages. */
  *read(va: number, bytes: Uint8Array): Fiber<void> {
    for (const [at, part] of pages(va, bytes)) {
      if (!this.cpu.probe(at, false)) yield { kind: 'touch', va: at, write: false };
      this.cpu.read(at, part);
    }
  }

  /** Copies `bytes` to memory at `va`. Not atomic. */
  *write(va: number, bytes: Uint8Array): Fiber<void> {
    for (const [at, part] of pages(va, bytes)) {
      if (!this.cpu.probe(at, true)) yield { kind: 'touch', va: at, write: true };
      this.cpu.write(at, part);
    }
  }

  #called(name: CallName | undefined): void {
    if (this.#top !== undefined) this.#top.called = name;
  }

  #perform(cpu: NativeCpu, trap: Exclude<Trap, { kind: 'touch' }>): void {
    trap.args.forEach((value, i) => {
      cpu.registers[ARGUMENTS[i] ?? 0] = value;
    });
    if (trap.kind === 'syscall') {
      cpu.registers[V0] = trap.number;
      cpu.registers[T8] = STEP.syscall;
    } else {
      cpu.registers[T9] = trap.address;
      cpu.registers[T8] = STEP.call;
    }
  }
}

/** Runs a fiber to its next trap. What is thrown inside it leaves the step, and the fiber cannot go on. */
function advance(running: Running): IteratorResult<Trap, number> {
  try {
    return running.fiber.next();
  } catch (error) {
    running.failed = true;
    throw error;
  }
}

/** Raises the exception that an access would raise; returns if it would raise none. */
function touch(cpu: NativeCpu, va: number, write: boolean): void {
  const value = cpu.load8(va);
  if (write) cpu.store8(va, value);
}

/** The parts of `bytes` that lie in one page each when placed at `va`. */
function* pages(va: number, bytes: Uint8Array): Generator<[number, Uint8Array]> {
  for (let i = 0; i < bytes.length;) {
    const at = va + i;
    const length = Math.min(bytes.length - i, 4096 - (at & 4095));
    yield [at, bytes.subarray(i, i + length)];
    i += length;
  }
}
