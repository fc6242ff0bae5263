/**
 * Frames: physical memory by its physical name. [SOSP95 §3.1]
 *
 * The environment that allocates a frame gets its capability and a hold on it; others may become holders too. When the last
 * hold is gone, every binding to the frame (TLB, STLB, rings, windows, predicates) is broken and its generation changes, so that all its
 * capabilities are dead; when the last pin is gone too, it is free. The two MACs that `tlbwr` compares live in the secret table `frameAuth`.
 *
 * An environment holds a frame through the root of its capabilities, or through a node of them, or several: a node belongs to
 * one resource, so a bit for each environment says it, in a row per frame for the root and in one per node for the others.
 *
 * A capability lets its bearer map a frame without holding it; then the mapping lasts as long as the hold of another.
 */
import {
  FRAME_LIMIT,
  CAPABILITY_KINDS,
  ENV,
  ENV_LIMIT,
  ERRORS,
  FRAME,
  FRAME_BYTES,
  NO_ENV,
  PAGE_BYTES,
  RIGHTS,
  SYSTEM,
  type CapabilityWords,
} from '@exokernel/abi';
import { nodeOf, type Capabilities } from './capabilities.ts';
import type { Families } from './families.ts';
import { FrameAuth, type Pair } from './frame-auth.ts';
import type { FrameBindings } from './frame-bindings.ts';
import { COST_OF_FRAME, COST_OF_LOOK, COST_OF_PIN, COST_OF_SHARED } from './frame-costs.ts';
import { COST_OF_FLUSH, COST_OF_SET_FLUSH, type TlbKeeper } from './tlb-keeper.ts';
import { FIRST_FREE_FRAME, KSEG0, PHYSICAL } from './layout.ts';
import { BitSets, type KernelMemory } from './memory.ts';
import type { Nodes, Resource } from './nodes.ts';
import { TABLES, VARIABLES } from './tables.ts';

/** By what a frame may be read: a capability of this node, or the words of its guard. */
export type ReadBy = { readonly node: number } | 'guard';

/** Where the number of free frames stands, for everyone to read. */
const FREE: number = PHYSICAL.system + SYSTEM.framesFree;

/** The owner of a frame that is a cached block's and no environment's: a number that none has. */
const KERNEL: number = ENV_LIMIT;

const resourceOf = (ppn: number): Resource => ({ kind: CAPABILITY_KINDS.frame, name: ppn });

/** Rights of the capability that an allocation returns. */
const FRAME_RIGHTS: number = RIGHTS.read | RIGHTS.write;

export class Frames {
  readonly count: number;
  readonly #memory: KernelMemory;
  readonly #capabilities: Capabilities;
  readonly #tlb: TlbKeeper;
  readonly #bindings: FrameBindings;
  readonly #nodes: Nodes;
  readonly #auth: FrameAuth;
  readonly #families: Families;
  /** The frames that each environment holds through the root; holders through nodes stand with the nodes. */
  readonly #holds: BitSets;
  /** Row 0: the frames that are free. */
  readonly #free: BitSets;
  /** Row 0: the frames of which tlbwr compares words that an environment chose. */
  readonly #chosen: BitSets;

