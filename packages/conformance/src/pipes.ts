/** Interface `pipes`. */
import { encodeUtf8 } from '@exokernel/libos-kit';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const PIPES: readonly ProgramCase[] = [
  fiberCase(
    'a read gives what is there and no more than was asked, and waits only for the first byte',
    ['pipes', 'processes'],
    function* ({ pipes, processes }, check) {
      const { reader, writer } = yield* pipes.pipe();
      check.is('write of 5 bytes', yield* pipes.write(writer, Uint8Array.of(1, 2, 3, 4, 5)), 5);
      check.is('bytes of read(0)', (yield* pipes.read(reader, 0)).length, 0);
      check.is('bytes of read(-1)', (yield* pipes.read(reader, -1)).length, 0);
      check.is('read(2)', (yield* pipes.read(reader, 2)).join(), '1,2');
      check.is('read(1000000)', (yield* pipes.read(reader, 1_000_000)).join(), '3,4,5');
      const child = yield* processes.fork(function* () {
        return yield* pipes.write(writer, Uint8Array.of(9));
      });
      check.isBetween('fork', child, 0, 0x7fffffff);
      check.is('read(100) of the one byte that a child writes', (yield* pipes.read(reader, 100)).join(), '9');
      check.is('write of 1 byte by the child', (yield* processes.wait())?.code, 1);
    },
  ),
  fiberCase(
    'there and back between two processes, many times',
    ['pipes', 'processes'],
    function* ({ pipes, processes }, check) {
      const there = yield* pipes.pipe();
      const back = yield* pipes.pipe();
      const child = yield* processes.fork(function* () {
        yield* pipes.close(there.writer);
        for (;;) {
          const bytes = yield* pipes.read(there.reader, 64);
          if (bytes.length === 0) return 0;
          yield* pipes.write(
            back.writer,
            bytes.map((byte) => byte ^ 0xff),
          );
        }
      });
      check.isBetween('fork', child, 0, 0x7fffffff);
      for (let i = 0; i < 50; i += 1) {
        yield* pipes.write(there.writer, Uint8Array.of(i));
        const [byte] = yield* pipes.read(back.reader, 1);
        check.is(`the answer to byte ${i}`, byte, i ^ 0xff);
      }
      yield* pipes.close(there.writer);
      check.is('the child’s code', (yield* processes.wait())?.code, 0);
    },
  ),
  fiberCase(
    'descriptors run out, which is an answer, and come back when they are closed',
    ['pipes'],
    function* ({ pipes }, check) {
      const open: number[] = [];
      for (;;) {
        const { reader, writer } = yield* pipes.pipe();
        if (reader < 0 || writer < 0) break;
        open.push(reader, writer);
        check.isBetween('descriptors that are open', open.length, 2, 1000);
      }
      check.isBetween('descriptors that were open', open.length, 4, 1000);
      check.is('different descriptors', new Set(open).size, open.length);
      for (const descriptor of open) yield* pipes.close(descriptor);
      const { reader, writer } = yield* pipes.pipe();
      yield* pipes.write(writer, Uint8Array.of(7));
      check.is('a byte through a new pipe', (yield* pipes.read(reader, 1)).join(), '7');
    },
  ),
  fiberCase(
    'bytes come out as they went in, and then the end',
    ['pipes', 'processes'],
    function* ({ pipes, processes }, check) {
      const { reader, writer } = yield* pipes.pipe();
      check.isBetween('the reader', reader, 0, 0x7fffffff);
      check.isBetween('the writer', writer, 0, 0x7fffffff);
      check.is('both ends are one', reader === writer, false);
      const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 0xff);
      const child = yield* processes.fork(function* () {
        yield* pipes.close(reader);
        check.is('write of 10000 bytes', yield* pipes.write(writer, bytes), bytes.length);
        return 0;
      });
      check.isBetween('fork', child, 0, 0x7fffffff);
      yield* pipes.close(writer);
      const got: number[] = [];
      for (;;) {
        const part = yield* pipes.read(reader, 999);
        if (part.length === 0) break;
        got.push(...part);
      }
      check.is('bytes up to the end', got.length, bytes.length);
      check.is(
        'the first byte that is another',
        got.findIndex((byte, i) => byte !== bytes[i]),
        -1,
      );
      check.is('the child’s code', (yield* processes.wait())?.code, 0);
    },
  ),
  fiberCase(
    'a writer without readers is told, and bad descriptors are refused',
    ['pipes'],
    function* ({ pipes }, check) {
      const { reader, writer } = yield* pipes.pipe();
      yield* pipes.close(reader);
      check.is('write without a reader', yield* pipes.write(writer, encodeUtf8('lost')), 0);
      check.is('bytes read from the writer', (yield* pipes.read(writer, 4)).length, 0);
      check.is('bytes read from descriptor 99', (yield* pipes.read(99, 4)).length, 0);
      check.is('bytes written to descriptor -1', yield* pipes.write(-1, encodeUtf8('x')), 0);
      yield* pipes.close(writer);
      yield* pipes.close(writer);
    },
  ),
  compiledCase('pipes', 'stream'),
  compiledCase('pipes', 'refuses'),
];
