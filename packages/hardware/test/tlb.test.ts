import fc from 'fast-check';
import {
  CP0_EPC,
  A0,
  A1,
  CP0_CONTEXT,
  CP0_ENTRYHI,
  CP0_ENTRYLO,
  CP0_INDEX,
  CP0_RANDOM,
  K0,
  K1,
  T0,
  T1,
  V0,
  ZERO,
} from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { HardwareError, Wire, type Machine } from '../src/index.ts';
import { boot, CODE, inKernel, load, record } from './support.ts';

const D = 0x400;
const V = 0x200;
const G = 0x100;
const TS = 0x200000;

function exc(machine: Machine): number {
  return (machine.cpu.cp0.cause >>> 2) & 31;
}

/** What a kernel access at `va` does: the word there, or the exception. */
function access(machine: Machine, va: number, write = false): string {
  machine.cpu.cp0.status = 0;
  load(machine, CODE, (a) => {
    if (write) a.sw(T0, 0, A0);
    else a.lw(T1, 0, A0);
  });
  machine.cpu.pc = CODE;
  machine.cpu.registers[A0] = va | 0;
  machine.run(2);
  const { pc } = machine.cpu;
  if (pc === 0x80000004) return `refill ${exc(machine)}`;
  if (pc === 0x80000084) return `exception ${exc(machine)}`;
  return write ? 'stored' : `loaded ${(machine.cpu.registers[T1] ?? 0) >>> 0}`;
}

/** RAM of 64 pages, each beginning with its frame number. */
function frames(): Machine {
  const machine = boot(() => undefined);
  for (let frame = 0; frame < 64; frame += 1) machine.memory.store32(frame * 4096, frame);
  machine.memory.store32(0x80, 0);
  return machine;
}

