/**
 * What each instruction does: one row for every row of the instruction tables. A missing one does not compile.
 *
 * The interpreter's switch is the fast form of MIPS I; a test holds it equal to these rows. An instruction that the switch does not
 * know, or gives up, is executed from here, and the translator makes its code from here.
 *
 * Assumption: `movz` and `movn` read the register that they may leave, so a load of it must be over; `sc` has no delay. What
 * the manual leaves open [MIPS32 ch. 3]: `mul` keeps HI and LO. A word of RAM is linked by `ll`, and by nothing else; `sc` to it
 * succeeds unless an exception, an `rfe`, another `sc` or a store through the port to memory (a device, the kernel's native
 * functions, the host) came between. The CPU's own stores do not break the link.
 *
 * Source: [KANE92 app. A], [MIPS32 ch. 3].
 */
import { RA, type Mnemonic, type OperandKind, type OperandsOf } from '@exokernel/isa';
import * as S from '../memory/cpu-state.ts';
import { RAM_HOST } from '../memory/places.ts';
import type { Operator } from './operators.ts';
import {
  apply,
  BEHIND_SLOT,
  branchIf,
  BYTE_NUMBER,
  constant,
  cp0,
  jump,
  keep,
  KEPT,
  loaded,
  merging,
  multiplier,
  number,
  PLACE,
  product,
  quotient,
  reachLoad,
  reachStore,
  reg,
  select,
  set,
  setHiLo,
  setState,
  state,
  store,
  storeAround,
  trap,
  trapIf,
  when,
  WORD_AROUND,
  WRITE_BUFFER_EMPTY,
  type Semantics,
  type Size,
  type Statement,
  type Value,
} from './language.ts';

/** The register that calls write, as a number. */
const LINK: number = RA;
const ZERO = constant(0);
const HI = state(S.HI);
const LO = state(S.LO);

type Row<K extends OperandKind = never> = readonly Statement<K>[];

const registers = (operator: Operator): Row<'rd' | 'rs' | 'rt'> => [set('rd', apply(operator, reg('rs'), reg('rt')))];

const immediate = (operator: Operator): Row<'rt' | 'rs' | 'imm'> => [
  set('rt', apply(operator, reg('rs'), number('imm'))),
];

const logicalImmediate = (operator: Operator): Row<'rt' | 'rs' | 'uimm'> => [
  set('rt', apply(operator, reg('rs'), number('uimm'))),
];

const shift = (operator: Operator): Row<'rd' | 'rt' | 'sa'> => [set('rd', apply(operator, reg('rt'), number('sa')))];

const shiftByRegister = (operator: Operator): Row<'rd' | 'rt' | 'rs'> => [
  set('rd', apply(operator, reg('rt'), reg('rs'))),
];

/** Whether a sum has another sign than both its parts. */
const overflows = <K extends OperandKind>(a: Value<K>, b: Value<K>): Value<K> =>
  apply('ltS', apply<K>('and', apply<K>('xor', a, KEPT), apply<K>('xor', b, KEPT)), ZERO);

const compare = (operator: Operator): Row<'rs' | 'rt'> => [branchIf(apply(operator, reg('rs'), reg('rt')))];

const compareZero = (operator: Operator): Row<'rs'> => [branchIf(apply(operator, reg('rs'), ZERO))];

/** The condition is that of the register before it is linked to. */
const compareAndLink = (operator: Operator): Row<'rs'> => [...compareZero(operator), set(LINK, BEHIND_SLOT)];

const load = (size: Size, isSigned: boolean): Row<'rt' | 'base'> => [
  reachLoad(size),
  set('rt', loaded(size, isSigned)),
];

const storeOf = (size: Size): Row<'rt' | 'base'> => [reachStore(size), store(reg('rt'))];

/** Bits below the byte that is addressed, and bits above it. */
const BELOW = apply('shl', BYTE_NUMBER, constant(3));
const ABOVE = apply('sub', constant(24), BELOW);

/** The bits of a field `size` long at bit 0. */
const ones = <K extends OperandKind>(size: Value<K>): Value<K> =>
  apply<K>('shrU', constant(-1), apply<K>('sub', constant(32), size));

/** The bits that `ins` fills. */
const FIELD = apply<'last' | 'pos'>('shl', ones(number('last')), number('pos'));

/** In kernel mode: registers that are only words. */
const inKernel = <K extends OperandKind>(
  statements: readonly Statement<K>[],
  where: (operands: readonly number[], isTimed: boolean) => boolean,
): Semantics<K> => ({
  statements,
  where: ({ isKernel, isTimed }, operands) => isKernel && where(operands, isTimed),
});

