import { expect, test } from 'vitest';
import { sipHash } from '../src/siphash.ts';

/** The key 00 01 … 0f of the paper's and the reference code's vectors [SIPHASH]. */
const KEY = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const;

test.each([
  [0, 0x726fdb47dd0e0e31n],
  [4, 0xcf2794e0277187b7n],
  [8, 0x93f5f5799a932462n],
  [12, 0x751e8fbc860ee5fbn],
  [16, 0x3f2acc7f57c29bdbn],
])('the vector of %i bytes', (bytes, hash) => {
  const message = Array.from({ length: bytes / 4 }, (_, i) => (0x03020100 + 0x04040404 * i) >>> 0);
  expect(sipHash(KEY, message)).toBe(hash);
});
