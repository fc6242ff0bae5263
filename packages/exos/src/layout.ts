/**
 * What ExOS keeps in its u-page and in its page table, beyond the kit's.
 */
/** Absolute addresses of words in the u-page, from UKIT.libos on. */
export const UEXOS = {
  /** Address of the first page of the heap that is not used yet. */
  heap: 0x1400,
  /** This process: its environment's number. */
  self: 0x1404,
  /** Page of the bounce buffer that TypeScript programs use for pipes, or 0. */
  bounce: 0x1408,
  /** Registers that the copy-on-write handler saves: six words. */
  modSave: 0x1410,
  /** Sixteen descriptors { address of the pipe's page or 0, end }. */
  descriptors: 0x1440,
  /** Sixteen children { environment + 1 or 0, generation }. */
  children: 0x14c0,
  /** Where it goes on when it is given the processor, after it gave it away; 0: it gave nothing away. Its stack then. */
  waiting: 0x1540,
  waitingSp: 0x1544,
  /** The environment that it has called and whose reply it awaits; anything that is no environment's name: none. */
  callee: 0x1548,
  /** Stack of a server that awaits a call; 0: it is busy, or is no server. */
  serverSp: 0x154c,
  /** Procedures that it serves: addresses. */
  procedures: 0x1550,
  /** Callee-saved registers, kept while the processor is given away, and while a call is under way: twelve words each. */
  yieldSave: 0x1580,
  callSave: 0x15b0,
  /** Handler of accesses to protected pages, or 0: while it runs, too; and what it was. */
  hook: 0x15e0,
  hookKept: 0x15e4,
  /** Of the access that it handles: PC, t0, t1, t2, then v0, v1, a0 to a3, ra. */
  hookPc: 0x15e8,
  hookSave: 0x15ec,
  /** Not 0: the slice that runs is not the caller's whose call is under way, so a reply must not donate it. */
  own: 0x1620,
  /** Whose call is under way, or was last; NO_NAME: of none ever. */
  caller: 0x1624,
  /** This process: its environment's name. Of a process that has pipes. */
  name: 0x1628,
  /** Address of `exos.give` (directed-yield.ts), for what is inlined in programs. */
  give: 0x162c,
  /** Not 0: the slice of a caller, which has been cut off or had its reply late, may be here, and its begin is to be looked out for. */
  lookOut: 0x1630,
  /** Not 0: the process has used the floating-point unit (float.ts). */
  floatUsed: 0x1634,
  /** Not 0: synchronous transfers come in at `exos.sync` or, if the unit was used, at `exos.sync.float`. */
  bound: 0x1638,
  /** Fourteen registers that the handler of the unit's first use saves. */
  floatKept: 0x1640,
  /** While one looks out, but for rounds: the tick up to which it sleeps. */
  lookAt: 0x1678,
  /** Up to the end of the page: words of the program's own, which it reaches without a base register. */
  program: 0x1f00,
} as const;

/** No environment's name, which is below ENV_LIMIT or has bit 31; nor is a stack's address. */
export const NO_NAME = 0x7fffffff;
/** Caller of a trusted server: its programs agree on whose slices they keep. */
export const TRUSTED = 0x7ffffffe;
/** In place of a procedure's number in a1: no call, but the answer to one. */
export const ANSWER = 0x7fffffff;
/** The same: no call, but one whose caller awaits the reply to one, and has a slice for it. */
export const AWAITS = 0x7ffffffe;

export const DESCRIPTORS = 16;
/** Procedures that a server can have. */
export const PROCEDURES = 8;
export const CHILDREN = 16;

/** Which end of a pipe a descriptor is. */
export const END = { reader: 1, writer: 2 } as const;

/** Pages at the top of the paged region that are not the program's, behind those of the kit's library: windows for copying, and the kernel's environment table. */
export const WINDOWS = {
  /** Destination of copy-on-write. */
  copy: 0x7ff000,
  /** Page of a child that is being made. */
  child: 0x7fe000,
  /** The environment table, read-only. */
  environments: 0x7e0000,
} as const;
/** Pages of that table. */
export const ENVIRONMENT_PAGES: number = 16;

/** A software bit of a page-table entry, beside PTE_SOFT: the page may be written, but has not been since it was cleaned: then it is mapped for reading. */
export const CLEAN = 8;

/**
 * A pipe is one page that both ends map: these words, then the ring. Indices count bytes since the pipe was made, so
 * that `written - read` is what it holds.
 */
export const PIPE = {
  read: 0,
  written: 4,
  readers: 8,
  writers: 12,
  /** Name (ENV.name) + 1 of the environment that waits to read, or to write; 0: none. */
  readerWaits: 16,
  writerWaits: 20,
  /** The same of the one that read last, and that wrote last. */
  reader: 24,
  writer: 28,
  data: 64,
} as const;
/** Bytes a pipe holds: a power of two. */
export const PIPE_BYTES = 2048;
