import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { ByteWriter, WasmError } from '../src/index.ts';

const write = (use: (to: ByteWriter) => void): number[] => {
  const writer = new ByteWriter();
  use(writer);
  return [...writer.bytes()];
};

/** A decoder of its own, straight from the grammar of [WASM §5.2.2]: s = the sum of the groups, sign-extended at the end. */
function decode(bytes: readonly number[], signed: boolean): bigint {
  let value = 0n;
  bytes.forEach((byte, i) => {
    expect((byte & 0x80) !== 0).toBe(i < bytes.length - 1);
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
  });
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
}

describe('LEB128', () => {
  test.each([-1, 0x1_0000_0000, 1.5, Number.NaN])('unsigned refuses %s', (value) => {
    expect(() => write((to) => to.unsigned(value))).toThrow(WasmError);
  });
  test.each([-0x8000_0001, 0x1_0000_0000, 0.5])('signed32 refuses %s', (value) => {
    expect(() => write((to) => to.signed32(value))).toThrow(WasmError);
  });
  test('signed64 refuses what 64 bits cannot hold', () => {
    expect(() => write((to) => to.signed64(1n << 64n))).toThrow(WasmError);
    expect(() => write((to) => to.signed64(-(1n << 63n) - 1n))).toThrow(WasmError);
  });
  test('literal bytes [WASM §5.2.2]', () => {
    expect(write((to) => to.unsigned(624485))).toEqual([0xe5, 0x8e, 0x26]);
    expect(write((to) => to.signed32(-123456))).toEqual([0xc0, 0xbb, 0x78]);
    expect(write((to) => to.signed32(0xffffffff))).toEqual([0x7f]);
    expect(write((to) => to.signed32(64))).toEqual([0xc0, 0x00]);
  });
  test('unsigned round-trips in the fewest bytes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffffffff }), (value) => {
        const bytes = write((to) => to.unsigned(value));
        expect(decode(bytes, false)).toBe(BigInt(value));
        expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
      }),
    );
  });
  test('signed32 and signed64 agree and round-trip', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const bytes = write((to) => to.signed32(value));
        expect(decode(bytes, true)).toBe(BigInt(value));
        expect(write((to) => to.signed64(BigInt(value)))).toEqual(bytes);
        if (bytes.length > 1)
          expect(
            decode(
              bytes.slice(0, -1).map((b, i, all) => (i === all.length - 1 ? b & 0x7f : b)),
              true,
            ),
          ).not.toBe(BigInt(value));
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (value) => {
        expect(
          decode(
            write((to) => to.signed64(value)),
            true,
          ),
        ).toBe(value);
        expect(write((to) => to.signed64(BigInt.asUintN(64, value)))).toEqual(write((to) => to.signed64(value)));
      }),
    );
  });
});

describe('names', () => {
  test('UTF-8 of one to four bytes', () => {
    expect(write((to) => to.name('aé€😀'))).toEqual([10, 0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]);
  });
  test('half a surrogate pair is refused', () => {
    expect(() => write((to) => to.name('\ud800'))).toThrow(WasmError);
  });
});
