import { ENV, ENV_STATUS, ERRORS, TRANSFER, TRANSFER_BYTES, U } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { memoryFor } from '../../testkit/src/booted.ts';
import { QUANTUM } from './attackers.ts';

// H: kernel pages that are freed count for none
test('H', () => {
  const at = { full: false, answers: [] as number[], lost: 0 };
  const hoarder = rawImage({
    main: function* (raw) {
      // hoard by children's pages
      let n = 0;
      const text = yield* raw.frame();
      const data = yield* raw.frame();
      const code: number[] = [];
      for (let k = 0; k < 3; k += 1) {
        for (let r = 0; r < 4; r += 1) code.push(((0x23 << 26) | ((4 + r) << 16) | (0x6000 + 16 * k + 4 * r)) >>> 0);
        code.push(((9 << 26) | (2 << 16) | 17) >>> 0, 12);
      }
      code.push(((9 << 26) | (4 << 16) | 0xffff) >>> 0, ((9 << 26) | (2 << 16) | 1) >>> 0, 12, 0x1000fffc, 0);
      yield* raw.fill(text, new Uint8Array(new Uint32Array(code).buffer));
      for (;;) {
        const child = yield* raw.call('env_alloc');
        if (child.code !== 0) break;
        const frames = [];
        for (const bit of [2, 4, 8]) {
          const frame = yield* raw.call('frame_alloc', -1);
          if (frame.code !== 0) break;
          if ((yield* raw.code('env_map', ...child.capability, ...frame.capability, (0x10000 * bit) | bit | 1)) === 0) n += 1;
          yield* raw.code('frame_free', ...frame.capability);
          frames.push(frame.capability);
        }
        if (frames.length < 3) break;
        yield* raw.fill(data, new Uint8Array(new Uint32Array(frames.flat()).buffer));
        yield* raw.code('env_map', ...child.capability, ...text.capability, 0x5000);
        yield* raw.code('env_map', ...child.capability, ...data.capability, 0x6000);
        yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000);
        yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable);
        yield* raw.routine('kit.yield', child.value);
      }
      console.log('hoarded', n, 'counted', booted.aegis.parts.families.has('frames', 0), 'free', booted.aegis.framesFree);
      for (;;) { const f = yield* raw.call('frame_alloc', -1); if (f.code !== 0) break; }
      console.log('counted', booted.aegis.parts.families.has('frames', 0), 'free', booted.aegis.framesFree);
      at.full = true;
      for (;;) yield* raw.sleep(1000);
    },
  });
  const victim = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!at.full) yield* raw.sleep(1);
      for (let i = 0; i < 200; i += 1) {
        at.answers.push(yield* raw.code('frame_alloc', -1));
        if (at.answers.at(-1) === 0 && at.answers.filter((x) => x === 0).length >= 4) break;
        yield* raw.sleep(2);
      }
      return 0;
    },
  });
  const booted = boot([hoarder, victim], { ramBytes: memoryFor(220) });
  booted.runUntil(() => booted.aegis.environment(1).status === 'dead', 40);
  console.log('H answers', at.answers.filter((x) => x === 0).length, at.answers.slice(0, 5), at.answers.length, booted.machine.native.lastError);
});

// I: frames in flight count for none
test('I', () => {
  const at = { full: false, answers: [] as number[], got: 0 };
  const hoarder = rawImage({
    extent: { start: 0, blocks: 4000 },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      const list = yield* raw.frame();
      let block = 0;
      for (;;) {
        const frames: RawFrame[] = [];
        for (let i = 0; i < 64; i += 1) {
          const f = yield* raw.call('frame_alloc', -1);
          if (f.code !== 0) break;
          frames.push({ ppn: f.value, capability: f.capability });
        }
        const words = new Uint32Array((64 * TRANSFER_BYTES) / 4);
        frames.forEach((f, i) => {
          words.set(f.capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
          // far apart runs of 16
          words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = ((block + 977 * (i >> 4)) % 3900) + (i & 15);
        });
        block = (block + 1234) % 3900;
        yield* raw.fill(list, new Uint8Array(words.buffer));
        const code = frames.length === 0 ? -99 : yield* raw.code('disk_request', ...extent, ...list.capability, frames.length, 0, 1);
        for (const f of frames) yield* raw.code('frame_free', ...f.capability);
        if (booted.aegis.framesFree < 20 && !at.full) { at.full = true; console.log('in flight', booted.aegis.parts.disk.inFlight.length, 'counted', booted.aegis.parts.families.has('frames', 0), 'free', booted.aegis.framesFree); }
        if (frames.length === 0) yield* raw.routine('kit.yield', -1);
        if (code !== 0 && frames.length > 0) yield* raw.routine('kit.yield', -1);
      }
    },
  });
  const victim = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!at.full) yield* raw.sleep(1);
      for (let i = 0; i < 300; i += 1) {
        at.answers.push(yield* raw.code('frame_alloc', -1));
        if (at.answers.filter((x) => x === 0).length >= 4) break;
        yield* raw.sleep(1);
      }
      return 0;
    },
  });
  // holds 30 frames, sleeps
  const rich = rawImage({
    main: function* (raw) {
      for (let i = 0; i < 30; i += 1) yield* raw.frame();
      for (;;) yield* raw.sleep(10000);
    },
  });
  const booted = boot([hoarder, victim, rich], { disk: { store: memoryStore(4096 * 4096) }, ramBytes: memoryFor(900) });
  booted.runUntil(() => booted.aegis.environment(1).status === 'dead', 40);
  booted.machine.run(100 * QUANTUM);
  console.log('I answers', at.answers.filter((x) => x === 0).length, at.answers.slice(0, 8), at.answers.length, booted.machine.native.lastError, 'rich lost', booted.aegis.parts.memory.env(2, ENV.lost), booted.aegis.parts.memory.env(2, ENV.frames));
}, 120000);
