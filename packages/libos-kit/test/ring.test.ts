/** A library with a ring of its own: where the packets lie, one behind the other, and again from the first slot on. */
import { expect, test } from 'vitest';
import { Wire } from '../../hardware/src/index.ts';
import { boot, exitOf, memoryFor } from '../../testkit/src/index.ts';
import { image, KIT, TELL } from './log-support.ts';

const MAC = Uint8Array.of(8, 0, 0x2b, 0, 0, 1);
/** An ethertype for experiments. */
const TYPE = 0x88b5;

test('packets are found by slot', async () => {
  const program = `
    import { POLICY } from '${KIT}/abi';
    import { capabilityAt } from '${KIT}/capability';
    import { pages } from '${KIT}/disk';
    import { Filter } from '${KIT}/filter';
    import { sleep, store32 } from '${KIT}/kit';
    import { bufferPlace, frameOf, RING_RECORD, ringAt } from '${KIT}/ring';
    const ring = ringAt(memory.data(RING_RECORD));
    const frame = capabilityAt(memory.data(16));
    export function main(): i32 {
      const at = pages(1);
      let code = ring.bind(false, 2, 0, at);
      if (code < 0) return code;
      const page = pages(1);
      code = frameOf(page, frame);
      if (code < 0) return code;
      code = Filter.at(page).eq(12, 2, ${TYPE}).bind(frame, ring.capability, POLICY.all, memory.data(20));
      if (code < 0) return code;
      store32(${TELL}, 1);
      let all = 0;
      for (let n = 0; n < 5; n++) {
        while (ring.received() == 0) sleep(0);
        if (ring.packet() != at + bufferPlace(n & 1)) return -100 - n;
        all = 10 * all + load<u8>(ring.packet(), 14);
        ring.release();
      }
      return all;
    }`;
  const wire = new Wire();
  const booted = boot([await image(program, {})], { lance: { mac: MAC, wire }, ramBytes: memoryFor(200) });
  const plug = wire.attach({ receive: () => undefined });
  expect(booted.runUntil(() => booted.uWord(0, TELL) === 1, 1)).toBe(true);
  // Until the controller listens.
  booted.runUntil(() => false, 0.1);
  for (let n = 1; n <= 5; n += 1) {
    const frame = new Uint8Array(60);
    frame.set(MAC);
    frame.set([TYPE >> 8, TYPE & 0xff, n], 12);
    plug.send(frame);
    booted.runUntil(() => false, 0.05);
  }
  expect(booted.finish(0).map(exitOf)).toEqual([12_345]);
});
