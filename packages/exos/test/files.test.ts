/** Interface `files` on ExOS: flat files that survive. */
import { ERRORS, PAGE_BYTES } from '@exokernel/abi';
import { compose, program, type Fiber, type FiberProgram } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { boot, bystander, BystanderWatch, exitOf, type Booted } from '../../testkit/src/index.ts';
import { memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { exos, exosInverted } from '../src/index.ts';

const NEEDS = ['files', 'processes', 'memory'] as const;
type Main = FiberProgram<(typeof NEEDS)[number]>['main'];
type Os = Parameters<Main>[0];

const BLOCKS = 16;
const disk = (blocks = BLOCKS): BlockStore => memoryStore(new Uint8Array(blocks * PAGE_BYTES));

/** Runs a program over a disk, and gives its exit code; a bystander must not notice. */
function run(store: BlockStore, main: Main, libos = exos, blocks = BLOCKS): Booted {
  const image = compose(libos, program('files', NEEDS, main), { extent: { start: 0, blocks } });
  const booted = boot([image], { disk: { store } });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const ended = booted.runUntil(() => {
    watch.look();
    return booted.aegis.environment(0).status === 'dead';
  }, 60);
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(watch.damage()).toEqual([]);
  expect(ended).toBe(true);
  expect(exitOf(booted.aegis.environment(0))).toBe(0);
  return booted;
}

const bytesOf = (n: number, from = 0): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 7 + from) & 0xff);

function* contents(os: Os, file: number): Fiber<Uint8Array> {
  const bytes = yield* os.files.read(file, 0, 1 << 20);
  if (typeof bytes === 'number') throw new Error(`read gave ${bytes}`);
  return bytes;
}

test.each([exos, exosInverted])('files are there in the next life: $name', (libos) => {
  const store = disk();
  run(
    store,
    function* (os) {
      expect(yield* os.files.list()).toEqual([]);
      const a = yield* os.files.create('a');
      const b = yield* os.files.create('grüße');
      expect([a, b]).toEqual([1, 2]);
      expect(yield* os.files.append(a, bytesOf(10))).toBe(10);
      expect(yield* os.files.append(b, bytesOf(9000))).toBe(9000);
      expect(yield* os.files.append(a, bytesOf(300, 10))).toBe(300);
      expect(yield* contents(os, a)).toEqual(new Uint8Array([...bytesOf(10), ...bytesOf(300, 10)]));
      expect(yield* contents(os, b)).toEqual(bytesOf(9000));
      const c = yield* os.files.create('c');
      expect(yield* os.files.remove(c)).toBe(0);
      expect(yield* os.files.size(c)).toBe(ERRORS.E_CAP);
      expect(yield* os.files.create('c')).toBe(4);
      return 0;
    },
    libos,
  );
  run(
    store,
    function* (os) {
      expect(yield* os.files.list()).toEqual([
        { file: 1, name: 'a', bytes: 310 },
        { file: 2, name: 'grüße', bytes: 9000 },
        { file: 4, name: 'c', bytes: 0 },
      ]);
      const b = yield* os.files.find('grüße');
      expect(yield* contents(os, b)).toEqual(bytesOf(9000));
      expect(yield* os.files.read(b, 4090, 20)).toEqual(bytesOf(9000).subarray(4090, 4110));
      expect(yield* os.files.read(b, 9000, 20)).toEqual(new Uint8Array(0));
      return 0;
    },
    libos,
  );
});

test('an append is one write of the disk', () => {
  let writes = 0;
  const inner = disk();
  const store: BlockStore = {
    blocks: inner.blocks,
    read: (sector, into) => inner.read(sector, into),
    write: (sector, from) => {
      writes += 1;
      inner.write(sector, from);
    },
    flush: () => inner.flush(),
  };
  run(store, function* (os) {
    const file = yield* os.files.create('a');
    for (let i = 0; i < 12; i += 1) {
      const before = writes;
      yield* os.files.append(file, bytesOf(100));
      expect(writes - before).toBe(1);
    }
    return 0;
  });
});

