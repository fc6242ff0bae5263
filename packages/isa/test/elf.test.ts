import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IsaError, loadElf } from '../src/index.ts';

/** Offsets of the parts of the file that `makeElf` makes. */
const PHDR = 52;
const TEXT = PHDR + 3 * 32;
const STRTAB = TEXT + 16;
const SYMTAB = STRTAB + 32;
const SHDR = SYMTAB + 5 * 16;

/** An executable as a linker writes it: text, data with bss, a note, a symbol table. */
function makeElf(): Uint8Array {
  const file = new Uint8Array(SHDR + 3 * 40);
  const view = new DataView(file.buffer);
  const words = (at: number, ...values: number[]): void => {
    values.forEach((value, i) => {
      view.setUint32(at + 4 * i, value, true);
    });
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  words(16, 0x00080002, 1, 0x80001004, PHDR, SHDR, 0x1001);
  [52, 32, 3, 40, 3, 1].forEach((value, i) => {
    view.setUint16(40 + 2 * i, value, true);
  });
  //                type offset     vaddr       paddr       filesz memsz flags align
  words(PHDR, 1, TEXT + 8, 0x80002000, 0x80002000, 8, 0x100, 6, 4);
  words(PHDR + 32, 1, TEXT, 0x80001000, 0x80001000, 8, 8, 5, 4);
  words(PHDR + 64, 4, TEXT, 0xffffffff, 0, 0xffffffff, 1, 4, 4);
  words(TEXT, 0, 0x03e00008, 0x11223344, 0x55667788);
  file.set(new TextEncoder().encode('\0start\0table\0main.c\0gone\0'), STRTAB);
  const symbol = (i: number, name: number, value: number, info: number, section: number): void => {
    words(SYMTAB + 16 * i, name, value, 0, info | (section << 16));
  };
  symbol(1, 1, 0x80001004, 0x12, 1);
  symbol(2, 1, 0x80009999, 0x02, 1); // a local of the same name
  symbol(3, 13, 0, 0x04, 0xfff1); // a file name
  symbol(4, 7, 0x80002000, 0x01, 2);
  //               name type flags addr offset size link info align entsize
  words(SHDR + 40, 0, 3, 0, 0, STRTAB, 32, 0, 0, 1, 0);
  words(SHDR + 80, 0, 2, 0, 0, SYMTAB, 80, 1, 1, 4, 16);
  return file;
}

function codeOf(file: Uint8Array): string {
  try {
    loadElf(file);
  } catch (error) {
    if (error instanceof IsaError) return error.code;
    throw error;
  }
  return 'loaded';
}

type Patch = readonly [what: string, at: number, size: 1 | 2 | 4, value: number];

function patched(...patches: Patch[]): Uint8Array {
  const file = makeElf();
  const view = new DataView(file.buffer);
  for (const [, at, size, value] of patches) {
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }
  return file;
}

describe('files of another kind', () => {
  test.each<Patch>([
    ['another magic', 0, 1, 0x7e],
    ['64-bit', 4, 1, 2],
    ['big-endian', 5, 1, 2],
    ['an unknown identification', 6, 1, 0],
    ['a relocatable object', 16, 2, 1],
    ['a shared object', 16, 2, 3],
    ['x86', 18, 2, 3],
    ['an unknown version', 20, 4, 2],
    ['a request for a dynamic linker', PHDR + 64, 4, 3],
  ])('%s', (...patch) => {
    expect(codeOf(patched(patch))).toBe('elf-format');
  });

  test('nothing loadable', () => {
    expect(codeOf(patched(['', PHDR, 4, 0], ['', PHDR + 32, 4, 0]))).toBe('elf-format');
  });

  test('a script, and nothing at all', () => {
    expect(codeOf(new TextEncoder().encode('#!/bin/sh\n'))).toBe('elf-format');
    expect(codeOf(new Uint8Array(0))).toBe('elf-format');
  });
});

describe('numbers that lie', () => {
  test.each<Patch>([
    ['a program header table outside the file', 28, 4, 0xfffffff0],
    ['program headers of another size', 42, 2, 31],
    ['no program headers', 44, 2, 0],
    ['65535 program headers', 44, 2, 0xffff],
    ['a segment that starts outside the file', PHDR + 4, 4, 0xfffffff8],
    ['a segment that ends outside the file', PHDR + 4, 4, SHDR + 113],
    ['more bytes in the file than in memory', PHDR + 16, 4, 0x101],
    ['a segment that wraps', PHDR + 20, 4, 0x80000000],
    ['two segments that overlap', PHDR + 8, 4, 0x80001007],
    ['two segments at one address', PHDR + 8, 4, 0x80001000],
    ['an entry outside every segment', 24, 4, 0x80001008],
    ['an entry between instructions', 24, 4, 0x80001002],
  ])('%s', (...patch) => {
    expect(codeOf(patched(patch))).toBe('elf-range');
  });

  test('the error names the field and its value', () => {
    try {
      loadElf(patched(['', PHDR + 20, 4, 0x80000000]));
      expect.unreachable();
    } catch (error) {
      expect((error as IsaError).details).toEqual({ field: 'segment address', value: 0x80002000 });
      expect((error as IsaError).message).toContain('0x80002000');
    }
  });

  test('a file that ends in what is loaded, or before, is refused', () => {
    const file = makeElf();
    for (let length = 0; length < TEXT + 16; length++) expect(codeOf(file.slice(0, length))).toMatch(/^elf-/);
  });

  test('a segment of zeros alone may say an offset behind the end of the file, as GNU ld 2.40 writes it', () => {
    const zeros = patched(['segment offset', PHDR + 4, 4, 0x1000], ['bytes in the file', PHDR + 16, 4, 0]);
    const [, segment] = loadElf(zeros).segments;
    expect(segment).toMatchObject({ vaddr: 0x80002000, bytes: new Uint8Array(0), memSize: 0x100 });
    expect(codeOf(patched(['segment offset', PHDR + 4, 4, 0x1000]))).toMatch(/^elf-/);
  });

  test('any mutation loads or is refused by name', () => {
    const mutation = fc.tuple(fc.nat(SHDR + 119), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255));
    let loaded = 0;
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), (mutations, edges) => {
        const file = makeElf();
        for (const [at, edge, any] of mutations) file[at] = edges ? edge : any;
        const code = codeOf(file);
        expect(['loaded', 'elf-format', 'elf-range']).toContain(code);
        if (code !== 'loaded') return;
        loaded += 1;
        const { entry, segments } = loadElf(file);
        for (const { vaddr, bytes, memSize } of segments) {
          expect(bytes.length).toBeLessThanOrEqual(memSize);
          expect(vaddr + memSize).toBeLessThanOrEqual(2 ** 32);
        }
        expect(segments.some((s) => entry >= s.vaddr && entry < s.vaddr + s.memSize)).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(loaded).toBeGreaterThan(100);
  });
});

