// 64-bit arithmetic: a hash, a generator, a fixed-point product, division, shifts.
const words = new StaticArray<u64>(256);
export function run(): u32 {
  let hash: u64 = 0xcbf29ce484222325;
  let state: u64 = 88172645463325252;
  let sum: u64 = 0;
  for (let i = 0; i < 256; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    unchecked((words[i] = state));
  }
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 256; i++) {
      hash = (hash ^ (unchecked(words[i]) & 0xff)) * 0x100000001b3;
      sum += rotl(unchecked(words[i]), 29) + (hash >> (i & 31));
    }
  }
  let fixed: i64 = 1 << 32;
  for (let i = 0; i < 256; i++)
    fixed += (<i64>(<i32>unchecked(words[i])) * <i64>(<i32>(unchecked(words[i]) >> 32))) >> 16;
  for (let i = 0; i < 100; i++) {
    sum += unchecked(words[i]) / ((unchecked(words[i + 1]) >> 40) | 1);
    sum ^= unchecked(words[i]) % 1000000007;
    if (<i64>unchecked(words[i]) < <i64>unchecked(words[i + 2])) sum += 3;
  }
  sum += fixed + hash;
  return (<u32>sum) ^ (<u32>(sum >> 32));
}
