/** Message handlers in the kernel: what they may do, and what becomes of those that try more. [SOSP95 §5.5.2], [ASH96] */
import { ENV, ERRORS, EXPOSED, FILTER, RIGHTS, TICKS_PER_SECOND } from '@exokernel/abi';
import { CONSUME, UPCALL, defineHandler, encodeHandler, type Handler, type HandlerBuilder } from '@exokernel/ash';
import { add } from '@exokernel/vcode';
import { describe, expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { HANDLER_LIMIT, KP } from '../src/layout.ts';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  type RawFrame,
  rawImage,
  WINDOW,
} from '../../testkit/src/index.ts';
import {
  bindFilter,
  download,
  makeRing,
  outside,
  packet,
  take,
  type Outside,
  type RawFilter,
  type RawRing,
} from './network.ts';

const TYPE = 0x9000;
/** What the machine under test can be made to do from outside. */
const kernel: { take?: (ppn: number) => void } = {};

function handler(write: (h: HandlerBuilder) => void, windowBytes = 4096): Handler {
  return defineHandler('tested', { windowBytes }, write);
}

/** Attaches a handler with a window. */
function* attach(raw: Raw, filter: RawFilter, window: RawFrame, one: Handler | Uint8Array): Fiber<number> {
  const bytes = one instanceof Uint8Array ? one : encodeHandler(one);
  const { code: failed } = yield* raw.call('ash_window', ...filter.capability, ...window.capability, 0);
  if (failed < 0) return failed;
  return yield* download(raw, bytes, (code) =>
    raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
  );
}

interface Setting {
  readonly raw: Raw;
  readonly net: Outside;
  readonly ring: RawRing;
  readonly filter: RawFilter;
  /** The handler's memory, mapped at WINDOW. */
  readonly window: RawFrame;
}

/** Runs an environment with a ring, a filter for TYPE and a window; others beside it if there are any. */
function run(
  main: (setting: Setting) => Fiber<number>,
  ...others: ((raw: Raw) => Fiber<number>)[]
): { booted: Booted; net: Outside } {
  const net = outside();
  const first = rawImage({
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, TYPE);
      const window = yield* raw.frame();
      expect(yield* raw.code('env_map', 0, 0, 0, 0, ...window.capability, WINDOW | 1)).toBe(0);
      return yield* main({ raw, net, ring, filter, window });
    },
  });
  const booted = boot([first, ...others.map((other) => rawImage({ main: other }))], net.machine);
  kernel.take = (ppn) => {
    booted.aegis.parts.filters.releaseFrame(0, ppn);
  };
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return { booted, net };
}

/** Counters of the filter with number 0, which are left when its environment is dead. */
function counters({ machine }: Booted): { accepted: number; consumed: number; aborted: number } {
  const word = (field: number): number => machine.memory.load32(EXPOSED.filters + field);
  return { accepted: word(FILTER.accepted), consumed: word(FILTER.consumed), aborted: word(FILTER.aborted) };
}

