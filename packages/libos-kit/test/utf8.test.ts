/** UTF-8 against the host's encoder and decoder. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeUtf8, encodeUtf8 } from '../src/index.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
/** Any code units, lone surrogates too. */
const units = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff })))
  .map((list) => String.fromCharCode(...list));

test('encoding is the host’s, for every text', () => {
  fc.assert(
    fc.property(fc.oneof(text, units), (one) => {
      expect([...encodeUtf8(one)]).toEqual([...new TextEncoder().encode(one)]);
    }),
  );
});

test('what was encoded is decoded', () => {
  fc.assert(
    fc.property(text, (one) => {
      expect(decodeUtf8(encodeUtf8(one))).toBe(one.toWellFormed());
    }),
  );
});

test('bytes that are UTF-8 decode as the host does; others to replacement characters, never to an error', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      let expected: string | undefined;
      try {
        expected = strict.decode(bytes);
      } catch {
        expected = undefined;
      }
      const decoded = decodeUtf8(bytes);
      if (expected === undefined) expect(decoded).toContain('\ufffd');
      else expect(decoded).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['overlong', [0xc0, 0x80], 2],
  ['overlong in three', [0xe0, 0x80, 0xaf], 3],
  ['a surrogate', [0xed, 0xa0, 0x80], 3],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80], 4],
  ['a lone continuation', [0x80], 1],
  ['cut short', [0xe2, 0x82], 2],
  ['no first byte', [0xff], 1],
])('%s is one replacement character per byte', (_, bytes, count) => {
  expect(decodeUtf8(Uint8Array.from(bytes))).toBe('\ufffd'.repeat(count));
});
