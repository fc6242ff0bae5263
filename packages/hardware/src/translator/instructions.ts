/**
 * What each instruction becomes: one row for every instruction that translated code executes itself.
 *
 * An instruction without a row is the interpreter's. A row emits code for its operands, which stand in the order of the
 * instruction table. A conditional branch leaves its condition on the stack, a jump through a register its target.
 *
 * Source: [KANE92 app. A].
 */
import type { Mnemonic } from '@exokernel/isa';
import type { Access, Emission, Emitter, Plain } from './emission.ts';

const RA = 31;
const WORD = 3;
const HALF = 1;
const BYTE = 0;

/** Also shifts by a register. */
const binary =
  (opcode: Plain): Emitter =>
  (e, [rd = 0, rs = 0, rt = 0]) => {
    e.get(rs);
    e.get(rt);
    e.op(opcode);
    e.set(rd);
  };

/** Also shifts by a constant. */
const immediate =
  (opcode: Plain, mask = -1): Emitter =>
  (e, [rt = 0, rs = 0, value = 0]) => {
    e.get(rs);
    e.constant(value & mask);
    e.op(opcode);
    e.set(rt);
  };

/** `add`, `addi`: an overflow is the interpreter's. */
const sum =
  (isImmediate: boolean): Emitter =>
  (e, [rd = 0, rs = 0, other = 0]) => {
    const b = (): void => {
      if (isImmediate) e.constant(other);
      else e.get(other);
    };
    e.get(rs);
    b();
    e.op('i32Add');
    e.setTemporary();
    e.get(rs);
    e.getTemporary();
    e.op('i32Xor');
    b();
    e.getTemporary();
    e.op('i32Xor');
    e.op('i32And');
    e.slowIfNegative();
    e.getTemporary();
    e.set(rd);
  };

const subtract: Emitter = (e, [rd = 0, rs = 0, rt = 0]) => {
  e.get(rs);
  e.get(rt);
  e.op('i32Sub');
  e.setTemporary();
  e.get(rs);
  e.get(rt);
  e.op('i32Xor');
  e.get(rs);
  e.getTemporary();
  e.op('i32Xor');
  e.op('i32And');
  e.slowIfNegative();
  e.getTemporary();
  e.set(rd);
};

const load =
  (opcode: Access, alignment: number): Emitter =>
  (e, [rt = 0, offset = 0, base = 0]) => {
    e.readAddress(base, offset, alignment);
    e.load(opcode);
    e.set(rt);
  };

const store =
  (opcode: Access, alignment: number): Emitter =>
  (e, [rt = 0, offset = 0, base = 0]) => {
    e.writeAddress(base, offset, alignment);
    e.store(opcode, () => e.get(rt));
  };

/** Pushes eight times the byte number of the address, or what that lacks to 24. */
function byteShift(e: Emission, fromAbove: boolean): void {
  if (fromAbove) e.constant(24);
  e.getAddress();
  e.constant(3);
  e.op('i32And');
  e.constant(3);
  e.op('i32Shl');
  if (fromAbove) e.op('i32Sub');
}

/** `lwl`, `lwr`: merges the word around the address into the register. */
const loadPart =
  (isLeft: boolean): Emitter =>
  (e, [rt = 0, offset = 0, base = 0]) => {
    e.readAddress(base, offset, BYTE);
    e.get(rt);
    e.constant(isLeft ? 0x00ffffff : 0xffffff00 | 0);
    byteShift(e, !isLeft);
    e.op(isLeft ? 'i32ShrU' : 'i32Shl');
    e.op('i32And');
    e.loadWordAround();
    byteShift(e, isLeft);
    e.op(isLeft ? 'i32Shl' : 'i32ShrU');
    e.op('i32Or');
    e.set(rt);
  };

/** `swl`, `swr`: the part of the register that lies in the word around the address. */
const storePart =
  (isLeft: boolean): Emitter =>
  (e, [rt = 0, offset = 0, base = 0]) => {
    e.writeAddress(base, offset, BYTE);
    const moved = isLeft ? 'i32ShrU' : 'i32Shl';
    e.storeWordAround(() => {
      e.loadWordAround();
      e.constant(-1);
      byteShift(e, isLeft);
      e.op(moved);
      e.constant(-1);
      e.op('i32Xor');
      e.op('i32And');
      e.get(rt);
      byteShift(e, isLeft);
      e.op(moved);
      e.op('i32Or');
    });
  };

const multiply =
  (extend: Plain): Emitter =>
  (e, [rs = 0, rt = 0]) => {
    e.get(rs);
    e.op(extend);
    e.get(rt);
    e.op(extend);
    e.op('i64Mul');
    e.setProduct();
    e.multiplierBusy('multiply');
  };

