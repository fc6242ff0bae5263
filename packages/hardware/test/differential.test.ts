import { encode, INSTRUCTIONS, operandKinds, type Mnemonic } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Machine } from '../src/index.ts';
import { Reference } from './reference.ts';
import { CODE, random } from './support.ts';

const LENGTH = 48;
const RAM = 0x4000;
const GP = 28;
const DATA = 0x80002000;

/** Integer instructions; jumps whose targets are computed here, and no coprocessor. */
const MNEMONICS = (Object.keys(INSTRUCTIONS) as Mnemonic[]).filter(
  (m) => !/c[0-3]$|cop|\.|tlb|rfe|bc|^jr$|^jalr$|syscall|break|[ls]wc/.test(m),
);
const BRANCHES = /^(b|j)/;
const INTERESTING = [0, 1, -1, 0x7fffffff, -0x80000000, 0x8000, 0xffff, 2, 31, 32];

/** A random program: operands from few registers so that they meet, forward branches, accesses around gp. */
function program(next: () => number): Uint32Array {
  const words = new Uint32Array(LENGTH);
  let slot = false;
  for (let i = 0; i < LENGTH - 2; i += 1) {
    let mnemonic = MNEMONICS[next() % MNEMONICS.length] ?? 'addu';
    if (slot && BRANCHES.test(mnemonic)) mnemonic = 'addu';
    if (next() % 60 === 0) mnemonic = 'syscall';
    if (next() % 3 === 0 && !slot)
      mnemonic = (['lw', 'lwl', 'lwr', 'lb', 'lhu', 'sw', 'swl', 'swr'] as const)[next() % 8] ?? 'lw';
    const target = Math.min(i + 1 + (next() % 6), LENGTH - 2);
    const operands = operandKinds(mnemonic).map((kind) => {
      switch (kind) {
        case 'base':
          return next() % 8 === 0 ? 8 : GP; // r8 usually holds no address of RAM
        case 'offset':
          return next() % 8 === 0 ? next() % 64 : (next() % 16) * 4;
        case 'branch':
          return target - i - 1;
        case 'jump':
          return ((CODE + 4 * target) >>> 2) & 0x3ffffff;
        case 'sa':
          return next() % 32;
        case 'imm':
          return (next() << 16) >> (16 + (next() % 16));
        case 'uimm':
          return next() & 0xffff;
        case 'code':
          return 0;
        default:
          return next() % 9;
      }
    });
    words[i] = encode({ mnemonic, operands });
    slot = BRANCHES.test(mnemonic) && mnemonic !== 'break';
  }
  return words;
}

describe('differential [KANE92 app. A]', () => {
  test('random programs do what a naive reference does', () => {
    const machine = new Machine({ ramBytes: RAM });
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, stepwise) => {
        const next = random(seed);
        const words = program(next);
        const { cpu, memory } = machine;
        for (let at = 0x2000; at < 0x2080; at += 4) memory.store32(at, next());
        memory.storeWords(CODE & 0x1fffffff, words);
        for (let n = 1; n < 32; n += 1)
          cpu.registers[n] = next() % 4 === 0 ? (INTERESTING[next() % 10] ?? 0) : next() | 0;
        cpu.registers[8] = DATA + (next() & 63);
        cpu.registers[GP] = DATA | 0;
        cpu.hi = next() | 0;
        cpu.lo = next() | 0;
        cpu.cp0.status = 0;
        cpu.pc = CODE;

        const reference = new Reference(memory.bytes.slice(), CODE);
        cpu.registers.forEach((value, n) => (reference.registers[n] = BigInt(value >>> 0)));
        reference.hi = BigInt(cpu.hi >>> 0);
        reference.lo = BigInt(cpu.lo >>> 0);
        let steps = 0;
        let usesAddressOfRam = true;
        while (reference.trap === undefined && reference.pc < CODE + 4 * (LENGTH - 2)) {
          // r8 may have changed to something that is no RAM: the reference has no TLB, so stop before its use.
          const word = memory.load32(reference.pc - 0x80000000);
          const base = Number(reference.registers[8] ?? 0n);
          const wild = base < DATA || base >= DATA + 0x100;
          if (word >>> 31 === 1 && ((word >>> 21) & 31) === 8 && wild) {
            usesAddressOfRam = false;
            break;
          }
          reference.step();
          steps += 1;
        }
        expect(steps).toBeLessThan(LENGTH + 2);
        if (stepwise) for (let i = 0; i < steps; i += 1) machine.run(1);
        else machine.run(steps);
        const { cause, epc, badVaddr } = cpu.cp0;
        const { trap } = reference;
        if (trap !== undefined) {
          expect([cpu.pc, cause, epc]).toEqual([
            0x80000080,
            ((trap.code << 2) | (trap.inSlot ? 0x80000000 : 0)) >>> 0,
            trap.epc,
          ]);
          if (trap.badVaddr !== undefined) expect(badVaddr).toBe(trap.badVaddr);
        } else if (usesAddressOfRam) {
          expect(cpu.pc).toBe(reference.pc);
          machine.run(1); // the word after the program is a nop, after which no load is under way
          reference.step();
        } else return;
        expect([...cpu.registers].map((value) => value >>> 0)).toEqual(reference.registers.map(Number));
        expect([cpu.hi >>> 0, cpu.lo >>> 0]).toEqual([Number(reference.hi), Number(reference.lo)]);
        expect([...memory.bytes.subarray(0x2000, 0x2100)]).toEqual([...reference.memory.subarray(0x2000, 0x2100)]);
      }),
      { numRuns: 1500 },
    );
  });
});
