/**
 * The buffer-cache registry: which block's contents lie in which frame, for all environments. [SOSP97 §4.3.3], [XOK]
 *
 * Mapping is what is checked: an environment maps a cached block if it has the right to it on the disk. It inserts a frame of its
 * own only if it may write the block, or it could plant a fake; to have a block read into a frame of the registry needs no
 * right. The registry pins its frames. A clean block that no environment holds is kept until frames run out; a dirty one until
 * an environment, any, has it written, or the kernel does because a family lacks frames (`evict`).
 *
 * Each block counts for a family (registry-payers.ts).
 *
 * A block that comes in cannot be mapped, but an environment that asks for it holds its frame from then on, so that no other can have it recycled and
 * read in again for ever. The frame's capability the environment gets when it asks again. If the device fails, such a block stays as
 * failed until it is read again, and is in the registry for that only.
 *
 * Rights never widen. A frame is inserted by its root only. An environment that maps a block by a branch of the extent's capability
 * gets a capability of the frame that hangs below that branch, and loses it with the branch. When the right ends by which a
 * frame was inserted, or the extent itself by which it was handed out at the root, the frame is no longer the block's: contents
 * that are not on the disk yet move to a frame that no environment has.
 */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  ERRORS,
  EXTENT_LIMIT,
  FRAME,
  NO_BLOCK,
  NO_ENV,
  type CapabilityWords,
  type NativeCpu,
} from '@exokernel/abi';
import { nodeOf, type Capabilities } from './capabilities.ts';
import type { Disk } from './disk.ts';
import type { Finished } from './disk-requests.ts';
import { contains, type Extent, type Extents } from './extents.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import { BitSets, Records, type KernelMemory } from './memory.ts';
import { Payers } from './registry-payers.ts';
import { BUFFER_STATE, COMPLETIONS, TABLES, VARIABLES } from './tables.ts';

/** What it costs at most to look at a buffer and for another extent of its block, and to move its contents to a frame, for which another may have to go. */
const COST_OF_DETACHING = 10_000;
/** What it costs at most to take a frame from one that waits for it. */
const COST_OF_WAITING = 8000;

/** By which capability an environment has come to a block: its extent and node. */
interface Right {
  readonly extent: number;
  readonly node: number;
}

export class Registry {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #disk: Disk;
  readonly #extents: Extents;
  readonly #capabilities: Capabilities;
  readonly #families: Families;
  /** By number: what is exposed of a buffer, and what is not. */
  readonly #buffers: Records;
  readonly #state: Records;
  /** By buffer: the extents by whose capabilities it was inserted, or handed out at the root. */
  readonly #extentsOf: BitSets;
  readonly #payers: Payers;

