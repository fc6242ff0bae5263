/**
 * ExOS: a Unix-like library operating system. Processes are environments that fork copy-on-write; memory is paged by the process
 * itself; pipes, console and clock are routines in its own address space. [SOSP95 §6], [SOSP97 §5]
 *
 * Nothing of it is trusted: it is code in the process, and the kernel checks what it asks for.
 */
import {
  ENTRYLO,
  EXCEPTIONS,
  EXPOSED,
  PAGE_BYTES,
  WELL_KNOWN_READ,
  type Grants,
  type NativeFactory,
} from '@exokernel/abi';
import { A0, RA, V0, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  LibosError,
  PAGED_BASE,
  PTE,
  address,
  assembleRuntime,
  buildImage,
  emitClock,
  emitFaultHandler,
  emitFiberEntry,
  emitZeroFill,
  fiberClock,
  fiberMemory,
  linkAt,
  usedPages,
  type Fiber,
  type FiberProgram,
  type Interfaces,
  type LinkedLibrary,
  type LinkedProgram,
  type LinkingLibOs,
  type Program,
} from '@exokernel/libos-kit';
import { fiberConsole, writeSerial } from './console.ts';
import { fiberFiles } from './files-fiber.ts';
import { emitFloat } from './float.ts';
import { HANDLERS } from './handlers.ts';
import type { Text } from './fork.ts';
import { ENVIRONMENT_PAGES, UEXOS, WINDOWS } from './layout.ts';
import { GIVE, emitDirectedYield } from './directed-yield.ts';
import { emitLookOut, emitEntries, emitGiven } from './entry.ts';
import { invertedTable } from './inverted.ts';
import { emitLibrary, libraryFor, libraryParts } from './library.ts';
import { ANSWERED, CALL, LRPC_WORDS, emitLrpc, emitSaved } from './lrpc.ts';
import { composeWindows, linearTable, type Composition, type PageTable } from './page-table.ts';
import { emitPipes } from './pipe.ts';
import { fiberPipes } from './pipe-fiber.ts';
import { emitExit, emitFailed, fiberProcesses, forkProcess, waitForChild } from './process.ts';
import { HOOK_RESUME, emitProtected, emitProtection, protectedLabel } from './protection.ts';
import { emitSharedMemory } from './shared-memory.ts';
import { fiberUdp } from './udp.ts';
import { emitAllocate, emitCopyOnWrite } from './vm.ts';

export type ExosInterface =
  'console' | 'clock' | 'memory' | 'processes' | 'pipes' | 'shared' | 'lrpc' | 'protection' | 'udp' | 'files';

type Linked = LinkedProgram<ExosInterface>;
type MachineKind = Exclude<Program<ExosInterface>, FiberProgram<ExosInterface>>;

/** Native functions of ExOS by index. */
const NATIVE = {
  main: FIRST_LIBOS_NATIVE,
  child: FIRST_LIBOS_NATIVE + 1,
  fork: FIRST_LIBOS_NATIVE + 2,
  wait: FIRST_LIBOS_NATIVE + 3,
  console: FIRST_LIBOS_NATIVE + 4,
} as const;

const PROVIDES = [
  'console',
  'clock',
  'memory',
  'processes',
  'pipes',
  'shared',
  'lrpc',
  'protection',
  'udp',
  'files',
] as const;

/** The Unix-like library operating system, with linear page tables. */
export const exos: LinkingLibOs<ExosInterface> = withTable('exos', linearTable);
/** The same with inverted page tables: for programs whose pages lie far apart; at most 416 of them. */
export const exosInverted: LinkingLibOs<ExosInterface> = withTable('exos-inverted', invertedTable);

