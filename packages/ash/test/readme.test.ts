import { expect, test } from 'vitest';
import { add, eq } from '@exokernel/vcode';
import { CONSUME, decodeHandler, defineHandler, encodeHandler, instantiateHandler, udpEcho } from '../src/index.ts';

test('the snippet of the README', () => {
  const frame = new Uint8Array(60);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17]);
  frame.set([4, 0, 0, 7, 0, 9, 0, 0, 0x61], 34);
  const other = new Uint8Array(60);
  other.set([0x88, 0xb5], 12);
  const sent: Uint8Array[] = [];
  const send = (reply: Uint8Array): number => sent.push(reply.slice());

  // Ready-made: answer UDP datagrams to port 7, count them in the window.
  const echo = instantiateHandler(udpEcho({ port: 7 }));
  if (echo.handle(frame) === CONSUME) send(echo.reply); // a view of the frame to send

  // Your own: count frames of one EtherType, leave everything else alone.
  const counter = defineHandler('count', { windowBytes: 4 }, (h) => {
    h.passUnless(h.message.fits(0, 14));
    h.passUnless(eq(h.message.be16(12), 0x88b5));
    h.code.store(h.window, 4, 'little', 0, add(h.window.le32(0), 1));
    h.consume();
  });
  const bytes = encodeHandler(counter); // for the receiver of the packets, which need not trust you
  const installed = instantiateHandler(decodeHandler(bytes), { fuel: 1000 });
  const verdict = installed.handle(other);

  expect(sent.map((reply) => [reply.length, reply[42], reply[35], reply[37]])).toEqual([[43, 0x61, 7, 0]]);
  expect([verdict, installed.window[0], installed.status]).toEqual([CONSUME, 1, 0]);
  expect(echo.window[0]).toBe(1);
});