  constructor(
    memory: KernelMemory,
    parts: { readonly capabilities: Capabilities; readonly families: Families; readonly tlb: TlbKeeper },
    bindings: FrameBindings,
  ) {
    const { capabilities, families, tlb } = parts;
    this.#bindings = bindings;
    this.#families = families;
    this.#memory = memory;
    this.#auth = new FrameAuth(memory);
    this.#capabilities = capabilities;
    this.#tlb = tlb;
    this.#nodes = capabilities.nodes;
    this.#holds = new BitSets(memory, memory.frameHolds, 32 * Math.ceil(memory.frames / 32), ENV_LIMIT);
    this.#free = new BitSets(memory, memory.table(TABLES.freeFrames), FRAME_LIMIT, 1);
    this.#chosen = new BitSets(memory, memory.table(TABLES.chosenGuards), FRAME_LIMIT, 1);
    this.count = memory.frames;
    // The first images get pages of cache colours that the kernel's vectors, page and text have not.
    memory.setVariable(VARIABLES.frameCursor, FIRST_FREE_FRAME + 4);
    memory.set(FREE, this.count - FIRST_FREE_FRAME);
    this.#free.addRange(0, FIRST_FREE_FRAME, this.count - FIRST_FREE_FRAME);
    capabilities.guard('frame', (ppn) => this.#generation(ppn));
    capabilities.breaking('frame', (ppn, nodes) => {
      this.#revoke(ppn, nodes);
    });
    for (let ppn = 0; ppn < this.count; ppn += 1) {
      memory.setFrame(ppn, FRAME.owner, NO_ENV);
      memory.setFrame(ppn, FRAME.generation, 1);
      this.#authenticate(ppn, capabilities.noMac, capabilities.noMac);
    }
  }

  /** Frees this frame, or any (−1), if it is kept only until it is needed. Returns whether one is free. */
  reclaim: (ppn: number) => boolean = () => false;

  /** Whether what is free is kept for families that lack frames, of which the one of `env` is none. */
  isReserved: (env: number) => boolean = () => false;

  /** A frame has become free that only a device or the registry had. */
  arrived: () => void = () => undefined;

  /** How many frames are free. */
  get free(): number {
    return this.#memory.get(FREE);
  }

  /** Allocates the frame `want`, or any (−1), zeroed, held by `env`. Returns its number or an error. */
  allocate(env: number, want: number): number {
    if (want !== -1 && (want < FIRST_FREE_FRAME || want >= this.count)) return ERRORS.E_RANGE;
    const isFull = this.#isFull(env) || this.#families.isFull(this.#families.of(env)) || this.isReserved(env);
    const isTaken = want !== -1 && this.#memory.frame(want, FRAME.owner) !== NO_ENV;
    if (isTaken && (isFull || !this.reclaim(want))) return ERRORS.E_BUSY;
    const ppn = isFull ? ERRORS.E_NONE : want === -1 ? this.#findAny() : want;
    if (ppn < 0) return ppn;
    this.#take(env, ppn);
    this.hold(env, ppn, 0);
    return ppn;
  }

  /** Any frame, zeroed, pinned once, for `env`, which does not hold it: it counts for no family. Returns its number or E_NONE. */
  allocatePinned(env: number): number {
    const ppn = this.isReserved(env) ? ERRORS.E_NONE : this.#findAny();
    if (ppn < 0) return ppn;
    this.#take(KERNEL, ppn);
    this.pin(ppn);
    return ppn;
  }

  #take(env: number, ppn: number): void {
    this.#memory.setFrame(ppn, FRAME.owner, env);
    this.#free.delete(0, ppn);
    this.#memory.zeroFrame(ppn);
    this.#memory.add(FREE, -1);
  }

  /** The capability of the frame's present generation. */
  capability(ppn: number, rights: number = FRAME_RIGHTS): CapabilityWords {
    return this.#capabilities.make('frame', rights, ppn);
  }

  /** The frame a capability names, if it grants these rights; else E_CAP. */
  check(words: CapabilityWords, rights: number): number {
    return this.#capabilities.check(words, 'frame', rights);
  }

  /**
   * By what these words allow reading the frame that they name: as a capability, or because its guard is open to them; undefined:
   * they do not.
   */
  readBy(words: CapabilityWords): ReadBy | undefined {
    const [, ppn, low, high] = words;
    if (ppn >= this.count) return undefined;
    if (this.check(words, RIGHTS.read) >= 0) return { node: nodeOf(words) };
    return this.#auth.accepts(ppn, 'read', [low, high]) ? 'guard' : undefined;
  }

