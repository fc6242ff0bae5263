/** The ELF writer: what the loader reads of it is what was written. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadElf, writeElf, type ElfParts } from '../src/index.ts';

const PARTS: ElfParts = {
  entry: 0x400000,
  segments: [
    { name: '.text', vaddr: 0x400000, bytes: Uint8Array.of(8, 0, 0xe0, 3, 0, 0, 0, 0), memSize: 8, flags: 5 },
    { name: '.data', vaddr: 0x401000, bytes: Uint8Array.of(1, 2, 3, 4), memSize: 0x100, flags: 6 },
    { name: '.bss', vaddr: 0x402000, bytes: new Uint8Array(0), memSize: 0x1000, flags: 6 },
  ],
  symbols: [
    { name: 'start', address: 0x400000, size: 8 },
    { name: 'elsewhere', address: 0x2000, size: 0 },
  ],
  notes: [{ name: 'owner', type: 7, bytes: Uint8Array.of(1, 2, 3, 4, 5) }],
};

test('segments, symbols and notes come back', () => {
  const { entry, segments, symbols, notes } = loadElf(writeElf(PARTS));
  expect(entry).toBe(PARTS.entry);
  expect(segments).toEqual(
    PARTS.segments.map(({ vaddr, bytes, memSize, flags }) => ({ vaddr, bytes, memSize, flags })),
  );
  expect(symbols).toEqual(new Map(PARTS.symbols.map(({ name, address }) => [name, address])));
  expect(notes).toEqual(PARTS.notes);
});

test('several notes of any length come back; one that does not end in the file is left out', () => {
  const note = fc.record({
    name: fc.stringMatching(/^[a-z]{1,9}$/),
    type: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 9 }),
  });
  fc.assert(
    fc.property(fc.array(note, { maxLength: 5 }), (notes) => {
      const file = writeElf({ ...PARTS, notes });
      expect(loadElf(file).notes).toEqual(notes);
      // The size of what the first note holds, behind three segments' headers.
      const header = new DataView(file.buffer);
      const at = header.getUint32(52 + 3 * 32 + 4, true);
      if (notes.length === 0) return;
      header.setUint32(at + 4, 0xfffffff0, true);
      expect(loadElf(file).notes).toEqual([]);
    }),
  );
});
