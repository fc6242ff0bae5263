import { createAssembler, T0, T1 } from '@exokernel/isa';
import fc from 'fast-check';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HardwareError, memoryStore, seekSeconds, type BlockStore, type Machine } from '../src/index.ts';
import { fileStore } from '../src/node/index.ts';
import {
  AVAILABLE,
  DATA,
  DESCRIPTORS,
  DISK,
  disk,
  HEADER,
  header,
  NEXT,
  offer,
  PLAIN,
  request,
  setup,
  SIZE,
  STATUS,
  table,
  USED,
  WRITE,
  type Descriptor,
} from './disk-support.ts';
import { idle, inKernel, lines, peek, poke, random, record, state } from './support.ts';

describe('disk [VIRTIO]', () => {
  test('introduces itself', () => {
    const machine = idle({ disk: { store: memoryStore(3 * 512) } });
    const read = (offset: number): number => peek(machine, DISK + offset);
    expect([read(0), read(4), read(8), read(0x34)]).toEqual([0x74726976, 2, 2, 128]);
    expect([read(0x100), read(0x104), read(0x108), read(0x10c)]).toEqual([3, 0, 0x8000, 126]);
    expect([read(0x110), read(0x114), read(0x130), read(0x134), read(0x138)]).toEqual([0x48130001, 512, 8192, 1, 0]);
    expect(read(0x010)).toBe(0x30004a56); // SIZE_MAX to WRITE_ZEROES; indirect descriptors, events
    poke(machine, DISK + 0x014, 1);
    expect(read(0x010)).toBe(1);
    poke(machine, DISK + 0x014, 2);
    expect(read(0x010)).toBe(0);
    expect([read(0x204), read(0x208)]).toEqual([1, 19 * 72]);
    expect(read(0xb0)).toBe(0xffffffff);
    inKernel(machine, (cpu) => {
      expect(cpu.load8(0xba000114)).toBe(0);
      expect(cpu.load8(0xba000115)).toBe(2);
      expect(cpu.probe(0xba00020c, false)).toBe(false);
    });
  });

  test('random registers, rings and descriptors never throw and never hang', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const next = random(seed);
        const machine = disk(memoryStore(16 * 512));
        for (let round = 0; round < 30; round += 1) {
          setup(machine);
          for (let i = 0; i < 16 * SIZE; i += 2)
            machine.memory.store16(DESCRIPTORS + i, next() % 4 === 0 ? next() & 0xffff : 0);
          for (let i = 0; i < SIZE; i += 1) {
            machine.memory.store32(DESCRIPTORS + 16 * i, next() & 0x3ffff);
            machine.memory.store32(DESCRIPTORS + 16 * i + 8, [0, 1, 16, 512, 1024, next()][next() % 6] ?? 0);
            machine.memory.store16(DESCRIPTORS + 16 * i + 12, next() & 7);
            machine.memory.store16(DESCRIPTORS + 16 * i + 14, next() % (SIZE + 1));
            machine.memory.store16(AVAILABLE + 4 + 2 * i, next() % (SIZE + 1));
          }
          machine.memory.store16(AVAILABLE + 2, next() % 12);
          for (let i = 0; i < 4; i += 1)
            poke(machine, DISK + ((next() % 0x210) & ~3), next() % 3 === 0 ? next() : next() & 15);
          poke(machine, DISK + 0x050, 0);
          machine.run(2_000_000);
        }
      }),
      { numRuns: 6 },
    );
  });

  test('reads and writes sectors, and says so', () => {
    const contents = new Uint8Array(64 * 512).map((_, i) => i >>> 9);
    const machine = disk(memoryStore(contents));
    const events = record(machine);
    expect(request(machine, 0, 5, 1024)).toBe(0);
    expect([...machine.memory.read(DATA + 511, new Uint8Array(2))]).toEqual([5, 6]);
    expect([machine.memory.load16(USED + 2), machine.memory.load32(USED + 4), machine.memory.load32(USED + 8)]).toEqual(
      [1, 0, 1025],
    );
    expect(lines(machine)).toEqual([2]);
    expect(peek(machine, DISK + 0x060)).toBe(1);
    poke(machine, DISK + 0x064, 1);
    expect(lines(machine)).toEqual([]);
    machine.memory.write(DATA, new Uint8Array(512).fill(0xab));
    expect(request(machine, 1, 63, 512)).toBe(0);
    expect([contents[63 * 512 - 1], contents[63 * 512], contents.at(-1)]).toEqual([62, 0xab, 0xab]);
    expect(events.filter(([kind]) => kind === 'disk').map(([, , ...rest]) => rest)).toEqual([
      [0, 5, 2],
      [1, 63, 1],
    ]);
  });

  test('a request may be cut into descriptors anywhere', () => {
    const contents = new Uint8Array(4 * 512).map((_, i) => i);
    const machine = disk(memoryStore(contents));
    header(machine, 0, 1);
    offer(machine, [
      [HEADER, 5, NEXT, 1],
      [HEADER + 5, 11, NEXT, 2],
      [DATA, 100, NEXT | WRITE, 3],
      [DATA + 100, 413, WRITE, 0],
    ]);
    machine.run(5_000_000);
    expect([...machine.memory.read(DATA, new Uint8Array(512))]).toEqual([...contents.subarray(512, 1024)]);
    expect(machine.memory.load8(DATA + 512)).toBe(0);
  });

  test('flush, identity, and what it does not know', () => {
    let flushed = 0;
    const machine = disk({ ...memoryStore(512), flush: () => (flushed += 1) });
    expect(request(machine, 4, 0, 0)).toBe(0);
    expect(flushed).toBe(1);
    expect(request(machine, 8, 0, 20, WRITE)).toBe(0);
    expect(new TextDecoder().decode(machine.memory.read(DATA, new Uint8Array(14)))).toBe('exokernel disk');
    expect(request(machine, 11, 0, 512)).toBe(2);
  });

  test.each<[string, number, number, number, number]>([
    ['past the end', 0, 63, 1024, WRITE],
    ['far past the end', 0, 2 ** 52, 512, WRITE],
    ['no data', 0, 0, 0, 0],
    ['half a sector', 0, 0, 256, WRITE],
    ['a read into what the device may not write', 0, 0, 512, 0],
    ['a write from what the device may not read', 1, 0, 512, WRITE],
    ['an identity of the wrong size', 8, 0, 19, WRITE],
  ])('%s is an I/O error', (_, type, sector, bytes, flags) => {
    const machine = disk();
    expect(request(machine, type, sector, bytes, flags)).toBe(1);
    expect(peek(machine, DISK + 0x070)).toBe(0xf);
  });

  test('readable after writable, and a buffer of no bytes, are I/O errors', () => {
    for (const chain of [
      [
        [STATUS, 1, NEXT | WRITE, 1],
        [HEADER, 16, 0, 0],
      ],
      [
        [HEADER, 16, NEXT, 1],
        [DATA, 0, NEXT | WRITE, 2],
        [STATUS, 1, WRITE, 0],
      ],
      [[STATUS, 1, WRITE, 0]],
    ] as const) {
      const machine = disk();
      header(machine, 0, 0);
      offer(machine, chain);
      machine.run(100);
      expect(machine.memory.load8(STATUS)).toBe(1);
    }
  });

  test.each<[string, readonly Descriptor[], number]>([
    ['a head beyond the queue', [[HEADER, 16, 0, 0]], 8],
    ['a next beyond the queue', [[HEADER, 16, NEXT, 8]], 0],
    ['a loop', [[HEADER, 16, NEXT, 0]], 0],
    ['a buffer outside RAM', [[0x3fff8, 16, 0, 0]], 0],
    ['a buffer at the devices', [[0x18000000, 16, 0, 0]], 0],
    ['an indirect table', [[HEADER, 16, 4, 0]], 0],
    ['nowhere to put the status', [[HEADER, 16, 0, 0]], 0],
  ])('%s needs a reset, after which it works again', (_, chain, head) => {
    const machine = disk();
    header(machine, 0, 0);
    offer(machine, chain, head);
    machine.run(1000);
    expect(peek(machine, DISK + 0x070)).toBe(0x4f);
    expect(peek(machine, DISK + 0x060)).toBe(2);
    expect(lines(machine)).toEqual([2]);
    setup(machine);
    expect(lines(machine)).toEqual([]);
    expect(request(machine, 0, 0, 512)).toBe(0);
  });

  test('an available index that ran ahead needs a reset', () => {
    const machine = disk();
    machine.memory.store16(AVAILABLE + 2, 9);
    poke(machine, DISK + 0x050, 0);
    expect(peek(machine, DISK + 0x070)).toBe(0x4f);
  });

  test('refuses features it did not offer, queues of impossible size or place', () => {
    const machine = idle({ disk: { store: memoryStore(512) } });
    const write = (offset: number, value: number): void => {
      poke(machine, DISK + offset, value);
    };
    write(0x070, 3);
    write(0x020, 0x245);
    write(0x070, 0xb);
    expect(peek(machine, DISK + 0x070)).toBe(3);
    for (const [offset, value] of [
      [0x038, 0],
      [0x038, 3],
      [0x038, 256],
      [0x080, DESCRIPTORS + 8],
      [0x090, 0x3fffe],
      [0x0a0, 0x40000000],
      [0x084, 1],
    ] as const) {
      write(0x070, 0);
      write(0x038, SIZE);
      write(0x080, DESCRIPTORS);
      write(0x090, AVAILABLE);
      write(0x0a0, USED);
      write(offset, value);
      write(0x044, 1);
      expect([peek(machine, DISK + 0x044), peek(machine, DISK + 0x070)]).toEqual([0, 0x40]);
    }
  });

  test('a store that throws is an I/O error', () => {
    const broken = (): never => {
      throw new Error('disk full');
    };
    const machine = disk({ blocks: 4, read: broken, write: broken, flush: broken });
    expect([request(machine, 0, 0, 512), request(machine, 1, 0, 512), request(machine, 4, 0, 0)]).toEqual([1, 1, 1]);
  });

  test.each([0, 1, 13])('a reset in the middle of request %i leaves RAM and store as they were', (type) => {
    const contents = new Uint8Array(4 * 512).fill(1);
    const machine = disk(memoryStore(contents), {}, 0x40000, ALL);
    header(machine, type, 0);
    machine.memory.write(DATA, new Uint8Array(512).fill(0));
    machine.memory.store32(DATA + 8, 1);
    offer(machine, [
      [HEADER, 16, NEXT, 1],
      [DATA, type === 13 ? 16 : 512, NEXT | (type === 0 ? WRITE : 0), 2],
      [STATUS, 1, WRITE, 0],
    ]);
    machine.run(1000); // a fifth of a sector
    poke(machine, DISK + 0x070, 0);
    machine.run(1_000_000);
    expect([machine.memory.load8(STATUS), machine.memory.load8(DATA), machine.memory.load16(USED + 2)]).toEqual([
      0xee, 0, 0,
    ]);
    expect(contents.every((byte) => byte === 1)).toBe(true);
    expect(lines(machine)).toEqual([]);
    setup(machine);
    expect(request(machine, 0, 0, 512)).toBe(0);
    expect(machine.memory.load8(DATA)).toBe(1);
  });

  test('a store without a whole number of sectors is refused', () => {
    for (const blocks of [0, -1, 1.5, NaN, Infinity]) {
      let code = '';
      try {
        idle({ disk: { store: { ...memoryStore(512), blocks } } });
      } catch (error) {
        if (error instanceof HardwareError) code = error.code;
      }
      expect([blocks, code]).toEqual([blocks, 'block-store']);
    }
  });
});

