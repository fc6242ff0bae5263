/** Of the controller's sixteen buffers to send from no family has all: one that sends without end leaves some to others. */
import { RING_SLOT } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type RawImage } from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';
import { bindFilter, download, makeRing, outside, packet, put } from './network.ts';

const ASKED = 0x9000;
const TICKS = 100;

/** Sends one packet a tick; answers each packet that it gets with a handler. */
function polite(state: { ready: boolean; sent: number }): RawImage {
  return rawImage({
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, ASKED);
      const answers = encodeHandler(
        defineHandler('answers', { windowBytes: 0 }, (h) => {
          for (let i = 0; i < 16; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
          h.code.store(h.reply, 1, 'little', 0, 2);
          h.consume(60);
        }),
      );
      yield* download(raw, answers, (frame) =>
        raw.code('ash_attach', ...filter.capability, ...frame.capability, answers.length),
      );
      const out = yield* makeRing(raw, true, 1, 0x300000);
      const bytes = packet(0x1234).map((byte, i) => (i < 6 ? 2 : byte));
      state.ready = true;
      for (let i = 0; ; i = (i + 1) % 2) {
        yield* put(raw, out, i, bytes);
        let value = 0;
        while (value === 0) {
          ({ value } = yield* raw.call('xmit', out.ring));
          state.sent += value;
          yield* raw.sleep(1);
        }
      }
    },
  });
}

/** Sends long packets without end. */
const flood = rawImage({
  main: function* (raw) {
    const out = yield* makeRing(raw, true, 4, 0x300000);
    const bytes = packet(0x5678, 1514).map((byte, i) => (i < 6 ? 2 : byte));
    for (let i = 0; i < 8; i += 1) yield* put(raw, out, i, bytes);
    for (;;) {
      for (let i = 0; i < 8; i += 1) yield* raw.fibers.store(out.slot(i) + RING_SLOT.length, bytes.length);
      yield* raw.call('xmit', out.ring);
    }
  },
});

test.each([
  ['alone', []],
  ['beside one that sends without end', [flood]],
])('one that sends one packet a tick, and answers one, is not kept from it: %s', (_, others) => {
  const state = { ready: false, sent: 0 };
  const net = outside();
  const booted = boot([polite(state)], net.machine);
  expect(booted.runUntil(() => state.ready)).toBe(true);
  for (const one of others) booted.aegis.load(one);
  booted.machine.run(30 * QUANTUM);
  net.received.length = 0;
  const { sent } = state;
  for (let tick = 0; tick < TICKS; tick += 1) {
    net.send(packet(ASKED));
    booted.machine.run(QUANTUM);
  }
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  const answers = net.received.filter((one) => one[12] === 0x90).length;
  expect({ sent: state.sent - sent > 0.4 * TICKS, answers: answers > 0.4 * TICKS }).toEqual({
    sent: true,
    answers: true,
  });
});
