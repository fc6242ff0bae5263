/**
 * Bare environments: programs in machine code on the kernel alone, for labs that measure the kernel and no library.
 *
 * Their text, page table, stack and u-page are guaranteed mappings; begin and end of a slice are the kit's. What else an
 * environment is entered at is up to the lab.
 */
import { CALLS, type CallName, type ExceptionName } from '@exokernel/abi';
import { A0, V0, type Assembler, type Assembly } from '@exokernel/isa';
import {
  Fibers,
  FIRST_LIBOS_NATIVE,
  address,
  assembleRuntime,
  buildImage,
  emitFiberEntry,
  type Fiber,
  type ImageParts,
  type Placement,
} from '@exokernel/libos-kit';
import type { Image } from '@exokernel/abi';

export interface BareOptions {
  readonly name: string;
  /** Emits the program, which starts at the label `main`, or, with `fiber`, at that. */
  readonly emit: (a: Assembler) => void;
  /** What it does first, in TypeScript; then it goes on at `main`. */
  readonly fiber?: (fibers: Fibers) => Fiber<number>;
  readonly handlers?: Partial<Record<ExceptionName, string>>;
  readonly resumes?: readonly number[];
  readonly syncEntry?: string;
  readonly asyncEntry?: string;
  readonly placement?: Placement;
  readonly words?: ImageParts['words'];
  /** Label of the end-of-slice entry; the kit's by default. */
  readonly epilogue?: string;
  readonly prologue?: string;
}

export interface Bare {
  readonly image: Image;
  readonly runtime: Assembly;
  /** Address of a label. */
  readonly at: (label: string) => number;
}

/** A program on the bare kernel. */
export function bare(options: BareOptions): Bare {
  const runtime = assembleRuntime({
    resumes: options.resumes ?? [],
    emit: (a) => {
      emitFiberEntry(a, 'bare.fiber', FIRST_LIBOS_NATIVE);
      a.label('bare.start');
      a.bal('bare.fiber');
      a.nop();
      a.j('main');
      a.move(A0, V0);
      options.emit(a);
    },
  });
  const { fiber } = options;
  const fibers = new Fibers();
  const at = (label: string): number => address(runtime, label);
  const image = buildImage({
    name: options.name,
    libos: 'none',
    runtime,
    entry: at(fiber === undefined ? 'main' : 'bare.start'),
    pages: [],
    handlers: options.handlers ?? {},
    natives: (env) => (fiber === undefined ? [] : [fibers.step(env), fibers.start(env, () => fiber(fibers))]),
    placement: options.placement ?? {},
    ...(options.syncEntry === undefined ? {} : { syncEntry: options.syncEntry }),
    ...(options.asyncEntry === undefined ? {} : { asyncEntry: options.asyncEntry }),
    ...(options.words === undefined ? {} : { words: options.words }),
  });
  return {
    image: {
      ...image,
      ...(options.epilogue === undefined ? {} : { epilogue: at(options.epilogue) }),
      ...(options.prologue === undefined ? {} : { prologue: at(options.prologue) }),
    },
    runtime,
    at,
  };
}

/** Emits a system call; the arguments are in their registers. */
export function emitCall(a: Assembler, name: CallName): void {
  a.li(V0, CALLS[name].number);
  a.syscall(0);
}
