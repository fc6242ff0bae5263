/**
 * Packets that others make of one's own: answers of handlers, copies. Neither the sender nor the owner of a handler pays for what
 * accomplices do with them.
 */
import { CALLS, ENV, ENV_STATUS, POLICIES, RING_SLOT, RING_SLOT_BYTES } from '@exokernel/abi';
import { defineHandler, encodeHandler, type Handler } from '@exokernel/ash';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { A0, S0, S1, S2, type Assembler } from '@exokernel/isa';
import { add } from '@exokernel/vcode';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  checkInvariants,
  emitCall,
  rawImage,
  type Fiber,
  type Raw,
  type RawImage,
} from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';
import { bindFilter, download, makeRing, outside, packet, put, type Outside, type RawFilter } from './network.ts';

const ASKED = 0x9000;
const ANSWERED = 0x9001;

function* attach(raw: Raw, filter: RawFilter, bytes: Uint8Array): Fiber<void> {
  const code = yield* download(raw, bytes, (frame) =>
    raw.code('ash_attach', ...filter.capability, ...frame.capability, bytes.length),
  );
  expect(code).toBe(0);
}

/** Answers each packet that it claims with one for this machine, and computes. */
function server(state: { ready: number }): RawImage {
  return rawImage({
    emit: (a) => {
      a.label('computes');
      a.addiu(S0, S0, 1);
      a.b('computes');
      a.nop();
    },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, ASKED);
      const answers = defineHandler('answers', { windowBytes: 0 }, (h) => {
        for (let i = 0; i < 12; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
        h.code.store(h.reply, 2, 'big', 12, ANSWERED);
        h.consume(60);
      });
      yield* attach(raw, filter, encodeHandler(answers));
      state.ready += 1;
      yield* raw.routine('computes');
      return 0;
    },
  });
}

/** A handler that uses up its fuel. */
function burning(): Handler {
  return defineHandler('burns', { windowBytes: 0 }, (h) => {
    const i = h.code.local('i', 0);
    h.code.while(1, () => {
      h.code.set(i, add(i, 1));
    });
    h.consume();
  });
}

/** Claims the answers with a handler that uses up its fuel. `asks`: it sends what is answered, too. */
function accomplice(state: { ready: number }, asks: boolean): RawImage {
  return rawImage({
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, ANSWERED);
      yield* attach(raw, filter, encodeHandler(burning()));
      state.ready += 1;
      for (;;) yield* asks ? asking(raw) : raw.sleep(1000);
    },
  });
}

function* asking(raw: Raw): Fiber<void> {
  const out = yield* makeRing(raw, true, 4, 0x300000);
  const bytes = packet(ASKED);
  for (let i = 0; i < 8; i += 1) yield* put(raw, out, i, bytes);
  for (;;) {
    for (let i = 0; i < 8; i += 1) yield* raw.fibers.store(out.slot(i), bytes.length);
    yield* raw.call('xmit', out.ring);
  }
}

const asker = rawImage({
  main: function* (raw) {
    yield* asking(raw);
    return 0;
  },
});

test.each([
  ['the one that asks', [true]],
  ['another family', [false]],
])('who answers does not pay for what %s does with the answer', (_, asks) => {
  const state = { ready: 0 };
  const net = outside();
  const booted = boot([server(state)], net.machine);
  const { aegis, machine } = booted;
  for (const one of asks) aegis.load(accomplice(state, one));
  expect(booted.runUntil(() => state.ready === 2)).toBe(true);
  const ids = asks.includes(true) ? 2 : 3;
  if (ids === 3) aegis.load(asker);
  machine.run(10 * QUANTUM);
  const before = aegis.environment(0).cycles;
  machine.run(320 * QUANTUM);
  expect(machine.native.lastError).toBeUndefined();
  expect(aegis.environment(0).packetsIn).toBeGreaterThan(100);
  // It computes without end, so it has all that the others leave, and its part at least.
  expect((aegis.environment(0).cycles - before) / ((320 / ids) * QUANTUM)).toBeGreaterThan(0.99);
  expect(checkInvariants(aegis)).toEqual([]);
});

test('who sends to all does not pay for the copies of those that read along, nor they for a flood', () => {
  const filters = 24;
  const state = { ready: false };
  const net = outside();
  const took: number[] = [];
  const sender = rawImage({
    main: function* (raw) {
      const out = yield* makeRing(raw, true);
      const bytes = packet(0x0806, 1514).map((byte, i) => (i < 6 ? 0xff : byte));
      const send = function* (): Fiber<void> {
        yield* put(raw, out, took.length % 2, bytes);
        const from = booted.machine.cycles;
        yield* raw.call('xmit', out.ring);
        took.push(booted.machine.cycles - from);
        yield* raw.sleep(4);
      };
      yield* send();
      state.ready = true;
      yield* raw.sleep(200);
      for (let i = 0; i < 8; i += 1) yield* send();
      return 0;
    },
  });
  const readers = rawImage({
    main: function* (raw) {
      while (!state.ready) yield* raw.sleep(1);
      const ring = yield* makeRing(raw, false, 7);
      for (let i = 0; i < filters; i += 1) yield* bindFilter(raw, ring.capability, 0x0806, 'all');
      for (;;) yield* raw.sleep(1000);
    },
  });
  const booted = boot([sender, readers], net.machine);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const { memory } = booted.aegis.parts;
  expect(booted.machine.native.lastError).toBeUndefined();
  const [alone = 0, ...others] = took;
  // A copy takes 2000 cycles and more.
  for (const one of others) expect(one - alone).toBeLessThan(6000);
  expect(memory.env(1, ENV.packetsIn)).toBeGreaterThan(0);
  expect(memory.env(1, ENV.packetsIn)).toBeLessThan(2 * others.length);
});

