/**
 * The disk's queue: transfers between physical blocks and frames, in the order in which they are wanted. [SOSP95 §3], [XOK]
 *
 * The kernel does not schedule: whoever wants another order asks in it. To that end queue and arm are exposed, the arm as of
 * the last request and the last completion, between which it does not move. The frames of a transfer are pinned until the
 * device is done with it; whoever waits for it is told in a completion word of its u-page.
 *
 * What is to happen when a request is finished is data like the rest of it: a kind, one of COMPLETIONS, and its operands. The part
 * of the kernel that makes requests of a kind says once, when the kernel is made, what it does then (`onFinish`).
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
import { Records, type KernelMemory } from './memory.ts';
import { COMPLETIONS, REQUEST_STATE, RUN_BLOCKS, TABLES, TRANSFER_STATE, VARIABLES } from './tables.ts';
import { VirtioBlk, type BlockRequest } from './virtio-blk.ts';

/** What is to happen when a request is finished. */
export interface Completion {
  readonly kind: (typeof COMPLETIONS)[keyof typeof COMPLETIONS];
  /** The transfer, buffer or entry that it concerns. */
  readonly operand: number;
  /** The completion word that tells of it; of a repossessed frame: the address of the vector. */
  readonly slot: number;
}

/** One request: consecutive blocks, a frame each. */
export interface DiskRequest extends BlockRequest {
  /** Who wants it. */
  readonly env: number;
  /** The extent whose blocks they are; undefined: nobody's in particular. */
  readonly extent?: number;
  /** It is the kernel's own: it stands also when its frame is taken away from the environment. */
  readonly keeps?: true;
  readonly done: Completion;
}

/** A request that is finished. */
export interface Finished extends Completion {
  readonly env: number;
  /** The generation of its record when it asked. */
  readonly life: number;
  readonly blocks: number;
  readonly ok: boolean;
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
  /** By number: what is exposed of a request, and what is not. */
  readonly #requests: Records;
  readonly #state: Records;
  readonly #transfers: Records;
  /** By kind; registered when the kernel is made. */
  readonly #finishers = new Map<number, (finished: Finished) => void>();

  constructor(memory: KernelMemory, frames: Frames, extents: Extents) {
    this.#memory = memory;
    this.#frames = frames;
    this.#extents = extents;
    this.#device = new VirtioBlk(memory);
    this.#requests = new Records(memory, PHYSICAL.requests, REQUEST_BYTES, REQUEST_LIMIT);
    this.#state = new Records(memory, TABLES.requestState);
    this.#transfers = new Records(memory, TABLES.transfers);
    for (let i = 0; i < REQUEST_LIMIT; i += 1) this.#requests.set(i, REQUEST.env, NO_ENV);
    this.onFinish(COMPLETIONS.word, (finished) => {
      this.post(finished, finished.ok ? 1 : ERRORS.E_DEVICE, true);
    });
    this.onFinish(COMPLETIONS.transfer, (finished) => {
      this.#countDown(finished);
    });
  }

  /** `finish` is told of every request of a kind that is finished, before its frames are unpinned. */
  onFinish(kind: Completion['kind'], finish: (finished: Finished) => void): void {
    this.#finishers.set(kind, finish);
  }

  boot(cpu: NativeCpu): void {
    const drive = this.#device.boot(cpu);
    if (drive === undefined) return;
    this.#memory.set(PHYSICAL.disk + DISK.blocks, drive.blocks);
    this.#memory.set(PHYSICAL.disk + DISK.cylinders, drive.cylinders);
    this.#memory.set(PHYSICAL.disk + DISK.sectorsPerCylinder, drive.sectorsPerCylinder);
    this.#publish(cpu);
  }

  /** Size in 4 KiB blocks; 0 without a disk. */
  get blocks(): number {
    return this.#memory.get(PHYSICAL.disk + DISK.blocks);
  }

