/**
 * Code that the kernel or a device replaces while it is hot: a handler, the filters, a predicate, a frame that is freed, a window,
 * a page that the disk fills. What was translated before is never executed again, in one long run or in many short ones.
 */
import { ENV, EXPOSED, FILTER, FILTER_BYTES } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { memoryStore, type BlockStore, type Engine } from '@exokernel/hardware';
import { A0, RA, S0, S1, SP, V0, ZERO, createAssembler, type Assembler } from '@exokernel/isa';
import { add, shl, xor } from '@exokernel/vcode';
import { describe, expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  encodePredicate,
  rawImage,
  WINDOW,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { bindFilter, makeRing, MAC, outside, packet } from './network.ts';

/** Cycles of one run: all at once, what a page in a browser runs, what the other tests run, and odd ones. */
const STEPS = [1_000_000_000, 250_000, 25_000, 777] as const;
const LIMIT = 400_000_000;

/** Runs until environment 0 is dead. Returns its exit word and what the engines must agree about. */
function run(
  image: RawImage,
  engine: Engine,
  step: number,
  more: (booted: Booted) => () => unknown,
  disk?: BlockStore,
): unknown {
  const net = outside();
  const booted = boot([image], {
    ...net.machine,
    engine,
    translation: { after: 16 },
    ...(disk === undefined ? {} : { disk: { store: disk } }),
  });
  const after = more(booted);
  const { machine, aegis } = booted;
  while (aegis.environment(0).status !== 'dead' && machine.cycles < LIMIT) {
    machine.run(Math.min(step, LIMIT - machine.cycles));
  }
  const { status, death, exit, instructions, cycles, packetsIn, slices } = aegis.environment(0);
  expect(machine.native.lastError).toBeUndefined();
  return {
    status,
    death,
    exit,
    instructions,
    cycles,
    packetsIn,
    slices,
    after: after(),
  };
}

/** `step` after `step`, engine by engine: all the same, and the exit word is right. */
function agree(
  image: () => RawImage,
  exit: number,
  more: (booted: Booted) => () => unknown = () => () => undefined,
  disk?: () => BlockStore,
): void {
  const reference = run(image(), 'interpreter', 25_000, more, disk?.());
  expect(reference).toMatchObject({ status: 'dead', exit });
  for (const step of STEPS) expect([step, run(image(), 'translator', step, more, disk?.())]).toEqual([step, reference]);
}

/** Packets of a type, to this machine itself: a fiber that sends one. */
function* sender(raw: Raw, type: number): Fiber<() => Fiber<void>> {
  const ring = yield* makeRing(raw, true, 1, WINDOW + 0x200000);
  yield* raw.fibers.write(ring.buffer(0), packet(type));
  let slot = 0;
  return function* () {
    yield* raw.fibers.store(ring.slot(slot) + 8, ring.at(0));
    yield* raw.fibers.store(ring.slot(slot), 64);
    slot = 1 - slot;
    while ((yield* raw.call('xmit', ring.ring)).value === 0) yield* raw.sleep(1);
  };
}

interface Handled {
  readonly filter: readonly number[];
  readonly window: RawFrame;
  readonly send: () => Fiber<void>;
  readonly attach: (code: Uint8Array) => Fiber<void>;
}

/** A filter with a window, packets for it, and a way to give it a handler. */
function* handled(raw: Raw): Fiber<Handled> {
  const ring = yield* makeRing(raw, false);
  const { capability: filter } = yield* bindFilter(raw, ring.capability, 0x9000);
  const window = yield* raw.frame();
  expect(yield* raw.call('ash_window', ...filter, ...window.capability, 0)).toMatchObject({ code: 0 });
  const send = yield* sender(raw, 0x9000);
  const frames = new Map<Uint8Array, RawFrame>();
  return {
    filter,
    window,
    send,
    *attach(code) {
      const frame = frames.get(code) ?? (yield* raw.frame());
      if (!frames.has(code)) yield* raw.fill(frame, code);
      frames.set(code, frame);
      expect(yield* raw.code('ash_attach', ...filter, ...frame.capability, code.length)).toBe(0);
    },
  };
}

/** Writes words to its window in a loop, and a bad one. */
const SPY = encodeHandler(
  defineHandler('one', {}, (h) => {
    h.code.for('i', 8, (i) => {
      h.code.store(h.reply, 4, 'little', shl(i, 2), h.window.le32(shl(i, 2)));
    });
    h.code.store(h.window, 4, 'little', 0, 0xbad);
    h.consume();
  }),
);
/** Counts in its window. */
const COUNTER = encodeHandler(
  defineHandler('two', {}, (h) => {
    h.code.store(h.window, 4, 'little', 60, add(h.window.le32(60), 1));
    h.consume();
  }),
);

describe('handlers', () => {
  test('two that take turns at one place: each does what it does', () => {
    const image = (): RawImage =>
      rawImage({
        *main(raw) {
          const { window, send, attach } = yield* handled(raw);
          yield* attach(SPY);
          for (let i = 0; i < 40; i += 1) yield* send();
          let wrong = 0;
          for (let round = 1; round <= 8; round += 1) {
            // The first time at the other place, then here.
            yield* attach(COUNTER);
            yield* attach(COUNTER);
            yield* send();
            yield* raw.bind(WINDOW, window);
            if ((yield* raw.peek(WINDOW + 60)) !== round) wrong += 1;
            yield* attach(SPY);
            yield* attach(SPY);
            for (let i = 0; i < 20; i += 1) yield* send();
          }
          return wrong;
        },
      });
    agree(image, 0);
  });

  test('what one leaves in registers is never another’s index, value or bound', () => {
    const old = encodeHandler(
      defineHandler('old', {}, (h) => {
        const c = h.code;
        const words = Array.from({ length: 8 }, (_, i) => c.local(`l${i}`, h.window.le32(4 * i)));
        // The load from the controller leaves the translation, and would come back into the other handler.
        const s = c.local('s', h.message.u8(20));
        for (let k = 0; k < 2; k += 1) for (const word of words) c.set(s, xor(s, word));
        c.return(1);
      }),
    );
    const young = encodeHandler(
      defineHandler('new', {}, (h) => {
        const c = h.code;
        const index = c.local('index', h.message.le32(16));
        const value = c.local('value', h.message.le32(20));
        const pad = c.local('pad', 1);
        for (let i = 0; i < 10; i += 1) c.set(pad, add(pad, 3));
        c.store(h.window, 4, 'little', index, value);
        h.consume();
      }),
    );
    const shared = { target: 0 };
    const image = (): RawImage =>
      rawImage({
        *main(raw) {
          const { window, send, attach } = yield* handled(raw);
          yield* raw.fill(
            window,
            new Uint8Array(new Uint32Array([0, 0, 0x42424242, shared.target, 0x7fffffff]).buffer),
          );
          yield* attach(old);
          for (let i = 0; i < 60; i += 1) yield* send();
          for (let round = 0; round < 10; round += 1) {
            yield* attach(young);
            yield* attach(young);
            yield* send();
            yield* attach(old);
            yield* attach(old);
            yield* send();
          }
          return 0;
        },
      });
    agree(image, 0, ({ aegis, machine }) => {
      const victim = aegis.load(bystander());
      const watch = new BystanderWatch(aegis, victim);
      const ppn = aegis.parts.frames.heldBy(victim).find((one) => machine.memory.load32(4096 * one) === 0x200000) ?? 0;
      shared.target = (0x80000000 + 4096 * ppn + 0x100) >>> 0;
      return () => {
        watch.look();
        return watch.damage();
      };
    });
  });

  test('a window that is exchanged: the handler writes to the new one', () => {
    const image = (): RawImage =>
      rawImage({
        *main(raw) {
          const { filter, send, attach } = yield* handled(raw);
          yield* attach(COUNTER);
          for (let i = 0; i < 40; i += 1) yield* send();
          const other = yield* raw.frame();
          yield* raw.call('ash_window', ...filter, ...other.capability, 0);
          for (let i = 0; i < 7; i += 1) yield* send();
          yield* raw.bind(WINDOW, other);
          return (yield* raw.peek(WINDOW + 60)) ?? -1;
        },
      });
    agree(image, 7);
  });
});

test('filters that are merged anew while they are hot', () => {
  const image = (): RawImage =>
    rawImage({
      *main(raw) {
        const ring = yield* makeRing(raw, false);
        yield* bindFilter(raw, ring.capability, 0x9000);
        const send = yield* sender(raw, 0x9001);
        for (let i = 0; i < 40; i += 1) yield* send();
        yield* bindFilter(raw, ring.capability, 0x9001);
        for (let i = 0; i < 10; i += 1) yield* send();
        return 0;
      },
    });
  const accepted =
    ({ machine }: Booted) =>
    () =>
      [0, 1].map((id) => machine.memory.load32(EXPOSED.filters + id * FILTER_BYTES + FILTER.accepted));
  agree(image, 0, accepted);
  expect(run(image(), 'translator', 1_000_000_000, accepted)).toMatchObject({ after: [0, 10] });
});

test('a predicate that is exchanged while it is hot', () => {
  const image = (): RawImage =>
    rawImage({
      *main(raw) {
        const page = yield* raw.frame();
        yield* raw.code('env_map', 0, 0, 0, 0, ...page.capability, WINDOW | 1);
        const code = yield* raw.frame();
        const set = function* (at: number, tag: number): Fiber<void> {
          const left = { physical: 4096 * page.ppn + at, capability: page.capability };
          const bytes = encodePredicate([{ tag, terms: [{ left, operator: 'eq', right: 1 }] }]);
          yield* raw.bind(WINDOW + 0x5000, code);
          yield* raw.fibers.write(WINDOW + 0x5000, bytes);
          yield* raw.code('tlbvad', WINDOW + 0x5000);
          expect(yield* raw.code('wake_set', ...code.capability, bytes.length)).toBe(0);
        };
        const { value: now } = yield* raw.call('tick');
        // Not true: asked at each of its slices.
        yield* set(0, 3);
        yield* raw.routine('kit.sleep', now + 80);
        // Of another word, at the same place: the first is true now and must not wake.
        yield* raw.fibers.store(WINDOW, 1);
        yield* set(4, 5);
        const { value: then } = yield* raw.call('tick');
        yield* raw.routine('kit.sleep', then + 20);
        return (yield* raw.call('tick')).value - then;
      },
    });
  agree(
    image,
    20,
    ({ aegis }) =>
      () =>
        aegis.parts.memory.env(0, ENV.wakeTag),
  );
});

/** A function that returns a number. */
function returning(value: number): Uint8Array {
  const a = createAssembler(0);
  a.ret();
  a.li(V0, value);
  return new Uint8Array(Uint32Array.from(a.assemble().words).buffer);
}

/** Calls the function at a0 so often that it is hot. Returns what it returned last. */
function emitHot(a: Assembler): void {
  a.label('hot');
  a.addiu(SP, SP, -16);
  a.sw(RA, 0, SP);
  a.sw(S0, 4, SP);
  a.sw(S1, 8, SP);
  a.move(S0, A0);
  a.li(S1, 200);
  a.label('hot.next');
  a.jalr(RA, S0);
  a.move(V0, ZERO);
  a.addiu(S1, S1, -1);
  a.bnez(S1, 'hot.next');
  a.nop();
  a.lw(RA, 0, SP);
  a.lw(S0, 4, SP);
  a.lw(S1, 8, SP);
  a.ret();
  a.addiu(SP, SP, 16);
}

describe('code in a frame', () => {
  test('that is freed and allocated again is gone', () => {
    const image = (): RawImage =>
      rawImage({
        emit: emitHot,
        *main(raw) {
          const first = yield* raw.frame();
          yield* raw.fill(first, returning(1));
          yield* raw.bind(WINDOW, first);
          const before = yield* raw.routine('hot', WINDOW);
          yield* raw.code('frame_free', ...first.capability);
          const second = yield* raw.frame(first.ppn);
          yield* raw.bind(WINDOW, second);
          // The words before are zero: they do nothing.
          yield* raw.fibers.write(WINDOW + 0x20, returning(7));
          return 16 * before + (yield* raw.routine('hot', WINDOW));
        },
      });
    agree(image, 0x17);
  });

  test('that the disk fills is what the disk held', () => {
    const store = (): BlockStore => {
      const disk = memoryStore(64 * 4096);
      disk.write(
        0,
        Uint8Array.from({ length: 512 }, (_, i) => returning(7)[i] ?? 0),
      );
      return disk;
    };
    const image = (): RawImage =>
      rawImage({
        emit: emitHot,
        extent: { start: 0, blocks: 4 },
        *main(raw) {
          const frame = yield* raw.frame();
          yield* raw.fill(frame, returning(1));
          yield* raw.bind(WINDOW, frame);
          const before = yield* raw.routine('hot', WINDOW);
          const extent = yield* raw.granted('extent');
          expect(yield* raw.code('disk_read', ...extent, ...frame.capability, 0, 0)).toBe(0);
          while ((yield* raw.fibers.load(0x1000 + 0x110)) === 0) yield* raw.routine('kit.sleep', 0);
          return 16 * before + (yield* raw.routine('hot', WINDOW));
        },
      });
    agree(image, 0x17, undefined, store);
  });

  test('that a handler overwrites, whose window it is, is what the handler wrote', () => {
    const word = new DataView(returning(7).buffer).getUint32(4, true);
    const patch = encodeHandler(
      defineHandler('patch', {}, (h) => {
        h.code.store(h.window, 4, 'little', 4, word);
        h.consume();
      }),
    );
    const image = (): RawImage =>
      rawImage({
        emit: emitHot,
        *main(raw) {
          const { window, send, attach } = yield* handled(raw);
          yield* attach(patch);
          yield* raw.fill(window, returning(1));
          yield* raw.bind(WINDOW, window);
          const before = yield* raw.routine('hot', WINDOW);
          yield* send();
          return 16 * before + (yield* raw.routine('hot', WINDOW));
        },
      });
    agree(image, 0x17);
  });
});

test('packets go to this machine itself', () => {
  expect(packet(0x9000).slice(0, 6)).toEqual(MAC);
});
