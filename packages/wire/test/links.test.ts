import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  encodeStreamFrame,
  Link,
  MAX_STREAM_FRAME,
  StreamDecoder,
  webSocketLink,
  Wire,
  WireError,
  type WebSocketLike,
} from '../src/index.ts';
import { connectStream, datagramLink, listenStream } from '../src/node/index.ts';
import { machineOn, type TestClock } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'link-'));
chmodSync(folder, 0o777); // passt gives up its rights
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let paths = 0;
function path(): string {
  paths += 1;
  return join(folder, `${paths}.socket`);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

/** A machine on a wire, and a station that notes the first byte of what it hears. */
function world(capacity = 256): {
  wire: Wire;
  machine: TestClock;
  heard: number[];
  send: (frame: Uint8Array) => boolean;
} {
  const wire = new Wire({ capacity });
  const machine = machineOn(wire);
  const heard: number[] = [];
  const { send } = wire.attach({ receive: (frame) => heard.push(frame[0] ?? -1) });
  return { wire, machine, heard, send };
}

function frame(first: number, length = 60): Uint8Array {
  return new Uint8Array(length).fill(first);
}

/** Runs the machine, with pauses for the host, until the condition holds; fails after two seconds. */
async function until(machine: TestClock, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i += 1) {
    machine.run(10_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(holds()).toBe(true);
}

describe('frames on a stream [QEMUNET]', () => {
  test('a length of 4 GB, of nothing, or above the limit is one error that names it, and ends the stream', () => {
    for (const [bytes, length] of [
      [[0xff, 0xff, 0xff, 0xff], 0xffffffff],
      [[0x80, 0, 0, 0], 0x80000000],
      [[0, 0, 0, 0], 0],
      [[0, 1, 0x10, 1], MAX_STREAM_FRAME + 1],
    ] as const) {
      const decoder = new StreamDecoder();
      const frames: Uint8Array[] = [];
      const each = (one: Uint8Array): number => frames.push(one);
      // A good frame before it, and one behind it that nobody may see.
      const error = decoder.push(Uint8Array.of(0, 0, 0, 1, 7, ...bytes, 0, 0, 0, 1, 8), each);
      expect(error?.code).toBe('link-frame');
      expect(error?.details).toMatchObject({ length });
      expect(error?.message).toContain(String(length));
      expect(decoder.push(Uint8Array.of(0, 0, 0, 1, 9), each)).toBe(error);
      expect(frames).toEqual([Uint8Array.of(7)]);
    }
  });

  test('literal bytes, both ways', () => {
    expect([...encodeStreamFrame(Uint8Array.of(0xaa, 0xbb, 0xcc))]).toEqual([0, 0, 0, 3, 0xaa, 0xbb, 0xcc]);
    expect([...encodeStreamFrame(new Uint8Array(0x123)).subarray(0, 4)]).toEqual([0, 0, 1, 0x23]);
    const frames: number[][] = [];
    const bytes = Uint8Array.of(0, 0, 0, 3, 0xaa, 0xbb, 0xcc, 0, 0, 0, 1, 0xdd, 0, 0);
    expect(new StreamDecoder().push(bytes, (one) => frames.push([...one]))).toBeUndefined();
    expect(frames).toEqual([[0xaa, 0xbb, 0xcc], [0xdd]]);
  });

  test('the longest frame goes through', () => {
    let got = 0;
    const longest = encodeStreamFrame(new Uint8Array(MAX_STREAM_FRAME));
    expect(new StreamDecoder().push(longest, (one) => (got = one.length))).toBeUndefined();
    expect(got).toBe(MAX_STREAM_FRAME);
  });

  test('whatever the pieces, the same frames, each of its own', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (sent, sizes) => {
          const stream = Uint8Array.from(sent.flatMap((one) => [...encodeStreamFrame(one)]));
          const decoder = new StreamDecoder();
          const frames: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            const piece = stream.slice(at, at + size);
            decoder.push(piece, (one) => frames.push(one));
            piece.fill(0xee);
            at += size;
          }
          expect(frames).toEqual(sent);
        },
      ),
    );
  });
});

