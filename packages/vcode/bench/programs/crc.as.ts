// CRC-32 of 16 KB, with a table and bit by bit.
const table = new StaticArray<u32>(256);
const data = new StaticArray<u8>(16384);
function byTable(n: i32): u32 {
  let crc: u32 = 0xffffffff;
  for (let i: i32 = 0; i < n; i++) crc = unchecked(table[(crc ^ unchecked(data[i])) & 0xff]) ^ (crc >> 8);
  return ~crc;
}
function byBits(n: i32): u32 {
  let crc: u32 = 0xffffffff;
  for (let i: i32 = 0; i < n; i++) {
    crc ^= unchecked(data[i]);
    for (let k: i32 = 0; k < 8; k++) crc = (crc >> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc;
}
export function run(): u32 {
  for (let i: i32 = 0; i < 256; i++) {
    let c: u32 = i;
    for (let k: i32 = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    unchecked((table[i] = c));
  }
  for (let i: i32 = 0; i < 16384; i++) unchecked((data[i] = <u8>(i * 7 + (i >> 8))));
  return byTable(16384) ^ byBits(4096);
}
