/**
 * Environments: the unit of protection, with four contexts (exception, interrupt, protected entry, addressing) and a
 * u-page, where the kernel saves registers for it. [SOSP95 §5.1]
 *
 * The record of each lies in simulated memory, readable by all; here it is created, filled in and taken apart. A record is
 * reused with a new generation, so that capabilities for its earlier life are dead.
 */
import {
  DEATHS,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  ENV_SETTABLE,
  ENV_STATUS,
  ERRORS,
  EXCEPTIONS,
  FRAME_MINIMUM,
  GUARANTEED_LIMIT,
  NO_ENV,
  NO_TARGET,
  PAGE_BYTES,
  RIGHTS,
  WELL_KNOWN_READ,
  type CapabilityWords,
  type NativeFactory,
} from '@exokernel/abi';
import { NO_ASID_TAG, syncGate, type Asids } from './asids.ts';
import { isNull, type Capabilities } from './capabilities.ts';
import { QUOTAS, type Families } from './families.ts';
import type { Frames } from './frames.ts';
import { FIRST_FREE_FRAME, KP, KSEG0 } from './layout.ts';
import { envAddress, envPhysical, type KernelMemory } from './memory.ts';
import type { Natives } from './natives.ts';
import type { Slices } from './slices.ts';
import { COST_OF_FLUSH, type TlbKeeper } from './tlb-keeper.ts';

/** Entries, and where the next slice begins, which is the prologue. */
const ENTRIES: readonly number[] = [ENV.prologue, ENV.epilogue, ENV.syncEntry, ENV.asyncEntry, ENV.begin];
/** Entries that others may jump to. */
const PROTECTED_ENTRIES: readonly number[] = [ENV.syncEntry, ENV.asyncEntry];

/** Bits of an environment's number. */
const NUMBER_BITS = Math.log2(ENV_LIMIT);

/** EntryLo bits of a guaranteed mapping. */
const VALID = 0x200;
const DIRTY = 0x400;

/** Pages of an environment that the kernel knows by physical address, chosen once and pinned for its life: bits 1, 2, 3 of env_map. */
export const KERNEL_PAGES: readonly number[] = [ENV.uPage, ENV.publicPage, ENV.repossession];

/** How a page is to be mapped for good. */
export interface Mapping {
  readonly writable: boolean;
  /** What the frame is to be for the kernel: words of its record, of KERNEL_PAGES. */
  readonly pages: readonly number[];
  /** The nodes of the capabilities for frame and environment; of what the kernel itself uses, the root. */
  readonly node: number;
  readonly envNode: number;
}

/** What else must be taken apart when an environment ends, or when it loses a frame. */
export interface Resource {
  release(env: number): void;
  /** Breaks what binds a frame to an environment, or to any (undefined): a ring, a window. */
  releaseFrame?(env: number | undefined, ppn: number): void;
  /** What `release` costs at most, in cycles. */
  costOfRelease?(env: number): number;
}

/** What it costs at most to end an environment that has nothing but its record. */
const COST_OF_END = 12_000;

export class Environments {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #slices: Slices;
  readonly #families: Families;
  readonly #tlb: TlbKeeper;
  readonly #capabilities: Capabilities;
  readonly #asids: Asids;
  readonly #natives: Natives;
  readonly #created: (env: number, parent: number) => void;
  readonly #condemned: (env: number, death: number) => void;
  readonly #ended: (env: number, death: number) => void;
  /** Rings, filters, disk transfers: registered when the kernel is made. */
  readonly resources: Resource[] = [];

