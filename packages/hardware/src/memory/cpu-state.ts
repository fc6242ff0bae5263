/**
 * Where the CPU's state lies: word indices into the first 4 KB of the machine's memory, and the bits of CP0's registers.
 * (Those of the floating-point unit's control register are in `fpu-status.ts`.)
 *
 * Source: [KANE92 §2, §6].
 */

/** General registers 0 to 31 are words 0 to 31. */
export const HI = 32;
export const LO = 33;
export const PC = 34;
/** Address of the instruction after the one at PC: differs from PC + 4 exactly when that one is in a delay slot. */
export const NEXT_PC = 35;
/** 1: the instruction at PC is in a branch delay slot (also of a branch that is not taken). */
export const IN_SLOT = 36;
/**
 * The register whose load is still under way (0: none; 32 + n: floating-point register n), and what it gets after the
 * instruction at PC.
 */
export const DELAY_REGISTER = 37;
export const DELAY_VALUE = 38;
/** Control and status register of the floating-point unit. */
export const FCR31 = 39;
/**
 * When a part of the machine that works beside the pipeline is done: low words of cycles of the clock (`timing/`). Those that
 * have passed may stand as any cycle up to the present one.
 */
export const WRITE_BUFFER_EMPTY = 40;
export const HILO_READY = 41;
/** The adder, multiplier and divider of the floating-point unit, and the result of its compares. */
export const FPU_UNIT_FREE = 42;
export const FPU_CONDITION_READY = 45;
/** Floating-point registers 2n and 2n + 1. */
export const FPU_PAIR_READY = 46;
/** All of these words: the first, and the one after the last. */
export const TIMES = 40;
export const TIMES_END = 62;
/** Place in the machine's memory of the word of RAM that `ll` has linked; 0: none, or the link is broken. */
export const LINK = 62;
/** CP0 register n is word CP0 + n. */
export const CP0 = 64;
/** Floating-point register n is word FPR + n; a double is an even register (low word) and the next one. */
export const FPR = 96;
export const TLB_HI = 128;
export const TLB_LO = 192;
export const STATE_WORDS = 256;

export const CP0_INDEX = 0;
export const CP0_RANDOM = 1;
export const CP0_ENTRYLO = 2;
export const CP0_CONTEXT = 4;
export const CP0_BADVADDR = 8;
export const CP0_COUNT = 9;
export const CP0_ENTRYHI = 10;
export const CP0_STATUS = 12;
export const CP0_CAUSE = 13;
export const CP0_EPC = 14;
export const CP0_PRID = 15;

export const STATUS: number = CP0 + CP0_STATUS;
export const CAUSE: number = CP0 + CP0_CAUSE;

/** Status: interrupt enable and user mode, current; the two older pairs lie above. */
export const STATUS_IEC = 0x01;
export const STATUS_KUC = 0x02;
export const STATUS_ISC = 0x10000;
export const STATUS_SWC = 0x20000;
export const STATUS_CM = 0x80000;
export const STATUS_TS = 0x200000;
export const STATUS_BEV = 0x400000;
export const STATUS_CU0 = 0x10000000;
export const STATUS_CU1 = 0x20000000;
export const STATUS_CU2 = 0x40000000;
/** CU3..0, BEV, PZ, SwC, IsC, IM, KU/IE stack. TS, CM and PE are the hardware's. */
export const STATUS_WRITABLE = 0xf047ff3f;

/** The floating-point unit's interrupt line on the KN01 [KN01], and its bit in Cause and Status. */
export const LINE_FPU = 7;
export const IP_FPU = 0x8000;

/** Cause.ExcCode. */
export const EXC_INT = 0;
export const EXC_MOD = 1;
export const EXC_TLBL = 2;
export const EXC_TLBS = 3;
export const EXC_ADEL = 4;
export const EXC_ADES = 5;
export const EXC_IBE = 6;
export const EXC_DBE = 7;
export const EXC_SYS = 8;
export const EXC_BP = 9;
export const EXC_RI = 10;
export const EXC_CPU = 11;
export const EXC_OV = 12;
/** Of `teq`, which the R3000 does not have. */
export const EXC_TR = 13;

/** EntryLo. */
export const LO_N = 0x800;
export const LO_D = 0x400;
export const LO_V = 0x200;
export const LO_G = 0x100;
/** EntryHi: address space identifier, bits 11 to 6. */
export const HI_ASID = 0xfc0;
