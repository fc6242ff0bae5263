/** A cached file answers for its own segments from stored sums, and for nothing else. */
import { sumBytes } from '@exokernel/net';
import { describe, expect, test } from 'vitest';
import { CachedFile, CachedHeader } from '../src/cached-file.ts';
import { SEGMENT_BYTES, segments } from '../src/site.ts';

const VA = 0x400000;

function fileOf(length: number): { file: CachedFile; bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 13 + 7) & 0xff);
  const sums = Uint32Array.from({ length: segments(length) }, (_, i) =>
    sumBytes(bytes, i * SEGMENT_BYTES, Math.min((i + 1) * SEGMENT_BYTES, length)),
  );
  return { file: new CachedFile(VA, length, sums), bytes };
}

describe.each([1, 2, 1459, 1460, 1461, 2920, 2921, 10_000])('%i bytes', (length) => {
  const { file, bytes } = fileOf(length);

  test('each segment has its sum', () => {
    for (let from = 0; from < length; from += SEGMENT_BYTES) {
      const to = Math.min(from + SEGMENT_BYTES, length);
      expect(file.isSentInPlace(from, to)).toBe(true);
      expect(file.sum(from, to)).toBe(sumBytes(bytes, from, to));
    }
  });

  test('any other range wants its sum made', () => {
    for (const [from, to] of [
      [0, length - 1],
      [1, length],
      [536, Math.min(1072, length)],
      [SEGMENT_BYTES, SEGMENT_BYTES + 1],
      [0, 2 * SEGMENT_BYTES],
    ] as const) {
      if (to <= from || to > length || (from % SEGMENT_BYTES === 0 && to === length)) continue;
      if (from % SEGMENT_BYTES === 0 && to - from === SEGMENT_BYTES) continue;
      expect([from, to, file.isSentInPlace(from, to), file.sum(from, to)]).toEqual([from, to, false, 0]);
    }
  });
});

test('an empty range at the end', () => {
  const { file } = fileOf(2 * SEGMENT_BYTES);
  expect(file.sum(2 * SEGMENT_BYTES, 2 * SEGMENT_BYTES)).toBe(0);
});

test('its header alone has no stored sum, even where it fills a segment', () => {
  const { file } = fileOf(10_000);
  for (const length of [100, SEGMENT_BYTES, 10_000]) {
    const header = new CachedHeader(file, length);
    expect([header.va, header.length, header.isSentInPlace(), header.sum(0, length)]).toEqual([VA, length, false, 0]);
  }
});

test('it is not copied by anybody but the device', () => {
  expect(() => {
    fileOf(1).file.copy();
  }).toThrow(RangeError);
});
