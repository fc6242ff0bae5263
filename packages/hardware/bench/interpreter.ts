/** Measures the interpreter: million instructions per second on CPU-bound code. Run it with `node interpreter.ts`. */
import {
  A0,
  A1,
  type Assembler,
  CP0_CONTEXT,
  CP0_ENTRYLO,
  CP0_EPC,
  createAssembler,
  K0,
  K1,
  S0,
  S1,
  T0,
  T1,
  T2,
  T3,
  T4,
  V0,
  ZERO,
} from '@exokernel/isa';
import { Machine } from '../src/index.ts';

const a = createAssembler(0x80001000);
a.label('start');
a.la(A0, 0x80100000);
a.li(S0, 4096);
a.label('fill');
a.mult(S0, S0);
a.mflo(T0);
a.sw(T0, 0, A0);
a.addiu(A0, A0, 4);
a.addiu(S0, S0, -1);
a.bnez(S0, 'fill');
a.nop();
// checksum, bytewise and by words
a.la(A0, 0x80100000);
a.li(S0, 4096);
a.move(V0, ZERO);
a.label('sum');
a.lw(T0, 0, A0);
a.lbu(T1, 1, A0);
a.lhu(T2, 2, A0);
a.addu(V0, V0, T0);
a.xor(V0, V0, T1);
a.jal('mix');
a.addu(V0, V0, T2);
a.addiu(S0, S0, -1);
a.bnez(S0, 'sum');
a.addiu(A0, A0, 4);
// sort step: compare and swap neighbours
a.la(A0, 0x80100000);
a.li(S1, 4095);
a.label('swap');
a.lw(T0, 0, A0);
a.lw(T1, 4, A0);
a.addiu(S1, S1, -1);
a.sltu(T2, T1, T0);
a.beqz(T2, 'keep');
a.nop();
a.sw(T1, 0, A0);
a.sw(T0, 4, A0);
a.label('keep');
a.bnez(S1, 'swap');
a.addiu(A0, A0, 4);
a.j('start');
a.nop();
a.label('mix');
a.sll(T3, V0, 5);
a.srl(T4, V0, 27);
a.or(V0, T3, T4);
a.slti(A1, V0, 100);
a.ret();
a.addu(V0, V0, A1);
const { words } = a.assemble();

const machine = new Machine();
machine.memory.storeWords(0x1000, words);
machine.cpu.pc = 0x80001000;
for (let round = 0; round < 6; round += 1) {
  const before = performance.now();
  const { instructions } = machine.run(50_000_000);
  console.log(`${(instructions / (performance.now() - before) / 1000).toFixed(0)} M instructions/s`);
}

/** Measures `iterations` per second of a kernel loop at CODE, whose slow part is what `name` says. */
function measure(name: string, machine: Machine, cyclesPerIteration: number): void {
  const budget = 2_000_000;
  machine.run(budget);
  const before = performance.now();
  machine.run(budget);
  const nanoseconds = ((performance.now() - before) * 1e6 * cyclesPerIteration) / budget;
  console.log(`${name}: ${nanoseconds.toFixed(0)} ns`);
}

function program(build: (a: Assembler) => void, vectors: (a: Assembler) => void): Machine {
  const m = new Machine();
  for (const [origin, write] of [
    [0x80000000, vectors],
    [0x80001000, build],
  ] as const) {
    const assembler = createAssembler(origin);
    write(assembler);
    m.memory.storeWords(origin & 0x1fffffff, assembler.assemble().words);
  }
  m.cpu.cp0.status = 0x40000000;
  m.cpu.pc = 0x80001000;
  return m;
}

const refill = program(
  (b) => {
    b.li(S0, 0x1000);
    b.label('touch');
    b.lw(T0, 0, A0);
    b.addu(A0, A0, S0);
    b.b('touch');
    b.nop();
  },
  (b) => {
    b.mfc0(K0, CP0_CONTEXT);
    b.mfc0(K1, CP0_EPC);
    b.li(K0, 0x200);
    b.mtc0(K0, CP0_ENTRYLO);
    b.tlbwr();
    b.jr(K1);
    b.rfe();
  },
);
refill.cpu.registers[A0] = 0x10000;
measure('load that misses the TLB, with its refill of 7 instructions', refill, 12);

const native = program(
  (b) => {
    b.label('again');
    b.cop2(0);
    b.b('again');
    b.nop();
  },
  (b) => b.nop(),
);
native.native.install('kernel', [(cpu) => (cpu.registers[2] = cpu.load32(0x80002000))]);
measure('native function with one load, and the loop around it', native, 3);

const floating = program(
  (b) => {
    b.label('again');
    b.lwc1(4, 0, A0);
    b.lwc1(5, 4, A0);
    b.nop();
    b.mul_d(6, 4, 8);
    b.add_d(10, 10, 6);
    b.b('again');
    b.nop();
  },
  (b) => b.nop(),
);
floating.cpu.registers[A0] = 0x80002000;
floating.cpu.cp0.status = 0x20000000;
floating.cpu.fpu.doubles.set([1.1, 0], 4);
floating.memory.store32(0x2000, 0x9999999a);
floating.memory.store32(0x2004, 0x3fb99999);
measure('multiply and add doubles from memory, 7 instructions', floating, 7);

const traps = program(
  (b) => {
    b.label('again');
    b.syscall(0);
    b.b('again');
    b.nop();
  },
  (b) => {
    for (let i = 0; i < 32; i += 1) b.nop();
    b.mfc0(K1, CP0_EPC);
    b.nop();
    b.addiu(K1, K1, 4);
    b.jr(K1);
    b.rfe();
  },
);
measure('syscall and return, 8 instructions', traps, 8);
