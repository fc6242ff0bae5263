/** The server between two stacks, without a machine: what peers do to it, good and bad. */
import { encodeUtf8 } from '@exokernel/libos-kit';
import { sumBytes, type TcpConnection } from '@exokernel/net';
import { describe, expect, test } from 'vitest';
import { CachedFile } from '../src/cached-file.ts';
import { WebServer, type Resource } from '../src/server.ts';
import { B_IP, Link, pattern } from '../../net/test/link.ts';

const PORT = 80;
const IDLE_MS = 60_000;

/** A file whose bytes are at hand, for frames that a test copies. */
class MemoryFile extends CachedFile {
  readonly bytes: Uint8Array;
  /** Times that the stack let go of it. */
  released = 0;

  constructor(bytes: Uint8Array) {
    super(0, bytes.length, new Uint32Array(0));
    this.bytes = bytes;
  }

  override sum(from: number, to: number): number {
    return sumBytes(this.bytes, from, to);
  }

  override copy(from?: number, to?: number, into?: Uint8Array, at?: number): void {
    into?.set(this.bytes.subarray(from, to), at);
  }

  release(): void {
    this.released += 1;
  }
}

const HEADER = encodeUtf8('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
const BODY = pattern(100_000, 7);
const SMALL = encodeUtf8('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');

function request(path: string, ...fields: string[]): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
}

class World {
  readonly link = new Link();
  readonly big = new MemoryFile(Uint8Array.from([...HEADER, ...BODY]));
  readonly small = new MemoryFile(SMALL);
  readonly server: WebServer;
  #swept = 0;

  constructor() {
    const resources = new Map<string, Resource>([
      ['/big', { file: this.big, headerBytes: HEADER.length }],
      ['/small', { file: this.small, headerBytes: SMALL.length - 2 }],
    ]);
    this.server = new WebServer(this.link.b, PORT, resources);
  }

  connect(...said: string[]): Client {
    const client = new Client(this.link.a.tcp.connect(B_IP, PORT));
    for (const text of said) client.say(text);
    return client;
  }

  /** Runs until it is done, or for `ms`; sweeps every second, as Cheetah does. */
  run(ms: number, done: () => boolean = () => false, ...reading: Client[]): boolean {
    return this.link.run(ms, () => {
      this.server.run(this.link.now);
      if (this.link.now - this.#swept >= 1000) {
        this.server.sweep(this.link.now);
        this.#swept = this.link.now;
      }
      for (const client of reading) client.read();
      return done();
    });
  }

  /** Lets `ms` pass in steps, for time passes only from event to event. */
  wait(ms: number): void {
    for (let i = 0; i < ms; i += 500) this.run(500);
  }
}

class Client {
  readonly connection: TcpConnection;
  #parts: Uint8Array[] = [];

  constructor(connection: TcpConnection) {
    this.connection = connection;
  }

  say(text: string): void {
    expect(this.connection.write(encodeUtf8(text))).toBe(true);
  }

  read(): void {
    if (this.connection.readable > 0) this.#parts.push(this.connection.read());
  }

  get bytes(): Uint8Array {
    this.read();
    const all = new Uint8Array(this.#parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [all];
    return all;
  }

  get text(): string {
    return Array.from(this.bytes, (byte) => String.fromCharCode(byte)).join('');
  }

  get count(): number {
    return this.bytes.length;
  }
}

const SMALL_TEXT = String.fromCharCode(...SMALL);

describe('requests', () => {
  test('a file, every byte, and the connection stays', () => {
    const world = new World();
    const client = world.connect(request('/big'));
    expect(world.run(5000, () => client.count === world.big.length, client)).toBe(true);
    expect(client.bytes).toEqual(world.big.bytes);
    client.say(request('/small'));
    expect(world.run(5000, () => client.count === world.big.length + SMALL.length, client)).toBe(true);
    expect(client.text.endsWith(SMALL_TEXT)).toBe(true);
    expect([world.server.requests, world.server.connections, client.connection.state]).toEqual([2, 1, 'established']);
    world.wait(100);
    expect([world.big.released, world.small.released]).toEqual([1, 1]);
  });

  test('HEAD of what is not there, and a HEAD that is refused, get no body', () => {
    const world = new World();
    const client = world.connect('HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n', 'HEAD / HTTP/1.1\r\n\r\n');
    expect(world.run(1000, () => client.connection.ended, client)).toBe(true);
    expect(client.text).toMatch(/^HTTP\/1.1 404 [^{}]*?\r\n\r\nHTTP\/1.1 400 [^{}]*?\r\n\r\n$/);
  });

  test('a byte per segment', () => {
    const world = new World();
    const client = world.connect();
    for (const character of request('/small')) {
      client.say(character);
      world.run(10);
    }
    expect(client.text).toBe(SMALL_TEXT);
  });

  test('many requests in one segment are answered in order', () => {
    const world = new World();
    const paths = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? `/${i}` : '/small'));
    const client = world.connect(paths.map((path) => request(path)).join(''));
    world.run(5000, () => world.server.requests === 40, client);
    world.wait(500);
    const answers = client.text.split(/(?=HTTP\/1\.1)/);
    expect(answers.map((answer) => answer === SMALL_TEXT)).toEqual(paths.map((path) => path === '/small'));
    expect(answers[0]).toMatch(/^HTTP\/1.1 404 /);
  });

