/** Random programs: wild ones that do everything wrong, tame ones that do nothing wrong. */
import {
  CP0_CONTEXT,
  CP0_ENTRYLO,
  CP0_EPC,
  K0,
  K1,
  disassemble,
  encode,
  operandKinds,
  type Extension,
  type Mnemonic,
} from '@exokernel/isa';
import { Machine, type MachineOptions } from '../src/index.ts';
import { load, random } from './support.ts';

/** Where things are, as physical addresses: code in two pages, data, the page table, in which kuseg is the RAM. */
const CODE = 0x2000;
const CODE_BYTES = 0x2000;
const DATA = 0x8000;
const PAGE_TABLE = 0x200000;
const RAM = 0x280000;
/** Frames that random code can reach. */
export const FRAMES = 16;

const ALU =
  'addu addu subu and or xor nor slt sltu sll srl sra sllv srlv srav addiu addiu slti sltiu andi ori xori lui add addi sub';
const MULTIPLIER = 'mult multu div divu mfhi mflo mthi mtlo';
const MEMORY = 'lw lw lw sw sw lb lbu lh lhu sb sh lwl lwr swl swr';
const BRANCHES = 'beq bne blez bgtz bltz bgez bltzal bgezal beq bne j jal jr jalr';
const RARE = 'syscall break mfc0 mtc0 tlbp tlbr tlbwi tlbwr rfe cop2 bc0f bc0t lwc1 swc1';
const MIPS32 = 'movz movn teq mul mul clz ext ext ins ins seb seh ll ll ll sc sc sc';
const names = (list: string): Mnemonic[] => list.split(' ') as Mnemonic[];
const GROUPS = [ALU, ALU, ALU, MEMORY, MEMORY, MULTIPLIER].map(names);
const [branches, rare, mips32] = [names(BRANCHES), names(RARE), names(MIPS32)];

/** Registers that hold addresses: data, code, a device, nothing, user pages, odd. Others are written at will. */
const BASES = [16, 17, 18, 19, 20, 21];
const pick = <T>(list: readonly T[], next: () => number): T => list[next() % list.length] as T;

function operand(kind: string, next: () => number, at: number): number {
  switch (kind) {
    case 'rd2':
    case 'rd':
    case 'rt':
      return next() % 16;
    case 'rs':
      return next() % 3 === 0 ? pick(BASES, next) : next() % 16;
    case 'base':
      return pick(BASES, next);
    case 'imm':
    case 'offset':
      return next() % 3 === 0 ? ((next() << 16) >> 16) % 2048 : (((next() << 16) >> 16) % 256) & ~3;
    case 'branch':
      return (next() % 48) - 36;
    case 'jump':
      return ((CODE + CODE_BYTES * 0.9 * (next() / 2 ** 32)) >>> 2) & 0x3ffffff;
    case 'sa':
    case 'pos':
      return next() % 32;
    case 'c0':
      return pick([1, 2, 4, 8, 10, 13, 14], next);
    case 'cofun':
      return next() % 3;
    case 'uimm':
      return next() & 0xffff;
    default:
      return at & 0;
  }
}

function instruction(next: () => number, at: number, isSlot: boolean, extensions: readonly Extension[]): number {
  const kind = next() % 100;
  if (kind < 2) return next(); // anything at all
  const group = extensions.length > 0 && next() % 3 === 0 ? mips32 : pick(GROUPS, next);
  const mnemonic = kind < 4 ? pick(rare, next) : kind < 22 && !isSlot ? pick(branches, next) : pick(group, next);
  if (mnemonic === 'll' || mnemonic === 'sc') {
    // Few places, so that some pairs meet.
    return encode({ mnemonic, operands: [next() % 16, 4 * (next() % 2), BASES[0] ?? 0] }, extensions);
  }
  const operands = operandKinds(mnemonic).map((k) => operand(k, next, at));
  if (mnemonic === 'ext' || mnemonic === 'ins') operands[3] = 1 + (next() % (32 - (operands[2] ?? 0)));
  return encode({ mnemonic, operands }, extensions);
}

