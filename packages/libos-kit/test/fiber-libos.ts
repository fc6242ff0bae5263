/** A library operating system for tests of the kit: one fiber, with memory that is taken at once or when it is touched. */
import { CALLS, ENTRYLO, EXCEPTIONS, type Image, type ImageExtent } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T2, T3, T4, T5, V0, V1, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  PAGED_BASE,
  PAGED_END,
  PAGE_TABLE,
  PTE,
  PTE_SOFT,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberMemory,
  pageTableEntry,
  type Fiber,
  type Memory,
  type Placement,
} from '../src/index.ts';

/** Page-table offset of the first page not used yet. */
const HEAP = UKIT.libos;
const BAD_ADDRESS = -77;

/** What the fiber works with. */
export interface Self {
  readonly fibers: Fibers;
  readonly memory: Memory;
  readonly runtime: Assembly;
  /** Sleeps until an event, or until the tick counter reaches `tick` (0: no limit). */
  readonly sleep: (tick?: number) => Fiber<number>;
  readonly tick: () => Fiber<number>;
}

export interface FiberImageOptions {
  readonly main: (self: Self) => Fiber<number>;
  readonly name?: string;
  /** Pages get their frames when they are touched. */
  readonly lazy?: boolean;
  readonly extent?: ImageExtent;
  readonly placement?: Placement;
}

export function fiberImage({ main, name = 'fiber', lazy = false, extent, placement = {} }: FiberImageOptions): Image {
  const runtime = assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      const policy = { absent: lazy ? 'lazy.absent' : 'bad', outside: 'bad' };
      emitFaultHandler(a, 'tlbl', policy);
      emitFaultHandler(a, 'tlbs', policy);
      a.label('bad');
      a.li(A0, BAD_ADDRESS);
      a.j('kit.exit');
      a.sw(A0, UKIT.failed, ZERO);
      emitFiberEntry(a, 'main', FIRST_LIBOS_NATIVE);
      a.label('start');
      a.bal('main');
      a.nop();
      a.j('kit.exit');
      a.move(A0, V0);
      if (lazy) emitLazyAllocate(a);
      else emitEagerAllocate(a, HEAP, PAGED_END);
    },
  });
  return buildImage({
    name,
    libos: 'test',
    runtime,
    entry: address(runtime, 'start'),
    pages: [],
    handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
    natives: (env) => {
      const fibers = new Fibers();
      const call = (label: string, ...args: number[]): Fiber<number> => fibers.call(address(runtime, label), ...args);
      const self: Self = {
        fibers,
        runtime,
        memory: fiberMemory(fibers, (bytes) => call('memory_allocate', bytes)),
        sleep: (tick = 0) => call('kit.sleep', tick),
        *tick() {
          yield* fibers.syscall('tick');
          return fibers.results('tick').tick;
        },
      };
      return [fibers.step(env), fibers.start(env, () => main(self))];
    },
    placement,
    ...(extent === undefined ? {} : { extent }),
    words: () => new Map([[HEAP, 0]]),
  });
}

/** memory_allocate(bytes): entries that say "zeros, when touched"; and the policy that gives them a frame. */
function emitLazyAllocate(a: Assembler): void {
  a.label('memory_allocate');
  a.addiu(T3, A0, 4095);
  a.srl(T3, T3, 12);
  a.sll(T3, T3, 4);
  a.lw(T4, HEAP, ZERO);
  a.li(T5, pageTableEntry(PAGED_END) - PAGE_TABLE);
  a.addu(T3, T3, T4);
  a.sltu(T5, T5, T3);
  a.bne(T5, ZERO, 'memory_allocate.none');
  a.sll(V0, T4, 8);
  a.lui(T5, PAGED_BASE >>> 16);
  a.addu(V0, V0, T5);
  a.li(T5, PTE_SOFT.zeroFill);
  a.label('memory_allocate.next');
  a.beq(T4, T3, 'memory_allocate.done');
  a.nop();
  a.sw(T5, PAGE_TABLE + PTE.entryLo, T4);
  a.b('memory_allocate.next');
  a.addiu(T4, T4, 16);
  a.label('memory_allocate.done');
  a.ret();
  a.sw(T4, HEAP, ZERO);
  a.label('memory_allocate.none');
  a.ret();
  a.li(V0, -1);

  a.label('lazy.absent');
  a.lw(A1, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.andi(A1, A1, PTE_SOFT.zeroFill);
  a.beq(A1, ZERO, 'bad');
  a.li(A0, -1);
  a.li(V0, CALLS.frame_alloc.number);
  a.syscall(0);
  a.bltz(V0, 'bad');
  a.sll(V1, V1, 12);
  a.ori(V1, V1, ENTRYLO.valid | ENTRYLO.dirty);
  a.sw(V1, PAGE_TABLE + PTE.entryLo, T0);
  a.sw(A0, PAGE_TABLE + PTE.head, T0);
  a.sw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.sw(A3, PAGE_TABLE + PTE.mac1, T0);
  a.jr(T2);
  a.nop();
}
