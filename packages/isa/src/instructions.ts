/**
 * The instruction tables: the one place that knows how an instruction is written and encoded, and which registers it reads
 * and writes. MIPS I stands in one table, what an extension adds to it in a table of its own.
 *
 * Decoder, assembler, disassembler, engines and tests derive from them. A row is `mnemonic: [operands, match, mask, traits]`:
 * a word is that instruction when `(word & mask) === match`, and the bits outside `mask` are exactly those of its operands
 * (a test holds the two equal). A register operand is read; with `=` before it, it is written; with `+`, both. What an
 * instruction does is a row too, in the package `hardware`, whose tests hold it against these marks.
 *
 * Source: [KANE92 app. A, B], with the R3000's CP0 operations and the R3010's formats; [MIPS32].
 */

/**
 * Operands, with the bits they occupy. `rd rs rt sa base` are register or shift fields; `rd2` is rd, written in the field of
 * rt too; `imm` is signed 16 bits, `uimm` unsigned; `offset` signed 16 and always followed by `base`; `branch` a word offset
 * from the delay slot, `jump` a word index in the 256 MB segment; `c0` a CP0 register; `cn` a register of coprocessor 1 to
 * 3, and `ct` one in the field of rt; `fd fs ft` floating-point registers; `code` the 20 bits of syscall and break, `trap` the
 * 10 of a conditional trap; `cofun` the 25 bits of a coprocessor operation. A bit field begins at bit `pos`, and has as many
 * bits as `size` or `last` says, 1 to 32 less `pos`: the field of `size` holds one less, that of `last` the last bit's number.
 */
export const OPERAND_FIELDS = {
  rd: { shift: 11, bits: 5 },
  rd2: { shift: 11, bits: 5 },
  rs: { shift: 21, bits: 5 },
  rt: { shift: 16, bits: 5 },
  sa: { shift: 6, bits: 5 },
  base: { shift: 21, bits: 5 },
  imm: { shift: 0, bits: 16 },
  uimm: { shift: 0, bits: 16 },
  offset: { shift: 0, bits: 16 },
  branch: { shift: 0, bits: 16 },
  jump: { shift: 0, bits: 26 },
  c0: { shift: 11, bits: 5 },
  cn: { shift: 11, bits: 5 },
  ct: { shift: 16, bits: 5 },
  fd: { shift: 6, bits: 5 },
  fs: { shift: 11, bits: 5 },
  ft: { shift: 16, bits: 5 },
  code: { shift: 6, bits: 20 },
  trap: { shift: 6, bits: 10 },
  cofun: { shift: 0, bits: 25 },
  pos: { shift: 6, bits: 5 },
  size: { shift: 11, bits: 5 },
  last: { shift: 11, bits: 5 },
} as const;

export type OperandKind = keyof typeof OPERAND_FIELDS;

/**
 * What a row says besides. `loads`: the register that it writes has its new value one instruction late. `merges`: it sees a
 * load of that register which is still under way. `branches`: the next word is a delay slot. `calls`: control comes back
 * behind the slot; `ra` gets that address unless an operand is written.
 */
export type Trait = 'loads' | 'merges' | 'branches' | 'calls';

export type InstructionRow = readonly [
  operands: string,
  match: number,
  mask: number,
  traits?: Trait | `${Trait} ${Trait}`,
];

