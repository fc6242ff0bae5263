/* CRC-32 of 16 KB, with a table and bit by bit. */
static unsigned table[256];
static unsigned char data[16384];
static unsigned by_table(const unsigned char *p, unsigned n) {
  unsigned crc = 0xffffffff;
  while (n--) crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
  return ~crc;
}
static unsigned by_bits(const unsigned char *p, unsigned n) {
  unsigned crc = 0xffffffff;
  while (n--) {
    crc ^= *p++;
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc;
}
unsigned run(void) {
  for (unsigned i = 0; i < 256; i++) {
    unsigned c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  for (unsigned i = 0; i < sizeof data; i++) data[i] = i * 7 + (i >> 8);
  return by_table(data, sizeof data) ^ by_bits(data, 4096);
}
