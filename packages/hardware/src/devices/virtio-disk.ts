/**
 * The disk: virtio-blk with one queue, a mechanical drive and a store behind it.
 *
 * Requests are served one after the other in the order given: the drive does not schedule. That is for the
 * software that manages the disk. To that end the drive shows its arm, in registers after virtio's:
 *
 *     +0x200  cylinder that the arm is at or moves to      +0x204  number of cylinders
 *     +0x208  sectors of a cylinder
 *
 * Data moves between RAM and store when the request completes, so that a reset before that leaves both as they were. A
 * request that makes no sense is answered with IOERR. What is written survives the host after a flush or, when the guest has
 * not agreed to flush or has switched the write cache off, as soon as it is answered. Interrupt line 2, that of the KN01's
 * absent SCSI chip.
 *
 * Features offered beside the transport's: SIZE_MAX, SEG_MAX, GEOMETRY, RO, BLK_SIZE, FLUSH, CONFIG_WCE, WRITE_ZEROES. Not: DISCARD (a
 * platter has nothing to give back), TOPOLOGY (nothing to tell), MQ. Source: [VIRTIO §5.2].
 */
import { SECTOR_BYTES, type BlockStore } from './block-store.ts';
import { DiskContents } from './disk-contents.ts';
import type { Clock, Timer } from '../bus/clock.ts';
import { HardwareError } from '../error.ts';
import { EVENT_KINDS, type EventStream } from '../bus/events.ts';
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';
import { DiskMechanics, type DiskGeometry } from './disk-mechanics.ts';
import { VirtioMmio, type VirtioDevice } from './virtio-mmio.ts';
import { QUEUE_MAX } from './virtqueue.ts';

const LINE = 2;

const F_SIZE_MAX = 1;
const F_SEG_MAX = 2;
const F_GEOMETRY = 4;
const F_RO = 5;
const F_BLK_SIZE = 6;
const F_FLUSH = 9;
const F_CONFIG_WCE = 11;
const F_WRITE_ZEROES = 14;
const FEATURES: number = [F_SIZE_MAX, F_SEG_MAX, F_GEOMETRY, F_BLK_SIZE, F_FLUSH, F_CONFIG_WCE, F_WRITE_ZEROES].reduce(
  (bits, feature) => bits | (1 << feature),
  0,
);

const T_IN = 0;
const T_OUT = 1;
const T_FLUSH = 4;
const T_GET_ID = 8;
const T_WRITE_ZEROES = 13;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

const HEADER = 16;
const ID_BYTES = 20;
/** Sector (64 bits), number of sectors, flags: 0 may be set. */
const ZEROES_BYTES = 16;
const UNMAP = 1;
/** Header and status take two segments of a chain. */
const SEG_MAX: number = QUEUE_MAX - 2;
/** Longest request in sectors: 4 MB. Assumption: enough for any driver; it bounds what one request costs the host. */
const MAX_SECTORS = 8192;
/** Longest segment, so that as many as there may be stay below the longest request. */
const SIZE_MAX = 0x8000;
const NAME = 'exokernel disk';

/** The disk at 0x1a000000: `registers` is what the bus sees. */
export class VirtioDisk implements VirtioDevice {
  readonly id = 2;
  readonly features: number;
  readonly registers: VirtioMmio;
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #memory: MemoryPort;
  readonly #contents: DiskContents;
  readonly #drive: DiskMechanics;
  readonly #done: Timer;
  /** The request being served: head of its chain (-1: none) and what it asks. */
  #head = -1;
  #type = 0;
  #sector = 0;
  #sectors = 0;
  #answer = OK;
  /** The guest's setting of the write cache, if that is its to set. */
  #writeback = true;
  #buffer: Uint8Array = new Uint8Array(SECTOR_BYTES);

  /** Size in sectors. */
  get sectors(): number {
    return this.#contents.blocks;
  }