/** Whatever it offers but events. */
const ALL = 0x10004a56;

describe('features of the disk [VIRTIO §5.2]', () => {
  /** What a store was asked to do, in order. */
  function logged(options: Partial<BlockStore> = {}): { store: BlockStore; log: string[] } {
    const log: string[] = [];
    const inner = memoryStore(64 * 512);
    return {
      log,
      store: {
        ...inner,
        write: (sector, from) => {
          log.push(`write ${sector}`);
          inner.write(sector, from);
        },
        flush: () => log.push('flush'),
        ...options,
      },
    };
  }

  test('a read-only disk says so, and answers every write with an error', () => {
    const { store, log } = logged({ readOnly: true });
    const machine = disk(store, {}, 0x40000, ALL | 0x20);
    expect(peek(machine, DISK + 0x010) & 0x20).toBe(0x20);
    machine.memory.write(DATA, new Uint8Array(512).fill(0));
    machine.memory.store32(DATA + 8, 1);
    expect([request(machine, 1, 0, 512), request(machine, 13, 0, 16), request(machine, 0, 0, 512)]).toEqual([1, 1, 0]);
    expect(log).toEqual([]);
  });

  test('with flush agreed, writes wait for it; without, each is flushed before it is answered', () => {
    const cached = logged();
    const one = disk(cached.store);
    expect([request(one, 1, 1, 512), request(one, 1, 2, 512), request(one, 4, 0, 0)]).toEqual([0, 0, 0]);
    expect(cached.log).toEqual(['write 1', 'write 2', 'flush']);
    expect(peek(one, DISK + 0x120)).toBe(1);
    const through = logged();
    const two = disk(through.store, {}, 0x40000, 0x44);
    expect(peek(two, DISK + 0x120)).toBe(0);
    expect(request(two, 1, 1, 512)).toBe(0);
    expect(through.log).toEqual(['write 1', 'flush']);
  });

  test('the write cache can be switched, which flushes; not without having agreed on it, nor if the flush fails', () => {
    const { store, log } = logged();
    const cache = (machine: Machine, on: number): number => {
      inKernel(machine, (cpu) => {
        cpu.store8(0xa0000000 + DISK + 0x120, on);
      });
      return peek(machine, DISK + 0x120);
    };
    const machine = disk(store, {}, 0x40000, ALL);
    expect(cache(machine, 0)).toBe(0);
    expect(request(machine, 1, 3, 512)).toBe(0);
    expect(cache(machine, 1)).toBe(1);
    expect(request(machine, 1, 4, 512)).toBe(0);
    expect(log).toEqual(['flush', 'write 3', 'flush', 'write 4']);
    cache(machine, 0);
    setup(machine, ALL);
    expect(peek(machine, DISK + 0x120)).toBe(1); // a reset puts it back
    expect(cache(disk(store), 0)).toBe(1);
    const broken = disk(
      logged({
        flush: () => {
          throw new Error('no space');
        },
      }).store,
      {},
      0x40000,
      ALL,
    );
    expect(cache(broken, 0)).toBe(1);
  });

  test('a write whose flush fails is an error', () => {
    const broken = logged({
      flush: () => {
        throw new Error('no space');
      },
    });
    expect(request(disk(broken.store, {}, 0x40000, 0x44), 1, 0, 512)).toBe(1);
  });

  test.each<[string, number, number, number, number]>([
    ['two sectors', 5, 2, 0, 0],
    ['with leave to unmap', 5, 2, 1, 0],
    ['an unknown flag', 5, 2, 2, 2],
    ['none', 5, 0, 0, 1],
    ['past the end', 63, 2, 0, 1],
    ['far past the end', 2 ** 40, 1, 0, 1],
    ['too many', 0, 8193, 0, 1],
  ])('writes zeroes: %s', (_, sector, sectors, flags, status) => {
    const contents = new Uint8Array(64 * 512).fill(7);
    const machine = disk(memoryStore(contents), {}, 0x40000, ALL);
    machine.memory.store32(DATA, sector % 2 ** 32);
    machine.memory.store32(DATA + 4, Math.floor(sector / 2 ** 32));
    machine.memory.store32(DATA + 8, sectors);
    machine.memory.store32(DATA + 12, flags);
    expect(request(machine, 13, 0, 16)).toBe(status);
    const zeroes = contents.filter((byte) => byte === 0).length;
    expect([zeroes, contents[5 * 512 - 1], contents[5 * 512]]).toEqual(status === 0 ? [1024, 7, 0] : [0, 7, 7]);
  });

  test('zeroes of a wrong shape, or not agreed on', () => {
    const machine = disk(memoryStore(512), {}, 0x40000, ALL);
    machine.memory.store32(DATA + 8, 1);
    expect([request(machine, 13, 0, 32), request(machine, 13, 0, 16, WRITE)]).toEqual([1, 1]);
    expect(request(disk(memoryStore(512)), 13, 0, 16)).toBe(2);
  });

  describe('indirect descriptors', () => {
    const TABLE = 0x7000;
    const INDIRECT = 4;

    test('a chain may go on in a table, at any of its descriptors', () => {
      for (const direct of [0, 1, 2]) {
        const contents = new Uint8Array(4 * 512).map((_, i) => i >> 2);
        const machine = disk(memoryStore(contents), {}, 0x40000, ALL);
        header(machine, 0, 1);
        const chain: Descriptor[] = [
          [HEADER, 16, NEXT, 0],
          [DATA, 100, NEXT | WRITE, 0],
          [DATA + 100, 412, NEXT | WRITE, 0],
          [STATUS, 1, WRITE, 0],
        ];
        const outer = chain.slice(0, direct).map(([at, length, flags], i): Descriptor => [at, length, flags, i + 1]);
        const inner = chain.slice(direct).map(([at, length, flags], i): Descriptor => [at, length, flags, i + 1]);
        table(machine, TABLE, inner);
        offer(machine, [...outer, [TABLE, 16 * inner.length, INDIRECT, 0]]);
        machine.run(5_000_000);
        expect(machine.memory.load8(STATUS)).toBe(0);
        expect([...machine.memory.read(DATA, new Uint8Array(512))]).toEqual([...contents.subarray(512, 1024)]);
        expect(machine.memory.load32(USED + 8)).toBe(513);
      }
    });

    test.each<[string, Descriptor, readonly Descriptor[]]>([
      ['of no bytes', [TABLE, 0, INDIRECT, 0], []],
      ['of half a descriptor', [TABLE, 24, INDIRECT, 0], []],
      ['outside RAM', [0x3fff0, 32, INDIRECT, 0], []],
      ['at an odd place', [TABLE + 2, 16, INDIRECT, 0], []],
      ['and a next', [TABLE, 16, INDIRECT | NEXT, 1], [[STATUS, 1, WRITE, 0]]],
      ['with a table in it', [TABLE, 16, INDIRECT, 0], [[TABLE, 16, INDIRECT, 0]]],
      ['with a next beyond it', [TABLE, 16, INDIRECT, 0], [[HEADER, 16, NEXT, 1]]],
      ['that loops', [TABLE, 16, INDIRECT, 0], [[HEADER, 16, NEXT, 0]]],
    ])('a table %s needs a reset', (_, outer, inner) => {
      const machine = disk(memoryStore(512), {}, 0x40000, ALL);
      header(machine, 0, 0);
      table(machine, TABLE, inner);
      offer(machine, [outer]);
      machine.run(1000);
      expect(peek(machine, DISK + 0x070)).toBe(0x4f);
    });

    test('a table longer than the queue is no matter, a chain longer than it is', () => {
      for (const [steps, status] of [
        [SIZE, 0xf],
        [SIZE + 1, 0x4f],
      ] as const) {
        const machine = disk(memoryStore(512), {}, 0x40000, ALL);
        header(machine, 8, 0);
        const chain = Array.from({ length: steps }, (_, i): Descriptor => {
          if (i === 0) return [HEADER, 16, NEXT, 1];
          return i < steps - 1 ? [DATA + i, 1, NEXT | WRITE, i + 1] : [STATUS, 1, WRITE, 0];
        });
        table(machine, TABLE, [...chain, ...chain]);
        offer(machine, [[TABLE, 32 * steps, INDIRECT, 0]]);
        machine.run(1000);
        expect(peek(machine, DISK + 0x070)).toBe(status);
      }
    });
  });

  test('events: an interrupt when the index that was named is used, a notification when the queue is empty', () => {
    const EVENTS = 0x20000000;
    const machine = disk(memoryStore(64 * 512), {}, 0x40000, PLAIN | EVENTS);
    const usedEvent = AVAILABLE + 4 + 2 * SIZE;
    const availableEvent = USED + 4 + 8 * SIZE;
    machine.memory.store16(availableEvent, 0xffff);
    machine.memory.store16(usedEvent, 1);
    machine.memory.store16(AVAILABLE, 1); // the flag means nothing now
    poke(machine, DISK + 0x050, 0);
    expect(machine.memory.load16(availableEvent)).toBe(0);
    expect(request(machine, 0, 1, 512)).toBe(0);
    expect(lines(machine)).toEqual([]);
    expect(machine.memory.load16(availableEvent)).toBe(1);
    expect(request(machine, 0, 2, 512)).toBe(0);
    expect(lines(machine)).toEqual([2]);
    poke(machine, DISK + 0x064, 1);
    expect(request(machine, 0, 3, 512)).toBe(0);
    expect([lines(machine), machine.memory.load16(availableEvent)]).toEqual([[], 3]);
    // Without events the flag counts.
    const plain = disk();
    plain.memory.store16(AVAILABLE, 1);
    expect(request(plain, 0, 1, 512)).toBe(0);
    expect(lines(plain)).toEqual([]);
  });

  test('a snapshot in the middle of a request: the request ends in the restored machine as in the first', () => {
    const contents = new Uint8Array(64 * 512).map((_, i) => i >> 9);
    const make = (): Machine => idle({ disk: { store: memoryStore(contents.slice()) }, ramBytes: 0x40000 });
    const machine = make();
    setup(machine, ALL | 0x20000000);
    header(machine, 0, 33);
    offer(machine, [
      [HEADER, 16, NEXT, 1],
      [DATA, 512, NEXT | WRITE, 2],
      [STATUS, 1, WRITE, 0],
    ]);
    machine.run(5000);
    machine.native.install('kernel', []);
    const saved = machine.snapshot();
    const other = make();
    other.restore(saved);
    const events = [machine, other].map((one) => record(one));
    for (const one of [machine, other]) one.run(1_000_000);
    expect(machine.memory.load8(DATA)).toBe(33);
    expect(state(other)).toEqual(state(machine));
    expect(events[1]).toEqual(events[0]);
    // And the next one, on the same arm.
    expect(request(other, 0, 2, 512)).toBe(request(machine, 0, 2, 512));
    expect(state(other)).toEqual(state(machine));
  });

  test('what the disk writes into code is executed', () => {
    // A loop that counts, hot enough to be translated, is replaced by the disk.
    const loop = (step: number): Uint8Array => {
      const a = createAssembler(0x80008000);
      a.label('again');
      a.addiu(T0, T0, step);
      a.addiu(T1, T1, 1);
      a.b('again');
      a.nop();
      const bytes = new Uint8Array(512);
      bytes.set(new Uint8Array(a.assemble().words.buffer));
      return bytes;
    };
    const machine = disk(memoryStore(loop(2)));
    machine.memory.write(0x8000, loop(1));
    header(machine, 0, 0);
    offer(machine, [
      [HEADER, 16, NEXT, 1],
      [0x8000, 512, NEXT | WRITE, 2],
      [STATUS, 1, WRITE, 0],
    ]);
    machine.cpu.pc = 0x80008000;
    machine.cpu.registers[T0] = 0;
    machine.cpu.registers[T1] = 0;
    machine.run(2_000_000);
    expect(machine.memory.load8(STATUS)).toBe(0);
    const [count = 0, times = 0] = machine.cpu.registers.subarray(T0, T1 + 1);
    machine.run(4000);
    expect(machine.cpu.registers[T0]! - count).toBe(2000);
    expect(count).toBeGreaterThan(times);
  });
});

