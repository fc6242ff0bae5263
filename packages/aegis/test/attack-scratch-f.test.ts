import { ENV, ENV_STATUS, ERRORS, TRANSFER, TRANSFER_BYTES, U } from '@exokernel/abi';
import { EVENT_KINDS, memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { KP, NATIVE } from '../src/layout.ts';
import { envAddress } from '../src/memory.ts';
import { QUANTUM } from './attackers.ts';

test('AC', () => {
  const state = { asked: false, reused: false, charged: 0, inFlight: 0, slices: 0, total: 0 };
  const blocks = 64;
  const shared: { capability?: readonly number[] } = {};
  // env 0: parent. Its child shares main (native functions of its creator)
  const parent = rawImage({
    extent: { start: 0, blocks: 1900 },
    main: function* (raw) {
      // the child is a copy of us: runs the same text with its own u-page? Simplest: machine code child that calls disk_request.
      const child = yield* raw.call('env_alloc');
      const [text, uPage, data] = [yield* raw.frame(), yield* raw.frame(), yield* raw.frame()];
      const list = yield* raw.frame();
      const words = new Uint32Array((blocks * TRANSFER_BYTES) / 4);
      for (let i = 0; i < blocks; i += 1) {
        const f = yield* raw.frame();
        yield* raw.code('frame_hold', ...child.capability, ...f.capability);
        yield* raw.code('frame_free', ...f.capability);
        words.set(f.capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
        words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = (i * 37) % 1900;
      }
      yield* raw.fill(list, new Uint8Array(words.buffer));
      const extent = yield* raw.granted('extent');
      yield* raw.fill(data, new Uint8Array(new Uint32Array([...extent, ...list.capability, blocks, 0, 1]).buffer));
      const lw = (r: number, at: number): number => ((0x23 << 26) | (r << 16) | at) >>> 0;
      const li = (r: number, v: number): number => ((9 << 26) | (r << 16) | (v & 0xffff)) >>> 0;
      const code = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14].map((r, i) => lw(r, 0x6000 + 4 * i));
      code.push(li(2, 48), 12, 0x0040f021 /* move fp,v0 */);
      for (const r of [4, 5, 6, 7, 8]) code.push(li(r, 0));
      code.push(li(2, 20), 12, 0x1000ffff, 0);
      yield* raw.fill(text, new Uint8Array(new Uint32Array(code).buffer));
      yield* raw.code('env_map', ...child.capability, ...uPage.capability, 0x1003);
      yield* raw.code('env_map', ...child.capability, ...text.capability, 0x5000);
      yield* raw.code('env_map', ...child.capability, ...data.capability, 0x6000);
      yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000);
      expect(yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable)).toBe(0);
      yield* raw.code('slice_alloc', ...child.capability, -1);
      while (booted.aegis.environment(child.value).status !== 'dead') yield* raw.sleep(1);
      console.log('child', child.value, 'dead; in flight', booted.aegis.parts.disk.inFlight.length);
      state.asked = true;
      return 0;
    },
  });
  const victim = rawImage({
    main: function* (raw) {
      while (!state.asked || booted.aegis.environment(0).status !== 'dead') yield* raw.sleep(1);
      let child = yield* raw.call('env_alloc');
      while (child.value !== 0) {
        yield* raw.code('env_free', ...child.capability, 0);
        child = yield* raw.call('env_alloc');
      }
      const [text, uPage] = [yield* raw.frame(), yield* raw.frame()];
      yield* raw.fill(text, new Uint8Array(new Uint32Array([0x1000ffff, 0]).buffer));
      yield* raw.code('env_map', ...child.capability, ...uPage.capability, 0x1003);
      yield* raw.code('env_map', ...child.capability, ...text.capability, 0x5000);
      yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000);
      expect(yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable)).toBe(0);
      yield* raw.code('slice_alloc', ...child.capability, -1);
      state.inFlight = booted.aegis.parts.disk.inFlight.length;
      state.reused = true;
      while (booted.aegis.parts.disk.inFlight.length > 0) yield* raw.sleep(1);
      return 0;
    },
  });
  const booted = boot([parent, victim], { disk: { store: memoryStore(2048 * 4096) } });
  const { memory } = booted.aegis.parts;
  const to: Record<string, number> = {};
  booted.machine.listen((kind, _cycle, index) => {
    if (kind !== EVENT_KINDS.native.kind || index !== NATIVE.diskInterrupt || !state.reused) return;
    state.total += 1;
    const c = memory.kernelPage(KP.claimant);
    to[c.toString(16)] = (to[c.toString(16)] ?? 0) + 1;
    if (c === envAddress(0) + ENV.credit) state.charged += 1;
  });
  booted.finish(1);
  console.log('AC', state, to, booted.machine.native.lastError);
});
