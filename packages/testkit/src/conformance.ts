/**
 * The conformance suite: one for all library operating systems, a case per promise of an interface.
 *
 * A case is a program that returns 0, or the number of the step that went wrong; it runs on every library operating
 * system that provides what it needs.
 */
import { PAGE_BYTES, TICKS_PER_SECOND } from '@exokernel/abi';
import { compose, encodeUtf8, program, type FiberProgram, type InterfaceName, type LibOs } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { boot, exitOf, quicken } from './booted.ts';

interface Case<N extends InterfaceName> {
  readonly program: FiberProgram<N>;
  /** What the console has to show, if anything. */
  readonly prints?: string;
}

function oneCase<const N extends InterfaceName>(
  name: string,
  needs: readonly N[],
  main: FiberProgram<N>['main'],
  prints?: string,
): Case<N> {
  return { program: program(name, needs, main), ...(prints === undefined ? {} : { prints }) };
}

const LONG_TEXT = Array.from({ length: 40 }, (_, i) => `line ${i} of a text longer than any queue\n`).join('');

const CASES = [
  oneCase('memory: what is allocated is page-aligned, zero, and distinct', ['memory'], function* (os) {
    const a = yield* os.memory.allocate(10);
    const b = yield* os.memory.allocate(PAGE_BYTES + 1);
    const c = yield* os.memory.allocate(4);
    if (a <= 0 || b <= 0 || c <= 0) return 1;
    if ((a | b | c) % PAGE_BYTES !== 0) return 2;
    if (b < a + PAGE_BYTES || c < b + 2 * PAGE_BYTES) return 3;
    for (let i = 0; i < 2 * PAGE_BYTES; i += 4) if ((yield* os.memory.load(b + i)) !== 0) return 4;
    return 0;
  }),
  oneCase('memory: words and bytes come back, across pages too', ['memory'], function* (os) {
    const a = yield* os.memory.allocate(2 * PAGE_BYTES);
    yield* os.memory.store(a + 8, -2);
    if ((yield* os.memory.load(a + 8)) !== -2) return 1;
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
    yield* os.memory.write(a + PAGE_BYTES - 100, bytes);
    const back = new Uint8Array(300);
    yield* os.memory.read(a + PAGE_BYTES - 100, back);
    return back.every((byte, i) => byte === bytes[i]) ? 0 : 2;
  }),
  oneCase('memory: there is an end to it, which is an answer', ['memory'], function* (os) {
    if ((yield* os.memory.allocate(2 ** 28)) !== -1) return 1;
    return (yield* os.memory.allocate(PAGE_BYTES)) > 0 ? 0 : 2;
  }),
  oneCase('clock: ticks do not go back, and a sleep takes its time', ['clock'], function* (os) {
    const before = yield* os.clock.ticks();
    yield* os.clock.sleep(3);
    const after = yield* os.clock.ticks();
    if (after < before + 3) return 1;
    return after < before + 3 + TICKS_PER_SECOND ? 0 : 2;
  }),
  oneCase('clock: a sleep of nothing, or of less, is a sleep of one tick', ['clock'], function* (os) {
    for (const ticks of [0, -1, -1000]) {
      const before = yield* os.clock.ticks();
      yield* os.clock.sleep(ticks);
      const passed = (yield* os.clock.ticks()) - before;
      if (passed < 1 || passed > TICKS_PER_SECOND) return 1;
    }
    return 0;
  }),
  oneCase(
    'console: text comes out whole and in order',
    ['console'],
    function* (os) {
      yield* os.console.write('grüß dich\n');
      yield* os.console.write('');
      yield* os.console.write(LONG_TEXT);
      return 0;
    },
    `grüß dich\n${LONG_TEXT}`,
  ),
  oneCase(
    'processes: a child has a copy of the memory, and its code comes back',
    ['processes', 'memory'],
    function* (os) {
      const a = yield* os.memory.allocate(2 * PAGE_BYTES);
      yield* os.memory.store(a, 1);
      const child = yield* os.processes.fork(function* () {
        if ((yield* os.memory.load(a)) !== 1) return 1;
        if ((yield* os.memory.load(a + PAGE_BYTES)) !== 0) return 2;
        yield* os.memory.store(a, 2);
        yield* os.memory.store(a + PAGE_BYTES, 3);
        return (yield* os.memory.load(a)) === 2 ? 42 : 3;
      });
      if (child < 0 || child === (yield* os.processes.self())) return 1;
      yield* os.memory.store(a + PAGE_BYTES, 4);
      const ended = yield* os.processes.wait();
      if (ended?.process !== child) return 2;
      if (ended.code !== 42) return 100 + ended.code;
      if ((yield* os.memory.load(a)) !== 1 || (yield* os.memory.load(a + PAGE_BYTES)) !== 4) return 3;
      return (yield* os.processes.wait()) === undefined ? 0 : 4;
    },
  ),
  oneCase(
    'processes: many children, one after the other, leave nothing behind',
    ['processes', 'memory'],
    function* (os) {
      const a = yield* os.memory.allocate(PAGE_BYTES);
      for (let i = 0; i < 20; i += 1) {
        yield* os.memory.store(a, i);
        const child = yield* os.processes.fork(function* () {
          return yield* os.memory.load(a);
        });
        if (child < 0) return 1;
        const ended = yield* os.processes.wait();
        if (ended?.process !== child || ended.code !== i) return 2;
      }
      return 0;
    },
  ),
  oneCase('processes: numbers agree, children have children', ['processes'], function* (os) {
    const self = yield* os.processes.self();
    const child = yield* os.processes.fork(function* () {
      const own = yield* os.processes.self();
      if (own === self) return 1;
      const grandchild = yield* os.processes.fork(function* () {
        return ((yield* os.processes.self()) === own ? 1 : 0) + 40;
      });
      const ended = yield* os.processes.wait();
      // The number of the child, which its parent compares, and 40.
      return ended?.process === grandchild ? ended.code + own : 2;
    });
    const ended = yield* os.processes.wait();
    return ended?.process === child && ended.code === 40 + child ? 0 : 1;
  }),
  oneCase('processes: wait gives every child once, whichever ends first', ['processes', 'clock'], function* (os) {
    const codes = new Map<number, number>();
    for (let i = 0; i < 5; i += 1) {
      const child = yield* os.processes.fork(function* () {
        yield* os.clock.sleep(12 - 2 * i);
        return 100 + i;
      });
      if (child < 0) return 1;
      codes.set(child, 100 + i);
    }
    for (;;) {
      const ended = yield* os.processes.wait();
      if (ended === undefined) break;
      if (codes.get(ended.process) !== ended.code) return 2;
      codes.delete(ended.process);
    }
    return codes.size === 0 ? 0 : 3;
  }),
  oneCase(
    'pipes: a read gives what is there and no more than was asked, and waits only for the first byte',
    ['pipes', 'processes'],
    function* (os) {
      const { reader, writer } = yield* os.pipes.pipe();
      if ((yield* os.pipes.write(writer, Uint8Array.of(1, 2, 3, 4, 5))) !== 5) return 1;
      if ((yield* os.pipes.read(reader, 0)).length !== 0) return 2;
      if ((yield* os.pipes.read(reader, -1)).length !== 0) return 3;
      if ([...(yield* os.pipes.read(reader, 2))].join() !== '1,2') return 4;
      if ([...(yield* os.pipes.read(reader, 1_000_000))].join() !== '3,4,5') return 5;
      const child = yield* os.processes.fork(function* () {
        return (yield* os.pipes.write(writer, Uint8Array.of(9))) === 1 ? 0 : 1;
      });
      if (child < 0) return 6;
      if ([...(yield* os.pipes.read(reader, 100))].join() !== '9') return 7;
      return (yield* os.processes.wait())?.code ?? 8;
    },
  ),
  oneCase('pipes: there and back between two processes, many times', ['pipes', 'processes'], function* (os) {
    const there = yield* os.pipes.pipe();
    const back = yield* os.pipes.pipe();
    const child = yield* os.processes.fork(function* () {
      yield* os.pipes.close(there.writer);
      for (;;) {
        const bytes = yield* os.pipes.read(there.reader, 64);
        if (bytes.length === 0) return 0;
        yield* os.pipes.write(
          back.writer,
          bytes.map((byte) => byte ^ 0xff),
        );
      }
    });
    if (child < 0) return 1;
    for (let i = 0; i < 50; i += 1) {
      yield* os.pipes.write(there.writer, Uint8Array.of(i));
      const [byte] = yield* os.pipes.read(back.reader, 1);
      if (byte !== (i ^ 0xff)) return 2;
    }
    yield* os.pipes.close(there.writer);
    return (yield* os.processes.wait())?.code ?? 3;
  }),
  oneCase(
    'pipes: descriptors run out, which is an answer, and come back when they are closed',
    ['pipes'],
    function* (os) {
      const open: number[] = [];
      for (;;) {
        const { reader, writer } = yield* os.pipes.pipe();
        if (reader < 0 || writer < 0) break;
        open.push(reader, writer);
        if (open.length > 1000) return 1;
      }
      if (open.length < 4 || new Set(open).size !== open.length) return 2;
      for (const descriptor of open) yield* os.pipes.close(descriptor);
      const { reader, writer } = yield* os.pipes.pipe();
      yield* os.pipes.write(writer, Uint8Array.of(7));
      return (yield* os.pipes.read(reader, 1))[0] === 7 ? 0 : 3;
    },
  ),
  oneCase('pipes: bytes come out as they went in, and then the end', ['pipes', 'processes'], function* (os) {
    const { reader, writer } = yield* os.pipes.pipe();
    if (reader < 0 || writer < 0 || reader === writer) return 1;
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 0xff);
    const child = yield* os.processes.fork(function* () {
      yield* os.pipes.close(reader);
      return (yield* os.pipes.write(writer, bytes)) === bytes.length ? 0 : 1;
    });
    if (child < 0) return 2;
    yield* os.pipes.close(writer);
    const got: number[] = [];
    for (;;) {
      const part = yield* os.pipes.read(reader, 999);
      if (part.length === 0) break;
      got.push(...part);
    }
    if (got.length !== bytes.length || !got.every((byte, i) => byte === bytes[i])) return 3;
    return (yield* os.processes.wait())?.code === 0 ? 0 : 4;
  }),
  oneCase('pipes: a writer without readers is told, and bad descriptors are refused', ['pipes'], function* (os) {
    const { reader, writer } = yield* os.pipes.pipe();
    yield* os.pipes.close(reader);
    if ((yield* os.pipes.write(writer, encodeUtf8('lost'))) !== 0) return 1;
    if ((yield* os.pipes.read(writer, 4)).length !== 0) return 2;
    if ((yield* os.pipes.read(99, 4)).length !== 0) return 3;
    if ((yield* os.pipes.write(-1, encodeUtf8('x'))) !== 0) return 4;
    yield* os.pipes.close(writer);
    yield* os.pipes.close(writer);
    return 0;
  }),
] as const;