describe('a link', () => {
  test('carries frames both ways, counts, and is silent once it is closed', async () => {
    const { wire, machine, heard, send } = world(2);
    const out: number[] = [];
    let room = true;
    let closed = 0;
    const link = new Link(wire, {
      send: (one) => room && out.push(one[0] ?? -1) > 0,
      close: () => {
        closed += 1;
      },
    });
    for (const length of [0, 13, 1519, MAX_STREAM_FRAME]) link.enter(new Uint8Array(length));
    for (let i = 0; i < 4; i += 1) link.enter(frame(i));
    machine.run(10_000);
    send(frame(50));
    send(frame(51));
    machine.run(2000);
    room = false;
    machine.run(2000);
    expect([heard, out]).toEqual([[0, 1], [50]]);
    expect(link.counters).toEqual({ entered: 2, left: 1, droppedIn: 6, droppedOut: 1 });
    const error = new WireError('link', 'first');
    link.close(error);
    link.close(new WireError('link', 'second'));
    link.enter(frame(9));
    send(frame(52));
    machine.run(10_000);
    expect([heard, out, closed, link.open]).toEqual([[0, 1], [50], 1, false]);
    expect(await link.closed).toBe(error);
  });

  test('what enters is an input of the wire', () => {
    const { wire } = world();
    const entered: number[] = [];
    wire.listenInputs((one) => entered.push(one[0] ?? -1));
    new Link(wire, { send: () => true, close: () => undefined }).enter(frame(3));
    expect(entered).toEqual([3]);
  });
});

describe('streams over sockets', () => {
  const open: (() => void)[] = [];
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });

  test.each([
    ['of 4 GB', [0xff, 0xff, 0xff, 0xff]],
    ['of nothing', [0, 0, 0, 0]],
  ])('a peer that names a length %s loses its link; the wire does not notice', async (_, bytes) => {
    const { wire, machine, heard } = world();
    const at = path();
    const listener = await listenStream(wire, { path: at });
    const peer = connect(at);
    peer.write(Uint8Array.from(bytes));
    const link = await listener.peer;
    const error = await link.closed;
    expect(error?.code).toBe('link-frame');
    machine.run(100_000);
    expect([heard, wire.counters.sent, link.counters.entered]).toEqual([[], 0, 0]);
    peer.destroy();
  });

  test('nobody to connect to, and an address that is taken, are errors', async () => {
    const { wire } = world();
    expect(await codeOf(connectStream(wire, { path: path() }))).toBe('link');
    expect(await codeOf(connectStream(wire, { port: 1 }))).toBe('link');
    const first = await listenStream(wire, { port: 0 });
    open.push(first.close);
    expect(await codeOf(listenStream(wire, first.address))).toBe('link');
  });

  test.each(['unix', 'TCP'])('two wires joined over %s', async (kind) => {
    const a = world();
    const b = world();
    const listener = await listenStream(a.wire, kind === 'TCP' ? { port: 0 } : { path: path() });
    const client = await connectStream(b.wire, listener.address);
    const server = await listener.peer;
    for (let i = 0; i < 20; i += 1) a.send(frame(i, 60 + 70 * i));
    b.send(frame(99));
    a.machine.run(1_000_000);
    b.machine.run(2000);
    await until(b.machine, () => b.heard.length === 20);
    await until(a.machine, () => a.heard.length === 1);
    expect(b.heard).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(a.heard).toEqual([99]);
    client.close();
    expect(await server.closed).toBeUndefined();
    expect(await client.closed).toBeUndefined();
  });

  test('a second peer is turned away', async () => {
    const { wire } = world();
    const at = path();
    const listener = await listenStream(wire, { path: at });
    const first = connect(at);
    const second = connect(at);
    second.on('error', () => undefined);
    await new Promise((resolve) => second.on('close', resolve));
    const link = await listener.peer;
    expect(link.open).toBe(true);
    first.destroy();
    await link.closed;
  });

  test('a peer that does not read is sent no more than a backlog', async () => {
    const { wire, machine, send } = world(4096);
    const at = path();
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.pause();
      sockets.push(socket);
    }).listen(at);
    await once(server, 'listening');
    const link = await connectStream(wire, { path: at });
    await until(machine, () => sockets.length > 0);
    for (let i = 0; i < 2000; i += 1) send(frame(1, 1514));
    for (let i = 0; i < 2000; i += 1) machine.run(31_000);
    const { left, droppedOut } = link.counters;
    expect(left + droppedOut).toBe(2000);
    expect(droppedOut).toBeGreaterThan(1000);
    link.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('datagrams', () => {
  test('two wires joined by UDP; a stranger is not heard, a missing peer is no error', async () => {
    const a = world();
    const b = world();
    const first = await datagramLink(a.wire, { port: 0 }, { port: 9 });
    first.link.close();
    const one = await datagramLink(a.wire, { port: 0 }, { port: first.port });
    a.send(frame(1));
    // Its peer is not there: the host says so, and must have said so before more is sent.
    await until(a.machine, () => one.link.counters.droppedOut > 0);
    const two = await datagramLink(b.wire, { port: first.port }, { port: one.port });
    const stranger = await datagramLink(world().wire, { port: 0 }, { port: one.port });
    stranger.link.close();
    for (let i = 2; i < 12; i += 1) a.send(frame(i));
    a.machine.run(100_000);
    await until(b.machine, () => b.heard.length === 10);
    expect(b.heard).toEqual(Array.from({ length: 10 }, (_, i) => i + 2));
    expect(await codeOf(datagramLink(a.wire, { port: one.port }, { port: 9 }))).toBe('link');
    for (const remote of [{ port: 0 }, { port: 65_536 }, { port: 9, host: 'host.invalid' }]) {
      expect(await codeOf(datagramLink(a.wire, { port: 0 }, remote))).toBe('link');
    }
    one.link.close();
    two.link.close();
  });
});

