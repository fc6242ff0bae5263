/** Environments: made, filled in and ended through capabilities; limits and their attackers. [SOSP95 §5.1] */
import {
  CALLS,
  DEATHS,
  ENV,
  ENV_LIMIT,
  ENV_STATUS,
  ERRORS,
  GUARANTEED_LIMIT,
  PAGE_BYTES,
  type Image,
} from '@exokernel/abi';
import { A0, A1, A2, A3, T0, V0, ZERO } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { Machine } from '@exokernel/hardware';
import { Aegis, AegisError } from '../src/index.ts';
import {
  boot,
  checkInvariants,
  rawImage,
  runRaw,
  WINDOW,
  type Answer,
  type Fiber,
  type Raw,
} from '../../testkit/src/index.ts';

const U_PAGE = 0x1000;

interface Child {
  readonly env: number;
  readonly capability: readonly [number, number, number, number];
}

/** An embryo with a u-page. */
function* embryo(raw: Raw): Fiber<Child> {
  const { value: env, capability } = yield* raw.call('env_alloc');
  const frame = yield* raw.frame();
  expect(yield* raw.code('env_map', ...capability, ...frame.capability, U_PAGE | 3)).toBe(0);
  return { env, capability: [...capability] };
}

function set(raw: Raw, { capability }: Child, field: number, value: number): Fiber<number> {
  return raw.code('env_set', ...capability, field, value);
}

test('env_set sets entry points in user space and nothing else', () => {
  runRaw(function* (raw) {
    const child = yield* embryo(raw);
    const settable: number[] = [];
    for (let field = -16; field < 520; field += 1) {
      const code = yield* set(raw, child, field, 0x2000);
      if (code === 0) settable.push(field);
      else expect(code).toBe(ERRORS.E_RANGE);
    }
    const handlers = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15].map((code) => ENV.exceptionPc + 4 * code);
    expect(settable).toEqual([ENV.prologue, ENV.epilogue, ...handlers, ENV.frameLimit]);
    for (const field of [ENV.prologue, ENV.exceptionPc + 8]) {
      for (const value of [1, 2, 3, 0x2002, 0x80000000, 0x80000080, 0xa0000000, 0xfffff000, -4]) {
        expect(yield* set(raw, child, field, value), `${field} ${value}`).toBe(ERRORS.E_RANGE);
      }
      expect(yield* set(raw, child, field, 0x7ffffffc)).toBe(0);
    }
    for (const far of [0x7fffffff, -0x80000000, ENV.exceptionPc + 4 * 16, ENV.exceptionPc + 2]) {
      expect(yield* set(raw, child, far, 0x2000)).toBe(ERRORS.E_RANGE);
    }
    return 0;
  });
});

test('an environment is started once it has a u-page and a prologue, and only started', () => {
  runRaw(function* (raw) {
    const bare = yield* raw.call('env_alloc');
    const child: Child = { env: bare.value, capability: [...bare.capability] };
    expect(yield* set(raw, child, ENV.prologue, 0x2000)).toBe(ERRORS.E_RANGE);
    expect(yield* set(raw, child, ENV.status, ENV_STATUS.runnable)).toBe(ERRORS.E_RANGE);
    const frame = yield* raw.frame();
    // The u-page has to be writable; then it is chosen once.
    expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, U_PAGE | 2)).toBe(ERRORS.E_RANGE);
    expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, U_PAGE | 3)).toBe(0);
    expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, U_PAGE | 3)).toBe(ERRORS.E_BUSY);
    expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, 0x3003)).toBe(ERRORS.E_BUSY);
    expect(yield* set(raw, child, ENV.status, ENV_STATUS.runnable)).toBe(ERRORS.E_RANGE);
    expect(yield* set(raw, child, ENV.prologue, 0x2000)).toBe(0);
    for (const status of [0, 1, 3, 4, -1]) expect(yield* set(raw, child, ENV.status, status)).toBe(ERRORS.E_RANGE);
    expect(yield* set(raw, child, ENV.status, ENV_STATUS.runnable)).toBe(0);
    expect(yield* set(raw, child, ENV.syncEntry, 0x2000)).toBe(0);
    expect(yield* set(raw, child, ENV.asyncEntry, 0x2000)).toBe(0);
    return 0;
  });
});

