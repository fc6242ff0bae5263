/**
 * Why environments ended: an observer outside the machine, as `Accounting` is. The kernel's table holds a number for it; here is
 * what the environment did last, and where, as far as its image tells.
 *
 * Nothing of it is saved: of an environment that had died before a snapshot, or runs on after one, only the numbers are known.
 */
import {
  DEATHS,
  ENV,
  ERRORS,
  ERROR_TEXTS,
  EXCEPTIONS,
  PAGE_BYTES,
  type ErrorName,
  type ExceptionName,
  type FunctionPlace,
  type Image,
  type ImageProgram,
  type SourcePlace,
} from '@exokernel/abi';
import { EVENT_KINDS, type Machine, type NativeFailure } from '@exokernel/hardware';
import { RA } from '@exokernel/isa';
import { KSEG0 } from './layout.ts';
import { KernelMemory } from './memory.ts';

/** What programs do to raise them; `at` is the address of the access. */
const EXCEPTION_TEXTS: Readonly<Partial<Record<ExceptionName, (at: string) => string>>> = {
  mod: (at) => `a store to ${at}, which is read-only`,
  tlbl: (at) => `a load from ${at}, where nothing is`,
  tlbs: (at) => `a store to ${at}, where nothing is`,
  adel: (at) => `a load from ${at}, which is misaligned or the kernel's`,
  ades: (at) => `a store to ${at}, which is misaligned or the kernel's`,
  ibe: () => 'a bus error of an instruction',
  dbe: () => 'a bus error of an access',
  breakpoint: () => 'a break',
  reserved: () => 'an instruction that does not exist, or may not be executed',
  coprocessor: () => 'an instruction of a coprocessor',
  overflow: () => 'an arithmetic overflow',
};

/** Exceptions that have the address of an access. */
const OF_ACCESSES: readonly ExceptionName[] = ['mod', 'tlbl', 'tlbs', 'adel', 'ades'];

/** Exceptions of accesses to a page that has no frame: perhaps one no more. */
const MISSES: readonly ExceptionName[] = ['tlbl', 'tlbs'];

/** Deaths without a fault of the program's last instruction. */
const DEATH_TEXTS = {
  excess: 'was ended: it did not give the processor back',
  destroyed: 'was ended by another environment',
  noEntry: 'was ended: it has no entry for its slices',
  double: 'was ended: its handler of an exception cannot begin',
} as const;

const KINDS: ReadonlyMap<number, ExceptionName> = new Map(
  Object.entries(EXCEPTIONS).map(([name, code]) => [code, name as ExceptionName]),
);

/**
 * Kinds of causes. `exit`: by itself. `exception`: an exception that it did not handle, or for which its library operating system ended it;
 * `error`: such a one, and TypeScript of its own had thrown. `libos`: its library operating system ended it, and more is not known. The
 * others are deaths by the kernel, named as in DEATHS.
 */
export type CauseKind = 'exit' | 'exception' | 'error' | 'libos' | keyof typeof DEATH_TEXTS;

/** Why an environment ended. */
export interface Cause {
  readonly kind: CauseKind;
  /** A verb and what follows it, for people: `exited with 0`. */
  readonly text: string;
  /** What the rest is about, if an exception ended it that was seen: its name, where it was taken, and the 32 registers, unsigned. */
  readonly exception?: ExceptionName;
  readonly pc?: number;
  readonly registers?: readonly number[];
  /** The address of the access, of an exception that has one. */
  readonly address?: number;
  /** Which function of its program, and its source, as far as the image tells. */
  readonly function?: string;
  readonly source?: SourcePlace;
  /** The call of that function, if it is certain. */
  readonly caller?: FunctionPlace;
  /** What its TypeScript threw, with its stack; of a value that is no Error, an Error whose `cause` it is. */
  readonly error?: Error;
}

/** An exception of an environment, if it has a kind. Written over by the next one: there are many, and few are fatal. */
interface Fault {
  kind: ExceptionName | undefined;
  pc: number;
  address: number;
  readonly registers: Int32Array;
  failure: NativeFailure | undefined;
  /** How many TLB misses the environment had been told of before. */
  upcalls: number;
}