describe('what cannot be attached', () => {
  test('junk, half a handler, too large a window, too much code', () => {
    run(function* ({ raw, filter, window }) {
      const good = encodeHandler(handler((h) => h.consume()));
      let seed = 7;
      const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
      for (let i = 0; i < 60; i += 1) {
        const junk = Uint8Array.from({ length: random() % 80 }, () => random() & 0xff);
        expect(yield* attach(raw, filter, window, junk)).toBe(ERRORS.E_CODE);
        const bent = good.slice();
        bent[random() % bent.length] = random() & 0xff;
        expect([0, ERRORS.E_CODE]).toContain(yield* attach(raw, filter, window, bent));
      }
      for (let cut = 0; cut < good.length; cut += 1) {
        expect(yield* attach(raw, filter, window, good.subarray(0, cut))).toBe(ERRORS.E_CODE);
      }
      expect(
        yield* attach(
          raw,
          filter,
          window,
          handler((h) => h.pass(), 4097),
        ),
      ).toBe(ERRORS.E_CODE);
      // Short to write, long in machine code.
      const long = encodeHandler(
        handler((h) => {
          for (let i = 0; i < 200; i += 1) h.code.store(h.window, 4, 'little', 4 * i, h.message.be32(4 * i + 1));
        }),
      );
      expect(long.length).toBeLessThan(4096);
      expect(yield* attach(raw, filter, window, long)).toBe(ERRORS.E_CODE);
      return 0;
    });
  });

  test('with a capability that is none; with a window that is only to be read; more than there is room for', () => {
    const shared = { name: -1, done: false };
    run(
      function* ({ raw, filter, window, ring }) {
        const good = handler((h) => h.consume());
        while (shared.name < 0) yield* raw.sleep(1);
        const [head, , low, high] = filter.capability;
        for (const other of [-1, 255, 256, 1000, shared.name]) {
          const forged: RawFilter = { filter: other, capability: [head, other, low, high] };
          expect(yield* attach(raw, forged, window, good)).toBe(ERRORS.E_CAP);
        }
        const readOnly = yield* raw.call('cap_derive', ...window.capability, RIGHTS.read, 0);
        expect(yield* raw.code('ash_window', ...filter.capability, ...readOnly.capability, 0)).toBe(ERRORS.E_CAP);
        // The other family is guaranteed one, and one that is still to come.
        for (let i = 0; i < HANDLER_LIMIT - 2 * QUOTAS.handlers.minimum; i += 1) {
          const more = i === 0 ? filter : yield* bindFilter(raw, ring.capability, 0xa000 + i);
          expect(yield* attach(raw, more, window, good)).toBe(0);
        }
        const last = yield* bindFilter(raw, ring.capability, 0xb000);
        expect(yield* attach(raw, last, window, good)).toBe(ERRORS.E_NONE);
        // A place is free again when a filter is.
        expect(yield* raw.code('filter_free', ...filter.capability)).toBe(0);
        expect(yield* attach(raw, last, window, good)).toBe(0);
        expect(yield* attach(raw, filter, window, good)).toBe(ERRORS.E_CAP);
        shared.done = true;
        return 0;
      },
      function* (raw) {
        const ring = yield* makeRing(raw, false);
        shared.name = (yield* bindFilter(raw, ring.capability, 0x9999)).filter;
        while (!shared.done) yield* raw.sleep(1);
        return 0;
      },
    );
  });

  test('who holds the capability of another’s filter attaches to it; a filter that gets copies has no handler', () => {
    const shared: { filter: RawFilter | undefined; done: boolean } = { filter: undefined, done: false };
    const { booted } = run(
      function* ({ raw, net: { send } }) {
        while (shared.filter === undefined) yield* raw.sleep(1);
        const window = yield* raw.frame();
        expect(
          yield* attach(
            raw,
            shared.filter,
            window,
            handler((h) => h.consume()),
          ),
        ).toBe(0);
        send(packet(0x9999));
        yield* raw.sleep(2);
        shared.done = true;
        return 0;
      },
      function* (raw) {
        const ring = yield* makeRing(raw, false);
        const copies = yield* bindFilter(raw, ring.capability, 0x8888, 'all');
        const good = handler((h) => h.consume(), 0);
        expect(yield* attach(raw, copies, yield* raw.frame(), good)).toBe(ERRORS.E_RANGE);
        shared.filter = yield* bindFilter(raw, ring.capability, 0x9999);
        while (!shared.done) yield* raw.sleep(1);
        return yield* raw.fibers.load(ring.slot(0));
      },
    );
    booted.runUntil(() => booted.aegis.environment(1).status === 'dead');
    expect(booted.aegis.environment(1)).toMatchObject({ exit: 0, packetsIn: 1 });
  });
});

