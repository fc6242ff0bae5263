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
  PAGED_BASE,
  PTE,
  PTE_BYTES,
  address,
  assembleRuntime,
  buildImage,
  emitClock,
  emitFaultHandler,
  emitFiberEntry,
  fiberClock,
  fiberMemory,
  linkProgram,
  pageTableEntry,
  type Fiber,
  type Interfaces,
  type LibOs,
  type Program,
} from '@exokernel/libos-kit';
import { fiberConsole, writeSerial } from './console.ts';
import { HANDLERS } from './handlers.ts';
import { ENVIRONMENT_PAGES, HEAP_END, UEXOS, WINDOWS } from './layout.ts';
import { emitDirectedYield } from './directed-yield.ts';
import { emitEntries } from './entry.ts';
import { LRPC_WORDS, emitLrpc } from './lrpc.ts';
import { emitPipes } from './pipe.ts';
import { fiberPipes } from './pipe-fiber.ts';
import { emitExit, fiberProcesses, forkProcess, waitForChild } from './process.ts';
import { emitSharedMemory } from './shared-memory.ts';
import { emitAbsent, emitAllocate, emitCopyOnWrite } from './vm.ts';

export type ExosInterface = 'console' | 'clock' | 'memory' | 'processes' | 'pipes' | 'shared' | 'lrpc';

/** Native functions of ExOS by index. */
const NATIVE = {
  main: FIRST_LIBOS_NATIVE,
  child: FIRST_LIBOS_NATIVE + 1,
  fork: FIRST_LIBOS_NATIVE + 2,
  wait: FIRST_LIBOS_NATIVE + 3,
  console: FIRST_LIBOS_NATIVE + 4,
} as const;

/** The Unix-like library operating system. */
export const exos: LibOs<ExosInterface> = {
  name: 'exos',
  provides: ['console', 'clock', 'memory', 'processes', 'pipes', 'shared', 'lrpc'],
  load: (program, placement) => {
    const runtime = exosRuntime();
    const pages = program.kind === 'machine' ? linkProgram(program, runtime, HEAP_END) : [];
    const used = pages.reduce((n, { bytes }) => n + Math.ceil(bytes.length / PAGE_BYTES), 0);
    const isFiber = program.kind === 'fiber';
    return buildImage({
      name: placement.name ?? program.name,
      libos: 'exos',
      runtime,
      entry: address(runtime, isFiber ? 'exos.start.fiber' : 'exos.start'),
      pages,
      handlers: HANDLERS,
      natives: exosNatives(program, runtime),
      placement,
      prologue: 'exos.enter',
      asyncEntry: 'exos.enter',
      words: (grants) => initialWords(grants, used),
    });
  },
};

/** The text of ExOS; the same for every program. */
function exosRuntime(): Assembly {
  return assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs, EXCEPTIONS.mod],
    entries: emitEntries,
    emit: (a) => {
      const policy = { absent: 'exos.absent', outside: 'exos.bad' };
      emitFaultHandler(a, 'tlbl', policy);
      emitFaultHandler(a, 'tlbs', policy);
      emitAbsent(a);
      emitCopyOnWrite(a);
      emitAllocate(a);
      emitDirectedYield(a);
      emitSharedMemory(a);
      emitPipes(a);
      emitLrpc(a);
      emitClock(a);
      emitExit(a);
      emitStart(a);
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
function initialWords(grants: Grants, used: number): Map<number, number> {
  const words = new Map<number, number>([[UEXOS.heap, used * PTE_BYTES], [UEXOS.self, grants.env], ...LRPC_WORDS]);
  for (let i = 0; i < ENVIRONMENT_PAGES; i += 1) {
    const entry = pageTableEntry(WINDOWS.environments + i * PAGE_BYTES);
    words.set(entry + PTE.entryLo, (EXPOSED.environments + i * PAGE_BYTES) | ENTRYLO.valid);
    words.set(entry + PTE.mac0, WELL_KNOWN_READ[0]);
    words.set(entry + PTE.mac1, WELL_KNOWN_READ[1]);
  }
  return words;
}

function exosNatives(program: Program<ExosInterface>, runtime: Assembly): NativeFactory {
  const fibers = new Fibers();
  const children = new Map<number, () => Fiber<number>>();
  const allocate = address(runtime, 'memory_allocate');
  const memory = fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));
  const os: Pick<Interfaces, ExosInterface> = {
    console: fiberConsole(fibers, runtime),
    clock: fiberClock(fibers, runtime),
    memory,
    processes: fiberProcesses(fibers, runtime, children),
    pipes: fiberPipes(fibers, runtime, memory),
    shared: { allocate: () => fibers.call(address(runtime, 'shared_allocate')) },
    lrpc: {
      bind: () => fibers.call(address(runtime, 'lrpc_bind')),
      call: (...call) => fibers.call(address(runtime, 'lrpc_call'), ...call),
    },
  };
  return (env) => [
    fibers.step(env),
    fibers.start(env, () => (program.kind === 'fiber' ? program.main(os) : noMain())),
    fibers.start(env, () => children.get(env)?.() ?? noMain()),
    fibers.start(env, (_, registers) => {
      const child = registers.slice();
      child[V0] = 0;
      return forkProcess(fibers, runtime, { registers: child, pc: child[RA] ?? 0 });
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
