// An LZ coder with a hash of three bytes, and its decoder.
const N: u32 = 8192;
const input = memory.data(8192);
const packed = memory.data(12288);
const output = memory.data(8192);
const heads = memory.data(1024 * 2);
const sample: StaticArray<u8> = [
  0x74, 0x68, 0x65, 0x20, 0x65, 0x78, 0x6f, 0x6b, 0x65, 0x72, 0x6e, 0x65, 0x6c, 0x20, 0x6d, 0x75, 0x6c, 0x74, 0x69,
  0x70, 0x6c, 0x65, 0x78, 0x65, 0x73, 0x20, 0x74, 0x68, 0x65, 0x20, 0x68, 0x61, 0x72, 0x64, 0x77, 0x61, 0x72, 0x65,
  0x20, 0x73, 0x65, 0x63, 0x75, 0x72, 0x65, 0x6c, 0x79, 0x3b, 0x20, 0x74, 0x68, 0x65, 0x20, 0x6c, 0x69, 0x62, 0x72,
  0x61, 0x72, 0x79, 0x20, 0x62, 0x75, 0x69, 0x6c, 0x64, 0x73, 0x20, 0x65, 0x76, 0x65, 0x72, 0x79, 0x20, 0x61, 0x62,
  0x73, 0x74, 0x72, 0x61, 0x63, 0x74, 0x69, 0x6f, 0x6e, 0x20, 0x61, 0x62, 0x6f, 0x76, 0x65, 0x20, 0x69, 0x74, 0x2e,
  0x20,
];
function byte(at: usize): u32 {
  return load<u8>(at);
}
function pack(from: usize, n: u32, to: usize): u32 {
  let o: u32 = 0;
  let i: u32 = 0;
  let flagAt: u32 = 0;
  let bit: u32 = 8;
  while (i < n) {
    if (bit == 8) {
      flagAt = o++;
      store<u8>(to + flagAt, 0);
      bit = 0;
    }
    let best: u32 = 0;
    let match: u32 = 0;
    if (i + 3 <= n) {
      const hash = ((byte(from + i) << 6) ^ (byte(from + i + 1) << 3) ^ byte(from + i + 2)) & 1023;
      const before = <u32>load<u16>(heads + 2 * hash);
      store<u16>(heads + 2 * hash, i + 1);
      if (before != 0 && i - (before - 1) < 4096) {
        match = before - 1;
        while (best < 18 && i + best < n && byte(from + match + best) == byte(from + i + best)) best++;
      }
    }
    if (best >= 3) {
      const back = i - match;
      store<u8>(to + flagAt, byte(to + flagAt) | (1 << bit));
      store<u8>(to + o++, back);
      store<u8>(to + o++, ((back >> 8) << 4) | (best - 3));
      i += best;
    } else store<u8>(to + o++, byte(from + i++));
    bit++;
  }
  return o;
}
function unpack(from: usize, n: u32, to: usize): u32 {
  let o: u32 = 0;
  let i: u32 = 0;
  while (i < n) {
    let flags = byte(from + i++);
    for (let k = 0; k < 8 && i < n; k++, flags >>= 1) {
      if (flags & 1) {
        const back = byte(from + i) | ((byte(from + i + 1) >> 4) << 8);
        let length = (byte(from + i + 1) & 15) + 3;
        i += 2;
        for (; length; length--, o++) store<u8>(to + o, byte(to + o - back));
      } else store<u8>(to + o++, byte(from + i++));
    }
  }
  return o;
}
export function run(): u32 {
  let seed: u32 = 1;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < N; i++) {
    seed = seed * 1664525 + 1013904223;
    store<u8>(input + i, seed >> 29 ? unchecked(sample[i % 96]) : seed >> 8);
  }
  const n = pack(input, N, packed);
  const m = unpack(packed, n, output);
  for (let i: u32 = 0; i < m; i++) sum = sum * 31 + (byte(output + i) ^ byte(input + i));
  return sum * 7 + n * 3 + m;
}
