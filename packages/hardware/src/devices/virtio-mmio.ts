/**
 * A virtio device's registers on a bus: virtio-mmio version 2 with one split queue. What the device does is behind it.
 *
 * Features, status and the queue's place are agreed on as the standard says; what the guest does out of order has no
 * effect. A queue that makes no sense sets DEVICE_NEEDS_RESET, and nothing is served until it is reset.
 *
 * Source: [VIRTIO §2.1, §3.1, §4.2.2].
 */
import type { Device } from '../bus/bus.ts';
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';
import { QUEUE_MAX, Virtqueue } from './virtqueue.ts';

const S_DRIVER_OK = 4;
const S_FEATURES_OK = 8;
const S_NEEDS_RESET = 64;
const INT_USED = 1;
const INT_CONFIG = 2;

const MAGIC = 0x74726976;
const VENDOR = 0x4b4f5845; // "EXOK"
const CONFIG = 0x100;

const F_INDIRECT_DESC = 28;
const F_EVENT_IDX = 29;
/** Features that the transport offers for every device, as words 0 and 1: those two, and VERSION_1. */
const TRANSPORT: readonly number[] = [(1 << F_INDIRECT_DESC) | (1 << F_EVENT_IDX), 1];

/** Registers of the queue's places: low words of descriptors, available and used ring, then the high words. */
const PLACES: readonly number[] = [0x080, 0x090, 0x0a0, 0x084, 0x094, 0x0a4];

/** The device behind the registers. */
export interface VirtioDevice {
  readonly id: number;
  /** The features of its own that it offers, as bits of word 0. */
  readonly features: number;
  /** The word at a word-aligned offset of its configuration. */
  readConfig(offset: number): number;
  /** Stores the bits of `value` that `mask` selects. */
  writeConfig(offset: number, value: number, mask: number): void;
  /** There may be something in the queue. */
  serve(): void;
  /** Forgets everything. */
  reset(): void;
}

/** The registers of one device. */
export class VirtioMmio implements Device {
  readonly base: number;
  readonly bytes: number;
  readonly queue: Virtqueue;
  readonly #line: number;
  readonly #setLine: (line: number, level: boolean) => void;
  readonly #device: VirtioDevice;
  readonly #accepted = [0, 0];
  readonly #places = new Uint32Array(PLACES.length);
  #featureWord = 0;
  #acceptWord = 0;
  #queueSelect = 0;
  #status = 0;
  #interrupts = 0;

  /** `configBytes` of configuration follow the registers. */
  constructor(
    where: { readonly base: number; readonly configBytes: number; readonly line: number },
    setLine: (line: number, level: boolean) => void,
    memory: MemoryPort,
    device: VirtioDevice,
  ) {
    this.base = where.base;
    this.bytes = CONFIG + where.configBytes;
    this.#line = where.line;
    this.#setLine = setLine;
    this.#device = device;
    this.queue = new Virtqueue(memory);
  }

