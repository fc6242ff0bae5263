/** Sites on disk: what goes in comes out, and what nobody wrote is refused whole. */
import { encodeUtf8 } from '@exokernel/libos-kit';
import { sumBytes } from '@exokernel/net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheetahError, formatSite, type CheetahErrorCode, type SiteFile } from '../src/index.ts';
import {
  BLOCK_BYTES,
  SEGMENT_BYTES,
  directoryLength,
  fileBlocks,
  readDirectory,
  segments,
  sumsOffset,
  type SiteEntry,
} from '../src/site.ts';

function file(path: string, size = 10, type = 'text/plain'): SiteFile {
  return { path, type, body: Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8)) & 0xff) };
}

function entriesOf(site: Uint8Array): SiteEntry[] {
  const length = Math.ceil(directoryLength(site.subarray(0, BLOCK_BYTES)) / BLOCK_BYTES) * BLOCK_BYTES;
  return readDirectory(site.subarray(0, length), site.length / BLOCK_BYTES);
}

function codeOf(run: () => unknown): CheetahErrorCode | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof CheetahError) return error.code;
    throw error;
  }
}

/** A site with one word changed. */
function damaged(site: Uint8Array, at: number, value: number): Uint8Array {
  const copy = site.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

describe('refused when it is formatted', () => {
  test.each<[string, SiteFile[], CheetahErrorCode]>([
    ['a path that is not absolute', [file('a')], 'site-path'],
    ['an empty path', [file('')], 'site-path'],
    ['a path twice', [file('/a'), file('/a')], 'site-path'],
    ['a path of 1025 bytes', [file(`/${'é'.repeat(512)}`)], 'site-path'],
    ['half a character', [file('/\ud800')], 'site-path'],
    ['no type', [file('/a', 1, '')], 'site-path'],
    ['a type that ends the header', [file('/a', 1, 'text/html\r\n\r\nX')], 'site-path'],
    ['a file of 2 MiB and its header', [file('/a', 2 ** 21)], 'site-size'],
    ['more than fits in memory', [file('/a', 2e6), file('/b', 2e6), file('/c', 6e4)], 'site-size'],
    ['a long directory', Array.from({ length: 3500 }, (_, i) => file(`/${i}`, 0)), 'site-size'],
  ])('%s', (_, files, code) => {
    expect(codeOf(() => formatSite(files))).toBe(code);
  });
});

describe('round trip', () => {
  function check(files: readonly SiteFile[]): void {
    const site = formatSite(files);
    const entries = entriesOf(site);
    expect(entries.map(({ path }) => path)).toEqual(files.map(({ path }) => path));
    entries.forEach(({ block, headerBytes, bodyBytes }, i) => {
      const { type, body } = files[i] ?? file('/');
      const total = headerBytes + bodyBytes;
      const response = site.subarray(block * BLOCK_BYTES, block * BLOCK_BYTES + total);
      const header = `HTTP/1.1 200 OK\r\nServer: Cheetah\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
      expect(response).toEqual(Uint8Array.from([...encodeUtf8(header), ...body]));
      const sums = new DataView(site.buffer, block * BLOCK_BYTES + sumsOffset(total));
      for (let k = 0; k < segments(total); k += 1) {
        const sum = sumBytes(response, k * SEGMENT_BYTES, Math.min((k + 1) * SEGMENT_BYTES, total));
        expect(sums.getUint32(4 * k, true)).toBe(sum);
      }
    });
  }

  test('no files at all', () => {
    check([]);
    expect(formatSite([])).toHaveLength(BLOCK_BYTES);
  });

  // The header of /x has 84 bytes at these sizes, give or take a digit: sizes about segment and block boundaries.
  test.each([0, 1, 2, 3, 5, 1370, 1376, 1377, 1378, 1459, 1460, 1461, 4000, 4003, 4004, 4005, 4096, 8192, 100_000])(
    'a body of %i bytes',
    (size) => {
      check([file('/before', 1), file('/x', size), file('/behind', 1)]);
    },
  );

  test('sums that need a block of their own', () => {
    const header = 85;
    for (let size = 4096 - header - 8; size <= 4096 - header + 1; size += 1) check([file('/x', size)]);
    expect(fileBlocks(4096)).toBe(2);
    expect(fileBlocks(4096 - 12)).toBe(1);
    expect(fileBlocks(4096 - 11)).toBe(2);
  });

  test('paths: the longest, in other letters, with spaces, a folder', () => {
    check([file(`/${'a'.repeat(1023)}`), file('/grüße/€.html'), file('/a b'), file('/a/')]);
  });

  test('a directory of many blocks', () => {
    check(Array.from({ length: 900 }, (_, i) => file(`/${i}/${'x'.repeat(30)}`, 1)));
  });

  test('any files', () => {
    const path = fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => `/${s}`);
    const files = fc.uniqueArray(fc.tuple(path, fc.nat(6000)), { selector: ([p]) => p, maxLength: 6 });
    fc.assert(
      fc.property(files, (list) => {
        check(list.map(([p, size]) => file(p, size)));
      }),
      { numRuns: 30 },
    );
  });
});

describe('refused when it is read', () => {
  const site = formatSite([file('/a', 5000), file('/b', 10)]);
  const [A, B] = [16, 36];
  const blocks = site.length / BLOCK_BYTES;

  test('these are the words that the cases below change', () => {
    const view = new DataView(site.buffer);
    expect([view.getUint32(A, true), view.getUint32(B, true), view.getUint32(B + 12, true)]).toEqual([1, 3, 2]);
    expect(entriesOf(site)).toHaveLength(2);
  });

  test.each<[string, number, number]>([
    ['another magic', 0, 0x48544844],
    ['another version', 4, 2],
    ['more files than there are', 8, 3],
    ['four billion files', 8, 0xffffffff],
    ['a directory shorter than its head', 12, 15],
    ['a directory that ends in an entry', 12, 40],
    ['a directory above 64 KiB', 12, 65537],
    ['a file within the directory', A, 0],
    ['a file over another', B, 2],
    ['a file over itself, backwards', B, 1],
    ['a file behind the extent', B, 4],
    ['a file at the end of the numbers', B, 0xffffffff],
    ['no header', A + 4, 0],
    ['a header longer than any file', A + 4, 0xffffffff],
    ['a body longer than any file', A + 8, 2 ** 21],
    ['a body that wraps around', A + 8, 0xffffffff],
    ['a body longer than the extent', B + 8, 5000],
    ['a path longer than any', A + 12, 1025],
    ['a path behind the directory', B + 12, 6],
    ['a path that is not absolute', A + 16, 0x61616161],
    ['a path twice', B + 16, 0x612f],
  ])('%s', (_, at, value) => {
    expect(codeOf(() => entriesOf(damaged(site, at, value)))).toBe('site-format');
  });

  test('a path longer than any, within the directory', () => {
    const long = formatSite([file(`/${'a'.repeat(1023)}`, 1), file('/b', 1)]);
    const [one, longer] = [damaged(long, 8, 1), damaged(damaged(long, 8, 1), A + 12, 1025)];
    expect(entriesOf(one)).toHaveLength(1);
    expect(codeOf(() => entriesOf(longer))).toBe('site-format');
  });

  test.each([0, 1, 15, 16, 31, 32, 39, 40])('a disk that ends after %i bytes', (length) => {
    expect(codeOf(() => readDirectory(site.slice(0, length), blocks))).toBe('site-format');
  });

  test('an extent shorter than the site', () => {
    for (let n = 0; n < blocks; n += 1) expect(codeOf(() => readDirectory(site, n))).toBe('site-format');
  });

  test('blocks that hold something else', () => {
    expect(codeOf(() => directoryLength(new Uint8Array(BLOCK_BYTES)))).toBe('site-format');
    expect(codeOf(() => directoryLength(new Uint8Array(BLOCK_BYTES).fill(0xff)))).toBe('site-format');
  });
});

describe('fuzz: entries that make sense, or site-format', () => {
  const site = formatSite([file('/a', 5000), file('/b/index.html', 10), file('/c', 0)]);

  function check(directory: Uint8Array, blocks: number): void {
    let entries: SiteEntry[] = [];
    if (codeOf(() => (entries = readDirectory(directory, blocks))) === 'site-format') return;
    let free = 1;
    for (const { path, block, headerBytes, bodyBytes } of entries) {
      expect(path.startsWith('/')).toBe(true);
      expect(block).toBeGreaterThanOrEqual(free);
      free = block + fileBlocks(headerBytes + bodyBytes);
      expect(free).toBeLessThanOrEqual(blocks);
    }
  }

  test('bytes of a directory changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(99), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, (list) => {
        const directory = site.slice(0, BLOCK_BYTES);
        for (const [at, byte] of list) directory[at] = byte;
        check(directory, site.length / BLOCK_BYTES);
      }),
      { numRuns: 1000 },
    );
  });

  test('any words behind the head', () => {
    const word = fc.oneof(fc.nat(8), fc.nat(2000), fc.integer({ min: 0, max: 0xffffffff }), fc.constant(0x2f2f2f2f));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), fc.nat(5), fc.nat(300), (words, count, length) => {
        const directory = site.slice(0, BLOCK_BYTES);
        const view = new DataView(directory.buffer);
        words.forEach((value, i) => {
          view.setUint32(16 + 4 * i, value, true);
        });
        view.setUint32(8, count, true);
        view.setUint32(12, length, true);
        check(directory, 1024);
      }),
      { numRuns: 1000 },
    );
  });
});
