/**
 * Raw environments: programs without a library operating system, for tests that talk to the kernel itself.
 *
 * A raw program is machine code, or a fiber whose every system call is a real `syscall`, or both. Each exception it takes is
 * counted in its u-page with its EPC, bad address and cause, and skipped. All its memory is guaranteed mappings, unless it
 * binds frames itself.
 */
import { CALLS, EXCEPTIONS, type CallName, type CapabilityWords, type ExceptionName, type Image } from '@exokernel/abi';
import { RA, T0, T1, T2, T3, V0, V1, A0, A1, A2, A3, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitFiberEntry,
  loadCapability,
  resumeLabel,
  type Fiber,
  type Placement,
} from '@exokernel/libos-kit';

/** Words of the u-page: what the raw handlers note, and from `user` on what the program likes. */
export const RAW = {
  /** How often each ExcCode came: 16 words. */
  counts: 0x1400,
  /** Of the last exception. */
  epc: 0x1440,
  badVaddr: 0x1444,
  cause: 0x1448,
  /** ExcCode + 1 of the last exception; a program that wants to know zeroes it before. */
  code: 0x144c,
  user: 0x1480,
} as const;

/** A page that nothing is mapped at, for programs that bind frames. */
export const WINDOW = 0x100000;

const HANDLED = Object.entries(EXCEPTIONS).filter(([name]) => name !== 'interrupt' && name !== 'syscall') as [
  ExceptionName,
  number,
][];

/** What a system call answered. */
export interface Answer {
  readonly code: number;
  /** v1 */
  readonly value: number;
  /** a0 to a3, unsigned. */
  readonly capability: CapabilityWords;
}

/** A frame that a raw image gets. */
export interface RawFrame {
  readonly ppn: number;
  readonly capability: CapabilityWords;
}

/** What a raw fiber works with. */
export interface Raw {
  readonly fibers: Fibers;
  /** Makes a system call, by name or by number. */
  call(name: CallName | number, ...args: readonly number[]): Fiber<Answer>;
  /** The code alone. */
  code(name: CallName | number, ...args: readonly number[]): Fiber<number>;
  /** Calls a routine of the program's own machine code. */
  routine(label: string, ...args: readonly number[]): Fiber<number>;
  /** A capability that the image was granted. */
  granted(which: 'self' | 'serial' | 'extent' | 'uPage' | 'net'): Fiber<CapabilityWords>;
  /** The capability of guaranteed page i: two of text, four of page table, one of stack. */
  segment(i: number): Fiber<CapabilityWords>;
  /** A frame, which must be there. */
  frame(ppn?: number): Fiber<RawFrame>;
  /** Binds a page to a frame with tlbwr. Returns the code. */
  bind(va: number, frame: RawFrame, writable?: boolean): Fiber<number>;
  /** Puts bytes at the start of a frame, by way of the page at WINDOW. */
  fill(frame: RawFrame, bytes: Uint8Array): Fiber<void>;
  /** Loads a word with machine code: its value, or `undefined` and the exception is in the u-page. */
  peek(va: number): Fiber<number | undefined>;
  /** Stores a word with machine code. Returns the ExcCode of the exception, or 0. */
  poke(va: number, value: number): Fiber<number>;
  /** Sleeps until the tick counter has grown by this. */
  sleep(ticks: number): Fiber<void>;
}

/** What a raw image is made of. */
export interface RawOptions {
  readonly name?: string;
  /** What the environment does; without it the machine code at `entry` does it. Its result is the exit code. */
  readonly main?: (raw: Raw) => Fiber<number>;
  readonly emit?: (a: Assembler) => void;
  /** Label at which it starts; the fiber's by default. */
  readonly entry?: string;
  /** Label of the end-of-slice entry; the kit's by default. */
  readonly epilogue?: string;
  readonly prologue?: string;
  /** Handlers of its own; `undefined` leaves the exception without one. */
  readonly handlers?: Partial<Record<ExceptionName, string | undefined>>;
  readonly syncEntry?: string;
  readonly asyncEntry?: string;
  readonly placement?: Placement;
  readonly extent?: Image['extent'];
  readonly tap?: boolean;
  readonly words?: NonNullable<Parameters<typeof buildImage>[0]['words']>;
}

/** The image of a raw environment, with the address of every label. */
export interface RawImage extends Image {
  readonly runtime: Assembly;
}

/** An image made of assembler code alone. */
export function rawImage(options: RawOptions): RawImage {
  const runtime = assembleRuntime({
    resumes: HANDLED.map(([, code]) => code),
    emit: (a) => {
      emitRaw(a);
      options.emit?.(a);
    },
  });
  const fibers = new Fibers();
  const raw = rawOs(fibers, runtime);
  const { main } = options;
  const handlers = Object.fromEntries(
    HANDLED.map(([name]) => [
      name,
      options.handlers !== undefined && name in options.handlers ? options.handlers[name] : `raw.${name}`,
    ]).filter(([, label]) => label !== undefined),
  ) as Partial<Record<ExceptionName, string>>;
  const image = buildImage({
    name: options.name ?? 'raw',
    libos: 'none',
    runtime,
    entry: address(runtime, options.entry ?? 'raw.start'),
    pages: [],
    handlers,
    natives: (env) => (main === undefined ? [] : [fibers.step(env), fibers.start(env, () => main(raw))]),
    placement: options.placement ?? {},
    ...(options.syncEntry === undefined ? {} : { syncEntry: options.syncEntry }),
    ...(options.asyncEntry === undefined ? {} : { asyncEntry: options.asyncEntry }),
    ...(options.extent === undefined ? {} : { extent: options.extent }),
    ...(options.tap === undefined ? {} : { tap: options.tap }),
    ...(options.words === undefined ? {} : { words: options.words }),
  });
  return {
    ...image,
    runtime,
    ...(options.epilogue === undefined ? {} : { epilogue: address(runtime, options.epilogue) }),
    ...(options.prologue === undefined ? {} : { prologue: address(runtime, options.prologue) }),
  };
}

