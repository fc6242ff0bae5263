/**
 * A library operating system that was compiled: one module of WebAssembly has its policies, its interfaces, and perhaps the whole program.
 *
 * The kit has what must be assembly: where slices begin and end, the walk of the page table in front of the library's own, and the way into
 * upcalls (upcall.ts). Everything else is the module's, and every instruction of it is executed.
 */
import { EXCEPTIONS, PAGE_BYTES, type Image, type NativeFunction } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  FP,
  RA,
  S0,
  SP,
  T9,
  V0,
  ZERO,
  register,
  withSlots,
  type Assembler,
  type Assembly,
} from '@exokernel/isa';
import { emitBacking } from './backing.ts';
import { LibosError } from './error.ts';
import { address, buildImage } from './image.ts';
import { ENTRY_POINTS, type InterfaceName } from './interfaces.ts';
import { LIBOS_END, LIBRARY_MEMORY, LIBRARY_STACK, LIBRARY_TEXT, PAGED_BASE, UKIT } from './layout.ts';
import { linkLibrary, type CompiledLibrary, type LinkedLibrary } from './library.ts';
import { linkAt } from './link.ts';
import { emitFaultHandler, emitPageEntry, emitZeroFill } from './paging.ts';
import type { LibOs, LinkedProgram, Placement, Program } from './program.ts';
import { assembleRuntime } from './runtime.ts';
import { OTHER_EXCEPTIONS, emitEndUpcall, emitSliceUpcalls, emitUpcalls } from './upcall.ts';

/** Routines of the kit that a compiled library may import from `kit`. */
const ROUTINES: Readonly<Record<string, string>> = {
  sleep: 'kit.sleep',
  yield_to: 'kit.yield',
  exit: 'kit.exit',
  switch_to: 'kit.switch',
  thread_frame: 'kit.thread.frame',
  stack_pointer: 'kit.stack',
  page_entry: 'kit.page_entry',
};
/** Registers that `switch_to` keeps on the stack that it leaves, in this order. */
const KEPT = [RA, ...Array.from({ length: 8 }, (_, i) => register(S0 + i)), FP];
const FRAME_BYTES = 48;
/**
 * One page of text: with the u-page, the page table, the upcall stack and a repossession vector these are eight guaranteed mappings, as many frames as
 * the kernel leaves to an environment, and it takes others first. So none of these pages is ever taken while there is another one.
 */
const TEXT_BYTES = PAGE_BYTES;

/** A library operating system that was compiled. */
export interface CompiledLibOs<Provides extends InterfaceName> extends LibOs<Provides> {
  /** The image of the module alone, whose export `main`, without parameters, gives the exit code. Throws `LibosError` `image` if it has none. */
  readonly alone: (placement?: CompiledPlacement) => Image;
  readonly load: (program: Program<Provides>, placement: CompiledPlacement) => Image;
  readonly link: (program: Program<Provides>) => LinkedProgram<Provides>;
  /** The kit's text under it, for `runtimeListing`. */
  readonly runtime: Assembly;
}

/** What an environment of a compiled library operating system gets at boot. */
export interface CompiledPlacement extends Placement {
  /** The right to tap the network. */
  readonly tap?: boolean;
}

/**
 * Declares one. The module exports the routines of ENTRY_POINTS for each interface that it provides. Throws `LibosError` `image` for one that is
 * missing.
 */
export function compiledLibOs<const Provides extends InterfaceName>(
  provides: readonly Provides[],
  library: CompiledLibrary,
): CompiledLibOs<Provides> {
  const { name } = library;
  const routines = provides.flatMap((one): readonly string[] => ENTRY_POINTS[one]);
  const missing = routines.filter((routine) => !library.exports.has(routine));
  if (missing.length > 0) {
    throw new LibosError('image', `${name} provides ${provides.join(', ')}, but exports no ${missing.join(', ')}`, {
      missing,
    });
  }
  const link = (program: Program<Provides>): LinkedProgram<Provides> => {
    if (program.kind === 'fiber') {
      throw new LibosError('needs', `${name} has no fibers: ${program.name} must be machine code`, { libos: name });
    }
    const { library: linked, runtime } = linkedLibrary(library);
    const entryOf = (routine: string): number | undefined =>
      routines.includes(routine) ? linked.entries.get(routine) : undefined;
    return linkAt(program, { libos: name, text: [runtime.words, linked.words], entryOf, end: LIBRARY_TEXT });
  };
  return {
    name,
    provides,
    link,
    runtime: libraryRuntime(),
    load: (program, placement) => image(library, link(program), placement),
    alone: (placement = {}) => image(library, undefined, placement),
  };
}

interface Linked {
  readonly library: LinkedLibrary;
  readonly runtime: Assembly;
}

/** Libraries that were linked: making machine code of one takes longer than most programs run, and it is the same for all. */
const LINKED = new WeakMap<CompiledLibrary, Linked>();

