import type { Attachment, WireOptions } from '@exokernel/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Wire, type Machine } from '../src/index.ts';
import {
  descriptor,
  initialize,
  MEMORY,
  prepare,
  RAP,
  RDP,
  RX,
  RX_BUFFER,
  TX,
  TX_BUFFER,
  word,
  type Setup,
  lanceBytes,
} from './lance-support.ts';
import { idle, inKernel, lines, peek, poke, random, record } from './support.ts';

const MAC = Uint8Array.of(8, 0, 0x2b, 1, 2, 3);
const PEER = Uint8Array.of(2, 0, 0, 0, 0, 9);

interface Net {
  readonly machine: Machine;
  readonly wire: Wire;
  readonly peer: Attachment;
  readonly received: Uint8Array[];
}

function csr0(machine: Machine): number {
  return peek(machine, RDP);
}

/** A machine with a started LANCE: 4 receive buffers of `rxBytes`, 4 transmit descriptors. */
function start(setup: Partial<Setup> = {}, options: WireOptions = {}): Net {
  const { mode = 0 } = setup;
  const wire = new Wire(options);
  const received: Uint8Array[] = [];
  const peer = wire.attach({ receive: (frame) => received.push(frame.slice()) });
  const machine = idle({ lance: { mac: MAC, wire } });
  initialize(machine, { mac: MAC, ...setup });
  machine.run(300);
  expect(csr0(machine)).toBe(0x01f3 & ~(mode & 1 ? 0x20 : 0) & ~(mode & 2 ? 0x10 : 0));
  expect(lines(machine)).toEqual([3]);
  poke(machine, RDP, 0x0140);
  expect(lines(machine)).toEqual([]);
  return { machine, wire, peer, received };
}

/** Puts a message into the first transmit buffer and tells the controller; `length` is what the descriptor says. */
function transmit(machine: Machine, bytes: Uint8Array, length: number = bytes.length, flags = 0x8300, at = TX): void {
  machine.lanceMemory?.write(TX_BUFFER, Uint8Array.from(bytes));
  descriptor(machine, at, TX_BUFFER, flags, length);
  poke(machine, RDP, 0x0048);
}

/** The FCS of these bytes, as they lie in memory. */
function fcsBytes(bytes: Uint8Array): number[] {
  const check = fcs(bytes);
  return [check & 0xff, (check >>> 8) & 0xff, (check >>> 16) & 0xff, check >>> 24];
}

function ethernet(to: Uint8Array, length = 60): Uint8Array {
  const bytes = new Uint8Array(length).map((_, i) => i);
  bytes.set(to);
  bytes.set(PEER, 6);
  return bytes;
}

