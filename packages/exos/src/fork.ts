/**
 * Fork: a new environment with a copy of this one's memory, made by the process itself out of kernel calls. [SOSP97 §5]
 *
 * u-page, page table and boot stack are copied at once; every other page is shared, and writable ones become copy-on-write in
 * parent and child. Frames are held by both. Pipe pages stay shared.
 */
import {
  ENV,
  ENV_BYTES,
  ENV_STATUS,
  ERRORS,
  EXCEPTIONS,
  PAGE_BYTES,
  type CapabilityWords,
  type ExceptionName,
} from '@exokernel/abi';
import type { Assembly } from '@exokernel/isa';
import {
  BOOT_STACK,
  KIT_TEXT,
  PAGE_TABLE,
  PAGE_TABLE_BYTES,
  PTE,
  PTE_BYTES,
  PTE_SOFT,
  UKIT,
  U_PAGE,
  address,
  loadCapability,
  entryCapability,
  pageEntry,
  type Fiber,
  type Fibers,
} from '@exokernel/libos-kit';
import { HANDLERS } from './handlers.ts';
import { CLEAN, DESCRIPTORS, END, NO_NAME, PIPE, UEXOS, WINDOWS } from './layout.ts';
import { windowEntry, type PageTable } from './page-table.ts';

const DIRTY = 0x400;
const VALID = 0x200;
/** Pages of kit text, in UKIT.segments before those of page table and stack. */
const TEXT_PAGES = 2;
/** Pages of one way of the data cache: 64 KB, direct-mapped. */
const COLOURS = 16;
const TABLE_PAGES = PAGE_TABLE_BYTES / PAGE_BYTES;

/** Where the child starts: registers by number, and a PC. */
export interface Start {
  readonly registers: Int32Array;
  readonly pc: number;
}

/**
 * Makes a child that starts as told; `made` runs before it does. Returns its environment, or a negative error; then nothing
 * is left of it.
 */
export function* fork(
  fibers: Fibers,
  { runtime, table }: Text,
  start: Start,
  made: (child: number) => Fiber<void>,
): Fiber<number> {
  const code = yield* fibers.syscall('env_alloc');
  if (code < 0) return code;
  const { env: child, capability: control } = fibers.results('env_alloc');
  const name = yield* fibers.load(WINDOWS.environments + child * ENV_BYTES + ENV.name);
  let failed = yield* fill(fibers, { child, name, control, start, table });
  if (failed === 0) {
    yield* made(child);
    failed = yield* begin(fibers, runtime, control);
  }
  if (failed === 0) return child;
  yield* fibers.syscall('env_free', ...control, 0);
  return failed;
}

/** The text that parent and child share, and the structure of their page tables. */
export interface Text {
  readonly runtime: Assembly;
  readonly table: PageTable;
}

interface Making {
  readonly child: number;
  /** What the kernel calls it, with its life. */
  readonly name: number;
  readonly control: CapabilityWords;
  readonly start: Start;
  readonly table: PageTable;
}

function* fill(fibers: Fibers, making: Making): Fiber<number> {
  const { control, table } = making;
  const childEntry = windowEntry(table, WINDOWS.child);
  for (let i = 0; i < TEXT_PAGES; i += 1) {
    const text = yield* loadCapability(fibers, UKIT.segments + 16 * i);
    const code = yield* fibers.syscall('env_map', ...control, ...text, KIT_TEXT + i * PAGE_BYTES);
    if (code < 0) return code;
  }
  const copied = yield* sharePages(fibers, control, table);
  if (copied < 0) return copied;
  const capabilities = new Map<number, CapabilityWords>();
  for (const va of [
    ...Array.from({ length: TABLE_PAGES }, (_, i) => PAGE_TABLE + i * PAGE_BYTES),
    BOOT_STACK,
    U_PAGE,
  ]) {
    const frame = yield* copyPage(fibers, childEntry, va, (words) => {
      if (va === U_PAGE) childUPage(words, making, capabilities);
      const window = childEntry - va;
      if (window >= 0 && window < PAGE_BYTES) words.setUint32(window, 0, true);
    });
    if (typeof frame === 'number') return frame;
    capabilities.set(va, frame);
    const code = yield* fibers.syscall('env_map', ...control, ...frame, va | (va === U_PAGE ? 3 : 1));
    if (code < 0) return code;
    if (va === U_PAGE) yield* storeWindow(fibers, UKIT.uPageCapability, frame);
    yield* fibers.syscall('frame_free', ...frame);
  }
  yield* closeWindow(fibers, childEntry);
  return ERRORS.E_OK;
}

