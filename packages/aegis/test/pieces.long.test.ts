/**
 * Between two pieces of the work on one packet anything that it goes on to may be freed: nothing of it is used afterwards, and what
 * takes its place gets nothing. An xmit in pieces is one call to the program.
 */
import { CALLS, ENV, ENV_STATUS, EXCEPTIONS, NO_ENV, POLICIES, RING, RING_SLOT } from '@exokernel/abi';
import { UPCALL, defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, A1, FP, GP, RA, SP, V0, ZERO, register, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { kernelImage } from '../src/kernel-image.ts';
import { KERNEL_STATUS, KP, KSEG0, PHYSICAL, RING_SHIFT } from '../src/layout.ts';
import {
  bindFilter,
  download,
  makeRing,
  outside,
  packet,
  put,
  setBuffers,
  take,
  type Outside,
  type RawRing,
} from './network.ts';
import { LONGEST, watchStretches } from './stretches.ts';

const TYPE = 0x9000;
const OTHER = 0x9999;
const USER = 2;
/** Status.IEc: an interrupt may come, in user mode or in a window of the kernel. */
const ENABLED = 1;

interface Made {
  readonly net: Outside;
  readonly booted: Booted;
  readonly rings: { tap: number; copy: number; own: number };
  readonly filters: { winner: number; copies: number[] };
}

/**
 * Environment 0 binds everything: a tap, a filter with a handler, which answers, and five filters that get copies. Environment 1 sends a
 * long packet to this machine; another comes from outside.
 */
function setting(from: 'here' | 'outside'): Made {
  const net = outside();
  const rings = { tap: -1, copy: -1, own: -1 };
  const filters = { winner: -1, copies: [] as number[] };
  const state = { ready: false };
  const owner = function* (raw: Raw): Fiber<number> {
    const tap = yield* makeRing(raw, false, 1, 0x300000);
    expect(yield* raw.code('tap_bind', ...(yield* raw.granted('net')), ...tap.capability)).toBe(0);
    const own = yield* makeRing(raw, false, 1, 0x310000);
    const winner = yield* bindFilter(raw, own.capability, TYPE);
    const bytes = encodeHandler(
      defineHandler('answers', { windowBytes: 0 }, (h) => {
        for (let i = 0; i < 64; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
        h.code.store(h.reply, 2, 'big', 12, OTHER + 1);
        // Long enough for a pause before its answer is sent.
        h.code.for('i', 1000, (i) => {
          h.code.store(h.reply, 4, 'little', 64, i);
        });
        h.code.return(UPCALL | (1500 << 16));
      }),
    );
    const attached = yield* download(raw, bytes, (code) =>
      raw.code('ash_attach', ...winner.capability, ...code.capability, bytes.length),
    );
    expect(attached).toBe(0);
    const copy = yield* makeRing(raw, false, 1, 0x320000);
    for (let i = 0; i < 5; i += 1) filters.copies.push((yield* bindFilter(raw, copy.capability, TYPE, 'all')).filter);
    Object.assign(rings, { tap: tap.ring, own: own.ring, copy: copy.ring });
    filters.winner = winner.filter;
    state.ready = true;
    for (;;) yield* raw.sleep(1);
  };
  const sender = function* (raw: Raw): Fiber<number> {
    const out = yield* makeRing(raw, true, 1, 0x300000);
    while (!state.ready) yield* raw.sleep(1);
    yield* put(raw, out, 0, packet(TYPE, 1512));
    if (from === 'here') yield* raw.call('xmit', out.ring);
    else net.send(packet(TYPE, 1512));
    for (;;) yield* raw.sleep(1);
  };
  const images = [owner, sender].map((main) => rawImage({ main, tap: true }));
  return { net, booted: boot(images, { ...net.machine, profile: 'dec5000' }), rings, filters };
}

/** Runs until the machine stands between two pieces for the nth time. Returns whether it came to that. */
function runToPause({ machine, aegis }: Booted, n: number): boolean {
  const { memory } = aegis.parts;
  const isPaused = (): boolean => (machine.cpu.cp0.status & ENABLED) !== 0 && memory.kernelPage(KP.packetResume) !== 0;
  const end = machine.cycles + 12_500_000;
  let paused = 0;
  while (machine.cycles < end) {
    machine.run(memory.kernelPage(KP.packetResume) === 0 ? 40 : 1);
    if (!isPaused()) continue;
    paused += 1;
    if (paused === n) return true;
    while (isPaused()) machine.run(1);
  }
  return false;
}

/** Ends an environment; one that runs as the clock ends it. */
function end({ machine, aegis }: Booted, env: number): void {
  const { environments, memory } = aegis.parts;
  if (memory.current !== env) environments.end(env, 0);
  else {
    machine.cpu.cp0.status = KERNEL_STATUS;
    machine.cpu.pc = kernelImage().symbols.get('kill') ?? 0;
    while (memory.env(env, ENV.status) !== ENV_STATUS.dead) machine.run(1);
  }
}

const freed: Readonly<Record<string, (made: Made) => void>> = {
  'the tap': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.tap);
  },
  'the ring of the filter': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.own);
  },
  'the ring of copies': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.copy);
  },
  'the filter': ({ booted, filters }) => {
    booted.aegis.parts.filters.free(filters.winner);
  },
  'every filter that gets copies': ({ booted, filters }) => {
    for (const id of filters.copies) booted.aegis.parts.filters.free(id);
  },
  'the owner of all': ({ booted }) => {
    end(booted, 0);
  },
  'the sender': ({ booted }) => {
    end(booted, 1);
  },
};

