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
  FRAME,
  NO_ENV,
  PAGE_BYTES,
  type NativeCpu,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { Disk } from './disk.ts';
import { contains, type Extents } from './extents.ts';
import type { Frames } from './frames.ts';
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** By which capability an environment has come to a block: its extent and node. */
interface Right {
  readonly extent: number;
  readonly node: number;
}

/** What posts to a completion word. */
type Post = (value: number, wakes: boolean) => void;

export class Registry {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #disk: Disk;
  readonly #extents: Extents;
  /** Number of the entry of each block, and of each frame. */
  readonly #blocks = new Map<number, number>();
  readonly #ppns = new Map<number, number>();
  /** The rights with which a block was mapped or inserted. */
  readonly #mapped = new Map<number, Right[]>();
  /** Entries whose right ended while they were being written; and those whose blocks somebody else has got meanwhile. */
  readonly #orphans = new Set<number>();
  readonly #overtaken = new Set<number>();
  #uses = 0;

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
    for (let i = 0; i < BUFFER_LIMIT; i += 1) this.#set(i, BUFFER.owner, NO_ENV);
    parts.frames.reclaim = (ppn) => this.#reclaim(ppn);
    parts.extents.onBegin((extent) => {
      for (const [block, i] of this.#blocks) {
        if (!contains(extent, block)) continue;
        if (this.#state(i) === BUFFER_STATES.valid) this.#drop(i);
        if (this.#state(i) === BUFFER_STATES.goingOut) this.#overtaken.add(i);
      }
    });
    parts.extents.onEnd((extent, id) => {
      for (const [block, i] of this.#blocks) {
        if (!contains(extent, block)) continue;
        const isBound = this.#mapped.get(i)?.some((one) => one.extent === id) === true;
        if (isBound || this.#extents.covering(block) === undefined) this.#detach(i);
      }
    });
    parts.capabilities.breaking('extent', (extent, nodes) => {
      for (const [i, through] of this.#mapped) {
        if (through.some((one) => one.extent === extent && nodes.has(one.node))) this.#detach(i);
      }
    });
  }

  /** The frames that the registry pins. */
  get pinned(): Iterable<number> {
    return this.#ppns.keys();
  }

  /** Makes a frame, whose capability has been checked, the contents of a block of the disk. Returns an error code. */
  insert(env: number, ppn: number, block: number, how: { readonly dirty: boolean; readonly through: Right }): number {
    if (this.#blocks.has(block) || this.#ppns.has(ppn)) return ERRORS.E_BUSY;
    const i = this.#add(env, ppn, block, { state: BUFFER_STATES.valid, dirty: how.dirty });
    if (i < 0) return i;
    this.#mapped.set(i, [how.through]);
    return ERRORS.E_OK;
  }

  /** Has a block read into a fresh frame. Returns an error code. */
  read(cpu: NativeCpu, env: number, block: number, post: Post): number {
    if (this.#blocks.has(block)) return ERRORS.E_BUSY;
    const ppn = this.#frames.allocatePinned(env);
    if (ppn < 0) return ERRORS.E_NONE;
    const i = this.#add(env, ppn, block, { state: BUFFER_STATES.comingIn, dirty: false });
    // The registry's pin stands for the one that the frame came with.
    this.#frames.unpin(ppn);
    if (i < 0) return i;
    const done = (ok: boolean): void => {
      if (ok) this.#set(i, BUFFER.state, BUFFER_STATES.valid);
      else this.#drop(i);
      post(ok ? 1 : ERRORS.E_DEVICE, true);
    };
    const code = this.#disk.submit(cpu, [{ env, block, ppns: [ppn], write: false, done }]);
    if (code < 0) this.#drop(i);
    else post(0, false);
    return code;
  }

  /** A hold of `env` on the frame of a block, by a capability of this extent and node. Returns the frame or an error. */
  map(env: number, block: number, through: Right): number {
    const i = this.#blocks.get(block);
    if (i === undefined) return ERRORS.E_NONE;
    if (this.#state(i) === BUFFER_STATES.comingIn) return ERRORS.E_AGAIN;
    const ppn = this.#get(i, BUFFER.ppn);
    const held = this.#frames.hold(env, ppn, 0);
    if (held < 0) return held;
    const known = this.#mapped.get(i) ?? [];
    if (!known.some(({ extent, node }) => extent === through.extent && node === through.node)) known.push(through);
    this.#mapped.set(i, known);
    this.#use(i);
    return ppn;
  }

  /** Says whether a block differs from the disk. */
  setDirty(block: number, dirty: boolean): number {
    const i = this.#blocks.get(block);
    if (i === undefined) return ERRORS.E_NONE;
    this.#set(i, BUFFER.dirty, dirty ? 1 : 0);
    this.#use(i);
    return ERRORS.E_OK;
  }

  setWords(block: number, word0: number, word1: number): number {
    const i = this.#blocks.get(block);
    if (i === undefined) return ERRORS.E_NONE;
    this.#set(i, BUFFER.word0, word0);
    this.#set(i, BUFFER.word1, word1);
    return ERRORS.E_OK;
  }

  /** Writes a dirty block back for `env`, which may write it, or not: then nobody may hold it. Returns an error code. */
  write(cpu: NativeCpu, env: number, block: number, how: { readonly mayWrite: boolean; readonly post: Post }): number {
    const i = this.#blocks.get(block);
    if (i === undefined) return ERRORS.E_NONE;
    if (this.#state(i) !== BUFFER_STATES.valid) return ERRORS.E_AGAIN;
    const ppn = this.#get(i, BUFFER.ppn);
    if (!how.mayWrite && this.#frames.holders(ppn).size > 0) return ERRORS.E_CAP;
    if (this.#get(i, BUFFER.dirty) === 0) {
      how.post(1, true);
      return ERRORS.E_OK;
    }
    const done = (ok: boolean): void => {
      this.#set(i, BUFFER.state, BUFFER_STATES.valid);
      if (!ok) this.#set(i, BUFFER.dirty, 1);
      const isOrphan = this.#orphans.delete(i);
      if (this.#overtaken.delete(i)) this.#drop(i);
      else if (isOrphan) this.#detach(i);
      how.post(ok ? 1 : ERRORS.E_DEVICE, true);
    };
    // An extent waits for it when it is freed.
    const extent = this.#extents.covering(block);
    const owned = extent === undefined ? {} : { extent };
    const code = this.#disk.submit(cpu, [{ env, block, ppns: [ppn], write: true, done, ...owned }]);
    if (code < 0) return code;
    this.#set(i, BUFFER.state, BUFFER_STATES.goingOut);
    this.#set(i, BUFFER.dirty, 0);
    how.post(0, false);
    return ERRORS.E_OK;
  }

  /** Takes a block out. Its frame is free unless somebody holds it. */
  remove(block: number): number {
    const i = this.#blocks.get(block);
    if (i === undefined) return ERRORS.E_NONE;
    if (this.#state(i) !== BUFFER_STATES.valid) return ERRORS.E_AGAIN;
    this.#drop(i);
    return ERRORS.E_OK;
  }

  /** Lets a frame go that is taken away from its last holder, unless it has what is not on the disk. */
  releaseFrame(env: number, ppn: number): void {
    const i = this.#ppns.get(ppn);
    if (i === undefined || this.#state(i) !== BUFFER_STATES.valid || this.#get(i, BUFFER.dirty) === 1) return;
    if ([...this.#frames.holders(ppn).keys()].every((holder) => holder === env)) this.#drop(i);
  }

  #add(
    env: number,
    ppn: number,
    block: number,
    { state, dirty }: { readonly state: number; readonly dirty: boolean },
  ): number {
    if (this.#blocks.size === BUFFER_LIMIT && !this.#reclaim(-1)) return ERRORS.E_NONE;
    let i = 0;
    while (this.#state(i) !== BUFFER_STATES.empty) i += 1;
    this.#frames.pin(ppn);
    this.#blocks.set(block, i);
    this.#ppns.set(ppn, i);
    for (const [field, value] of [
      [BUFFER.block, block],
      [BUFFER.ppn, ppn],
      [BUFFER.state, state],
      [BUFFER.dirty, dirty ? 1 : 0],
      [BUFFER.owner, env],
      [BUFFER.word0, 0],
      [BUFFER.word1, 0],
    ] as const) {
      this.#set(i, field, value);
    }
    this.#use(i);
    return i;
  }

  #drop(i: number): void {
    const ppn = this.#get(i, BUFFER.ppn);
    this.#blocks.delete(this.#get(i, BUFFER.block));
    this.#ppns.delete(ppn);
    this.#mapped.delete(i);
    for (let field = 0; field < BUFFER_BYTES; field += 4) this.#set(i, field, 0);
    this.#set(i, BUFFER.owner, NO_ENV);
    this.#frames.unpin(ppn);
  }

  /** Whoever has the frame of a block has it no longer as the block's. */
  #detach(i: number): void {
    const state = this.#state(i);
    // Nobody can have mapped what is still being read; what is being written waits for that.
    if (state === BUFFER_STATES.comingIn) return;
    if (state === BUFFER_STATES.goingOut) {
      this.#orphans.add(i);
      return;
    }
    const ppn = this.#get(i, BUFFER.ppn);
    const isDirty = this.#get(i, BUFFER.dirty) === 1;
    const fresh = isDirty ? this.#frames.allocatePinned(this.#get(i, BUFFER.owner)) : ERRORS.E_NONE;
    if (fresh < 0) {
      this.#drop(i);
      return;
    }
    this.#memory.port.copy(fresh * PAGE_BYTES, ppn * PAGE_BYTES, PAGE_BYTES);
    this.#set(i, BUFFER.ppn, fresh);
    this.#ppns.delete(ppn);
    this.#ppns.set(fresh, i);
    this.#mapped.delete(i);
    this.#frames.unpin(ppn);
  }

  /** Frees the frame of a clean block that nobody holds: this one, or the one used longest ago. */
  #reclaim(ppn: number): boolean {
    let best = -1;
    for (const [one, i] of ppn === -1 ? this.#ppns : [[ppn, this.#ppns.get(ppn) ?? -1] as const]) {
      const isFree =
        i >= 0 &&
        this.#state(i) === BUFFER_STATES.valid &&
        this.#get(i, BUFFER.dirty) === 0 &&
        this.#frames.holders(one).size === 0 &&
        this.#memory.frame(one, FRAME.pins) === 1;
      if (isFree && (best < 0 || this.#get(i, BUFFER.used) < this.#get(best, BUFFER.used))) best = i;
    }
    if (best >= 0) this.#drop(best);
    return best >= 0;
  }

  #use(i: number): void {
    this.#uses += 1;
    this.#set(i, BUFFER.used, this.#uses);
  }

  #state(i: number): number {
    return this.#get(i, BUFFER.state);
  }

  #get(i: number, field: number): number {
    return this.#memory.get(PHYSICAL.buffers + BUFFER_BYTES * i + field);
  }

  #set(i: number, field: number, value: number): void {
    this.#memory.set(PHYSICAL.buffers + BUFFER_BYTES * i + field, value);
  }
}
