/**
 * Instructions of the classic BPF machine: an accumulator A, an index register X, sixteen words of memory M, a packet.
 * Their
 * names, and how a listing writes them, are in `operations-table.ts`.
 */

/** One instruction. `jt` and `jf` are below 256, `code` is below 65,536, `k` is an unsigned word; jumps count from the next instruction. */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Words of memory of the machine. */
export const BPF_MEMORY_WORDS = 16;
/** The most instructions that a program may have. */
export const BPF_MAX_INSTRUCTIONS = 1_048_576;
/** Loads at this absolute offset and above read what Linux knows of the packet beside its bytes. */
export const BPF_ANCILLARY = 0xffff_f000;

/** Operations by name: the codes that the code generator and the interpreter use. */
export const BPF = {
  LD_IMM: 0x00,
  LDX_IMM: 0x01,
  ST: 0x02,
  STX: 0x03,
  ADD_K: 0x04,
  JA: 0x05,
  RET_K: 0x06,
  TAX: 0x07,
  ADD_X: 0x0c,
  SUB_K: 0x14,
  JEQ_K: 0x15,
  RET_A: 0x16,
  SUB_X: 0x1c,
  JEQ_X: 0x1d,
  LD_ABS: 0x20,
  MUL_K: 0x24,
  JGT_K: 0x25,
  LDH_ABS: 0x28,
  MUL_X: 0x2c,
  JGT_X: 0x2d,
  LDB_ABS: 0x30,
  DIV_K: 0x34,
  JGE_K: 0x35,
  DIV_X: 0x3c,
  JGE_X: 0x3d,
  LD_IND: 0x40,
  OR_K: 0x44,
  JSET_K: 0x45,
  LDH_IND: 0x48,
  OR_X: 0x4c,
  JSET_X: 0x4d,
  LDB_IND: 0x50,
  AND_K: 0x54,
  AND_X: 0x5c,
  LD_MEM: 0x60,
  LDX_MEM: 0x61,
  LSH_K: 0x64,
  LSH_X: 0x6c,
  RSH_K: 0x74,
  RSH_X: 0x7c,
  LD_LEN: 0x80,
  LDX_LEN: 0x81,
  NEG: 0x84,
  TXA: 0x87,
  MOD_K: 0x94,
  MOD_X: 0x9c,
  XOR_K: 0xa4,
  XOR_X: 0xac,
  LDX_MSH: 0xb1,
} as const;