test.each(Object.keys(freed).map((what, i) => [what, i % 3 === 1 ? 'outside' : 'here'] as const))(
  '%s is freed between two pieces of a packet from %s',
  (what, from) => {
    let pauses = 0;
    for (let n = 1; n < 40; n += 1) {
      const made = setting(from);
      const { booted, rings } = made;
      if (!runToPause(booted, n)) break;
      pauses += 1;
      const { aegis, machine } = booted;
      freed[what]?.(made);
      // Whatever is free now has other tenants before the machine goes on: filters with the same numbers, rings with the same records.
      const tenant = aegis.environment(1).status === 'dead' ? 0 : 1;
      const ppn = aegis.parts.frames.allocate(tenant, -1);
      const ring = aegis.parts.rings.bind(tenant, ppn, { transmit: false, slots: 2 });
      const slots = new Uint32Array(32);
      for (const i of [0, 1]) slots.set([0, 0, 1024 + 1536 * i, 1536], 16 * i);
      machine.memory.write(4096 * ppn, new Uint8Array(slots.buffer));
      for (let i = 0; i < 6; i += 1) {
        const bytes = encodeFilter(etherType(OTHER));
        aegis.parts.filters.bind(tenant, { bytes, ring, node: 0, policy: POLICIES.all });
      }
      machine.run(700_000);
      expect(checkInvariants(aegis)).toEqual([]);
      expect(aegis.parts.memory.kernelPage(KP.packetResume)).toBe(0);
      expect(machine.memory.load32(4096 * ppn + RING_SLOT.length)).toBe(0);
      expect(machine.memory.load32(PHYSICAL.rings + (ring << RING_SHIFT) + RING.packets)).toBe(0);
      expect(rings.tap).toBeGreaterThanOrEqual(0);
      // The machine goes on: the next packet of the tenant's type is delivered.
      made.net.send(packet(OTHER, 64));
      machine.run(700_000);
      expect(machine.memory.load32(4096 * ppn + RING_SLOT.length)).toBe(64);
      expect(aegis.parts.memory.kernelPage(KP.senderPays)).toBe(0);
    }
    // Of a packet from here the owner, which owes for its tap, gets no copies.
    expect(pauses).toBeGreaterThan(from === 'here' ? 3 : 4);
  },
);

test('what is done for an environment that has ended is owed by the one that made it, or by none', () => {
  const { booted } = setting('here');
  expect(runToPause(booted, 3)).toBe(true);
  const { memory, environments } = booted.aegis.parts;
  const heir = memory.env(1, ENV.parent);
  expect(heir).toBe(NO_ENV);
  environments.end(1, 0);
  expect(memory.kernelPage(KP.sender)).not.toBe(KSEG0 + PHYSICAL.environments + 512);
  const credit = memory.env(1, ENV.credit);
  booted.machine.run(1_000_000);
  expect(memory.env(1, ENV.credit)).toBe(credit);
});

/** A transmit ring of 16 slots whose buffers begin where they like, so that gathering takes long. */
function* longRing(raw: Raw): Fiber<RawRing> {
  const out = yield* makeRing(raw, true, 8);
  const bytes = packet(TYPE, 1514);
  bytes[0] = 2;
  for (let i = 0; i < 16; i += 1) {
    yield* put(raw, out, i, bytes);
    // 54 bytes and 1460: the second piece is stored at a halfword.
    yield* setBuffers(raw, out, i, [
      [out.at(i), 54],
      [out.at(i), 1460],
    ]);
  }
  return out;
}

test('an xmit of many packets is done in pieces, and answers once for all', () => {
  const net = outside();
  const booted = boot(
    [
      rawImage({
        main: function* (raw) {
          const out = yield* longRing(raw);
          for (let i = 3; i < 16; i += 1) {
            if (i % 5 === 3)
              yield* setBuffers(raw, out, i, [
                [out.at(i), 1460],
                [1, 60],
              ]);
          }
          // 3, 8 and 13 make no sense.
          expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 13 });
          for (let i = 0; i < 16; i += 1) expect(yield* raw.fibers.load(out.slot(i))).toBe(0);
          // Nothing is left of it for the next call.
          yield* raw.sleep(2);
          expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 0 });
          yield* raw.fibers.store(out.slot(0), 64);
          expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 1 });
          yield* raw.sleep(1);
          return 0;
        },
      }),
    ],
    { ...net.machine, profile: 'dec5000' },
  );
  const stretches = watchStretches(booted.machine);
  let calls = 0;
  booted.machine.listen((kind, _, code) => {
    const isCall = kind === EVENT_KINDS.exception.kind && code === EXCEPTIONS.syscall;
    if (isCall && booted.machine.cpu.registers[2] === CALLS.xmit.number) calls += 1;
  });
  booted.finish(0);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(net.received).toHaveLength(14);
  expect(calls).toBeGreaterThan(6);
  expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
});

