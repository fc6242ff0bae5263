/**
 * The kit's protocols on the host: the module runs as WebAssembly, and this is its kernel. It has rings and filters as Aegis has them, so that a test can
 * deliver thousands of packets, also such as no kernel would deliver. On the machine the same module is tested in `exos/test/udp.test.ts`.
 */
import { PAGE_BYTES, RING_BUFFERS, RING_SLOT, RING_SLOT_BYTES, U } from '@exokernel/abi';
import { decodeFilter, matches, type Atom } from '../../dpf/src/index.ts';
import {
  LIBRARY_END,
  LIBRARY_MEMORY,
  PAGED_BASE,
  PAGED_END,
  PAGE_TABLE,
  PTE,
  PTE_SOFT,
  UKIT,
  U_PAGE,
} from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';

const MEMORY_BYTES = PAGED_END;
const VALID_DIRTY = 0x600;
const KIT = '@exokernel/libos-kit/assembly';
const SOURCE = `export { udp_open, udp_close, udp_send, udp_receive } from '${KIT}/udp';
import { COUNTERS } from '${KIT}/ethernet';
export function counters(): usize { return COUNTERS; }`;

interface Ring {
  readonly transmit: boolean;
  readonly slots: number;
  readonly frames: number[];
  index: number;
}

/** What the module exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly udp_open: (port: number) => number;
  readonly udp_close: (socket: number) => number;
  readonly udp_send: (socket: number, host: number, port: number, address: number, bytes: number) => number;
  readonly udp_receive: (socket: number, address: number, most: number, sender: number, ticks: number) => number;
  readonly counters: () => number;
}

const COUNTER_NAMES = [
  'framesIn',
  'framesIgnored',
  'arpMalformed',
  'arpRepliesOut',
  'arpRequestsOut',
  'arpFailed',
  'ipMalformed',
  'ipChecksum',
  'ipFragments',
  'ipMisaddressed',
  'ipUnknownProtocol',
  'icmpMalformed',
  'icmpIgnored',
  'icmpEchoes',
  'icmpUnreachablesOut',
  'icmpLimited',
  'udpMalformed',
  'udpIn',
  'udpOut',
  'udpClosedPort',
  'udpOverflow',
] as const;
export type CounterName = (typeof COUNTER_NAMES)[number];

/** The module, compiled once. */
export async function protocols(): Promise<WebAssembly.Module> {
  const { wasm, diagnostics } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? SOURCE : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return new WebAssembly.Module(new Uint8Array(wasm));
}

export class HostNetwork {
  readonly exports: Exports;
  readonly sent: Uint8Array[] = [];
  /** Ticks since boot. */
  now = 100;
  /** Called when the module sleeps; time has gone on. */
  slept: () => void = () => undefined;
  /** Frames that found no room. */
  dropped = 0;
  /** Codes that calls give instead of what they would. */
  readonly refusals = new Map<string, number>();
  /** Ports for which another environment has a filter. */
  readonly foreign = new Set<number>();
  readonly #rings: (Ring | undefined)[] = [];
  readonly #filters: (readonly Atom[] | undefined)[] = [];
  #memory: DataView;
  #before: Uint8Array;

  constructor(
    module: WebAssembly.Module,
    station: { readonly ip: number; readonly mac: Uint8Array; readonly gateway?: number },
  ) {
    const instance = new WebAssembly.Instance(module, {
      kit: this.#kit(),
      aegis: this.#aegis(),
      env: { abort: () => undefined },
    });
    this.exports = instance.exports as unknown as Exports;
    const { memory } = this.exports;
    memory.grow((MEMORY_BYTES - memory.buffer.byteLength) / 65536);
    this.#memory = new DataView(memory.buffer);
    for (let va = PAGED_BASE; va < PAGED_END; va += PAGE_BYTES) {
      this.#store(PAGE_TABLE + 16 * ((va - PAGED_BASE) / PAGE_BYTES), va | VALID_DIRTY);
    }
    this.#memory.setUint32(UKIT.station, station.ip);
    this.#memory.setUint32(UKIT.station + 4, 0xffffff00);
    this.#memory.setUint32(UKIT.station + 8, station.gateway ?? 0);
    this.bytes.set(station.mac, UKIT.station + 12);
    this.#before = this.bytes.slice();
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#memory.buffer);
  }

