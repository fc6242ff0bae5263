// A state machine over characters: words, numbers, strings and comments of a program's text.
const SPACE = 0;
const WORD = 1;
const NUMBER = 2;
const STRING = 3;
const ESCAPE = 4;
const SLASH = 5;
const COMMENT = 6;
const STAR = 7;
const LENGTH = 8192;
const text = new StaticArray<u8>(LENGTH);
const counts = new StaticArray<u32>(8);
const sample: StaticArray<u8> = [
  0x73, 0x74, 0x61, 0x74, 0x69, 0x63, 0x20, 0x69, 0x6e, 0x74, 0x20, 0x66, 0x28, 0x63, 0x68, 0x61, 0x72, 0x20, 0x2a,
  0x73, 0x29, 0x20, 0x7b, 0x20, 0x2f, 0x2a, 0x20, 0x61, 0x20, 0x2a, 0x20, 0x63, 0x6f, 0x6d, 0x6d, 0x65, 0x6e, 0x74,
  0x20, 0x2a, 0x2f, 0x20, 0x72, 0x65, 0x74, 0x75, 0x72, 0x6e, 0x20, 0x73, 0x5b, 0x30, 0x5d, 0x20, 0x2b, 0x20, 0x31,
  0x32, 0x33, 0x34, 0x20, 0x2a, 0x20, 0x35, 0x36, 0x3b, 0x20, 0x7d, 0x0a, 0x09, 0x63, 0x6f, 0x6e, 0x73, 0x74, 0x20,
  0x78, 0x20, 0x3d, 0x20, 0x22, 0x61, 0x20, 0x5c, 0x22, 0x73, 0x74, 0x72, 0x69, 0x6e, 0x67, 0x5c, 0x22, 0x20, 0x2f,
  0x2a, 0x20, 0x6e, 0x6f, 0x20, 0x2a, 0x2f, 0x22, 0x3b, 0x0a,
];
function isLetter(c: i32): bool {
  // clang makes this of two ranges by itself; asc and binaryen do not.
  return <u32>((c | 0x20) - 0x61) < 26;
}
function isDigit(c: i32): bool {
  return <u32>(c - 0x30) < 10;
}
function step(state: i32, c: i32): i32 {
  switch (state) {
    case STRING:
      return c == 0x5c ? ESCAPE : c == 0x22 ? SPACE : STRING;
    case ESCAPE:
      return STRING;
    case SLASH:
      if (c == 0x2a) return COMMENT;
      break;
    case COMMENT:
      return c == 0x2a ? STAR : COMMENT;
    case STAR:
      return c == 0x2f ? SPACE : c == 0x2a ? STAR : COMMENT;
    case WORD:
      if (isLetter(c) || isDigit(c) || c == 0x5f) return WORD;
      break;
    case NUMBER:
      if (isDigit(c)) return NUMBER;
      break;
  }
  // A sparse switch is a chain of comparisons: what is frequent, and ranges, stand before it.
  if (isLetter(c) || c == 0x5f) return WORD;
  if (isDigit(c)) return NUMBER;
  if (c == 0x22) return STRING;
  return c == 0x2f ? SLASH : SPACE;
}
export function run(): u32 {
  let sum: u32 = 0;
  for (let i = 0; i < LENGTH; i++) unchecked((text[i] = sample[i % 105]));
  for (let round = 0; round < 4; round++) {
    let state = SPACE;
    for (let i = 0; i < LENGTH; i++) {
      const next = step(state, unchecked(text[i]));
      if (next != state) unchecked(counts[next]++);
      state = next;
    }
  }
  for (let i = 0; i < 8; i++) sum = sum * 31 + unchecked(counts[i]);
  return sum;
}
