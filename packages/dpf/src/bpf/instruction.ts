/**
 * Instructions of the classic BPF machine: an accumulator A, an index register X, sixteen words of memory M, a packet.
 * One table of operations drives the printer, the parser, the check and, through its codes, the interpreter.
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

/** How an operation's operand is written, and what it means. */
export type Operand =
  'none' | 'x' | 'length' | 'hex' | 'decimal' | 'absolute' | 'indexed' | 'header' | 'memory' | 'jump';

/** One kind of operation. */
export interface Operation {
  readonly code: number;
  readonly name: string;
  readonly operand: Operand;
  /** Whether it goes on at `jt` or at `jf`. */
  readonly branches: boolean;
}

const row = (code: number, name: string, operand: Operand, branches = false): Operation => ({
  code,
  name,
  operand,
  branches,
});
const alu = (k: number, x: number, name: string, operand: Operand): readonly Operation[] => [
  row(k, name, operand),
  row(x, name, 'x'),
];
const branch = (k: number, x: number, name: string): readonly Operation[] => [
  row(k, name, 'hex', true),
  row(x, name, 'x', true),
];

/** Every operation that there is. */
export const OPERATIONS: readonly Operation[] = [
  row(BPF.LD_IMM, 'ld', 'hex'),
  row(BPF.LD_ABS, 'ld', 'absolute'),
  row(BPF.LDH_ABS, 'ldh', 'absolute'),
  row(BPF.LDB_ABS, 'ldb', 'absolute'),
  row(BPF.LD_IND, 'ld', 'indexed'),
  row(BPF.LDH_IND, 'ldh', 'indexed'),
  row(BPF.LDB_IND, 'ldb', 'indexed'),
  row(BPF.LD_MEM, 'ld', 'memory'),
  row(BPF.LD_LEN, 'ld', 'length'),
  row(BPF.LDX_IMM, 'ldx', 'hex'),
  row(BPF.LDX_MEM, 'ldx', 'memory'),
  row(BPF.LDX_LEN, 'ldx', 'length'),
  row(BPF.LDX_MSH, 'ldxb', 'header'),
  row(BPF.ST, 'st', 'memory'),
  row(BPF.STX, 'stx', 'memory'),
  row(BPF.JA, 'ja', 'jump'),
  ...branch(BPF.JEQ_K, BPF.JEQ_X, 'jeq'),
  ...branch(BPF.JGT_K, BPF.JGT_X, 'jgt'),
  ...branch(BPF.JGE_K, BPF.JGE_X, 'jge'),
  ...branch(BPF.JSET_K, BPF.JSET_X, 'jset'),
  ...alu(BPF.ADD_K, BPF.ADD_X, 'add', 'decimal'),
  ...alu(BPF.SUB_K, BPF.SUB_X, 'sub', 'decimal'),
  ...alu(BPF.MUL_K, BPF.MUL_X, 'mul', 'decimal'),
  ...alu(BPF.DIV_K, BPF.DIV_X, 'div', 'decimal'),
  ...alu(BPF.MOD_K, BPF.MOD_X, 'mod', 'decimal'),
  ...alu(BPF.OR_K, BPF.OR_X, 'or', 'hex'),
  ...alu(BPF.AND_K, BPF.AND_X, 'and', 'hex'),
  ...alu(BPF.XOR_K, BPF.XOR_X, 'xor', 'hex'),
  ...alu(BPF.LSH_K, BPF.LSH_X, 'lsh', 'decimal'),
  ...alu(BPF.RSH_K, BPF.RSH_X, 'rsh', 'decimal'),
  row(BPF.NEG, 'neg', 'none'),
  row(BPF.TAX, 'tax', 'none'),
  row(BPF.TXA, 'txa', 'none'),
  row(BPF.RET_K, 'ret', 'decimal'),
  row(BPF.RET_A, 'ret', 'none'),
];

/** Operations by code. */
export const BY_CODE: ReadonlyMap<number, Operation> = new Map(OPERATIONS.map((one) => [one.code, one]));

/** What Linux knows of a packet, by the names that stand in brackets in a listing, with their offsets from `BPF_ANCILLARY`. */
export const ANCILLARY_NAMES: ReadonlyMap<string, number> = new Map(
  [
    'proto',
    'type',
    'ifidx',
    'nla',
    'nlan',
    'mark',
    'queue',
    'hatype',
    'rxhash',
    'cpu',
    'xor_x',
    'vlan_tci',
    'vlanp',
    'poff',
    'random',
    'vlan_tpid',
  ].map((name, index) => [name, 4 * index]),
);
