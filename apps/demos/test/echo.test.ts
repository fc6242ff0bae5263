/** UDP echo from inside the kernel: every size, nothing else, and its environment sleeps. */
import { ENV, ENV_BYTES, ERRORS, EXPOSED, PAGE_BYTES } from '@exokernel/abi';
import { PAGE_TABLE, compose, pageTableEntry } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { ECHO_COUNTER, echo, matmul, matmulResult } from '../src/index.ts';
import { batch } from '../../../packages/batch/src/index.ts';
import { Wire } from '../../../packages/hardware/src/index.ts';
import type { UdpSocket } from '../../../packages/net/src/index.ts';
import { boot, exitOf, type Booted } from '../../../packages/testkit/src/index.ts';
import { MACHINE_IP, MACHINE_MAC, STATION_IP, Station } from '../../../packages/cheetah/test/station.ts';

const PORT = 7;
const OWN_PORT = 4000;

class World {
  readonly booted: Booted;
  readonly station: Station;
  readonly socket: UdpSocket;

  constructor(before: Parameters<typeof boot>[0] = []) {
    const wire = new Wire();
    this.booted = boot([...before, echo({ ip: MACHINE_IP, port: PORT })], { lance: { mac: MACHINE_MAC, wire } });
    this.station = new Station(this.booted.machine, wire);
    this.socket = this.station.stack.udp.bind(OWN_PORT);
    this.booted.runUntil(() => false, 0.6);
    this.#teachAddress();
  }

  /** Sends a datagram. Returns the answer, if one comes within a tenth of a second. */
  ask(data: Uint8Array, port = PORT): Uint8Array | undefined {
    this.socket.send(MACHINE_IP, port, data);
    this.station.pump();
    let answer: Uint8Array | undefined;
    this.booted.runUntil(() => {
      this.station.pump();
      const datagram = this.socket.receive();
      if (datagram !== undefined) {
        expect([datagram.ip, datagram.port]).toEqual([MACHINE_IP, port]);
        answer = datagram.data;
      }
      return answer !== undefined;
    }, 0.1);
    return answer;
  }

  /** A word of an environment's paged memory, found through its page table as its own handler finds it. */
  word(env: number, va: number): number {
    const { memory } = this.booted.machine;
    const load = (physical: number): number => memory.load32(physical) >>> 0;
    for (let at = EXPOSED.environments + env * ENV_BYTES + ENV.guaranteed; load(at) !== 0; at += 8) {
      if (load(at) >>> 12 !== PAGE_TABLE >>> 12) continue;
      const entry = (load(at + 4) & ~0xfff) + ((pageTableEntry(va - (va % PAGE_BYTES)) - PAGE_TABLE) % PAGE_BYTES);
      return load((load(entry) & ~0xfff) + (va % PAGE_BYTES));
    }
    throw new Error(`environment ${env} has no page table`);
  }

  /** Nobody answers ARP on this machine: the station learns the address from a request that seems to come from there. */
  #teachAddress(): void {
    const request = new Uint8Array(60);
    const { mac } = this.station.stack;
    const own = [40, 32, 24, 16, 8, 0].map((shift) => Math.floor(mac / 2 ** shift) & 0xff);
    request.set([...own, ...MACHINE_MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...MACHINE_MAC]);
    const view = new DataView(request.buffer);
    view.setUint32(28, MACHINE_IP);
    view.setUint32(38, STATION_IP);
    this.station.stack.receive(request, this.station.now);
    this.booted.runUntil(() => {
      this.station.pump();
      return false;
    }, 0.01);
  }
}

function datagram(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 11 + size) & 0xff);
}

describe('answers', () => {
  const world = new World();
  const env = 0;
  const before = world.booted.aegis.environment(env);

  const SIZES = [0, 1, 2, 3, 4, 17, 18, 19, 20, 100, 511, 512, 1000, 1469, 1470, 1471, 1472];
  test.each(SIZES)('%i bytes', (size) => {
    const data = datagram(size);
    expect(world.ask(data)).toEqual(data);
  });

  test('nothing to another port', () => {
    for (const port of [6, 8, 7 * 256, OWN_PORT]) expect(world.ask(datagram(10), port)).toBeUndefined();
  });

  test('each of them counted in its own memory, by the kernel', () => {
    expect(world.word(env, ECHO_COUNTER)).toBe(SIZES.length);
  });

  test('and its environment had no slice, no instruction and no packet in its ring for it', () => {
    const { slices, instructions, systemCalls, packetsDropped } = before;
    const after = world.booted.aegis.environment(env);
    expect(after).toMatchObject({ slices, instructions, systemCalls, packetsDropped });
    expect([after.packetsIn, after.packetsOut]).toEqual([SIZES.length, SIZES.length]);
    expect(after.status).toBe('runnable');
  });
});

test('as many at once as the controller queues for one family: as many answers, in their order', () => {
  const world = new World();
  const all = Array.from({ length: 11 }, (_, i) => datagram(i));
  for (const data of all) world.socket.send(MACHINE_IP, PORT, data);
  const answers: Uint8Array[] = [];
  world.booted.runUntil(() => {
    world.station.pump();
    for (let d = world.socket.receive(); d !== undefined; d = world.socket.receive()) answers.push(d.data);
    return answers.length === all.length;
  }, 1);
  expect(answers).toEqual(all);
});

test('in the middle of somebody else’s slice', () => {
  const world = new World([compose(batch, matmul(150), { slices: 4 })]);
  const { slices } = world.booted.aegis.environment(1);
  for (let i = 0; i < 10; i += 1) expect(world.ask(datagram(i * 50))).toEqual(datagram(i * 50));
  expect(world.booted.aegis.environment(0).status).toBe('runnable');
  expect(world.booted.aegis.environment(1).slices).toBe(slices);
  const [product] = world.booted.finish(0);
  expect(product === undefined ? 'gone' : exitOf(product)).toBe(matmulResult(150));
});

test('a second one for the same datagrams is refused, and says so', () => {
  const world = new World([echo({ ip: MACHINE_IP, port: PORT })]);
  const { aegis } = world.booted;
  const [first, second] = aegis.environment(0).status === 'dead' ? [1, 0] : [0, 1];
  expect(exitOf(aegis.environment(second))).toBe(ERRORS.E_OVERLAP);
  expect(aegis.environment(first).status).toBe('runnable');
  expect(world.ask(datagram(30))).toEqual(datagram(30));
});