/** Runs every case that a library operating system can run; with `hertz` on a machine whose slices are shorter. */
export function describeLibOs<P extends InterfaceName>(libos: LibOs<P>, hertz?: Parameters<typeof quicken>[1]): void {
  describe(`conformance of ${libos.name}${hertz === undefined ? '' : ` at ${hertz} slices a second`}`, () => {
    for (const { program, prints } of CASES as readonly Case<InterfaceName>[]) {
      const provided = program.needs.every((need) => (libos.provides as readonly InterfaceName[]).includes(need));
      if (!provided) continue;
      test(program.name, () => {
        const image = compose(libos as unknown as LibOs<InterfaceName>, program, { serialLine: 3 });
        const booted = boot([image]);
        if (hertz !== undefined) quicken(booted, hertz);
        const free = booted.aegis.framesFree + image.frames.length;
        const [env] = booted.finish(0);
        expect(env === undefined ? 'no environment' : exitOf(env)).toBe(0);
        if (prints !== undefined) {
          const expected = String.fromCharCode(...encodeUtf8(prints));
          booted.runUntil(() => booted.serial(3).length >= expected.length, 5);
          expect(booted.serial(3)).toBe(expected);
        }
        // Whatever it took it gave back: its own frames too.
        expect(booted.aegis.framesFree).toBeGreaterThan(free);
      });
    }

    test('at least one case is for it', () => {
      const count = CASES.filter(({ program }) =>
        (program.needs as readonly InterfaceName[]).every((n) =>
          (libos.provides as readonly InterfaceName[]).includes(n),
        ),
      ).length;
      expect(count).toBeGreaterThan(0);
    });
  });
}