function linkedLibrary(library: CompiledLibrary): Linked {
  const linked = LINKED.get(library) ?? makeLinked(library);
  LINKED.set(library, linked);
  return linked;
}

function makeLinked(library: CompiledLibrary): Linked {
  const runtime = libraryRuntime();
  const entryOf = (routine: string): number | undefined => {
    const label = ROUTINES[routine];
    return label === undefined ? undefined : address(runtime, label);
  };
  return { library: linkLibrary(library, entryOf, LIBOS_END), runtime };
}

function image(
  compiled: CompiledLibrary,
  program: LinkedProgram<InterfaceName> | undefined,
  placement: CompiledPlacement,
): Image {
  const { library, runtime } = linkedLibrary(compiled);
  const main = program === undefined ? library.entries.get('main') : PAGED_BASE;
  if (main === undefined) throw new LibosError('image', `${compiled.name} exports no main, and no program is given`);
  const handlers = Object.fromEntries(OTHER_EXCEPTIONS.map((name) => [name, `upcall.${name}`]));
  return buildImage({
    name: placement.name ?? program?.name ?? compiled.name,
    libos: compiled.name,
    runtime,
    entry: address(runtime, 'libos.start'),
    pages: [...(program?.pages ?? []), ...library.pages],
    code: library.code,
    zeroFill: [library.zeroFill, { va: LIBRARY_STACK, pages: (LIBRARY_MEMORY - LIBRARY_STACK) / PAGE_BYTES }],
    handlers: {
      ...handlers,
      tlbl: 'fault.tlbl',
      tlbs: 'fault.tlbs',
      mod: 'upcall.mod',
      coprocessor: 'upcall.coprocessor',
      interrupt: 'upcall.told',
    },
    natives: (): readonly NativeFunction[] => [],
    placement,
    prologue: 'upcall.begin',
    textBytes: TEXT_BYTES,
    tap: placement.tap,
    words: () =>
      new Map([
        [UKIT.library, library.record],
        [UKIT.main, main],
        [UKIT.context + 4 * SP, LIBRARY_MEMORY],
      ]),
  });
}

/** The kit's text under every compiled library operating system: the same for all. */
function libraryRuntime(): Assembly {
  return assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    saved: emitEndUpcall,
    float: true,
    most: TEXT_BYTES,
    emit: (a) => {
      a.label('upcall.unsafe');
      for (const kind of ['tlbl', 'tlbs'] as const) {
        const own = `upcall.${kind}.absent`;
        const outside = `upcall.${kind}.outside`;
        emitFaultHandler(a, kind, { absent: `libos.${kind}`, outside, protected: outside, refused: `back.${kind}` });
        emitZeroFill(a, `libos.${kind}`, own);
      }
      emitBacking(a);
      emitSliceUpcalls(a);
      emitUpcalls(a);
      emitThreads(a);
      emitPageEntry(a, 'kit.page_entry');
      emitStart(a);
    },
  });
}

/** Starts the library, calls the program, and ends with what it gives. */
function emitStart(plain: Assembler): void {
  const a = withSlots(plain);
  a.label('libos.start');
  a.li(T9, LIBRARY_TEXT);
  a.jalr(RA, T9);
  a.lw(T9, UKIT.main, ZERO);
  a.nop();
  a.jalr(RA, T9);
  a.j('kit.exit', (slot) => slot.move(A0, V0));
}

/**
 * kit.switch: goes on on another stack: a0 = address of a word for this one's stack pointer, a1 = the other stack pointer. kit.thread.frame: a stack
 * that begins with a function: a0 = the stack's end, a1 = the function's number in the library's table, a2 = its argument; gives the
 * stack pointer. The function must not return.
 */
function emitThreads(plain: Assembler): void {
  const a = withSlots(plain);
  a.label('kit.switch');
  a.addiu(SP, SP, -FRAME_BYTES);
  KEPT.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.sw(SP, 0, A0);
  a.move(SP, A1);
  KEPT.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.ret((slot) => slot.addiu(SP, SP, FRAME_BYTES));

  a.label('kit.stack');
  a.ret((slot) => slot.move(V0, SP));

  a.label('kit.thread.frame');
  a.addiu(V0, A0, -FRAME_BYTES);
  a.sll(A1, A1, 3);
  a.lw(T9, UKIT.library, ZERO);
  a.nop();
  a.lw(T9, 4, T9);
  a.nop();
  a.addu(T9, T9, A1);
  a.lw(T9, 0, T9);
  a.la(A0, 'kit.thread.begin');
  a.sw(T9, 4, V0);
  a.sw(A2, 8, V0);
  a.ret((slot) => slot.sw(A0, 0, V0));
  a.label('kit.thread.begin');
  a.jr(S0, (slot) => slot.move(A0, register(S0 + 1)));
}
