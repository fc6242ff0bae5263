/**
 * Unpacks gzip with the host's `DecompressionStream`, also files of several members one after the other.
 *
 * A `DecompressionStream` takes one member. Behind its end, browsers and newer versions of Node refuse the next one,
 * older ones go on; none says where the end was. So this looks for the beginnings of members: the four bytes that each
 * has, behind a trailer whose length is that of the output so far. There the stream is ended and a new one begun. Those
 * four bytes also occur by chance, about once in 128 MB, and in captures of downloads; the length then does not agree.
 * A host under load may not have given all output when the length is compared; then it refuses the next member, its
 * output is complete, and the bytes behind are taken back.
 * Source: RFC 1952 §2.3.
 */
import { CaptureError } from './error.ts';
import type { ByteSource } from './source.ts';

/** Packed bytes given to the host at once. They are at most 1,032 times as many unpacked. */
const PIECE = 16 * 1024;
/** Shortest member: header, an empty block, trailer. */
const SHORTEST = 10 + 2 + 8;
/** How many turns of the event loop without any output are waited, where a member may have ended. */
const TURNS = 250;
/** Those of them that are as short as the host can make them; the others last a millisecond or more. */
const EAGER_TURNS = 200;
/** Bytes that are kept behind a place where a member may have ended unnoticed. */
const DOUBT = 512 * 1024;
/** Waits in vain that a file may cost: this many, and one more with each MB. */
const WAITS = 64;

interface DecompressionStreamLike {
  readonly readable: { getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }> } };
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void>; abort(): Promise<void> };
  };
}

interface Host {
  readonly DecompressionStream?: new (format: 'gzip') => DecompressionStreamLike;
  readonly setImmediate?: (run: () => void) => unknown;
  readonly setTimeout: (run: () => void, milliseconds: number) => unknown;
}

const host = globalThis as unknown as Host;

/** The packed bytes that wait to be unpacked. */
class Packed {
  readonly #source: ByteSource;
  bytes: Uint8Array = new Uint8Array(0);
  ended = false;
  /** Bytes taken. */
  position = 0;
  /** Waits for a member's end that were in vain. */
  waits = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Reads until there are `length` bytes, or the end. */
  async need(length: number): Promise<void> {
    while (!this.ended && this.bytes.length < length) {
      const more = new Uint8Array(PIECE);
      const got = await this.#source.readInto(more);
      if (got === 0) this.ended = true;
      this.bytes = joined(this.bytes, more.subarray(0, got));
    }
  }

  take(length: number): Uint8Array {
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    this.position += taken.length;
    return taken;
  }

  /** Gives bytes back that were taken last. */
  putBack(bytes: Uint8Array): void {
    this.bytes = joined(bytes, this.bytes);
    this.position -= bytes.length;
  }