describe('drive [RUEMMLER94]', () => {
  test('the seek curve is the published one', () => {
    expect(seekSeconds(0)).toBe(0);
    expect(seekSeconds(1)).toBeCloseTo(3.64e-3, 12);
    expect(seekSeconds(382)).toBeCloseTo(11.058e-3, 6);
    expect(seekSeconds(383)).toBeCloseTo(11.064e-3, 6);
    expect(seekSeconds(1961)).toBeCloseTo(23.688e-3, 6);
  });

  test('a random read takes the seek and half a revolution, a sequential one the media rate', () => {
    const store: BlockStore = { ...memoryStore(512), blocks: 1962 * 19 * 72, read: () => undefined };
    const machine = disk(store, {}, 0x80000);
    const next = random(1);
    const duration = (sector: number, bytes: number): number => {
      let done = 0;
      const stop = machine.listen((kind, cycle) => {
        if (kind === 7) done = cycle;
      });
      const start = machine.cycles + 1;
      expect(request(machine, 0, sector, bytes)).toBe(0);
      stop();
      return (done - start) / machine.hz;
    };
    let total = 0;
    for (let i = 0; i < 100; i += 1) total += duration(next() % store.blocks, 512);
    expect(total / 100).toBeGreaterThan(0.0185);
    expect(total / 100).toBeLessThan(0.0235); // 13.4 ms + 7.5 ms + 0.2 ms
    duration(0, 512);
    const long = duration(72, 72 * 8 * 512); // eight tracks
    const revolution = 60 / 4002;
    expect(long).toBeGreaterThan(8 * revolution);
    expect(long).toBeLessThan(10 * revolution);
  });

  test('a request that waited follows the one before it without a gap: the platter does not turn in vain', () => {
    const machine = disk(memoryStore(200 * 512), {}, 0x80000);
    const ends: number[] = [];
    machine.listen((kind, cycle) => {
      if (kind === 7) ends.push(cycle);
    });
    // Two chains of three descriptors each: eight sectors, and the eight behind them.
    const chain = (header: number, data: number, first: number): Descriptor[] => [
      [header, 16, NEXT, first + 1],
      [data, 8 * 512, NEXT | WRITE, first + 2],
      [header + 16, 1, WRITE, 0],
    ];
    machine.memory.store32(HEADER + 8, 0);
    machine.memory.store32(HEADER + 0x48, 8);
    table(machine, DESCRIPTORS + 48, chain(HEADER + 0x40, DATA + 0x2000, 3));
    offer(machine, chain(HEADER, DATA, 0));
    machine.memory.store16(AVAILABLE + 6, 3);
    machine.memory.store16(AVAILABLE + 2, 2);
    machine.run(2 * machine.hz * 0.015);
    const sector = (60 / 4002 / 72) * machine.hz;
    expect(ends.length).toBe(2);
    expect((ends[1] ?? 0) - (ends[0] ?? 0)).toBeCloseTo(8 * sector, -1);
  });

  test('the arm can be read', () => {
    const machine = disk(memoryStore(64 * 512), { heads: 1, sectorsPerTrack: 4, rpm: 3600 });
    expect([0x200, 0x204, 0x208].map((at) => peek(machine, DISK + at))).toEqual([0, 16, 4]);
    request(machine, 0, 42, 512);
    expect(peek(machine, DISK + 0x200)).toBe(10);
    for (const geometry of [{ heads: 0 }, { sectorsPerTrack: 256 }, { rpm: 59 }, { heads: 1.5 }]) {
      expect(() => idle({ disk: { store: memoryStore(512), geometry } })).toThrow(HardwareError);
    }
  });
});

