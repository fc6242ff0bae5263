/**
 * The disk's queue: transfers between physical blocks and frames, in the order in which they are wanted. [SOSP95 §3], [XOK]
 *
 * The kernel does not schedule: an environment that wants another order asks in that order. For this, queue and arm are exposed, the arm as of
 * the last request and the last completion, between which it does not move. The frames of a transfer are pinned until the
 * device is done with it, and the requester is told in a completion word of its u-page.
 *
 * What the device has begun cannot be stopped. So it gets an environment's frame only if that environment alone holds it, through
 * the root: then the frame belongs to no other when its holder loses it. All other transfers go through frames of the kernel's
 * (docs/decisions/0011-transfers-that-lose-their-right.md): what is written is copied when the device gets it, what is read
 * when the device is done, and only if the rights are still there.
 *
 * What is to happen when a request is finished is data like the rest of it: a kind, one of COMPLETIONS, and its operands. The part
 * of the kernel that makes requests of a kind says once, when the kernel is made, what it does then (`onFinish`).
 */
import {
  COMPLETION_SLOTS,
  DISK,
  ENV,
  ERRORS,
  FRAME,
  NO_ENV,
  PAGE_BYTES,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  U,
  type NativeCpu,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import { uPagePhysical } from './environments.ts';
import { COSTS } from './costs.ts';
import type { BlockFrame, Completion, DiskRequest, Finished, FrameRight } from './disk-requests.ts';
import type { Extents } from './extents.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import {
  BOUNCE_BLOCKS,
  BOUNCE_FRAMES,
  COMPLETIONS,
  REQUEST_STATE,
  RUN_BLOCKS,
  TABLES,
  TRANSFER_STATE,
  VARIABLES,
} from './tables.ts';
import { familyAsPayer } from './slices.ts';
import { VirtioBlk } from './virtio-blk.ts';

/** Cycles of one entry of the kernel that work on requests may fill. Assumption. */
const ROOM = 15_000;
/** Estimates of counted work, in cycles: with a request, with each of its blocks, and to copy one (costs.ts). */
const REQUEST_WORK = 2000;
const BLOCK_WORK = 200;
const COPY_WORK = (PAGE_BYTES / 4) * COSTS.copiedWord;

/** What the kernel writes by itself, in the name of an environment that has not asked for it. */
const OWN_KINDS: readonly number[] = [COMPLETIONS.saved, COMPLETIONS.evicted];

export class Disk {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #extents: Extents;
  readonly #families: Families;
  readonly #goOn: () => void;
  readonly #isDebtor: (env: number) => boolean;
  readonly #device: VirtioBlk;
  /** By number: what is exposed of a request, and what is not. */
  readonly #requests: Records;
  readonly #state: Records;
  readonly #transfers: Records;
  /** By kind; registered when the kernel is made. */
  readonly #finishers = new Map<number, (finished: Finished) => void>();

