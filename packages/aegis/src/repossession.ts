/**
 * The abort protocol: what an environment does not give up is taken by force, listed in its repossession vector, and, where it
 * has preloaded backing store, saved there. [SOSP95 §3.4]
 *
 * The kernel chooses: frames without a guaranteed mapping before others, those that no other environment holds first, in order; never
 * those that the kernel itself uses (u-page, public page, vector) nor those of guaranteed mappings that hold an entry point, and never
 * below the guaranteed minimum.
 *
 * For a family that lacks frames of its minimum (`seize`) only those count that become free. So they are looked for among all that a family
 * holds, whichever member, and taken from all that hold them: of what accomplices share, nothing would come back from one. Frames that other
 * families hold come last, and none of which a family would be left with less than its minimum; the entry points of a family that
 * gives up nothing are not spared.
 *
 * The vector lies in the environment's own memory, so what stands in it is an allegation: only entries that say empty
 * or preloaded are used, an extent is checked like any capability, and a false one means that the contents are lost.
 */
import {
  ENV,
  ENV_LIMIT,
  FRAME,
  FRAME_MINIMUM,
  GUARANTEED_LIMIT,
  PAGE_BYTES,
  REPOSSESSION,
  REPOSSESSION_BYTES,
  REPOSSESSION_ENTRIES,
  REPOSSESSION_STATES,
  REVOKE_KINDS,
  RIGHTS,
  SLICE_MINIMUM,
  type NativeCpu,
} from '@exokernel/abi';
import { nodeOf } from './capabilities.ts';
import type { Disk } from './disk.ts';
import type { Finished } from './disk-requests.ts';
import { KERNEL_PAGES } from './environments.ts';
import type { Extents } from './extents.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { KSEG0 } from './layout.ts';
import type { KernelMemory } from './memory.ts';
import type { Slices } from './slices.ts';
import { COMPLETIONS } from './tables.ts';

/** Words of a record that hold entry points. */
const ENTRY_FIELDS: readonly number[] = [
  ENV.prologue,
  ENV.epilogue,
  ENV.syncEntry,
  ENV.asyncEntry,
  ...Array.from({ length: 16 }, (_, code) => ENV.exceptionPc + 4 * code),
];

export class Repossession {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #slices: Slices;
  readonly #disk: Disk;
  readonly #extents: Extents;
  readonly #families: Families;

  constructor(
    memory: KernelMemory,
    parts: {
      readonly frames: Frames;
      readonly slices: Slices;
      readonly disk: Disk;
      readonly extents: Extents;
      readonly families: Families;
    },
  ) {
    this.#memory = memory;
    this.#frames = parts.frames;
    this.#slices = parts.slices;
    this.#disk = parts.disk;
    this.#extents = parts.extents;
    this.#families = parts.families;
    parts.disk.onFinish(COMPLETIONS.saved, (finished) => {
      this.#wasSaved(finished);
    });
  }