/** Calls xmit with a value of its own in each register that a call keeps; v0 = how many are others afterwards. a0: the ring, a1: in a slot. */
function emitKeeping(a: Assembler): void {
  const kept = [1, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 31].map(register);
  const value = (r: number): number => 0x1234 + 0x101 * r;
  a.label('keeping');
  for (const r of [SP, RA, GP, FP, ...[16, 17, 18, 19, 20, 21, 22, 23].map(register)]) a.sw(r, SAVED + 4 * r, ZERO);
  for (const r of kept) a.li(r, value(r));
  a.li(V0, 77);
  a.mthi(V0);
  a.mtlo(V0);
  a.li(V0, CALLS.xmit.number);
  a.beq(A1, ZERO, 'keeping.plain');
  a.nop();
  a.b('keeping.done');
  a.syscall(0);
  a.b('keeping.done');
  a.nop();
  a.label('keeping.plain');
  a.syscall(0);
  a.label('keeping.done');
  // Where it failed, the code counts as many.
  for (const r of kept) {
    a.li(A0, value(r));
    a.xor(A0, A0, r);
    a.sltu(A0, ZERO, A0);
    a.addu(V0, V0, A0);
  }
  a.mfhi(A0);
  a.xori(A0, A0, 77);
  a.or(V0, V0, A0);
  a.mflo(A0);
  a.xori(A0, A0, 77);
  a.or(V0, V0, A0);
  for (const r of [SP, RA, GP, FP, ...[16, 17, 18, 19, 20, 21, 22, 23].map(register)]) a.lw(r, SAVED + 4 * r, ZERO);
  a.ret();
  a.nop();
}
const SAVED = 0x4200;

test.each([0, 1])(
  'a call in pieces, with packets to oneself, keeps what a call keeps (in a delay slot: %i)',
  (slot) => {
    const net = outside();
    const booted = boot(
      [
        rawImage({
          emit: emitKeeping,
          main: function* (raw) {
            const receive = yield* makeRing(raw, false, 1, 0x400000);
            yield* bindFilter(raw, receive.capability, TYPE);
            const out = yield* makeRing(raw, true, 4);
            for (let i = 0; i < 8; i += 1) {
              const bytes = packet(TYPE, 1500, i);
              if (i % 3 !== 0) bytes[0] = 2;
              yield* put(raw, out, i, bytes);
            }
            expect(yield* raw.routine('keeping', out.ring, slot)).toBe(0);
            for (let i = 0; i < 8; i += 1) expect(yield* raw.fibers.load(out.slot(i))).toBe(0);
            // 0, 3 and 6 came back; there was room for two.
            expect((yield* take(raw, receive, 0)).packet).toEqual(packet(TYPE, 1500, 0));
            expect((yield* take(raw, receive, 1)).packet).toEqual(packet(TYPE, 1500, 3));
            yield* raw.sleep(2);
            return 0;
          },
        }),
      ],
      { ...net.machine, profile: 'dec5000' },
    );
    booted.finish(0);
    expect(booted.machine.native.lastError?.message).toBeUndefined();
    expect(net.received).toHaveLength(8);
  },
);

test('a ring that is freed between two pieces of an xmit is refused, and its next tenant’s call is a fresh one', () => {
  const net = outside();
  const answers: number[] = [];
  const booted = boot(
    [
      rawImage({
        main: function* (raw) {
          const out = yield* longRing(raw);
          answers.push(yield* raw.code('xmit', out.ring));
          return 0;
        },
      }),
    ],
    { ...net.machine, profile: 'dec5000' },
  );
  const ring = PHYSICAL.rings;
  const isMidway = (): boolean =>
    booted.machine.memory.load32(ring + RING.left) !== 0 && (booted.machine.cpu.cp0.status & USER) !== 0;
  while (!isMidway()) booted.machine.run(booted.machine.memory.load32(ring + RING.left) === 0 ? 40 : 1);
  booted.aegis.parts.rings.free(0);
  const ppn = booted.aegis.parts.frames.allocate(0, -1);
  expect(booted.aegis.parts.rings.bind(0, ppn, { transmit: true, slots: 4 })).toBe(0);
  expect(booted.machine.memory.load32(ring + RING.left)).toBe(0);
  booted.finish(0);
  expect(answers).toEqual([0]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
