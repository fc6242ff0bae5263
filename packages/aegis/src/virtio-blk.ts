/**
 * The driver of the disk: virtio-blk on virtio-mmio, one split queue. It knows requests of several pages, and nothing of who
 * wants them or may. [VIRTIO §5.2]
 *
 * Its state is the queue itself: a free descriptor names the next free one where a used one names the next of its chain, the
 * header of a request says by its place which request it is, and the number of requests given so far stands in the available
 * ring.
 */
import { PAGE_BYTES, type NativeCpu } from '@exokernel/abi';
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';
import { VARIABLES } from './tables.ts';

/** virtio-mmio registers in kseg1 [VIRTIO §4.2.2]; then the vendor's: where the arm is, and how far it goes. */
const BASE = 0xba000000;
const REGISTER = {
  magic: BASE,
  deviceId: BASE + 0x08,
  driverFeatures: BASE + 0x20,
  driverFeaturesSelect: BASE + 0x24,
  queueSelect: BASE + 0x30,
  queueSizeMax: BASE + 0x34,
  queueSize: BASE + 0x38,
  queueReady: BASE + 0x44,
  queueNotify: BASE + 0x50,
  interruptStatus: BASE + 0x60,
  interruptAck: BASE + 0x64,
  status: BASE + 0x70,
  descriptors: BASE + 0x80,
  available: BASE + 0x90,
  used: BASE + 0xa0,
  capacity: BASE + 0x100,
  arm: BASE + 0x200,
  cylinders: BASE + 0x204,
  sectorsPerCylinder: BASE + 0x208,
} as const;
const MAGIC = 0x74726976;
const DEVICE_BLOCK = 2;
const STATUS = { acknowledge: 1, driver: 2, driverOk: 4, featuresOk: 8 } as const;
/** Feature bit 32, VIRTIO_F_VERSION_1, in the second word. */
const VERSION_1 = 1;

const QUEUE_SIZE = 128;
const DESCRIPTORS = PHYSICAL.diskQueue;
const AVAILABLE = PHYSICAL.diskQueue + 16 * QUEUE_SIZE;
const USED = PHYSICAL.diskQueue + 0xa00;
/** Each request: a 16-byte header, then a status byte. */
const REQUEST_BYTES = 32;
/** What the status byte is until the device has written it. */
const STATUS_PENDING = 0xff;
/** Flags of a descriptor; above them stands the descriptor that follows. */
const NEXT = 1;
const NEXT_SHIFT = 16;
const DEVICE_WRITES = 2;
export const SECTORS_PER_BLOCK = 8;

/** What the drive looks like. */
export interface DriveGeometry {
  /** Size in 4 KiB blocks. */
  readonly blocks: number;
  readonly cylinders: number;
  readonly sectorsPerCylinder: number;
}

/** What the driver is asked for. */
export interface BlockRequest {
  readonly block: number;
  /** One page per block. */
  readonly ppns: readonly number[];
  readonly write: boolean;
}

