/** The checksum of snapshots and recordings, against its definition: what WebAssembly sums is what a loop sums. */
import { describe, expect, test } from 'vitest';
import { checksum } from '../src/state/checksum.ts';

/** FNV-1a over words in four lanes, word by word. */
function defined(bytes: Uint8Array): number {
  const lanes = [0x811c9dc5, 0x2c1b3c6d, 0x297a2d39, 0x7feb352d];
  const step = (lane: number, value: number): void => {
    lanes[lane] = Math.imul((lanes[lane] ?? 0) ^ value, 0x01000193);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = bytes.length >>> 2;
  for (let i = 0; i < words; i += 1) step(i < (words & ~3) ? i % 4 : 0, view.getInt32(4 * i, true));
  for (let i = 4 * words; i < bytes.length; i += 1) step(1, view.getUint8(i));
  let all = Math.imul((lanes[0] ?? 0) ^ bytes.length, 0x01000193);
  for (const lane of lanes.slice(1)) {
    all = Math.imul(all ^ lane ^ (lane >>> 15), 0x01000193);
    all ^= all >>> 13;
  }
  return all >>> 0;
}

describe('the checksum', () => {
  test.each([0, 1, 3, 4, 15, 16, 0x1ffff, 0x20000, 0x20001, 0x2000f, 0x3fffc, 0x40000, 0x40007, 0x61234])(
    '%i bytes, beginning anywhere',
    (length) => {
      const all = Uint8Array.from({ length: length + 8 }, (_, i) => (Math.imul(i + length, 0x9e3779b1) >>> 24) & 0xff);
      for (const from of [0, 1, 2, 3, 4]) {
        const bytes = all.subarray(from, from + length);
        expect(checksum(bytes)).toBe(defined(bytes));
      }
    },
  );
});