/** A machine on which random code runs for ever: whatever it does wrong is passed over by the exception handler. */
export function wild(seed: number, options: MachineOptions): Machine {
  const next = random(seed);
  const machine = new Machine({ ramBytes: RAM, translation: { after: 2, worthwhile: 8 }, ...options });
  load(machine, 0x80000000, (a) => {
    a.mfc0(K0, CP0_CONTEXT);
    a.nop();
    a.lw(K0, 0, K0);
    a.nop();
    a.mtc0(K0, CP0_ENTRYLO);
    a.nop();
    a.tlbwr();
    a.mfc0(K1, CP0_EPC);
    a.nop();
    a.jr(K1);
    a.rfe();
  });
  load(machine, 0x80000080, (a) => {
    // Goes on somewhere in the code, at a place that depends on what has happened so far.
    a.lui(K0, 0x8000);
    a.lw(K1, 0xff0, K0);
    a.nop();
    a.addiu(K1, K1, 0x3a4);
    a.sw(K1, 0xff0, K0);
    a.andi(K1, K1, 0x1ffc);
    a.addiu(K1, K1, CODE);
    a.lw(K0, 0xff4, K0);
    a.nop();
    a.or(K1, K1, K0);
    a.lui(K0, 0xbd00);
    a.lw(K0, 0x30, K0); // acknowledges the clock
    a.jr(K1);
    a.rfe();
  });
  const inUser = next() % 2 === 0;
  machine.memory.store32(0xff4, inUser ? 0 : 0x80000000);
  const words: number[] = [];
  for (let i = 0; i < CODE_BYTES / 4; i += 1) {
    const before = words.at(-1);
    const isSlot =
      before !== undefined && /^(b|j)[a-z]*/.test(disassemble(before)) && !disassemble(before).startsWith('break');
    words.push(instruction(next, i, isSlot, options.extensions ?? []));
  }
  machine.memory.storeWords(CODE, Uint32Array.from(words));
  // kuseg shows the first frames again and again, most of it writable, some of it not there.
  for (let page = 0; page < RAM >>> 12; page += 1) {
    const bits = page < 12 ? 0x600 : pick([0x600, 0x700, 0x600, 0x200, 0], next);
    machine.memory.store32(PAGE_TABLE + 4 * page, ((page % FRAMES) << 12) | bits);
  }
  const { cpu } = machine;
  cpu.cp0.context = 0x80000000 + PAGE_TABLE;
  cpu.cp0.status = 0x40000000 | (inUser ? 0xff03 : 0xff01);
  for (let i = 1; i < 32; i += 1) cpu.registers[i] = next() % 2 === 0 ? next() | 0 : (next() << 24) >> 24;
  const segment = inUser ? 0 : 0x80000000;
  const bases = [
    segment + DATA,
    segment + CODE + 0x400,
    0xbc000000,
    next(),
    0x10000 + (next() % 0x8000),
    segment + DATA + 1,
  ];
  bases.forEach((base, i) => (cpu.registers[BASES[i] ?? 0] = base | 0));
  cpu.registers[31] = segment + CODE + 0x800;
  const natives = [
    (n: { registers: Int32Array; store32(va: number, value: number): void }) => {
      n.store32(n.registers[17] ?? 0, encode({ mnemonic: 'addiu', operands: [5, 5, 1] }));
    },
  ];
  machine.native.install('kernel', natives);
  machine.native.install(0, natives);
  // A clock that interrupts at 1 kHz and up.
  load(machine, 0x80001000, (a) => {
    a.lui(K0, 0xbd00);
    a.li(K1, 0x20 + 3 + (next() % 4));
    a.sw(K1, 0x28, K0);
    a.li(K1, 0x46);
    a.sw(K1, 0x2c, K0);
  });
  const { status } = cpu.cp0;
  cpu.cp0.status = 0;
  cpu.pc = 0x80001000;
  machine.run(5);
  cpu.cp0.status = status;
  cpu.pc = segment + CODE;
  return machine;
}

/** Where tame code has its data: 256 KB, four times a cache. */
const FIELD = 0x80100000;