function withTable(name: string, table: PageTable): LinkingLibOs<ExosInterface> {
  const link = (program: MachineKind, runtime: Assembly, library: LinkedLibrary | undefined): Linked =>
    linkAt(program, {
      libos: name,
      text: library === undefined ? [runtime.words] : [runtime.words, library.words],
      entryOf: (routine) => library?.entries.get(routine) ?? address(runtime, routine),
      end: table.heapEnd,
    });
  return {
    name,
    provides: PROVIDES,
    load: (program, placement) => {
      const runtime = exosRuntime(table);
      const library = libraryFor(program.needs, runtime, table);
      const isFiber = program.kind === 'fiber';
      const { pages = [], code = library?.code } = isFiber ? {} : link(program, runtime, library);
      const used = usedPages(pages);
      if (program.needs.includes('udp') && placement.station === undefined) {
        throw new LibosError('image', `${program.name} needs udp: its placement must name a station`);
      }
      const composition = composeWindows(table);
      const compiled = libraryParts(library, runtime, isFiber ? 'exos.start.fiber' : 'exos.start');
      return buildImage({
        name: placement.name ?? program.name,
        libos: name,
        runtime,
        entry: compiled.entry,
        // First, so that its colours in a cache do not depend on the program.
        pages: [...compiled.pages, ...pages],
        zeroFill: compiled.zeroFill,
        code,
        handlers: HANDLERS,
        natives: exosNatives(program, { runtime, table }, library),
        placement,
        prologue: 'exos.enter',
        asyncEntry: 'exos.transferred',
        entryOf: composition.entry,
        words: (grants) =>
          new Map([...initialWords(grants, address(runtime, GIVE.label), used, composition), ...compiled.words]),
      });
    },
    link: (program) => {
      const runtime = exosRuntime(table);
      return link(program, runtime, libraryFor(program.needs, runtime, table));
    },
  };
}

/** The text of ExOS with this page table; the same for every program. */
function exosRuntime(table: PageTable): Assembly {
  return assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs, EXCEPTIONS.mod, EXCEPTIONS.coprocessor],
    resumePoints: [HOOK_RESUME],
    entries: emitEntries,
    restartable: [GIVE, ANSWERED, CALL],
    abandoned: emitLookOut,
    saved: emitSaved,
    float: table === linearTable,
    emit: (a) => {
      for (const kind of ['tlbl', 'tlbs'] as const) {
        const policy = { absent: 'exos.absent', outside: 'exos.bad', protected: protectedLabel(kind) };
        emitFaultHandler(a, kind, policy, table.find);
      }
      emitProtected(a);
      emitZeroFill(a, 'exos.absent', 'exos.bad');
      emitCopyOnWrite(a, table);
      emitAllocate(a, table);
      emitProtection(a, table);
      emitDirectedYield(a);
      emitSharedMemory(a, table);
      emitPipes(a, table);
      // One range (emitSaved).
      emitGiven(a);
      emitLrpc(a);
      emitClock(a);
      emitExit(a);
      emitStart(a);
      emitFailed(a);
      emitFloat(a, table === linearTable);
      emitLibrary(a, table);
    },
  });
}

function emitStart(a: Assembler): void {
  a.label('exos.start');
  a.li(V0, PAGED_BASE);
  a.jalr(RA, V0);
  a.nop();
  a.j('exos.exit');
  a.move(A0, V0);
  for (const [label, native] of [
    ['fiber', NATIVE.main],
    ['child', NATIVE.child],
  ] as const) {
    emitFiberEntry(a, `exos.${label}`, native);
    a.label(`exos.start.${label}`);
    a.bal(`exos.${label}`);
    a.nop();
    a.j('exos.exit');
    a.move(A0, V0);
  }
  emitFiberEntry(a, 'process_fork', NATIVE.fork);
  emitFiberEntry(a, 'process_wait', NATIVE.wait);
  emitFiberEntry(a, 'console_write', NATIVE.console);
  a.label('process_self');
  a.lw(V0, UEXOS.self, ZERO);
  a.ret();
  a.nop();
}

