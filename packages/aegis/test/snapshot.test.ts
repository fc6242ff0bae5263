/** A machine with the kernel on it is saved and taken up again at any instruction, on either engine, and nothing tells. */
import { ENV, NO_ENV } from '@exokernel/abi';
import { HardwareError, memoryStore, Wire, type Engine, type MachineOptions } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  memoryFor,
  rawImage,
  WILD,
  wildImage,
  type Booted,
} from '../../testkit/src/index.ts';
import { TABLES } from '../src/tables.ts';
import { MAC } from './network.ts';

/** A soak makes more. */
const HOPS = Number(process.env['SNAPSHOT_HOPS'] ?? 60);
const SEED = Number(process.env['SNAPSHOT_SEED'] ?? 20261129);

function generator(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** A machine with a disk and a wire of its own. */
function options(engine: Engine): MachineOptions {
  return {
    engine,
    ramBytes: memoryFor(600),
    lance: { mac: MAC, wire: new Wire({ capacity: 64 }) },
    disk: { store: memoryStore(64 * 4096) },
    translation: { after: 16 },
  };
}

function wild(engine: Engine, seed: number): Booted {
  return boot([wildImage(seed, MAC), wildImage(seed + 1, MAC), bystander()], options(engine));
}

test.each<readonly [Engine, Engine]>([
  ['translator', 'interpreter'],
  ['interpreter', 'translator'],
  ['translator', 'translator'],
])('%s: saved, taken up by %s and back, hop by hop', (one, other) => {
  const random = generator(SEED);
  const whole = wild(one, SEED);
  let here = wild(one, SEED);
  let there = wild(other, 1);
  const watch = new BystanderWatch(whole.aegis, 2);
  for (let hop = 0; hop < HOPS; hop += 1) {
    // Short hops end in the middle of natives' work for environments, long ones let disk, packets and deadlines come.
    const cycles = [1 + random(40), random(5_000), random(60_000), random(400_000)][random(4)] ?? 1;
    whole.machine.run(cycles);
    here.machine.run(cycles);
    whole.machine.serialInput(0, Uint8Array.of(hop));
    here.machine.serialInput(0, Uint8Array.of(hop));
    watch.look();
    there.machine.restore(here.machine.snapshot());
    [here, there] = [there, here];
    expect([hop, SEED, here.machine.cycles]).toEqual([hop, SEED, whole.machine.cycles]);
    expect(here.machine.fingerprint).toBe(whole.machine.fingerprint);
    expect(here.aegis.environments()).toEqual(whole.aegis.environments());
    if (hop % 10 === 0) expect(checkInvariants(here.aegis)).toEqual([]);
  }
  expect(watch.damage()).toEqual([]);
  expect(whole.word(0, WILD.count)).toBeGreaterThan(HOPS / 2);
  expect(here.word(0, WILD.digest)).toBe(whole.word(0, WILD.digest));
});

test('what a kernel shows that took another up is what the other shows: names, counts, who is asked for what', () => {
  const first = wild('interpreter', 7);
  first.machine.run(3_000_000);
  const second = boot([bystander()], options('interpreter'));
  second.machine.restore(first.machine.snapshot());
  expect(second.aegis.environments()).toEqual(first.aegis.environments());
  expect(second.aegis.environment(0)).toMatchObject({ name: 'wild 7', libos: 'none', status: 'runnable' });
  expect(second.aegis.framesFree).toBe(first.aegis.framesFree);
  for (let env = 0; env < 4; env += 1) {
    expect(second.aegis.parts.frames.heldBy(env)).toEqual(first.aegis.parts.frames.heldBy(env));
  }
  // Host-side work too goes on as in the other: the same frames, the same number.
  const [a, b] = [first, second].map(({ aegis }) => {
    const env = aegis.load(rawImage({ name: 'late', entry: 'raw.start', emit: () => undefined }));
    return [env, aegis.parts.frames.heldBy(env), aegis.environment(env).name];
  });
  expect(b).toEqual(a);
  expect(checkInvariants(second.aegis)).toEqual([]);
});

test('with native functions a machine is neither saved nor restored, and the error names the environment', () => {
  const fibers = rawImage({
    name: 'fibres',
    main: function* (raw) {
      yield* raw.sleep(1);
      return 0;
    },
  });
  const booted = boot([fibers, wildImage(3, MAC)], options('interpreter'));
  const save = (): Uint8Array => booted.machine.snapshot();
  expect(save).toThrow(expect.objectContaining({ code: 'fibers', details: { env: 0, name: 'fibres' } }));
  const before = booted.machine.fingerprint;
  const other = wild('interpreter', 3);
  const snapshot = other.machine.snapshot();
  expect(() => {
    booted.machine.restore(snapshot);
  }).toThrow(expect.objectContaining({ code: 'fibers' }));
  expect(booted.machine.fingerprint).toBe(before);
  expect(booted.aegis.environment(0).name).toBe('fibres');
  // When it has ended there is nothing against it.
  booted.finish(0);
  other.machine.restore(save());
  expect(other.aegis.environment(0)).toMatchObject({ name: 'fibres', status: 'dead' });
  booted.machine.restore(snapshot);
  expect(booted.aegis.environment(0).name).toBe('wild 3');
});

test('a kernel with other tables or other text is told apart', () => {
  const kernel = boot([], options('interpreter'));
  expect(kernel.machine.fingerprint).not.toBe('');
  const plain = new (kernel.machine.constructor as new (o: MachineOptions) => typeof kernel.machine)(
    options('interpreter'),
  );
  expect(() => {
    plain.restore(kernel.machine.snapshot());
  }).toThrow(expect.objectContaining({ code: 'snapshot' }));
});

test('tables of filters that cannot be are refused, with nothing changed', () => {
  const bad = wild('interpreter', 5);
  const good = wild('interpreter', 5);
  good.machine.run(100_000);
  const { memory } = bad.aegis.parts;
  // One filter more than there is, whose bytes are none.
  memory.setEnv(0, ENV.parent, NO_ENV);
  memory.setVariable(0x20, 1);
  const before = [good.machine.fingerprint, good.aegis.environments()];
  expect(() => {
    good.machine.restore(bad.machine.snapshot());
  }).toThrow(expect.objectContaining({ code: 'snapshot' }));
  expect([good.machine.fingerprint, good.aegis.environments()]).toEqual(before);
  good.machine.run(100_000);
});

test('whatever words stand in the tables, the kernel’s TypeScript goes on or throws, and ends', () => {
  const random = generator(SEED);
  const good = wild('interpreter', 9);
  good.machine.run(2_000_000);
  const snapshot = good.machine.snapshot();
  const victim = wild('interpreter', 9);
  const { memory, frames } = victim.aegis.parts;
  const begin = memory.table(Object.values(TABLES).reduce((a, b) => (a.at < b.at ? a : b)));
  const outcomes = { gone: 0, thrown: 0, refused: 0 };
  const words = [0, 1, 2, 7, 127, 128, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
  for (let trial = 0; trial < 120; trial += 1) {
    victim.machine.restore(snapshot);
    for (let i = 0; i < 40; i += 1) {
      // Links, counts and owners of all kinds: in the secret tables, in the exposed ones, in the kernel page.
      const at = [
        begin + 4 * random((victim.machine.memory.ramBytes - begin) / 4),
        begin + TABLES.requestState.at + 4 * random((TABLES.blanks.at - TABLES.requestState.at) / 4),
        0x18000 + 4 * random(0x600),
        0x1a000 + 4 * random(0x1800),
        0x20000 + 4 * random(0x400),
        0x9d000 + 4 * random(0xc00),
        0xa0000 + 4 * random(0x5000),
        0xd8000 + 4 * random(0x2000),
      ][random(8)];
      memory.set(at ?? 0, words[random(words.length)] ?? 0);
    }
    let code = 'gone';
    try {
      const made = victim.machine.snapshot();
      victim.machine.restore(snapshot);
      victim.machine.restore(made);
      for (let i = 0; i < 10; i += 1) victim.machine.run(40_000);
    } catch (error) {
      if (!(error instanceof HardwareError)) throw error;
      code = error.code;
    }
    expect(['gone', 'snapshot', 'kernel-native']).toContain(code);
    outcomes[code === 'gone' ? 'gone' : code === 'snapshot' ? 'refused' : 'thrown'] += 1;
  }
  expect(frames.count).toBe(good.aegis.parts.frames.count);
  expect(outcomes.gone).toBeGreaterThan(2);
  expect(outcomes.thrown).toBeGreaterThan(2);
}, 120_000);
