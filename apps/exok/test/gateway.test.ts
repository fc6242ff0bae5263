/** The gateway between sockets of the host and a stack on a machine's wire: bytes, ends, resets, and who may wait for whom. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Wire } from '@exokernel/hardware';
import type { TcpConnection, TcpListener, TcpTuning } from '@exokernel/net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Gateway } from '../src/gateway.ts';
import { MACHINE_IP, NETMASK, Station } from '../../../packages/cheetah/test/station.ts';
import { boot, type Booted } from '../../../packages/testkit/src/index.ts';

const PORT = 80;
const GATEWAY = { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), ip: MACHINE_IP + 100, netmask: NETMASK, seed: 2 };
/** 4 ms of the machine. */
const STEP = 100_000;

/** A server on the wire: says and hears what a test wants, one connection after the other. */
interface Peer {
  readonly connection: TcpConnection;
  heard: number;
  sum: number;
}

class World {
  readonly booted: Booted;
  readonly gateway: Gateway;
  readonly station: Station;
  readonly listener: TcpListener;
  readonly peers: Peer[] = [];
  readonly sockets: Socket[] = [];
  /** What a server does with each of its connections, after every step. */
  serve: (peer: Peer) => void = echo;
  port = 0;
  #isClosed = false;

  constructor(server: { readonly ip?: number; readonly port?: number } = {}, tcp: TcpTuning = {}) {
    const wire = new Wire();
    this.booted = boot([], { lance: { mac: GATEWAY.mac, wire } });
    const { machine } = this.booted;
    this.station = new Station(machine, wire, { ip: MACHINE_IP });
    this.listener = this.station.stack.tcp.listen(PORT, { backlog: 100 });
    this.gateway = new Gateway({
      machine,
      wire,
      self: { ...GATEWAY, tcp },
      server: { ip: MACHINE_IP, port: PORT, ...server },
    });
  }

  async listen(): Promise<void> {
    this.port = await this.gateway.listen(0);
  }

  client(): Client {
    const client = new Client(connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true }));
    this.sockets.push(client.socket);
    return client;
  }

  /** Closes the gateway, which nobody pumps any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.gateway.close();
  }

  /** One step of the machine and of everybody. */
  async step(): Promise<void> {
    this.booted.machine.run(STEP);
    for (let c = this.listener.accept(); c !== undefined; c = this.listener.accept()) {
      this.peers.push({ connection: c, heard: 0, sum: 0 });
    }
    for (const peer of this.peers) this.serve(peer);
    this.station.pump();
    if (!this.#isClosed) this.gateway.pump();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Runs until it is done, or for so many steps. Returns whether it was. */
  async until(done: () => boolean, steps = 5000): Promise<boolean> {
    for (let i = 0; i < steps && !done(); i += 1) await this.step();
    return done();
  }
}

/** A client of the host that keeps what it gets. */
class Client {
  readonly socket: Socket;
  readonly parts: Uint8Array[] = [];
  count = 0;
  error: string | undefined;
  ended = false;
  closed = false;

  constructor(socket: Socket, reads = true) {
    this.socket = socket;
    if (reads) {
      socket.on('data', (data: Uint8Array) => {
        this.parts.push(data);
        this.count += data.length;
      });
    }
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

/** Gives back what it hears; ends when the other side has. */
function echo(peer: Peer): void {
  const { connection } = peer;
  while (connection.readable > 0 && connection.writable) {
    const bytes = connection.read();
    peer.heard += bytes.length;
    connection.write(bytes);
  }
  if (connection.ended) connection.close();
}

/** Hears everything, with a sum over it, and says nothing. */
function listen(peer: Peer): void {
  const bytes = peer.connection.read();
  for (const byte of bytes) peer.sum = (Math.imul(peer.sum, 31) + byte) | 0;
  peer.heard += bytes.length;
}

function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
}

function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >>> 8) * seed + seed) & 0xff);
}

let world: World;

beforeEach(async () => {
  world = new World();
  await world.listen();
});

afterEach(async () => {
  for (const socket of world.sockets) socket.destroy();
  await world.close();
});