/** Entry points, a slice, and the child may run. */
function* begin(fibers: Fibers, runtime: Assembly, control: CapabilityWords): Fiber<number> {
  const entries: readonly (readonly [number, number])[] = [
    [ENV.prologue, address(runtime, 'exos.enter')],
    [ENV.epilogue, address(runtime, 'kit.epilogue')],
    ...Object.entries(HANDLERS).map(
      ([name, label]) => [ENV.exceptionPc + 4 * EXCEPTIONS[name as ExceptionName], address(runtime, label)] as const,
    ),
  ];
  const slice = yield* fibers.syscall('slice_alloc', ...control, -1);
  if (slice < 0) return slice;
  for (const [field, value] of entries) {
    const code = yield* fibers.syscall('env_set', ...control, field, value);
    if (code < 0) return code;
  }
  yield* retainPipes(fibers);
  const started = yield* fibers.syscall('env_set', ...control, ENV.status, ENV_STATUS.runnable);
  // From here on it has a life of its own, which may be over: an error is not ours.
  if (started === 0) yield* fibers.syscall('env_set', ...control, ENV.asyncEntry, address(runtime, 'exos.transferred'));
  return started;
}

/** Every frame of the page table gets the child as a holder; writable ones become copy-on-write. */
function* sharePages(fibers: Fibers, control: CapabilityWords, table: PageTable): Fiber<number> {
  const windows = [windowEntry(table, WINDOWS.child), windowEntry(table, WINDOWS.copy)];
  for (let i = 0; i < table.slots; i += 1) {
    const at = PAGE_TABLE + i * PTE_BYTES;
    const entry = yield* fibers.load(at + PTE.entryLo);
    if ((entry & VALID) === 0 || windows.includes(at)) continue;
    const frame = yield* entryCapability(fibers, at);
    if (frame[0] === 0) continue;
    const code = yield* fibers.syscall('frame_hold', ...control, ...frame);
    if (code < 0) return code;
    if ((entry & (DIRTY | CLEAN)) === 0 || (entry & PTE_SOFT.shared) !== 0) continue;
    const shared = pageEntry(entry >>> 12, { writable: false, copyOnWrite: true }) | (entry & PTE_SOFT.protected);
    yield* fibers.store(at + PTE.entryLo, shared);
    yield* fibers.syscall('tlbvad', yield* table.page(fibers, i));
  }
  return ERRORS.E_OK;
}

/** The ends of every open pipe have one process more. */
function* retainPipes(fibers: Fibers): Fiber<void> {
  for (let d = 0; d < DESCRIPTORS; d += 1) {
    const page = yield* fibers.load(UEXOS.descriptors + 8 * d);
    if (page === 0) continue;
    const end = yield* fibers.load(UEXOS.descriptors + 8 * d + 4);
    const count = page + (end === END.reader ? PIPE.readers : PIPE.writers);
    yield* fibers.store(count, (yield* fibers.load(count)) + 1);
  }
}