/** Instructions, as a child without a library has them in a frame. */
const lw = (r: number, at: number): number => ((0x23 << 26) | (r << 16) | at) >>> 0;
const li = (r: number, value: number): number => ((9 << 26) | (r << 16) | (value & 0xffff)) >>> 0;
const SYSCALL = 12;
const TEXT = 0x5000;
const DATA = 0x6000;
const EPILOGUE = 0x800;

test('a family without slices does not have a quantum of packets again with each new member', () => {
  const net = outside();
  const state = { children: 0 };
  const maker = rawImage({
    placement: { slices: 0 },
    main: function* (raw) {
      const { memory } = booted.aegis.parts;
      const ring = yield* makeRing(raw, false);
      const handler = encodeHandler(burning());
      const filter = encodeFilter(etherType(ASKED));
      const [atoms, code, text, data] = [
        yield* raw.frame(),
        yield* raw.frame(),
        yield* raw.frame(),
        yield* raw.frame(),
      ];
      yield* raw.fill(atoms, filter);
      yield* raw.fill(code, handler);
      const words = new Uint32Array(1024);
      // It binds the filter, whose capability comes in a0 to a3, attaches the handler, and goes back to its maker.
      words.set([
        ...[4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((r, i) => lw(r, DATA + 4 * i)),
        ...[li(2, CALLS.filter_bind.number), SYSCALL],
        ...[8, 9, 10, 11, 12].map((r, i) => lw(r, DATA + 40 + 4 * i)),
        ...[li(2, CALLS.ash_attach.number), SYSCALL, li(4, 0), li(2, CALLS.yield.number), SYSCALL, 0x1000ffff, 0],
      ]);
      words.set([li(4, -1), li(2, CALLS.yield.number), SYSCALL], EPILOGUE / 4);
      yield* raw.fill(text, new Uint8Array(words.buffer));
      const given = [...atoms.capability, ...ring.capability, filter.length, POLICIES.specific];
      yield* raw.fill(data, new Uint8Array(new Uint32Array([...given, ...code.capability, handler.length]).buffer));
      for (;;) {
        const child = yield* raw.call('env_alloc');
        const uPage = yield* raw.frame();
        for (const [frame, va] of [
          [uPage, 0x1003],
          [text, TEXT],
          [data, DATA],
        ] as const) {
          expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, va)).toBe(0);
        }
        for (const [field, value] of [
          [ENV.prologue, TEXT],
          [ENV.epilogue, TEXT + EPILOGUE],
          [ENV.status, ENV_STATUS.runnable],
        ] as const) {
          expect(yield* raw.code('env_set', ...child.capability, field, value)).toBe(0);
        }
        expect(yield* raw.code('frame_free', ...uPage.capability)).toBe(0);
        yield* raw.routine('kit.yield', child.value);
        state.children += 1;
        // It has had its packets, or it has got no filter because of those that others had.
        const owes = (): boolean => [memory.env(child.value, ENV.credit), credit()].some((of) => (of | 0) < -QUANTUM);
        for (let i = 0; i < 40 && !owes(); i += 1) yield* raw.routine('kit.yield', -1);
        expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
      }
    },
  });
  // It gives the family its time.
  const accomplice = rawImage({
    main: function* (raw) {
      for (;;) yield* raw.routine('kit.yield', 0);
    },
  });
  const booted = boot([maker, accomplice, bystander()], net.machine);
  const { aegis, machine } = booted;
  const credit = (): number => aegis.parts.memory.get(aegis.parts.families.creditOf(0)) | 0;
  expect(booted.runUntil(() => state.children > 0)).toBe(true);
  const [before, children] = [aegis.environment(2).cycles, state.children];
  for (let i = 0; i < 800; i += 1) {
    for (let sent = 0; sent < 60; sent += 1) net.send(packet(ASKED));
    machine.run(Math.round(QUANTUM / 4));
  }
  expect(machine.native.lastError).toBeUndefined();
  expect(state.children - children).toBeGreaterThan(20);
  // Two quanta, and no more: what the family may owe before it gets no filter, and what the last one with a filter may have.
  expect((aegis.environment(2).cycles - before) / QUANTUM).toBeGreaterThan(0.99 * 100 - 2);
  expect(credit()).toBeGreaterThan(-2 * QUANTUM - QUANTUM / 10);
  expect(credit()).toBeLessThan(-QUANTUM);
});