function emitRaw(a: Assembler): void {
  for (const [name, code] of HANDLED) {
    a.label(`raw.${name}`);
    a.sw(T0, RAW.epc, ZERO);
    a.sw(T1, RAW.badVaddr, ZERO);
    a.sw(T2, RAW.cause, ZERO);
    // In a delay slot EPC is the branch: both are skipped.
    a.srl(T2, T2, 31);
    a.sll(T2, T2, 2);
    a.addu(T0, T0, T2);
    a.addiu(T0, T0, 4);
    a.sw(T0, UKIT.epc + 4 * code, ZERO);
    a.li(T1, code + 1);
    a.sw(T1, RAW.code, ZERO);
    a.lw(T1, RAW.counts + 4 * code, ZERO);
    a.nop();
    a.addiu(T1, T1, 1);
    a.sw(T1, RAW.counts + 4 * code, ZERO);
    a.j(resumeLabel(code));
    a.nop();
  }
  emitFiberEntry(a, 'raw.main', FIRST_LIBOS_NATIVE);
  a.label('raw.start');
  a.bal('raw.main');
  a.nop();
  a.j('kit.exit');
  a.move(A0, V0);
  // peek(va): v0 = the word. poke(va, value). The handlers skip the access that fails.
  a.label('raw.peek');
  a.lw(V0, 0, A0);
  a.ret();
  a.nop();
  a.label('raw.poke');
  a.sw(A1, 0, A0);
  a.ret();
  a.nop();
}

function rawOs(fibers: Fibers, runtime: Assembly): Raw {
  const raw: Raw = {
    fibers,
    *call(name, ...args) {
      yield { kind: 'syscall', number: typeof name === 'number' ? name : CALLS[name].number, args };
      const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = [A0, A1, A2, A3].map((r) => fibers.register(r) >>> 0);
      return { code: fibers.register(V0), value: fibers.register(V1), capability: [w0, w1, w2, w3] };
    },
    *code(name, ...args) {
      return (yield* raw.call(name, ...args)).code;
    },
    routine: (label, ...args) => fibers.call(address(runtime, label), ...args),
    granted: (which) => loadCapability(fibers, which === 'uPage' ? UKIT.uPageCapability : UKIT[which]),
    segment: (i) => loadCapability(fibers, UKIT.segments + 16 * i),
    *frame(ppn = -1) {
      const { code, value, capability } = yield* raw.call('frame_alloc', ppn);
      if (code !== 0) throw new Error(`frame_alloc(${ppn}) answers ${code}`);
      return { ppn: value, capability };
    },
    bind: (va, { ppn, capability }, writable = true) =>
      raw.code('tlbwr', va, (ppn << 12) | (writable ? 0x600 : 0x200), capability[2], capability[3], capability[0]),
    *fill(frame, bytes) {
      const code = yield* raw.bind(WINDOW, frame);
      if (code !== 0) throw new Error(`tlbwr answers ${code}`);
      yield* fibers.write(WINDOW, bytes);
      yield* raw.code('tlbvad', WINDOW);
    },
    *peek(va) {
      yield* fibers.store(RAW.code, 0);
      const value = yield* raw.routine('raw.peek', va);
      return (yield* fibers.load(RAW.code)) === 0 ? value : undefined;
    },
    *poke(va, value) {
      yield* fibers.store(RAW.code, 0);
      yield* raw.routine('raw.poke', va, value);
      const code = yield* fibers.load(RAW.code);
      return code === 0 ? 0 : code - 1;
    },
    *sleep(ticks) {
      const now = (yield* raw.call('tick')).value;
      while ((yield* raw.call('tick')).value - now < ticks) yield* raw.routine('kit.sleep', now + ticks);
    },
  };
  return raw;
}

/** Registers that a raw program may use to loop for a while: emits about `count` iterations of three instructions. */
export function emitSpin(a: Assembler, count: number): void {
  const loop = a.fresh('spin');
  a.li(T3, count);
  a.label(loop);
  a.addiu(T3, T3, -1);
  a.bnez(T3, loop);
  a.nop();
}

/** Emits the end of a raw program in machine code, with v0 as its exit code. */
export function emitEnd(a: Assembler): void {
  a.j('kit.exit');
  a.move(A0, V0);
}

/** Emits a system call in machine code; the arguments are in their registers. */
export function emitCall(a: Assembler, name: CallName): void {
  a.li(V0, CALLS[name].number);
  a.syscall(0);
}

/** Emits a return to the caller of a routine. */
export function emitReturn(a: Assembler): void {
  a.jr(RA);
  a.nop();
}