/** The rows. */
export const SEMANTICS: { readonly [M in Mnemonic]: Semantics<OperandsOf<M>[number]> } = {
  add: [keep(apply('add', reg('rs'), reg('rt'))), trapIf(overflows(reg('rs'), reg('rt')), S.EXC_OV), set('rd', KEPT)],
  addu: registers('add'),
  // a - b overflows if a has another sign than b and than the difference.
  sub: [
    keep(apply('sub', reg('rs'), reg('rt'))),
    trapIf(
      apply(
        'ltS',
        apply<'rs' | 'rt'>('and', apply('xor', reg('rs'), reg('rt')), apply<'rs'>('xor', reg('rs'), KEPT)),
        ZERO,
      ),
      S.EXC_OV,
    ),
    set('rd', KEPT),
  ],
  subu: registers('sub'),
  and: registers('and'),
  or: registers('or'),
  xor: registers('xor'),
  nor: [set('rd', apply<'rs' | 'rt'>('xor', apply('or', reg('rs'), reg('rt')), constant(-1)))],
  slt: registers('ltS'),
  sltu: registers('ltU'),
  sll: shift('shl'),
  srl: shift('shrU'),
  sra: shift('shrS'),
  sllv: shiftByRegister('shl'),
  srlv: shiftByRegister('shrU'),
  srav: shiftByRegister('shrS'),
  mfhi: [multiplier('wait'), set('rd', HI)],
  mthi: [multiplier('wait'), setState(S.HI, reg('rs'))],
  mflo: [multiplier('wait'), set('rd', LO)],
  mtlo: [multiplier('wait'), setState(S.LO, reg('rs'))],
  mult: [setHiLo(product(true, reg('rs'), reg('rt'))), multiplier('multiply')],
  multu: [setHiLo(product(false, reg('rs'), reg('rt'))), multiplier('multiply')],
  div: [setHiLo(quotient(true, reg('rs'), reg('rt'))), multiplier('divide')],
  divu: [setHiLo(quotient(false, reg('rs'), reg('rt'))), multiplier('divide')],
  jr: [jump(reg('rs'))],
  jalr: [jump(reg('rs')), set('rd', BEHIND_SLOT)],
  j: [branchIf(constant(1))],
  jal: [branchIf(constant(1)), set(LINK, BEHIND_SLOT)],
  beq: compare('eq'),
  bne: compare('ne'),
  blez: compareZero('leS'),
  bgtz: compareZero('gtS'),
  bltz: compareZero('ltS'),
  bgez: compareZero('geS'),
  bltzal: compareAndLink('ltS'),
  bgezal: compareAndLink('geS'),
  addi: [
    keep(apply('add', reg('rs'), number('imm'))),
    trapIf(overflows(reg('rs'), number('imm')), S.EXC_OV),
    set('rt', KEPT),
  ],
  addiu: immediate('add'),
  slti: immediate('ltS'),
  sltiu: immediate('ltU'),
  andi: logicalImmediate('and'),
  ori: logicalImmediate('or'),
  xori: logicalImmediate('xor'),
  lui: [set('rt', apply('shl', number('uimm'), constant(16)))],
  lb: load(1, true),
  lh: load(2, true),
  lwl: [
    reachLoad(1),
    set(
      'rt',
      apply(
        'or',
        apply<'rt'>('and', merging('rt'), apply('shrU', constant(0x00ffffff), BELOW)),
        apply('shl', WORD_AROUND, ABOVE),
      ),
    ),
  ],
  lw: load(4, false),
  lbu: load(1, false),
  lhu: load(2, false),
  lwr: [
    reachLoad(1),
    set(
      'rt',
      apply(
        'or',
        apply<'rt'>('and', merging('rt'), apply('shl', constant(0xffffff00 | 0), ABOVE)),
        apply('shrU', WORD_AROUND, BELOW),
      ),
    ),
  ],
  sb: storeOf(1),
  sh: storeOf(2),
  swl: [reachStore(1), storeAround(apply<'rt'>('shrU', reg('rt'), ABOVE), apply('shrU', constant(-1), ABOVE))],
  sw: storeOf(4),
  swr: [reachStore(1), storeAround(apply<'rt'>('shl', reg('rt'), BELOW), apply('shl', constant(-1), BELOW))],
  syscall: [trap(S.EXC_SYS)],
  break: [trap(S.EXC_BP)],

  // MIPS32
  movz: [set('rd', select(reg('rt'), reg('rd'), reg('rs')))],
  movn: [set('rd', select(reg('rt'), reg('rs'), reg('rd')))],
  teq: [trapIf(apply('eq', reg('rs'), reg('rt')), S.EXC_TR)],
  mul: [multiplier('product'), set('rd', apply('mul', reg('rs'), reg('rt')))],
  clz: [set('rd2', apply('leadingZeros', reg('rs')))],
  ext: [set('rt', apply('and', apply('shrU', reg('rs'), number('pos')), ones(number('size'))))],
  ins: [
    set(
      'rt',
      apply(
        'or',
        apply<'rt' | 'last' | 'pos'>('and', reg('rt'), apply<'last' | 'pos'>('xor', FIELD, constant(-1))),
        apply<'rs' | 'last' | 'pos'>('and', apply('shl', reg('rs'), number('pos')), FIELD),
      ),
    ),
  ],
  seb: [set('rd', apply('extend8', reg('rt')))],
  seh: [set('rd', apply('extend16', reg('rt')))],
  ll: [
    reachLoad(4),
    set('rt', loaded(4, false)),
    setState(S.LINK, select(apply('geS', PLACE, constant(RAM_HOST)), PLACE, ZERO)),
  ],
  sc: [
    reachStore(4),
    keep(apply('and', apply('eq', state(S.LINK), PLACE), apply('ne', state(S.LINK), ZERO))),
    when<'rt'>(KEPT, store(reg('rt'))),
    set('rt', KEPT),
    setState(S.LINK, ZERO),
  ],

  // Coprocessor 0. Random counts instructions, Count cycles; the condition is that of the write buffer [KN01].
  mfc0: inKernel([set('rt', cp0('c0'))], ([, register]) => register !== S.CP0_RANDOM),
  bc0f: inKernel([branchIf(apply('xor', WRITE_BUFFER_EMPTY, constant(1)))], (_, isTimed) => !isTimed),
  bc0t: inKernel([branchIf(WRITE_BUFFER_EMPTY)], (_, isTimed) => !isTimed),
  mtc0: 'interpreter',
  tlbr: 'interpreter',
  tlbwi: 'interpreter',
  tlbwr: 'interpreter',
  tlbp: 'interpreter',
  rfe: 'interpreter',

  // The other coprocessors
  mfc2: 'interpreter',
  cfc2: 'interpreter',
  mtc2: 'interpreter',
  ctc2: 'interpreter',
  bc2f: 'interpreter',
  bc2t: 'interpreter',
  cop2: 'interpreter',
  lwc2: 'interpreter',
  swc2: 'interpreter',
  bc3f: 'interpreter',
  bc3t: 'interpreter',
  cop3: 'interpreter',
  lwc3: 'interpreter',
  swc3: 'interpreter',
  mfc1: 'interpreter',
  cfc1: 'interpreter',
  mtc1: 'interpreter',
  ctc1: 'interpreter',
  bc1f: 'interpreter',
  bc1t: 'interpreter',
  lwc1: 'interpreter',
  swc1: 'interpreter',
  'add.s': 'interpreter',
  'sub.s': 'interpreter',
  'mul.s': 'interpreter',
  'div.s': 'interpreter',
  'abs.s': 'interpreter',
  'mov.s': 'interpreter',
  'neg.s': 'interpreter',
  'cvt.d.s': 'interpreter',
  'cvt.w.s': 'interpreter',
  'c.f.s': 'interpreter',
  'c.un.s': 'interpreter',
  'c.eq.s': 'interpreter',
  'c.ueq.s': 'interpreter',
  'c.olt.s': 'interpreter',
  'c.ult.s': 'interpreter',
  'c.ole.s': 'interpreter',
  'c.ule.s': 'interpreter',
  'c.sf.s': 'interpreter',
  'c.ngle.s': 'interpreter',
  'c.seq.s': 'interpreter',
  'c.ngl.s': 'interpreter',
  'c.lt.s': 'interpreter',
  'c.nge.s': 'interpreter',
  'c.le.s': 'interpreter',
  'c.ngt.s': 'interpreter',
  'add.d': 'interpreter',
  'sub.d': 'interpreter',
  'mul.d': 'interpreter',
  'div.d': 'interpreter',
  'abs.d': 'interpreter',
  'mov.d': 'interpreter',
  'neg.d': 'interpreter',
  'cvt.s.d': 'interpreter',
  'cvt.w.d': 'interpreter',
  'c.f.d': 'interpreter',
  'c.un.d': 'interpreter',
  'c.eq.d': 'interpreter',
  'c.ueq.d': 'interpreter',
  'c.olt.d': 'interpreter',
  'c.ult.d': 'interpreter',
  'c.ole.d': 'interpreter',
  'c.ule.d': 'interpreter',
  'c.sf.d': 'interpreter',
  'c.ngle.d': 'interpreter',
  'c.seq.d': 'interpreter',
  'c.ngl.d': 'interpreter',
  'c.lt.d': 'interpreter',
  'c.nge.d': 'interpreter',
  'c.le.d': 'interpreter',
  'c.ngt.d': 'interpreter',
  'cvt.s.w': 'interpreter',
  'cvt.d.w': 'interpreter',
};
