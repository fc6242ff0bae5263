/**
 * How environments ended, in words: an observer outside the machine, as `Accounting` is. The kernel's table holds a number for it; here is
 * where the program was, as far as its image tells.
 *
 * Nothing of it is saved: of an environment that had died before a snapshot, or runs on after one, only the numbers are known.
 */
import { DEATHS, ENV, EXCEPTIONS, PAGE_BYTES, type ExceptionName, type ImageProgram } from '@exokernel/abi';
import { EVENT_KINDS, type Machine } from '@exokernel/hardware';
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

/** Deaths without a fault of the program's last instruction. */
const DEATH_TEXTS: ReadonlyMap<number, string> = new Map([
  [DEATHS.excess, 'was ended: it did not give the processor back'],
  [DEATHS.destroyed, 'was ended by another environment'],
  [DEATHS.noEntry, 'was ended: it has no entry for its slices'],
  [DEATHS.double, 'was ended: its handler of an exception cannot begin'],
]);

const KINDS: ReadonlyMap<number, ExceptionName> = new Map(
  Object.entries(EXCEPTIONS).map(([name, code]) => [code, name as ExceptionName]),
);

/** An exception of an environment, and where. */
interface Fault {
  readonly kind: ExceptionName;
  readonly pc: number;
  readonly address: number;
  /** What register ra held. */
  readonly ra: number;
}

/** What is known of an environment whose image tells of its program. */
interface Watched {
  readonly program: ImageProgram;
  /** The last exception that was its own to handle, as far as it is known. */
  fault?: Fault | undefined;
  /** A TLB miss outside the program, and how many the environment had been told of before. The kernel may answer it without a word. */
  miss?: { readonly fault: Fault; readonly upcalls: number } | undefined;
  /** It ended by `fault`. */
  isFatal: boolean;
}

/** How an environment ended. */
export interface Ending {
  /** A verb and what follows it, for people: `exited with 0`. */
  readonly text: string;
  /** It exited, and not because its library operating system found a fault in what it did. */
  readonly isItsOwn: boolean;
}

export class Endings {
  /** Of its own: what an observer reads is no work of the kernel's. */
  readonly #memory: KernelMemory;
  readonly #watched = new Map<number, Watched>();

  constructor(machine: Machine) {
    this.#memory = new KernelMemory(machine.memory);
    machine.listen((kind, _cycle, code, epc, vector) => {
      if (kind !== EVENT_KINDS.exception.kind || this.#watched.size === 0) return;
      if (code === EXCEPTIONS.interrupt || code === EXCEPTIONS.syscall) return;
      const env = this.#memory.current;
      const watched = this.#watched.get(env);
      const name = KINDS.get(code);
      if (watched === undefined || name === undefined || this.#hasFailed(env, watched)) return;
      const { cp0, registers } = machine.cpu;
      const fault = { kind: name, pc: epc, address: cp0.badVaddr, ra: registers[RA] ?? 0 };
      this.#note(env, watched, fault, vector === KSEG0);
    });
  }

  /** The program of a new environment. */
  loaded(env: number, program: ImageProgram | undefined): void {
    if (program === undefined) this.#watched.delete(env);
    else this.#watched.set(env, { program, isFatal: false });
  }

  /** A new tenant of record `env` has its parent's program. */
  created(env: number, parent: number): void {
    this.loaded(env, this.#watched.get(parent)?.program);
  }

  /** An environment is to end, for this reason; its u-page is still there. */
  condemned(env: number, death: number): void {
    const watched = this.#watched.get(env);
    if (watched === undefined) return;
    this.#settle(env, watched);
    watched.isFatal = (death & 0xff) === DEATHS.unhandled || (death === DEATHS.exit && this.#hasFailed(env, watched));
  }

  /** Of an environment that is dead. */
  of(env: number): Ending {
    const death = this.#memory.env(env, ENV.death);
    const isItsOwn = death === DEATHS.exit && this.#watched.get(env)?.isFatal !== true;
    return { text: this.#text(env, death), isItsOwn };
  }

  #text(env: number, death: number): string {
    const { program, fault, isFatal } = this.#watched.get(env) ?? { isFatal: false };
    if (program !== undefined && fault !== undefined && isFatal) {
      const { kind, pc, address, ra } = fault;
      const isInside = pc >= program.start && pc < program.end;
      const trap = isInside && kind === 'breakpoint' ? program.trap(pc) : undefined;
      const what = trap ?? EXCEPTION_TEXTS[kind]?.(hex(address)) ?? kind;
      const where = isInside ? program.describe(pc, ra >>> 0) : 'code that is not of its program';
      return `was ended by ${what}, at ${hex(pc)} in ${where}`;
    }
    if ((death & 0xff) === DEATHS.unhandled) {
      const code = (death >>> 8) & 0xff;
      return `was ended by an exception that it does not handle: ${KINDS.get(code) ?? code}`;
    }
    if (isFatal) return 'was ended by its library operating system';
    return DEATH_TEXTS.get(death & 0xff) ?? `exited with ${this.#memory.env(env, ENV.exit) | 0}`;
  }

  #note(env: number, watched: Watched, fault: Fault, isMiss: boolean): void {
    this.#settle(env, watched);
    const { start, end } = watched.program;
    if (!isMiss || (fault.pc >= start && fault.pc < end)) watched.fault = fault;
    else watched.miss = { fault, upcalls: this.#memory.env(env, ENV.tlbUpcalls) };
  }

  /** A miss that the environment was told of is its own to handle. */
  #settle(env: number, watched: Watched): void {
    const { miss } = watched;
    if (miss !== undefined && this.#memory.env(env, ENV.tlbUpcalls) !== miss.upcalls) watched.fault = miss.fault;
    watched.miss = undefined;
  }

  /** Whether its library operating system ends it. */
  #hasFailed(env: number, { program }: Watched): boolean {
    const uPage = this.#memory.env(env, ENV.uPage);
    return uPage !== 0 && this.#memory.get(uPage - KSEG0 + (program.failed % PAGE_BYTES)) !== 0;
  }
}

const hex = (address: number): string => `0x${(address >>> 0).toString(16)}`;
