/** Interface `memory`. */
import { PAGE_BYTES } from '@exokernel/abi';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const MEMORY: readonly ProgramCase[] = [
  fiberCase('what is allocated is page-aligned, zero, and apart', ['memory'], function* ({ memory }, check) {
    const a = yield* memory.allocate(10);
    const b = yield* memory.allocate(PAGE_BYTES + 1);
    const c = yield* memory.allocate(4);
    for (const address of [a, b, c]) {
      check.isBetween('allocate', address, PAGE_BYTES, 0x7fffffff);
      check.is('the address modulo a page', address % PAGE_BYTES, 0);
    }
    check.isBetween('bytes from the first to the second', Math.abs(b - a), PAGE_BYTES, 0x7fffffff);
    check.isBetween(
      'bytes from the second to the third',
      Math.abs(c - b),
      c > b ? 2 * PAGE_BYTES : PAGE_BYTES,
      0x7fffffff,
    );
    for (let i = 0; i < 2 * PAGE_BYTES; i += 4) check.is('a word of new memory', yield* memory.load(b + i), 0);
  }),
  fiberCase('words and bytes come back, across pages too', ['memory'], function* ({ memory }, check) {
    const a = yield* memory.allocate(2 * PAGE_BYTES);
    yield* memory.store(a + 8, -2);
    check.is('a word', yield* memory.load(a + 8), -2);
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
    yield* memory.write(a + PAGE_BYTES - 100, bytes);
    const back = new Uint8Array(300);
    yield* memory.read(a + PAGE_BYTES - 100, back);
    check.is('300 bytes across the end of a page', back.join(), bytes.join());
  }),
  fiberCase('there is an end to it, which is an answer', ['memory'], function* ({ memory }, check) {
    check.is('allocate(256 MiB)', yield* memory.allocate(2 ** 28), -1);
    check.isBetween('allocate(4096) after that', yield* memory.allocate(PAGE_BYTES), PAGE_BYTES, 0x7fffffff);
  }),
  compiledCase('memory', 'apart'),
  compiledCase('memory', 'back'),
  compiledCase('memory', 'end'),
];
