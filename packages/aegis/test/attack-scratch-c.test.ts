import { ENV, ENV_STATUS, ERRORS } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { expect, test } from 'vitest';
import { add } from '@exokernel/vcode';
import { boot, checkInvariants, rawImage, emitCall, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';
import { S0, V0, A0, ZERO, T0 } from '@exokernel/isa';
import { QUANTUM } from './attackers.ts';
import { bindFilter, download, makeRing, outside, packet, put, take } from './network.ts';

function answer(type: number, spin = 0): Uint8Array {
  return encodeHandler(
    defineHandler('answer', { windowBytes: 0 }, (h) => {
      for (let i = 0; i < 12; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
      h.code.store(h.reply, 2, 'big', 12, type);
            h.consume(60);
    }),
  );
}

// B: an echo server with a handler; computes otherwise.
function echo(shared: { ready: number }) {
  return rawImage({
    name: 'echo',
    emit: (a) => { a.label('count'); a.addiu(S0, S0, 1); a.b('count'); a.nop(); },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, 0x9000);
      const bytes = answer(0x9001);
      expect(yield* download(raw, bytes, (code) => raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length))).toBe(0);
      shared.ready += 1;
      yield* raw.routine('count');
      return 0;
    },
  });
}
function burner(shared: { ready: number }, spin: number) {
  return rawImage({
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, 0x9001);
      const bytes = encodeHandler(defineHandler('burn', { windowBytes: 4096 }, (h) => {
        const i = h.code.local('i', 0);
        h.code.while(1, () => { h.code.set(i, add(i, 1)); });
        h.consume();
      }));
      const w = yield* raw.frame();
      expect(yield* raw.code('ash_window', ...filter.capability, ...w.capability, 0)).toBe(0);
      expect(yield* download(raw, bytes, (code) => raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length))).toBe(0);
      shared.ready += 1;
      const out = yield* makeRing(raw, true, 4, 0x300000);
      while (shared.ready < 2) yield* raw.sleep(1);
      const bytes2 = packet(0x9000);
      for (let i = 0; i < 8; i += 1) yield* put(raw, out, i, bytes2);
      for (;;) {
        for (let i = 0; i < 8; i += 1) yield* raw.fibers.store(out.slot(i), bytes2.length);
        yield* raw.call('xmit', out.ring);
      }
    },
  });
}

test('6: replies', () => {
  for (const spin of [3000]) {
    const shared = { ready: 0 };
    const net = outside();
    const booted = boot([echo(shared), spin === 0 ? rawImage({ main: function* (raw) { shared.ready += 1; for (;;) yield* raw.sleep(1000); } }) : burner(shared, spin)], net.machine);
    expect(booted.runUntil(() => shared.ready === 2 || booted.machine.native.lastError !== undefined, 20)).toBe(true);
    console.log(booted.machine.native.lastError);
    booted.machine.run(10 * QUANTUM);
    const { cycles } = booted.aegis.environment(0);
    const c1 = booted.aegis.environment(1).cycles;
    booted.machine.run(320 * QUANTUM);
    const m = booted.aegis.parts.memory;
    console.log('echo', spin, (booted.aegis.environment(0).cycles - cycles) / (160 * QUANTUM), (booted.aegis.environment(1).cycles - c1) / (160 * QUANTUM), booted.aegis.environment(0).packetsIn, booted.aegis.environment(1).packetsIn, booted.machine.native.lastError, m.env(0, ENV.credit) | 0, m.kernelPage(KP.loopsDropped));
  }
});

// copies: B broadcasts once per slice; A reads along 120 times
test.skip('6b: copies', () => {
  for (const copies of [0, 120]) {
    const shared = { ready: 0 };
    const net = outside();
    const b = rawImage({
      main: function* (raw) {
        const out = yield* makeRing(raw, true, 1);
        const bytes = packet(0x0806, 60).map((byte, i) => (i < 6 ? 0xff : byte));
        yield* put(raw, out, 0, bytes); yield* put(raw, out, 1, bytes);
        while (shared.ready < 1) yield* raw.sleep(1);
        shared.ready = 2;
        let last = 0;
        for (;;) {
          const now = (yield* raw.call('tick')).value;
          if (now === last) continue;
          last = now;
          yield* raw.fibers.store(out.slot(0), 60); yield* raw.fibers.store(out.slot(1), 60);
          yield* raw.call('xmit', out.ring);
        }
      },
    });
    const a = rawImage({
      main: function* (raw) {
        const ring = yield* makeRing(raw, false);
        for (let i = 0; i < copies; i += 1) expect((yield* bindFilter(raw, ring.capability, 0x0806, 'all')).filter).toBeGreaterThanOrEqual(0);
        shared.ready = 1;
        for (;;) yield* raw.sleep(1000);
      },
    });
    const booted = boot([b, a], net.machine);
    expect(booted.runUntil(() => shared.ready === 2 || booted.machine.native.lastError !== undefined, 60)).toBe(true);
    console.log(booted.machine.native.lastError);
    booted.machine.run(10 * QUANTUM);
    const { cycles } = booted.aegis.environment(0);
    booted.machine.run(320 * QUANTUM);
    console.log('broadcast', copies, (booted.aegis.environment(0).cycles - cycles) / (160 * QUANTUM), booted.aegis.environment(0).packetsOut);
  }
});