describe('windows', () => {
  test('grow by the frames that follow each other physically, up to four; a handler has all of them', () => {
    const { booted } = run(function* ({ raw, net: { send }, filter }) {
      const base = 0x400;
      const frames: RawFrame[] = [];
      for (let i = 0; i < 5; i += 1) frames.push(yield* raw.frame(base + i));
      const window = (i: number, append: number): Fiber<{ code: number; value: number }> =>
        raw.call('ash_window', ...filter.capability, ...(frames[i]?.capability ?? [0, 0, 0, 0]), append);
      // Nothing to append to; then not the next.
      expect(yield* window(0, 1)).toMatchObject({ code: ERRORS.E_RANGE });
      expect(yield* window(0, 0)).toMatchObject({ code: 0, value: 1 });
      for (const [i, append] of [
        [0, 1],
        [2, 1],
        [1, 2],
        [1, -1],
      ] as const) {
        expect(yield* window(i, append)).toMatchObject({ code: ERRORS.E_RANGE });
      }
      const wide = handler((h) => {
        h.code.store(h.window, 4, 'little', 3 * 4096, 0x600d);
        h.consume();
      }, 4 * 4096);
      const attached = (): Fiber<number> =>
        download(raw, encodeHandler(wide), (code) =>
          raw.code('ash_attach', ...filter.capability, ...code.capability, encodeHandler(wide).length),
        );
      expect(yield* attached()).toBe(ERRORS.E_CODE);
      for (let i = 1; i < 4; i += 1) expect(yield* window(i, 1)).toMatchObject({ code: 0, value: i + 1 });
      expect(yield* window(4, 1)).toMatchObject({ code: ERRORS.E_RANGE });
      expect(yield* attached()).toBe(0);
      send(packet(TYPE));
      yield* raw.sleep(2);
      expect(yield* raw.bind(WINDOW + 0x4000, frames[3] as RawFrame)).toBe(0);
      expect(yield* raw.peek(WINDOW + 0x4000)).toBe(0x600d);
      // The window shrinks under the handler: what it wants is not there any more.
      expect(yield* window(0, 0)).toMatchObject({ code: 0, value: 1 });
      send(packet(TYPE));
      yield* raw.sleep(2);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 2, consumed: 1, aborted: 1 });
  });

  test('what a handler did to its window before it was stopped stands', () => {
    const { booted } = run(function* ({ raw, net: { send }, filter, window }) {
      const half = handler((h) => {
        h.code.store(h.window, 4, 'little', 0, 7);
        h.code.abort(100);
      });
      expect(yield* attach(raw, filter, window, half)).toBe(0);
      send(packet(TYPE));
      yield* raw.sleep(2);
      expect(yield* raw.fibers.load(WINDOW)).toBe(7);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 0, aborted: 1 });
  });

  test('a frame that is taken away takes handler and window along; the packets take the normal path', () => {
    const { booted } = run(function* ({ raw, net: { send }, filter, window, ring }) {
      expect(
        yield* attach(
          raw,
          filter,
          window,
          handler((h) => h.consume()),
        ),
      ).toBe(0);
      kernel.take?.(window.ppn);
      send(packet(TYPE));
      expect((yield* take(raw, ring, 0)).filter).toBe(filter.filter);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 0, aborted: 0 });
  });
});