/* prettier-ignore */
export const INSTRUCTIONS = {
  // Arithmetic and logic, register forms (SPECIAL)
  add:  ['=rd,rs,rt', 0x00000020, 0xfc0007ff],
  addu: ['=rd,rs,rt', 0x00000021, 0xfc0007ff],
  sub:  ['=rd,rs,rt', 0x00000022, 0xfc0007ff],
  subu: ['=rd,rs,rt', 0x00000023, 0xfc0007ff],
  and:  ['=rd,rs,rt', 0x00000024, 0xfc0007ff],
  or:   ['=rd,rs,rt', 0x00000025, 0xfc0007ff],
  xor:  ['=rd,rs,rt', 0x00000026, 0xfc0007ff],
  nor:  ['=rd,rs,rt', 0x00000027, 0xfc0007ff],
  slt:  ['=rd,rs,rt', 0x0000002a, 0xfc0007ff],
  sltu: ['=rd,rs,rt', 0x0000002b, 0xfc0007ff],
  // Shifts
  sll:  ['=rd,rt,sa', 0x00000000, 0xffe0003f],
  srl:  ['=rd,rt,sa', 0x00000002, 0xffe0003f],
  sra:  ['=rd,rt,sa', 0x00000003, 0xffe0003f],
  sllv: ['=rd,rt,rs', 0x00000004, 0xfc0007ff],
  srlv: ['=rd,rt,rs', 0x00000006, 0xfc0007ff],
  srav: ['=rd,rt,rs', 0x00000007, 0xfc0007ff],
  // Multiply and divide
  mfhi:  ['=rd',   0x00000010, 0xffff07ff],
  mthi:  ['rs',    0x00000011, 0xfc1fffff],
  mflo:  ['=rd',   0x00000012, 0xffff07ff],
  mtlo:  ['rs',    0x00000013, 0xfc1fffff],
  mult:  ['rs,rt', 0x00000018, 0xfc00ffff],
  multu: ['rs,rt', 0x00000019, 0xfc00ffff],
  div:   ['rs,rt', 0x0000001a, 0xfc00ffff],
  divu:  ['rs,rt', 0x0000001b, 0xfc00ffff],
  // Jumps
  jr:   ['rs',     0x00000008, 0xfc1fffff, 'branches'],
  jalr: ['=rd,rs', 0x00000009, 0xfc1f07ff, 'branches calls'],
  j:    ['jump',   0x08000000, 0xfc000000, 'branches'],
  jal:  ['jump',   0x0c000000, 0xfc000000, 'branches calls'],
  // Branches
  beq:    ['rs,rt,branch', 0x10000000, 0xfc000000, 'branches'],
  bne:    ['rs,rt,branch', 0x14000000, 0xfc000000, 'branches'],
  blez:   ['rs,branch',    0x18000000, 0xfc1f0000, 'branches'],
  bgtz:   ['rs,branch',    0x1c000000, 0xfc1f0000, 'branches'],
  bltz:   ['rs,branch',    0x04000000, 0xfc1f0000, 'branches'],
  bgez:   ['rs,branch',    0x04010000, 0xfc1f0000, 'branches'],
  bltzal: ['rs,branch',    0x04100000, 0xfc1f0000, 'branches calls'],
  bgezal: ['rs,branch',    0x04110000, 0xfc1f0000, 'branches calls'],
  // Immediates
  addi:  ['=rt,rs,imm',  0x20000000, 0xfc000000],
  addiu: ['=rt,rs,imm',  0x24000000, 0xfc000000],
  slti:  ['=rt,rs,imm',  0x28000000, 0xfc000000],
  sltiu: ['=rt,rs,imm',  0x2c000000, 0xfc000000],
  andi:  ['=rt,rs,uimm', 0x30000000, 0xfc000000],
  ori:   ['=rt,rs,uimm', 0x34000000, 0xfc000000],
  xori:  ['=rt,rs,uimm', 0x38000000, 0xfc000000],
  lui:   ['=rt,uimm',    0x3c000000, 0xffe00000],
  // Loads and stores
  lb:  ['=rt,offset,base', 0x80000000, 0xfc000000, 'loads'],
  lh:  ['=rt,offset,base', 0x84000000, 0xfc000000, 'loads'],
  lwl: ['+rt,offset,base', 0x88000000, 0xfc000000, 'loads merges'],
  lw:  ['=rt,offset,base', 0x8c000000, 0xfc000000, 'loads'],
  lbu: ['=rt,offset,base', 0x90000000, 0xfc000000, 'loads'],
  lhu: ['=rt,offset,base', 0x94000000, 0xfc000000, 'loads'],
  lwr: ['+rt,offset,base', 0x98000000, 0xfc000000, 'loads merges'],
  sb:  ['rt,offset,base',  0xa0000000, 0xfc000000],
  sh:  ['rt,offset,base',  0xa4000000, 0xfc000000],
  swl: ['rt,offset,base',  0xa8000000, 0xfc000000],
  sw:  ['rt,offset,base',  0xac000000, 0xfc000000],
  swr: ['rt,offset,base',  0xb8000000, 0xfc000000],
  // Traps
  syscall: ['code', 0x0000000c, 0xfc00003f],
  break:   ['code', 0x0000000d, 0xfc00003f],
  // System control coprocessor
  mfc0:  ['=rt,c0', 0x40000000, 0xffe007ff, 'loads'],
  mtc0:  ['rt,c0',  0x40800000, 0xffe007ff],
  tlbr:  ['',       0x42000001, 0xffffffff],
  tlbwi: ['',       0x42000002, 0xffffffff],
  tlbwr: ['',       0x42000006, 0xffffffff],
  tlbp:  ['',       0x42000008, 0xffffffff],
  rfe:   ['',       0x42000010, 0xffffffff],
  bc0f:  ['branch', 0x41000000, 0xffff0000, 'branches'],
  bc0t:  ['branch', 0x41010000, 0xffff0000, 'branches'],
  // Coprocessor 2: the native unit of this machine
  mfc2: ['=rt,cn',         0x48000000, 0xffe007ff, 'loads'],
  cfc2: ['=rt,cn',         0x48400000, 0xffe007ff, 'loads'],
  mtc2: ['rt,cn',          0x48800000, 0xffe007ff],
  ctc2: ['rt,cn',          0x48c00000, 0xffe007ff],
  bc2f: ['branch',         0x49000000, 0xffff0000, 'branches'],
  bc2t: ['branch',         0x49010000, 0xffff0000, 'branches'],
  cop2: ['cofun',          0x4a000000, 0xfe000000],
  lwc2: ['ct,offset,base', 0xc8000000, 0xfc000000],
  swc2: ['ct,offset,base', 0xe8000000, 0xfc000000],
  // Coprocessor 3: absent on every machine of this family
  bc3f: ['branch',         0x4d000000, 0xffff0000, 'branches'],
  bc3t: ['branch',         0x4d010000, 0xffff0000, 'branches'],
  cop3: ['cofun',          0x4e000000, 0xfe000000],
  lwc3: ['ct,offset,base', 0xcc000000, 0xfc000000],
  swc3: ['ct,offset,base', 0xec000000, 0xfc000000],
  // Coprocessor 1: R3010 floating point
  mfc1:       ['=rt,fs',          0x44000000, 0xffe007ff, 'loads'],
  cfc1:       ['=rt,cn',          0x44400000, 0xffe007ff, 'loads'],
  mtc1:       ['rt,=fs',          0x44800000, 0xffe007ff, 'loads'],
  ctc1:       ['rt,cn',           0x44c00000, 0xffe007ff],
  bc1f:       ['branch',          0x45000000, 0xffff0000, 'branches'],
  bc1t:       ['branch',          0x45010000, 0xffff0000, 'branches'],
  lwc1:       ['=ft,offset,base', 0xc4000000, 0xfc000000, 'loads'],
  swc1:       ['ft,offset,base',  0xe4000000, 0xfc000000],
  'add.s':    ['=fd,fs,ft',       0x46000000, 0xffe0003f],
  'sub.s':    ['=fd,fs,ft',       0x46000001, 0xffe0003f],
  'mul.s':    ['=fd,fs,ft',       0x46000002, 0xffe0003f],
  'div.s':    ['=fd,fs,ft',       0x46000003, 0xffe0003f],
  'abs.s':    ['=fd,fs',          0x46000005, 0xffff003f],
  'mov.s':    ['=fd,fs',          0x46000006, 0xffff003f],
  'neg.s':    ['=fd,fs',          0x46000007, 0xffff003f],
  'cvt.d.s':  ['=fd,fs',          0x46000021, 0xffff003f],
  'cvt.w.s':  ['=fd,fs',          0x46000024, 0xffff003f],
  'c.f.s':    ['fs,ft',           0x46000030, 0xffe007ff],
  'c.un.s':   ['fs,ft',           0x46000031, 0xffe007ff],
  'c.eq.s':   ['fs,ft',           0x46000032, 0xffe007ff],
  'c.ueq.s':  ['fs,ft',           0x46000033, 0xffe007ff],
  'c.olt.s':  ['fs,ft',           0x46000034, 0xffe007ff],
  'c.ult.s':  ['fs,ft',           0x46000035, 0xffe007ff],
  'c.ole.s':  ['fs,ft',           0x46000036, 0xffe007ff],
  'c.ule.s':  ['fs,ft',           0x46000037, 0xffe007ff],
  'c.sf.s':   ['fs,ft',           0x46000038, 0xffe007ff],
  'c.ngle.s': ['fs,ft',           0x46000039, 0xffe007ff],
  'c.seq.s':  ['fs,ft',           0x4600003a, 0xffe007ff],
  'c.ngl.s':  ['fs,ft',           0x4600003b, 0xffe007ff],
  'c.lt.s':   ['fs,ft',           0x4600003c, 0xffe007ff],
  'c.nge.s':  ['fs,ft',           0x4600003d, 0xffe007ff],
  'c.le.s':   ['fs,ft',           0x4600003e, 0xffe007ff],
  'c.ngt.s':  ['fs,ft',           0x4600003f, 0xffe007ff],
  'add.d':    ['=fd,fs,ft',       0x46200000, 0xffe0003f],
  'sub.d':    ['=fd,fs,ft',       0x46200001, 0xffe0003f],
  'mul.d':    ['=fd,fs,ft',       0x46200002, 0xffe0003f],
  'div.d':    ['=fd,fs,ft',       0x46200003, 0xffe0003f],
  'abs.d':    ['=fd,fs',          0x46200005, 0xffff003f],
  'mov.d':    ['=fd,fs',          0x46200006, 0xffff003f],
  'neg.d':    ['=fd,fs',          0x46200007, 0xffff003f],
  'cvt.s.d':  ['=fd,fs',          0x46200020, 0xffff003f],
  'cvt.w.d':  ['=fd,fs',          0x46200024, 0xffff003f],
  'c.f.d':    ['fs,ft',           0x46200030, 0xffe007ff],
  'c.un.d':   ['fs,ft',           0x46200031, 0xffe007ff],
  'c.eq.d':   ['fs,ft',           0x46200032, 0xffe007ff],
  'c.ueq.d':  ['fs,ft',           0x46200033, 0xffe007ff],
  'c.olt.d':  ['fs,ft',           0x46200034, 0xffe007ff],
  'c.ult.d':  ['fs,ft',           0x46200035, 0xffe007ff],
  'c.ole.d':  ['fs,ft',           0x46200036, 0xffe007ff],
  'c.ule.d':  ['fs,ft',           0x46200037, 0xffe007ff],
  'c.sf.d':   ['fs,ft',           0x46200038, 0xffe007ff],
  'c.ngle.d': ['fs,ft',           0x46200039, 0xffe007ff],
  'c.seq.d':  ['fs,ft',           0x4620003a, 0xffe007ff],
  'c.ngl.d':  ['fs,ft',           0x4620003b, 0xffe007ff],
  'c.lt.d':   ['fs,ft',           0x4620003c, 0xffe007ff],
  'c.nge.d':  ['fs,ft',           0x4620003d, 0xffe007ff],
  'c.le.d':   ['fs,ft',           0x4620003e, 0xffe007ff],
  'c.ngt.d':  ['fs,ft',           0x4620003f, 0xffe007ff],
  'cvt.s.w':  ['=fd,fs',          0x46800020, 0xffff003f],
  'cvt.d.w':  ['=fd,fs',          0x46800021, 0xffff003f],
} as const;