describe('bytes', () => {
  test.each([1, 1460, 65_536, 300_000])('%i of them there and back', async (length) => {
    const client = world.client();
    client.socket.write(pattern(length));
    expect(await world.until(() => client.count === length)).toBe(true);
    expect(Buffer.compare(client.bytes, pattern(length))).toBe(0);
    expect(world.gateway.connections).toBe(1);
  });

  test('slowly, a byte at a time', async () => {
    const client = world.client();
    for (let i = 0; i < 20; i += 1) {
      client.socket.write(Uint8Array.of(i));
      await world.until(() => client.count === i + 1, 100);
    }
    expect([...client.bytes]).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('fifty connections at once, each its own', async () => {
    const clients = Array.from({ length: 50 }, () => world.client());
    clients.forEach(({ socket }, i) => socket.end(pattern(5000 + i, i)));
    expect(await world.until(() => clients.every(({ closed }) => closed))).toBe(true);
    clients.forEach((client, i) => {
      expect(Buffer.compare(client.bytes, pattern(5000 + i, i))).toBe(0);
    });
    expect(await world.until(() => world.gateway.connections === 0, 50)).toBe(true);
    expect(world.peers.map(({ connection }) => connection.error)).toEqual(world.peers.map(() => undefined));
  });
});

describe('ends', () => {
  test('a client that half-closes gets everything and the end', async () => {
    const client = world.client();
    client.socket.end(pattern(200_000));
    expect(await world.until(() => client.closed)).toBe(true);
    expect([client.count, client.ended, client.error]).toEqual([200_000, true, undefined]);
    expect(await world.until(() => world.gateway.connections === 0, 50)).toBe(true);
    expect(world.peers[0]?.connection).toMatchObject({ finished: true, error: undefined });
  });

  test('a server that ends first, and still listens, gets everything and the end', async () => {
    world.serve = (peer) => {
      peer.connection.close();
      listen(peer);
    };
    const client = world.client();
    expect(await world.until(() => client.ended)).toBe(true);
    client.socket.end(pattern(200_000));
    expect(await world.until(() => world.peers[0]?.connection.finished === true)).toBe(true);
    const [peer] = world.peers;
    expect([peer?.heard, peer?.sum]).toEqual([200_000, sumOf(pattern(200_000))]);
    expect([peer?.connection.error, client.error]).toEqual([undefined, undefined]);
    expect(await world.until(() => client.closed && world.gateway.connections === 0, 50)).toBe(true);
  });

  test('nothing, and the end', async () => {
    const client = world.client();
    client.socket.end();
    expect(await world.until(() => client.closed)).toBe(true);
    expect([client.ended, client.error, client.count]).toEqual([true, undefined, 0]);
  });
});

describe('resets', () => {
  test('by the client, in the middle: the server sees one', async () => {
    const client = world.client();
    client.socket.write(pattern(500_000));
    expect(await world.until(() => client.count > 10_000)).toBe(true);
    client.socket.resetAndDestroy();
    client.socket.destroy();
    expect(await world.until(() => world.gateway.connections === 0, 100)).toBe(true);
    await world.until(() => world.peers[0]?.connection.finished === true, 100);
    expect(world.peers[0]?.connection.error).toBe('reset');
  });

  test('by the client, before the wire has answered', async () => {
    const client = world.client();
    await once(client.socket, 'connect');
    client.socket.resetAndDestroy();
    client.socket.destroy();
    await world.until(() => false, 20);
    expect(world.gateway.connections).toBe(0);
  });

  test('by the server: the client sees one', async () => {
    world.serve = (peer) => {
      listen(peer);
      if (peer.heard > 1000) peer.connection.abort();
    };
    const client = world.client();
    client.socket.write(pattern(100_000));
    expect(await world.until(() => client.closed)).toBe(true);
    expect([client.error, client.ended, world.gateway.connections]).toEqual(['ECONNRESET', false, 0]);
  });

  test('by the server after its end: what it has said arrives, and its end', async () => {
    world.serve = (peer) => {
      const { connection } = peer;
      listen(peer);
      if (peer.heard === 0) return;
      if (peer.sum !== 0) connection.write(pattern(50_000));
      peer.sum = 0;
      connection.close();
      if (connection.state === 'fin-wait-2') connection.abort();
    };
    const client = world.client();
    client.socket.write('x');
    expect(await world.until(() => client.ended && world.gateway.connections === 0)).toBe(true);
    expect([client.count, client.error]).toEqual([50_000, undefined]);
    expect(world.peers[0]?.connection.error).toBe('aborted');
  });

  test.each([
    ['nobody listens on the port', { port: 81 }],
    ['nobody has the address', { ip: MACHINE_IP + 7 }],
    ['there is no way to the address', { ip: 0x08080808 }],
  ])('%s', async (_, server) => {
    await world.close();
    world = new World(server);
    await world.listen();
    const client = world.client();
    client.socket.write('hello');
    expect(await world.until(() => client.closed)).toBe(true);
    expect([client.error, client.ended, world.gateway.connections]).toEqual(['ECONNRESET', false, 0]);
  });

  test('one connection more than the stack takes', async () => {
    await world.close();
    world = new World({}, { maxConnections: 3 });
    await world.listen();
    const clients = Array.from({ length: 5 }, () => world.client());
    for (const { socket } of clients) socket.write('x');
    const settled = (): boolean => clients.every((client) => client.count === 1 || client.closed);
    expect(await world.until(settled)).toBe(true);
    expect(clients.filter(({ count }) => count === 1)).toHaveLength(3);
    expect(clients.filter(({ error }) => error === 'ECONNRESET')).toHaveLength(2);
  });
});

describe('patience', () => {
  /** Bytes that the host's own buffers hold at most, on any system that runs this. */
  const HOST_BUFFERS = 16e6;

  test('a client that never reads stops the server', async () => {
    const { client, said } = await stalled();
    expect(said()).toBeGreaterThan(2 * 65_536);
    expect(said()).toBeLessThan(HOST_BUFFERS);
    // It is only waited for.
    const total = said();
    client.socket.on('data', (data: Uint8Array) => (client.count += data.length));
    client.socket.resume();
    expect(await world.until(() => client.count > total, 20_000)).toBe(true);
  });

  test('and does not stop the gateway from closing', async () => {
    const { client } = await stalled();
    await world.close();
    client.socket.resume();
    expect(await world.until(() => client.closed, 2000)).toBe(true);
    expect(client.error).toBe('ECONNRESET');
  });

  /** A client that never reads, and a server that has said all that anybody would take. */
  async function stalled(): Promise<{ client: Client; said: () => number }> {
    let said = 0;
    const block = new Uint8Array(65_536);
    world.serve = ({ connection }) => {
      while (connection.writable && said < 4 * HOST_BUFFERS) {
        connection.write(block);
        said += block.length;
      }
    };
    const socket = connect({ port: world.port, host: '127.0.0.1' });
    socket.pause();
    world.sockets.push(socket);
    const client = new Client(socket, false);
    let before = -1;
    for (let i = 0; i < 200 && before !== said; i += 1) {
      before = said;
      await world.until(() => false, 200);
    }
    expect(said).toBe(before);
    return { client, said: () => said };
  }

  test('a server that never reads stops the client', async () => {
    world.serve = () => undefined;
    const client = world.client();
    const block = new Uint8Array(65_536);
    const fill = (): void => {
      while (client.socket.bytesWritten < 4 * HOST_BUFFERS && client.socket.write(block));
    };
    client.socket.on('drain', fill);
    client.socket.on('connect', fill);
    await world.until(() => false, 500);
    const taken = client.socket.bytesWritten - client.socket.writableLength;
    await world.until(() => false, 200);
    expect(client.socket.bytesWritten - client.socket.writableLength).toBe(taken);
    expect(taken).toBeLessThan(HOST_BUFFERS);
    expect(world.peers[0]?.connection.readable).toBe(32_768);
  });
});

describe('close', () => {
  test('in the middle of everything: both sides see a reset, and nothing is left', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name)).length;
    const [talking, idle, unread] = [world.client(), world.client(), world.client()];
    unread.socket.pause();
    talking.socket.write(pattern(500_000));
    unread.socket.write(pattern(500_000));
    expect(await world.until(() => talking.count > 50_000 && world.peers.length === 3)).toBe(true);
    idle.socket.end();
    await world.close();
    await world.until(() => talking.closed && idle.closed, 100);
    expect([talking.error, idle.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
    unread.socket.destroy();
    await world.until(() => world.peers.every(({ connection }) => connection.finished), 50);
    expect(world.peers.map(({ connection }) => connection.error)).toEqual(['reset', 'reset', 'reset']);
    expect(world.gateway.connections).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    const after = process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name)).length;
    // The server that listened is gone too.
    expect(after).toBeLessThan(before);
  });

  test('it is off the wire afterwards, and can be closed again', async () => {
    const client = world.client();
    client.socket.write('x');
    expect(await world.until(() => client.count === 1)).toBe(true);
    await world.close();
    await world.until(() => false, 20);
    const connection = world.station.stack.tcp.connect(GATEWAY.ip, 9);
    await world.until(() => connection.finished, 2000);
    // It knows the address still, and nobody is there.
    expect(connection.error).not.toBe('refused');
    await world.close();
  });

  test('of one that never listened', async () => {
    const gateway = new World().gateway;
    await gateway.close();
    expect(gateway.connections).toBe(0);
  });
});

describe('the host’s side', () => {
  test('a port in use is refused', async () => {
    const other = new World();
    await expect(other.gateway.listen(world.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await other.gateway.close();
  });

  test('waiting ends when the host has something, and after its time', async () => {
    const started = performance.now();
    await world.gateway.doze.wait(20);
    expect(performance.now() - started).toBeGreaterThan(15);
    const waiting = world.gateway.doze.wait(20_000);
    world.client();
    await waiting;
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