  /** The environments that hold a frame. */
  holders(ppn: number): ReadonlySet<number> {
    const holders = new Set<number>();
    for (let env = 0; env < ENV_LIMIT; env += 1) if (this.#holds.has(env, ppn)) holders.add(env);
    for (const node of this.#nodesOf(ppn)) for (const env of this.#nodes.holds.members(node)) holders.add(env);
    return holders;
  }

  /** Whether an environment holds a frame through a capability of this node. */
  isHeldThrough(env: number, ppn: number, node: number): boolean {
    if (node === 0) return this.#holds.has(env, ppn);
    return this.#nodesOf(ppn).includes(node) && this.#nodes.holds.has(node, env);
  }

  /** Whether an environment holds a frame through the root, and no other holds it. */
  isAlone(env: number, ppn: number): boolean {
    return this.#holds.has(env, ppn) && this.#memory.frame(ppn, FRAME.holders) === 1;
  }

  /** The node through which an environment holds a frame, the root first. */
  holdNode(env: number, ppn: number): number {
    if (this.#holds.has(env, ppn)) return 0;
    return this.#nodesOf(ppn).find((node) => this.#nodes.holds.has(node, env)) ?? 0;
  }

  /** `env` holds an allocated frame, through a capability of this node. Returns an error code: E_NONE beyond its limit. */
  hold(env: number, ppn: number, node: number): number {
    if (!this.#isAllocated(ppn)) return ERRORS.E_CAP;
    if (!this.#isHolder(env, ppn)) {
      if (!this.#mayTake(env, ppn)) return ERRORS.E_NONE;
      // Only the kernel had it: its capabilities may have died meanwhile.
      if (this.#memory.frame(ppn, FRAME.holders) === 0 && !this.isGuardChosen(ppn)) this.#authenticateAll(ppn);
      this.#count(env, ppn, 1);
    }
    if (node === 0) this.#holds.add(env, ppn);
    else this.#nodes.holds.add(node, env);
    return ERRORS.E_OK;
  }

  /** Whether `env` holds a frame already, or may. */
  mayHold(env: number, ppn: number): boolean {
    return this.#isHolder(env, ppn) || this.#mayTake(env, ppn);
  }

  /** Whether the limits of `env` and its family allow a frame that it does not hold. */
  #mayTake(env: number, ppn: number): boolean {
    const family = this.#families.of(env);
    const fits = (): boolean => !this.#families.isFull(family) || this.#isOneOf(family, this.#others(env, ppn, 1));
    return !this.#isFull(env) && fits();
  }

  /** `env` has bound a frame to something of its own through a capability of this node, the frame's: with the node it loses that. */
  boundThrough(env: number, node: number): void {
    if (node !== 0) this.#nodes.bindings.add(node, env);
  }

  /** Drops the hold of `env`: it loses its mappings at least, and what it came to through another resource. Returns an error code. */
  drop(env: number, ppn: number): number {
    if (!this.#dropHold(env, ppn)) return ERRORS.E_CAP;
    this.#tlb.removeGuaranteed(env, (one) => one.ppn === ppn);
    // With the last hold its nodes have gone.
    if (this.#settle([ppn]).length > 0) return ERRORS.E_OK;
    this.#tlb.flushFramesOf(env, new Set([ppn]));
    this.#capabilities.endEach(this.#nodes.cameThrough(resourceOf(ppn), env));
    return ERRORS.E_OK;
  }

  /**
   * What `drop` costs at most, if that may be more than fits a stretch: of a frame of which there are branches, or that something binds beside
   * the registry. If others hold it than `env`, its capabilities live on, however many there are.
   */
  costOfDropping(ppn: number, env: number = NO_ENV): number {
    const isShared = env !== NO_ENV && this.#memory.frame(ppn, FRAME.holders) > 1;
    if (isShared) {
      const looks = COST_OF_SHARED + this.#nodesOf(ppn).length * COST_OF_LOOK;
      return COST_OF_FLUSH + looks + this.#capabilities.costOfEndingThrough('frame', ppn, env);
    }
    const nodes = this.#capabilities.costOfForget('frame', ppn);
    const pins = this.#memory.frame(ppn, FRAME.pins);
    return nodes === 0 && pins === 0 ? 0 : nodes + COST_OF_FLUSH + this.#bindings.costOfFreed() + pins * COST_OF_PIN;
  }

  /** Drops every hold of an environment that ends, whose own translations are gone already. */
  dropAll(env: number): void {
    const held = this.heldBy(env);
    this.#holds.clear(env);
    for (const node of this.#nodes.all()) {
      this.#nodes.holds.delete(node, env);
      this.#nodes.bindings.delete(node, env);
    }
    for (const ppn of held) this.#count(env, ppn, -1);
    this.#settle(held);
  }

  /** What it costs at most to take frames from an environment, or to drop its holds on them. */
  costOfLetting(frames: number): number {
    return frames === 0 ? 0 : COST_OF_FLUSH + COST_OF_SET_FLUSH + frames * COST_OF_FRAME;
  }

  /** Breaks what was bound through capabilities of these nodes: guaranteed mappings, holds, and every translation to the frame. */
  #revoke(ppn: number, gone: ReadonlySet<number>): void {
    const members = (sets: BitSets): Set<number> => new Set([...gone].flatMap((node) => sets.members(node)));
    const bound = members(this.#nodes.bindings);
    const losers = [...members(this.#nodes.holds)].filter((env) => !this.#isHolder(env, ppn));
    for (const env of members(this.#nodes.holds)) {
      this.#tlb.removeGuaranteed(env, (one) => gone.has(one.node));
    }
    // Of several members of a family it is the last that the family loses the frame with.
    const holders = losers.length === 0 ? [] : this.holders(ppn);
    for (const [i, env] of losers.entries()) this.#count(env, ppn, -1, new Set([...holders, ...losers.slice(i + 1)]));
    if (this.#settle([ppn]).length === 0) this.#tlb.flushFrames(new Set([ppn]));
    for (const env of new Set([...bound, ...losers])) this.#bindings.taken(env, ppn);
  }

  /** Sets the words that tlbwr compares for writing or reading an allocated frame; what was bound by the old ones is not any more. */
  setGuard(ppn: number, which: 'write' | 'read', words: Pair): void {
    this.#auth.accept(ppn, which, words);
    this.#chosen.add(0, ppn);
    this.#tlb.flushFrames(new Set([ppn]));
    if (which === 'read') this.#bindings.guarded(ppn);
  }

  /** What tlbwr compares for reading the frame at a kseg0 address (0: none) is its capability again, if it has one that lives. */
  resetGuard(address: number): void {
    const ppn = (address - KSEG0) / PAGE_BYTES;
    if (address === 0 || this.#isUnheld(ppn)) return;
    const [, , low, high] = this.capability(ppn, RIGHTS.read);
    this.setGuard(ppn, 'read', [low, high]);
  }

  /** Whether the words that tlbwr compares were chosen by an environment. */
  isGuardChosen(ppn: number): boolean {
    return this.#chosen.has(0, ppn);
  }

  /** The frames that some environments hold, each once, in no order. */
  heldBy(...envs: readonly number[]): number[] {
    const { holds } = this.#nodes;
    const [env = 0] = envs;
    // Of one it takes a look at a word, of several one at all that hold through the node.
    const isTheirs = (node: number): boolean =>
      envs.length === 1 ? holds.has(node, env) : holds.members(node).some((one) => envs.includes(one));
    const through = this.#nodes
      .all()
      .filter(isTheirs)
      .map((node) => this.#nodes.resource(node).name);
    return [...new Set([...this.#holds.union(envs), ...through])];
  }

  /**
   * Takes frames from `env` by force: its holds, mappings, rings, windows. A frame without another holder loses its capabilities at
   * once, also if a device still has it: then it is free when the device is done.
   */
  repossess(env: number, ppns: readonly number[]): void {
    const taken = new Set(ppns);
    for (const ppn of ppns) this.#dropHold(env, ppn);
    const unheld = this.#settle(ppns);
    this.#tlb.removeGuaranteed(env, (one) => taken.has(one.ppn));
    this.#tlb.flushFramesOf(env, new Set(ppns.filter((ppn) => !unheld.includes(ppn))));
    for (const ppn of ppns) this.#bindings.taken(env, ppn);
  }

  /** Takes a frame from all that hold it. */
  repossessFromAll(ppn: number): void {
    const holders = this.holders(ppn);
    for (const env of holders) this.#dropHold(env, ppn);
    this.#settle([ppn]);
    for (const env of holders) {
      this.#tlb.removeGuaranteed(env, (one) => one.ppn === ppn);
      this.#bindings.taken(env, ppn);
    }
  }

  #isFull(env: number): boolean {
    return this.#memory.env(env, ENV.frames) >= this.#memory.env(env, ENV.frameLimit);
  }

  /** The nodes of a frame's capabilities. */
  #nodesOf(ppn: number): number[] {
    return this.#nodes.of(resourceOf(ppn));
  }

  #isHolder(env: number, ppn: number): boolean {
    return this.#holds.has(env, ppn) || this.#nodesOf(ppn).some((node) => this.#nodes.holds.has(node, env));
  }

  /**
   * One hold more (1) or less (−1) of an environment on a frame, for both of them. A family has the frame as long as one of its
   * members holds it: `others` hold it beside this one.
   */
  #count(env: number, ppn: number, delta: 1 | -1, others: ReadonlySet<number> = this.#others(env, ppn, delta)): void {
    const family = this.#families.of(env);
    const isTheirs = this.#isOneOf(family, others);
    if (!isTheirs) this.#families.countFrame(family, delta);
    if (delta === -1) this.#handOver(env, ppn, isTheirs, others);
    this.#memory.setEnv(env, ENV.frames, this.#memory.env(env, ENV.frames) + delta);
    this.#memory.setFrame(ppn, FRAME.holders, this.#memory.frame(ppn, FRAME.holders) + delta);
  }

  /**
   * A frame that the one lets go of which allocated it is another holder's, a relative's first. If there is none, its family has given
   * it away.
   */
  #handOver(env: number, ppn: number, isRelatives: boolean, others: ReadonlySet<number>): void {
    if (others.size === 0 || this.#memory.frame(ppn, FRAME.owner) !== env) return;
    const family = this.#families.of(env);
    const [heir = env] = [...others].filter((one) => !isRelatives || this.#families.of(one) === family);
    this.#memory.setFrame(ppn, FRAME.owner, heir);
    if (!isRelatives) this.#families.gaveAway('frames', family);
  }

  /** Who holds a frame beside an environment that comes or goes; most often it is known to be none. */
  #others(env: number, ppn: number, delta: 1 | -1): ReadonlySet<number> {
    const others = new Set(this.#memory.frame(ppn, FRAME.holders) === (delta === 1 ? 0 : 1) ? [] : this.holders(ppn));
    others.delete(env);
    return others;
  }

  #isOneOf(family: number, environments: ReadonlySet<number>): boolean {
    return [...environments].some((env) => this.#families.of(env) === family);
  }

  /** All capabilities for a frame die. */
  #age(ppn: number): void {
    this.#capabilities.forget('frame', ppn);
    this.#chosen.delete(0, ppn);
    this.#memory.setWide(this.#memory.wide(...this.#life(ppn)) + 1, ...this.#life(ppn));
    this.#authenticate(ppn, this.#capabilities.noMac, this.#capabilities.noMac);
  }

  #dropHold(env: number, ppn: number): boolean {
    if (!this.#isHolder(env, ppn)) return false;
    this.#holds.delete(env, ppn);
    for (const node of this.#nodesOf(ppn)) this.#nodes.holds.delete(node, env);
    this.#count(env, ppn, -1);
    return true;
  }

  pin(ppn: number): void {
    this.#memory.pin(ppn);
  }

  unpin(ppn: number): void {
    this.#memory.setFrame(ppn, FRAME.pins, this.#memory.frame(ppn, FRAME.pins) - 1);
    // No environment holds it: its capabilities and translations died with the last hold.
    if (!this.#isUnheld(ppn) || !this.#isUnpinned(ppn)) return;
    this.#release(ppn);
    this.arrived();
  }

  /**
   * To be called when holds have been dropped, before anything else is: a frame without a holder has no capability that lives.
   * Of these frames, those that no environment holds any more are no environment's that only bound them, nor can they be bound
   * again: else one could keep frames that count for none. Those that nothing pins either are free. Returns them.
   */
  #settle(ppns: readonly number[]): readonly number[] {
    const unheld = ppns.filter((ppn) => this.#isUnheld(ppn));
    // Others may have mapped it without a hold, by its capability.
    this.#tlb.flushFrames(new Set(unheld));
    for (const ppn of unheld) this.#age(ppn);
    for (const ppn of unheld) {
      // What bound one may have pinned another, which is free by now.
      if (!this.#isAllocated(ppn)) continue;
      if (this.#isUnpinned(ppn)) this.#release(ppn);
      else {
        this.#memory.setFrame(ppn, FRAME.owner, KERNEL);
        this.#bindings.freed(ppn);
      }
    }
    return unheld;
  }

  #release(ppn: number): void {
    this.#memory.setFrame(ppn, FRAME.owner, NO_ENV);
    this.#free.add(0, ppn);
    this.#memory.add(FREE, 1);
  }

  #isUnpinned(ppn: number): boolean {
    return this.#memory.frame(ppn, FRAME.pins) === 0;
  }

  #isAllocated(ppn: number): boolean {
    return this.#memory.frame(ppn, FRAME.owner) !== NO_ENV;
  }

  /** Whether a frame is allocated and no environment holds it. */
  #isUnheld(ppn: number): boolean {
    return this.#isAllocated(ppn) && this.#memory.frame(ppn, FRAME.holders) === 0;
  }

  #generation(ppn: number): number | undefined {
    return ppn < this.count && this.#isAllocated(ppn) ? this.#memory.wide(...this.#life(ppn)) : undefined;
  }

  /** Where the two words of a frame's generation lie. */
  #life(ppn: number): readonly [low: number, high: number] {
    const more = this.#memory.table(TABLES.frameLives) + TABLES.frameLives.bytes * ppn;
    return [PHYSICAL.frames + FRAME_BYTES * ppn + FRAME.generation, more];
  }

  /** Lets tlbwr accept the frame's capabilities. */
  #authenticateAll(ppn: number): void {
    const [, , w0, w1] = this.capability(ppn);
    const [, , r0, r1] = this.capability(ppn, RIGHTS.read);
    this.#authenticate(ppn, [w0, w1], [r0, r1]);
  }

  #authenticate(ppn: number, write: Pair, read: Pair): void {
    this.#auth.accept(ppn, 'write', write);
    this.#auth.accept(ppn, 'read', read);
  }

  /** Lets everyone map a kernel frame for reading, with the well-known MAC. */
  expose(ppn: number, mac: Pair): void {
    this.#auth.accept(ppn, 'read', mac);
  }

  /** A free frame; if there is none, one that is made free. */
  #findAny(): number {
    const ppn = this.#find();
    return ppn === ERRORS.E_NONE && this.reclaim(-1) ? this.#find() : ppn;
  }

  /** The first free frame from the cursor on, round and round. */
  #find(): number {
    const cursor = this.#memory.variable(VARIABLES.frameCursor);
    const ahead = this.#free.next(0, cursor);
    const found = ahead < 0 ? this.#free.next(0, 0) : ahead;
    if (found < 0) return ERRORS.E_NONE;
    this.#memory.setVariable(VARIABLES.frameCursor, found + 1 < this.count ? found + 1 : FIRST_FREE_FRAME);
    return found;
  }
}
