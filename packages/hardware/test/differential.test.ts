import { encode, EXTENSIONS, INSTRUCTIONS, operandKinds, GP, type Extension, type Mnemonic } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Machine, type Profile } from '../src/index.ts';
import { Reference } from './reference.ts';
import { CODE, random } from './support.ts';
import { TimingReference } from './timing-reference.ts';

const LENGTH = 48;
const RAM = 0x14000;
const DATA = 0x80002000;
/** What is so far apart meets in the caches. */
const CACHE = 0x10000;

/** Integer instructions; jumps whose targets are computed here, and no coprocessor. */
const MNEMONICS = (Object.keys(INSTRUCTIONS) as Mnemonic[]).filter(
  (m) => !/c[0-3]$|cop|\.|tlb|rfe|bc|^jr$|^jalr$|syscall|break|[ls]wc/.test(m),
);
const MIPS32 = Object.keys(EXTENSIONS.mips32) as Mnemonic[];
const BRANCHES = /^(b|j)/;
const INTERESTING = [0, 1, -1, 0x7fffffff, -0x80000000, 0x8000, 0xffff, 2, 31, 32];

/** A random program: operands from few registers so that they meet, forward branches, accesses around gp. */
function program(next: () => number, origin: number, extensions: readonly Extension[]): Uint32Array {
  const words = new Uint32Array(LENGTH);
  let slot = false;
  let linked = [0, 0, GP];
  for (let i = 0; i < LENGTH - 2; i += 1) {
    let mnemonic = MNEMONICS[next() % MNEMONICS.length] ?? 'addu';
    if (slot && BRANCHES.test(mnemonic)) mnemonic = 'addu';
    if (next() % 60 === 0) mnemonic = 'syscall';
    if (next() % 3 === 0 && !slot)
      mnemonic = (['lw', 'lwl', 'lwr', 'lb', 'lhu', 'sw', 'swl', 'swr'] as const)[next() % 8] ?? 'lw';
    if (extensions.length > 0 && next() % 2 === 0) mnemonic = MIPS32[next() % MIPS32.length] ?? 'movz';
    const pos = next() % 32;
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
          return ((origin + 4 * target) >>> 2) & 0x3ffffff;
        case 'sa':
          return next() % 32;
        case 'imm':
          return (next() << 16) >> (16 + (next() % 16));
        case 'uimm':
          return next() & 0xffff;
        case 'code':
        case 'trap':
          return 0;
        case 'pos':
          return pos;
        case 'size':
        case 'last':
          return 1 + (next() % (32 - pos));
        default:
          return next() % 9;
      }
    });
    if (mnemonic === 'll') linked = operands;
    // Most of the time to the word that was linked.
    if (mnemonic === 'sc' && next() % 4 !== 0) operands.splice(1, 2, ...linked.slice(1));
    words[i] = encode({ mnemonic, operands }, extensions);
    slot = BRANCHES.test(mnemonic) && mnemonic !== 'break';
  }
  return words;
}

describe('differential [KANE92 app. A]', () => {
  test.each<[Profile, number, Extension[]]>([
    ['ideal', 800, []],
    ['dec3100', 1200, []],
    ['dec5000', 1200, []],
    ['ideal', 800, ['mips32']],
    ['dec3100', 800, ['mips32']],
    ['dec5000', 800, ['mips32']],
  ])(
    'random programs do what a naive reference does, in the same cycles: %s, %d, %j',
    (profile, numRuns, extensions) => {
      const machine = new Machine({ ramBytes: RAM, profile, extensions });
      const { cpu, memory } = machine;
      const timing = new TimingReference(profile, machine.cycles);
      const shown = (at: number): number[] => [...memory.read(at, new Uint8Array(0x100))];
      fc.assert(
        fc.property(fc.integer(), fc.boolean(), (seed, stepwise) => {
          const next = random(seed);
          const origin = CODE + CACHE * (next() % 2);
          const data = DATA - 0x80000000;
          const words = program(next, origin, extensions);
          for (let at = data; at < data + 0x100; at += 4) {
            memory.store32(at, next());
            memory.store32(at + CACHE, next());
          }
          memory.storeWords(origin & 0x1fffffff, words);
          for (let n = 1; n < 32; n += 1)
            cpu.registers[n] = next() % 4 === 0 ? (INTERESTING[next() % 10] ?? 0) : next() | 0;
          cpu.registers[8] = DATA + CACHE * (next() % 2) + (next() & 63);
          cpu.registers[GP] = DATA | 0;
          cpu.hi = next() | 0;
          cpu.lo = next() | 0;
          cpu.cp0.status = 0;
          cpu.pc = origin;

          const reference = new Reference(memory.read(0, new Uint8Array(RAM)), origin, timing, extensions);
          cpu.registers.forEach((value, n) => (reference.registers[n] = BigInt(value >>> 0)));
          reference.hi = BigInt(cpu.hi >>> 0);
          reference.lo = BigInt(cpu.lo >>> 0);
          let steps = 0;
          let usesAddressOfRam = true;
          while (reference.trap === undefined && reference.pc < origin + 4 * (LENGTH - 2)) {
            // r8 may have changed to something that is no RAM: the reference has no TLB, so stop before its use.
            const word = memory.load32(reference.pc - 0x80000000);
            const base = Number(reference.registers[8] ?? 0n) & ~CACHE;
            const wild = base >>> 0 < DATA || base >>> 0 >= DATA + 0x100;
            if (word >>> 31 === 1 && ((word >>> 21) & 31) === 8 && wild) {
              usesAddressOfRam = false;
              break;
            }
            reference.step();
            steps += 1;
          }
          // A branch to its own slot executes that twice.
          expect(steps).toBeLessThan(2 * LENGTH);
          const before = machine.instructions;
          if (stepwise) while (machine.cycles < timing.cycles) machine.run(1);
          else machine.runTo(timing.cycles);
          expect([machine.cycles, machine.instructions - before]).toEqual([timing.cycles, steps]);
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
            reference.step(); // the word after the program is a nop, after which no load is under way
            machine.runTo(timing.cycles);
          } else return;
          expect([...cpu.registers].map((value) => value >>> 0)).toEqual(reference.registers.map(Number));
          expect([cpu.hi >>> 0, cpu.lo >>> 0]).toEqual([Number(reference.hi), Number(reference.lo)]);
          for (const at of [data, data + CACHE])
            expect(shown(at)).toEqual([...reference.memory.subarray(at, at + 0x100)]);
        }),
        { numRuns },
      );
    },
  );
});