// The section header table is optional for execution [ELF]: Linux and qemu-mipsel do not look at it.
describe('sections and symbols that contradict the file', () => {
  test.each<Patch>([
    ['a section header table outside the file', 32, 4, SHDR + 1],
    ['section headers of another size', 46, 2, 41],
    ['65535 section headers', 48, 2, 0xffff],
    ['a symbol table outside the file', SHDR + 80 + 16, 4, 0xfffffff0],
    ['an absurd symbol table', SHDR + 80 + 20, 4, 0xfffffff0],
    ['symbols of another size', SHDR + 80 + 36, 4, 0],
    ['names in a section that does not exist', SHDR + 80 + 24, 4, 3],
    ['names in a section of another type', SHDR + 80 + 24, 4, 2],
    ['a string table outside the file', SHDR + 40 + 20, 4, 0xffffffff],
  ])('%s', (...patch) => {
    expect(loadElf(patched(patch))).toEqual({ ...loadElf(makeElf()), symbols: undefined });
  });

  test('in a file that ends behind what is loaded', () => {
    const file = makeElf();
    const whole = loadElf(file).segments;
    for (let length = TEXT + 16; length < file.length; length++) {
      expect(loadElf(file.slice(0, length))).toMatchObject({ segments: whole });
      expect(loadElf(file.slice(0, length)).symbols).toBeUndefined();
    }
  });

  test('a symbol whose name lies outside the string table, or has no end, is left out', () => {
    expect([...(loadElf(patched(['', SYMTAB + 16, 4, 33])).symbols?.keys() ?? [])].toSorted()).toEqual([
      'start',
      'table',
    ]);
    expect(loadElf(patched(['', STRTAB + 12, 1, 0x61], ['', SHDR + 60, 4, 13])).symbols).toEqual(
      new Map([['start', 0x80001004]]),
    );
  });

  test('a name of C++, of 1500 letters; one beyond 32768 is left out', () => {
    for (const [letters, isKept] of [
      [1500, true],
      [32768, true],
      [32769, false],
    ] as const) {
      const file = new Uint8Array(SHDR + 120 + letters + 2).fill(0x61);
      file.set(makeElf());
      file[SHDR + 120] = 0;
      file[file.length - 1] = 0;
      const view = new DataView(file.buffer);
      view.setUint32(SHDR + 40 + 16, SHDR + 120, true);
      view.setUint32(SHDR + 40 + 20, letters + 2, true);
      expect(loadElf(file).symbols?.get('a'.repeat(letters))).toBe(isKept ? 0x80001004 : undefined);
    }
  });

  test('200,000 symbols; as many that share one long name take no more room than four times the names', () => {
    const count = 200_000;
    const make = (name: (i: number) => number, strings: Uint8Array): Uint8Array => {
      const at = SHDR + 120;
      const file = new Uint8Array(at + 16 * count + strings.length);
      file.set(makeElf());
      const view = new DataView(file.buffer);
      for (let i = 0; i < count; i++) {
        view.setUint32(at + 16 * i, name(i), true);
        view.setUint8(at + 16 * i + 12, 0x12);
        view.setUint16(at + 16 * i + 14, 1, true);
      }
      file.set(strings, at + 16 * count);
      view.setUint32(SHDR + 40 + 16, at + 16 * count, true);
      view.setUint32(SHDR + 40 + 20, strings.length, true);
      view.setUint32(SHDR + 80 + 16, at, true);
      view.setUint32(SHDR + 80 + 20, 16 * count, true);
      return file;
    };
    const names = new TextEncoder().encode(Array.from({ length: count }, (_, i) => `s${100000 + i}\0`).join(''));
    expect(loadElf(make((i) => 8 * i, names)).symbols?.size).toBe(count);
    const shared = loadElf(make((i) => i % 30_000, new Uint8Array(30_001).fill(0x61, 0, 30_000))).symbols;
    expect([...(shared?.keys() ?? [])].join('').length).toBeLessThan(5 * 30_001);
  });
});