describe('verdicts', () => {
  test('pass: as if there were no handler', () => {
    const { booted } = run(function* ({ raw, net, ring, filter, window }) {
      expect(
        yield* attach(
          raw,
          filter,
          window,
          handler((h) => h.pass()),
        ),
      ).toBe(0);
      net.send(packet(TYPE));
      expect([...(yield* take(raw, ring, 0)).packet]).toEqual([...packet(TYPE)]);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 0, aborted: 0 });
    expect(booted.aegis.environment(0).packetsIn).toBe(1);
  });

  test('consume: the window is written, the ring is not, nobody is woken', () => {
    const counting = handler((h) => {
      h.code.store(h.window, 4, 'little', 8, add(h.window.le32(8), 1));
      h.consume();
    });
    const { booted, net } = run(function* ({ raw, net: { send }, ring, filter, window }) {
      expect(yield* attach(raw, filter, window, counting)).toBe(0);
      for (let i = 0; i < 3; i += 1) send(packet(TYPE));
      yield* raw.sleep(3);
      expect(yield* raw.fibers.load(WINDOW + 8)).toBe(3);
      expect(yield* raw.fibers.load(ring.slot(0))).toBe(0);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 3, consumed: 3, aborted: 0 });
    expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 3, packetsDropped: 0 });
    expect(net.received).toEqual([]);
  });

  test('upcall: the application gets the packet too, counted once', () => {
    const { booted } = run(function* ({ raw, net, ring, filter, window }) {
      expect(
        yield* attach(
          raw,
          filter,
          window,
          handler((h) => h.upcall()),
        ),
      ).toBe(0);
      net.send(packet(TYPE));
      expect((yield* take(raw, ring, 0)).filter).toBe(filter.filter);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 1, aborted: 0 });
    expect(booted.aegis.environment(0).packetsIn).toBe(1);
  });

  test('a reply is on the wire, as long as the handler says, also when the environment does not run', () => {
    const answering = handler((h) => {
      h.code.store(h.reply, 4, 'little', 0, h.message.le32(0));
      h.code.store(h.reply, 2, 'big', 12, 0x9001);
      h.code.store(h.reply, 4, 'big', 96, 0xdeadbeef);
      h.consume(100);
    });
    const { booted, net } = run(function* ({ raw, net: { send }, filter, window }) {
      expect(yield* attach(raw, filter, window, answering)).toBe(0);
      send(packet(TYPE));
      yield* raw.sleep(3);
      return 0;
    });
    expect(net.received.map((one) => one.length)).toEqual([100]);
    const [reply = new Uint8Array()] = net.received;
    expect([...reply.subarray(0, 4), ...reply.subarray(12, 14)]).toEqual([...packet(TYPE).subarray(0, 4), 0x90, 0x01]);
    expect([...reply.subarray(96)]).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect(booted.aegis.environment(0).packetsOut).toBe(1);
  });

  test.each([
    ['3', 3],
    ['255', 255],
    ['256 more than consume', 0x100 | CONSUME],
    ['a reply of 1515 bytes', (1515 << 16) | CONSUME],
    ['a reply of 65535 bytes', ((0xffff << 16) | UPCALL) >>> 0],
  ])('a result that is none (%s) is an abort: the packet takes the normal path, nothing is sent', (_, result) => {
    const { booted, net } = run(function* ({ raw, net: { send }, ring, filter, window }) {
      expect(
        yield* attach(
          raw,
          filter,
          window,
          handler((h) => h.code.return(result)),
        ),
      ).toBe(0);
      send(packet(TYPE));
      yield* take(raw, ring, 0);
      yield* raw.sleep(1);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 0, aborted: 1 });
    expect(net.received).toEqual([]);
  });
});