/* prettier-ignore */
const MIPS32 = {
  movz: ['+rd,rs,rt',       0x0000000a, 0xfc0007ff],
  movn: ['+rd,rs,rt',       0x0000000b, 0xfc0007ff],
  teq:  ['rs,rt,trap',      0x00000034, 0xfc00003f],
  mul:  ['=rd,rs,rt',       0x70000002, 0xfc0007ff],
  clz:  ['=rd2,rs',         0x70000020, 0xfc0007ff],
  ext:  ['=rt,rs,pos,size', 0x7c000000, 0xfc00003f],
  ins:  ['+rt,rs,pos,last', 0x7c000004, 0xfc00003f],
  seb:  ['=rd,rt',          0x7c000420, 0xffe007ff],
  seh:  ['=rd,rt',          0x7c000620, 0xffe007ff],
  ll:   ['=rt,offset,base', 0xc0000000, 0xfc000000, 'loads'],
  sc:   ['+rt,offset,base', 0xe0000000, 0xfc000000],
} as const;

/**
 * What can be added to MIPS I, by name. `mips32` is a part of MIPS32 release 2, for a CPU that otherwise stays an R3000: `ll`
 * has a load delay as `lw` has.
 */
export const EXTENSIONS: { readonly mips32: typeof MIPS32 } = { mips32: MIPS32 };

/** The name of an extension. */
export type Extension = keyof typeof EXTENSIONS;

/** The mnemonics that extension `E` adds. */
export type ExtensionMnemonic<E extends Extension> = { [X in E]: keyof (typeof EXTENSIONS)[X] & string }[E];

/** Every mnemonic, those of the extensions included. */
export type Mnemonic = keyof typeof INSTRUCTIONS | ExtensionMnemonic<Extension>;

type RowOf<M extends Mnemonic> = M extends keyof typeof INSTRUCTIONS
  ? (typeof INSTRUCTIONS)[M]
  : { [X in Extension]: M extends keyof (typeof EXTENSIONS)[X] ? (typeof EXTENSIONS)[X][M] : never }[Extension];

type Unmarked<K extends string> = K extends `${'=' | '+'}${infer Kind}` ? Kind : K;
type Kinds<S extends string> = S extends ''
  ? []
  : S extends `${infer Head},${infer Tail}`
    ? [Unmarked<Head>, ...Kinds<Tail>]
    : [Unmarked<S>];

/** The operand kinds of an instruction as a tuple type, in assembly order. */
export type OperandsOf<M extends Mnemonic> = Kinds<RowOf<M>[0]>;
