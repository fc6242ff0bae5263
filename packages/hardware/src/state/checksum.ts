/**
 * A checksum of many bytes, fast enough to be made of all of a machine's memory: FNV-1a over words, in four lanes.
 *
 * It tells damaged bytes and different contents. It is no protection against bytes that are made to have it.
 */
const PRIME = 0x01000193;
const SEEDS = [0x811c9dc5, 0x2c1b3c6d, 0x297a2d39, 0x7feb352d] as const;

/** 32 bits, unsigned. `bytes` may begin and end anywhere; what is beyond whole words counts byte by byte. */
export function checksum(bytes: Uint8Array): number {
  const isAligned = bytes.byteOffset % 4 === 0;
  const aligned = isAligned ? bytes : bytes.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  let [a, b, c, d] = SEEDS as readonly [number, number, number, number];
  let i = 0;
  for (; i + 3 < words.length; i += 4) {
    a = Math.imul(a ^ (words[i] as number), PRIME);
    b = Math.imul(b ^ (words[i + 1] as number), PRIME);
    c = Math.imul(c ^ (words[i + 2] as number), PRIME);
    d = Math.imul(d ^ (words[i + 3] as number), PRIME);
  }
  for (; i < words.length; i += 1) a = Math.imul(a ^ (words[i] as number), PRIME);
  for (i = words.length << 2; i < bytes.length; i += 1) b = Math.imul(b ^ (aligned[i] as number), PRIME);
  let all = Math.imul(a ^ bytes.length, PRIME);
  for (const lane of [b, c, d]) {
    // Of a multiplication's bits the low ones know least: the lanes are turned against each other.
    all = Math.imul(all ^ lane ^ (lane >>> 15), PRIME);
    all ^= all >>> 13;
  }
  return all >>> 0;
}
