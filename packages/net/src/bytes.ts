/**
 * Big-endian fields of a packet. A read outside the bytes gives 0 and a write there does nothing, so that a wrong
 * length can never throw; checking lengths first is the caller's part all the same.
 */

export function getU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function getU32(bytes: Uint8Array, at: number): number {
  return ((getU16(bytes, at) << 16) | getU16(bytes, at + 2)) >>> 0;
}

/** Six bytes as one number, below 2^48. */
export function getU48(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at) * 0x100000000 + getU32(bytes, at + 2);
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value >>> 16);
  putU16(bytes, at + 2, value & 0xffff);
}

export function putU48(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, Math.floor(value / 0x100000000));
  putU32(bytes, at + 2, value % 0x100000000);
}
