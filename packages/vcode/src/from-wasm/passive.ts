/**
 * Passive data: bytes that `memory.init` copies into memory when the program asks for them.
 *
 * They are rare, so no back end has a place for them: the words of a segment are the results of functions of the IR, 512 words each.
 * A global says how long a segment is; `data.drop` sets it to 0.
 */
import { VcodeError } from '../program/error.ts';
import type { Expression, Statement } from '../ir/ir.ts';
import { ABORT_BOUNDS } from '../ir/abort.ts';
import {
  add,
  and,
  call,
  give,
  local,
  refuseOutside,
  repeat,
  set,
  shr,
  storeAt,
  sub,
  variables,
  when,
} from './helpers.ts';
import type { Helper } from './helpers.ts';
import { binary, word } from './operators.ts';

/** Words of one function: a branch of the machine reaches over all of them. */
const CHUNK = 512;
const CHUNK_BYTES = 4 * CHUNK;
/** Assumption: compilers place initial data in active segments; of passive ones a module has some tables at most. */
const MOST_PASSIVE = 1 << 16;

/** Helpers for a segment of so many bytes now: the name of each, and how it is built. */
export function passiveHelpers(segment: number, bytes: Uint8Array, length: Expression): Map<string, Helper> {
  const padded = new Uint8Array(Math.ceil(bytes.length / CHUNK_BYTES) * CHUNK_BYTES);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const chunks = Array.from({ length: padded.length / CHUNK_BYTES }, (_, i) => `data ${segment} ${i}`);
  const helpers = new Map<string, Helper>([[initName(segment), initialize(chunks, length)]]);
  chunks.forEach((name, i) => {
    helpers.set(name, words(Array.from({ length: CHUNK }, (_, j) => view.getUint32(CHUNK_BYTES * i + 4 * j, true))));
  });
  return helpers;
}

/** The name of the helper that does `memory.init` for a segment. */
export function initName(segment: number): string {
  return `memory.init ${segment}`;
}

/** Throws `VcodeError` `limit` if passive segments have more bytes than are compiled. */
export function checkPassive(bytes: number): void {
  if (bytes > MOST_PASSIVE) {
    throw new VcodeError('limit', `${bytes} bytes of passive data, at most ${MOST_PASSIVE} are compiled`, { bytes });
  }
}

/** Gives the word with a number below 512. Words that are alike share a case. */
function words(values: readonly number[]): Helper {
  const numbers = new Map<number, number[]>();
  values.forEach((value, i) => {
    const known = numbers.get(value);
    if (known === undefined) numbers.set(value, [i]);
    else known.push(i);
  });
  const [[most] = [0]] = [...numbers].sort(([, a], [, b]) => b.length - a.length);
  return {
    parameters: ['i32'],
    results: ['i32'],
    needs: [],
    build: () => ({
      locals: [],
      body: [
        {
          kind: 'switch',
          value: local(0),
          cases: [...numbers]
            .filter(([value]) => value !== most)
            .map(([value, of]) => ({ values: of, body: [give(word(value))] })),
          otherwise: [give(word(most))],
        },
      ],
    }),
  };
}

/** Copies `count` bytes from `from` on, in the segment, to the memory: byte by byte, each out of its word. */
function initialize(chunks: readonly string[], length: Expression): Helper {
  const [to, from, count, value] = [0, 1, 2, 3] as const;
  return {
    parameters: ['i32', 'i32', 'i32'],
    results: [],
    needs: chunks,
    build: (index) => {
      const read = (chunk: string): Statement => call(index(chunk), [and(shr(local(from), 2), word(CHUNK - 1))], value);
      return {
        locals: variables('i32'),
        body: [
          when(
            binary('or', binary('ltu', length, local(count)), binary('ltu', sub(length, local(count)), local(from))),
            [{ kind: 'abort', code: ABORT_BOUNDS }],
          ),
          refuseOutside(local(to), local(count)),
          repeat(1, local(count), [
            {
              kind: 'switch',
              value: binary('divu', local(from), word(CHUNK_BYTES)),
              cases: chunks.map((chunk, i) => ({ values: [i], body: [read(chunk)] })),
              otherwise: [],
            },
            storeAt(local(to), 1, binary('shr', local(value), binary('shl', and(local(from), word(3)), word(3)))),
            set(to, add(local(to), word(1))),
            set(from, add(local(from), word(1))),
            set(count, sub(local(count), word(1))),
          ]),
          give(),
        ],
      };
    },
  };
}
