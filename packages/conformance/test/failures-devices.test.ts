/** What a library operating system hears that does not do what it promises with a disk, a wire, a trusted server, or fewer slices. */
import { ERRORS } from '@exokernel/abi';
import type { LibOs } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { exos } from '../../exos/src/index.ts';
import { UEXOS } from '../../exos/src/layout.ts';
import { conformance, type ConformanceErrorCode } from '../src/index.ts';
import { breaking, errorOf, type Broken } from './faults.ts';
import { bootAt } from './machine.ts';
import { compiled } from './outsider.ts';

type Row = readonly [
  what: string,
  part: string,
  broken: (os: Broken) => Partial<Broken>,
  code: ConformanceErrorCode,
  message: string,
];

const ROWS: readonly Row[] = [
  [
    'datagrams that lose their last byte',
    'datagrams of all lengths',
    ({ udp }) => ({
      udp: { ...udp, send: (socket, host, port, bytes) => udp.send(socket, host, port, bytes.subarray(0, -1)) },
    }),
    'value',
    'the echo of 2 bytes: expected 2,9, found 2',
  ],
  [
    'long datagrams that do not come',
    'datagrams of all lengths',
    ({ udp }) => ({
      udp: {
        ...udp,
        *receive(socket, ticks) {
          for (;;) {
            const got = yield* udp.receive(socket, ticks);
            if (typeof got === 'number' || got.bytes.length < 1000) return got;
          }
        },
      },
    }),
    'time',
    'how the program ended: expected exited with 0, found still running',
  ],
  [
    'an answer that is not sent',
    'each socket',
    ({ udp }) => ({
      udp: {
        ...udp,
        *send(socket, host, port, bytes) {
          if (bytes.length > 5 && bytes.length < 100) return 0;
          return yield* udp.send(socket, host, port, bytes);
        },
      },
    }),
    'value',
    'what the host at the other end of the wire waits for: expected a datagram, found nothing',
  ],
  [
    'a socket that gives what is for another port',
    'each socket',
    ({ udp }) => {
      let first: number | undefined;
      return {
        udp: {
          ...udp,
          *open(port) {
            const socket = yield* udp.open(port);
            first ??= socket;
            return socket;
          },
          receive: (socket, ticks) => udp.receive(socket === first ? socket + 1 : socket, ticks),
        },
      };
    },
    'value',
    'receive at port 7: expected to the first, found to the other',
  ],
  [
    'files that lose a byte',
    'what is appended is read again',
    ({ files }) => ({
      files: {
        ...files,
        *read(file, offset, max) {
          const bytes = yield* files.read(file, offset, max);
          return typeof bytes === 'number' || bytes.length < 300
            ? bytes
            : bytes.map((byte, i) => (i === 100 ? 0 : byte));
        },
      },
    }),
    'value',
    'the bytes of two appends: expected 0,7,14',
  ],
  [
    'a name that is given to two files',
    'what is no file, no name',
    ({ files }) => {
      let count = 0;
      return { files: { ...files, create: (name) => files.create(`${name}${(count += 1)}`.slice(-28)) } };
    },
    'value',
    `create of a name that is there: expected ${ERRORS.E_BUSY}, found 2`,
  ],
  [
    'a full disk that is told as another error',
    'a disk that is full',
    ({ files }) => ({
      files: {
        ...files,
        *append(file, bytes) {
          const count = yield* files.append(file, bytes);
          return count === ERRORS.E_NONE ? ERRORS.E_DEVICE : count;
        },
      },
    }),
    'value',
    `append of 4096 bytes: expected 4096, found ${ERRORS.E_DEVICE}`,
  ],
  [
    'a disk that is formatted in each life',
    'the next life',
    ({ files }) => {
      let isNew = true;
      return {
        files: {
          ...files,
          *list() {
            if (isNew) yield* files.format();
            isNew = false;
            return yield* files.list();
          },
          *create(name) {
            isNew = false;
            return yield* files.create(name);
          },
        },
      };
    },
    'value',
    'list in the next life: expected 2: a, 5000 bytes; 3: b, 10 bytes, found ',
  ],
  [
    'an append that is answered before it is written',
    'power is lost',
    ({ files }) => {
      const late: (readonly [file: number, bytes: Uint8Array])[] = [];
      return {
        files: {
          ...files,
          *append(file, bytes) {
            const [next] = late.splice(0);
            late.push([file, bytes]);
            if (next !== undefined) yield* files.append(...next);
            return bytes.length;
          },
        },
      };
    },
    'value',
    'the files of the next life: expected file ',
  ],
  [
    'data that are lost when slices are asked back',
    'slices are asked back',
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
    'broken, revocation: slices are asked back while the program runs',
  ],
];

