/** The operations of the BPF machine: one table that drives the printer, the parser and the check. */
import { BPF } from './instruction.ts';

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
