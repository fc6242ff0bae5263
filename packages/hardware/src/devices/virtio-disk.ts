/**
 * The disk: virtio-blk over virtio-mmio version 2 with one split queue, a mechanical drive and a store behind it.
 *
 * Requests are served one after the other in the order given: the drive does not schedule, that is for whoever manages
 * the disk. To that end it shows its arm, in registers after virtio's:
 *
 *     +0x200  cylinder that the arm is at or moves to      +0x204  number of cylinders
 *     +0x208  sectors of a cylinder
 *
 * Data moves between RAM and store when the request completes. A request that makes no sense is answered with IOERR; a
 * queue that makes none sets DEVICE_NEEDS_RESET. Interrupt line 2, that of the KN01's absent SCSI chip.
 *
 * Features offered: SEG_MAX, BLK_SIZE, FLUSH, VERSION_1. Source: [VIRTIO §4.2.2, §5.2].
 */
import { SECTOR_BYTES, type BlockStore } from '../block-store.ts';
import type { Device } from '../bus.ts';
import type { Clock, Timer } from '../clock.ts';
import { EVENT_KINDS, type EventStream } from '../events.ts';
import type { PhysicalMemory } from '../memory.ts';
import { DiskMechanics, type DiskGeometry } from './disk-mechanics.ts';
import { QUEUE_MAX, Virtqueue } from './virtqueue.ts';

const LINE = 2;

const S_DRIVER_OK = 4;
const S_FEATURES_OK = 8;
const S_NEEDS_RESET = 64;
const INT_USED = 1;
const INT_CONFIG = 2;

/** Feature words 0 and 1: SEG_MAX (2), BLK_SIZE (6), FLUSH (9); VERSION_1 (32). */
const FEATURES: readonly number[] = [0x244, 1];

/** Registers of the queue's places: low words of descriptors, available and used ring, then the high words. */
const PLACES: readonly number[] = [0x080, 0x090, 0x0a0, 0x084, 0x094, 0x0a4];

const T_IN = 0;
const T_OUT = 1;
const T_FLUSH = 4;
const T_GET_ID = 8;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

const HEADER = 16;
const ID_BYTES = 20;
/** Header and status take two segments of a chain. */
const SEG_MAX: number = QUEUE_MAX - 2;
/** Longest request in sectors: 4 MB. Assumption: enough for any driver; it bounds what one request costs the host. */
const MAX_SECTORS = 8192;
const NAME = 'exokernel disk';

/** The disk at 0x1a000000. */
export class VirtioDisk implements Device {
  readonly base: number = 0x1a000000;
  readonly bytes: number = 0x20c;
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #setLine: (line: number, level: boolean) => void;
  readonly #ram: Uint8Array;
  readonly #store: BlockStore;
  readonly #drive: DiskMechanics;
  readonly #queue: Virtqueue;
  readonly #done: Timer;
  readonly #accepted = [0, 0];
  readonly #places = new Uint32Array(PLACES.length);
  #featureWord = 0;
  #acceptWord = 0;
  #queueSelect = 0;
  #status = 0;
  #interrupts = 0;
  /** The request being served: head of its chain (-1: none) and what it asks. */
  #head = -1;
  #type = 0;
  #sector = 0;
  #sectors = 0;
  #answer = OK;
  #buffer: Uint8Array = new Uint8Array(SECTOR_BYTES);

