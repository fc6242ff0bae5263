/** What a library operating system hears that does not do what it promises. */
import type { LibOs } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { conformance, type ConformanceErrorCode } from '../src/index.ts';
import { breaking, errorOf, type Broken } from './faults.ts';
import { bootAt } from './machine.ts';

describe('a program in TypeScript', () => {
  test.each<
    [what: string, part: string, broken: (os: Broken) => Partial<Broken>, code: ConformanceErrorCode, message: string]
  >([
    [
      'a clock that does not wait',
      'ticks do not go back',
      ({ clock }) => ({ clock: { ...clock, sleep: () => clock.sleep(1) } }),
      'value',
      'broken, clock: ticks do not go back, and a sleep takes its time (TypeScript): ticks of sleep(3): expected 3 to 66, found 1',
    ],
    [
      'memory that is not zero',
      'zero, and apart',
      ({ memory }) => ({
        memory: {
          ...memory,
          *allocate(bytes) {
            const at = yield* memory.allocate(bytes);
            if (bytes > 4096) yield* memory.store(at + 8, 5);
            return at;
          },
        },
      }),
      'value',
      'broken, memory: what is allocated is page-aligned, zero, and apart (TypeScript): a word of new memory: expected 0, found 5',
    ],
    [
      'a console that loses text',
      'whole and in order',
      (os) => ({ console: { write: (text) => os.console.write(text.slice(0, 20)) } }),
      'console',
      'broken, console: text comes out whole and in order (TypeScript): the console: expected grÃ¼',
    ],
    [
      'a fork whose child has another memory',
      'a copy of the memory',
      ({ processes, memory }) => ({
        processes: {
          ...processes,
          fork: (child) =>
            processes.fork(function* () {
              yield* memory.store(0x401000, 9);
              return yield* child();
            }),
        },
      }),
      'value',
      'broken, processes: a child has a copy of the memory, and its code comes back (TypeScript)',
    ],
    [
      'a wait that never returns',
      'numbers agree',
      ({ processes, clock }) => ({
        processes: {
          ...processes,
          *wait() {
            for (;;) yield* clock.sleep(100);
          },
        },
      }),
      'time',
      'how the program ended: expected exited with 0, found still running',
    ],
    [
      'data that are lost when frames are asked back',
      'asked back',
      ({ memory, clock }) => {
        let reads = 0;
        return {
          clock,
          memory: {
            ...memory,
            *load(va) {
              const word = yield* memory.load(va);
              reads += 1;
              return reads > 100 ? 0 : word;
            },
          },
        };
      },
      'value',
      'broken, revocation: frames are asked back while the program runs',
    ],
  ])('%s', (_, part, broken, code, message) => {
    const error = errorOf(breaking(broken), part);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });
});

describe('a program in machine code', () => {
  /** Batch, whose text is changed once it is made. */
  function patched(words: (text: Uint32Array) => void): LibOs<'memory' | 'clock'> {
    return {
      ...batch,
      name: 'patched',
      load: (program, placement) => {
        const image = batch.load(program, placement);
        const [text, ...rest] = image.segments;
        if (text === undefined) throw new Error('there is no text');
        const bytes = text.bytes.slice();
        words(new Uint32Array(bytes.buffer));
        return { ...image, segments: [{ ...text, bytes }, ...rest] };
      },
    };
  }
  /** `addiu sp, sp, 8`, `lw s0, 0(sp)`, and `li a0, 1`. */
  const [POP, RESTORE, ONE] = [0x27bd0008, 0x8fb00000, 0x24040001];

  test('a routine that spoils a register', () => {
    const libos = patched((text) => {
      text[text.indexOf(RESTORE)] = 0;
    });
    const error = errorOf(libos, 'routines keep');
    expect(error.code).toBe('value');
    expect(error.message).toMatch(
      /^patched, clock: clock routines keep .* s0 after clock_sleep: expected \d+, found \d+$/,
    );
  });

  test('a routine that spoils the stack pointer', () => {
    const libos = patched((text) => {
      // The last one is that of clock_sleep.
      text[text.lastIndexOf(POP)] = 0;
    });
    expect(errorOf(libos, 'routines keep').message).toContain('sp after clock_sleep: expected sp before it');
  });

  test('a sleep of nothing that sleeps long', () => {
    const libos = patched((text) => {
      text[text.indexOf(ONE)] = ONE + 99;
    });
    const { message } = errorOf(libos, 'a sleep of nothing, or of less, is a sleep of one tick (compiled)');
    expect(message).toContain('clock_sleep(0), clock_sleep(-1000): expected less than a second, found 10');
  });
});

test('frames that are kept, and a neighbour that is harmed', () => {
  const boot = bootAt();
  const keeps = errorOf(batch, 'zero', (...args) => {
    const machine = boot(...args);
    let calls = 0;
    return {
      ...machine,
      framesFree: () => {
        calls += 1;
        return machine.framesFree() - (calls > 1 ? 2 : 0);
      },
    };
  });
  expect(keeps).toMatchObject({ code: 'frames', details: { expected: 0, found: 2 } });
  const harmed = errorOf(batch, 'beside', (images, devices) => {
    const machine = boot(images, devices);
    const ending = { exit: 1, ending: 'exited with 1' };
    return { ...machine, environment: (id) => (id === images.length - 3 ? ending : machine.environment(id)) };
  });
  expect(harmed).toMatchObject({ code: 'neighbour', details: { found: 'exited with 1' } });
});

test('a library operating system without a case is refused', () => {
  expect(() => conformance({ ...batch, provides: [] }, bootAt())).toThrow(RangeError);
  expect(() => conformance(batch, bootAt(), { programs: [] })).toThrow(RangeError);
});
