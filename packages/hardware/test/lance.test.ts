import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Wire, type Attachment, type Machine } from '../src/index.ts';
import { idle, inKernel, lines, peek, poke, random, record } from './support.ts';

const RDP = 0x18000000;
const RAP = 0x18000004;
const MEMORY = 0x19000000;
const MAC = Uint8Array.of(8, 0, 0x2b, 1, 2, 3);
const PEER = Uint8Array.of(2, 0, 0, 0, 0, 9);

const BLOCK = 0x0000;
const RX = 0x0100;
const TX = 0x0200;
const RX_BUFFER = 0x1000;
const TX_BUFFER = 0x8000;

interface Net {
  readonly machine: Machine;
  readonly peer: Attachment;
  readonly received: Uint8Array[];
}

function word(machine: Machine, address: number): number {
  return machine.memory.load16(MEMORY + address);
}

function setWord(machine: Machine, address: number, value: number): void {
  machine.memory.store16(MEMORY + address, value & 0xffff);
}

/** Fills a descriptor; `bytes` is the buffer's length. */
function descriptor(machine: Machine, address: number, buffer: number, flags: number, bytes: number): void {
  setWord(machine, address, buffer);
  setWord(machine, address + 2, flags);
  setWord(machine, address + 4, 0xf000 | (-bytes & 0xfff));
  setWord(machine, address + 6, 0);
}

function csr0(machine: Machine): number {
  return peek(machine, RDP);
}

/** A machine with a started LANCE: 4 receive buffers of `rxBytes`, 4 transmit descriptors. */
function start({ mode = 0, rxBytes = 1600, filter = [0, 0, 0, 0], rings = 2 } = {}): Net {
  const wire = new Wire();
  const received: Uint8Array[] = [];
  const peer = wire.attach({ receive: (frame) => received.push(frame.slice()) });
  const machine = idle({ lance: { mac: MAC, wire } });
  setWord(machine, BLOCK, mode);
  for (let i = 0; i < 6; i += 1) machine.memory.store8(MEMORY + BLOCK + 2 + i, MAC[i] ?? 0);
  filter.forEach((value, i) => {
    setWord(machine, BLOCK + 8 + 2 * i, value);
  });
  setWord(machine, BLOCK + 16, RX);
  setWord(machine, BLOCK + 18, rings << 13);
  setWord(machine, BLOCK + 20, TX);
  setWord(machine, BLOCK + 22, rings << 13);
  for (let i = 0; i < 1 << rings; i += 1) descriptor(machine, RX + 8 * i, RX_BUFFER + i * rxBytes, 0x8000, rxBytes);
  for (const [register, value] of [
    [1, BLOCK],
    [2, 0],
    [3, 0],
  ] as const) {
    poke(machine, RAP, register);
    poke(machine, RDP, value);
  }
  poke(machine, RAP, 0);
  poke(machine, RDP, 0x0043); // INEA, STRT, INIT
  machine.run(300);
  expect(csr0(machine)).toBe(0x01f3 & ~(mode & 1 ? 0x20 : 0) & ~(mode & 2 ? 0x10 : 0));
  expect(lines(machine)).toEqual([3]);
  poke(machine, RDP, 0x0140);
  expect(lines(machine)).toEqual([]);
  return { machine, peer, received };
}

function ethernet(to: Uint8Array, length = 60): Uint8Array {
  const bytes = new Uint8Array(length).map((_, i) => i);
  bytes.set(to);
  bytes.set(PEER, 6);
  return bytes;
}

function bytesAt(machine: Machine, address: number, length: number): number[] {
  return [...machine.memory.lanceBuffer.subarray(address, address + length)];
}

function fcs(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit += 1) {
      const mix = (crc ^ (byte >>> bit)) & 1;
      crc = (crc >>> 1) ^ (mix === 0 ? 0 : 0xedb88320);
    }
  }
  return ~crc >>> 0;
}