test('what is wrong is an error, and leaves everything as it was', () => {
  run(disk(), function* (os) {
    const file = yield* os.files.create('a');
    expect(yield* os.files.create('a')).toBe(ERRORS.E_BUSY);
    expect(yield* os.files.create('')).toBe(ERRORS.E_RANGE);
    expect(yield* os.files.create('x'.repeat(29))).toBe(ERRORS.E_RANGE);
    expect(yield* os.files.find('b')).toBe(0);
    for (const none of [0, -1, 77, 0x7fffffff, -0x80000000]) {
      expect(yield* os.files.append(none, bytesOf(1))).toBe(ERRORS.E_CAP);
      expect(yield* os.files.read(none, 0, 1)).toBe(ERRORS.E_CAP);
      expect(yield* os.files.remove(none)).toBe(ERRORS.E_CAP);
      expect(yield* os.files.size(none)).toBe(ERRORS.E_CAP);
    }
    expect(yield* os.files.read(file, -1, 1)).toBe(ERRORS.E_RANGE);
    expect(yield* os.files.read(file, 0, -1)).toBe(ERRORS.E_RANGE);
    expect(yield* os.files.read(file, 0x7fffffff, 0x7fffffff)).toEqual(new Uint8Array(0));
    expect(yield* os.files.list()).toEqual([{ file, name: 'a', bytes: 0 }]);
    return 0;
  });
});

test('a full disk is an error; what is removed makes room', () => {
  run(
    disk(8),
    function* (os) {
      const keep = yield* os.files.create('keep');
      const big = yield* os.files.create('big');
      yield* os.files.append(keep, bytesOf(1000, 3));
      let code = 0;
      let appended = 0;
      while ((code = yield* os.files.append(big, bytesOf(500, appended))) === 500) appended += 500;
      expect(code).toBe(ERRORS.E_NONE);
      // Half of seven blocks, less what sectors need for themselves.
      expect(appended).toBeGreaterThan(7000);
      expect(yield* os.files.size(big)).toBe(appended);
      expect(yield* os.files.create('one more')).toBeGreaterThan(0);
      expect(yield* os.files.remove(big)).toBe(0);
      expect(yield* contents(os, keep)).toEqual(bytesOf(1000, 3));
      // Much more than fits is written, if it is removed again.
      for (let i = 0; i < 20; i += 1) {
        const file = yield* os.files.create('turn');
        expect(yield* os.files.append(file, bytesOf(4096, i))).toBe(4096);
        expect(yield* contents(os, file)).toEqual(bytesOf(4096, i));
        expect(yield* os.files.remove(file)).toBe(0);
      }
      expect(yield* contents(os, keep)).toEqual(bytesOf(1000, 3));
      return 0;
    },
    exos,
    8,
  );
});

test('sixty-four files, and no more', () => {
  run(
    disk(64),
    function* (os) {
      for (let i = 0; i < 64; i += 1) expect(yield* os.files.create(`file ${i}`)).toBe(i + 1);
      expect(yield* os.files.create('another')).toBe(ERRORS.E_NONE);
      expect(yield* os.files.remove(7)).toBe(0);
      expect(yield* os.files.create('another')).toBe(65);
      const list = yield* os.files.list();
      expect(typeof list === 'number' ? [] : list.map(({ file }) => file)).toEqual(
        Array.from({ length: 65 }, (_, i) => i + 1).filter((n) => n !== 7),
      );
      return 0;
    },
    exos,
    64,
  );
});

test('something else in the extent is refused, and kept, until it is formatted', () => {
  const bytes = new Uint8Array(BLOCKS * PAGE_BYTES).map((_, i) => (i * 31 + 5) & 0xff);
  run(memoryStore(bytes), function* (os) {
    expect(yield* os.files.create('a')).toBe(ERRORS.E_CODE);
    expect(yield* os.files.list()).toBe(ERRORS.E_CODE);
    expect(bytes.every((byte, i) => byte === ((i * 31 + 5) & 0xff))).toBe(true);
    expect(yield* os.files.format()).toBe(0);
    expect(yield* os.files.create('a')).toBe(1);
    expect(yield* os.files.format()).toBe(0);
    expect(yield* os.files.list()).toEqual([]);
    return 0;
  });
});