describe('stores', () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('refuse odd sizes and missing files, naming them', () => {
    expect(() => memoryStore(0)).toThrow('0 bytes');
    expect(() => memoryStore(new Uint8Array(511))).toThrow('511 bytes');
    expect(() => fileStore(join(folder, 'absent'))).toThrow('absent');
    const odd = join(folder, 'odd');
    writeFileSync(odd, new Uint8Array(513));
    expect(() => fileStore(odd)).toThrow('513 bytes');
    writeFileSync(odd, '');
    expect(() => fileStore(odd)).toThrow(HardwareError);
  });

  test('a file holds what the guest writes', () => {
    const path = join(folder, 'disk');
    writeFileSync(path, new Uint8Array(8 * 512).fill(7));
    const store = fileStore(path);
    const machine = disk(store);
    machine.memory.write(DATA, new Uint8Array(1024).fill(9));
    expect(request(machine, 1, 3, 1024)).toBe(0);
    expect(request(machine, 4, 0, 0)).toBe(0);
    expect(request(machine, 0, 2, 512)).toBe(0);
    expect(machine.memory.load8(DATA)).toBe(7);
    store.close();
    const bytes = readFileSync(path);
    expect([bytes[3 * 512 - 1], bytes[3 * 512], bytes[5 * 512 - 1], bytes[5 * 512]]).toEqual([7, 9, 9, 7]);
  });

  test('a file that is read-only, or got shorter, is a disk that fails', () => {
    const path = join(folder, 'read-only');
    writeFileSync(path, new Uint8Array(4 * 512));
    const store = fileStore(path, { readOnly: true });
    const machine = disk(store);
    expect(peek(machine, DISK + 0x010) & 0x20).toBe(0x20);
    expect(request(machine, 1, 0, 512)).toBe(1);
    const file = openSync(path, 'w');
    writeSync(file, new Uint8Array(512));
    closeSync(file);
    expect([request(machine, 0, 0, 512), request(machine, 0, 1, 512)]).toEqual([0, 1]);
    store.close();
  });
});