describe('LANCE [LANCE]', () => {
  test('random memory, registers and frames never throw and never hang', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const next = random(seed);
        const wire = new Wire();
        const peer = wire.attach({ receive: () => undefined });
        const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
        for (let i = 0; i < 0x10000; i += 2) machine.memory.store16(MEMORY + i, next() & 0xffff);
        for (let round = 0; round < 20; round += 1) {
          poke(machine, RAP, next() & 3);
          poke(machine, RDP, next() & 0xffff);
          poke(machine, RAP, 0);
          poke(machine, RDP, 4);
          poke(machine, RDP, 0x43);
          machine.run(1000);
          poke(machine, RDP, next() & 0xfffb);
          for (let i = 0; i < 4; i += 1)
            peer.send(ethernet(next() & 1 ? MAC : new Uint8Array(6).fill(255), 14 + (next() % 1500)));
          machine.run(next() % 200_000);
        }
      }),
      { numRuns: 12 },
    );
  });

  test('control registers are only there while it is stopped', () => {
    const { machine } = start();
    poke(machine, RAP, 1);
    poke(machine, RDP, 0x1234);
    expect(peek(machine, RDP)).toBe(0);
    poke(machine, RAP, 0);
    poke(machine, RDP, 4);
    expect(csr0(machine)).toBe(4);
    poke(machine, RAP, 1);
    poke(machine, RDP, 0x1235);
    expect([peek(machine, RAP), peek(machine, RDP)]).toEqual([1, 0x1234]);
    inKernel(machine, (cpu) => {
      cpu.store8(0xb8000000, 0xff);
    });
    expect(peek(machine, RDP)).toBe(0x1234);
  });

  test('sends a frame in its time on the wire, and says so', () => {
    const { machine, received } = start();
    const bytes = ethernet(PEER, 100);
    machine.memory.lanceBuffer.set(bytes, TX_BUFFER);
    descriptor(machine, TX, TX_BUFFER, 0x8300, 100);
    const events = record(machine);
    poke(machine, RDP, 0x0048); // INEA, TDMD
    const sentAt = machine.cycles;
    machine.run((100 + 12) * 20 - 1);
    expect(received).toEqual([]);
    expect(word(machine, TX + 2)).toBe(0x8300);
    machine.run(2);
    expect(received).toEqual([bytes]);
    expect(word(machine, TX + 2)).toBe(0x0300);
    expect(csr0(machine)).toBe(0x02f2 | 1);
    expect(lines(machine)).toEqual([3]);
    expect(events.filter(([kind]) => kind === 'frame-out')).toEqual([['frame-out', sentAt + 112 * 20, 100, 0, 0]]);
  });

  test('gathers chained buffers, and polls its ring without being asked', () => {
    const { machine, received } = start();
    const bytes = ethernet(PEER, 90);
    machine.memory.lanceBuffer.set(bytes, TX_BUFFER);
    descriptor(machine, TX + 8, TX_BUFFER + 50, 0x8000, 30);
    descriptor(machine, TX + 16, TX_BUFFER + 80, 0x8100, 10);
    descriptor(machine, TX, TX_BUFFER, 0x8200, 50);
    machine.run(machine.hz * 1.6e-3 + 102 * 20 + 10);
    expect(received).toEqual([bytes]);
    expect([word(machine, TX + 2), word(machine, TX + 10), word(machine, TX + 18)]).toEqual([0x0200, 0x0000, 0x0100]);
  });

  test('a chain that ends before its message stops the transmitter', () => {
    const { machine, received } = start();
    descriptor(machine, TX, TX_BUFFER, 0x8200, 50);
    poke(machine, RDP, 0x0048);
    machine.run(10_000);
    expect(received).toEqual([]);
    expect([word(machine, TX + 2), word(machine, TX + 6)]).toEqual([0x4200, 0xc000]);
    expect(csr0(machine) & 0x0210).toBe(0x0200);
  });

  test('a chain around the whole ring ends', () => {
    const { machine } = start();
    for (let i = 0; i < 4; i += 1) descriptor(machine, TX + 8 * i, TX_BUFFER, 0x8200, 4096);
    poke(machine, RDP, 0x0048);
    machine.run(10_000);
    expect(csr0(machine) & 0x0210).toBe(0x0200);
  });

  test('a message longer than Ethernet allows sets BABL and does not reach the wire', () => {
    const { machine, received } = start();
    descriptor(machine, TX, TX_BUFFER, 0x8300, 1700);
    poke(machine, RDP, 0x0048);
    machine.run(60_000);
    expect(received).toEqual([]);
    expect(csr0(machine) & 0xc200).toBe(0xc200);
    poke(machine, RDP, 0x4240);
    expect(csr0(machine) & 0xc200).toBe(0);
  });

  test('receives into its ring with the FCS', () => {
    const { machine, peer } = start();
    const bytes = ethernet(MAC, 61);
    const events = record(machine);
    peer.send(bytes);
    machine.run(73 * 20 - 1);
    expect(word(machine, RX + 2)).toBe(0x8000);
    machine.run(2);
    expect([word(machine, RX + 2), word(machine, RX + 6)]).toEqual([0x0300, 65]);
    const check = fcs(bytes);
    expect(bytesAt(machine, RX_BUFFER, 65)).toEqual([
      ...bytes,
      check & 0xff,
      (check >>> 8) & 0xff,
      (check >>> 16) & 0xff,
      check >>> 24,
    ]);
    expect(csr0(machine) & 0x0400).toBe(0x0400);
    expect(events.map(([kind, , a]) => [kind, a])).toContainEqual(['frame-in', 61]);
  });

  test('chains a message over small buffers', () => {
    const { machine, peer } = start({ rxBytes: 40 });
    peer.send(ethernet(MAC, 100));
    machine.run(3000);
    expect([0, 8, 16, 24].map((at) => word(machine, RX + at + 2))).toEqual([0x0200, 0x0000, 0x0100, 0x8000]);
    expect(word(machine, RX + 16 + 6)).toBe(104);
    expect(bytesAt(machine, RX_BUFFER, 100)).toEqual([...ethernet(MAC, 100)]);
  });

  test('a message that the ring cannot hold is a buffer error; with no buffer at all it is missed', () => {
    const { machine, peer } = start({ rxBytes: 20 });
    peer.send(ethernet(MAC, 100));
    machine.run(3000);
    expect([0, 8, 16, 24].map((at) => word(machine, RX + at + 2))).toEqual([0x0200, 0x0000, 0x0000, 0x4400]);
    poke(machine, RDP, 0x0440);
    peer.send(ethernet(MAC, 100));
    machine.run(3000);
    expect(csr0(machine) & 0x9400).toBe(0x9000);
    expect(lines(machine)).toEqual([3]);
  });

  test.each([
    ['its own address', MAC, {}, true],
    ['another address', Uint8Array.of(8, 0, 0x2b, 1, 2, 4), {}, false],
    ['broadcast', new Uint8Array(6).fill(0xff), {}, true],
    ['another address, promiscuous', Uint8Array.of(8, 0, 0x2b, 1, 2, 4), { mode: 0x8000 }, true],
    ['a group address', Uint8Array.of(1, 0, 0x5e, 0, 0, 1), {}, false],
    [
      'a group address, all groups on',
      Uint8Array.of(1, 0, 0x5e, 0, 0, 1),
      { filter: [65535, 65535, 65535, 65535] },
      true,
    ],
    ['its own address, receiver disabled', MAC, { mode: 1 }, false],
  ])('filters %s', (_, to, options, accepted) => {
    const { machine, peer } = start(options);
    peer.send(ethernet(to));
    machine.run(2000);
    expect(word(machine, RX + 2)).toBe(accepted ? 0x0300 : 0x8000);
  });

  test('hashes a group address to the bit that the data sheet gives it', () => {
    // The first rows of the data sheet's table of group addresses.
    for (const [to, bit] of [
      [Uint8Array.of(0x85, 0, 0, 0, 0, 0), 0],
      [Uint8Array.of(0xa5, 0, 0, 0, 0, 0), 1],
      [Uint8Array.of(0xe5, 0, 0, 0, 0, 0), 2],
    ] as const) {
      const filter = [0, 0, 0, 0];
      filter[bit >>> 4] = 1 << (bit & 15);
      const { machine, peer } = start({ filter });
      peer.send(ethernet(to));
      machine.run(2000);
      expect(word(machine, RX + 2)).toBe(0x0300);
    }
  });

  test('loopback returns a message to its own ring and not to the wire', () => {
    const { machine, received } = start({ mode: 0x0004 });
    const bytes = ethernet(MAC, 32);
    machine.memory.lanceBuffer.set(bytes, TX_BUFFER);
    descriptor(machine, TX, TX_BUFFER, 0x8300, 32);
    poke(machine, RDP, 0x0048);
    machine.run(3000);
    expect(received).toEqual([]);
    expect(word(machine, RX + 6)).toBe(36);
    expect(bytesAt(machine, RX_BUFFER, 32)).toEqual([...bytes]);
  });

  test('a stopped controller neither ends an old transmission nor loses the next', () => {
    const { machine, received } = start();
    descriptor(machine, TX, TX_BUFFER, 0x8300, 1000);
    poke(machine, RDP, 0x0048);
    machine.run(100);
    poke(machine, RDP, 0x0004);
    poke(machine, RDP, 0x0043);
    descriptor(machine, TX, TX_BUFFER, 0x8300, 100);
    machine.run(1012 * 20 - 300);
    expect(word(machine, TX + 2)).toBe(0x8300);
    machine.run(400); // the old one has left: nothing of it shows
    expect(received).toHaveLength(1);
    expect([word(machine, TX + 2), csr0(machine) & 0x0200]).toEqual([0x8300, 0]);
    machine.run(240 + 112 * 20);
    expect(word(machine, TX + 2)).toBe(0x0300);
    expect(received.map((frame) => frame.length)).toEqual([1000, 100]);
  });

  test('the KN01 shows 16 bits of its memory in every word', () => {
    const machine = idle({ lance: { mac: MAC, wire: new Wire(), geometry: 'kn01' } });
    poke(machine, MEMORY + 8, 0x12345678);
    expect(bytesAt(machine, 4, 2)).toEqual([0x78, 0x56]);
    expect(peek(machine, MEMORY + 8)).toBe(0x5678);
    inKernel(machine, (cpu) => {
      cpu.store8(0xb9000009, 0xab);
      cpu.store16(0xb900000a, 0xffff);
      cpu.store16(0xb901fffc, 0xbeef);
      expect(cpu.probe(0xb9020000, false)).toBe(false);
    });
    expect(bytesAt(machine, 4, 2)).toEqual([0x78, 0xab]);
    expect(bytesAt(machine, 0xfffe, 2)).toEqual([0xef, 0xbe]);
  });

  test('the station address ROM holds the address three times and a test pattern', () => {
    const { machine } = start();
    const rom = Array.from({ length: 32 }, (_, i) => (peek(machine, 0x1d000000 + 4 * i) >>> 8) & 0xff);
    expect(rom.slice(0, 6)).toEqual([...MAC]);
    expect(rom.slice(8, 16)).toEqual(rom.slice(0, 8).toReversed());
    expect(rom.slice(16, 24)).toEqual(rom.slice(0, 8));
    expect(rom.slice(24)).toEqual([0xff, 0, 0x55, 0xaa, 0xff, 0, 0x55, 0xaa]);
  });

  test('without one, its addresses are empty', () => {
    inKernel(idle(), (cpu) => {
      expect([cpu.probe(0xb8000000, true), cpu.probe(0xb9000000, false)]).toEqual([false, false]);
    });
  });
});