test('handlers of twelve environments take no more than half of a tick: a bystander runs in each', () => {
  const count = 12;
  const net = outside();
  const state = { ready: 0 };
  const owners = Array.from({ length: count }, (_, n) =>
    rawImage({
      main: function* (raw) {
        while (state.ready < n) yield* raw.sleep(1);
        const ring = yield* makeRing(raw, false);
        yield* attach(raw, yield* bindFilter(raw, ring.capability, ASKED + n), encodeHandler(burning()));
        state.ready = n + 1;
        for (;;) yield* raw.sleep(1000);
      },
    }),
  );
  const booted = boot(owners, { ...net.machine, profile: 'dec5000' });
  const { aegis, machine } = booted;
  const watched = aegis.load(bystander());
  expect(booted.runUntil(() => state.ready === count)).toBe(true);
  machine.run(70 * QUANTUM);
  let [longest, gap] = [0, 0];
  const before = aegis.environment(watched).cycles;
  for (let i = 0; i < 8 * 64; i += 1) {
    // As many as the wire carries, for each in turn.
    for (let sent = 0; sent < 29; sent += 1) net.send(packet(ASKED + ((i * 15 + (sent >> 1)) % count)));
    const { cycles } = aegis.environment(watched);
    machine.run(Math.round(QUANTUM / 8));
    gap = aegis.environment(watched).cycles === cycles ? gap + 1 : 0;
    longest = Math.max(longest, gap);
  }
  expect(machine.native.lastError).toBeUndefined();
  // In eighths of a tick; it was thirteen ticks.
  expect(longest).toBeLessThan(16);
  expect((aegis.environment(watched).cycles - before) / (64 * QUANTUM)).toBeGreaterThan(0.4);
});

/** What part of half of the machine the second of two that compute has while `main` does what it does; `each` comes eight times a tick. */
function partBeside(
  profile: 'ideal' | 'dec3100' | 'dec5000',
  main: (raw: Raw, state: { ready: boolean }) => Fiber<number>,
  emit: (a: Assembler) => void,
  each: (net: Outside) => void,
): number {
  const net = outside();
  const state = { ready: false };
  const computes = (a: Assembler): void => {
    a.label('computes');
    a.addiu(S0, S0, 1);
    a.b('computes');
    a.nop();
  };
  const images = [
    rawImage({
      main: (raw) => main(raw, state),
      emit: (a) => {
        computes(a);
        emit(a);
      },
    }),
    rawImage({ entry: 'computes', emit: computes }),
  ];
  const booted = boot(images, { ...net.machine, profile });
  const { aegis, machine } = booted;
  expect(booted.runUntil(() => state.ready)).toBe(true);
  const eighth = Math.ceil(machine.hz / 64 / 8);
  machine.run(160 * eighth);
  const [cycles, since] = [aegis.environment(1).cycles, machine.cycles];
  for (let i = 0; i < 1600; i += 1) {
    each(net);
    machine.run(eighth);
  }
  expect(machine.native.lastError).toBeUndefined();
  return (aegis.environment(1).cycles - cycles) / ((machine.cycles - since) / 2);
}

test.each(['ideal', 'dec3100', 'dec5000'] as const)(
  'a flood that another claims takes nothing, not with the way to the interrupt and back (%s)',
  (profile) => {
    const part = partBeside(
      profile,
      function* (raw, state) {
        const ring = yield* makeRing(raw, false);
        yield* bindFilter(raw, ring.capability, ASKED);
        state.ready = true;
        yield* raw.routine('computes');
        return 0;
      },
      () => undefined,
      ({ send }) => {
        for (let i = 0; i < 29; i += 1) send(packet(ASKED, 64));
      },
    );
    expect(part).toBeGreaterThan(0.99);
  },
);

test.each(['ideal', 'dec5000'] as const)(
  'who sends pays for the interrupts that tell that it is sent (%s)',
  (profile) => {
    const bytes = packet(ASKED, 60);
    bytes.set([2, 7, 7, 7, 7, 7]);
    const part = partBeside(
      profile,
      function* (raw, state) {
        const out = yield* makeRing(raw, true, 4, 0x300000);
        for (let i = 0; i < 8; i += 1) yield* put(raw, out, i, bytes);
        state.ready = true;
        yield* raw.routine('sends', out.ring);
        return 0;
      },
      (a) => {
        a.label('sends');
        a.move(S1, A0);
        a.li(S2, 0x300000);
        a.li(S0, bytes.length);
        a.label('sends.again');
        for (let i = 0; i < 8; i += 1) a.sw(S0, RING_SLOT.length + RING_SLOT_BYTES * i, S2);
        a.move(A0, S1);
        emitCall(a, 'xmit');
        a.b('sends.again');
        a.nop();
      },
      () => undefined,
    );
    expect(part).toBeGreaterThan(0.99);
  },
);
