/**
 * The abort protocol: what an environment does not give up is taken by force, listed in its repossession vector, and, where it
 * has preloaded backing store, saved there. [SOSP95 §3.4]
 *
 * The kernel chooses: frames without a guaranteed mapping before others, those that no other environment holds first, in order; never
 * those that the kernel itself uses (u-page, public page, vector) nor those of guaranteed mappings that hold an entry point, and never
 * below the guaranteed minimum.
 *
 * For a family that lacks frames of its minimum (`seize`) only those count that become free. So they are taken from all that hold
 * them: of what accomplices share, nothing would come back from one. Frames that other families hold come last, and none of which a
 * family would be left with less than its minimum; the entry points of a family that gives up nothing are not spared.
 *
 * The vector lies in the environment's own memory, so what stands in it is an allegation: only entries that say empty
 * or preloaded are used, an extent is checked like any capability, and a false one means that the contents are lost.
 */
import {
  ENV,
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
    const taken = this.#spared(env, false).slice(0, Math.max(0, most));
    // Saved before they are let go of: a transfer pins its frame.
    for (const ppn of taken) this.#list(cpu, env, REVOKE_KINDS.frames, ppn);
    this.#frames.repossess(env, taken);
    return taken.length;
  }

  /** Takes up to `count` frames of `env` from all that hold them. Returns who lost some. */
  seize(cpu: NativeCpu, env: number, count: number): ReadonlySet<number> {
    const losers = new Set<number>();
    let left = count;
    for (const ppn of this.#spared(env, true)) {
      if (left === 0) break;
      const holders = [...this.#frames.holders(ppn)];
      const isKept = (holder: number): boolean =>
        this.#kernelPages(holder).has(ppn) || this.#families.beyond('frames', this.#families.of(holder)) <= 0;
      if (holders.some(isKept)) continue;
      for (const holder of holders) {
        this.#list(cpu, holder, REVOKE_KINDS.frames, ppn);
        losers.add(holder);
      }
      this.#frames.repossessFromAll(ppn);
      left -= 1;
    }
    return losers;
  }

  /** How many frames could be taken of an environment: all that it holds but the kernel's own pages of it. */
  seizable(env: number): number {
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

  /** The frames of `env` that may be taken, those first that are missed least; with `forOthers` also what it runs by. */
  #spared(env: number, forOthers: boolean): number[] {
    const guaranteed = new Set<number>();
    const running = new Set<number>();
    const entries = new Set(ENTRY_FIELDS.map((field) => this.#memory.env(env, field) >>> 12));
    for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
      const hi = this.#memory.env(env, ENV.guaranteed + 8 * slot);
      const ppn = this.#memory.env(env, ENV.guaranteed + 8 * slot + 4) >>> 12;
      if (hi === 0) break;
      guaranteed.add(ppn);
      if (entries.has(hi >>> 12)) running.add(ppn);
    }
    const never = new Set([...this.#kernelPages(env), ...(forOthers ? [] : running)]);
    const family = this.#families.of(env);
    const isForeign = (ppn: number): boolean =>
      forOthers && [...this.#frames.holders(ppn)].some((holder) => this.#families.of(holder) !== family);
    const missed = (ppn: number): number => {
      const shared = this.#memory.frame(ppn, FRAME.holders) > 1;
      return (
        (running.has(ppn) ? 8 : 0) +
        (shared && isForeign(ppn) ? 4 : 0) +
        (guaranteed.has(ppn) ? 2 : 0) +
        (shared ? 1 : 0)
      );
    };
    const may = this.#frames.heldBy(env).filter((ppn) => !never.has(ppn));
    const rank = new Map(may.map((ppn) => [ppn, missed(ppn)]));
    return may.sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0) || a - b);
  }

  /** Notes in the vector that something is taken; a frame with backing store is saved. */
  #list(cpu: NativeCpu, env: number, kind: number, name: number): void {
    this.#memory.setEnv(env, ENV.lost, this.#memory.env(env, ENV.lost) + 1);
    const entry = this.#entry(env, kind === REVOKE_KINDS.frames);
    if (entry === undefined) return;
    const preloaded = this.#memory.get(entry + REPOSSESSION.state) === REPOSSESSION_STATES.preloaded;
    this.#memory.set(entry + REPOSSESSION.kind, kind);
    this.#memory.set(entry + REPOSSESSION.name, name);
    const saving = preloaded && kind === REVOKE_KINDS.frames && this.#save(cpu, env, entry, name);
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