  state(s: StateStream): void {
    this.queue.state(s);
    this.#accepted.forEach((word, i) => {
      this.#accepted[i] = s.word(word);
    });
    this.#places.forEach((word, i) => {
      this.#places[i] = s.word(word);
    });
    this.#featureWord = s.word(this.#featureWord);
    this.#acceptWord = s.word(this.#acceptWord);
    this.#queueSelect = s.word(this.#queueSelect);
    this.#status = s.integer(this.#status, 0, 0xff);
    this.#interrupts = s.word(this.#interrupts);
  }

  // ---- For the device

  /** Whether both sides have agreed on a feature. */
  has(feature: number): boolean {
    return (((this.#accepted[feature >>> 5] ?? 0) >>> (feature & 31)) & 1) !== 0;
  }

  /** The guest's driver is ready, and so is its queue. */
  get running(): boolean {
    const bits = S_DRIVER_OK | S_FEATURES_OK;
    return this.queue.ready && (this.#status & (bits | S_NEEDS_RESET)) === bits;
  }

  /** Gives a chain back to the guest, with an interrupt if it wants one. */
  give(head: number, written: number): void {
    if (this.queue.give(head, written)) this.#interrupts |= INT_USED;
    this.#update();
  }

  /** The guest has broken the queue. */
  fail(): void {
    this.queue.ready = false;
    this.#status |= S_NEEDS_RESET;
    if ((this.#status & S_DRIVER_OK) !== 0) this.#interrupts |= INT_CONFIG;
    this.#update();
  }

  // ---- Registers

  read(offset: number): number {
    if (offset >= CONFIG) return this.#device.readConfig(offset - CONFIG);
    const queue = this.#queueSelect === 0;
    switch (offset) {
      case 0x000:
        return MAGIC;
      case 0x004:
        return 2;
      case 0x008:
        return this.#device.id;
      case 0x00c:
        return VENDOR;
      case 0x010:
        return this.#offered(this.#featureWord);
      case 0x034:
        return queue ? QUEUE_MAX : 0;
      case 0x044:
        return queue && this.queue.ready ? 1 : 0;
      case 0x060:
        return this.#interrupts;
      case 0x070:
        return this.#status;
      case 0x0b0: // no shared memory regions
      case 0x0b4:
      case 0x0b8:
      case 0x0bc:
        return -1;
      default:
        return 0;
    }
  }

  write(offset: number, value: number, mask: number): void {
    if (offset >= CONFIG) {
      this.#device.writeConfig(offset - CONFIG, value, mask);
      return;
    }
    if (mask !== -1) return; // registers take whole words
    switch (offset) {
      case 0x014:
        this.#featureWord = value >>> 0;
        break;
      case 0x020:
        if ((this.#status & S_FEATURES_OK) === 0 && this.#acceptWord < 2) this.#accepted[this.#acceptWord] = value;
        break;
      case 0x024:
        this.#acceptWord = value >>> 0;
        break;
      case 0x030:
        this.#queueSelect = value >>> 0;
        break;
      case 0x050:
        if (value === 0) this.#device.serve();
        break;
      case 0x064:
        this.#interrupts &= ~value;
        this.#update();
        break;
      case 0x070:
        this.#setStatus(value & 0xff);
        break;
      default:
        if (this.#queueSelect === 0) this.#configure(offset, value >>> 0);
    }
  }

  #offered(word: number): number {
    return (TRANSPORT[word] ?? 0) | (word === 0 ? this.#device.features : 0);
  }

  /** Registers of the selected queue. Its places cannot be changed while it is in use. */
  #configure(offset: number, value: number): void {
    const { queue } = this;
    if (offset === 0x044) {
      if ((value & 1) === 0) queue.ready = false;
      else if (queue.place(this.#places)) queue.ready = true;
      else this.fail();
    } else if (!queue.ready) {
      const place = PLACES.indexOf(offset);
      if (offset === 0x038) queue.size = value;
      else if (place >= 0) this.#places[place] = value;
    }
  }

  #setStatus(value: number): void {
    if (value === 0) {
      this.#reset();
      return;
    }
    let status = value | (this.#status & S_NEEDS_RESET);
    const newlyOk = (status & S_FEATURES_OK) !== 0 && (this.#status & S_FEATURES_OK) === 0;
    if (newlyOk) {
      if (!this.#featuresFit()) status &= ~S_FEATURES_OK;
      this.queue.indirect = this.has(F_INDIRECT_DESC);
      this.queue.events = this.has(F_EVENT_IDX);
    }
    this.#status = status;
    this.#device.serve();
  }

  /** Nothing that was not offered, and not without VERSION_1. */
  #featuresFit(): boolean {
    const [low = 0, high = 0] = this.#accepted;
    return (low & ~this.#offered(0)) === 0 && high === 1;
  }

  #reset(): void {
    this.#status = 0;
    this.#interrupts = 0;
    this.#accepted.fill(0);
    this.#featureWord = 0;
    this.#acceptWord = 0;
    this.#queueSelect = 0;
    this.queue.reset();
    this.#places.fill(0);
    this.#device.reset();
    this.#update();
  }

  #update(): void {
    this.#setLine(this.#line, this.#interrupts !== 0);
  }
}