  /** Takes up to `count` frames of `env`. Returns how many. */
  takeFrames(cpu: NativeCpu, env: number, count: number): number {
    const most = Math.min(count, this.#memory.env(env, ENV.frames) - FRAME_MINIMUM);
    const taken = this.#spared(env).slice(0, Math.max(0, most));
    // Saved before they are let go of: a transfer pins its frame.
    for (const ppn of taken) this.#list(cpu, env, REVOKE_KINDS.frames, ppn);
    this.#frames.repossess(env, taken);
    return taken.length;
  }

  /** Takes up to `count` frames of a family from all that hold them. Returns who lost some. */
  seize(cpu: NativeCpu, family: number, count: number): ReadonlySet<number> {
    const losers = new Set<number>();
    let left = count;
    for (const ppn of this.#seizable(family)) {
      if (left === 0) break;
      const holders = [...this.#frames.holders(ppn)];
      // With each frame that is taken another family may have come to its minimum.
      if (holders.some((holder) => this.#families.beyond('frames', this.#families.of(holder)) <= 0)) continue;
      for (const holder of holders) {
        this.#list(cpu, holder, REVOKE_KINDS.frames, ppn);
        losers.add(holder);
      }
      this.#frames.repossessFromAll(ppn);
      left -= 1;
    }
    return losers;
  }

  /** How many frames an environment can give up: all that it holds but the kernel's own pages of it. */
  givable(env: number): number {
    const kept = [...this.#kernelPages(env)].filter((ppn) => this.#frames.isHeldThrough(env, ppn, 0));
    return this.#memory.env(env, ENV.frames) - kept.length;
  }

  /** Takes up to `count` slices of `env`, from the end of the vector. Returns how many. */
  takeSlices(cpu: NativeCpu, env: number, count: number): number {
    const owned = this.#slices.of(env);
    const taken = owned.slice(SLICE_MINIMUM).reverse().slice(0, count);
    for (const position of taken) {
      this.#list(cpu, env, REVOKE_KINDS.slices, position);
      this.#slices.free(position);
    }
    return taken.length;
  }

  /** The frames of the environment that the kernel itself uses. */
  #kernelPages(env: number): ReadonlySet<number> {
    const addresses = KERNEL_PAGES.map((page) => this.#memory.env(env, page)).filter((address) => address !== 0);
    return new Set(addresses.map((address) => (address - KSEG0) / PAGE_BYTES));
  }

  /** The frames of `env` that may be taken of it alone, those first that are missed least. */
  #spared(env: number): number[] {
    const { guaranteed, running } = this.#mapped([env]);
    const never = new Set([...this.#kernelPages(env), ...running]);
    const may = this.#frames.heldBy(env).filter((ppn) => !never.has(ppn));
    return inOrder(may, (ppn) => (guaranteed.has(ppn) ? 2 : 0) + (this.#isShared(ppn) ? 1 : 0));
  }

  /** The frames of a family that the kernel itself does not use, those first that are missed least. */
  #seizable(family: number): number[] {
    const all = Array.from({ length: ENV_LIMIT }, (_, env) => env);
    const holders = all.filter((env) => this.#memory.env(env, ENV.frames) > 0);
    const isMember = (env: number): boolean => this.#families.of(env) === family;
    const members = holders.filter(isMember);
    const never = new Set(holders.flatMap((env) => [...this.#kernelPages(env)]));
    const foreign = new Set(this.#frames.heldBy(...holders.filter((env) => !isMember(env))));
    const { guaranteed, running } = this.#mapped(members);
    const may = this.#frames.heldBy(...members).filter((ppn) => !never.has(ppn));
    return inOrder(
      may,
      (ppn) =>
        (running.has(ppn) ? 8 : 0) +
        (foreign.has(ppn) ? 4 : 0) +
        (guaranteed.has(ppn) ? 2 : 0) +
        (this.#isShared(ppn) ? 1 : 0),
    );
  }

  /** The frames of guaranteed mappings of some environments, and of these the ones that entry points lie in. */
  #mapped(envs: readonly number[]): {
    readonly guaranteed: ReadonlySet<number>;
    readonly running: ReadonlySet<number>;
  } {
    const guaranteed = new Set<number>();
    const running = new Set<number>();
    for (const env of envs) {
      const entries = new Set(ENTRY_FIELDS.map((field) => this.#memory.env(env, field) >>> 12));
      for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
        const hi = this.#memory.env(env, ENV.guaranteed + 8 * slot);
        const ppn = this.#memory.env(env, ENV.guaranteed + 8 * slot + 4) >>> 12;
        if (hi === 0) break;
        guaranteed.add(ppn);
        if (entries.has(hi >>> 12)) running.add(ppn);
      }
    }
    return { guaranteed, running };
  }

  #isShared(ppn: number): boolean {
    return this.#memory.frame(ppn, FRAME.holders) > 1;
  }

  /** Notes in the vector that something is taken; a frame with backing store is saved. */
  #list(cpu: NativeCpu, env: number, kind: number, name: number): void {
    this.#memory.setEnv(env, ENV.lost, this.#memory.env(env, ENV.lost) + 1);
    const entry = this.#entry(env, kind === REVOKE_KINDS.frames);
    if (entry === undefined) return;
    const preloaded = this.#memory.get(entry + REPOSSESSION.state) === REPOSSESSION_STATES.preloaded;
    this.#memory.set(entry + REPOSSESSION.kind, kind);
    this.#memory.set(entry + REPOSSESSION.name, name);
    const saves = preloaded && kind === REVOKE_KINDS.frames && !this.#slices.neverPays(env);
    const saving = saves && this.#save(cpu, env, entry, name);
    this.#memory.set(entry + REPOSSESSION.state, saving ? REPOSSESSION_STATES.saving : REPOSSESSION_STATES.lost);
  }

  /** Physical address of an entry to be used: the first preloaded one, if it is of use, else the first empty one. */
  #entry(env: number, useful: boolean): number | undefined {
    const vector = this.#memory.env(env, ENV.repossession);
    if (vector === 0) return undefined;
    const entries = Array.from({ length: REPOSSESSION_ENTRIES }, (_, i) => vector - KSEG0 + i * REPOSSESSION_BYTES);
    const first = (state: number): number | undefined =>
      entries.find((entry) => this.#memory.get(entry + REPOSSESSION.state) === state);
    return (useful ? first(REPOSSESSION_STATES.preloaded) : undefined) ?? first(REPOSSESSION_STATES.empty);
  }

  /** A frame was saved: the entry of the vector says so, if it is still the same one's. */
  #wasSaved({ env, life, operand: entry, slot: vector, ok }: Finished): void {
    const isSame = this.#memory.env(env, ENV.generation) === life && this.#memory.env(env, ENV.repossession) === vector;
    if (!isSame) return;
    this.#memory.set(entry + REPOSSESSION.state, ok ? REPOSSESSION_STATES.saved : REPOSSESSION_STATES.lost);
    this.#memory.setEnv(env, ENV.pending, 1);
  }

  /** Starts writing a frame to the backing store of an entry. Returns whether the disk has begun. */
  #save(cpu: NativeCpu, env: number, entry: number, ppn: number): boolean {
    const word = (i: number): number => this.#memory.get(entry + REPOSSESSION.extent + 4 * i);
    const words = [word(0), word(1), word(2), word(3)] as const;
    const extent = this.#extents.check(words, RIGHTS.write);
    if (extent < 0) return false;
    const block = this.#disk.physical(extent, this.#memory.get(entry + REPOSSESSION.block));
    if (block < 0) return false;
    const done = { kind: COMPLETIONS.saved, operand: entry, slot: this.#memory.env(env, ENV.repossession) };
    const frames = [{ ppn, node: this.#frames.holdNode(env, ppn) }];
    return this.#disk.submit(cpu, [{ env, node: nodeOf(words), block, frames, write: true, keeps: true, done }]) === 0;
  }
}

/** Frames by how much they are missed, then by number. */
function inOrder(ppns: readonly number[], missed: (ppn: number) => number): number[] {
  const rank = new Map(ppns.map((ppn) => [ppn, missed(ppn)]));
  return [...ppns].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0) || a - b);
}
