/** UTF-8 without the host's TextEncoder: text of programs to bytes of the machine, and back. */

/** Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const character of text.toWellFormed()) {
    const c = character.codePointAt(0) ?? 0xfffd;
    if (c < 0x80) bytes.push(c);
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
  }
  return Uint8Array.from(bytes);
}

/** Bytes that are no UTF-8 become U+FFFD, one each. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length;) {
    const [code, length] = decodeOne(bytes, i);
    text += String.fromCodePoint(code);
    i += length;
  }
  return text;
}

function decodeOne(bytes: Uint8Array, at: number): readonly [number, number] {
  const first = bytes[at] ?? 0;
  const length =
    first < 0x80
      ? 1
      : first >= 0xf0 && first < 0xf5
        ? 4
        : first >= 0xe0 && first < 0xf0
          ? 3
          : first >= 0xc2 && first < 0xe0
            ? 2
            : 0;
  if (length === 1) return [first, 1];
  let code = first & (0x7f >> length);
  for (let i = 1; i < length; i += 1) {
    const next = bytes[at + i] ?? 0;
    if ((next & 0xc0) !== 0x80) return [0xfffd, 1];
    code = (code << 6) | (next & 63);
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][length] ?? 0;
  const valid = length > 0 && code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? [code, length] : [0xfffd, 1];
}
