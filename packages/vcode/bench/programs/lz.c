/* An LZ coder with a hash of three bytes, and its decoder. */
static unsigned char input[8192], packed[12288], output[8192];
static unsigned short heads[1024];
static unsigned pack(const unsigned char *in, unsigned n, unsigned char *out) {
  unsigned o = 0, i = 0, flag_at = 0, bit = 8;
  while (i < n) {
    if (bit == 8) {
      flag_at = o++;
      out[flag_at] = 0;
      bit = 0;
    }
    unsigned best = 0, from = 0;
    if (i + 3 <= n) {
      unsigned hash = ((in[i] << 6) ^ (in[i + 1] << 3) ^ in[i + 2]) & 1023;
      unsigned before = heads[hash];
      heads[hash] = i + 1;
      if (before && i - (before - 1) < 4096) {
        from = before - 1;
        while (best < 18 && i + best < n && in[from + best] == in[i + best]) best++;
      }
    }
    if (best >= 3) {
      unsigned back = i - from;
      out[flag_at] |= 1 << bit;
      out[o++] = back;
      out[o++] = (back >> 8) << 4 | (best - 3);
      i += best;
    } else out[o++] = in[i++];
    bit++;
  }
  return o;
}
static unsigned unpack(const unsigned char *in, unsigned n, unsigned char *out) {
  unsigned o = 0, i = 0;
  while (i < n) {
    unsigned flags = in[i++];
    for (int k = 0; k < 8 && i < n; k++, flags >>= 1) {
      if (flags & 1) {
        unsigned back = in[i] | (in[i + 1] >> 4) << 8, length = (in[i + 1] & 15) + 3;
        i += 2;
        for (; length; length--, o++) out[o] = out[o - back];
      } else out[o++] = in[i++];
    }
  }
  return o;
}
unsigned run(void) {
  static const char sample[] = "the exokernel multiplexes the hardware securely; the library builds every abstraction above it. ";
  unsigned seed = 1, sum = 0;
  for (unsigned i = 0; i < sizeof input; i++) {
    seed = seed * 1664525 + 1013904223;
    input[i] = seed >> 29 ? sample[i % (sizeof sample - 1)] : seed >> 8;
  }
  unsigned n = pack(input, sizeof input, packed), m = unpack(packed, n, output);
  for (unsigned i = 0; i < m; i++) sum = sum * 31 + (output[i] ^ input[i]);
  return sum * 7 + n * 3 + m;
}