  constructor(
    memory: KernelMemory,
    parts: {
      readonly frames: Frames;
      readonly slices: Slices;
      readonly families: Families;
      readonly tlb: TlbKeeper;
      readonly capabilities: Capabilities;
      readonly asids: Asids;
      readonly natives: Natives;
      /** Told of every new environment. */
      readonly created: (env: number, parent: number) => void;
      /** Told of every environment that is to end by itself, or by what it did. */
      readonly condemned: (env: number, death: number) => void;
      /** Told of every environment that had begun and has ended. */
      readonly ended: (env: number, death: number) => void;
    },
  ) {
    this.#memory = memory;
    this.#frames = parts.frames;
    this.#slices = parts.slices;
    this.#families = parts.families;
    this.#tlb = parts.tlb;
    this.#capabilities = parts.capabilities;
    this.#asids = parts.asids;
    this.#natives = parts.natives;
    this.#created = parts.created;
    this.#condemned = parts.condemned;
    this.#ended = parts.ended;
    parts.capabilities.guard('env', (id) => this.#generation(id));
    parts.capabilities.breaking('env', (env, nodes) => {
      const frames = this.#tlb.removeGuaranteed(env, ({ envNode }) => nodes.has(envNode));
      if (frames.size > 0) this.#tlb.flushFramesOf(env, frames);
    });
    for (let id = 0; id < ENV_LIMIT; id += 1) {
      memory.setEnv(id, ENV.id, id);
      this.#name(id, 1);
    }
  }

  /**
   * A new environment, an embryo until its status is set. Returns its number or E_NONE. Throws what the factory throws;
   * then there is no new environment.
   */
  allocate(parent: number, factory: NativeFactory | undefined): number {
    const id = this.#find();
    if (id < 0 || !this.#families.mayJoin(parent)) return ERRORS.E_NONE;
    this.#natives.enter(id, factory);
    const generation = this.#memory.life(id) + 1;
    for (let offset = 0; offset < ENV_BYTES; offset += 4) this.#memory.setEnv(id, offset, 0);
    this.#memory.setEnv(id, ENV.id, id);
    this.#memory.setEnv(id, ENV.status, ENV_STATUS.embryo);
    this.#memory.setEnv(id, ENV.parent, parent);
    this.#memory.setWide(generation, envPhysical(id) + ENV.generation);
    this.#name(id, generation);
    this.#memory.setEnv(id, ENV.frameLimit, parent === NO_ENV ? NO_TARGET : this.#memory.env(parent, ENV.frameLimit));
    this.#memory.setEnv(id, ENV.frameTarget, NO_TARGET);
    this.#memory.setEnv(id, ENV.sliceTarget, NO_TARGET);
    this.#families.join(id, parent);
    this.#created(id, parent);
    return id;
  }

  #name(id: number, generation: number): void {
    const name = environmentName(id, generation);
    this.#memory.setEnv(id, ENV.name, name);
    this.#memory.setEnv(id, ENV.syncGate, syncGate(name, false));
  }

  capability(env: number): CapabilityWords {
    return this.#capabilities.make('env', RIGHTS.control, env);
  }

  /** The environment that a capability controls; the null capability is `self`. Else E_CAP. */
  check(words: CapabilityWords, self: number): number {
    return isNull(words) ? self : this.#capabilities.check(words, 'env', RIGHTS.control);
  }

  /**
   * Sets one word of a context. An environment needs its u-page before it gets an entry point, because the kernel saves
   * registers there; and others can enter it only when it has been started.
   */
  set(env: number, field: number, value: number): number {
    const handler = (field - ENV.exceptionPc) / 4;
    const isHandler = Number.isInteger(handler) && handler >= 0 && handler < 16;
    if (isHandler && handler === EXCEPTIONS.syscall) return ERRORS.E_RANGE;
    if (!isHandler && !ENV_SETTABLE.includes(field)) return ERRORS.E_RANGE;
    if (field === ENV.status) return this.#start(env, value);
    if (field === ENV.frameLimit) return this.#limit(env, value);
    // What is condemned does not begin again.
    if (this.#memory.env(env, ENV.death) !== DEATHS.none) return ERRORS.E_RANGE;
    if (value % 4 !== 0 || value >= KSEG0 || this.#memory.env(env, ENV.uPage) === 0) return ERRORS.E_RANGE;
    const started = this.#memory.env(env, ENV.status) === ENV_STATUS.runnable;
    if (PROTECTED_ENTRIES.includes(field) && !started) return ERRORS.E_RANGE;
    // What the kernel has to tell is told first.
    const telling = this.#memory.env(env, ENV.begin) !== this.#memory.env(env, ENV.prologue);
    if (field === ENV.prologue && !telling) this.#memory.setEnv(env, ENV.begin, value);
    this.#memory.setEnv(env, field, value);
    if (PROTECTED_ENTRIES.includes(field)) this.#asids.openGates(env);
    return ERRORS.E_OK;
  }

  /** Adds a guaranteed mapping, and with it a hold on the frame. */
  map(env: number, ppn: number, va: number, how: Mapping): number {
    if (va >= KSEG0) return ERRORS.E_RANGE;
    const asid = this.#memory.env(env, ENV.asid);
    const tag = ((va & -PAGE_BYTES) | (asid === 0 ? NO_ASID_TAG : asid)) >>> 0;
    let slot = 0;
    for (; slot < GUARANTEED_LIMIT; slot += 1) {
      const present = this.#memory.env(env, ENV.guaranteed + 8 * slot);
      if (present === 0 || present === tag) break;
    }
    if (slot === GUARANTEED_LIMIT) return ERRORS.E_NONE;
    if (how.pages.length > 0) {
      if (how.node !== 0 || how.envNode !== 0) return ERRORS.E_CAP;
      if (!how.writable) return ERRORS.E_RANGE;
      if (how.pages.some((page) => this.#memory.env(env, page) !== 0)) return ERRORS.E_BUSY;
      if (!this.#mayKeep(env, how.pages.length)) return ERRORS.E_NONE;
    }
    const held = this.#frames.hold(env, ppn, how.node);
    if (held < 0) return held;
    for (const page of how.pages) {
      this.#frames.pin(ppn);
      this.#memory.setEnv(env, page, KSEG0 + ppn * PAGE_BYTES);
      if (page === ENV.publicPage) this.#frames.setGuard(ppn, 'read', WELL_KNOWN_READ);
    }
    this.#tlb.flushPage(tag);
    this.#memory.setEnv(env, ENV.guaranteed + 8 * slot, tag);
    this.#memory.setEnv(env, ENV.guaranteed + 8 * slot + 4, ppn * PAGE_BYTES + VALID + (how.writable ? DIRTY : 0));
    this.#memory.setEnv(env, ENV.guaranteedNode + 4 * slot, (how.envNode << 16) | how.node);
    return ERRORS.E_OK;
  }

  /** Whether a frame is one of the pages of an environment that the kernel itself uses. */
  isKernelPage(env: number, ppn: number): boolean {
    return KERNEL_PAGES.some((page) => this.#memory.env(env, page) === KSEG0 + ppn * PAGE_BYTES);
  }

  /**
   * Whether an environment may have so many more pages that the kernel never takes from it. All of them together may be half of a memory, so that
   * in one that is small the other half is there for families that lack frames; those of its guarantee a family has in any case.
   */
  #mayKeep(env: number, pages: number): boolean {
    const most = (this.#memory.frames - FIRST_FREE_FRAME) / 2;
    if (most >= KERNEL_PAGES.length * ENV_LIMIT) return true;
    const family = this.#families.of(env);
    let [all, own] = [pages, pages];
    for (let id = 0; id < ENV_LIMIT; id += 1) {
      const kept = KERNEL_PAGES.filter((page) => this.#memory.env(id, page) !== 0).length;
      all += kept;
      if (this.#families.of(id) === family) own += kept;
    }
    return all <= most || own <= KERNEL_PAGES.length * QUOTAS.environments.minimum;
  }

  /** What it costs at most to end an environment, with those that it has made but not started. */
  costOfEnd(env: number): number {
    const costs = [
      COST_OF_FLUSH,
      this.#capabilities.costOfRelease(env),
      ...this.resources.map((resource) => resource.costOfRelease?.(env) ?? 0),
      // An embryo has never run: it has nothing but its record, frames and slices.
      ...[env, ...this.#embryos(env)].map(
        (one) => COST_OF_END + this.#frames.costOfLetting(this.#memory.env(one, ENV.frames)),
      ),
    ];
    return costs.reduce((a, b) => a + b);
  }

  /**
   * An environment is to end as soon as that is paid, for this reason, if there is none yet: it executes no instruction any more. A slice of
   * it begins with `kill`, because it has no entry.
   */
  condemn(env: number, death: number): void {
    if (this.#memory.env(env, ENV.death) !== DEATHS.none) return;
    this.#memory.setEnv(env, ENV.death, death);
    this.#condemned(env, death);
    for (const field of [...ENTRIES, ENV.exceptionPc]) this.#memory.setEnv(env, field, 0);
    this.#asids.openGates(env);
    // The one that has it could not give it back.
    this.#slices.takeBack(env);
  }

  /** Ends an environment: everything it was bound to is unbound. `death` is a word for its record. */
  end(env: number, death: number): void {
    const pages = KERNEL_PAGES.map((page) => this.#memory.env(env, page));
    const parent = this.#memory.env(env, ENV.parent);
    const hadBegun = this.#memory.env(env, ENV.status) === ENV_STATUS.runnable;
    this.#frames.resetGuard(this.#memory.env(env, ENV.publicPage));
    for (const field of [...ENTRIES, ...KERNEL_PAGES]) {
      this.#memory.setEnv(env, field, 0);
    }
    for (let code = 0; code < 16; code += 1) this.#memory.setEnv(env, ENV.exceptionPc + 4 * code, 0);
    for (let i = 0; i < 2 * GUARANTEED_LIMIT; i += 1) this.#memory.setEnv(env, ENV.guaranteed + 4 * i, 0);
    for (let i = 0; i < GUARANTEED_LIMIT; i += 1) this.#memory.setEnv(env, ENV.guaranteedNode + 4 * i, 0);
    this.#memory.setEnv(env, ENV.status, ENV_STATUS.dead);
    if (this.#memory.kernelPage(KP.fpuOwner) === envAddress(env)) this.#memory.setKernelPage(KP.fpuOwner, 0);
    this.#memory.setEnv(env, ENV.death, death);
    this.#slices.release(env);
    for (const resource of this.resources) resource.release(env);
    this.#asids.leave(env);
    this.#natives.leave(env);
    for (const page of pages) if (page !== 0) this.#frames.unpin((page - KSEG0) / PAGE_BYTES);
    this.#frames.dropAll(env);
    this.#capabilities.release(env);
    this.#capabilities.forget('env', env);
    this.#families.leave(env);
    if (parent !== NO_ENV) this.#memory.setEnv(parent, ENV.pending, 1);
    if (env === this.#memory.current) this.#memory.setKernelPage(KP.reschedule, 1);
    if (hadBegun) this.#ended(env, death);
    this.#orphan(env);
  }

  /** What an environment that ends had made but not started ends with it; what lives on has no parent, but its family. */
  #orphan(env: number): void {
    const embryos = this.#embryos(env);
    for (let child = 0; child < ENV_LIMIT; child += 1) {
      const lives = this.#generation(child) !== undefined;
      if (lives && this.#memory.env(child, ENV.parent) === env) this.#memory.setEnv(child, ENV.parent, NO_ENV);
    }
    for (const child of embryos) this.end(child, DEATHS.destroyed);
  }

  /** Those that an environment has made but not started. */
  #embryos(env: number): number[] {
    return Array.from({ length: ENV_LIMIT }, (_, id) => id).filter(
      (id) =>
        this.#memory.env(id, ENV.parent) === env &&
        this.#memory.env(id, ENV.status) === ENV_STATUS.embryo &&
        id !== env,
    );
  }

  #limit(env: number, value: number): number {
    if (value < FRAME_MINIMUM) return ERRORS.E_RANGE;
    this.#memory.setEnv(env, ENV.frameLimit, value);
    this.#families.limit(env, value);
    return ERRORS.E_OK;
  }

  #start(env: number, value: number): number {
    const ready = this.#memory.env(env, ENV.uPage) !== 0 && this.#memory.env(env, ENV.prologue) !== 0;
    if (value !== ENV_STATUS.runnable || !ready) return ERRORS.E_RANGE;
    this.#memory.setEnv(env, ENV.status, value);
    this.#slices.start(env);
    this.#asids.start(env);
    return ERRORS.E_OK;
  }

  #generation(id: number): number | undefined {
    if (id >= ENV_LIMIT) return undefined;
    const status = this.#memory.env(id, ENV.status);
    return status === ENV_STATUS.embryo || status === ENV_STATUS.runnable ? this.#memory.life(id) : undefined;
  }

  /** The first record that was never used, else the dead one that had the fewest tenants. */
  #find(): number {
    let oldest = -1;
    for (let id = 0; id < ENV_LIMIT; id += 1) {
      const status = this.#memory.env(id, ENV.status);
      if (status === ENV_STATUS.free) return id;
      if (status !== ENV_STATUS.dead) continue;
      if (oldest < 0 || this.#memory.life(id) < this.#memory.life(oldest)) oldest = id;
    }
    return oldest;
  }
}

/**
 * What names one life of an environment's record: of the first the number; of others bit 31, the life modulo 2^24 and the number.
 * Who keeps a name for hours compares ENV.generation, too: so long it takes to bring a name round.
 */
export function environmentName(id: number, generation: number): number {
  return generation === 1 ? id : (0x80000000 | (((generation - 1) % 2 ** 24) << NUMBER_BITS) | id) >>> 0;
}

/** Physical address of the u-page of an environment, or 0. */
export function uPagePhysical(memory: KernelMemory, env: number): number {
  const address = memory.get(envPhysical(env) + ENV.uPage);
  return address === 0 ? 0 : address - KSEG0;
}
