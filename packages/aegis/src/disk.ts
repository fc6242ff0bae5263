/**
 * The disk's queue: transfers between physical blocks and frames, in the order in which they are wanted. [SOSP95 §3], [XOK]
 *
 * The kernel does not schedule: whoever wants another order asks in it. To that end queue and arm are exposed, the arm as of
 * the last request and the last completion, between which it does not move. The frames of a transfer are pinned until the
 * device is done with it; whoever waits for it is told in a completion word of its u-page.
 */
import {
  COMPLETION_SLOTS,
  DISK,
  ENV,
  ERRORS,
  NO_ENV,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  U,
  type NativeCpu,
} from '@exokernel/abi';
import { uPagePhysical } from './environments.ts';
import type { Extents } from './extents.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';
import { VirtioBlk, type BlockRequest } from './virtio-blk.ts';

/** Blocks that one request of the device has at most. Assumption: a track or so. */
const RUN_BLOCKS = 16;

/** One request: consecutive blocks, a frame each. */
export interface DiskRequest extends BlockRequest {
  /** Who wants it. */
  readonly env: number;
  /** The extent whose blocks they are; undefined: nobody's in particular. */
  readonly extent?: number;
  /** It is the kernel's own: it stands also when its frame is taken away from the environment. */
  readonly keeps?: true;
  /** Told when it is finished. */
  readonly done: (ok: boolean) => void;
}

/** A frame and the block it is to be read from or written to. */
export interface BlockFrame {
  readonly block: number;
  readonly ppn: number;
}

export class Disk {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #extents: Extents;
  readonly #device: VirtioBlk;
  /** By the number of the exposed record; and those that the device has not got yet, in order. */
  readonly #requests: (DiskRequest | undefined)[] = Array.from({ length: REQUEST_LIMIT }, () => undefined);
  readonly #waiting: number[] = [];
  #sequence = 0;
  /** Size in 4 KiB blocks; 0 without a disk. */
  blocks: number = 0;

  constructor(memory: KernelMemory, frames: Frames, extents: Extents) {
    this.#memory = memory;
    this.#frames = frames;
    this.#extents = extents;
    this.#device = new VirtioBlk(memory);
    for (let i = 0; i < REQUEST_LIMIT; i += 1) this.#record(i, REQUEST.env, NO_ENV);
  }

  boot(cpu: NativeCpu): void {
    const drive = this.#device.boot(cpu);
    if (drive === undefined) return;
    this.blocks = drive.blocks;
    this.#memory.set(PHYSICAL.disk + DISK.blocks, drive.blocks);
    this.#memory.set(PHYSICAL.disk + DISK.cylinders, drive.cylinders);
    this.#memory.set(PHYSICAL.disk + DISK.sectorsPerCylinder, drive.sectorsPerCylinder);
    this.#publish(cpu);
  }

  /**
   * Queues all of these requests, or none of them (E_BUSY); the rights to blocks and frames have been checked, and the
   * blocks exist.
   */
  submit(cpu: NativeCpu, requests: readonly DiskRequest[]): number {
    if (this.blocks === 0) return ERRORS.E_DEVICE;
    const places = this.#requests.flatMap((one, i) => (one === undefined ? i : []));
    if (places.length < requests.length) return ERRORS.E_BUSY;
    requests.forEach((request, n) => {
      const i = places[n] ?? 0;
      this.#requests[i] = request;
      this.#waiting.push(i);
      for (const ppn of request.ppns) this.#frames.pin(ppn);
      if (request.extent !== undefined) this.#extents.count(request.extent, 1);
      this.#sequence += 1;
      this.#record(i, REQUEST.env, request.env);
      this.#record(i, REQUEST.block, request.block);
      this.#record(i, REQUEST.count, request.ppns.length);
      this.#record(i, REQUEST.write, request.write ? 1 : 0);
      this.#record(i, REQUEST.sequence, this.#sequence);
      this.#record(i, REQUEST.begun, 0);
    });
    this.#feed(cpu);
    return ERRORS.E_OK;
  }