/** Who this is, where the heap begins, and the window onto the kernel's environment table. */
function initialWords(
  grants: Grants,
  give: number,
  used: number,
  { entry, words: tableWords }: Composition,
): Map<number, number> {
  const words = new Map<number, number>([
    [UEXOS.heap, PAGED_BASE + used * PAGE_BYTES],
    [UEXOS.self, grants.env],
    [UEXOS.give, give],
    ...LRPC_WORDS,
    ...tableWords(),
  ]);
  for (let i = 0; i < ENVIRONMENT_PAGES; i += 1) {
    const va = WINDOWS.environments + i * PAGE_BYTES;
    const exposed = EXPOSED.environments + i * PAGE_BYTES;
    words.set(entry(va) + PTE.entryLo, exposed | ENTRYLO.valid);
    words.set(entry(va) + PTE.mac0, WELL_KNOWN_READ[0]);
    words.set(entry(va) + PTE.mac1, WELL_KNOWN_READ[1]);
  }
  return words;
}

function exosNatives(program: Program<ExosInterface>, text: Text, library: LinkedLibrary | undefined): NativeFactory {
  const { runtime } = text;
  const fibers = new Fibers();
  const children = new Map<number, () => Fiber<number>>();
  const allocate = address(runtime, 'memory_allocate');
  const memory = fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));
  const os: Pick<Interfaces, ExosInterface> = {
    console: fiberConsole(fibers, runtime),
    clock: fiberClock(fibers, runtime),
    memory,
    processes: fiberProcesses(fibers, text, children),
    pipes: fiberPipes(fibers, runtime, memory),
    shared: { allocate: () => fibers.call(address(runtime, 'shared_allocate')) },
    lrpc: {
      bind: () => fibers.call(address(runtime, 'lrpc_bind')),
      name: (process) => fibers.call(address(runtime, 'lrpc_name'), process),
      call: (...call) => fibers.call(address(runtime, 'lrpc_call'), ...call),
    },
    protection: {
      protect: (...range) => fibers.call(address(runtime, 'vm_protect'), ...range),
      unprotect: (...range) => fibers.call(address(runtime, 'vm_unprotect'), ...range),
      clean: (...range) => fibers.call(address(runtime, 'vm_clean'), ...range),
      dirty: (va) => fibers.call(address(runtime, 'vm_dirty'), va),
    },
    udp: fiberUdp(fibers, library, memory),
    files: fiberFiles(fibers, (routine) => library?.entries.get(routine) ?? address(runtime, routine), memory),
  };
  return (env) => [
    fibers.step(env),
    fibers.start(env, () => (program.kind === 'fiber' ? program.main(os) : noMain())),
    fibers.start(env, () => children.get(env)?.() ?? noMain()),
    fibers.start(env, (_, registers) => {
      const child = registers.slice();
      child[V0] = 0;
      return forkProcess(fibers, text, { registers: child, pc: child[RA] ?? 0 });
    }),
    fibers.start(env, ([at = 0]) => waitFiber(fibers, runtime, at)),
    fibers.start(env, ([at = 0, length = 0]) => consoleFiber(fibers, runtime, at, length)),
  ];
}

/** process_wait(address of a word for the code, or 0): the child, or −1 if there is none. */
function* waitFiber(fibers: Fibers, runtime: Assembly, at: number): Fiber<number> {
  const ended = yield* waitForChild(fibers, runtime);
  if (ended === undefined) return -1;
  if (at !== 0) yield* fibers.store(at, ended.code);
  return ended.process;
}

/** console_write(address, length). */
function* consoleFiber(fibers: Fibers, runtime: Assembly, at: number, length: number): Fiber<number> {
  if (length < 0 || length > CONSOLE_WRITE_MAX) return -1;
  const bytes = new Uint8Array(length);
  yield* fibers.read(at, bytes);
  return yield* writeSerial(fibers, runtime, bytes);
}

/** Longest write of a machine-code program to the console. Assumption: a page is enough. */
const CONSOLE_WRITE_MAX: number = PAGE_BYTES;

/** An environment that has no such entry ends. */
function noMain(): never {
  throw new RangeError('this image has no TypeScript program');
}