describe('a program in TypeScript', () => {
  test.each(ROWS)('%s', (_, part, broken, code, message) => {
    const error = errorOf(breaking(broken), part);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test('blocks of others that are written', () => {
    const shifted = breaking(
      () => ({}),
      (placement) => ({ ...placement, extent: { start: 8, blocks: 16 } }),
    );
    const { code, message } = errorOf(shifted, 'a disk that is full');
    expect(message).toContain('of the disk, which is not the program’s: expected what was there');
    expect(code).toBe('neighbour');
  });
});

describe('a program in machine code', () => {
  const IMPORTS = `import * as udp from '@exokernel/libos-kit/assembly/udp';
    import * as files from '@exokernel/libos-kit/assembly/files';`;
  /** Several faults in each, of which a case meets one. */
  const SOURCES = {
    first: `${IMPORTS}
      export function udp_send(socket: i32, host: u32, port: i32, at: usize, bytes: i32): i32 {
        if (bytes > 100) store<u8>(at, 0x55);
        return udp.udp_send(socket, host, port, at, bytes);
      }
      export function file_read(file: i32, offset: i32, at: usize, most: i32): i32 {
        return files.file_read(file, offset == 50 ? 49 : offset, at, most);
      }
      export function file_remove(file: i32): i32 {
        return 0;
      }
      let count = 0;
      export function file_append(file: i32, at: usize, bytes: i32): i32 {
        return count++ == 31 ? bytes : files.file_append(file, at, bytes);
      }`,
    second: `${IMPORTS}
      export function udp_receive(socket: i32, at: usize, most: i32, sender: usize, ticks: i32): i32 {
        return udp.udp_receive(socket, at, most + 1, sender, ticks);
      }
      export function file_append(file: i32, at: usize, bytes: i32): i32 {
        const code = files.file_append(file, at, bytes);
        return code == -2 ? 0 : code;
      }`,
    third: `${IMPORTS}
      let late = 0;
      export function file_append(file: i32, at: usize, bytes: i32): i32 {
        if (file == 1 && late++ < 2) return bytes;
        return files.file_append(file, at, bytes);
      }`,
  } as const;
  const made = new Map<keyof typeof SOURCES, ReturnType<typeof compiled>>();

  test.each([
    [
      'datagrams whose first byte is another',
      'datagrams of all lengths',
      'first',
      'the echo of 500 bytes: expected 244,251',
    ],
    ['a receive that writes more than fits', 'no more of it than fits', 'second', 'the byte behind it: expected 85'],
    [
      'a read that is a byte off',
      'what is appended is read again',
      'first',
      'file_read(a, 50, at, 4096): expected 1050, found 1051',
    ],
    [
      'an append to no file that is no error',
      'what is no file',
      'second',
      'file_append to no file: expected -2, found 0',
    ],
    ['a removal that makes no room', 'a disk that is full', 'first', 'file_append after that: expected 4096, found -5'],
    ['an append that is not in the next life', 'the next life', 'first', "file_size of 'b': expected 3200, found 3000"],
    [
      'an append that is answered and not done',
      'power is lost',
      'third',
      "pieces of 'a' that 'b' has not: expected 0 or 1, found -",
    ],
  ] as const)('%s', async (_, part, source, message) => {
    const making = made.get(source) ?? compiled(SOURCES[source]);
    made.set(source, making);
    const error = errorOf(await making, part, bootAt(), { programs: ['machine'] });
    expect(error.message).toContain(message);
    expect(error.code).toBe('value');
  });

  test('a client of a trusted server that gives the server’s slice back', () => {
    /** `sw t2, caller(zero)` of lrpc_trust: that it keeps the slice. */
    const KEEPS = 0xac0a0000 + UEXOS.caller;
    const libos: LibOs<'lrpc' | 'processes' | 'clock'> = {
      ...exos,
      name: 'patched',
      provides: ['lrpc', 'processes', 'clock'],
      load: (program, placement) => {
        const image = exos.load(program, placement);
        const segments = image.segments.map((segment) => {
          const words = new Uint32Array(segment.bytes.slice(0, segment.bytes.length & ~3).buffer);
          const at = words.indexOf(KEEPS);
          if (at < 0) return segment;
          words[at] = 0;
          return { ...segment, bytes: new Uint8Array(words.buffer) };
        });
        return { ...image, segments };
      },
    };
    const { code, message } = errorOf(libos, 'a trusted server', bootAt(4096));
    expect(message).toContain('what the server has made of its argument');
    expect(code).toBe('value');
  });
});

test('a boot that makes no wire is told so', () => {
  const boot = bootAt();
  const [one] = conformance(exos, (images, devices) => ({ ...boot(images, devices), wire: undefined })).filter(
    ({ name }) => name.includes('datagrams of all lengths'),
  );
  expect(one?.run).toThrow(RangeError);
});