describe('WebSocket', () => {
  /** A socket in the caller's hand. */
  class FakeSocket implements WebSocketLike {
    binaryType = 'blob';
    readyState = 0;
    bufferedAmount = 0;
    closed = false;
    readonly sent: Uint8Array[] = [];
    readonly #listeners = new Map<string, (event: { readonly data: unknown }) => void>();

    send(data: Uint8Array): void {
      this.sent.push(data);
    }

    close(): void {
      this.closed = true;
    }

    addEventListener(type: string, listener: (event: { readonly data: unknown }) => void): void {
      this.#listeners.set(type, listener);
    }

    fire(type: string, data?: unknown): void {
      this.#listeners.get(type)?.({ data });
    }
  }

  test('text, blobs and impossible frames are dropped; nothing is sent before it is open or over its backlog', async () => {
    const { wire, machine, heard, send } = world();
    const socket = new FakeSocket();
    const link = webSocketLink(wire, socket);
    expect(socket.binaryType).toBe('arraybuffer');
    for (const data of ['text', undefined, {}, new ArrayBuffer(0), new ArrayBuffer(2000)]) socket.fire('message', data);
    socket.fire('message', frame(7).buffer);
    send(frame(1));
    machine.run(10_000);
    socket.readyState = 1;
    send(frame(2));
    machine.run(2000);
    socket.bufferedAmount = 1e9;
    send(frame(3));
    machine.run(2000);
    expect(socket.sent).toEqual([frame(2)]);
    expect(heard).toEqual([7]);
    expect(link.counters).toEqual({ entered: 1, left: 1, droppedIn: 5, droppedOut: 2 });
    socket.fire('error');
    socket.fire('close');
    expect(socket.closed).toBe(true);
    expect((await link.closed)?.code).toBe('link');
  });

  test("with the host's own WebSocket", async () => {
    const server = createHttpServer();
    const received: number[] = [];
    // The least of a server: the handshake, and frames of up to 125 bytes.
    server.on('upgrade', (request, socket: Socket) => {
      const key = `${String(request.headers['sec-websocket-key'])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const accept = createHash('sha1').update(key).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.write(Buffer.concat([Buffer.of(0x82, 60), frame(5)]));
      socket.on('data', (data: Buffer) => {
        if ((data[0] ?? 0) === 0x82) received.push((data[6] ?? 0) ^ (data[2] ?? 0));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { wire, machine, heard, send } = world();
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const link = webSocketLink(wire, socket);
    await until(machine, () => heard.length === 1);
    expect(heard).toEqual([5]);
    send(frame(6));
    await until(machine, () => received.length === 1);
    expect(received).toEqual([6]);
    link.close();
    server.closeAllConnections();
    server.close();
  });
});

function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const skip = (there: boolean, name: string): string => (there ? '' : ` (skipped: ${name} is not installed)`);
const qemu = installed('qemu-system-mipsel');
const passt = installed('passt');

describe('programs of others', () => {
  let program: ChildProcess | undefined;
  afterEach(async () => {
    if (program === undefined || program.exitCode !== null) return;
    program.kill();
    await once(program, 'exit');
  });

  test.skipIf(!qemu)(`through QEMU, from its stream to its datagrams and back${skip(qemu, 'qemu')}`, async () => {
    const a = world();
    const b = world();
    const free = await datagramLink(b.wire, { port: 0 }, { port: 9 });
    const mine = await datagramLink(b.wire, { port: 0 }, { port: free.port });
    free.link.close();
    const at = path();
    const listener = await listenStream(a.wire, { path: at });
    program = spawn(
      'qemu-system-mipsel',
      [
        ['-M', 'none', '-display', 'none', '-monitor', 'none', '-serial', 'none'],
        ['-netdev', `stream,id=s,server=off,addr.type=unix,addr.path=${at}`],
        ['-netdev', 'hubport,id=h1,hubid=0,netdev=s'],
        [
          '-netdev',
          `dgram,id=d,local.type=inet,local.host=127.0.0.1,local.port=${free.port},remote.type=inet,remote.host=127.0.0.1,remote.port=${mine.port}`,
        ],
        ['-netdev', 'hubport,id=h2,hubid=0,netdev=d'],
      ].flat(),
      { stdio: 'ignore' },
    );
    const stream = await listener.peer;
    // It may not be ready when it connects.
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      await until(to.machine, () => {
        from.send(frame(11, 1514));
        from.machine.run(100_000);
        return to.heard.length > 0;
      });
      expect(to.heard[0]).toBe(11);
    }
    program.kill();
    await stream.closed;
    mine.link.close();
  });

  test.skipIf(!passt)(`passt answers who its gateway is${skip(passt, 'passt')}`, async () => {
    const { wire, machine } = world();
    const at = path();
    // Its address and its gateway are given: the host may have none.
    program = spawn('passt', ['-f', '-q', '--no-map-gw', '-a', '10.9.8.2', '-n', '24', '-g', '10.9.8.1', '-s', at], {
      stdio: 'ignore',
    });
    await until(machine, () => existsSync(at));
    // The socket is there a moment before passt listens on it.
    let link: Link | undefined;
    for (let i = 0; i < 100 && link === undefined; i += 1) {
      link = await connectStream(wire, { path: at }).catch(() => undefined);
      if (link === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const replies: string[] = [];
    const { send } = wire.attach({ receive: (one) => replies.push(Buffer.from(one.subarray(0, 42)).toString('hex')) });
    const mine = '08002b010203';
    const request = `ffffffffffff${mine}08060001080006040001${mine}0a0908020000000000000a090801`;
    send(Buffer.from(request, 'hex'));
    await until(machine, () => replies.length > 0);
    // An answer: from 10.9.8.1 to us, 10.9.8.2.
    expect(replies[0]).toMatch(new RegExp(`^${mine}.{12}08060001080006040002.{12}0a090801${mine}0a090802$`));
    link?.close();
  });
});