function bytesAt(machine: Machine, address: number, length: number): number[] {
  return [...lanceBytes(machine, address, length)];
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
        const wire = new Wire({ faults: { corrupt: 0.3, duplicate: 0.2, reorder: 0.2, seed } });
        const peer = wire.attach({ receive: () => undefined });
        const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
        for (let i = 0; i < 0x10000; i += 2) machine.memory.store16(MEMORY + i, next() & 0xffff);
        for (let round = 0; round < 20; round += 1) {
          poke(machine, RAP, next() & 3);
          poke(machine, RDP, next() & 0xffff);
          poke(machine, RAP, 0);
          poke(machine, RDP, 4);
          poke(machine, RDP, 0x43);
          wire.carrier = next() % 4 !== 0;
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

  test('every mode with a message of every length ends, and gives its descriptor back', () => {
    const { machine } = start();
    for (let mode = 0; mode < 0x80; mode += 4) {
      for (const length of [1, 3, 4, 7, 14, 32, 36, 37, 60, 1514, 1515, 1600, 4096]) {
        poke(machine, RDP, 0x0004);
        initialize(machine, { mac: MAC, mode });
        machine.run(300);
        transmit(machine, ethernet(MAC, 1600), length);
        machine.run(90_000);
        expect([mode, length, word(machine, TX + 2) & 0x8300]).toEqual([mode, length, 0x0300]);
      }
    }
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
    machine.lanceMemory?.write(TX_BUFFER, Uint8Array.from(bytes));
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
    machine.lanceMemory?.write(TX_BUFFER, Uint8Array.from(bytes));
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
    machine.run(30_000);
    expect(csr0(machine) & 0xc200).toBe(0); // its time on the wire it takes all the same
    machine.run(30_000);
    expect(received).toEqual([]);
    expect(csr0(machine) & 0xc200).toBe(0xc200);
    expect(lines(machine)).toEqual([3]);
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
    expect(bytesAt(machine, RX_BUFFER, 65)).toEqual([...bytes, ...fcsBytes(bytes)]);
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
    [
      'a group address that it was given as its own',
      Uint8Array.of(1, 0, 0, 0, 0, 1),
      { mac: Uint8Array.of(1, 0, 0, 0, 0, 1) },
      false,
    ],
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

  test('the longest message is no babble', () => {
    const { machine, received } = start();
    transmit(machine, ethernet(PEER, 1514));
    machine.run(60_000);
    expect(received.map((frame) => frame.length)).toEqual([1514]);
    expect(csr0(machine) & 0xc200).toBe(0x0200);
  });

  test('rings wrap both ways, of one descriptor or of many', () => {
    for (const rings of [0, 1, 3]) {
      const { machine, peer, received } = start({ rings, rxBytes: 1600 });
      const size = 1 << rings;
      for (let i = 0; i < 3 * size; i += 1) {
        const at = 8 * (i % size);
        transmit(machine, ethernet(PEER, 60 + i), 60 + i, 0x8300, TX + at);
        peer.send(ethernet(MAC, 60 + i));
        machine.run(10_000);
        expect([word(machine, TX + at + 2) & ~0x400, word(machine, RX + at + 2)]).toEqual([0x0300, 0x0300]);
        expect(word(machine, RX + at + 6)).toBe(64 + i);
        descriptor(machine, RX + at, RX_BUFFER, 0x8000, 1600);
      }
      expect(received.map((frame) => frame.length)).toEqual(Array.from({ length: 3 * size }, (_, i) => 60 + i));
    }
  });

  describe('errors that the wire makes', () => {
    test('a frame damaged on the way is stored with CRC, as it came', () => {
      const { machine, peer } = start({}, { faults: { corrupt: 1, seed: 2 } });
      const sent = ethernet(MAC, 100);
      peer.send(sent);
      machine.run(4000);
      expect([word(machine, RX + 2), word(machine, RX + 6)]).toEqual([0x4b00, 104]);
      const stored = bytesAt(machine, RX_BUFFER, 104);
      const difference = [...sent, ...fcsBytes(sent)].filter((byte, i) => byte !== stored[i]);
      expect(difference).toHaveLength(1);
      expect(csr0(machine) & 0x9400).toBe(0x0400); // the descriptor says so, CSR0 does not
    });

    test('CRC stands in the last of chained buffers only', () => {
      const { machine, peer } = start({ rxBytes: 60 }, { faults: { corrupt: 1, seed: 2 } });
      peer.send(ethernet(MAC, 100));
      machine.run(4000);
      expect([0, 8].map((at) => word(machine, RX + at + 2))).toEqual([0x0200, 0x4900]);
    });

    test('without the cable it misses its carrier and the heartbeat, of which only the first interrupts', () => {
      const { machine, wire, received } = start();
      wire.carrier = false;
      transmit(machine, ethernet(PEER, 60));
      machine.run(1440 + 10);
      expect([word(machine, TX + 2), word(machine, TX + 6)]).toEqual([0x4300, 0x0800]);
      expect(csr0(machine) & 0xffff).toBe(0xa2f3); // ERR, CERR, TINT, INTR; still on
      poke(machine, RDP, 0x0240);
      expect(lines(machine)).toEqual([]); // CERR is still set
      expect(csr0(machine) & 0xa080).toBe(0xa000);
      poke(machine, RDP, 0x2040);
      expect(csr0(machine) & 0xa000).toBe(0);
      wire.carrier = true;
      transmit(machine, ethernet(PEER, 60), 60, 0x8300, TX + 8);
      machine.run(2000);
      expect([word(machine, TX + 10), word(machine, TX + 14), received.length]).toEqual([0x0300, 0, 1]);
    });

    test('a message that waited for another is marked as deferred; one that waited for its own is not', () => {
      const { machine, peer } = start();
      peer.send(ethernet(PEER));
      transmit(machine, ethernet(PEER, 60));
      descriptor(machine, TX + 8, TX_BUFFER, 0x8300, 60);
      machine.run(10_000);
      expect([word(machine, TX + 2), word(machine, TX + 10)]).toEqual([0x0700, 0x0300]);
    });
  });

  describe('its own FCS (DTCR)', () => {
    const DTCR = 0x0008;

    test('a message ends with the FCS that software has made', () => {
      const { machine, received } = start({ mode: DTCR });
      const bytes = ethernet(PEER, 60);
      transmit(machine, Uint8Array.of(...bytes, ...fcsBytes(bytes)));
      machine.run(72 * 20 + 10);
      expect(received).toEqual([bytes]);
      transmit(machine, Uint8Array.of(...bytes, 1, 2, 3, 4), 64, 0x8300, TX + 8);
      machine.run(10_000);
      expect(received).toHaveLength(1); // a wrong one is a damaged frame
      expect(word(machine, TX + 10)).toBe(0x0300);
    });

    test('too short a message is nothing that anybody receives', () => {
      const { machine, received, wire } = start({ mode: DTCR });
      transmit(machine, ethernet(PEER, 40));
      machine.run(10_000);
      expect([received.length, wire.counters.sent, word(machine, TX + 2)]).toEqual([0, 1, 0x0300]);
    });
  });

  describe('loopback', () => {
    const LOOP = 0x0004;
    const INTERNAL = 0x0044;
    const DTCR = 0x0008;
    const COLL = 0x0010;
    const DRTY = 0x0020;

    test.each([
      ['internal', INTERNAL],
      ['external', LOOP],
    ])('%s: a message of 32 bytes comes back with its FCS, in its time', (_, mode) => {
      const { machine, received, wire } = start({ mode });
      const bytes = ethernet(MAC, 32);
      transmit(machine, bytes);
      machine.run(44 * 20 - 1);
      expect(word(machine, RX + 2)).toBe(0x8000);
      machine.run(3);
      expect([word(machine, RX + 2), word(machine, RX + 6)]).toEqual([0x0300, 36]);
      expect(bytesAt(machine, RX_BUFFER, 36)).toEqual([...bytes, ...fcsBytes(bytes)]);
      expect(csr0(machine) & 0x0600).toBe(0x0600);
      machine.run(10_000);
      // Outside it is too short to be a frame.
      expect([received.length, wire.counters.sent]).toEqual([0, mode === LOOP ? 1 : 0]);
    });

    test('external without a cable: nothing comes back', () => {
      const { machine, wire } = start({ mode: LOOP });
      wire.carrier = false;
      transmit(machine, ethernet(MAC, 32));
      machine.run(2000);
      expect([word(machine, RX + 2), word(machine, TX + 2), word(machine, TX + 6)]).toEqual([0x8000, 0x4300, 0x0800]);
    });

    test('external hears others too, internal does not', () => {
      for (const [mode, flags] of [
        [LOOP, 0x0300],
        [INTERNAL, 0x8000],
      ] as const) {
        const { machine, peer } = start({ mode });
        peer.send(ethernet(MAC));
        machine.run(2000);
        expect(word(machine, RX + 2)).toBe(flags);
      }
    });

    test('with DTCR the FCS is checked', () => {
      const bytes = ethernet(MAC, 28);
      for (const [end, flags] of [
        [fcsBytes(bytes), 0x0300],
        [[1, 2, 3, 4], 0x4b00],
      ] as const) {
        const { machine } = start({ mode: INTERNAL | DTCR });
        transmit(machine, Uint8Array.of(...bytes, ...end));
        machine.run(2000);
        expect([word(machine, RX + 2), word(machine, RX + 6)]).toEqual([flags, 32]);
        expect(bytesAt(machine, RX_BUFFER, 32)).toEqual([...bytes, ...end]);
      }
    });

    test('a group address needs the one CRC unit', () => {
      const filter = [65535, 65535, 65535, 65535];
      const group = ethernet(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), 28);
      for (const [mode, flags] of [
        [INTERNAL, 0x8000],
        [INTERNAL | DTCR, 0x0300],
      ] as const) {
        const { machine } = start({ mode, filter });
        transmit(machine, Uint8Array.of(...group, ...fcsBytes(group)));
        machine.run(2000);
        expect(word(machine, RX + 2)).toBe(flags);
      }
    });

    test('what is for another address does not come back', () => {
      const { machine } = start({ mode: INTERNAL });
      transmit(machine, ethernet(PEER, 32));
      machine.run(2000);
      expect([word(machine, RX + 2), word(machine, TX + 2)]).toEqual([0x8000, 0x0300]);
    });

    test('a message that the silo cannot hold underflows; a chained one is an error', () => {
      const { machine } = start({ mode: INTERNAL });
      transmit(machine, ethernet(MAC, 33));
      machine.run(2000);
      expect([word(machine, TX + 2), word(machine, TX + 6), csr0(machine) & 0x0210]).toEqual([0x4300, 0x4000, 0x0200]);
      const chained = start({ mode: INTERNAL }).machine;
      descriptor(chained, TX + 8, TX_BUFFER, 0x8100, 16);
      transmit(chained, ethernet(MAC, 16), 16, 0x8200);
      chained.run(2000);
      expect([word(chained, TX + 2), word(chained, TX + 6)]).toEqual([0x4200, 0xc000]);
    });

    test('a forced collision is tried 16 times, or once; on the wire there is none', () => {
      for (const [mode, cycles] of [
        [INTERNAL | COLL, 16 * 51.2 * 25],
        [INTERNAL | COLL | DRTY, 51.2 * 25],
      ] as const) {
        const { machine } = start({ mode });
        transmit(machine, ethernet(MAC, 32));
        machine.run(cycles - 10);
        expect(word(machine, TX + 2)).toBe(0x8300);
        machine.run(20);
        expect([word(machine, TX + 2), word(machine, TX + 6), word(machine, RX + 2)]).toEqual([0x4300, 0x0400, 0x8000]);
        expect(csr0(machine) & 0x0210).toBe(0x0210);
      }
      const { machine, received } = start({ mode: COLL });
      transmit(machine, ethernet(PEER));
      machine.run(2000);
      expect([word(machine, TX + 2), received.length]).toEqual([0x0300, 1]);
    });
  });

  test('BSWP swaps the bytes of messages, not of descriptors, until it is stopped', () => {
    const { machine, peer, received } = start({ csr3: 0x0004 });
    const bytes = ethernet(PEER, 60);
    const swapped = bytes.map((_, i) => bytes[i ^ 1] ?? 0);
    transmit(machine, swapped);
    machine.run(2000);
    expect(received).toEqual([bytes]);
    const reply = ethernet(MAC, 60);
    peer.send(reply);
    machine.run(2000);
    expect([word(machine, RX + 2), word(machine, RX + 6)]).toEqual([0x0300, 64]);
    expect(bytesAt(machine, RX_BUFFER, 60)).toEqual([...reply.map((_, i) => reply[i ^ 1] ?? 0)]);
    poke(machine, RDP, 0x0004);
    prepare(machine, { mac: MAC });
    poke(machine, RDP, 0x0003);
    machine.run(300);
    transmit(machine, bytes);
    machine.run(2000);
    expect(received).toEqual([bytes, bytes]);
    poke(machine, RDP, 0x0004);
    poke(machine, RAP, 3);
    expect(peek(machine, RDP)).toBe(0);
    poke(machine, RDP, 0xffff);
    expect(peek(machine, RDP)).toBe(7);
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
