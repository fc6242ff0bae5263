// Strings: length, comparison, search, reversal, numbers to text and back.
const buffer = memory.data(4096);
const other = memory.data(4096);
const digits = memory.data(12);
const needle: StaticArray<u8> = [0x31, 0x37, 0x33, 0x34, 0x36, 0x30, 0x37, 0];
const second: StaticArray<u8> = [0x20, 0x37, 0x20, 0x30, 0];
function byte(at: usize): u32 {
  return load<u8>(at);
}
function length(s: usize): u32 {
  let p = s;
  while (byte(p)) p++;
  return <u32>(p - s);
}
function compare(a: usize, b: usize): i32 {
  while (byte(a) != 0 && byte(a) == byte(b)) {
    a++;
    b++;
  }
  return byte(a) - byte(b);
}
function search(text: usize, what: usize): usize {
  for (; byte(text); text++) {
    let a = text;
    let b = what;
    while (byte(b) != 0 && byte(a) == byte(b)) {
      a++;
      b++;
    }
    if (!byte(b)) return text;
  }
  return 0;
}
function number(p: usize, n: u32): usize {
  let k = digits;
  do {
    store<u8>(k++, 0x30 + (n % 10));
    n /= 10;
  } while (n);
  while (k > digits) store<u8>(p++, byte(--k));
  return p;
}
function value(p: usize): u32 {
  let n: u32 = 0;
  while (byte(p) >= 0x30 && byte(p) <= 0x39) n = n * 10 + (byte(p++) - 0x30);
  return n;
}
export function run(): u32 {
  let p = buffer;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < 500; i++) {
    p = number(p, i * i * 7);
    store<u8>(p++, 0x20);
  }
  store<u8>(p, 0);
  const n = length(buffer);
  for (let i: u32 = 0; i <= n; i++) store<u8>(other + i, byte(buffer + i));
  for (let i: u32 = 0, j = n - 1; i < j; i++, j--) {
    const c = byte(other + i);
    store<u8>(other + i, byte(other + j));
    store<u8>(other + j, c);
  }
  sum += n + compare(buffer, other);
  let q = buffer;
  while (byte(q)) {
    sum = sum * 31 + value(q);
    while (byte(q) != 0x20) q++;
    q++;
  }
  let found = search(buffer, changetype<usize>(needle));
  sum += found ? <u32>(found - buffer) : 7;
  found = search(other, changetype<usize>(second));
  sum += found ? <u32>(found - other) : 9;
  return sum;
}
