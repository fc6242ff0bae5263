/**
 * Where the kit puts its things in an environment's address space, and what it keeps in the u-page.
 *
 *     0x0000  nothing: null pointers fault
 *     0x1000  u-page
 *     0x2000  text of kit and library operating system, read-only
 *     0x4000  page table of the paged region
 *     0x8000  boot stack
 *     0x400000 … 0x7fffff  the paged region: the program
 *
 * All but the paged region are guaranteed mappings, so handlers never fault; and all lie below 0x8000, so that handlers
 * reach them with an offset from `$zero` and need no base register.
 */
import { PAGE_BYTES, U } from '@exokernel/abi';

export const U_PAGE = 0x1000;
export const KIT_TEXT = 0x2000;
export const KIT_TEXT_BYTES: number = 2 * PAGE_BYTES;
export const PAGE_TABLE = 0x4000;
export const PAGE_TABLE_BYTES: number = 4 * PAGE_BYTES;
/** Behind a page that is not there, at which a stack that is too long ends. */
export const BOOT_STACK = 0x9000;
export const BOOT_STACK_TOP: number = BOOT_STACK + PAGE_BYTES;

/** Where a compiled library operating system has its repossession vector, if it has one: a guaranteed mapping. */
export const VECTOR = 0xc000;

/** The paged region: one page-table entry of 16 bytes per page. */
export const PAGED_BASE = 0x400000;
export const PAGED_PAGES = 1024;
export const PAGED_END: number = PAGED_BASE + PAGED_PAGES * PAGE_BYTES;

/** Absolute addresses of the kit's words in the u-page, from U_PAGE + U.user on. */
export const UKIT = {
  /** Registers of the suspended environment, by number; then HI, LO and the PC. */
  context: 0x1180,
  contextHi: 0x1200,
  contextLo: 0x1204,
  /** Zero while no context waits. */
  contextPc: 0x1208,
  /** Where the prologue goes on, once it has loaded the context. */
  resumePc: 0x120c,
  /** How many critical sections it is in, and whether its slice has ended meanwhile. */
  criticalDepth: 0x1210,
  criticalInterrupted: 0x1214,
  /** EPC of the exception being handled, by ExcCode. */
  epc: 0x1240,
  /** Registers that the fault handler saves beyond the three of the kernel. */
  faultSave: 0x1280,
  /** Of the upcall that begins: t0, t1, t2, the PC, two arguments, which upcall (an index of `upcalls`). */
  upcallSave: 0x1298,
  upcallPc: 0x12a4,
  upcallArguments: 0x12a8,
  upcallWhich: 0x12b0,
  /** Not zero: the kernel has told of revocation, and the library operating system has not heard it yet. */
  told: 0x12b4,
  /** By number of UPCALLS: the index of a function in the library's table, or 0. */
  upcalls: 0x12b8,
  /** The library's record, for gp. */
  library: 0x12cc,
  /** What is called when a library operating system that was compiled has started: its program, or its `main`. */
  main: 0x12d0,
  /** How many blocks the extent has that the environment was given at boot. */
  extentBlocks: 0x12d8,
  /** Not zero: the program uses the floating-point unit. Its 32 registers and FCR31 while it does not run. */
  float: 0x12d4,
  /** Which upcalls of slices are under way: bits, by number of UPCALLS. */
  sliceUpcalls: 0x12dc,
  /**
   * Completion word of the kit's own and 1, if what the kernel takes by force is paged in again; then what the handler keeps meanwhile: t0, t1, t3, t4, t5,
   * where it goes on, the entry of the vector.
   */
  backing: 0x12e0,
  backingSave: 0x12e4,
  floatSave: 0x1e00,
  /** Capabilities the environment was given. */
  self: 0x1300,
  serial: 0x1310,
  extent: 0x1320,
  uPageCapability: 0x1330,
  /** Capabilities of the pages of kit text, page table and boot stack, in this order. */
  segments: 0x1340,
  /** Code given to env_free when the program ends. */
  exitCode: 0x13c0,
  /** The right to tap the network, if it was given. */
  net: 0x13d0,
  /** Not zero once the library operating system ends the program for an exception. */
  failed: 0x13e0,
  /** Who it is on the network: its address (0: it has none), netmask, gateway or 0, and Ethernet address, as bytes in the order of the wire. */
  station: 0x13e4,
  /** From here on the words belong to the library operating system, up to `floatSave`. */
  libos: 0x1400,
} as const;

/** What a library operating system that was compiled can have called, and where the number of each stands in UKIT.upcalls. */
export const UPCALLS = { fault: 0, exception: 1, revoke: 2, begin: 3, end: 4 } as const;
/** An upcall of the kit's own: the floating-point unit is used for the first time. */
export const UPCALL_FLOAT = 5;

/**
 * Where a compiled library lies in the paged region: its code and its record, then its memory, with `memoryBase` (asc) or `--global-base`
 * (wasm-ld) at LIBRARY_MEMORY. Assumption: 128 KiB of each are enough. The pages behind LIBRARY_END are for windows.
 */
export const LIBRARY_TEXT = 0x7a0000;
/** The stack on which a library operating system that was compiled calls its program: up to LIBRARY_MEMORY, behind a page that is not there. */
export const LIBRARY_STACK = 0x7bc000;
export const LIBRARY_MEMORY = 0x7c0000;
export const LIBRARY_END = 0x7e0000;
/** A library operating system that is compiled as a whole has so much more memory; the pages behind it are for windows. */
export const LIBOS_END = 0x7f0000;

/** Address of the save area for an ExcCode: t0, t1, t2 as the kernel left them. */
export function exceptionSave(code: number): number {
  return U_PAGE + U.exceptionSave + 16 * code;
}

/** Software bits of a page-table entry, in the low byte of its EntryLo word, which the hardware ignores. shared: children have the same frame. */
export const PTE_SOFT = { zeroFill: 1, copyOnWrite: 2, shared: 4, clean: 8, protected: 0x10 } as const;
/** Words of a page-table entry: EntryLo with software bits, then the frame's capability without its name. */
export const PTE = { entryLo: 0, head: 4, mac0: 8, mac1: 12 } as const;
export const PTE_BYTES = 16;
