/**
 * Reads captures: classic pcap and pcapng, packed with gzip or not, in batches or packet by packet.
 *
 * Memory is bounded by the window and the limits, not by the file. A damaged file gives its packets up to the damage,
 * and then throws.
 */
import { PacketBatch, type BatchColumns } from './batch.ts';
import { CaptureError } from './error.ts';
import { gunzip } from './gzip.ts';
import { Input } from './internal/input.ts';
import { PcapParser, pcapOrder } from './internal/pcap-parser.ts';
import { PcapngParser, SECTION_HEADER } from './internal/pcapng-parser.ts';
import { DEFAULT_LIMITS, type CaptureLimits } from './limits.ts';
import type { CaptureRecord, InterfaceRecord, OtherRecord, PacketRecord } from './records.ts';
import { byteSource, counted, peeked, type CaptureSource } from './source.ts';

/** How a capture is read. */
export interface ReadOptions {
  /**
   * A buffer of the caller's, into which the file is read: the memory of a compiled filter, for one. Batches lie in it.
   * It must hold the largest block. Default: the reader's own, of 512 KiB, which grows up to `limits.block`.
   */
  readonly window?: Uint8Array;
  /**
   * Packets in a batch at most, default 8,192; or columns of the caller's for offsets and lengths, which may lie in the
   * same memory as `window`. Offsets count from the beginning of the window.
   */
  readonly batch?: number | BatchColumns;
  /** Which blocks that are no packets are kept: `'all'` (the default), `'none'`, or some kinds. */
  readonly keep?: 'all' | 'none' | readonly OtherRecord['kind'][];
  readonly limits?: CaptureLimits;
  /** Is told how many bytes of the source were read (of the packed file, if it is packed), after each piece. */
  readonly progress?: (bytesRead: number) => void;
}

const WINDOW = 512 * 1024;
const BATCH = 8192;
const ALL: readonly OtherRecord['kind'][] = ['names', 'statistics', 'custom', 'unknown'];

/**
 * Opens a capture. Throws `format` if the bytes are none, `truncated` for fewer than 4 bytes, `gzip` for packed bytes
 * that cannot be unpacked, and what the source throws.
 */
export async function openCapture(source: CaptureSource, options: ReadOptions = {}): Promise<CaptureReader> {
  const { window, progress } = options;
  if (source instanceof Uint8Array && window === undefined && !isGzip(source)) {
    progress?.(source.length);
    return new CaptureReader(new Input(source), source.subarray(0, 4), options);
  }
  const given = byteSource(source instanceof Uint8Array ? [source] : source);
  let bytes = progress === undefined ? given : counted(given, progress);
  try {
    let { head, whole } = await peeked(bytes, 4);
    if (isGzip(head)) {
      bytes = byteSource(gunzip(whole));
      ({ head, whole } = await peeked(bytes, 4));
    }
    const input = new Input(window ?? new Uint8Array(WINDOW), whole, window === undefined);
    return new CaptureReader(input, head, options);
  } catch (error) {
    await bytes.close?.();
    throw error;
  }
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

interface Parser {
  /** Takes the packets that the window holds, or says in `input.wanted` how many bytes it needs for the next. */
  parse(input: Input, batch: PacketBatch): void;
}

interface Failure {
  readonly error: unknown;
}

/**
 * A capture being read. Read it in one way: in batches, by records, or by packets. After an error or the end the source
 * is closed; after an error each further call throws it again.
 */
export class CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  readonly #interfaces: InterfaceRecord[] = [];
  readonly #input: Input;
  readonly #parser: Parser;
  readonly #batch: PacketBatch;
  #closed = false;
  #failure: Failure | undefined;

  /** Callers use `openCapture`. `head` is the file's first four bytes. */
  constructor(input: Input, head: Uint8Array, { batch = BATCH, keep = 'all', limits = {} }: ReadOptions) {
    this.#batch = new PacketBatch(batch, this.#interfaces);
    const { capacity } = this.#batch;
    if (capacity < 1) throw new CaptureError('value', 'a batch has room for one packet at least', { capacity });
    if (head.length < 4) {
      throw new CaptureError('truncated', `a file of ${head.length} bytes is no capture`, { offset: 0 });
    }
    const bounds = { ...DEFAULT_LIMITS, ...limits };
    const order = pcapOrder(head);
    if (order !== undefined) {
      this.format = 'pcap';
      this.#parser = new PcapParser(order, bounds, this.#interfaces);
    } else if (new DataView(head.buffer, head.byteOffset).getUint32(0) === SECTION_HEADER) {
      this.format = 'pcapng';
      const kinds = keep === 'all' ? ALL : keep === 'none' ? [] : keep;
      this.#parser = new PcapngParser(bounds, this.#interfaces, new Set(kinds));
    } else {
      const magic = [...head].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      throw new CaptureError('format', `no capture begins with ${magic}`, { offset: 0 });
    }
    this.#input = input;
  }

  /** The interfaces read so far, by their number in the file. */
  get interfaces(): readonly InterfaceRecord[] {
    return this.#interfaces;
  }

  /** Bytes of the capture that were taken so far, unpacked. */
  get position(): number {
    return this.#input.position;
  }

  /**
   * The next packets, and what stands between them; `undefined` at the end. The batch is the same object each time and
   * holds until the next call. It resolves as soon as there is a packet: a live stream is not waited for.
   */
  async readBatch(): Promise<PacketBatch | undefined> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const input = this.#input;
    const batch = this.#batch;
    batch.count = 0;
    batch.others.length = 0;
    try {
      for (;;) {
        const failed = this.#parse();
        if (batch.count > 0 || batch.others.length > 0) {
          // An error behind packets waits for the next call.
          this.#failure = failed;
          break;
        }
        if (failed !== undefined) throw failed.error;
        if (input.ended) {
          await this.#end();
          return undefined;
        }
        await input.fill();
      }
    } catch (error) {
      this.#failure = { error };
      await this.close();
      throw error;
    }
    batch.bytes = input.bytes;
    batch.fileOffset = input.offset;
    return batch;
  }

  /** All in the order of the file, each with a copy of its data. Closes the source at the end of the loop. */
  async *records(): AsyncGenerator<CaptureRecord, void, undefined> {
    try {
      for (let batch = await this.readBatch(); batch !== undefined; batch = await this.readBatch()) {
        let next = 0;
        for (const { before, record } of batch.others) {
          for (; next < before; next += 1) yield batch.packet(next);
          yield record;
        }
        for (; next < batch.count; next += 1) yield batch.packet(next);
      }
    } finally {
      await this.close();
    }
  }

  /** The packets, each with a copy of its data. Closes the source at the end of the loop. */
  async *packets(): AsyncGenerator<PacketRecord, void, undefined> {
    for await (const record of this.records()) {
      if (record.kind === 'packet') yield record;
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<PacketRecord, void, undefined> {
    return this.packets();
  }

  /** Closes the source. No more is read. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#input.close();
  }

  #parse(): Failure | undefined {
    try {
      this.#parser.parse(this.#input, this.#batch);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  async #end(): Promise<void> {
    const { start, end, position, wanted } = this.#input;
    if (start < end) {
      const left = end - start;
      throw new CaptureError('truncated', `the file ends ${left} bytes into a block at byte ${position}`, { offset: position, left, wanted }); // prettier-ignore
    }
    await this.close();
  }
}
