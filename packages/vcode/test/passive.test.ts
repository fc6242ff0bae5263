/** Passive data: `memory.init` copies it, `data.drop` takes it away; the same on all back ends. Source: [WASM §4.4.7]. */
import { describe, expect, test } from 'vitest';
import { ABORT_BOUNDS, fromWasm, VcodeError, type Module } from '@exokernel/vcode';
import { OwnMips } from './on-mips.ts';
import { MOST_BYTES, runChecked } from './run-checked.ts';

const FUEL = 10_000_000;

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const section = (id: number, ...content: number[]): number[] => [id, ...leb(content.length), ...content];

/**
 * A module with a memory of a page, a passive segment, and an active one of two bytes at 0. Exports: `f(to, from, count)` copies of the passive
 * segment, `g` of the active one, `h` drops the passive one and copies.
 */
function moduleOf(passive: readonly number[]): Module {
  const name = (text: string): number[] => [text.length, ...[...text].map((one) => one.charCodeAt(0))];
  const copies = (segment: number): number[] => [0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 8, segment, 0];
  const bodies = [copies(0), copies(1), [0xfc, 9, 0, ...copies(0)]].map((code) => [0, ...code, 0x0b]);
  return fromWasm(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0),
      ...section(3, 3, 0, 0, 0),
      ...section(5, 1, 1, 1, 1),
      ...section(7, 3, ...['f', 'g', 'h'].flatMap((one, i) => [...name(one), 0, i])),
      ...section(12, 2),
      ...section(10, 3, ...bodies.flatMap((body) => [...leb(body.length), ...body])),
      ...section(11, 2, 1, ...leb(passive.length), ...passive, 0, 0x41, 0, 0x0b, 2, 0xaa, 0xbb),
    ]),
  );
}

const BYTES = Array.from({ length: 2103 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

describe('passive data', () => {
  const module = moduleOf(BYTES);

  test.each([
    [100, 0, 2103],
    [3, 1, 4],
    [2, 2047, 3],
    [65_533, 2100, 3],
    [65_536, 2103, 0],
  ])('%i from %i, %i bytes', (to, from, count) => {
    const { status, memory } = runChecked(module, [to, from, count], FUEL);
    expect(status).toBe(0);
    expect([...memory.subarray(to, to + count)]).toEqual(BYTES.slice(from, from + count));
    expect([...memory.subarray(0, 2)]).toEqual([0xaa, 0xbb]);
    const own = new OwnMips(module);
    own.call('f', [to, from, count]);
    expect(memory.equals(own.memory())).toBe(true);
  });

  test.each([
    ['f', 0, 2100, 4],
    ['f', 0, 2104, 0],
    ['f', 0, 0xffffffff, 2],
    ['f', 65_535, 0, 2],
    ['f', 0, 2, 0xffffffff],
    // An active segment is gone before a program begins, and so is one that was dropped.
    ['g', 0, 0, 1],
    ['h', 0, 0, 1],
  ])('%s(%i, %i, %i) is outside, and changes nothing', (name, ...values) => {
    const { status, memory } = runChecked(module, values, FUEL, name);
    expect(status).toBe(ABORT_BOUNDS);
    expect(memory.subarray(2).every((byte) => byte === 0)).toBe(true);
  });

  test('nothing of a segment that is gone is nothing wrong', () => {
    for (const name of ['g', 'h']) expect(runChecked(module, [MOST_BYTES / 3, 0, 0], FUEL, name).status).toBe(0);
  });

  test('more than is compiled is refused', () => {
    expect(() => moduleOf(new Array<number>(65_537).fill(1))).toThrow(VcodeError);
  });
});