  /**
   * Reads or writes blocks of an extent for `env`, those that are neighbours in list and disk at once. The completion word
   * `slot` is the number of blocks that are left, and in the end 0 or E_DEVICE. Returns an error code.
   */
  transfer(
    cpu: NativeCpu,
    list: readonly BlockFrame[],
    how: Omit<DiskRequest, keyof BlockRequest | 'done'> & { readonly write: boolean; readonly slot: number },
  ): number {
    const { slot, ...rest } = how;
    const runs: { block: number; ppns: number[] }[] = [];
    for (const { block, ppn } of list) {
      const last = runs.at(-1);
      const joins = last !== undefined && last.block + last.ppns.length === block && last.ppns.length < RUN_BLOCKS;
      if (joins) last.ppns.push(ppn);
      else runs.push({ block, ppns: [ppn] });
    }
    let left = list.length;
    let failed = false;
    const post = this.completion(how.env, slot);
    const code = this.submit(
      cpu,
      runs.map((run) => ({
        ...rest,
        ...run,
        done: (ok) => {
          left -= run.ppns.length;
          failed ||= !ok;
          post(left === 0 && failed ? ERRORS.E_DEVICE : left, left === 0);
        },
      })),
    );
    if (code === ERRORS.E_OK) post(left, false);
    return code;
  }

  /** The physical number of an extent's block, or E_RANGE. */
  physical(extent: number, block: number): number {
    const { start, blocks } = this.#extents.extent(extent);
    return block < blocks && start + block < this.blocks ? start + block : ERRORS.E_RANGE;
  }

  /** What posts to a completion word of an environment, as long as it lives; with `wakes` it is an event. */
  completion(env: number, slot: number): (value: number, wakes: boolean) => void {
    if (slot < 0 || slot >= COMPLETION_SLOTS) throw new RangeError(`no completion slot ${slot}`);
    const generation = this.#memory.env(env, ENV.generation);
    return (value, wakes) => {
      const uPage = uPagePhysical(this.#memory, env);
      if (uPage === 0 || this.#memory.env(env, ENV.generation) !== generation) return;
      this.#memory.set(uPage + U.completion + 4 * slot, value);
      if (wakes) this.#memory.setEnv(env, ENV.pending, 1);
    };
  }

  /** The frames of the transfers that are not finished. */
  get inFlight(): readonly number[] {
    return this.#requests.flatMap((request) => request?.ppns ?? []);
  }

  /** How many unfinished requests there are for blocks of each extent. */
  get requestsByExtent(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const request of this.#requests) {
      if (request?.extent !== undefined) counts.set(request.extent, (counts.get(request.extent) ?? 0) + 1);
    }
    return counts;
  }

  /** Finishes what the device has finished, and gives it more. */
  interrupt(cpu: NativeCpu): void {
    for (const { tag, ok } of this.#device.finished(cpu)) this.#finish(tag, ok);
    this.#feed(cpu);
  }

  /** Takes a frame away from an environment's requests: what the device has not begun fails. The rest pins it until it is done. */
  releaseFrame(env: number, ppn: number): void {
    for (const i of [...this.#waiting]) {
      const request = this.#requests[i];
      if (request?.env !== env || request.keeps === true || !request.ppns.includes(ppn)) continue;
      this.#waiting.splice(this.#waiting.indexOf(i), 1);
      this.#finish(i, false);
    }
  }

  #finish(i: number, ok: boolean): void {
    const request = this.#requests[i];
    if (request === undefined) return;
    this.#requests[i] = undefined;
    this.#record(i, REQUEST.env, NO_ENV);
    request.done(ok);
    for (const ppn of request.ppns) this.#frames.unpin(ppn);
    if (request.extent !== undefined) this.#extents.count(request.extent, -1);
  }

  /** Gives the device what waits, as much as it takes. */
  #feed(cpu: NativeCpu): void {
    for (let i = this.#waiting[0]; i !== undefined; i = this.#waiting[0]) {
      const request = this.#requests[i];
      if (request === undefined || !this.#device.submit(cpu, i, request)) break;
      this.#waiting.shift();
      this.#record(i, REQUEST.begun, 1);
    }
    this.#publish(cpu);
  }

  #publish(cpu: NativeCpu): void {
    if (this.blocks === 0) return;
    this.#memory.set(PHYSICAL.disk + DISK.arm, this.#device.arm(cpu));
    this.#memory.set(PHYSICAL.disk + DISK.requests, this.#requests.filter((one) => one !== undefined).length);
  }

  #record(i: number, field: number, value: number): void {
    this.#memory.set(PHYSICAL.requests + REQUEST_BYTES * i + field, value);
  }
}
