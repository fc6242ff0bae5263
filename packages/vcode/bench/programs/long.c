/* 64-bit arithmetic: a hash, a generator, a fixed-point product, division, shifts. */
typedef unsigned long long u64;
typedef long long s64;
static u64 words[256];
static u64 rotate(u64 x, int k) { return (x << k) | (x >> (64 - k)); }
unsigned run(void) {
  u64 hash = 0xcbf29ce484222325ull, state = 88172645463325252ull, sum = 0;
  for (int i = 0; i < 256; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    words[i] = state;
  }
  for (int round = 0; round < 8; round++)
    for (int i = 0; i < 256; i++) {
      hash = (hash ^ (words[i] & 0xff)) * 0x100000001b3ull;
      sum += rotate(words[i], 29) + (hash >> (i & 31));
    }
  s64 fixed = 1ll << 32;
  for (int i = 0; i < 256; i++) fixed += (s64)(int)words[i] * (int)(words[i] >> 32) >> 16;
  for (int i = 0; i < 100; i++) {
    sum += words[i] / (words[i + 1] >> 40 | 1);
    sum ^= words[i] % 1000000007u;
    if ((s64)words[i] < (s64)words[i + 2]) sum += 3;
  }
  sum += fixed + hash;
  return (unsigned)sum ^ (unsigned)(sum >> 32);
}