  constructor(
    memory: KernelMemory,
    parts: {
      readonly frames: Frames;
      readonly disk: Disk;
      readonly extents: Extents;
      readonly capabilities: Capabilities;
      readonly families: Families;
    },
  ) {
    this.#memory = memory;
    this.#frames = parts.frames;
    this.#disk = parts.disk;
    this.#extents = parts.extents;
    this.#capabilities = parts.capabilities;
    this.#families = parts.families;
    const at = memory.table(TABLES.bufferState);
    const { bytes } = TABLES.bufferState;
    this.#buffers = new Records(memory, PHYSICAL.buffers, BUFFER_BYTES, BUFFER_LIMIT);
    this.#state = new Records(memory, TABLES.bufferState);
    this.#extentsOf = new BitSets(memory, at + BUFFER_STATE.extents, EXTENT_LIMIT, BUFFER_LIMIT, bytes);
    this.#payers = new Payers(memory, {
      families: parts.families,
      frames: parts.frames,
      buffers: this.#buffers,
      state: this.#state,
    });
    for (let i = 0; i < BUFFER_LIMIT; i += 1) this.#set(i, BUFFER.owner, NO_ENV);
    parts.frames.reclaim = (ppn) => this.#reclaim((i) => ppn === -1 || this.#get(i, BUFFER.ppn) === ppn);
    parts.disk.onFinish(COMPLETIONS.read, (finished) => {
      this.#wasRead(finished);
    });
    parts.disk.onFinish(COMPLETIONS.written, (finished) => {
      this.#wasWritten(finished);
    });
    parts.disk.onFinish(COMPLETIONS.evicted, ({ operand: i }) => {
      // Also if the device failed: what the frame is taken for cannot wait.
      this.#drop(i);
    });
    parts.extents.costOfCached = (all) =>
      this.#within(...all).reduce((sum, i) => sum + COST_OF_DETACHING + this.#costOfDisappointing(i), 0);
    parts.extents.onBegin((extent) => {
      // None is being written: then its block would not have been allocated. One that comes in will be blank.
      for (const i of this.#within(extent)) if (this.#stateOf(i) === BUFFER_STATES.valid) this.#drop(i);
    });
    parts.extents.onEnd((extent, id) => {
      for (const i of this.#within(extent)) {
        const isBound = this.#extentsOf.has(i, id);
        if (isBound || this.#extents.covering(this.#get(i, BUFFER.block)) === undefined) this.#detach(i);
      }
    });
    parts.capabilities.breaking('extent', (_, nodes) => {
      for (const i of this.#used()) if (nodes.has(this.#state.get(i, BUFFER_STATE.node))) this.#detach(i);
    });
  }

  /** The frames that the registry pins. */
  get pinned(): readonly number[] {
    return this.#used().map((i) => this.#get(i, BUFFER.ppn));
  }

  /** Makes a frame, whose capability has been checked, the contents of a block of the disk. Returns an error code. */
  insert(env: number, ppn: number, block: number, how: { readonly dirty: boolean; readonly through: Right }): number {
    if (this.#find(BUFFER.block, block) >= 0 || this.#find(BUFFER.ppn, ppn) >= 0) return ERRORS.E_BUSY;
    const i = this.#add(env, ppn, block, { state: BUFFER_STATES.valid, dirty: how.dirty });
    if (i < 0) return i;
    this.#extentsOf.add(i, how.through.extent);
    this.#state.set(i, BUFFER_STATE.node, how.through.node);
    return ERRORS.E_OK;
  }

  /** Has a block read into a fresh frame; completion word `slot` of `env` tells of it. Returns an error code. */
  read(cpu: NativeCpu, env: number, block: number, slot: number): number {
    const old = this.#find(BUFFER.block, block);
    if (old >= 0 && this.#stateOf(old) !== BUFFER_STATES.failed) return ERRORS.E_BUSY;
    if (old < 0 && !this.#makeRoom(this.#families.of(env))) return ERRORS.E_NONE;
    const i = old >= 0 ? old : this.#blankBuffer(env, block);
    if (i < 0) return ERRORS.E_AGAIN;
    const ppn = this.#get(i, BUFFER.ppn);
    const done = { kind: COMPLETIONS.read, operand: i, slot };
    const request = { env, node: 0, block, frames: [{ ppn, node: 0 }], write: false, keeps: true as const, done };
    const code = this.#disk.submit(cpu, [request]);
    if (code < 0) {
      if (old < 0) this.#drop(i);
      return code;
    }
    this.#set(i, BUFFER.state, BUFFER_STATES.comingIn);
    this.#disk.tell(env, slot, 0, false);
    return code;
  }

  /** A place for a block that is to come in, with a fresh frame; or −1: no frame is free. There is room for it. */
  #blankBuffer(env: number, block: number): number {
    const ppn = this.#frames.allocatePinned(env);
    if (ppn < 0) return -1;
    const i = this.#add(env, ppn, block, { state: BUFFER_STATES.comingIn, dirty: false });
    // The registry's pin stands for the one that the frame came with.
    this.#frames.unpin(ppn);
    return i;
  }

  #wasRead(finished: Finished): void {
    const { operand: i, block, ok } = finished;
    const isWanted = this.#get(i, BUFFER.block) === block;
    if (isWanted && ok) {
      // No environment has seen yet what an earlier owner left there.
      if (this.#extents.isBlank(block)) this.#memory.zeroFrame(this.#get(i, BUFFER.ppn));
      this.#set(i, BUFFER.state, BUFFER_STATES.valid);
    } else if (this.#isHeld(this.#get(i, BUFFER.ppn))) {
      // To take it from all of them would be long: each learns of it when it asks again.
      this.#set(i, BUFFER.state, BUFFER_STATES.failed);
    } else this.#drop(i);
    const answer = isWanted ? 1 : ERRORS.E_NONE;
    this.#disk.post(finished, ok ? answer : ERRORS.E_DEVICE, true);
  }

  /**
   * A hold of `env` on the frame of a block, by a capability of this extent and node. Returns the frame's capability with these
   * rights, which ends with that of the extent, or an error. With E_AGAIN for a block that comes in `env` has the hold already.
   */
  map(env: number, block: number, rights: number, { extent, node }: Right): CapabilityWords | number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    const ppn = this.#get(i, BUFFER.ppn);
    if (this.#stateOf(i) === BUFFER_STATES.leaving) return ERRORS.E_AGAIN;
    if (this.#stateOf(i) === BUFFER_STATES.failed) {
      // With its last holder it leaves the registry (unheld).
      this.#frames.drop(env, ppn);
      return ERRORS.E_NONE;
    }
    // Before a node is made for it.
    if (node !== 0 && !this.#frames.mayHold(env, ppn)) return ERRORS.E_NONE;
    const words =
      node === 0 ? this.#frames.capability(ppn, rights) : this.#capabilities.under(node, 'frame', rights, ppn, env);
    if (typeof words === 'number') return words;
    const held = this.#frames.hold(env, ppn, nodeOf(words));
    if (held < 0) return held;
    if (node === 0) this.#extentsOf.add(i, extent);
    this.#use(i);
    this.#payers.mapped(i, this.#families.of(env));
    return this.#stateOf(i) === BUFFER_STATES.comingIn ? ERRORS.E_AGAIN : words;
  }

  /** `env` says whether a block differs from the disk. If so it counts for its family. Returns an error code. */
  setDirty(env: number, block: number, dirty: boolean): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    if (this.#stateOf(i) === BUFFER_STATES.failed) return ERRORS.E_NONE;
    if (this.#stateOf(i) === BUFFER_STATES.leaving) return ERRORS.E_AGAIN;
    if (dirty && !this.#payers.move(i, this.#families.of(env))) return ERRORS.E_NONE;
    this.#set(i, BUFFER.dirty, dirty ? 1 : 0);
    this.#use(i);
    return ERRORS.E_OK;
  }

  setWords(block: number, word0: number, word1: number): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    this.#set(i, BUFFER.word0, word0);
    this.#set(i, BUFFER.word1, word1);
    return ERRORS.E_OK;
  }

  /**
   * Writes a dirty block back for `env`, which may write it; if not, no environment may hold it. Completion word `slot` of `env`
   * tells of it. Returns an error code.
   */
  write(
    cpu: NativeCpu,
    env: number,
    block: number,
    how: { readonly mayWrite: boolean; readonly slot: number },
  ): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    if (this.#stateOf(i) !== BUFFER_STATES.valid) return ERRORS.E_AGAIN;
    const ppn = this.#get(i, BUFFER.ppn);
    if (!how.mayWrite && this.#isHeld(ppn)) return ERRORS.E_CAP;
    if (this.#get(i, BUFFER.dirty) === 0) {
      this.#disk.tell(env, how.slot, 1, true);
      return ERRORS.E_OK;
    }
    const done = { kind: COMPLETIONS.written, operand: i, slot: how.slot };
    const request = { env, node: 0, block, frames: [{ ppn, node: 0 }], write: true, keeps: true as const, done };
    const code = this.#disk.submit(cpu, [request]);
    if (code < 0) return code;
    this.#set(i, BUFFER.state, BUFFER_STATES.goingOut);
    this.#set(i, BUFFER.dirty, 0);
    this.#disk.tell(env, how.slot, 0, false);
    return ERRORS.E_OK;
  }

  #wasWritten(finished: Finished): void {
    const { operand: i, block, ok } = finished;
    // Its buffer may have been given up meanwhile, for want of a frame.
    if (this.#stateOf(i) === BUFFER_STATES.goingOut && this.#get(i, BUFFER.block) === block) {
      this.#set(i, BUFFER.state, BUFFER_STATES.valid);
      if (!ok) this.#set(i, BUFFER.dirty, 1);
      else if (this.#extents.covering(block) === undefined && this.#get(i, BUFFER.dirty) === 0) this.#drop(i);
    }
    this.#disk.post(finished, ok ? 1 : ERRORS.E_DEVICE, true);
  }

  /** How many blocks are on their way to give up their frames. */
  get leaving(): number {
    return this.#used().filter((i) => this.#stateOf(i) === BUFFER_STATES.leaving).length;
  }

  /**
   * Starts to write dirty blocks that no environment holds, those used longest ago first, until the frames of `count` blocks are
   * on their way to be free; `env`, which lacks them, has the places in the queue. Returns how many are.
   */
  evict(cpu: NativeCpu, env: number, count: number): number {
    let { leaving } = this;
    while (leaving < count) {
      const isIdle = (i: number): boolean => this.#get(i, BUFFER.dirty) === 1 && this.#isIdle(i);
      const i = this.#oldest(isIdle);
      if (i < 0) break;
      const frames = [{ ppn: this.#get(i, BUFFER.ppn), node: 0 }];
      const done = { kind: COMPLETIONS.evicted, operand: i, slot: 0 };
      const request = { env, node: 0, block: this.#get(i, BUFFER.block), frames, write: true, keeps: true as const };
      if (this.#disk.submit(cpu, [{ ...request, done }]) < 0) break;
      this.#set(i, BUFFER.state, BUFFER_STATES.leaving);
      leaving += 1;
    }
    return leaving;
  }

  /** What `remove` costs at most beyond a stretch: those that wait for a block lose their holds. */
  costOfRemoving(block: number): number {
    const i = this.#find(BUFFER.block, block);
    return i < 0 ? 0 : this.#costOfDisappointing(i);
  }

  #costOfDisappointing(i: number): number {
    if (!this.#isAwaited(i)) return 0;
    const ppn = this.#get(i, BUFFER.ppn);
    return this.#frames.costOfDropping(ppn) + this.#memory.frame(ppn, FRAME.holders) * COST_OF_WAITING;
  }

  /** Takes a block out. Its frame becomes free if it has no holder; of one that comes in, when the device is done. */
  remove(block: number): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    const states: readonly number[] = [BUFFER_STATES.goingOut, BUFFER_STATES.leaving];
    if (states.includes(this.#stateOf(i))) return ERRORS.E_AGAIN;
    if (this.#stateOf(i) === BUFFER_STATES.valid) this.#drop(i);
    else {
      this.#set(i, BUFFER.block, NO_BLOCK);
      this.#disappoint(i);
    }
    return ERRORS.E_OK;
  }

  /** Whether no environment has the capability of a block's frame yet; holders wait for it. */
  #isAwaited(i: number): boolean {
    return this.#stateOf(i) === BUFFER_STATES.comingIn || this.#stateOf(i) === BUFFER_STATES.failed;
  }

  /** Those that wait for a block wait no longer. One that had failed leaves the registry (unheld). */
  #disappoint(i: number): void {
    const ppn = this.#get(i, BUFFER.ppn);
    if (this.#isHeld(ppn)) this.#frames.repossessFromAll(ppn);
  }

  /**
   * No environment holds a frame any more, so its capabilities are dead. If it is a block's, transfers that were begun with them do not write
   * or read the block: what the device has already is no longer the block's.
   */
  unheld(ppn: number): void {
    if (this.#families.used('buffers') === 0) return;
    const i = this.#find(BUFFER.ppn, ppn);
    if (i < 0) return;
    if (this.#stateOf(i) === BUFFER_STATES.failed) this.#drop(i);
    else if (this.#disk.lose(ppn)) this.#detach(i);
  }

  /** Lets a frame go that is taken away from its last holder, unless it has what is not on the disk. */
  releaseFrame(env: number, ppn: number): void {
    // It pins what it has; most frames are told apart by that, and this is asked for every environment.
    if (this.#memory.frame(ppn, FRAME.pins) === 0) return;
    const i = this.#find(BUFFER.ppn, ppn);
    if (i < 0 || this.#stateOf(i) !== BUFFER_STATES.valid || this.#get(i, BUFFER.dirty) === 1) return;
    if ([...this.#frames.holders(ppn)].every((holder) => holder === env)) this.#drop(i);
  }

  #add(
    env: number,
    ppn: number,
    block: number,
    { state, dirty }: { readonly state: number; readonly dirty: boolean },
  ): number {
    const family = this.#families.of(env);
    if (!this.#makeRoom(family) || !this.#families.take('buffers', family)) return ERRORS.E_NONE;
    const i = this.#buffers.find(BUFFER.state, BUFFER_STATES.empty);
    this.#frames.pin(ppn);
    this.#state.set(i, BUFFER_STATE.family, family);
    this.#buffers.fill(i, [
      [BUFFER.block, block],
      [BUFFER.ppn, ppn],
      [BUFFER.state, state],
      [BUFFER.dirty, dirty ? 1 : 0],
      [BUFFER.owner, env],
      [BUFFER.word0, 0],
      [BUFFER.word1, 0],
    ]);
    this.#use(i);
    return i;
  }

  /** Makes room for a block of a family, at its own cost or at that of one that has more than it is guaranteed. Returns whether there is. */
  #makeRoom(family: number): boolean {
    const yields = (i: number): boolean =>
      this.#payers.of(i) === family || this.#families.beyond('buffers', this.#payers.of(i)) > 0;
    while (!this.#families.may('buffers', family)) if (!this.#reclaim(yields) && !this.#shed(family)) return false;
    return true;
  }

  /**
   * A clean block that counts for a family, and that only others hold, counts for one of these from now on; if none of them has room, it
   * leaves the registry. Returns whether there was one.
   */
  #shed(family: number): boolean {
    const isTheirs = (i: number): boolean => this.#payers.of(i) === family && this.#payers.strangers(i).size > 0;
    const i = this.#oldest((one) => this.#isClean(one) && isTheirs(one));
    if (i >= 0 && !this.#payers.moveToHolder(i)) this.#drop(i);
    return i >= 0;
  }

  #drop(i: number): void {
    const ppn = this.#get(i, BUFFER.ppn);
    this.#families.give('buffers', this.#payers.of(i));
    this.#buffers.zero(i);
    this.#state.zero(i);
    this.#set(i, BUFFER.owner, NO_ENV);
    this.#frames.unpin(ppn);
  }

  /** Environments that have the frame of a block have it no longer as the block's. */
  #detach(i: number): void {
    if (this.#isAwaited(i)) {
      this.#extentsOf.clear(i);
      this.#disappoint(i);
      return;
    }
    // None holds what leaves. One before may have needed the frame.
    if (this.#stateOf(i) === BUFFER_STATES.leaving || this.#stateOf(i) === BUFFER_STATES.empty) return;
    // What waits to be written is dirty again. What the device has is a copy of its own; should it fail, this one is needed.
    this.#disk.withdraw(COMPLETIONS.written, i);
    const isNeeded = this.#get(i, BUFFER.dirty) === 1 || this.#stateOf(i) === BUFFER_STATES.goingOut;
    const ppn = this.#get(i, BUFFER.ppn);
    const fresh = isNeeded ? this.#frames.allocatePinned(this.#get(i, BUFFER.owner)) : ERRORS.E_NONE;
    if (fresh < 0) {
      this.#drop(i);
      return;
    }
    this.#memory.copyFrame(fresh, ppn);
    this.#set(i, BUFFER.ppn, fresh);
    this.#extentsOf.clear(i);
    this.#state.set(i, BUFFER_STATE.node, 0);
    this.#frames.unpin(ppn);
  }

  /** Frees the frame of a clean block that no environment holds: of those for which `may` holds, the one used longest ago. */
  #reclaim(may: (i: number) => boolean): boolean {
    const i = this.#oldest((one) => this.#isClean(one) && this.#isIdle(one) && may(one));
    if (i >= 0) this.#drop(i);
    return i >= 0;
  }

  /** Whether a block is what the disk has. */
  #isClean(i: number): boolean {
    return this.#stateOf(i) === BUFFER_STATES.valid && this.#get(i, BUFFER.dirty) === 0;
  }

  /** Whether no environment holds the frame of a block, and nothing but the registry pins it. */
  #isIdle(i: number): boolean {
    const ppn = this.#get(i, BUFFER.ppn);
    return this.#stateOf(i) === BUFFER_STATES.valid && !this.#isHeld(ppn) && this.#memory.frame(ppn, FRAME.pins) === 1;
  }

  /** The buffer used longest ago of those for which `is` holds, or −1. */
  #oldest(is: (i: number) => boolean): number {
    let oldest = -1;
    for (const i of this.#used()) {
      if (is(i) && (oldest < 0 || this.#get(i, BUFFER.used) < this.#get(oldest, BUFFER.used))) oldest = i;
    }
    return oldest;
  }

  #use(i: number): void {
    this.#set(i, BUFFER.used, this.#memory.next(VARIABLES.uses));
  }

  #isHeld(ppn: number): boolean {
    return this.#memory.frame(ppn, FRAME.holders) > 0;
  }

  /** The buffers that have a block, in order. */
  #used(): number[] {
    return this.#buffers.filter((i) => this.#stateOf(i) !== BUFFER_STATES.empty);
  }

  /** The buffers with blocks of some extents. */
  #within(...extents: readonly Extent[]): number[] {
    return this.#used().filter((i) => extents.some((one) => contains(one, this.#get(i, BUFFER.block))));
  }

  /** The buffer with this block or frame, or −1. */
  #find(field: number, value: number): number {
    let i = this.#buffers.find(field, value);
    // A buffer that is empty has block and frame 0.
    while (i >= 0 && this.#stateOf(i) === BUFFER_STATES.empty) i = this.#buffers.find(field, value, i + 1);
    return i;
  }

  #stateOf(i: number): number {
    return this.#get(i, BUFFER.state);
  }

  #get(i: number, field: number): number {
    return this.#buffers.get(i, field);
  }

  #set(i: number, field: number, value: number): void {
    this.#buffers.set(i, field, value);
  }
}
