/**
 * Packets: fields in the order of the wire at addresses that are multiples of two, copies, and the checksum of the Internet.
 *
 * Addresses and sums are kept as they lie in memory, so that they compare without being turned round. Byte order does not matter to a sum.
 * [RFC1071 §2(B)]
 */

/** A field of two bytes, as a number. */
export function be16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}
/** Two bytes as they lie in memory. */
export function setHalf(at: usize, value: u32): void {
  store<u16>(at, <u16>value);
}
/** Four bytes as they lie in memory. */
export function word(at: usize): u32 {
  return load<u32>(at, 0, 2);
}
export function setWord(at: usize, value: u32): void {
  store<u32>(at, value, 0, 2);
}
/** A number as it lies in memory. */
export function half(value: u32): u32 {
  return bswap<u16>(<u16>value);
}

/** Copies bytes, from any address to any other. */
export function copy(to: usize, from: usize, bytes: u32): void {
  const end = to + bytes;
  while (to < end && (to & 3) != 0) {
    store<u8>(to++, load<u8>(from++));
  }
  for (const blocks = to + ((end - to) & ~15); to < blocks; to += 16, from += 16) {
    store<u32>(to, load<u32>(from, 0, 1));
    store<u32>(to, load<u32>(from, 4, 1), 4);
    store<u32>(to, load<u32>(from, 8, 1), 8);
    store<u32>(to, load<u32>(from, 12, 1), 12);
  }
  for (const words = to + ((end - to) & ~3); to < words; to += 4, from += 4) {
    store<u32>(to, load<u32>(from, 0, 1));
  }
  while (to < end) store<u8>(to++, load<u8>(from++));
}

/** Adds to a sum of 32 bits, with what goes over its end. */
export function add(sum: u32, value: u32): u32 {
  const total = sum + value;
  return total + u32(total < value);
}

/** Adds the bytes at an even address to a sum. */
export function sumOf(at: usize, bytes: u32, sum: u32): u32 {
  if ((at & 2) != 0 && bytes >= 2) {
    sum = add(sum, load<u16>(at));
    at += 2;
    bytes -= 2;
  }
  for (const end = at + (bytes & ~15); at < end; at += 16) {
    sum = add(add(sum, load<u32>(at)), load<u32>(at, 4));
    sum = add(add(sum, load<u32>(at, 8)), load<u32>(at, 12));
  }
  for (const end = at + (bytes & 12); at < end; at += 4) sum = add(sum, load<u32>(at));
  if ((bytes & 2) != 0) {
    sum = add(sum, load<u16>(at));
    at += 2;
  }
  return (bytes & 1) == 0 ? sum : add(sum, load<u8>(at));
}

/** The field for a sum, as it lies in memory; 0 for the sum of what has a right one. */
export function checksum(sum: u32): u32 {
  sum = (sum & 0xffff) + (sum >>> 16);
  return ~(sum + (sum >>> 16)) & 0xffff;
}