describe('aborts: the packet takes the normal path', () => {
  const forever = handler((h) => {
    const i = h.code.local('i', 0);
    h.code.while(1, () => {
      h.code.set(i, add(i, 1));
    });
    h.consume();
  });

  test.each([
    ['it never ends', forever],
    ['it gives up', handler((h) => h.code.abort(100))],
    [
      'it reads behind the message',
      handler((h) => {
        h.code.store(h.window, 4, 'little', 0, h.message.be32(1600));
        h.consume();
      }),
    ],
    [
      'it writes behind its window',
      handler((h) => {
        h.code.store(h.window, 4, 'little', add(h.message.u8(14), 4096), 1);
        h.consume();
      }),
    ],
    [
      'it writes far before its window',
      handler((h) => {
        h.code.store(h.window, 4, 'little', add(h.message.u8(14), 0xfffff000), 1);
        h.consume();
      }),
    ],
    [
      'it writes behind its reply',
      handler((h) => {
        h.code.store(h.reply, 1, 'little', add(h.message.u8(14), 1514), 1);
        h.consume(60);
      }),
    ],
  ])('when %s', (_, one) => {
    const { booted, net } = run(function* ({ raw, net: { send }, ring, filter, window }) {
      expect(yield* attach(raw, filter, window, one)).toBe(0);
      send(packet(TYPE));
      expect([...(yield* take(raw, ring, 0)).packet]).toEqual([...packet(TYPE)]);
      return 0;
    });
    expect(counters(booted)).toEqual({ accepted: 1, consumed: 0, aborted: 1 });
    expect(net.received).toEqual([]);
  });

  test('packets that keep the kernel busy without end do not keep out the clock, nor those with slices', () => {
    const shared = { ready: false, turns: 0, flooding: true };
    const net = outside();
    const booted = boot(
      [
        rawImage({
          main: function* (raw) {
            const ring = yield* makeRing(raw, false);
            const filter = yield* bindFilter(raw, ring.capability, TYPE);
            const window = yield* raw.frame();
            expect(yield* attach(raw, filter, window, forever)).toBe(0);
            shared.ready = true;
            for (;;) yield* raw.sleep(1);
          },
        }),
        rawImage({
          main: function* (raw) {
            for (;;) {
              yield* raw.sleep(1);
              shared.turns += 1;
            }
          },
        }),
      ],
      net.machine,
    );
    expect(booted.runUntil(() => shared.ready)).toBe(true);
    // About 15,000 packets a second, 20,000 instructions each: twelve times what the processor can do.
    const from = booted.aegis.parts.memory.kernelPage(KP.tick);
    booted.runUntil(() => {
      for (let i = 0; i < 32; i += 1) net.send(packet(TYPE));
      return false;
    }, 0.25);
    const ticks = booted.aegis.parts.memory.kernelPage(KP.tick) - from;
    expect(ticks).toBeGreaterThan((0.25 * TICKS_PER_SECOND) / 2);
    expect(booted.aegis.parts.memory.env(1, ENV.slices)).toBeGreaterThan(2);
  });
});

test('a window that nobody holds any more takes its handler along, and is its next holder’s alone', () => {
  const { booted } = run(function* ({ raw, net: { send }, filter, window }) {
    const writing = handler((h) => {
      h.code.store(h.window, 4, 'little', 0, 0xbad);
      h.consume();
    });
    expect(yield* attach(raw, filter, window, writing)).toBe(0);
    expect(yield* raw.code('frame_free', ...window.capability)).toBe(0);
    expect(yield* attach(raw, filter, window, writing)).toBe(ERRORS.E_CAP);
    const next = yield* raw.frame(window.ppn);
    expect(yield* raw.bind(WINDOW, next)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(0);
    send(packet(TYPE));
    yield* raw.sleep(2);
    expect(yield* raw.peek(WINDOW)).toBe(0);
    return 0;
  });
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});

test('a handler finds nothing of the replies of the one before in its place', () => {
  run(function* ({ raw, net: { send }, filter, window, ring }) {
    const secret = handler((h) => {
      h.code.store(h.reply, 4, 'little', 200, 0x5ec2e7);
      h.consume();
    });
    expect(yield* attach(raw, filter, window, secret)).toBe(0);
    send(packet(TYPE));
    yield* raw.sleep(2);
    expect(yield* raw.code('filter_free', ...filter.capability)).toBe(0);
    const next = yield* bindFilter(raw, ring.capability, TYPE);
    const spy = handler((h) => {
      h.code.store(h.window, 4, 'little', 0, h.reply.le32(200));
      h.code.store(h.window, 4, 'little', 4, 1);
      h.consume();
    });
    expect(yield* attach(raw, next, window, spy)).toBe(0);
    send(packet(TYPE));
    yield* raw.sleep(2);
    expect([yield* raw.fibers.load(WINDOW), yield* raw.fibers.load(WINDOW + 4)]).toEqual([0, 1]);
    return 0;
  });
});
