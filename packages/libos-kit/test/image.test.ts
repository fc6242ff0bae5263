/** Images: linking machine-code programs, and the mistakes of a host. */
import { V0, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import {
  KIT_TEXT_BYTES,
  LibosError,
  PAGED_BASE,
  PAGED_END,
  address,
  assembleRuntime,
  buildImage,
  linkProgram,
  machineProgram,
  pageEntry,
  pageTableEntry,
  type ImageParts,
  type MachineProgram,
  type Pages,
} from '../src/index.ts';

const runtime = assembleRuntime({
  resumes: [],
  emit: (a) => {
    a.label('clock_ticks');
    a.ret();
    a.nop();
  },
});

/** A program of `nops` words, then the address of its data in v0. */
function sized(nops: number, data: number): MachineProgram<'clock'> {
  return machineProgram('sized', ['clock'], data, (a: Assembler, os) => {
    for (let i = 0; i < nops; i += 1) a.nop();
    a.li(V0, os.data);
  });
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof LibosError) return error.code;
    throw error;
  }
}

describe('linkProgram', () => {
  test.each([0, 1, 1021, 1022, 1023, 1024, 1025, 2046, 2047, 2048])(
    'the data of a program of %i words and a bit lies on the page after its text',
    (nops) => {
      const [text, data] = linkProgram(sized(nops, 5000), 'batch', runtime).pages;
      expect(text?.va).toBe(PAGED_BASE);
      const pages = Math.ceil((text?.bytes.length ?? 0) / 4096);
      expect(data?.va).toBe(PAGED_BASE + 4096 * pages);
      expect(data?.bytes.length).toBe(8192);
      expect([text?.writable, data?.writable]).toEqual([false, true]);
      // The program knows where: `lui` alone, or with `ori`.
      const words = new Uint32Array(text?.bytes.buffer ?? new ArrayBuffer(0));
      const upper = (words[nops] ?? 0) & 0xffff;
      const lower = (words[nops + 1] ?? 0) >>> 26 === 0x0d ? (words[nops + 1] ?? 0) & 0xffff : 0;
      expect(upper * 0x10000 + lower).toBe(data?.va);
    },
  );

  test('a program that needs no data has none', () => {
    expect(linkProgram(sized(1, 0), 'batch', runtime).pages[1]?.bytes.length).toBe(0);
  });

  test('too much data, too much text, and entry points that are not there are errors', () => {
    expect(codeOf(() => linkProgram(sized(1, PAGED_END - PAGED_BASE), 'batch', runtime))).toBe('program-size');
    expect(codeOf(() => linkProgram(sized(1, PAGED_END - PAGED_BASE - 4096), 'batch', runtime))).toBeUndefined();
    expect(codeOf(() => linkProgram(sized(1, -1), 'batch', runtime))).toBe('program-size');
    expect(codeOf(() => linkProgram(sized(1, 0.5), 'batch', runtime))).toBe('program-size');
    expect(codeOf(() => linkProgram(sized(1100, 0), 'batch', runtime, PAGED_BASE + 4096))).toBe('program-size');
    const lost = machineProgram('lost', ['clock'], 0, (a, os) => {
      a.li(V0, os.entry('clock_sleep'));
    });
    expect(codeOf(() => linkProgram(lost, 'batch', runtime))).toBe('image');
  });
});

describe('buildImage', () => {
  const parts: ImageParts = {
    name: 'image',
    libos: 'none',
    runtime,
    entry: 0x2000,
    pages: [],
    handlers: {},
    natives: () => [],
    placement: {},
  };
  const withPages = (...pages: Pages[]): ImageParts => ({ ...parts, pages });
  const page = (va: number, bytes = 4096): Pages => ({ va, bytes: new Uint8Array(bytes), writable: true });

  test.each([
    ['below the paged region', page(PAGED_BASE - 4096)],
    ['behind it', page(PAGED_END)],
    ['reaching out of it', page(PAGED_END - 4096, 4097)],
    ['between pages', page(PAGED_BASE + 4)],
  ])('pages %s are an error', (_, one) => {
    expect(codeOf(() => buildImage(withPages(one)))).toBe('image');
  });

  test('two pages at one place are an error', () => {
    expect(codeOf(() => buildImage(withPages(page(PAGED_BASE, 8192), page(PAGED_BASE + 4096))))).toBe('image');
  });

  test('handlers and entries that the runtime does not have are an error', () => {
    expect(codeOf(() => buildImage({ ...parts, handlers: { tlbl: 'nowhere' } }))).toBe('image');
    expect(codeOf(() => buildImage({ ...parts, syncEntry: 'nowhere' }))).toBe('image');
    expect(codeOf(() => address(runtime, 'nowhere'))).toBe('image');
  });

  test('a runtime that does not fit in its pages is an error', () => {
    const emit = (a: Assembler): void => {
      for (let i = 0; i < KIT_TEXT_BYTES / 4; i += 1) a.nop();
    };
    expect(codeOf(() => assembleRuntime({ resumes: [], emit }))).toBe('image');
  });

  test('each page is a frame, and its entry in the page table names it', () => {
    const image = buildImage({ ...withPages(page(PAGED_BASE, 5000)), zeroFill: [{ va: PAGED_BASE, pages: 3 }] });
    expect(image.frames.map((frame) => frame.length)).toEqual([4096, 904]);
    const frames = [
      [1, 500, 2, 3],
      [4, 501, 5, 6],
    ] as const;
    const zero = [0, 0, 0, 0] as const;
    const words = image.words({ env: 3, self: zero, uPage: zero, segments: [], frames });
    expect(words.get(pageTableEntry(PAGED_BASE))).toBe(pageEntry(500, { writable: true }));
    expect(words.get(pageTableEntry(PAGED_BASE) + 8)).toBe(2);
    expect(words.get(pageTableEntry(PAGED_BASE + 4096))).toBe(pageEntry(501, { writable: true }));
    // Only what has no frame is filled with zeros on demand.
    expect(words.get(pageTableEntry(PAGED_BASE + 8192))).toBe(1);
  });
});