/** A program without faults: nested loops over blocks that load, store, multiply and branch, through a field of data. */
export function tame(seed: number, options: MachineOptions): Machine {
  const next = random(seed);
  const machine = new Machine({ ramBytes: RAM, translation: { after: 2, worthwhile: 8 }, ...options });
  const value = (): number => 8 + (next() % 8);
  const body: number[] = [];
  const emit = (mnemonic: Mnemonic, ...operands: number[]): void => void body.push(encode({ mnemonic, operands }));
  for (let i = 0; i < 60; i += 1) {
    const kind = next() % 10;
    const base = 16 + (next() % 3);
    const offset = ((next() % 512) - 256) & ~3;
    if (kind < 3) {
      emit(pick(names('lw lw lbu lh lwl lwr'), next), value(), offset + (next() % 2) * 0, base);
      body.push(0);
    } else if (kind < 5) emit(pick(names('sw sw sw sb sh swl swr'), next), value(), offset, base);
    else if (kind === 5) emit(pick(names('mult multu'), next), value(), value());
    else if (kind === 6) emit(pick(names('mflo mfhi mtlo'), next), value());
    else if (kind === 7) {
      emit('ori', 4, value(), 1);
      emit('divu', value(), 4);
    } else if (kind === 8) {
      // Over the next two instructions, or not; with a store in the slot.
      emit(pick(names('beq bne'), next), value(), value(), 3);
      emit('sw', value(), offset, base);
      emit('addiu', value(), value(), next() % 100);
      emit('xor', value(), value(), value());
    } else emit(pick(names('addu subu sltu nor sllv'), next), value(), value(), value());
  }
  load(machine, 0x80000080, (a) => {
    a.lui(K0, 0xbd00);
    a.lw(K1, 0x30, K0);
    a.mfc0(K0, CP0_EPC);
    a.nop();
    a.jr(K0);
    a.rfe();
  });
  const words = [...body];
  const back = (register: number, to: number): void => {
    words.push(encode({ mnemonic: 'addiu', operands: [register, register, -1] }));
    words.push(encode({ mnemonic: 'bne', operands: [register, 0, to - words.length - 1] }), 0);
  };
  // Inner loop of five rounds; then the bases walk on, around the field.
  back(5, 0);
  words.push(encode({ mnemonic: 'addiu', operands: [5, 0, 5] }));
  for (const base of [16, 17, 18]) {
    words.push(encode({ mnemonic: 'addiu', operands: [base, base, 4 * (next() % 5000)] }));
    words.push(
      encode({ mnemonic: 'lui', operands: [4, 0x8013] }),
      encode({ mnemonic: 'ori', operands: [4, 4, 0xfffc] }),
    );
    words.push(encode({ mnemonic: 'and', operands: [base, base, 4] }));
    words.push(
      encode({ mnemonic: 'lui', operands: [4, 0x8010] }),
      encode({ mnemonic: 'or', operands: [base, base, 4] }),
    );
  }
  words.push(encode({ mnemonic: 'j', operands: [(0x2000 + 4 * 3) >>> 2] }), 0);
  // The loops begin behind three words that a branch cannot reach.
  machine.memory.storeWords(0x2000, Uint32Array.from([0, 0, 0, ...words]));
  for (let at = 0; at < 0x40000; at += 4) machine.memory.store32((FIELD & 0x1fffffff) + at, next());
  const { cpu } = machine;
  load(machine, 0x80001000, (a) => {
    a.lui(K0, 0xbd00);
    a.li(K1, 0x23);
    a.sw(K1, 0x28, K0);
    a.li(K1, 0x46);
    a.sw(K1, 0x2c, K0);
  });
  cpu.cp0.status = 0;
  cpu.pc = 0x80001000;
  while (cpu.pc < 0x80001014) machine.run(1);
  cpu.cp0.status = 0x2001;
  cpu.pc = 0x8000200c;
  cpu.registers[5] = 5;
  for (const base of [16, 17, 18]) cpu.registers[base] = (FIELD + 0x400 + 4 * (next() % 1000)) | 0;
  return machine;
}
