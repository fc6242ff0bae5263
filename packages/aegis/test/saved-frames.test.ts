/**
 * Frames that are taken from a hoarder are on their way while what was in them is saved to its backing store: a bystander with more than its guarantee
 * is neither asked for as many nor loses any. [SOSP95 §3.4]
 */
import {
  ENV,
  ERRORS,
  NO_TARGET,
  REPOSSESSION,
  REPOSSESSION_BYTES,
  REPOSSESSION_ENTRIES,
  REPOSSESSION_STATES,
  TRANSFER,
  TRANSFER_BYTES,
} from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, memoryFor, rawImage, type RawFrame } from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';

test.each([false, true])('the hoarder has backing store: %s', (stored) => {
  const state = { full: false, answers: [] as number[] };
  const hoarder = rawImage({
    extent: { start: 0, blocks: 4000 },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      const vector = yield* raw.frame();
      const words = new Uint32Array(1024);
      for (let i = 0; i < REPOSSESSION_ENTRIES; i += 1) {
        const at = (i * REPOSSESSION_BYTES) / 4;
        words[at + REPOSSESSION.state / 4] = stored ? REPOSSESSION_STATES.preloaded : REPOSSESSION_STATES.empty;
        words.set(extent, at + REPOSSESSION.extent / 4);
        words[at + REPOSSESSION.block / 4] = (i * 1234) % 3900;
      }
      yield* raw.fill(vector, new Uint8Array(words.buffer));
      expect(yield* raw.code('env_map', 0, 0, 0, 0, ...vector.capability, 0x700009)).toBe(0);
      const list = yield* raw.frame();
      const frames: RawFrame[] = [];
      for (;;) {
        const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
        if (code !== 0) break;
        frames.push({ ppn, capability });
      }
      // The device has something to do first.
      const transfers = new Uint32Array((64 * TRANSFER_BYTES) / 4);
      for (const [i, { capability }] of frames.slice(-64).entries()) {
        transfers.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
        transfers[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = (i * 1777) % 3900;
      }
      yield* raw.fill(list, new Uint8Array(transfers.buffer));
      expect(yield* raw.code('disk_request', ...extent, ...list.capability, 64, 0, 1)).toBe(0);
      state.full = true;
      for (;;) yield* raw.sleep(1000);
    },
  });
  const lacking = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!state.full) yield* raw.routine('kit.yield', -1);
      while (state.answers.filter((answer) => answer === 0).length < 4 && state.answers.length < 400) {
        state.answers.push(yield* raw.code('frame_alloc', -1));
        yield* raw.sleep(1);
      }
      for (;;) yield* raw.sleep(1000);
    },
  });
  const bystander = rawImage({
    main: function* (raw) {
      for (let i = 0; i < 30; i += 1) yield* raw.frame();
      for (;;) yield* raw.sleep(10_000);
    },
  });
  const booted = boot([bystander, lacking, hoarder], {
    disk: { store: memoryStore(4096 * 4096) },
    ramBytes: memoryFor(300),
  });
  const { memory } = booted.aegis.parts;
  let asked = false;
  booted.runUntil(() => state.full, 20);
  for (let i = 0; i < 600; i += 1) {
    booted.machine.run(Math.floor(QUANTUM / 2));
    asked ||= memory.env(0, ENV.frameTarget) !== NO_TARGET;
  }
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(state.answers.filter((answer) => answer === 0)).toHaveLength(4);
  expect(state.answers).toContain(ERRORS.E_AGAIN);
  expect({ asked, lost: memory.env(0, ENV.lost), of: memory.env(2, ENV.lost) }).toEqual({
    asked: false,
    lost: 0,
    of: 4,
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