  /**
   * Queues all of these requests, or none of them (E_BUSY); the rights to blocks and frames have been checked, and the
   * blocks exist.
   */
  submit(cpu: NativeCpu, requests: readonly DiskRequest[]): number {
    if (this.blocks === 0) return ERRORS.E_DEVICE;
    const places = this.#requests.filter((i) => !this.#isTaken(i));
    if (places.length < requests.length) return ERRORS.E_BUSY;
    requests.forEach((request, n) => {
      this.#enter(places[n] ?? 0, request);
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
    // There are as many transfers as requests, and each has one at least.
    const operand = Math.max(0, this.#transfers.find(TRANSFER_STATE.left, 0));
    const done = { kind: COMPLETIONS.transfer, operand, slot };
    const code = this.submit(
      cpu,
      runs.map((run) => ({ ...rest, ...run, done })),
    );
    if (code < 0) return code;
    this.#transfers.set(operand, TRANSFER_STATE.left, list.length);
    this.#transfers.set(operand, TRANSFER_STATE.failed, 0);
    this.tell(how.env, slot, list.length, false);
    return code;
  }

  /** The physical number of an extent's block, or E_RANGE. */
  physical(extent: number, block: number): number {
    const { start, blocks } = this.#extents.extent(extent);
    return block < blocks && start + block < this.blocks ? start + block : ERRORS.E_RANGE;
  }

  /** Posts to a completion word of an environment as it is now. */
  tell(env: number, slot: number, value: number, wakes: boolean): void {
    this.post({ env, slot, life: this.#memory.env(env, ENV.generation) }, value, wakes);
  }

  /** Posts to a completion word of an environment, if that life of it goes on; with `wakes` it is an event. */
  post({ env, life, slot }: Pick<Finished, 'env' | 'life' | 'slot'>, value: number, wakes: boolean): void {
    if (slot >= COMPLETION_SLOTS) throw new RangeError(`no completion slot ${slot}`);
    const uPage = uPagePhysical(this.#memory, env);
    if (uPage === 0 || this.#memory.env(env, ENV.generation) !== life) return;
    this.#memory.set(uPage + U.completion + 4 * slot, value);
    if (wakes) this.#memory.setEnv(env, ENV.pending, 1);
  }

  /** The frames of the transfers that are not finished. */
  get inFlight(): readonly number[] {
    return this.#requests.filter((i) => this.#isTaken(i)).flatMap((i) => this.#framesOf(i));
  }

  /** How many unfinished requests there are for blocks of each extent. */
  get requestsByExtent(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const i of this.#requests.filter((one) => this.#isTaken(one))) {
      const extent = this.#state.get(i, REQUEST_STATE.extent) - 1;
      if (extent >= 0) counts.set(extent, (counts.get(extent) ?? 0) + 1);
    }
    return counts;
  }

  /** Finishes what the device has finished, and gives it more. */
  interrupt(cpu: NativeCpu): number {
    const done = this.#device.finished(cpu);
    const cause = done[0] === undefined ? NO_ENV : this.#requests.get(done[0].tag, REQUEST.env);
    for (const { tag, ok } of done) this.#finish(tag, ok);
    this.#feed(cpu);
    return cause;
  }

  /** Takes a frame away from an environment's requests: what the device has not begun fails. The rest pins it until it is done. */
  releaseFrame(env: number, ppn: number): void {
    for (const i of this.#waiting()) {
      const lost = this.#requests.get(i, REQUEST.env) === env && this.#state.get(i, REQUEST_STATE.keeps) === 0;
      if (lost && this.#framesOf(i).includes(ppn)) this.#finish(i, false);
    }
  }

  #enter(i: number, { env, block, ppns, write, extent, keeps, done }: DiskRequest): void {
    for (const ppn of ppns) this.#frames.pin(ppn);
    if (extent !== undefined) this.#extents.count(extent, 1);
    this.#requests.fill(i, [
      [REQUEST.env, env],
      [REQUEST.block, block],
      [REQUEST.count, ppns.length],
      [REQUEST.write, write ? 1 : 0],
      [REQUEST.sequence, this.#memory.next(VARIABLES.diskSequence)],
      [REQUEST.begun, 0],
    ]);
    this.#state.fill(i, [
      [REQUEST_STATE.kind, done.kind],
      [REQUEST_STATE.operand, done.operand],
      [REQUEST_STATE.slot, done.slot],
      [REQUEST_STATE.life, this.#memory.env(env, ENV.generation)],
      [REQUEST_STATE.extent, extent === undefined ? 0 : extent + 1],
      [REQUEST_STATE.keeps, keeps === true ? 1 : 0],
      ...ppns.map((ppn, n) => [REQUEST_STATE.frames + 4 * n, ppn] as const),
    ]);
  }

  #finish(i: number, ok: boolean): void {
    const env = this.#requests.get(i, REQUEST.env);
    if (env === NO_ENV) return;
    const ppns = this.#framesOf(i);
    const extent = this.#state.get(i, REQUEST_STATE.extent) - 1;
    this.#requests.set(i, REQUEST.env, NO_ENV);
    this.#finishers.get(this.#state.get(i, REQUEST_STATE.kind))?.({
      kind: this.#state.get(i, REQUEST_STATE.kind) as Completion['kind'],
      operand: this.#state.get(i, REQUEST_STATE.operand),
      slot: this.#state.get(i, REQUEST_STATE.slot),
      life: this.#state.get(i, REQUEST_STATE.life),
      env,
      blocks: ppns.length,
      ok,
    });
    for (const ppn of ppns) this.#frames.unpin(ppn);
    if (extent >= 0) this.#extents.count(extent, -1);
  }

  /** One request of a transfer is finished. */
  #countDown(finished: Finished): void {
    const { operand, blocks, ok } = finished;
    const left = Math.max(0, this.#transfers.get(operand, TRANSFER_STATE.left) - blocks);
    this.#transfers.set(operand, TRANSFER_STATE.left, left);
    if (!ok) this.#transfers.set(operand, TRANSFER_STATE.failed, 1);
    const failed = this.#transfers.get(operand, TRANSFER_STATE.failed) === 1;
    this.post(finished, left === 0 && failed ? ERRORS.E_DEVICE : left, left === 0);
  }

  /** The requests that the device has not got yet, in the order of their numbers. */
  #waiting(): number[] {
    const sequence = (i: number): number => this.#requests.get(i, REQUEST.sequence);
    return this.#requests
      .filter((i) => this.#isTaken(i) && this.#requests.get(i, REQUEST.begun) === 0)
      .sort((a, b) => (sequence(a) - sequence(b)) | 0);
  }

  /** Gives the device what waits, as much as it takes. */
  #feed(cpu: NativeCpu): void {
    for (const i of this.#waiting()) {
      const request = {
        block: this.#requests.get(i, REQUEST.block),
        ppns: this.#framesOf(i),
        write: this.#requests.get(i, REQUEST.write) === 1,
      };
      if (!this.#device.submit(cpu, i, request)) break;
      this.#requests.set(i, REQUEST.begun, 1);
    }
    this.#publish(cpu);
  }

  #publish(cpu: NativeCpu): void {
    if (this.blocks === 0) return;
    this.#memory.set(PHYSICAL.disk + DISK.arm, this.#device.arm(cpu));
    this.#memory.set(PHYSICAL.disk + DISK.requests, this.#requests.filter((i) => this.#isTaken(i)).length);
  }

  #isTaken(i: number): boolean {
    return this.#requests.get(i, REQUEST.env) !== NO_ENV;
  }

  #framesOf(i: number): number[] {
    const length = Math.min(this.#requests.get(i, REQUEST.count), RUN_BLOCKS);
    return Array.from({ length }, (_, n) => this.#state.get(i, REQUEST_STATE.frames + 4 * n));
  }
}