  /** Throws `disk-geometry`, and `block-store` for a store without a positive whole number of sectors. */
  constructor(
    clock: Clock,
    events: EventStream,
    setLine: (line: number, level: boolean) => void,
    memory: MemoryPort,
    store: BlockStore,
    geometry?: DiskGeometry,
  ) {
    const { blocks } = store;
    if (!Number.isSafeInteger(blocks) || blocks <= 0) {
      throw new HardwareError('block-store', `a store of ${blocks} sectors: use a positive integer`, { blocks });
    }
    this.#clock = clock;
    this.#events = events;
    this.#memory = memory;
    this.#contents = new DiskContents(store);
    this.#drive = new DiskMechanics(blocks, geometry);
    this.features = FEATURES | (store.readOnly === true ? 1 << F_RO : 0);
    this.registers = new VirtioMmio({ base: 0x1a000000, configBytes: 0x10c, line: LINE }, setLine, memory, this);
    this.#done = clock.timer((at) => {
      this.#complete(at);
    });
  }

  state(s: StateStream): void {
    this.registers.state(s);
    this.#drive.state(s);
    s.timer(this.#done);
    this.#head = s.integer(this.#head, -1, QUEUE_MAX - 1);
    this.#type = s.word(this.#type);
    this.#sectors = s.integer(this.#sectors, 0, Math.min(MAX_SECTORS, this.#contents.blocks));
    this.#sector = s.integer(this.#sector, 0, this.#contents.blocks - this.#sectors);
    this.#answer = s.integer(this.#answer, OK, UNSUPP);
    this.#writeback = s.flag(this.#writeback);
    if (s.reads) this.#checkRequest(s);
    this.#contents.state(s);
  }

  /** A request that is served moves exactly the bytes that it names. */
  #checkRequest(s: StateStream): void {
    const { readable, writable } = this.registers.queue;
    if (this.#head < 0 || this.#answer !== OK) return;
    const bytes = this.#sectors * SECTOR_BYTES;
    const fits = this.#type === T_OUT ? readable.bytes === HEADER + bytes : true;
    const takes = this.#type === T_IN ? bytes : this.#type === T_GET_ID ? ID_BYTES : 0;
    if (fits && writable.bytes === takes + 1) return;
    s.refuse('a request of the disk is not what its queue says', { type: this.#type, sectors: this.#sectors });
  }

  restored(): void {
    this.#contents.restored();
  }

  /** Walks what is on the disk, for recordings; `restored` then takes it over. */
  contentsState(s: StateStream): void {
    this.#contents.state(s);
  }

  /** A number for what is on the disk. Throws what the store throws. */
  get contentsSum(): number {
    return this.#contents.sum;
  }

  /**
   * Power is lost: of the writes since the last flush, and of the one that is being served, any subset has happened, in any order,
   * each sector whole or not at all. `choose(n)` gives an integer from 0 up to n, exclusive. Throws what the store throws.
   */
  powerCut(choose: (n: number) => number): void {
    const isWriting = this.#head >= 0 && this.#answer === OK && (this.#type === T_OUT || this.#type === T_WRITE_ZEROES);
    const data = isWriting ? new Uint8Array(this.#sectors * SECTOR_BYTES) : undefined;
    if (data !== undefined && this.#type === T_OUT)
      this.registers.queue.readable.copy(this.#memory, HEADER, data, false);
    this.#contents.powerCut(choose, this.#sector, data);
  }

  // ---- Configuration

  readConfig(offset: number): number {
    const drive = this.#drive;
    switch (offset) {
      case 0x00:
        return this.#contents.blocks | 0;
      case 0x04:
        return Math.floor(this.#contents.blocks / 0x100000000);
      case 0x08:
        return SIZE_MAX;
      case 0x0c:
        return SEG_MAX;
      case 0x10:
        return Math.min(drive.cylinders, 0xffff) | (drive.heads << 16) | (drive.sectorsPerTrack << 24);
      case 0x14:
        return SECTOR_BYTES;
      case 0x20:
        return this.#cached ? 1 : 0;
      case 0x30:
        return MAX_SECTORS;
      case 0x34: // segments of a request to write zeroes; it never gives space back
        return 1;
      case 0x100:
        return drive.arm;
      case 0x104:
        return drive.cylinders;
      case 0x108:
        return drive.sectorsPerCylinder;
      default:
        return 0;
    }
  }

  /** The write cache is all that can be set. To switch it off writes what it has: if that fails, it stays on. */
  writeConfig(offset: number, value: number, mask: number): void {
    if (offset !== 0x20 || (mask & 0xff) === 0 || !this.registers.has(F_CONFIG_WCE)) return;
    const on = (value & 0xff) !== 0;
    if (on || this.#flushed()) this.#writeback = on;
  }

  #flushed(): boolean {
    try {
      this.#contents.flush();
      return true;
    } catch {
      return false;
    }
  }

  /** What is written may wait for a flush. */
  get #cached(): boolean {
    return this.registers.has(F_FLUSH) && (this.#writeback || !this.registers.has(F_CONFIG_WCE));
  }

  reset(): void {
    this.#head = -1;
    this.#writeback = true;
    this.#done.disarm();
  }

  // ---- Requests

  /** Begins the next request if the drive is free. */
  serve(): void {
    this.#begin(this.#clock.now);
  }

  /** Begins the next request at `cycle`, which may be a little past: a request that waited follows without a gap. */
  #begin(cycle: number): void {
    const { queue } = this.registers;
    if (!this.registers.running || this.#head >= 0) return;
    const head = queue.take();
    if (head === -1) return;
    if (head < 0 || queue.writable.bytes === 0) {
      this.registers.fail(); // broken, or nowhere to put the status
      return;
    }
    this.#head = head;
    this.#sector = 0;
    this.#sectors = 0;
    this.#answer = this.#parse();
    const { hz } = this.#clock;
    const moves = this.#answer === OK && this.#sectors > 0;
    const seconds = moves ? this.#drive.service(this.#sector, this.#sectors, cycle / hz) : 0;
    this.#done.arm(cycle + Math.max(1, seconds * hz));
  }

  /** Reads the header of the chain just taken; returns the status that it deserves so far. */
  #parse(): number {
    const { readable, writable, malformed } = this.registers.queue;
    this.#type = 0;
    if (malformed || readable.bytes < HEADER) return IOERR;
    const header = this.#words(0);
    this.#type = header.getUint32(0, true);
    const sector = sectorAt(header, 8);
    const given = readable.bytes - HEADER;
    const wanted = writable.bytes - 1;
    switch (this.#type) {
      case T_IN:
        return given === 0 ? this.#sectorsOf(sector, wanted / SECTOR_BYTES) : IOERR;
      case T_OUT:
        return wanted === 0 ? this.#sectorsToWrite(sector, given / SECTOR_BYTES) : IOERR;
      case T_FLUSH:
        return given === 0 && wanted === 0 ? OK : IOERR;
      case T_GET_ID:
        return given === 0 && wanted === ID_BYTES ? OK : IOERR;
      case T_WRITE_ZEROES: {
        if (!this.registers.has(F_WRITE_ZEROES)) return UNSUPP;
        if (given !== ZEROES_BYTES || wanted !== 0) return IOERR;
        const range = this.#words(HEADER);
        if ((range.getUint32(12, true) & ~UNMAP) !== 0) return UNSUPP;
        return this.#sectorsToWrite(sectorAt(range, 0), range.getUint32(8, true));
      }
      default:
        return UNSUPP;
    }
  }

  /** 16 bytes of what the guest gives. */
  #words(skip: number): DataView {
    const bytes = new Uint8Array(16);
    this.registers.queue.readable.copy(this.#memory, skip, bytes, false);
    return new DataView(bytes.buffer);
  }

  #sectorsToWrite(sector: number, sectors: number): number {
    return this.#contents.readOnly ? IOERR : this.#sectorsOf(sector, sectors);
  }

  #sectorsOf(sector: number, sectors: number): number {
    if (!Number.isInteger(sectors) || sectors === 0 || sectors > MAX_SECTORS) return IOERR;
    if (sector + sectors > this.#contents.blocks) return IOERR;
    this.#sector = sector;
    this.#sectors = sectors;
    return OK;
  }

  /** The drive was done with the request at `cycle`: data, status, used ring, interrupt; then the next. */
  #complete(cycle: number): void {
    const { registers } = this;
    const { queue } = registers;
    const head = this.#head;
    this.#head = -1;
    if (head < 0 || !queue.ready) return;
    let written = 1;
    let status = this.#answer;
    if (status === OK) {
      try {
        written += this.#transfer();
      } catch {
        status = IOERR;
      }
    }
    queue.writable.copy(this.#memory, queue.writable.bytes - 1, Uint8Array.of(status), true);
    this.#events.emit(EVENT_KINDS.disk.kind, this.#clock.now, this.#type, this.#sector, this.#sectors);
    registers.give(head, written);
    this.#begin(cycle);
  }

  /** Moves the data of a request that makes sense; returns the bytes given to the guest. */
  #transfer(): number {
    const { readable, writable } = this.registers.queue;
    const bytes = this.#sectors * SECTOR_BYTES;
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    const data = this.#buffer.subarray(0, bytes);
    switch (this.#type) {
      case T_IN:
        this.#contents.read(this.#sector, data);
        writable.copy(this.#memory, 0, data, true);
        return bytes;
      case T_OUT:
        readable.copy(this.#memory, HEADER, data, false);
        this.#write(data);
        return 0;
      case T_WRITE_ZEROES:
        this.#write(data.fill(0));
        return 0;
      case T_FLUSH:
        this.#contents.flush();
        return 0;
      default: {
        const id = Uint8Array.from({ length: ID_BYTES }, (_, i) => NAME.codePointAt(i) ?? 0);
        writable.copy(this.#memory, 0, id, true);
        return ID_BYTES;
      }
    }
  }

  #write(data: Uint8Array): void {
    this.#contents.write(this.#sector, data);
    if (!this.#cached) this.#contents.flush();
  }
}

function sectorAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x100000000;
}
