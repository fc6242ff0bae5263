/**
 * The driver of the disk: virtio-blk on virtio-mmio, one split queue. It knows requests of several pages, and nothing of who
 * wants them or may. [VIRTIO §5.2]
 */
import { PAGE_BYTES, type NativeCpu } from '@exokernel/abi';
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';

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
const NEXT = 1;
const DEVICE_WRITES = 2;
const SECTORS_PER_BLOCK = 8;

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
  readonly #free: number[] = Array.from({ length: QUEUE_SIZE }, (_, i) => QUEUE_SIZE - 1 - i);
  /** Descriptors of each request that the device has, by the first; and the number its owner gave it. */
  readonly #chains = new Map<number, { readonly descriptors: readonly number[]; readonly tag: number }>();
  #available = 0;
  #used = 0;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
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
    if (this.#free.length < ppns.length + 2) return false;
    const header = PHYSICAL.diskRequests + REQUEST_BYTES * tag;
    this.#memory.set(header, write ? 1 : 0);
    this.#memory.set(header + 4, 0);
    this.#memory.set(header + 8, block * SECTORS_PER_BLOCK);
    this.#memory.set(header + 12, 0);
    this.#memory.set(header + 16, STATUS_PENDING);
    const descriptors = Array.from({ length: ppns.length + 2 }, () => this.#free.pop() ?? 0);
    const pages = ppns.map((ppn) => [ppn * PAGE_BYTES, PAGE_BYTES, write ? 0 : DEVICE_WRITES] as const);
    [[header, 16, 0] as const, ...pages, [header + 16, 1, DEVICE_WRITES] as const].forEach(
      ([address, length, flags], i) => {
        const next = descriptors[i + 1];
        const at = DESCRIPTORS + 16 * (descriptors[i] ?? 0);
        this.#memory.set(at, address);
        this.#memory.set(at + 4, 0);
        this.#memory.set(at + 8, length);
        this.#memory.set(at + 12, next === undefined ? flags : flags | NEXT | (next << 16));
      },
    );
    const first = descriptors[0] ?? 0;
    this.#chains.set(first, { descriptors, tag });
    this.#setHalf(AVAILABLE + 4 + 2 * (this.#available % QUEUE_SIZE), first);
    this.#available = (this.#available + 1) & 0xffff;
    this.#setHalf(AVAILABLE + 2, this.#available);
    cpu.store32(REGISTER.queueNotify, 0);
    return true;
  }

  /** The requests that the device has finished since the last time. */
  finished(cpu: NativeCpu): { readonly tag: number; readonly ok: boolean }[] {
    cpu.store32(REGISTER.interruptAck, cpu.load32(REGISTER.interruptStatus));
    const done: { tag: number; ok: boolean }[] = [];
    while (this.#used !== this.#half(USED + 2)) {
      const first = this.#memory.get(USED + 4 + 8 * (this.#used % QUEUE_SIZE));
      this.#used = (this.#used + 1) & 0xffff;
      const chain = this.#chains.get(first);
      if (chain === undefined) continue;
      this.#chains.delete(first);
      this.#free.push(...chain.descriptors);
      const status = this.#memory.get(PHYSICAL.diskRequests + REQUEST_BYTES * chain.tag + 16) & 0xff;
      done.push({ tag: chain.tag, ok: status === 0 });
    }
    return done;
  }

  #half(physical: number): number {
    return (this.#memory.get(physical & ~3) >>> (8 * (physical & 2))) & 0xffff;
  }

  #setHalf(physical: number, value: number): void {
    const shift = 8 * (physical & 2);
    const word = this.#memory.get(physical & ~3);
    this.#memory.set(physical & ~3, (word & ~(0xffff << shift)) | (value << shift));
  }
}