  test('more responses than the queue takes wait for it', () => {
    const world = new World();
    const client = world.connect(request('/big').repeat(5));
    world.run(100);
    expect(world.server.requests).toBeLessThan(3);
    expect(world.run(20_000, () => client.count === 5 * world.big.length, client)).toBe(true);
    expect(world.server.requests).toBe(5);
  });

  test.each([request('/small', 'Connection: close'), 'GET /small HTTP/1.0\r\n\r\n'])(
    '%j: the server closes',
    (text) => {
      const world = new World();
      const client = world.connect(text + request('/small'));
      expect(world.run(1000, () => client.connection.ended, client)).toBe(true);
      expect(client.text).toBe(SMALL_TEXT);
      client.connection.close();
      world.wait(500);
      expect([world.server.connections, world.server.requests]).toEqual([0, 1]);
    },
  );

  test('after nonsense: an error, the end, and nothing that follows is a request', () => {
    const world = new World();
    const client = world.connect(`nonsense\r\n\r\n${request('/small')}`);
    expect(world.run(1000, () => client.connection.ended, client)).toBe(true);
    expect(client.text).toMatch(/^HTTP\/1.1 400 .*\r\nConnection: close\r\n/s);
    expect(client.text).not.toContain('200 OK');
    expect(world.server.requests).toBe(1);
  });
});

describe('ends', () => {
  test('a client that half-closes gets everything', () => {
    const world = new World();
    const client = world.connect(request('/big'), request('/small'));
    client.connection.close();
    expect(world.run(10_000, () => client.connection.finished, client)).toBe(true);
    world.run(100);
    expect(client.count).toBe(world.big.length + SMALL.length);
    expect([client.connection.error, world.server.connections]).toEqual([undefined, 0]);
  });

  test('half a request and the end: no answer, the end at once', () => {
    const world = new World();
    const client = world.connect('GET /small HT');
    client.connection.close();
    expect(world.run(1000, () => client.connection.finished, client)).toBe(true);
    world.run(100);
    expect([client.count, client.connection.error, world.server.connections]).toEqual([0, undefined, 0]);
  });

  test('nothing and the end', () => {
    const world = new World();
    const client = world.connect();
    client.connection.close();
    expect(world.run(1000, () => client.connection.finished)).toBe(true);
    world.run(100);
    expect(world.server.connections).toBe(0);
  });

  test('a client that resets in the middle of a file', () => {
    const world = new World();
    const client = world.connect(request('/big'));
    expect(world.run(1000, () => client.count > 5000, client)).toBe(true);
    client.connection.abort();
    world.wait(500);
    expect([world.server.connections, world.link.b.tcp.size.connections, world.big.released]).toEqual([0, 0, 1]);
  });

  test('an upload that is refused: the answer comes, and what was still on its way is swallowed', () => {
    const world = new World();
    const client = world.connect('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n');
    client.connection.write(pattern(200_000, 1));
    client.connection.close();
    expect(world.run(10_000, () => client.connection.finished, client)).toBe(true);
    expect([client.connection.error, client.connection.queued]).toEqual([undefined, 0]);
    expect(client.text).toMatch(/^HTTP\/1.1 405 /);
    expect(world.server.connections).toBe(0);
  });
});