describe('TLB [KANE92 §6]', () => {
  test('valid, dirty, global, invalid, absent', () => {
    const machine = frames();
    const { tlb, cp0 } = machine.cpu;
    tlb.write(0, 0x5000, (7 << 12) | V | D);
    tlb.write(1, 0x6000, (8 << 12) | V);
    tlb.write(2, 0x7000, (9 << 12) | D);
    tlb.write(3, 0x8000 | (3 << 6), (10 << 12) | V | G);
    tlb.write(4, 0x9000 | (3 << 6), (11 << 12) | V);
    tlb.write(5, 0xfffff000, (12 << 12) | V | D | G);
    tlb.write(6, 0xa000, (0x18000 << 12) | V);
    expect(access(machine, 0x5000)).toBe('loaded 7');
    expect(access(machine, 0x5000, true)).toBe('stored');
    expect(access(machine, 0x6000)).toBe('loaded 8');
    expect(access(machine, 0x6000, true)).toBe('exception 1');
    expect(access(machine, 0x7000)).toBe('exception 2');
    expect(access(machine, 0x7000, true)).toBe('exception 3');
    expect(access(machine, 0x8000)).toBe('loaded 10');
    expect(access(machine, 0x9000)).toBe('refill 2');
    expect(access(machine, 0xb000, true)).toBe('refill 3');
    expect(access(machine, 0xfffff000)).toBe('loaded 12');
    expect(access(machine, 0xffffe000)).toBe('exception 2');
    expect(access(machine, 0xa000)).toBe('exception 7');
    cp0.entryHi = 3 << 6;
    expect(access(machine, 0x9000)).toBe('loaded 11');
    expect(access(machine, 0x5000)).toBe('refill 2');
    expect(access(machine, 0x8000)).toBe('loaded 10');
  });

  test('a miss loads BadVAddr, Context and EntryHi; an address error leaves the last two', () => {
    const machine = frames();
    const { cp0 } = machine.cpu;
    cp0.context = 0xffe00000;
    cp0.entryHi = 0x1000 | (9 << 6);
    expect(access(machine, 0x12345678)).toBe('refill 2');
    expect([cp0.badVaddr, cp0.context, cp0.entryHi]).toEqual(
      [0x12345678, 0xffe00000 | ((0x12345 << 2) & 0x1ffffc), 0x12345000 | (9 << 6)].map((n) => n >>> 0),
    );
    expect(access(machine, 0x5001)).toBe('exception 4');
    expect([cp0.badVaddr, cp0.entryHi]).toEqual([0x5001, 0x12345000 | (9 << 6)]);
  });

  test('tlbr, tlbwi, tlbp, and the fields that exist', () => {
    const machine = boot((a) => {
      a.mtc0(A0, CP0_ENTRYHI);
      a.mtc0(A1, CP0_ENTRYLO);
      a.li(T0, 13 << 8);
      a.mtc0(T0, CP0_INDEX);
      a.tlbwi();
      a.mtc0(ZERO, CP0_ENTRYLO);
      a.mtc0(ZERO, CP0_INDEX);
      a.tlbp();
      a.tlbr();
      a.mtc0(ZERO, CP0_ENTRYHI);
      a.tlbp();
    });
    machine.cpu.registers[A0] = -1;
    machine.cpu.registers[A1] = -1;
    machine.run(8);
    expect(machine.cpu.cp0.index).toBe(13 << 8);
    machine.run(1);
    expect([machine.cpu.cp0.entryHi, machine.cpu.cp0.entryLo]).toEqual([0xffffffc0, 0xffffff00]);
    expect([machine.cpu.tlb.hi(13), machine.cpu.tlb.lo(13)]).toEqual([0xffffffc0, 0xffffff00]);
    machine.run(2);
    expect(machine.cpu.cp0.index).toBe(0x80000000);
  });

  test('tlbr switches the address space to that of the entry', () => {
    const machine = boot((a) => a.tlbr());
    machine.cpu.tlb.write(0, 7 << 6, 0);
    const events = record(machine);
    machine.run(1);
    expect(events).toEqual([['asid', 1, 7, 0, 0]]);
    expect(machine.cpu.asid).toBe(7);
  });

  test('random counts down from 63 to 8 with the instructions, and tlbwr uses it', () => {
    const machine = boot((a) => {
      for (let i = 0; i < 120; i += 1) a.mfc0(T0, CP0_RANDOM);
    });
    const seen = Array.from({ length: 120 }, () => {
      machine.run(1);
      machine.cpu.registers[T1] = machine.cpu.registers[T0] ?? 0;
      return (machine.cpu.cp0.random >>> 8) - 0;
    });
    expect(seen.slice(0, 3)).toEqual([62, 61, 60]);
    expect(new Set(seen).size).toBe(56);
    expect([Math.min(...seen), Math.max(...seen)]).toEqual([8, 63]);
    const writer = boot((a) => {
      a.nop();
      a.tlbwr();
    });
    writer.cpu.cp0.entryHi = 0x4000;
    writer.run(2);
    expect(writer.cpu.tlb.probe(0x4000)).toBe(61);
  });

  test('the refill handler of the book fills the TLB from a page table', () => {
    const machine = frames();
    const table = 0x80030000;
    for (let page = 0; page < 40; page += 1) machine.memory.store32(0x30000 + 4 * page, ((63 - page) << 12) | V);
    machine.cpu.cp0.context = 0x80000000;
    // PTEBase has no low 21 bits, and this RAM no such place, so the handler adds an offset.
    load(machine, 0x80000000, (a) => {
      a.mfc0(K0, CP0_CONTEXT);
      a.lui(K1, table >>> 16);
      a.addu(K0, K0, K1);
      a.lui(K1, 0x8000);
      a.subu(K0, K0, K1);
      a.lw(K0, 0, K0);
      a.mfc0(K1, CP0_EPC);
      a.mtc0(K0, CP0_ENTRYLO);
      a.tlbwr();
      a.jr(K1);
      a.rfe();
    });
    load(machine, CODE, (a) => {
      a.label('next');
      a.lw(T0, 0, A0);
      a.li(T1, 0x1000);
      a.addu(V0, V0, T0);
      a.addu(A0, A0, T1);
      a.bne(A0, A1, 'next');
      a.nop();
      a.label('end');
      a.b('end');
      a.nop();
    });
    machine.cpu.registers[A0] = 0x4000;
    machine.cpu.registers[A1] = 40 << 12;
    const events = record(machine);
    machine.run(36 * 6 + 36 * 12);
    let sum = 0;
    for (let page = 4; page < 40; page += 1) sum += machine.memory.load32((63 - page) * 4096);
    expect(machine.cpu.registers[V0]).toBe(sum);
    expect(events.filter(([kind]) => kind === 'exception')).toHaveLength(36);
  });

  test.each<[string, (machine: Machine) => string]>([
    ['a load', (machine) => access(machine, 0x5000)],
    ['a store', (machine) => access(machine, 0x5000, true)],
    [
      'a fetch',
      (machine) => {
        machine.cpu.cp0.status = 0;
        machine.cpu.pc = 0x5000;
        machine.run(1);
        return machine.cpu.pc === 0x80000000 ? `refill ${exc(machine)}` : 'fetched';
      },
    ],
    [
      'tlbp',
      (machine) => {
        load(machine, CODE, (a) => {
          a.tlbp();
          a.nop();
        });
        machine.cpu.cp0.entryHi = 0x5000;
        machine.cpu.pc = CODE;
        machine.run(2);
        return machine.cpu.cp0.index === 0x80000000 ? 'absent' : 'found';
      },
    ],
  ])('%s that matches twice shuts the TLB down', (_, look) => {
    const machine = frames();
    const { tlb, cp0 } = machine.cpu;
    tlb.write(3, 0x9000, (3 << 12) | V | D);
    tlb.write(9, 0x5000, (9 << 12) | V | D);
    tlb.write(4, 0x5000 | (1 << 6), (4 << 12) | V | D);
    expect(access(machine, 0x5000)).toBe('loaded 9');
    tlb.write(6, 0x5000 | (2 << 6), (6 << 12) | G);
    expect(tlb.probe(0x5000)).toBe(-2);
    expect(access(machine, 0x9000)).toBe('loaded 3');
    expect(cp0.status & TS).toBe(0); // nobody has looked yet

    expect(look(machine)).toMatch(/^(refill [23]|absent)$/);
    expect(cp0.status & TS).toBe(TS);
    // Nothing is found any more, whatever is written; the segments that need no TLB go on.
    tlb.write(6, 0x80000000, 0);
    tlb.write(10, 0x6000, (10 << 12) | V | D);
    cp0.entryHi = 1 << 6;
    cp0.status = 0;
    expect(cp0.status).toBe(TS);
    for (const va of [0x5000, 0x6000, 0x9000]) expect(access(machine, va)).toBe('refill 2');
    expect(tlb.lo(10)).toBe((10 << 12) | V | D);
    expect(access(machine, 0x80009000)).toBe('loaded 9');
  });

  test('only trying an access that matches twice shuts nothing down', () => {
    const machine = frames();
    const { tlb, cp0 } = machine.cpu;
    tlb.write(1, 0x5000, (9 << 12) | V | D);
    tlb.write(2, 0x5000, (9 << 12) | V | D);
    inKernel(machine, (cpu) => {
      expect(cpu.probe(0x5000, false)).toBe(false);
    });
    expect(cp0.status & TS).toBe(0);
    tlb.write(2, 0x80000000, 0);
    expect(access(machine, 0x5000)).toBe('loaded 9');
  });

  test('an index is 0 to 63; entries in kseg0 are never looked up', () => {
    const quiet = frames();
    for (let i = 0; i < 64; i += 1) quiet.cpu.tlb.write(i, 0x80000000, 0);
    expect(access(quiet, 0x5000)).toBe('refill 2');
    expect(quiet.cpu.cp0.status).toBe(0);
    expect(() => {
      quiet.cpu.tlb.write(64, 0, 0);
    }).toThrow(HardwareError);
    expect(() => quiet.cpu.tlb.hi(-1)).toThrow(HardwareError);
  });

  test('the buffer memory of the LANCE can be mapped like RAM', () => {
    const machine = boot(() => undefined, { lance: { mac: new Uint8Array(6), wire: new Wire() } });
    machine.memory.store32(0x19000004, 77);
    machine.cpu.tlb.write(0, 0x5000, 0x19000000 | V);
    expect(access(machine, 0x5004)).toBe('loaded 77');
    expect(access(machine, 0x99000004)).toBe('loaded 77');
  });

  test('with the cache isolated, stores go nowhere and loads give 0', () => {
    const machine = frames();
    machine.memory.store32(0x2000, 5);
    inKernel(machine, (cpu) => {
      machine.cpu.cp0.status = 0x40010000;
      cpu.store32(0x80002000, 6);
      expect(cpu.load32(0x80002000)).toBe(0);
      machine.cpu.cp0.status = 0x40000000;
      expect(cpu.load32(0x80002000)).toBe(5);
    });
  });

  test('whatever is written to it, an access does what the entries say', () => {
    const page = fc.integer({ min: 4, max: 7 }); // few pages and spaces, so that entries collide
    const space = fc.integer({ min: 0, max: 2 });
    const change = fc.oneof(
      fc.record({ index: fc.nat(6), page, space, frame: fc.integer({ min: 2, max: 63 }), flags: fc.nat(7) }),
      fc.record({ switchTo: space }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const machine = frames();
        const { cpu } = machine;
        const entries: ({ page: number; space: number; frame: number; flags: number } | undefined)[] = [];
        let current = 0;
        for (const step of changes) {
          if ('switchTo' in step) {
            current = step.switchTo;
            cpu.cp0.entryHi = current << 6;
          } else {
            entries[step.index] = step;
            cpu.tlb.write(step.index, (step.page << 12) | (step.space << 6), (step.frame << 12) | (step.flags << 8));
          }
        }
        let isShutDown = false;
        for (let va = 4; va < 8; va += 1) {
          const matching = entries.filter((e) => e?.page === va && (e.space === current || (e.flags & 1) !== 0));
          isShutDown ||= matching.length > 1;
          const found = isShutDown ? undefined : matching[0];
          const valid = found !== undefined && (found.flags & 2) !== 0;
          const missing = found === undefined ? 'refill' : 'exception';
          const loaded = valid ? `loaded ${found.frame}` : `${missing} 2`;
          const stored = valid ? ((found.flags & 4) !== 0 ? 'stored' : 'exception 1') : `${missing} 3`;
          cpu.registers[T0] = found?.frame ?? 0;
          const saved = cpu.cp0.entryHi;
          expect(access(machine, va << 12)).toBe(loaded);
          expect(access(machine, va << 12, true)).toBe(stored);
          expect(cpu.cp0.entryHi & 0xfc0).toBe(saved & 0xfc0);
          expect((cpu.cp0.status & TS) !== 0).toBe(isShutDown);
        }
      }),
      { numRuns: 40 },
    );
  });
});
