/** Cheetah on a machine: what it serves, byte for byte, and how it ends when it cannot. */
import { type Image } from '@exokernel/abi';
import { T0 } from '@exokernel/isa';
import { compose, machineProgram } from '@exokernel/libos-kit';
import { NetError, parseIpv4 } from '@exokernel/net';
import { describe, expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { Wire, memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { boot, exitOf } from '../../testkit/src/index.ts';
import { CHEETAH_EXIT, CHEETAH_STATUS, formatSite } from '../src/index.ts';
import { MACHINE_MAC } from './station.ts';
import { BLOCKS, World, disk, file, response, serverImage } from './world.ts';

/** A program that never gives up its slice before the end. */
const spin = machineProgram('spin', ['memory'], 0, (a) => {
  a.label('spin');
  a.b('spin');
  a.addiu(T0, T0, 1);
});

const SIZES = [0, 1, 5, 1376, 1377, 1459, 1460, 1461, 100_000];
const FILES = [file('/index.html', 300), ...SIZES.map((size) => file(`/${size}`, size)), file('/a/index.html', 7)];

describe('serves', () => {
  const world = new World({ files: FILES });
  const station = world.station();

  test('after it has read its disk', () => {
    expect(world.word('state')).toBe(0);
    expect(world.serve()).toBe(true);
    expect(world.word('files')).toBe(FILES.length + 2);
  });

  test.each(FILES.map((f) => [f.path, f] as const))('%s, every byte', (path, f) => {
    expect(world.fetch(station, path)).toEqual(response(f));
  });

  test('HEAD: the header alone', () => {
    for (const f of FILES) {
      const whole = response(f);
      expect(world.fetch(station, f.path, 'HEAD')).toEqual(whole.subarray(0, whole.length - f.body.length));
    }
  });

  test('folders that have an index', () => {
    expect(world.fetch(station, '/')).toEqual(response(file('/index.html', 300)));
    expect(world.fetch(station, '/a/')).toEqual(response(file('/a/index.html', 7)));
    expect(String.fromCharCode(...world.fetch(station, '/a'))).toMatch(/^HTTP\/1.1 404 /);
  });

  test('nothing that is not there', () => {
    const text = String.fromCharCode(...world.fetch(station, '/../etc/passwd'));
    expect(text).toMatch(/^HTTP\/1.1 404 /);
  });

  test('every checksum of it was right, and its counts are in its u-page', () => {
    const { tcpMalformed, ipChecksum, tcpIn } = station.stack.counters;
    expect([tcpMalformed, ipChecksum]).toEqual([0, 0]);
    expect(tcpIn).toBeGreaterThan(100);
    world.wait(0.2);
    expect([world.word('requests'), world.word('connections')]).toEqual([2 * FILES.length + 4, 0]);
  });
});

test('an image can be on two machines', () => {
  const image = serverImage();
  const machines = [1, 2].map(() =>
    boot([image], {
      lance: { mac: MACHINE_MAC, wire: new Wire() },
      disk: { store: disk(formatSite([file('/x', 3)])) },
    }),
  );
  for (let i = 0; i < 20; i += 1) for (const { machine } of machines) machine.run(250_000);
  expect(machines.map(({ aegis }) => aegis.environment(0).status)).toEqual(['runnable', 'runnable']);
  expect(machines[0]?.aegis.environment(0).instructions).toBe(machines[1]?.aegis.environment(0).instructions);
});

test('the largest site is served', () => {
  const big = [file('/a', 2_000_000), file('/b', 2_000_000), file('/c', 42_000)];
  expect(formatSite(big).length / 4096).toBe(992);
  const world = new World({ files: big });
  expect(world.serve(30)).toBe(true);
  expect(world.fetch(world.station(), '/c')).toEqual(response(file('/c', 42_000)));
});

/** Two servers of one site. */
const SHARED = { extent: { start: 0, blocks: BLOCKS, shared: true } };

describe('ends with a word that says why', () => {
  const site = formatSite([file('/a', 5000), file('/b', 10)]);

  function exit(store: BlockStore | undefined, others: readonly Image[] = [], options = {}): number {
    const world = new World({ ...(store === undefined ? {} : { store }), others, ...options });
    const [env] = world.booted.finish(world.server);
    if (env === undefined) throw new Error('no server');
    return exitOf(env);
  }

  /** A store whose sectors from `first` on cannot be read. */
  function failing(first: number): BlockStore {
    const good = disk(site);
    return {
      ...good,
      read: (sector, into) => {
        if (sector + into.length / 512 > first) throw new Error('unreadable');
        good.read(sector, into);
      },
    };
  }

  function damaged(at: number, byte: number): BlockStore {
    const bytes = site.slice();
    bytes[at] = byte;
    return disk(bytes);
  }

  test.each<[string, BlockStore]>([
    ['an empty disk', disk(new Uint8Array(0))],
    ['a damaged directory', damaged(9, 1)],
    ['a directory longer than the extent', damaged(14, 1)],
    ['a file behind the extent', damaged(17, 0xff)],
    ['a directory that cannot be read', failing(0)],
    ['a file that cannot be read', failing(8)],
    ['a last block that cannot be read', failing(site.length / 512 - 8)],
  ])('%s', (_, store) => {
    expect(exit(store)).toBe(CHEETAH_EXIT.noSite);
  });

  test('an extent shorter than its site', () => {
    for (const blocks of [1, 3]) {
      expect(exit(disk(site), [], { server: { extent: { start: 0, blocks } } })).toBe(CHEETAH_EXIT.noSite);
    }
  });

  test('with no disk, or a smaller one than its extent, there is no environment', () => {
    expect(() => boot([serverImage()])).toThrow(expect.objectContaining({ code: 'extent' }) as Error);
    for (const store of [memoryStore(512), memoryStore(site.slice(0, 3 * 4096))]) {
      expect(() => new World({ store })).toThrow(expect.objectContaining({ code: 'extent' }) as Error);
    }
  });

  test('no memory', () => {
    const store = disk(formatSite([file('/a', 2_000_000)]));
    expect(exit(store, [], { ramBytes: 2 ** 21 })).toBe(CHEETAH_EXIT.noMemory);
  });

  test('no network controller', () => {
    const booted = boot([serverImage()], { disk: { store: disk(site) } });
    expect(booted.finish(0).map(exitOf)).toEqual([CHEETAH_EXIT.noDevice]);
  });

  test('two servers with one address: the one that is late', () => {
    const world = new World({ files: [file('/a', 10)], server: SHARED, others: [serverImage(SHARED)] });
    const { aegis } = world.booted;
    expect(world.run(() => aegis.environments().some(({ status }) => status === 'dead'))).toBe(true);
    const [late, early] = aegis.environment(0).status === 'dead' ? [0, 1] : [1, 0];
    expect(exitOf(aegis.environment(late))).toBe(CHEETAH_EXIT.noDevice);
    expect(world.fetch(world.station(), '/a')).toEqual(response(file('/a', 10)));
    expect(aegis.environment(early).status).toBe('runnable');
  });
});

test('a client that falls silent is ended after a minute', () => {
  const world = new World({ files: [file('/a', 100_000)] });
  expect(world.serve()).toBe(true);
  const station = world.station();
  const silent = world.connect(station, 'GET /a HT');
  const deaf = world.connect(station, 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  world.wait(50);
  expect([world.word('connections'), silent.connection.error, deaf.connection.error]).toEqual([
    2,
    undefined,
    undefined,
  ]);
  world.wait(15);
  expect([world.word('connections'), silent.connection.ended, deaf.connection.error]).toEqual([1, true, 'reset']);
  world.wait(65);
  expect([world.word('connections'), silent.connection.error]).toEqual([0, 'reset']);
});

describe('waits', () => {
  test('for a disk that others keep busy: two servers read their sites at once', () => {
    const files = [file('/a', 1_000_000)];
    const other = parseIpv4('10.0.0.9');
    const world = new World({ files, server: SHARED, others: [serverImage({ ip: other, ...SHARED })] });
    expect(world.serve(20)).toBe(true);
    expect(world.run(() => world.booted.uWord(0, CHEETAH_STATUS.state) === 1, 20)).toBe(true);
    expect(world.fetch(world.station(), '/a')).toEqual(response(file('/a', 1_000_000)));
  });

  test('where others have most of the time: its slices end in the middle of its work', () => {
    const spinning = Array.from({ length: 3 }, () => compose(batch, spin, { slices: 2 }));
    const world = new World({ files: [file('/a', 100_000)], others: spinning });
    expect(world.serve()).toBe(true);
    const station = world.station();
    expect(world.fetch(station, '/a', 'GET', 60)).toEqual(response(file('/a', 100_000)));
    expect(station.stack.counters.tcpMalformed).toBe(0);
  });
});

describe('options that cannot be are refused before there is an environment', () => {
  test.each([
    [{ port: 0 }, 'port'],
    [{ port: 65536 }, 'port'],
    [{ ip: 0 }, 'address'],
    [{ netmask: 0x00ffff00 }, 'address'],
    [{ mac: new Uint8Array(6) }, 'address'],
    [{ seed: NaN }, 'option'],
  ])('%j', (options, code) => {
    let caught: unknown;
    try {
      serverImage(options);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(NetError);
    expect(caught).toMatchObject({ code });
  });
});