  async close(): Promise<void> {
    await this.#source.close?.();
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Where the member may have ended although its output was not there yet, and what was given to the host since. */
class Doubt {
  /** Sizes that the trailers say, and how many of the bytes kept stand before what may be the next member. */
  readonly #ends: { readonly size: number; readonly before: number }[] = [];
  #kept: Uint8Array[] = [];
  #length = 0;

  begin(size: number): void {
    this.#ends.push({ size, before: this.#length });
  }

  /** A host refuses what follows a member soon, so that not much has to be kept. */
  given(piece: Uint8Array): void {
    if (this.#ends.length === 0) return;
    this.#kept.push(piece);
    this.#length += piece.length;
    if (this.#length <= DOUBT) return;
    this.#ends.length = 0;
    this.#kept = [];
    this.#length = 0;
  }

  /** The bytes behind the end of a member whose output was `length` bytes, if it ended at one of the places in doubt. */
  resolve(length: number): Uint8Array | undefined {
    const end = this.#ends.find(({ size }) => size === length % 2 ** 32);
    if (end === undefined) return undefined;
    return this.#kept.reduce(joined, new Uint8Array(0)).subarray(end.before);
  }
}

/** One member on its way through the host. Its output is taken at once: an error of the host drops what waits in it. */
class Member {
  readonly #writer: ReturnType<DecompressionStreamLike['writable']['getWriter']>;
  readonly #reading: Promise<void>;
  readonly #failed: Promise<void>;
  readonly output: Uint8Array[] = [];
  /** Bytes of output so far. */
  length = 0;
  failure: unknown;

  constructor(stream: DecompressionStreamLike) {
    this.#writer = stream.writable.getWriter();
    this.#reading = this.#read(stream.readable.getReader());
    this.#failed = this.#reading.then(() => undefined);
  }

  async #read(reader: ReturnType<DecompressionStreamLike['readable']['getReader']>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || value === undefined) return;
        this.length += value.length;
        if (value.length > 0) this.output.push(value);
      }
    } catch (error) {
      this.failure ??= error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    // A stream that failed may leave its writer waiting.
    await Promise.race([this.#writer.write(bytes).catch((error: unknown) => this.#fail(error)), this.#failed]);
  }

  /** Ends it and takes the rest of its output. */
  async finish(): Promise<void> {
    if (this.failure === undefined) {
      await Promise.race([this.#writer.close().catch((error: unknown) => this.#fail(error)), this.#failed]);
    }
    await this.#reading;
  }

  abandon(): void {
    this.#writer.abort().catch(() => undefined);
  }

  #fail(error: unknown): void {
    this.failure ??= error;
  }

  /** Whether its output becomes as long as the trailer says, before `turns` turns of the event loop without output. */
  async hasLength(size: number, turns: number): Promise<boolean> {
    let before = this.length;
    for (let turn = 0; turn < turns && this.failure === undefined; turn += 1) {
      // Zeros before the first output look like the trailer of an empty member: that has none to the last turn.
      if (this.length % 2 ** 32 === size && size > 0) return true;
      if (this.length !== before) turn = 0;
      before = this.length;
      await passed(turn);
    }
    return this.failure === undefined && this.length % 2 ** 32 === size;
  }
}

/** Lets the host work: without delay in the first turns where it has a way, since most members end at once. */
function passed(turn: number): Promise<void> {
  return new Promise((resolve) => {
    if (turn < EAGER_TURNS && host.setImmediate !== undefined) host.setImmediate(resolve);
    else host.setTimeout(resolve, 1);
  });
}

/**
 * The unpacked bytes of a gzip file. Throws `gzip` where they are damaged or cut, after all that could be unpacked, and
 * where the host has no `DecompressionStream`.
 */
export async function* gunzip(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  const { DecompressionStream } = host;
  if (DecompressionStream === undefined) {
    throw new CaptureError('gzip', 'this environment has no DecompressionStream; unpack the capture before');
  }
  const packed = new Packed(source);
  try {
    do {
      const member = new Member(new DecompressionStream('gzip'));
      try {
        yield* unpacked(packed, member);
      } finally {
        member.abandon();
      }
    } while (packed.bytes.length > 0);
  } finally {
    await packed.close();
  }
}

/** The output of one member; takes its bytes, and no more, from `packed`. */
async function* unpacked(packed: Packed, member: Member): AsyncGenerator<Uint8Array, void, undefined> {
  const start = packed.position;
  /** The last bytes taken, where the member's trailer would be. */
  let tail: Uint8Array = new Uint8Array(0);
  const doubt = new Doubt();
  let mayBeEnd = false;
  let broken: { readonly error: unknown } | undefined;
  while (member.failure === undefined) {
    try {
      await packed.need(SHORTEST + 4);
    } catch (error) {
      broken = { error };
      await member.write(packed.take(packed.bytes.length));
      break;
    }
    if (packed.bytes.length === 0) break;
    const taken = packed.position - start;
    const found = nextMember(packed.bytes, Math.max(mayBeEnd ? 1 : 0, SHORTEST - taken));
    // Three bytes stay behind, for they may be the beginning of a beginning.
    const length = found ?? (packed.ended ? packed.bytes.length : packed.bytes.length - 3);
    const piece = packed.take(length);
    tail = joined(tail, piece).slice(-4);
    mayBeEnd = false;
    doubt.given(piece);
    await member.write(piece);
    if (found !== undefined) {
      const size = trailer(tail);
      const patient = packed.waits < WAITS + packed.position / 2 ** 20;
      const ended = await member.hasLength(size, patient ? TURNS : 0);
      if (patient && (!ended || size === 0)) packed.waits += 1;
      if (ended) break;
      doubt.begin(size);
      mayBeEnd = true;
    }
    while (member.output.length > 0) yield member.output.shift() ?? tail;
  }
  // A host that is told of the end of cut data may drop what it had not given yet.
  if (packed.bytes.length === 0) await member.hasLength(trailer(tail), TURNS);
  await member.finish();
  while (member.output.length > 0) yield member.output.shift() ?? tail;
  // The source's own error counts, after what the host had.
  if (broken !== undefined) throw broken.error;
  if (member.failure !== undefined) {
    const behind = doubt.resolve(member.length);
    if (behind !== undefined && behind.length > 0) {
      packed.putBack(behind);
      return;
    }
    const offset = packed.position;
    throw new CaptureError('gzip', `the packed file is damaged or cut, at about byte ${offset}`, { offset }, { cause: member.failure }); // prettier-ignore
  }
}

/** The length that a member's last four bytes say. */
function trailer(tail: Uint8Array): number {
  return tail.length < 4 ? 0 : new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
}

/** Where the first bytes of a member stand in `bytes`, from `from` on: magic, method 8, no reserved flag. */
function nextMember(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(0x1f, from); at >= 0 && at + 4 <= bytes.length; at = bytes.indexOf(0x1f, at + 1)) {
    if (bytes[at + 1] === 0x8b && bytes[at + 2] === 8 && (bytes[at + 3] ?? 0xff) < 0x20) return at;
  }
  return undefined;
}