test('guaranteed mappings: user addresses, sixteen of them, each replaceable', () => {
  const booted = runRaw(function* (raw) {
    const child = yield* embryo(raw);
    const [a, b] = [yield* raw.frame(), yield* raw.frame()];
    for (const va of [0x80000000, 0xc0000000, 0xfffff000]) {
      expect(yield* raw.code('env_map', ...child.capability, ...a.capability, va)).toBe(ERRORS.E_RANGE);
    }
    for (let i = 1; i < GUARANTEED_LIMIT; i += 1) {
      expect(yield* raw.code('env_map', ...child.capability, ...a.capability, WINDOW + i * PAGE_BYTES)).toBe(0);
    }
    expect(yield* raw.code('env_map', ...child.capability, ...a.capability, WINDOW)).toBe(ERRORS.E_NONE);
    expect(yield* raw.code('env_map', ...child.capability, ...b.capability, WINDOW + PAGE_BYTES)).toBe(0);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.parts.memory.env(1, ENV.guaranteedEnd)).toBe(0);
});

test('who ends whom: oneself, one’s child, nobody else; a second time is refused', () => {
  const shared: { capability: readonly number[] } = { capability: [] };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        shared.capability = yield* raw.granted('self');
        const child = yield* embryo(raw);
        expect(yield* raw.code('env_free', ...child.capability, 77)).toBe(0);
        expect(yield* raw.code('env_free', ...child.capability, 78)).toBe(ERRORS.E_CAP);
        expect(yield* set(raw, child, ENV.prologue, 0x2000)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('frame_hold', ...child.capability, ...(yield* raw.frame()).capability)).toBe(
          ERRORS.E_CAP,
        );
        yield* raw.sleep(3);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        const [head = 0, name = 0, low = 0, high = 0] = shared.capability;
        expect(yield* raw.code('env_free', head, name, low ^ 4, high, 1)).toBe(ERRORS.E_CAP);
        // With the true capability it is a right like any other.
        expect(yield* raw.code('env_free', head, name, low, high, 99)).toBe(0);
        // With its own it is the end.
        yield* raw.code('env_free', ...(yield* raw.granted('self')), 11);
        return 1;
      },
    }),
  ]);
  const outcome = booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(outcome.map(({ death, exit }) => [death, exit])).toEqual([
    [DEATHS.destroyed, 99],
    [DEATHS.exit, 11],
  ]);
  expect(booted.aegis.environment(2)).toMatchObject({ death: DEATHS.destroyed, exit: 77, parent: 0, name: 'raw/2' });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

/** What one family that is alone can have: others are guaranteed the rest. */
const MOST = ENV_LIMIT - QUOTAS.environments.minimum;

/** A new environment in a record below `limit`, all of which have been used. */
function* reused(raw: Raw, limit: number): Fiber<Answer> {
  for (;;) {
    const next = yield* raw.call('env_alloc');
    if (next.value < limit) return next;
    yield* raw.code('env_free', ...next.capability, 0);
  }
}

test('so many environments of one family, then E_NONE; the dead are replaced with a new generation; all is counted anew', () => {
  const booted = runRaw(
    function* (raw) {
      const children = new Map<number, Child>();
      for (let i = 1; i < MOST; i += 1) {
        const { code, value, capability } = yield* raw.call('env_alloc');
        expect(code).toBe(0);
        children.set(value, { env: value, capability: [...capability] });
      }
      expect([...children.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: MOST - 1 }, (_, i) => i + 1));
      expect(yield* raw.code('env_alloc')).toBe(ERRORS.E_NONE);
      const old = children.get(30);
      if (old === undefined) return 1;
      expect(yield* raw.code('env_free', ...old.capability, 0)).toBe(0);
      // Records that were never used come first.
      const again = yield* reused(raw, MOST);
      expect(again.value).toBe(30);
      expect(yield* raw.code('env_free', ...old.capability, 0)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('env_free', ...again.capability, 0)).toBe(0);
      return 0;
    },
    { alone: true },
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.environments()).toHaveLength(ENV_LIMIT);
});

test('names and counts are those of the tenant, also when parents and children follow each other in one record', () => {
  const grandchild = { name: '' };
  const booted = runRaw(function* (raw) {
    const children: Child[] = [];
    for (let i = 2; i < 100; i += 1) {
      const { value, capability } = yield* raw.call('env_alloc');
      children.push({ env: value, capability: [...capability] });
    }
    for (const { capability } of children) yield* raw.code('env_free', ...capability, 0);
    const again = yield* reused(raw, 100);
    grandchild.name = `raw/${again.value}`;
    return again.value;
  });
  const info = booted.aegis.environment(booted.aegis.environment(0).exit);
  expect(info).toMatchObject({
    name: grandchild.name,
    libos: 'none',
    // It was not started when its maker ended.
    status: 'dead',
    instructions: 0,
    systemCalls: 0,
  });
});

test('a parent is told that its child has ended', () => {
  runRaw(function* (raw) {
    const child = yield* embryo(raw);
    yield* raw.routine('kit.yield', -1);
    expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
    yield* raw.routine('kit.sleep', 0);
    return 0;
  });
});

