/** Interface `files`. What a disk must keep from one life to the next is in disk.ts. */
import { ERRORS } from '@exokernel/abi';
import { V0 } from '@exokernel/isa';
import type { Fiber, Files } from '@exokernel/libos-kit';
import { assembledCase } from './assembled.ts';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

/** Numbers that no file has. */
const NONE = [0, -1, 77, 0x7fffffff];

/** Bytes that differ from each other. */
export function patternOf(length: number, from: number = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + from) & 0xff);
}

/** Bytes as a case compares them; an error as it is. */
export function* bytesOf(
  files: Files,
  file: number,
  offset: number = 0,
  most: number = 1 << 20,
): Fiber<string | number> {
  const bytes = yield* files.read(file, offset, most);
  return typeof bytes === 'number' ? bytes : bytes.join();
}

/** What `list` gives, as a case compares it. */
export function* listed(files: Files): Fiber<string | number> {
  const entries = yield* files.list();
  if (typeof entries === 'number') return entries;
  return entries.map(({ file, name, bytes }) => `${file}: ${name}, ${bytes} bytes`).join('; ');
}

export const FILES: readonly ProgramCase[] = [
  fiberCase('what is appended is read again, and listed until it is removed', ['files'], function* ({ files }, check) {
    check.is('list of no files', yield* listed(files), '');
    const a = yield* files.create('a');
    const b = yield* files.create('grüße');
    for (const file of [a, b]) check.isBetween('create', file, 1, 0x7fffffff);
    check.is('append of 100 bytes', yield* files.append(a, patternOf(100)), 100);
    check.is('append of 9000 bytes', yield* files.append(b, patternOf(9000)), 9000);
    check.is('append of 300 bytes more', yield* files.append(a, patternOf(300, 1)), 300);
    check.is('size', yield* files.size(a), 400);
    check.is(
      'the bytes of two appends',
      yield* bytesOf(files, a),
      `${patternOf(100).join()},${patternOf(300, 1).join()}`,
    );
    check.is('bytes in the middle', yield* bytesOf(files, b, 4090, 20), patternOf(9000).subarray(4090, 4110).join());
    check.is('bytes at the end', yield* bytesOf(files, b, 9000, 20), '');
    check.is('find', yield* files.find('grüße'), b);
    check.is('list', yield* listed(files), `${a}: a, 400 bytes; ${b}: grüße, 9000 bytes`);
    check.is('remove', yield* files.remove(a), 0);
    check.is('find of what was removed', yield* files.find('a'), 0);
    check.is('size of what was removed', yield* files.size(a), ERRORS.E_CAP);
    const again = yield* files.create('a');
    check.is('the number of a file that has ended is given again', again === a || again === b, false);
    check.is('size of a new file', yield* files.size(again), 0);
  }),
  fiberCase('what is no file, no name and no range is refused', ['files'], function* ({ files }, check) {
    const a = yield* files.create('a');
    check.is('create of a name that is there', yield* files.create('a'), ERRORS.E_BUSY);
    check.is('create of no name', yield* files.create(''), ERRORS.E_RANGE);
    check.is('create of 29 bytes', yield* files.create('x'.repeat(29)), ERRORS.E_RANGE);
    check.isBetween('create of 28 bytes', yield* files.create('x'.repeat(28)), 1, 0x7fffffff);
    for (const file of NONE) {
      check.is(`append to ${file}`, yield* files.append(file, Uint8Array.of(1)), ERRORS.E_CAP);
      check.is(`read of ${file}`, yield* bytesOf(files, file), ERRORS.E_CAP);
      check.is(`remove of ${file}`, yield* files.remove(file), ERRORS.E_CAP);
      check.is(`size of ${file}`, yield* files.size(file), ERRORS.E_CAP);
    }
    check.is('read at -1', yield* bytesOf(files, a, -1, 1), ERRORS.E_RANGE);
    check.is('read of -1 bytes', yield* bytesOf(files, a, 0, -1), ERRORS.E_RANGE);
    check.is('size of what was created', yield* files.size(a), 0);
  }),
  fiberCase(
    'a disk that is full is an answer, and what is removed makes room',
    ['files'],
    function* ({ files }, check) {
      const keep = yield* files.create('keep');
      check.is('append of 700 bytes', yield* files.append(keep, patternOf(700, 3)), 700);
      const big = yield* files.create('big');
      let appended = 0;
      for (;;) {
        const count = yield* files.append(big, patternOf(4096));
        if (count === ERRORS.E_NONE) break;
        check.is('append of 4096 bytes', count, 4096);
        appended += count;
        check.isBetween('bytes on a disk of 65536', appended, 4096, 65536);
      }
      check.isBetween('bytes on a disk of 65536', appended, 8192, 65536);
      check.is('size of what is full', yield* files.size(big), appended);
      check.is('remove', yield* files.remove(big), 0);
      const next = yield* files.create('next');
      check.is('append after that', yield* files.append(next, patternOf(4096, 9)), 4096);
      check.is('the bytes that were there before', yield* bytesOf(files, keep), patternOf(700, 3).join());
      check.is('format', yield* files.format(), 0);
      check.is('list after that', yield* listed(files), '');
    },
  ),
  compiledCase('files', 'back_again'),
  compiledCase('files', 'refuses'),
  compiledCase('files', 'full'),
  assembledCase(
    'file routines keep s0 to s7, gp, sp and fp',
    ['files'],
    ({ a, keeping, keep, is, isNoError, data }) => {
      const [NAME, FILE, BYTES, ENTRY] = [0x10, 0x20, 0x40, 0x80];
      a.li(V0, 0x61);
      keep(NAME);
      keeping('file_create', data + NAME, 1);
      isNoError('file_create(name, 1)');
      keep(FILE);
      keeping('file_find', data + NAME, 1);
      isNoError('file_find(name, 1)');
      keeping('file_append', { word: FILE }, data + BYTES, 40);
      is('file_append(file, at, 40)', V0, 40);
      keeping('file_size', { word: FILE });
      is('file_size(file)', V0, 40);
      keeping('file_read', { word: FILE }, 0, data + BYTES, 40);
      is('file_read(file, 0, at, 40)', V0, 40);
      keeping('file_list', 0, data + ENTRY);
      isNoError('file_list(0, at)');
      keeping('file_remove', { word: FILE });
      is('file_remove(file)', V0, 0);
      keeping('file_format');
      is('file_format()', V0, 0);
    },
  ),
];
