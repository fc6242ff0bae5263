/**
 * The buffer-cache registry: which block's contents lie in which frame, for all environments. [SOSP97 §4.3.3], [XOK]
 *
 * Mapping is what is checked: a cached block is mapped by who has the right to it on the disk. A frame is inserted directly
 * only by who may write the block, or a fake could be planted; to have a block read into a frame of the registry needs no
 * right. The registry pins its frames. A clean block that nobody holds is kept until frames run out; a dirty one until
 * somebody, whoever it is, has it written.
 *
 * When a right to a block ends (its extent is freed, a branch of its capability is revoked) the frame that was mapped or inserted
 * with it is no longer the block's: contents that are not on the disk yet move to a frame that nobody has.
 */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  ERRORS,
  EXTENT_LIMIT,
  FRAME,
  NODE_LIMIT,
  NO_ENV,
  type NativeCpu,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { Disk, Finished } from './disk.ts';
import { contains, type Extent, type Extents } from './extents.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import { BitSets, Records, type KernelMemory } from './memory.ts';
import { BUFFER_STATE, COMPLETIONS, TABLES, VARIABLES } from './tables.ts';

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
  /** By number: what is exposed of a buffer, and what is not. */
  readonly #buffers: Records;
  readonly #state: Records;
  /** By buffer: the extents and the nodes of the capabilities by which it was mapped or inserted. */
  readonly #extentsOf: BitSets;
  readonly #nodesOf: BitSets;

  constructor(
    memory: KernelMemory,
    parts: {
      readonly frames: Frames;
      readonly disk: Disk;
      readonly extents: Extents;
      readonly capabilities: Capabilities;
    },
  ) {
    this.#memory = memory;
    this.#frames = parts.frames;
    this.#disk = parts.disk;
    this.#extents = parts.extents;
    const at = memory.table(TABLES.bufferState);
    const { bytes } = TABLES.bufferState;
    this.#buffers = new Records(memory, PHYSICAL.buffers, BUFFER_BYTES, BUFFER_LIMIT);
    this.#state = new Records(memory, TABLES.bufferState);
    this.#nodesOf = new BitSets(memory, at + BUFFER_STATE.nodes, NODE_LIMIT, BUFFER_LIMIT, bytes);
    this.#extentsOf = new BitSets(memory, at + BUFFER_STATE.extents, EXTENT_LIMIT, BUFFER_LIMIT, bytes);
    for (let i = 0; i < BUFFER_LIMIT; i += 1) this.#set(i, BUFFER.owner, NO_ENV);
    parts.frames.reclaim = (ppn) => this.#reclaim(ppn);
    parts.disk.onFinish(COMPLETIONS.read, (finished) => {
      this.#wasRead(finished);
    });
    parts.disk.onFinish(COMPLETIONS.written, (finished) => {
      this.#wasWritten(finished);
    });
    parts.extents.onBegin((extent) => {
      for (const i of this.#within(extent)) {
        if (this.#stateOf(i) === BUFFER_STATES.valid) this.#drop(i);
        if (this.#stateOf(i) === BUFFER_STATES.goingOut) this.#state.set(i, BUFFER_STATE.overtaken, 1);
      }
    });
    parts.extents.onEnd((extent, id) => {
      for (const i of this.#within(extent)) {
        const isBound = this.#extentsOf.has(i, id);
        if (isBound || this.#extents.covering(this.#get(i, BUFFER.block)) === undefined) this.#detach(i);
      }
    });
    // A node belongs to one extent.
    parts.capabilities.breaking('extent', (_, nodes) => {
      for (const i of this.#used()) if ([...nodes].some((node) => this.#nodesOf.has(i, node))) this.#detach(i);
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
    this.#had(i, how.through);
    return ERRORS.E_OK;
  }

  /** Has a block read into a fresh frame; completion word `slot` of `env` tells of it. Returns an error code. */
  read(cpu: NativeCpu, env: number, block: number, slot: number): number {
    if (this.#find(BUFFER.block, block) >= 0) return ERRORS.E_BUSY;
    const ppn = this.#frames.allocatePinned(env);
    if (ppn < 0) return ERRORS.E_NONE;
    const i = this.#add(env, ppn, block, { state: BUFFER_STATES.comingIn, dirty: false });
    // The registry's pin stands for the one that the frame came with.
    this.#frames.unpin(ppn);
    if (i < 0) return i;
    const done = { kind: COMPLETIONS.read, operand: i, slot };
    const code = this.#disk.submit(cpu, [{ env, block, ppns: [ppn], write: false, done }]);
    if (code < 0) this.#drop(i);
    else this.#disk.tell(env, slot, 0, false);
    return code;
  }

  #wasRead(finished: Finished): void {
    const { operand: i, ok } = finished;
    if (ok) this.#set(i, BUFFER.state, BUFFER_STATES.valid);
    else this.#drop(i);
    this.#disk.post(finished, ok ? 1 : ERRORS.E_DEVICE, true);
  }

  /** A hold of `env` on the frame of a block, by a capability of this extent and node. Returns the frame or an error. */
  map(env: number, block: number, through: Right): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    if (this.#stateOf(i) === BUFFER_STATES.comingIn) return ERRORS.E_AGAIN;
    const ppn = this.#get(i, BUFFER.ppn);
    const held = this.#frames.hold(env, ppn, 0);
    if (held < 0) return held;
    this.#had(i, through);
    this.#use(i);
    return ppn;
  }

  /** Says whether a block differs from the disk. */
  setDirty(block: number, dirty: boolean): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
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
   * Writes a dirty block back for `env`, which may write it, or not: then nobody may hold it. Completion word `slot` of `env`
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
    // An extent waits for it when it is freed.
    const extent = this.#extents.covering(block);
    const owned = extent === undefined ? {} : { extent };
    const code = this.#disk.submit(cpu, [{ env, block, ppns: [ppn], write: true, done, ...owned }]);
    if (code < 0) return code;
    this.#set(i, BUFFER.state, BUFFER_STATES.goingOut);
    this.#set(i, BUFFER.dirty, 0);
    this.#disk.tell(env, how.slot, 0, false);
    return ERRORS.E_OK;
  }

  #wasWritten(finished: Finished): void {
    const { operand: i, ok } = finished;
    this.#set(i, BUFFER.state, BUFFER_STATES.valid);
    if (!ok) this.#set(i, BUFFER.dirty, 1);
    const isOrphan = this.#state.get(i, BUFFER_STATE.orphan) === 1;
    const isOvertaken = this.#state.get(i, BUFFER_STATE.overtaken) === 1;
    this.#state.set(i, BUFFER_STATE.orphan, 0);
    this.#state.set(i, BUFFER_STATE.overtaken, 0);
    if (isOvertaken) this.#drop(i);
    else if (isOrphan) this.#detach(i);
    this.#disk.post(finished, ok ? 1 : ERRORS.E_DEVICE, true);
  }

  /** Takes a block out. Its frame is free unless somebody holds it. */
  remove(block: number): number {
    const i = this.#find(BUFFER.block, block);
    if (i < 0) return ERRORS.E_NONE;
    if (this.#stateOf(i) !== BUFFER_STATES.valid) return ERRORS.E_AGAIN;
    this.#drop(i);
    return ERRORS.E_OK;
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
    const empty = (): number => this.#buffers.find(BUFFER.state, BUFFER_STATES.empty);
    if (empty() < 0 && !this.#reclaim(-1)) return ERRORS.E_NONE;
    const i = empty();
    this.#frames.pin(ppn);
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

  #drop(i: number): void {
    const ppn = this.#get(i, BUFFER.ppn);
    this.#buffers.zero(i);
    this.#state.zero(i);
    this.#set(i, BUFFER.owner, NO_ENV);
    this.#frames.unpin(ppn);
  }

  /** Whoever has the frame of a block has it no longer as the block's. */
  #detach(i: number): void {
    const state = this.#stateOf(i);
    // Nobody can have mapped what is still being read; what is being written waits for that. One before may have needed the frame.
    if (state === BUFFER_STATES.comingIn || state === BUFFER_STATES.empty) return;
    if (state === BUFFER_STATES.goingOut) {
      this.#state.set(i, BUFFER_STATE.orphan, 1);
      return;
    }
    const ppn = this.#get(i, BUFFER.ppn);
    const isDirty = this.#get(i, BUFFER.dirty) === 1;
    const fresh = isDirty ? this.#frames.allocatePinned(this.#get(i, BUFFER.owner)) : ERRORS.E_NONE;
    if (fresh < 0) {
      this.#drop(i);
      return;
    }
    this.#memory.copyFrame(fresh, ppn);
    this.#set(i, BUFFER.ppn, fresh);
    this.#state.zero(i);
    this.#frames.unpin(ppn);
  }

  /** Frees the frame of a clean block that nobody holds: this one, or the one used longest ago. */
  #reclaim(ppn: number): boolean {
    let best = -1;
    for (const i of this.#used()) {
      const one = this.#get(i, BUFFER.ppn);
      const isFree =
        (ppn === -1 || one === ppn) &&
        this.#stateOf(i) === BUFFER_STATES.valid &&
        this.#get(i, BUFFER.dirty) === 0 &&
        !this.#isHeld(one) &&
        this.#memory.frame(one, FRAME.pins) === 1;
      if (isFree && (best < 0 || this.#get(i, BUFFER.used) < this.#get(best, BUFFER.used))) best = i;
    }
    if (best >= 0) this.#drop(best);
    return best >= 0;
  }

  #use(i: number): void {
    this.#set(i, BUFFER.used, this.#memory.next(VARIABLES.uses));
  }

  /** A buffer was had by a right, and is the block's no longer when that ends. */
  #had(i: number, { extent, node }: Right): void {
    this.#extentsOf.add(i, extent);
    if (node !== 0) this.#nodesOf.add(i, node);
  }

  #isHeld(ppn: number): boolean {
    return this.#memory.frame(ppn, FRAME.holders) > 0;
  }

  /** The buffers that have a block, in order. */
  #used(): number[] {
    return this.#buffers.filter((i) => this.#stateOf(i) !== BUFFER_STATES.empty);
  }

  /** The buffers with blocks of an extent. */
  #within(extent: Extent): number[] {
    return this.#used().filter((i) => contains(extent, this.#get(i, BUFFER.block)));
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