test('native functions that cannot be made are E_CODE, and nothing of the child is left', () => {
  let made = 0;
  const image = rawImage({ main: (raw) => raw.code('env_alloc') });
  const booted = boot([
    {
      ...image,
      natives: (env) => {
        made += 1;
        if (made > 1) throw new TypeError('no second time');
        return image.natives(env);
      },
    },
  ]);
  const [info] = booted.finish(0);
  expect(info).toMatchObject({ death: DEATHS.exit, exit: ERRORS.E_CODE });
  expect(booted.aegis.environments()).toHaveLength(1);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('what was made and not started ends with its maker: no record and no frame is lost; what was started lives on', () => {
  const maker = rawImage({
    main: function* (raw) {
      for (let i = 0; i < 5; i += 1) {
        const child = yield* embryo(raw);
        expect(yield* raw.code('slice_alloc', ...child.capability, -1)).toBe(0);
      }
      const child = yield* embryo(raw);
      yield* set(raw, child, ENV.prologue, 0x2000);
      expect(yield* set(raw, child, ENV.status, ENV_STATUS.runnable)).toBe(0);
      return 0;
    },
  });
  const booted = boot([maker]);
  const free = booted.aegis.framesFree;
  booted.finish(0);
  const statuses = booted.aegis.environments().map(({ status }) => status);
  expect(statuses).toEqual(['dead', ...Array.from({ length: 5 }, () => 'dead'), 'runnable']);
  expect(booted.aegis.environment(6).parent).toBeUndefined();
  // The maker's own frames, less the u-page of the one that lives.
  expect(booted.aegis.framesFree).toBeGreaterThan(free);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a child made by hand runs, with the memory that its parent gave it', () => {
  const booted = runRaw(
    function* (raw) {
      const child = yield* embryo(raw);
      const text = yield* raw.segment(0);
      expect(yield* raw.code('env_map', ...child.capability, ...text, 0x2000)).toBe(0);
      const text2 = yield* raw.segment(1);
      expect(yield* raw.code('env_map', ...child.capability, ...text2, 0x3000)).toBe(0);
      const start = yield* raw.routine('where');
      expect(yield* set(raw, child, ENV.prologue, start)).toBe(0);
      expect(yield* raw.code('slice_alloc', ...child.capability, -1)).toBe(0);
      expect(yield* set(raw, child, ENV.status, ENV_STATUS.runnable)).toBe(0);
      yield* raw.routine('kit.sleep', 0);
      return child.env;
    },
    {
      alone: true,
      emit: (a) => {
        a.label('where');
        a.la(V0, 'child');
        a.ret();
        a.nop();
        a.label('child');
        a.li(T0, 123);
        for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
        a.li(V0, CALLS.env_free.number);
        a.syscall(0);
      },
    },
  );
  expect(booted.aegis.environment(1)).toMatchObject({ death: DEATHS.exit, exit: 123, parent: 0 });
});

describe('an image that cannot be is the host’s mistake, and nothing is left of it', () => {
  const good = rawImage({ main: (raw) => raw.code('null') });
  const booted = boot([]);
  const free = booted.aegis.framesFree;
  const slices = (count: number, contiguous = false): Partial<Image> => ({ slices: { count, contiguous } });

  test.each<[string, Partial<Image>, string]>([
    ['a page twice', { uPage: 0x2000 }, 'image'],
    ['a page in kernel space', { uPage: 0x80001000 }, 'image'],
    ['an odd page', { uPage: 0x1004 }, 'image'],
    ['no prologue', { prologue: 0 }, 'image'],
    ['an entry in kernel space', { epilogue: 0x80000000 }, 'image'],
    ['a handler of system calls', { exceptionPc: new Map([[8, 0x2000]]) }, 'image'],
    ['a serial line that is none', { serialLine: 4 }, 'image'],
    ['a frame of more than a page', { frames: [new Uint8Array(4097)] }, 'image'],
    ['words outside its pages', { words: () => new Map([[0xa000, 1]]) }, 'image'],
    ['half a slice', slices(0.5), 'image'],
    ['less than no slices', slices(-1), 'image'],
    ['too many slices', slices(65), 'slices'],
    ['too long a run of slices', slices(65, true), 'slices'],
    ['too many pages', { frames: Array.from({ length: 5000 }, () => new Uint8Array(0)) }, 'frames'],
  ])('%s', (_, spoilt, code) => {
    let thrown: unknown;
    try {
      booted.aegis.load({ ...good, ...spoilt });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AegisError);
    expect((thrown as AegisError).code).toBe(code);
    expect(booted.aegis.framesFree).toBe(free);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a second kernel on one machine, a kernel on one that has run, and on one with too little memory', () => {
    const codeOf = (machine: Machine): string | undefined => {
      try {
        new Aegis(machine);
        return undefined;
      } catch (error) {
        return error instanceof AegisError ? error.code : String(error);
      }
    };
    expect(codeOf(booted.machine)).toBe('machine');
    const fresh = new Machine();
    expect([codeOf(fresh), codeOf(fresh)]).toEqual([undefined, 'machine']);
    const used = new Machine();
    used.run(10);
    expect(codeOf(used)).toBe('machine');
    const small = new Machine({ ramBytes: 0x100000 });
    expect([codeOf(small), codeOf(small)]).toEqual(['memory', 'memory']);
  });

  test.each([-1, 128, 1.5, Number.NaN])('and there is no environment %d to ask about', (id) => {
    expect(() => booted.aegis.environment(id)).toThrow(AegisError);
  });

  test('a record that nobody used is free', () => {
    expect(booted.aegis.environment(62)).toMatchObject({ status: 'free', slices: 0 });
  });

  test('and a good one runs afterwards', () => {
    const env = booted.aegis.load(good);
    expect(booted.finish(env)[0]).toMatchObject({ death: DEATHS.exit, exit: 0 });
  });
});