describe('patience', () => {
  test('a client that never reads holds one response or two, and is ended', () => {
    const world = new World();
    const client = world.connect(request('/big').repeat(100));
    world.wait(IDLE_MS - 5000);
    expect(world.server.requests).toBeLessThan(3);
    expect(world.server.connections).toBe(1);
    // It says that it lives all the time: it answers every probe.
    expect(world.link.now - client.connection.lastHeard).toBeLessThan(IDLE_MS);
    world.wait(10_000);
    expect([world.server.connections, client.connection.error]).toEqual([0, 'reset']);
    expect(world.big.released).toBe(world.server.requests);
  });

  test('a client that reads slowly is served to the end', () => {
    const world = new World();
    const client = world.connect(request('/big'));
    for (let seconds = 0; client.count < world.big.length && seconds < 300; seconds += 20) {
      world.wait(20_000);
      client.read();
    }
    expect(client.bytes).toEqual(world.big.bytes);
    expect(world.server.connections).toBe(1);
  });

  test('a request that drips in for longer than a minute is not waited for', () => {
    const world = new World();
    const client = world.connect();
    const drip = (seconds: number): void => {
      for (let i = 0; i < seconds && client.connection.error === undefined; i += 1) {
        client.say('x');
        world.wait(1000);
      }
    };
    drip(55);
    expect([client.connection.ended, client.connection.error]).toEqual([false, undefined]);
    drip(10);
    // It is told the end, and reset when it does not end itself.
    expect([client.connection.ended, client.connection.error, world.server.connections]).toEqual([true, undefined, 1]);
    drip(60);
    expect([client.connection.error, world.server.connections]).toEqual(['reset', 0]);
  });

  test('silence: a connection used now and then stays, one unused ends', () => {
    const world = new World();
    const [used, unused] = [world.connect(), world.connect()];
    for (let i = 0; i < 4; i += 1) {
      used.say(request('/small'));
      world.wait(40_000);
    }
    expect([used.connection.error, used.count]).toEqual([undefined, 4 * SMALL.length]);
    expect(unused.connection.error).toBe('reset');
    expect(world.server.connections).toBe(1);
  });

  test('one unused ends with FIN, and nothing is left when the peer ends it too', () => {
    const world = new World();
    const unused = world.connect();
    const early = world.connect(request('/small'));
    world.wait(59_000);
    expect([unused.connection.ended, early.count]).toEqual([false, SMALL.length]);
    world.wait(3000);
    for (const { connection } of [unused, early]) {
      connection.read();
      expect([connection.ended, connection.error]).toEqual([true, undefined]);
      connection.close();
    }
    world.wait(1000);
    expect(world.server.connections).toBe(0);
    expect([unused.connection.error, early.connection.error]).toEqual([undefined, undefined]);
  });

  test('after the server closed, an upload without end does not keep the connection', () => {
    const world = new World();
    const client = world.connect('POST / HTTP/1.1\r\nHost: a\r\n\r\n');
    for (let i = 0; i < 140 && !client.connection.finished; i += 1) {
      if (client.connection.writable) client.connection.write(new Uint8Array(10_000));
      world.wait(500);
    }
    expect([client.connection.error, world.server.connections]).toEqual(['reset', 0]);
  });
});

describe('crowds', () => {
  /** Opens `count` connections, `width` at a time, and returns what each got. */
  function crowd(world: World, count: number, width: number, said: string): number {
    let [opened, served] = [0, 0];
    const open = new Set<Client>();
    const complete = world.run(600_000, () => {
      for (const client of open) {
        client.read();
        if (client.count === SMALL.length) client.connection.close();
        if (!client.connection.finished) continue;
        if (client.text === SMALL_TEXT) served += 1;
        open.delete(client);
      }
      while (opened < count && open.size < width) {
        open.add(world.connect(said));
        opened += 1;
      }
      return opened === count && open.size === 0;
    });
    expect(complete).toBe(true);
    return served;
  }

  test.each([
    ['the client closes', request('/small')],
    ['the server closes', request('/small', 'Connection: close')],
  ])('thousands of short connections: %s', (_, said) => {
    const world = new World();
    expect(crowd(world, 3000, 20, said)).toBe(3000);
    world.run(500);
    expect(world.server.connections).toBe(0);
    expect(world.link.b.tcp.size.connections).toBe(0);
    expect(world.link.b.tcp.size.timeWaits).toBeLessThanOrEqual(3000);
    expect(world.server.requests).toBe(3000);
    expect(world.small.released).toBe(3000);
  });

  test('a thousand at the same instant: each is served or reset, and the next one is served', () => {
    const world = new World();
    const said = request('/small', 'Connection: close');
    const clients = Array.from({ length: 1000 }, () => world.connect(said));
    const done = (): boolean => clients.every(({ connection }) => connection.ended || connection.finished);
    expect(world.run(30_000, done, ...clients)).toBe(true);
    const served = clients.filter((client) => client.text === SMALL_TEXT).length;
    const reset = clients.filter(({ connection }) => connection.error === 'reset').length;
    expect(served).toBeGreaterThanOrEqual(128);
    expect(served + reset).toBe(1000);
    for (const { connection } of clients) connection.close();
    expect(crowd(world, 1, 1, said)).toBe(1);
    world.run(100);
    expect(world.server.connections).toBe(0);
  });
});