  load(at: number): number {
    return this.#memory.getUint32(at, true);
  }

  /** From now on another environment has this memory. */
  become(env: number): void {
    this.#store(UKIT.self + 4, env);
  }

  counter(name: CounterName): number {
    return this.load(this.exports.counters() + 4 * COUNTER_NAMES.indexOf(name));
  }

  /** Delivers a frame if a filter accepts it. */
  deliver(frame: Uint8Array): boolean {
    const isClaimed = this.#filters.some((atoms) => atoms !== undefined && matches(atoms, frame));
    return isClaimed && this.put(frame);
  }

  /** Puts a frame into the receive ring, whatever it is. `length`: what the slot says. */
  put(frame: Uint8Array, length: number = frame.length): boolean {
    const ring = this.#rings.find((one) => one?.transmit === false);
    if (ring === undefined) return false;
    const slot = this.slot(ring.index);
    if (this.load(slot + RING_SLOT.length) !== 0) {
      this.dropped += 1;
      return false;
    }
    let at = 0;
    for (const [place, room] of this.#buffers(slot)) {
      this.bytes.set(frame.subarray(at, at + room), this.#address(ring, place));
      at += room;
    }
    this.#store(slot + RING_SLOT.length, length);
    ring.index = (ring.index + 1) % ring.slots;
    return true;
  }

  /** The kernel takes a frame by force: of each ring, which is gone then and has other frames where it is touched; or another one. */
  lose(ofRings: boolean): void {
    this.#store(U_PAGE + U.lost, this.load(U_PAGE + U.lost) + 1);
    if (!ofRings) return;
    for (const frame of this.#rings.flatMap((ring) => ring?.frames ?? [])) {
      const entry = PAGE_TABLE + 16 * (frame - PAGED_BASE / PAGE_BYTES);
      this.#store(entry + PTE.mac0, this.load(entry + PTE.mac0) + 1);
      this.bytes.fill(0xa5, frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
    }
    this.#rings.fill(undefined);
  }

  /** How many rings and filters there are. */
  get bound(): { readonly rings: number; readonly filters: number } {
    const count = (list: readonly unknown[]): number => list.filter((one) => one !== undefined).length;
    return { rings: count(this.#rings), filters: count(this.#filters) };
  }

  /** Address of a slot of the receive ring. */
  slot(i: number): number {
    const ring = this.#rings.find((one) => one?.transmit === false);
    return (ring?.frames[0] ?? 0) * PAGE_BYTES + i * RING_SLOT_BYTES;
  }

  write(at: number, value: number): void {
    this.#store(at, value);
  }

  /** Addresses outside the library's memory that have changed since the last look, up to `most`. Pages of the table may change. */
  changed(most = 8): number[] {
    const { bytes } = this;
    const found: number[] = [];
    for (const [from, to] of [
      [0, PAGE_TABLE],
      [PAGED_BASE, LIBRARY_MEMORY],
      [LIBRARY_END, MEMORY_BYTES],
    ] as const) {
      if (Buffer.compare(bytes.subarray(from, to), this.#before.subarray(from, to)) === 0) continue;
      for (let at = from; at < to && found.length < most; at += 1) if (bytes[at] !== this.#before[at]) found.push(at);
    }
    if (found.length > 0) this.#before = bytes.slice();
    return found;
  }

  *#buffers(slot: number): Generator<[number, number]> {
    for (let i = 0; i < RING_BUFFERS; i += 1) {
      const room = this.load(slot + RING_SLOT.buffers + 8 * i + 4);
      if (room === 0) return;
      yield [this.load(slot + RING_SLOT.buffers + 8 * i), room];
    }
  }

  #address({ frames }: Ring, place: number): number {
    const frame = frames[place >>> 12];
    if (frame === undefined || place % 4 !== 0) throw new Error(`a buffer at ${place}`);
    return frame * PAGE_BYTES + (place % PAGE_BYTES);
  }

  #store(at: number, value: number): void {
    this.#memory.setUint32(at, value, true);
  }

  /** A page that is to be filled with zeros gets its frame. */
  #touch(at: number): void {
    const entry = PAGE_TABLE + 16 * ((at - PAGED_BASE) >>> 12);
    if (at < PAGED_BASE || this.load(entry) !== PTE_SOFT.zeroFill) return;
    this.#store(entry, (at & -PAGE_BYTES) | VALID_DIRTY);
    this.bytes.fill(0, at & -PAGE_BYTES, (at & -PAGE_BYTES) + PAGE_BYTES);
  }

  #kit(): Record<string, (...args: number[]) => number | undefined> {
    return {
      load32: (at = 0) => {
        this.#touch(at >>> 0);
        return this.load(at >>> 0);
      },
      store32: (at = 0, value = 0) => {
        this.#touch(at >>> 0);
        this.#store(at >>> 0, value);
        return undefined;
      },
      page_entry: (va = 0) => (va >= PAGED_BASE && va < PAGED_END ? PAGE_TABLE + 16 * ((va - PAGED_BASE) >>> 12) : 0),
      sleep: (until = 0) => {
        this.now = until === 0 ? this.now + 1 : Math.max(this.now, Math.min(until, this.now + 1));
        this.slept();
        return undefined;
      },
    };
  }

  #aegis(): Record<string, (...args: number[]) => number> {
    const calls: Record<string, (...args: number[]) => number> = {
      tick: (results = 0) => {
        this.#store(results, this.now);
        return 0;
      },
      tlbvad: () => 0,
      tlbwr: () => 0,
      frame_free: () => 0,
      ring_bind: (...[, ppn = 0, , , transmit = 0, slots = 0, results = 0]) => {
        const number = this.#rings.push({ transmit: transmit !== 0, slots, frames: [ppn], index: 0 }) - 1;
        [number, 1, number].forEach((word, i) => {
          this.#store(results + 4 * i, word);
        });
        return 0;
      },
      ring_extend: (...[, ring = 0, , , , ppn = 0, , , results = 0]) => {
        this.#store(results, ((this.#rings[ring]?.frames.push(ppn) ?? 1) - 1) * PAGE_BYTES);
        return 0;
      },
      ring_free: (...[head = 0, ring = 0]) => {
        if (head !== 0) this.#rings[ring] = undefined;
        return head === 0 ? -2 : 0;
      },
      filter_bind: (...[, ppn = 0, , , , , , , length = 0, , results = 0]) => {
        const atoms = decodeFilter(this.bytes.slice(ppn * PAGE_BYTES, ppn * PAGE_BYTES + length));
        const port = atoms.find((atom) => atom.kind === 'eq' && atom.offset === 16);
        if (port?.kind === 'eq' && this.foreign.has(port.value)) return -10;
        const number = this.#filters.push(atoms) - 1;
        [number, 1, number].forEach((word, i) => {
          this.#store(results + 4 * i, word);
        });
        return 0;
      },
      filter_free: (...[, filter = 0]) => {
        this.#filters[filter] = undefined;
        return 0;
      },
      xmit: (number = 0) => {
        const ring = this.#rings[number];
        if (ring?.transmit !== true) return -2;
        for (;;) {
          const slot = (ring.frames[0] ?? 0) * PAGE_BYTES + ring.index * RING_SLOT_BYTES;
          const length = this.load(slot);
          if (length === 0) return 0;
          const [[place]] = [...this.#buffers(slot)] as [[number, number]];
          const at = this.#address(ring, place);
          const frame = new Uint8Array(Math.max(60, length));
          frame.set(this.bytes.subarray(at, at + length));
          this.sent.push(frame);
          this.#store(slot, 0);
          ring.index = (ring.index + 1) % ring.slots;
        }
      },
    };
    return Object.fromEntries(
      Object.entries(calls).map(([name, call]) => [
        name,
        (...args: number[]) => this.refusals.get(name) ?? call(...args),
      ]),
    );
  }
}
