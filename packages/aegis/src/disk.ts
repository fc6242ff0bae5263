/**
 * The disk: one driver for virtio-blk, and extents of physical blocks guarded by capabilities. [VIRTIO §5.2]
 *
 * A transfer is one 4 KiB block of an extent to or from one frame, which is pinned until the device is done; the result is
 * posted to the completion slot that the caller chose in its u-page.
 */
import {
  COMPLETION_SLOTS,
  ENV,
  ERRORS,
  PAGE_BYTES,
  RIGHTS,
  U,
  type CapabilityWords,
  type NativeCpu,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import { uPagePhysical } from './environments.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** virtio-mmio registers in kseg1 [VIRTIO §4.2.2]. */
const BASE = 0xba000000;
const REGISTER = {
  magic: BASE,
  version: BASE + 0x04,
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
} as const;
const MAGIC = 0x74726976;
const DEVICE_BLOCK = 2;
const STATUS = { acknowledge: 1, driver: 2, driverOk: 4, featuresOk: 8 } as const;
/** Feature bit 32, VIRTIO_F_VERSION_1, in the second word. */
const VERSION_1 = 1;

const REQUESTS = 16;
const DESCRIPTORS_PER_REQUEST = 3;
const QUEUE_SIZE = 64;
const DESCRIPTORS = PHYSICAL.diskQueue;
const AVAILABLE = PHYSICAL.diskQueue + 16 * QUEUE_SIZE;
const USED = PHYSICAL.diskQueue + 0x800;
/** Each request: a 16-byte header, then a status byte. */
const REQUEST_BYTES = 32;
/** What the status byte is until the device has written it. */
const STATUS_PENDING = 0xff;
const NEXT = 1;
const DEVICE_WRITES = 2;
const SECTORS_PER_BLOCK = 8;

export interface Extent {
  readonly start: number;
  readonly blocks: number;
}

interface Transfer {
  readonly ppn: number;
  /** Told 1, or a negative error. */
  readonly done: (result: number) => void;
}

/** A block of an extent, and a frame whose contents go there. */
export interface Saving {
  readonly extent: Extent;
  readonly ppn: number;
  readonly block: number;
  /** Told 1 when the device is done, or a negative error. */
  readonly done: (result: number) => void;
}

export class Disk {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #capabilities: Capabilities;
  readonly #extents: Extent[] = [];
  readonly #transfers: (Transfer | undefined)[] = Array.from({ length: REQUESTS }, () => undefined);
  #available = 0;
  #used = 0;
  /** Size in 4 KiB blocks; 0 without a disk. */
  blocks: number = 0;

  constructor(memory: KernelMemory, frames: Frames, capabilities: Capabilities) {
    this.#memory = memory;
    this.#frames = frames;
    this.#capabilities = capabilities;
    capabilities.guard('extent', (name) => (name < this.#extents.length ? 0 : undefined));
  }

  /** Finds and starts the device [VIRTIO §3.1]. */
  boot(cpu: NativeCpu): void {
    if (
      !cpu.probe(REGISTER.magic, false) ||
      cpu.load32(REGISTER.magic) !== MAGIC ||
      cpu.load32(REGISTER.deviceId) !== DEVICE_BLOCK
    )
      return;
    cpu.store32(REGISTER.status, 0);
    cpu.store32(REGISTER.status, STATUS.acknowledge | STATUS.driver);
    cpu.store32(REGISTER.driverFeaturesSelect, 0);
    cpu.store32(REGISTER.driverFeatures, 0);
    cpu.store32(REGISTER.driverFeaturesSelect, 1);
    cpu.store32(REGISTER.driverFeatures, VERSION_1);
    cpu.store32(REGISTER.status, STATUS.acknowledge | STATUS.driver | STATUS.featuresOk);
    if ((cpu.load32(REGISTER.status) & STATUS.featuresOk) === 0) return;
    cpu.store32(REGISTER.queueSelect, 0);
    if (cpu.load32(REGISTER.queueSizeMax) < QUEUE_SIZE) return;
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
    this.blocks = Math.floor((cpu.load32(REGISTER.capacity) >>> 0) / SECTORS_PER_BLOCK);
  }

  /** The capability of a new extent of the disk. */
  grant(extent: Extent): CapabilityWords {
    this.#extents.push(extent);
    return this.#capabilities.make('extent', RIGHTS.read | RIGHTS.write, this.#extents.length - 1);
  }

  /** The extent that a capability names, if it grants these rights. */
  check(words: CapabilityWords, rights: number): Extent | undefined {
    return this.#extents[this.#capabilities.check(words, 'extent', rights)];
  }

  /** Starts a transfer; the rights to extent and frame have been checked. Returns an error code. */
  start(
    cpu: NativeCpu,
    env: number,
    request: {
      readonly extent: Extent;
      readonly ppn: number;
      readonly block: number;
      readonly slot: number;
      readonly write: boolean;
    },
  ): number {
    const { slot } = request;
    if (this.blocks !== 0 && slot >= COMPLETION_SLOTS) return ERRORS.E_RANGE;
    const generation = this.#memory.env(env, ENV.generation);
    const done = (result: number): void => {
      if (this.#memory.env(env, ENV.generation) === generation) this.#post(env, slot, result);
    };
    const code = this.#submit(cpu, { ...request, done });
    if (code === 0) this.#memory.set(uPagePhysical(this.#memory, env) + U.completion + 4 * slot, 0);
    return code;
  }

  /** Starts writing a frame, for the kernel itself; the right to the extent has been checked. Returns an error code. */
  save(cpu: NativeCpu, saving: Saving): number {
    return this.#submit(cpu, { ...saving, write: true });
  }

  #submit(cpu: NativeCpu, { extent, ppn, block, write, done }: Saving & { readonly write: boolean }): number {
    if (this.blocks === 0) return ERRORS.E_DEVICE;
    if (block >= extent.blocks || extent.start + block >= this.blocks) return ERRORS.E_RANGE;
    const index = this.#transfers.indexOf(undefined);
    if (index === -1) return ERRORS.E_BUSY;
    this.#transfers[index] = { ppn, done };
    this.#frames.pin(ppn);

    const header = PHYSICAL.diskRequests + REQUEST_BYTES * index;
    this.#memory.set(header, write ? 1 : 0);
    this.#memory.set(header + 4, 0);
    this.#memory.set(header + 8, (extent.start + block) * SECTORS_PER_BLOCK);
    this.#memory.set(header + 12, 0);
    this.#memory.set(header + 16, STATUS_PENDING);
    const first = DESCRIPTORS_PER_REQUEST * index;
    this.#describe(first, header, 16, NEXT);
    this.#describe(first + 1, ppn * PAGE_BYTES, PAGE_BYTES, NEXT | (write ? 0 : DEVICE_WRITES));
    this.#describe(first + 2, header + 16, 1, DEVICE_WRITES);
    this.#setHalf(AVAILABLE + 4 + 2 * (this.#available % QUEUE_SIZE), first);
    this.#available = (this.#available + 1) & 0xffff;
    this.#setHalf(AVAILABLE + 2, this.#available);
    cpu.store32(REGISTER.queueNotify, 0);
    return ERRORS.E_OK;
  }

  /** The frames of the transfers that the device has not finished. */
  get inFlight(): readonly number[] {
    return this.#transfers.flatMap((transfer) => transfer?.ppn ?? []);
  }

  /** Posts every finished transfer. */
  interrupt(cpu: NativeCpu): void {
    cpu.store32(REGISTER.interruptAck, cpu.load32(REGISTER.interruptStatus));
    while (this.#used !== this.#half(USED + 2)) {
      const first = this.#memory.get(USED + 4 + 8 * (this.#used % QUEUE_SIZE));
      this.#used = (this.#used + 1) & 0xffff;
      const index = first / DESCRIPTORS_PER_REQUEST;
      const transfer = this.#transfers[index];
      if (transfer === undefined) continue;
      this.#transfers[index] = undefined;
      const status = this.#memory.get(PHYSICAL.diskRequests + REQUEST_BYTES * index + 16) & 0xff;
      transfer.done(status === 0 ? 1 : ERRORS.E_DEVICE);
      this.#frames.unpin(transfer.ppn);
    }
  }

  #post(env: number, slot: number, result: number): void {
    const uPage = uPagePhysical(this.#memory, env);
    if (uPage === 0) return;
    this.#memory.set(uPage + U.completion + 4 * slot, result);
    this.#memory.setEnv(env, ENV.pending, 1);
  }

  #describe(index: number, address: number, length: number, flags: number): void {
    const at = DESCRIPTORS + 16 * index;
    this.#memory.set(at, address);
    this.#memory.set(at + 4, 0);
    this.#memory.set(at + 8, length);
    this.#memory.set(at + 12, flags | ((index + 1) << 16));
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