export class VirtioBlk {
  readonly #memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    for (let i = 0; i < QUEUE_SIZE; i += 1) memory.set(DESCRIPTORS + 16 * i + 12, (i + 1) << NEXT_SHIFT);
    memory.setVariable(VARIABLES.diskFreeCount, QUEUE_SIZE);
  }

  /** Finds and starts the device [VIRTIO §3.1]; undefined without one. */
  boot(cpu: NativeCpu): DriveGeometry | undefined {
    const isDisk =
      cpu.probe(REGISTER.magic, false) &&
      cpu.load32(REGISTER.magic) === MAGIC &&
      cpu.load32(REGISTER.deviceId) === DEVICE_BLOCK;
    if (!isDisk) return undefined;
    cpu.store32(REGISTER.status, 0);
    cpu.store32(REGISTER.status, STATUS.acknowledge | STATUS.driver);
    cpu.store32(REGISTER.driverFeaturesSelect, 0);
    cpu.store32(REGISTER.driverFeatures, 0);
    cpu.store32(REGISTER.driverFeaturesSelect, 1);
    cpu.store32(REGISTER.driverFeatures, VERSION_1);
    cpu.store32(REGISTER.status, STATUS.acknowledge | STATUS.driver | STATUS.featuresOk);
    if ((cpu.load32(REGISTER.status) & STATUS.featuresOk) === 0) return undefined;
    cpu.store32(REGISTER.queueSelect, 0);
    if (cpu.load32(REGISTER.queueSizeMax) < QUEUE_SIZE) return undefined;
    cpu.store32(REGISTER.queueSize, QUEUE_SIZE);
    for (const [register, address] of [
      [REGISTER.descriptors, DESCRIPTORS],
      [REGISTER.available, AVAILABLE],
      [REGISTER.used, USED],
    ] as const) {
      cpu.store32(register, address);
      cpu.store32(register + 4, 0);
    }
    cpu.store32(REGISTER.queueReady, 1);
    cpu.store32(REGISTER.status, STATUS.acknowledge | STATUS.driver | STATUS.featuresOk | STATUS.driverOk);
    return {
      blocks: Math.floor((cpu.load32(REGISTER.capacity) >>> 0) / SECTORS_PER_BLOCK),
      cylinders: cpu.load32(REGISTER.cylinders),
      sectorsPerCylinder: cpu.load32(REGISTER.sectorsPerCylinder),
    };
  }

  /** The cylinder that the arm is at or moves to. */
  arm(cpu: NativeCpu): number {
    return cpu.load32(REGISTER.arm);
  }

  /** Gives a request to the device, if it has room. `tag` is below 128, and of one request at a time. */
  submit(cpu: NativeCpu, tag: number, { block, ppns, write }: BlockRequest): boolean {
    const free = this.#memory.variable(VARIABLES.diskFreeCount);
    if (free < ppns.length + 2) return false;
    const header = PHYSICAL.diskRequests + REQUEST_BYTES * tag;
    this.#memory.set(header, write ? 1 : 0);
    this.#memory.set(header + 4, 0);
    this.#memory.set(header + 8, block * SECTORS_PER_BLOCK);
    this.#memory.set(header + 12, 0);
    this.#memory.set(header + 16, STATUS_PENDING);
    const first = this.#memory.variable(VARIABLES.diskFree);
    let at = first;
    const pages = ppns.map((ppn) => [ppn * PAGE_BYTES, PAGE_BYTES, (write ? 0 : DEVICE_WRITES) | NEXT] as const);
    for (const [address, length, flags] of [
      [header, 16, NEXT] as const,
      ...pages,
      [header + 16, 1, DEVICE_WRITES] as const,
    ]) {
      const descriptor = descriptorAt(at);
      at = this.#memory.get(descriptor + 12) >>> NEXT_SHIFT;
      this.#memory.set(descriptor, address);
      this.#memory.set(descriptor + 4, 0);
      this.#memory.set(descriptor + 8, length);
      this.#memory.set(descriptor + 12, flags | (at << NEXT_SHIFT));
    }
    this.#memory.setVariable(VARIABLES.diskFree, at);
    this.#memory.setVariable(VARIABLES.diskFreeCount, free - ppns.length - 2);
    const available = this.#half(AVAILABLE + 2);
    this.#setHalf(AVAILABLE + 4 + 2 * (available % QUEUE_SIZE), first);
    this.#setHalf(AVAILABLE + 2, (available + 1) & 0xffff);
    cpu.store32(REGISTER.queueNotify, 0);
    return true;
  }

  /**
   * The request that the device finished first of those that have not been taken; undefined if all have. Only then does the
   * device's interrupt end: an interrupt that leaves some is followed by the next.
   */
  finished(cpu: NativeCpu): { readonly tag: number; readonly ok: boolean } | undefined {
    const used = this.#memory.variable(VARIABLES.diskUsed);
    if (used === this.#half(USED + 2)) {
      cpu.store32(REGISTER.interruptAck, cpu.load32(REGISTER.interruptStatus));
      return undefined;
    }
    const header = this.#memory.get(descriptorAt(this.#memory.get(USED + 4 + 8 * (used % QUEUE_SIZE))));
    const status = this.#memory.get(header + 16) & 0xff;
    return { tag: (header - PHYSICAL.diskRequests) / REQUEST_BYTES, ok: status === 0 };
  }

  /** Takes the request that `finished` has shown. */
  take(): void {
    const used = this.#memory.variable(VARIABLES.diskUsed);
    this.#free(this.#memory.get(USED + 4 + 8 * (used % QUEUE_SIZE)));
    this.#memory.setVariable(VARIABLES.diskUsed, (used + 1) & 0xffff);
  }

  /** Puts the descriptors of a chain before the others that are free. */
  #free(first: number): void {
    let count = 1;
    let last = descriptorAt(first) + 12;
    for (; (this.#memory.get(last) & NEXT) !== 0 && count < QUEUE_SIZE; count += 1) {
      last = descriptorAt(this.#memory.get(last) >>> NEXT_SHIFT) + 12;
    }
    this.#memory.set(last, this.#memory.variable(VARIABLES.diskFree) << NEXT_SHIFT);
    this.#memory.setVariable(VARIABLES.diskFree, first);
    this.#memory.setVariable(VARIABLES.diskFreeCount, this.#memory.variable(VARIABLES.diskFreeCount) + count);
  }

  #half(physical: number): number {
    return this.#memory.port.load16(physical);
  }

  #setHalf(physical: number, value: number): void {
    this.#memory.port.store16(physical, value);
  }
}

/** Physical address of a descriptor. Throws `RangeError` if the queue has none of this number. */
function descriptorAt(descriptor: number): number {
  if (descriptor >= QUEUE_SIZE) throw new RangeError(`no descriptor ${descriptor}`);
  return DESCRIPTORS + 16 * descriptor;
}
