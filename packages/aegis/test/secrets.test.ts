/** What the kernel does with one environment's data in the course of another's call leaves nothing with the other. */
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { add } from '@exokernel/vcode';
import { A0, ZERO, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  DUMP,
  emitCall,
  emitDump,
  emitRoutine,
  rawImage,
  SCRATCH,
  WINDOW,
} from '../../testkit/src/index.ts';
import { bindFilter, download, makeRing, outside, packet, put } from './network.ts';

const SECRET = 0x5ec2e7;
const TYPE = 0x9000;
const RING = SCRATCH + 0xc00;

test('who sends a packet to another’s handler here finds nothing of the handler’s in its registers', () => {
  const shared = { ready: false };
  const net = outside();
  const owner = rawImage({
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, TYPE);
      const window = yield* raw.frame();
      yield* raw.code('env_map', 0, 0, 0, 0, ...window.capability, WINDOW | 1);
      for (let i = 0; i < 8; i += 1) yield* raw.fibers.store(WINDOW + 4 * i, SECRET + i);
      expect(yield* raw.call('ash_window', ...filter.capability, ...window.capability, 0)).toMatchObject({ code: 0 });
      const bytes = encodeHandler(
        defineHandler('secretive', { windowBytes: 4096 }, (h) => {
          // Several words at once in registers, and one that is never in memory.
          const words = Array.from({ length: 8 }, (_, i) => h.window.le32(4 * i));
          h.code.store(
            h.window,
            4,
            'little',
            64,
            words.reduce((x, y) => add(x, y)),
          );
          h.consume();
        }),
      );
      const attached = yield* download(raw, bytes, (code) =>
        raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
      );
      expect(attached).toBe(0);
      shared.ready = true;
      for (;;) yield* raw.sleep(1);
    },
  });
  const sender = rawImage({
    emit: (a: Assembler) => {
      emitRoutine(a, 'send', () => {
        a.lw(A0, RING, ZERO);
        emitCall(a, 'xmit');
        emitDump(a);
      });
    },
    main: function* (raw) {
      while (!shared.ready) yield* raw.sleep(1);
      const out = yield* makeRing(raw, true);
      yield* put(raw, out, 0, packet(TYPE));
      yield* raw.fibers.store(RING, out.ring);
      yield* raw.routine('send');
      for (let i = 0; i < 0x22; i += 1) {
        const word = yield* raw.fibers.load(DUMP + 4 * i);
        expect([i, word >= SECRET && word < 8 * (SECRET + 8)]).toEqual([i, false]);
      }
      return 0;
    },
  });
  const booted = boot([sender, owner], net.machine);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0, packetsOut: 1 });
  expect(booted.aegis.environment(1).packetsIn).toBe(1);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