  /** Throws `disk-geometry`. */
  constructor(
    clock: Clock,
    events: EventStream,
    setLine: (line: number, level: boolean) => void,
    memory: PhysicalMemory,
    store: BlockStore,
    geometry?: DiskGeometry,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#setLine = setLine;
    this.#ram = memory.bytes;
    this.#store = store;
    this.#drive = new DiskMechanics(store.blocks, geometry);
    this.#queue = new Virtqueue(memory);
    this.#done = clock.timer(() => {
      this.#complete();
    });
  }

  // ---- Registers

  read(offset: number): number {
    const queue = this.#queueSelect === 0;
    switch (offset) {
      case 0x000:
        return 0x74726976;
      case 0x004:
        return 2;
      case 0x008:
        return 2;
      case 0x00c:
        return 0x4b4f5845; // "EXOK"
      case 0x010:
        return FEATURES[this.#featureWord] ?? 0;
      case 0x034:
        return queue ? QUEUE_MAX : 0;
      case 0x044:
        return queue && this.#queue.ready ? 1 : 0;
      case 0x060:
        return this.#interrupts;
      case 0x070:
        return this.#status;
      case 0x0b0: // no shared memory regions
      case 0x0b4:
      case 0x0b8:
      case 0x0bc:
        return -1;
      case 0x100:
        return this.#store.blocks | 0;
      case 0x104:
        return Math.floor(this.#store.blocks / 0x100000000);
      case 0x10c:
        return SEG_MAX;
      case 0x114:
        return SECTOR_BYTES;
      case 0x200:
        return this.#drive.arm;
      case 0x204:
        return this.#drive.cylinders;
      case 0x208:
        return this.#drive.sectorsPerCylinder;
      default:
        return 0;
    }
  }

  write(offset: number, value: number, mask: number): void {
    if (mask !== -1) return; // registers take whole words; the configuration cannot be written
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
        if (value === 0) this.#serve();
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

  /** Registers of the selected queue. Its places cannot be changed while it is in use. */
  #configure(offset: number, value: number): void {
    const queue = this.#queue;
    if (offset === 0x044) {
      if ((value & 1) === 0) queue.ready = false;
      else if (queue.place(this.#places)) queue.ready = true;
      else this.#fail();
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
    if (newlyOk && !this.#featuresFit()) status &= ~S_FEATURES_OK;
    this.#status = status;
    this.#serve();
  }

  #featuresFit(): boolean {
    const [low = 0, high = 0] = this.#accepted;
    return (low & ~(FEATURES[0] ?? 0)) === 0 && high === 1;
  }

  #reset(): void {
    this.#status = 0;
    this.#interrupts = 0;
    this.#accepted.fill(0);
    this.#featureWord = 0;
    this.#acceptWord = 0;
    this.#queueSelect = 0;
    this.#queue.reset();
    this.#places.fill(0);
    this.#head = -1;
    this.#done.disarm();
    this.#update();
  }

  /** The guest has broken the queue. */
  #fail(): void {
    this.#queue.ready = false;
    this.#status |= S_NEEDS_RESET;
    if ((this.#status & S_DRIVER_OK) !== 0) this.#interrupts |= INT_CONFIG;
    this.#update();
  }

  #update(): void {
    this.#setLine(LINE, this.#interrupts !== 0);
  }

  // ---- Requests

  /** Begins the next request if the drive is free. */
  #serve(): void {
    const queue = this.#queue;
    const running = (this.#status & (S_DRIVER_OK | S_FEATURES_OK | S_NEEDS_RESET)) === (S_DRIVER_OK | S_FEATURES_OK);
    if (!running || !queue.ready || this.#head >= 0) return;
    const head = queue.take();
    if (head === -1) return;
    if (head < 0 || queue.writable.bytes === 0) {
      this.#fail(); // broken, or nowhere to put the status
      return;
    }
    this.#head = head;
    this.#answer = this.#parse();
    const { now, hz } = this.#clock;
    const moves = this.#answer === OK && this.#sectors > 0;
    const seconds = moves ? this.#drive.service(this.#sector, this.#sectors, now / hz) : 0;
    this.#done.arm(now + Math.max(1, seconds * hz));
  }

  /** Reads the header of the chain just taken; returns the status that it deserves so far. */
  #parse(): number {
    const { readable, writable, malformed } = this.#queue;
    this.#sectors = 0;
    this.#sector = 0;
    if (malformed || readable.bytes < HEADER) return IOERR;
    const header = new Uint8Array(HEADER);
    readable.copy(this.#ram, 0, header, false);
    const view = new DataView(header.buffer);
    this.#type = view.getUint32(0, true);
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 0x100000000;
    const given = readable.bytes - HEADER;
    const wanted = writable.bytes - 1;
    switch (this.#type) {
      case T_IN:
      case T_OUT: {
        const bytes = this.#type === T_IN ? wanted : given;
        const sectors = bytes / SECTOR_BYTES;
        if ((this.#type === T_IN ? given : wanted) !== 0 || !Number.isInteger(sectors) || sectors > MAX_SECTORS) {
          return IOERR;
        }
        if (sectors === 0 || sector + sectors > this.#store.blocks) return IOERR;
        this.#sector = sector;
        this.#sectors = sectors;
        return OK;
      }
      case T_FLUSH:
        return given === 0 && wanted === 0 ? OK : IOERR;
      case T_GET_ID:
        return given === 0 && wanted === ID_BYTES ? OK : IOERR;
      default:
        return UNSUPP;
    }
  }

  /** The drive is done with the request: data, status, used ring, interrupt; then the next. */
  #complete(): void {
    const queue = this.#queue;
    const head = this.#head;
    if (head < 0 || !queue.ready) {
      this.#head = -1;
      return;
    }
    this.#head = -1;
    let written = 1;
    let status = this.#answer;
    if (status === OK) {
      try {
        written += this.#transfer();
      } catch {
        status = IOERR;
      }
    }
    queue.writable.copy(this.#ram, queue.writable.bytes - 1, Uint8Array.of(status), true);
    if (queue.give(head, written)) this.#interrupts |= INT_USED;
    this.#events.emit(EVENT_KINDS.disk.kind, this.#clock.now, this.#type, this.#sector, this.#sectors);
    this.#update();
    this.#serve();
  }

  /** Moves the data of a request that makes sense; returns the bytes given to the guest. */
  #transfer(): number {
    const { readable, writable } = this.#queue;
    const bytes = this.#sectors * SECTOR_BYTES;
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    const data = this.#buffer.subarray(0, bytes);
    switch (this.#type) {
      case T_IN:
        this.#store.read(this.#sector, data);
        writable.copy(this.#ram, 0, data, true);
        return bytes;
      case T_OUT:
        readable.copy(this.#ram, HEADER, data, false);
        this.#store.write(this.#sector, data);
        return 0;
      case T_FLUSH:
        this.#store.flush();
        return 0;
      default: {
        const id = Uint8Array.from({ length: ID_BYTES }, (_, i) => NAME.codePointAt(i) ?? 0);
        writable.copy(this.#ram, 0, id, true);
        return ID_BYTES;
      }
    }
  }
}