/** A new frame with a copy of the page at `from`, changed by `edit`; it stays mapped in the window, whose entry is at `at`. */
function* copyPage(
  fibers: Fibers,
  at: number,
  from: number,
  edit: (words: DataView) => void,
): Fiber<CapabilityWords | number> {
  const frame = from === U_PAGE ? yield* uPageFrame(fibers) : yield* allocate(fibers);
  if (typeof frame === 'number') return frame;
  const bytes = new Uint8Array(PAGE_BYTES);
  yield* fibers.read(from, bytes);
  edit(new DataView(bytes.buffer));
  const entry = pageEntry(frame[1], { writable: true });
  yield* fibers.store(at + PTE.entryLo, entry);
  yield* fibers.store(at + PTE.head, frame[0]);
  yield* fibers.store(at + PTE.mac0, frame[2]);
  yield* fibers.store(at + PTE.mac1, frame[3]);
  yield* fibers.syscall('tlbwr', WINDOWS.child, entry, frame[2], frame[3], frame[0]);
  yield* fibers.write(WINDOWS.child, bytes);
  return frame;
}

function* allocate(fibers: Fibers): Fiber<CapabilityWords | number> {
  const code = yield* fibers.syscall('frame_alloc', -1);
  return code < 0 ? code : fibers.results('frame_alloc').capability;
}

/**
 * A frame of another cache colour than our u-page's: parent and child save their registers in these pages when they give
 * each other the processor, and would push each other out of the cache.
 */
function* uPageFrame(fibers: Fibers): Fiber<CapabilityWords | number> {
  const [, own] = yield* loadCapability(fibers, UKIT.uPageCapability);
  const first = yield* allocate(fibers);
  if (typeof first === 'number' || first[1] % COLOURS !== own % COLOURS) return first;
  const second = yield* allocate(fibers);
  if (typeof second === 'number') return first;
  yield* fibers.syscall('frame_free', ...first);
  return second;
}

/** Stores a capability into the child's u-page, which is in the window. */
function* storeWindow(fibers: Fibers, at: number, capability: CapabilityWords): Fiber<void> {
  for (const [i, word] of capability.entries()) yield* fibers.store(WINDOWS.child + at - U_PAGE + 4 * i, word);
}

function* closeWindow(fibers: Fibers, entry: number): Fiber<void> {
  yield* fibers.store(entry + PTE.entryLo, 0);
  yield* fibers.syscall('tlbvad', WINDOWS.child);
}

/** What differs in the child's u-page: who it is, where it starts, that it has no children. */
function childUPage(
  words: DataView,
  { child, name, control, start }: Making,
  capabilities: ReadonlyMap<number, CapabilityWords>,
): void {
  const put = (at: number, value: number): void => {
    words.setUint32(at - U_PAGE, value, true);
  };
  const putCapability = (at: number, capability: CapabilityWords | undefined): void => {
    capability?.forEach((word, i) => {
      put(at + 4 * i, word);
    });
  };
  start.registers.forEach((value, r) => {
    put(UKIT.context + 4 * r, value);
  });
  put(UKIT.contextPc, start.pc);
  put(UEXOS.self, child);
  put(UEXOS.bounce, 0);
  // What the library knows of the extent is copied with the memory: only one of them may go on with it.
  putCapability(UKIT.extent, [0, 0, 0, 0]);
  put(UEXOS.name, name);
  put(UEXOS.caller, NO_NAME);
  put(UEXOS.serverSp, 0);
  put(UEXOS.lookOut, 0);
  // It has no entry for calls yet, and has not used the floating-point unit.
  put(UEXOS.bound, 0);
  put(UEXOS.floatUsed, 0);
  put(UKIT.float, 0);
  for (let i = 0; i < 32; i += 1) put(UEXOS.children + 4 * i, 0);
  putCapability(UKIT.self, control);
  for (let i = 0; i < TABLE_PAGES; i += 1) {
    putCapability(UKIT.segments + 16 * (TEXT_PAGES + i), capabilities.get(PAGE_TABLE + i * PAGE_BYTES));
  }
  putCapability(UKIT.segments + 16 * (TEXT_PAGES + TABLE_PAGES), capabilities.get(BOOT_STACK));
}