describe('an executable', () => {
  test('gives its entry, its segments in order of address, its symbols', () => {
    const { entry, segments, symbols } = loadElf(makeElf());
    expect(entry).toBe(0x80001004);
    expect(segments).toEqual([
      { vaddr: 0x80001000, bytes: Uint8Array.of(0, 0, 0, 0, 8, 0, 0xe0, 3), memSize: 8, flags: 5 },
      {
        vaddr: 0x80002000,
        bytes: Uint8Array.of(0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55),
        memSize: 0x100,
        flags: 6,
      },
    ]);
    expect(symbols).toEqual(
      new Map([
        ['start', 0x80001004],
        ['table', 0x80002000],
      ]),
    );
  });

  test('may be stripped', () => {
    const image = loadElf(patched(['', 32, 4, 0], ['', 48, 2, 0]));
    expect('symbols' in image).toBe(false);
  });

  test('may lie anywhere in a larger buffer', () => {
    const file = makeElf();
    const larger = new Uint8Array(file.length + 7);
    larger.set(file, 7);
    expect(loadElf(larger.subarray(7))).toEqual(loadElf(file));
  });

  test('may reach the last byte of the address space', () => {
    expect(codeOf(patched(['', PHDR + 8, 4, 0xffffff00]))).toBe('loaded');
  });
});