/** What an image tells. */
type Known = Pick<Image, 'program' | 'failed'>;

/** What is known of one environment. */
interface Watched {
  readonly image: Known;
  /** The last exception that was its own to handle, as far as it is known. */
  fault: Fault;
  /** A TLB miss outside the program. The kernel may answer it without a word. */
  miss: Fault;
  /** It ended by `fault`. */
  isFatal: boolean;
  /** Made when it is first asked for. */
  cause: Cause | undefined;
}

export class Causes {
  /** Of its own: what an observer reads is no work of the kernel's. */
  readonly #memory: KernelMemory;
  readonly #machine: Machine;
  readonly #watched = new Map<number, Watched>();
  /** What TypeScript threw, until the exception that comes of it. */
  #failure: NativeFailure | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#memory = new KernelMemory(machine.memory);
    machine.listen((kind, _cycle, code, epc, vector) => {
      if (kind === EVENT_KINDS['native-error'].kind) this.#failure = machine.native.lastError;
      else if (kind === EVENT_KINDS.exception.kind) this.#excepted(code, epc, vector === KSEG0);
    });
  }

  /** A new environment, of this image. */
  loaded(env: number, image: Known): void {
    this.#watched.set(env, { image, fault: noFault(), miss: noFault(), isFatal: false, cause: undefined });
  }

  /** A new tenant of record `env` has its parent's program. */
  created(env: number, parent: number): void {
    const watched = this.#watched.get(parent);
    if (watched === undefined) this.#watched.delete(env);
    else this.loaded(env, watched.image);
  }

  /** An environment is to end, for this reason; its u-page is still there. */
  condemned(env: number, death: number): void {
    const watched = this.#watched.get(env);
    if (watched === undefined) return;
    const isUnhandled = (death & 0xff) === DEATHS.unhandled;
    this.#settle(env, watched, isUnhandled);
    watched.isFatal = isUnhandled || (death === DEATHS.exit && this.#hasFailed(env, watched));
  }

  /** The machine has become another one: what its environments did is not known. */
  restored(): void {
    for (const [env, { image }] of [...this.#watched]) this.loaded(env, image);
  }

  /** Of an environment that is dead. */
  of(env: number): Cause {
    const watched = this.#watched.get(env);
    const cause = watched?.cause ?? this.#cause(env, watched);
    if (watched !== undefined) watched.cause = cause;
    return cause;
  }

  #cause(env: number, watched: Watched | undefined): Cause {
    const death = this.#memory.env(env, ENV.death);
    const { isFatal = false, fault, image } = watched ?? {};
    if (isFatal && fault?.kind !== undefined) {
      const cause = causeOf(fault, fault.kind, image?.program);
      const taken = this.#memory.env(env, ENV.lost);
      return taken > 0 && MISSES.includes(fault.kind)
        ? { ...cause, text: `${cause.text}; ${takenText(taken)}` }
        : cause;
    }
    if ((death & 0xff) === DEATHS.unhandled) {
      const code = (death >>> 8) & 0xff;
      const text = `was ended by an exception that it does not handle: ${KINDS.get(code) ?? code}`;
      return { kind: 'exception', text };
    }
    if (isFatal) return { kind: 'libos', text: 'was ended by its library operating system' };
    for (const [kind, text] of Object.entries(DEATH_TEXTS) as [keyof typeof DEATH_TEXTS, string][]) {
      if (DEATHS[kind] === (death & 0xff)) return { kind, text };
    }
    return { kind: 'exit', text: exitText(this.#memory.env(env, ENV.exit) | 0) };
  }

  #excepted(code: number, epc: number, isMiss: boolean): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (code === EXCEPTIONS.interrupt || code === EXCEPTIONS.syscall) return;
    const env = this.#memory.current;
    const watched = this.#watched.get(env);
    const kind = KINDS.get(code);
    if (watched === undefined || kind === undefined || this.#hasFailed(env, watched)) return;
    this.#settle(env, watched, false);
    const fault = isMiss && !isInside(watched.image.program, epc) ? watched.miss : watched.fault;
    const { cp0, registers } = this.#machine.cpu;
    fault.kind = kind;
    fault.pc = epc;
    fault.address = cp0.badVaddr >>> 0;
    fault.registers.set(registers);
    fault.failure = failure;
    fault.upcalls = this.#memory.env(env, ENV.tlbUpcalls);
  }

  /** A miss is the environment's own if it was told of it, or ends by it; else it is as if there had been none. */
  #settle(env: number, watched: Watched, isItsEnd: boolean): void {
    const { miss, fault } = watched;
    if (miss.kind === undefined) return;
    if (isItsEnd || this.#memory.env(env, ENV.tlbUpcalls) !== miss.upcalls) {
      watched.fault = miss;
      watched.miss = fault;
    }
    watched.miss.kind = undefined;
  }

  /** Whether its library operating system ends it. */
  #hasFailed(env: number, { image: { failed } }: Watched): boolean {
    const frame = (this.#memory.env(env, ENV.uPage) - KSEG0) / PAGE_BYTES;
    // Of none, or, in a snapshot that lies, of no frame.
    if (failed === undefined || !Number.isInteger(frame) || frame < 0 || frame >= this.#memory.frames) return false;
    return this.#memory.get(frame * PAGE_BYTES + (failed % PAGE_BYTES)) !== 0;
  }
}

/** What the kernel has taken of an environment, which may be the reason. */
function takenText(count: number): string {
  return `the kernel had taken ${count} of its frames or slices by force`;
}

/** A negative code is often an error of a call that was passed on. */
function exitText(code: number): string {
  const error = (Object.keys(ERRORS) as ErrorName[]).find((name) => ERRORS[name] === code);
  const meaning = code < 0 && error !== undefined ? ` (${error.replace('_', '.')}: ${ERROR_TEXTS[error]})` : '';
  return `exited with ${code}${meaning}`;
}

function noFault(): Fault {
  return { kind: undefined, pc: 0, address: 0, registers: new Int32Array(32), failure: undefined, upcalls: 0 };
}

function causeOf(fault: Fault, exception: ExceptionName, program: ImageProgram | undefined): Cause {
  const { pc, address, failure } = fault;
  const registers = Array.from(fault.registers, (value) => value >>> 0);
  const at = isInside(program, pc) ? program?.at(pc, registers[RA] ?? 0) : undefined;
  return {
    kind: failure === undefined ? 'exception' : 'error',
    text: `was ended by ${whatOf(fault, exception, program)}${failure === undefined ? whereOf(pc, at, program) : ''}`,
    exception,
    pc,
    registers,
    ...(OF_ACCESSES.includes(exception) ? { address } : {}),
    ...(at === undefined ? {} : at),
    ...(failure === undefined ? {} : { error: failure.error }),
  };
}

function whatOf({ pc, address, failure }: Fault, exception: ExceptionName, program: ImageProgram | undefined): string {
  if (failure !== undefined) return `an error that its TypeScript threw: ${failure.message}`;
  const trap = exception === 'breakpoint' && isInside(program, pc) ? program?.trap(pc) : undefined;
  return trap ?? EXCEPTION_TEXTS[exception]?.(hex(address)) ?? exception;
}

function whereOf(pc: number, at: ReturnType<ImageProgram['at']>, program: ImageProgram | undefined): string {
  if (program === undefined) return `, at ${hex(pc)}`;
  if (at === undefined) return `, at ${hex(pc)} in code that is not of its program`;
  return `, at ${hex(pc)} in ${named(at)}${at.caller === undefined ? '' : `, called by ${named(at.caller)}`}`;
}

function isInside(program: ImageProgram | undefined, pc: number): boolean {
  return program !== undefined && pc >= program.start && pc < program.end;
}

/** `sum (main.ts:3:10)`, or `sum` without a source. */
function named(at: FunctionPlace): string {
  const { source } = at;
  return source === undefined ? at.function : `${at.function} (${source.file}:${source.line}:${source.column})`;
}

const hex = (address: number): string => `0x${(address >>> 0).toString(16)}`;