test('without an extent, without a disk, and in one that is too small', () => {
  const image = (extent?: { start: number; blocks: number }): ReturnType<typeof compose> =>
    compose(
      exos,
      program('none', ['files'], function* (os) {
        return -(yield* os.files.create('a'));
      }),
      extent === undefined ? {} : { extent },
    );
  expect(boot([image()]).finish(0).map(exitOf)).toEqual([-ERRORS.E_ENV]);
  expect(
    boot([image()], { disk: { store: disk() } })
      .finish(0)
      .map(exitOf),
  ).toEqual([-ERRORS.E_ENV]);
  const small = boot([image({ start: 0, blocks: 3 })], { disk: { store: disk() } });
  expect(small.finish(0).map(exitOf)).toEqual([-ERRORS.E_RANGE]);
});

test('a child has no files, and the parent goes on with them', () => {
  run(disk(), function* (os) {
    const file = yield* os.files.create('a');
    const child = yield* os.processes.fork(function* () {
      return -(yield* os.files.append(file, bytesOf(5)));
    });
    expect(child).toBeGreaterThan(0);
    expect(yield* os.files.append(file, bytesOf(50))).toBe(50);
    expect((yield* os.processes.wait())?.code).toBe(-ERRORS.E_ENV);
    expect(yield* os.files.append(file, bytesOf(50, 50))).toBe(50);
    expect(yield* contents(os, file)).toEqual(new Uint8Array([...bytesOf(50), ...bytesOf(50, 50)]));
    return 0;
  });
});

test('two with one extent spoil their files, and nothing else', () => {
  const store = disk();
  const one = (name: string): ReturnType<typeof compose> =>
    compose(
      exos,
      program(name, ['files'], function* (os) {
        for (let i = 0; i < 15; i += 1) {
          const file = yield* os.files.create(`${name}${i}`);
          if (file > 0) yield* os.files.append(file, bytesOf(700, i));
          if (i % 3 === 2) yield* os.files.remove(file);
          yield* os.files.list();
        }
        return 0;
      }),
      { extent: { start: 0, blocks: 8, shared: true } },
    );
  const booted = boot([one('a'), one('b')], { disk: { store } });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  booted.runUntil(() => {
    watch.look();
    return [0, 1].every((env) => booted.aegis.environment(env).status === 'dead');
  }, 60);
  expect([0, 1].map((env) => exitOf(booted.aegis.environment(env)))).toEqual([0, 0]);
  expect(watch.damage()).toEqual([]);
});

test('a loss of power takes what was not acknowledged', () => {
  const store = disk();
  let acknowledged = 0;
  for (let life = 0; life < 4; life += 1) {
    const found: number[] = [];
    const image = compose(
      exos,
      program('lives', ['files'], function* (os) {
        const file = (yield* os.files.find('log')) || (yield* os.files.create('log'));
        const bytes = yield* os.files.read(file, 0, 1 << 20);
        if (typeof bytes === 'number') return -bytes;
        found.push(...bytes);
        for (let n = bytes.length; ; n += 1) {
          if ((yield* os.files.append(file, Uint8Array.of(n))) !== 1) return 1;
          acknowledged = n + 1;
        }
      }),
      { extent: { start: 0, blocks: BLOCKS } },
    );
    const booted = boot([image], { disk: { store } });
    const before = acknowledged;
    booted.machine.run(5_000_000 + 123_457 * life);
    expect(found.length - before).toBeOneOf([0, 1]);
    expect(found).toEqual(Array.from({ length: found.length }, (_, i) => i));
    booted.machine.powerCut(life);
  }
  expect(acknowledged).toBeGreaterThan(20);
});