/** Division by zero, and the quotient that does not fit, are the interpreter's. */
const divide =
  (isSigned: boolean): Emitter =>
  (e, [rs = 0, rt = 0]) => {
    e.get(rt);
    e.op('i32Eqz');
    if (isSigned) {
      e.get(rs);
      e.constant(0x80000000 | 0);
      e.op('i32Eq');
      e.get(rt);
      e.constant(-1);
      e.op('i32Eq');
      e.op('i32And');
      e.op('i32Or');
    }
    e.slowIf();
    e.get(rs);
    e.get(rt);
    e.op(isSigned ? 'i32DivS' : 'i32DivU');
    e.setLo();
    e.get(rs);
    e.get(rt);
    e.op(isSigned ? 'i32RemS' : 'i32RemU');
    e.setHi();
    e.multiplierBusy('divide');
  };

const compareZero =
  (opcode: Plain, links = false): Emitter =>
  (e, [rs = 0]) => {
    if (links) e.link(RA);
    e.get(rs);
    e.constant(0);
    e.op(opcode);
  };

const compare =
  (opcode: Plain): Emitter =>
  (e, [rs = 0, rt = 0]) => {
    e.get(rs);
    e.get(rt);
    e.op(opcode);
  };

/** The rows. */
export const EMITTERS: Partial<Readonly<Record<Mnemonic, Emitter>>> = {
  add: sum(false),
  addu: binary('i32Add'),
  sub: subtract,
  subu: binary('i32Sub'),
  and: binary('i32And'),
  or: binary('i32Or'),
  xor: binary('i32Xor'),
  nor: (e, [rd = 0, rs = 0, rt = 0]) => {
    e.get(rs);
    e.get(rt);
    e.op('i32Or');
    e.constant(-1);
    e.op('i32Xor');
    e.set(rd);
  },
  slt: binary('i32LtS'),
  sltu: binary('i32LtU'),
  sll: immediate('i32Shl'),
  srl: immediate('i32ShrU'),
  sra: immediate('i32ShrS'),
  sllv: binary('i32Shl'),
  srlv: binary('i32ShrU'),
  srav: binary('i32ShrS'),
  mfhi: (e, [rd = 0]) => {
    e.multiplierWait();
    e.getHi();
    e.set(rd);
  },
  mflo: (e, [rd = 0]) => {
    e.multiplierWait();
    e.getLo();
    e.set(rd);
  },
  mthi: (e, [rs = 0]) => {
    e.multiplierWait();
    e.get(rs);
    e.setHi();
  },
  mtlo: (e, [rs = 0]) => {
    e.multiplierWait();
    e.get(rs);
    e.setLo();
  },
  mult: multiply('i64ExtendI32S'),
  multu: multiply('i64ExtendI32U'),
  div: divide(true),
  divu: divide(false),
  jr: (e, [rs = 0]) => {
    e.get(rs);
  },
  jalr: (e, [rd = 0, rs = 0]) => {
    e.link(rd);
    e.get(rs);
  },
  j: () => undefined,
  jal: (e) => {
    e.link(RA);
  },
  beq: compare('i32Eq'),
  bne: compare('i32Ne'),
  blez: compareZero('i32LeS'),
  bgtz: compareZero('i32GtS'),
  bltz: compareZero('i32LtS'),
  bgez: compareZero('i32GeS'),
  bltzal: compareZero('i32LtS', true),
  bgezal: compareZero('i32GeS', true),
  // Of coprocessor 0, in kernel mode: registers that are only words, and the condition, which is true [KN01].
  mfc0: (e, [rt = 0, register = 0]) => {
    e.getCp0(register);
    e.set(rt);
  },
  bc0f: (e) => e.constant(0),
  bc0t: (e) => e.constant(1),
  addi: sum(true),
  addiu: immediate('i32Add'),
  slti: immediate('i32LtS'),
  sltiu: immediate('i32LtU'),
  andi: immediate('i32And', 0xffff),
  ori: immediate('i32Or', 0xffff),
  xori: immediate('i32Xor', 0xffff),
  lui: (e, [rt = 0, value = 0]) => {
    e.constant(value << 16);
    e.set(rt);
  },
  lb: load('i32Load8S', BYTE),
  lbu: load('i32Load8U', BYTE),
  lh: load('i32Load16S', HALF),
  lhu: load('i32Load16U', HALF),
  lw: load('i32Load', WORD),
  lwl: loadPart(true),
  lwr: loadPart(false),
  sb: store('i32Store8', BYTE),
  sh: store('i32Store16', HALF),
  sw: store('i32Store', WORD),
  swl: storePart(true),
  swr: storePart(false),
};

/** The row of an instruction, which must have one: `blocks.ts` leaves the others to the interpreter. */
export function emitterOf(mnemonic: Mnemonic): Emitter {
  const emit = EMITTERS[mnemonic];
  if (emit === undefined) throw new RangeError(`${mnemonic} has no row`);
  return emit;
}
