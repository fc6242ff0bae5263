/**
 * Programs that are assembled, for what compiled ones cannot say: which registers a routine keeps, and where a handler or a procedure lies.
 *
 * Such a program saves what its caller wants kept in its own data, so that a routine which spoils the stack pointer is found out, too.
 */
import { A0, A1, A2, A3, FP, GP, RA, SP, T0, T1, V0, register, type Assembler, type Register } from '@exokernel/isa';
import { machineProgram, type EntryPoint, type InterfaceName } from '@exokernel/libos-kit';
import { machineCase, type ProgramCase, type Task } from './case.ts';

/** What an argument is: a number, or the word at this offset of the program's data. */
export type Argument = number | { readonly word: number };

/** What the emitters of a program use. t0 and t1 are theirs. */
export interface Emit<N extends InterfaceName> {
  readonly a: Assembler;
  /** Address of the program's data: FREE bytes are its own from here on, all zero. */
  readonly data: number;
  /** The address of a routine. */
  readonly entry: (name: EntryPoint<N>) => number;
  /** Calls a routine, with up to four arguments. */
  readonly call: (name: EntryPoint<N>, ...args: readonly Argument[]) => void;
  /** The same, between patterns in every register that the routine must keep. They are spoiled. */
  readonly keeping: (name: EntryPoint<N>, ...args: readonly Argument[]) => void;
  /** Stores v0 at this offset of the data. */
  readonly keep: (offset: number) => void;
  /** Ends the case unless a register holds this number. */
  readonly is: (what: string, r: Register, expected: number) => void;
  /** Ends the case if v0 is negative. */
  readonly isNoError: (what: string) => void;
}

/** Where a program goes whose exit code is in v0. */
export const END = 'end';

/** Bytes of data that are the program's. */
const FREE = 2048;
const SAVED = FREE;
const STACK_POINTER = FREE + 64;
/** What a routine keeps: ENTRY_POINTS of the kit. */
const KEPT: readonly Register[] = [...Array.from({ length: 8 }, (_, i) => register(16 + i)), GP, FP];
const NAMES = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 'gp', 'fp'];
const PARAMETERS = [A0, A1, A2, A3];
const pattern = (i: number): number => 0x51_0000 + 0x1_0101 * i;

/** A case of a program that is assembled. It ends with 0 when `emit` leaves it at its end. */
export function assembledCase<const N extends InterfaceName>(
  name: string,
  needs: readonly [N, ...N[]],
  emit: (e: Emit<N>) => void,
  besides: Pick<Task, 'leaves'> = {},
): ProgramCase {
  const steps: (readonly [what: string, expected: string])[] = [];
  const program = machineProgram(name, needs, 4096, (a, os) => {
    // It is assembled more than once.
    steps.length = 0;
    const { data } = os;
    const kept = [RA, SP, ...KEPT];
    a.li(T0, data + SAVED);
    kept.forEach((r, i) => {
      a.sw(r, 4 * i, T0);
    });
    emit(emitters(a, os, steps));
    a.li(V0, 0);
    a.label(END);
    a.li(T0, data + SAVED);
    kept.forEach((r, i) => {
      a.lw(r, 4 * i, T0);
    });
    a.nop();
    a.ret();
    a.nop();
  });
  return machineCase(name, program, steps, besides);
}

function emitters<N extends InterfaceName>(
  a: Assembler,
  os: { readonly data: number; readonly entry: (name: EntryPoint<N>) => number },
  steps: (readonly [what: string, expected: string])[],
): Emit<N> {
  const { data } = os;
  const endUnless = (emitBranch: (good: string) => void, r: Register, what: string, expected: string): void => {
    steps.push([what, expected]);
    const good = a.fresh('good');
    emitBranch(good);
    a.nop();
    a.sll(V0, r, 8);
    a.j(END);
    a.ori(V0, V0, steps.length);
    a.label(good);
  };
  const is = (what: string, r: Register, expected: number): void => {
    a.li(T1, expected);
    endUnless((good) => a.beq(r, T1, good), r, what, String(expected));
  };
  const call = (name: EntryPoint<N>, ...args: readonly Argument[]): void => {
    args.forEach((argument, i) => {
      const parameter = PARAMETERS[i] ?? A0;
      a.li(parameter, typeof argument === 'number' ? argument : data + argument.word);
      if (typeof argument === 'number') return;
      a.lw(parameter, 0, parameter);
      a.nop();
    });
    a.li(T0, os.entry(name));
    a.jalr(RA, T0);
    a.nop();
  };
  return {
    a,
    data,
    entry: os.entry,
    call,
    is,
    keep: (offset) => {
      a.li(T0, data + offset);
      a.sw(V0, 0, T0);
    },
    isNoError: (what) => {
      endUnless((good) => a.bgez(V0, good), V0, what, 'no error');
    },
    keeping: (name, ...args) => {
      a.li(T0, data + STACK_POINTER);
      a.sw(SP, 0, T0);
      KEPT.forEach((r, i) => {
        a.li(r, pattern(i));
      });
      call(name, ...args);
      KEPT.forEach((r, i) => {
        is(`${NAMES[i] ?? ''} after ${name}`, r, pattern(i));
      });
      a.li(T0, data + STACK_POINTER);
      a.lw(T1, 0, T0);
      a.nop();
      endUnless((good) => a.beq(SP, T1, good), SP, `sp after ${name}`, 'sp before it');
    },
  };
}
