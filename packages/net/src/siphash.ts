/**
 * SipHash-2-4: a short hash under a key, which cannot be told from chance without the key. [SIPHASH]
 *
 * It is used once per connection, so 64-bit arithmetic by `bigint` is fast enough.
 */

const MASK = (1n << 64n) - 1n;

/** The hash of the 32-bit words of `message`, little-endian, under a key of two 64-bit numbers: 0 to 2^64 - 1. */
export function sipHash(key: readonly [bigint, bigint], message: readonly number[]): bigint {
  const v = [
    key[0] ^ 0x736f6d6570736575n,
    key[1] ^ 0x646f72616e646f6dn,
    key[0] ^ 0x6c7967656e657261n,
    key[1] ^ 0x7465646279746573n,
  ] as [bigint, bigint, bigint, bigint];
  const length = 4 * message.length;
  const words = [...message.map((word) => BigInt(word >>> 0)), ...(message.length % 2 === 0 ? [0n] : [])];
  // The last block ends with the length's low byte.
  const last = words.length;
  for (let i = 0; i < last + 1; i += 2) {
    const high = i + 1 < last ? (words[i + 1] ?? 0n) : BigInt(length & 0xff) << 24n;
    const block = (words[i] ?? 0n) | (high << 32n);
    v[3] ^= block;
    round(v);
    round(v);
    v[0] ^= block;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i += 1) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

function round(v: [bigint, bigint, bigint, bigint]): void {
  v[0] = (v[0] + v[1]) & MASK;
  v[1] = rotate(v[1], 13n) ^ v[0];
  v[0] = rotate(v[0], 32n);
  v[2] = (v[2] + v[3]) & MASK;
  v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = (v[0] + v[3]) & MASK;
  v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = (v[2] + v[1]) & MASK;
  v[1] = rotate(v[1], 17n) ^ v[2];
  v[2] = rotate(v[2], 32n);
}

function rotate(x: bigint, by: bigint): bigint {
  return ((x << by) | (x >> (64n - by))) & MASK;
}