  constructor(
    memory: KernelMemory,
    parts: {
      readonly frames: Frames;
      readonly extents: Extents;
      readonly capabilities: Capabilities;
      readonly families: Families;
      /** Has an interrupt follow, in which `interrupt` is called. */
      readonly goOn: () => void;
      /** Whether an environment owes so much that it gets nothing done. */
      readonly isDebtor: (env: number) => boolean;
    },
  ) {
    const { frames, extents, capabilities, families } = parts;
    this.#goOn = parts.goOn;
    this.#isDebtor = parts.isDebtor;
    this.#memory = memory;
    this.#frames = frames;
    this.#extents = extents;
    this.#families = families;
    this.#device = new VirtioBlk(memory);
    this.#requests = new Records(memory, PHYSICAL.requests, REQUEST_BYTES, REQUEST_LIMIT);
    this.#state = new Records(memory, TABLES.requestState);
    this.#transfers = new Records(memory, TABLES.transfers);
    for (let i = 0; i < REQUEST_LIMIT; i += 1) this.#requests.set(i, REQUEST.env, NO_ENV);
    extents.writing = () =>
      this.#requests
        .filter((i) => this.#isTaken(i) && this.#isWrite(i))
        .map((i) => ({ start: this.#requests.get(i, REQUEST.block), blocks: this.#requests.get(i, REQUEST.count) }));
    capabilities.breaking('frame', (ppn, nodes) => {
      this.#end((i) => this.#framesOf(i).some((one) => one.ppn === ppn && nodes.has(one.node)));
    });
    capabilities.breaking('extent', (_, nodes) => {
      this.#end((i) => nodes.has(this.#state.get(i, REQUEST_STATE.node)));
    });
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
   * Queues all of these requests, of one environment, or none (E_BUSY, also if its family has no such places, or owes too much for those that
   * it had). Rights and blocks are checked.
   */
  submit(cpu: NativeCpu, requests: readonly DiskRequest[]): number {
    if (this.blocks === 0) return ERRORS.E_DEVICE;
    const places: number[] = [];
    for (let i = 0; i < REQUEST_LIMIT && places.length < requests.length; i += 1) if (!this.#isTaken(i)) places.push(i);
    if (places.length < requests.length) return ERRORS.E_BUSY;
    const [first] = requests;
    if (first !== undefined && !OWN_KINDS.includes(first.done.kind) && this.#isDebtor(first.env)) return ERRORS.E_BUSY;
    if (first !== undefined && !this.#families.take('requests', this.#families.of(first.env), requests.length)) {
      return ERRORS.E_BUSY;
    }
    requests.forEach((request, n) => {
      this.#enter(places[n] ?? 0, request);
    });
    this.#feed(cpu, first?.env);
    return ERRORS.E_OK;
  }

  /**
   * Reads or writes blocks of an extent for `env`, those that are neighbours in list and disk at once. The completion word
   * `slot` is the number of blocks that are left, and in the end 0 or E_DEVICE. Returns an error code.
   */
  transfer(
    cpu: NativeCpu,
    list: readonly BlockFrame[],
    how: Pick<DiskRequest, 'env' | 'node' | 'write'> & { readonly slot: number },
  ): number {
    const { slot, ...rest } = how;
    const runs: { block: number; frames: FrameRight[] }[] = [];
    for (const { block, ...frame } of list) {
      const last = runs.at(-1);
      const longer = { ...rest, block: last?.block ?? 0, frames: [...(last?.frames ?? []), frame] };
      const most = this.#isDirect(longer) ? RUN_BLOCKS : BOUNCE_BLOCKS;
      const joins = last !== undefined && last.block + last.frames.length === block && last.frames.length < most;
      if (joins) last.frames.push(frame);
      else runs.push({ block, frames: [frame] });
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

  /** How many frames are free when transfers are finished: nothing else pins them, and none holds them. */
  get leaving(): number {
    const pins = new Map<number, number>();
    // Of the kernel's own, those that save what was taken; what the registry reads stays.
    const frees = (i: number): boolean => this.#state.get(i, REQUEST_STATE.keeps) === 0 || this.#isWrite(i);
    for (const i of this.#requests.filter((one) => this.#isTaken(one) && frees(one))) {
      for (const { ppn } of this.#framesOf(i)) pins.set(ppn, (pins.get(ppn) ?? 0) + 1);
    }
    const isFree = ([ppn, count]: readonly [number, number]): boolean =>
      this.#memory.frame(ppn, FRAME.holders) === 0 && this.#memory.frame(ppn, FRAME.pins) === count;
    return [...pins].filter(isFree).length;
  }

  /** The frames of the transfers that are not finished. */
  get inFlight(): readonly number[] {
    return this.#requests.filter((i) => this.#isTaken(i)).flatMap((i) => this.#framesOf(i).map(({ ppn }) => ppn));
  }

  /**
   * Finishes what the device has finished, of one environment and as much as a stretch has room for, and gives it more. What is left is
   * for the next interrupt, which follows. Returns who pays (`Slices.charge`), or NO_ENV: there was nothing.
   */
  interrupt(cpu: NativeCpu): number {
    let cause = NO_ENV;
    for (let done = this.#device.finished(cpu); done !== undefined; done = this.#device.finished(cpu)) {
      const { tag, ok } = done;
      const env = this.#payer(tag);
      if ((cause !== NO_ENV && env !== cause) || !this.#fits(tag, !this.#isWrite(tag))) return cause;
      cause = env;
      this.#device.take();
      if (ok && this.#isTaken(tag)) this.#moved(tag);
      this.#finish(tag, ok);
    }
    const fed = this.#feed(cpu, cause === NO_ENV ? undefined : cause);
    return cause === NO_ENV ? fed : cause;
  }

  /** Who pays for a request: who asked for it, or its family if another environment has the record now. */
  #payer(i: number): number {
    const env = this.#requests.get(i, REQUEST.env);
    const lives = env !== NO_ENV && this.#memory.env(env, ENV.generation) === this.#state.get(i, REQUEST_STATE.life);
    return lives ? env : familyAsPayer(this.#state.get(i, REQUEST_STATE.family));
  }

  /** Whether a stretch has room for what is to be done with a request, by an estimate; `copied`: if it is bounced, its blocks are. */
  #fits(i: number, copied: boolean): boolean {
    const blocks = this.#requests.get(i, REQUEST.count);
    const copies = copied && this.#isBounced(i) ? blocks : 0;
    return this.#memory.work + REQUEST_WORK + blocks * BLOCK_WORK + copies * COPY_WORK <= ROOM;
  }

  /** Takes a frame away from an environment's requests. */
  releaseFrame(env: number, ppn: number): void {
    this.#end((i) => this.#isOf(i, env) && this.#framesOf(i).some((one) => one.ppn === ppn));
  }

  /**
   * No environment holds a frame any more, but the registry keeps it: environments' requests have no right to it. Returns whether the device
   * is at work on the frame itself, which cannot end.
   */
  lose(ppn: number): boolean {
    const has = (i: number): boolean =>
      this.#state.get(i, REQUEST_STATE.keeps) === 0 && this.#framesOf(i).some((one) => one.ppn === ppn);
    this.#end(has);
    return this.#requests.filter((i) => this.#isTaken(i) && !this.#isBounced(i) && has(i)).length > 0;
  }

  /** An environment ends: of its requests only those go on that have frames of its own. */
  release(env: number): void {
    this.#end((i) => this.#isOf(i, env) && this.#isBounced(i));
  }

  /** Lets the kernel's own request of this kind and operand fail, if the device has not begun it. */
  withdraw(kind: Completion['kind'], operand: number): void {
    for (const i of this.#waiting()) {
      const isIt =
        this.#state.get(i, REQUEST_STATE.kind) === kind && this.#state.get(i, REQUEST_STATE.operand) === operand;
      if (isIt) this.#finish(i, false);
    }
  }

  /**
   * The right to these requests has ended. What the device has not begun fails. The rest fails when it is done, without a copy.
   */
  #end(has: (request: number) => boolean): void {
    for (const i of this.#requests.filter((one) => this.#isTaken(one) && has(one))) {
      if (this.#requests.get(i, REQUEST.begun) === 0) this.#finish(i, false);
      else if (this.#isBounced(i)) this.#state.set(i, REQUEST_STATE.ended, 1);
    }
  }

  /** Whether a request is of an environment, not of the kernel in its name. */
  #isOf(i: number, env: number): boolean {
    return this.#requests.get(i, REQUEST.env) === env && this.#state.get(i, REQUEST_STATE.keeps) === 0;
  }

  /** Whether the device may have the frames of a request themselves. No environment has yet what the registry reads. */
  #isDirect({ env, node, block, frames, write, keeps }: Omit<DiskRequest, 'done'>): boolean {
    if (keeps === true) return !write;
    return frames.every(
      (one, n) =>
        node === 0 &&
        one.node === 0 &&
        this.#frames.isAlone(env, one.ppn) &&
        (write || !this.#extents.isBlank(block + n)),
    );
  }

  #enter(i: number, request: DiskRequest): void {
    const { env, node, block, frames, write, keeps, done } = request;
    for (const { ppn } of frames) this.#frames.pin(ppn);
    this.#requests.fill(i, [
      [REQUEST.env, env],
      [REQUEST.block, block],
      [REQUEST.count, frames.length],
      [REQUEST.write, write ? 1 : 0],
      [REQUEST.sequence, this.#memory.next(VARIABLES.diskSequence)],
      [REQUEST.begun, 0],
    ]);
    this.#state.fill(i, [
      [REQUEST_STATE.kind, done.kind],
      [REQUEST_STATE.operand, done.operand],
      [REQUEST_STATE.slot, done.slot],
      [REQUEST_STATE.life, this.#memory.env(env, ENV.generation)],
      [REQUEST_STATE.node, node],
      [REQUEST_STATE.keeps, keeps === true ? 1 : 0],
      [REQUEST_STATE.bounced, this.#isDirect(request) ? 0 : 1],
      [REQUEST_STATE.through, 0],
      [REQUEST_STATE.ended, 0],
      [REQUEST_STATE.family, this.#families.of(env)],
      ...frames.map((one, n) => [REQUEST_STATE.frames + 4 * n, (one.node << 16) | one.ppn] as const),
    ]);
  }

  #finish(i: number, ok: boolean): void {
    const env = this.#requests.get(i, REQUEST.env);
    if (env === NO_ENV) return;
    const frames = this.#framesOf(i);
    this.#requests.set(i, REQUEST.env, NO_ENV);
    this.#families.give('requests', this.#state.get(i, REQUEST_STATE.family));
    this.#finishers.get(this.#state.get(i, REQUEST_STATE.kind))?.({
      kind: this.#state.get(i, REQUEST_STATE.kind) as Completion['kind'],
      operand: this.#state.get(i, REQUEST_STATE.operand),
      slot: this.#state.get(i, REQUEST_STATE.slot),
      life: this.#state.get(i, REQUEST_STATE.life),
      env,
      block: this.#requests.get(i, REQUEST.block),
      blocks: frames.length,
      ok: ok && this.#state.get(i, REQUEST_STATE.ended) === 0,
    });
    for (const { ppn } of frames) this.#frames.unpin(ppn);
  }

  /** The device has moved the blocks of a request: what it read is copied to the frames that may still have it. */
  #moved(i: number): void {
    const start = this.#requests.get(i, REQUEST.block);
    const frames = this.#framesOf(i);
    if (this.#isWrite(i)) {
      this.#extents.written({ start, blocks: frames.length });
      return;
    }
    if (!this.#isBounced(i) || this.#state.get(i, REQUEST_STATE.ended) === 1) return;
    const through = this.#through(i);
    frames.forEach(({ ppn }, n) => {
      if (this.#extents.isBlank(start + n)) this.#memory.zeroFrame(ppn);
      else this.#memory.copyFrame(ppn, through[n] ?? 0);
    });
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

  /** The requests that the device has not got yet. */
  #waiting(): number[] {
    return this.#requests.filter((i) => this.#isTaken(i) && this.#requests.get(i, REQUEST.begun) === 0);
  }

  /** The one among them that is to be served first. */
  #next(): number | undefined {
    const sequence = (i: number): number => this.#requests.get(i, REQUEST.sequence);
    const earlier = (a: number, b: number): number => (((sequence(a) - sequence(b)) | 0) < 0 ? a : b);
    const [first, ...others] = this.#waiting();
    return first === undefined ? undefined : others.reduce(earlier, first);
  }

  /**
   * Gives the device what waits, as much as it takes and as a stretch has room for, of one environment, which pays: `payer`, or whose
   * the first is. The rest is for the interrupt that follows. Returns who pays, or NO_ENV.
   */
  #feed(cpu: NativeCpu, payer?: number): number {
    let whose = payer;
    for (let i = this.#next(); i !== undefined; i = this.#next()) {
      whose ??= this.#payer(i);
      if (this.#payer(i) !== whose || !this.#fits(i, this.#isWrite(i))) {
        this.#goOn();
        break;
      }
      if (this.#isBounced(i) && !this.#bounce(i)) break;
      const request = {
        block: this.#requests.get(i, REQUEST.block),
        ppns: this.#isBounced(i) ? this.#through(i) : this.#framesOf(i).map(({ ppn }) => ppn),
        write: this.#isWrite(i),
      };
      if (!this.#device.submit(cpu, i, request)) {
        this.#state.set(i, REQUEST_STATE.through, 0);
        break;
      }
      this.#requests.set(i, REQUEST.begun, 1);
    }
    this.#publish(cpu);
    return whose ?? NO_ENV;
  }

  /** Finds frames of the kernel's for a request, and copies there what is to be written. Returns whether there are enough. */
  #bounce(i: number): boolean {
    const frames = this.#framesOf(i);
    let used = 0;
    for (const other of this.#requests.filter((one) => this.#isTaken(one))) {
      used |= this.#state.get(other, REQUEST_STATE.through);
    }
    let through = 0;
    for (let n = 0, found = 0; n < BOUNCE_FRAMES && found < frames.length; n += 1) {
      if (((used >>> n) & 1) !== 0) continue;
      through |= 1 << n;
      found += 1;
    }
    this.#state.set(i, REQUEST_STATE.through, through);
    const pages = this.#through(i);
    if (pages.length < frames.length) {
      this.#state.set(i, REQUEST_STATE.through, 0);
      return false;
    }
    frames.forEach(({ ppn }, n) => {
      if (!this.#isWrite(i)) return;
      this.#memory.copyFrame(pages[n] ?? 0, ppn);
    });
    return true;
  }

  /** The kernel's frames that the device has for a request. */
  #through(i: number): number[] {
    const bits = this.#state.get(i, REQUEST_STATE.through);
    const first = this.#memory.table(TABLES.bounces) / PAGE_BYTES;
    return Array.from({ length: BOUNCE_FRAMES }, (_, n) => n)
      .filter((n) => ((bits >>> n) & 1) !== 0)
      .map((n) => first + n);
  }

  #isBounced(i: number): boolean {
    return this.#state.get(i, REQUEST_STATE.bounced) === 1;
  }

  #isWrite(i: number): boolean {
    return this.#requests.get(i, REQUEST.write) === 1;
  }

  #publish(cpu: NativeCpu): void {
    if (this.blocks === 0) return;
    this.#memory.set(PHYSICAL.disk + DISK.arm, this.#device.arm(cpu));
    this.#memory.set(PHYSICAL.disk + DISK.requests, this.#requests.filter((i) => this.#isTaken(i)).length);
  }

  #isTaken(i: number): boolean {
    return this.#requests.get(i, REQUEST.env) !== NO_ENV;
  }

  #framesOf(i: number): FrameRight[] {
    const length = Math.min(this.#requests.get(i, REQUEST.count), RUN_BLOCKS);
    return Array.from({ length }, (_, n) => {
      const word = this.#state.get(i, REQUEST_STATE.frames + 4 * n);
      return { ppn: word & 0xffff, node: word >>> 16 };
    });
  }
}
