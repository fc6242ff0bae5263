/**
 * Visible revocation: an environment is asked to give up frames or slices, chooses which, and has a deadline; what it has not
 * given up by then is taken from it (repossession.ts). [SOSP95 §3.3]
 *
 * The kernel itself asks when a family lacks frames of its guaranteed minimum: the family that has most beyond its own, of that the
 * environment that has most. Such a request is answered when the frames are free, not when the environment has given up as many: what
 * an accomplice still holds no other family can have. At the deadline what is short is taken from all that hold it. Dirty blocks of
 * the registry that no environment holds are written back for the same end.
 *
 * A request is a target: how many it may have left, so that giving back what was only just taken is no answer. It stands in
 * the record of the environment, and in its u-page; the environment is told at the begin of its next slice, at the
 * handler of code 0, and an event wakes it. The deadline is DEADLINE ticks after it was told in a slice, and PATIENCE ticks
 * after the request in any case. Nothing of this costs an access anything: a slice begins through a word that is 0 while there is
 * something to tell, and the clock compares one word.
 */
import {
  ENV,
  ENV_LIMIT,
  ENV_STATUS,
  ERRORS,
  FRAME_MINIMUM,
  NO_ENV,
  NO_TARGET,
  REVOKE_KINDS,
  SLICE_LIMIT,
  SLICE_MINIMUM,
  U,
  type NativeCpu,
} from '@exokernel/abi';
import type { Disk } from './disk.ts';
import { uPagePhysical } from './environments.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import type { Registry } from './registry.ts';
import type { Repossession } from './repossession.ts';
import { familyAsPayer, type Slices } from './slices.ts';
import { REVOCATION, TABLES, VARIABLES } from './tables.ts';

type Kind = (typeof REVOKE_KINDS)[keyof typeof REVOKE_KINDS];
/** Ticks from telling to taking. Assumption: two quanta; the paper's imperative request says "within 50 microseconds". */
const DEADLINE = 2;
/** Ticks from the request to taking, of one that is never told. Assumption: a round of the slice vector, and the deadline. */
const PATIENCE: number = SLICE_LIMIT + DEADLINE;

/**
 * What it costs at most: to look at all that an environment holds; at all that transfers have; to note one taken thing in its vector and
 * begin to save it; to take a frame from all that hold it; to begin to write a block back.
 */
const COST_OF_CHOOSING = 12_000;
const COST_OF_COMING = 14_000;
const COST_OF_TAKEN = 4000;
const COST_OF_SEIZED = 30_000;
const COST_OF_EVICTING = 20_000;

export class Revocation {
  readonly #memory: KernelMemory;
  readonly #slices: Slices;
  readonly #frames: Frames;
  readonly #families: Families;
  readonly #registry: Registry;
  readonly #disk: Disk;
  readonly #repossession: Repossession;
  /** By environment: what is asked of it, and what it waits for. */
  readonly #state: Records;

  constructor(
    memory: KernelMemory,
    parts: {
      readonly slices: Slices;
      readonly frames: Frames;
      readonly families: Families;
      readonly registry: Registry;
      readonly disk: Disk;
      readonly repossession: Repossession;
    },
  ) {
    this.#memory = memory;
    this.#state = new Records(memory, TABLES.revocation);
    this.#slices = parts.slices;
    this.#frames = parts.frames;
    this.#families = parts.families;
    this.#registry = parts.registry;
    this.#disk = parts.disk;
    this.#repossession = parts.repossession;
    parts.frames.isReserved = (env) => this.#isReserved(env);
  }

  /** Asks `env` for `count` more of a kind. Returns how many it is asked for now, or E_NONE: it has no more than its minimum. */
  ask(env: number, kind: Kind, count: number): number {
    const field = targetOf(kind);
    const have = this.#have(env, kind);
    const target = Math.max(minimumOf(kind), Math.min(have, this.#memory.env(env, field)) - count);
    if (target >= have) return ERRORS.E_NONE;
    this.#ask(env, field, target);
    return have - target;
  }

  #ask(env: number, field: number, target: number): void {
    this.#memory.setEnv(env, field, target);
    if (!this.#isAsked(env)) {
      this.#state.set(env, REVOCATION.asked, this.#memory.next(VARIABLES.asks));
      this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + PATIENCE);
    }
    this.#tell(env);
    this.#arm();
  }

  /** What `take` costs at most. */
  costOfTaking(env: number, kind: Kind, count: number): number {
    const taken = Math.min(count, this.#have(env, kind));
    if (taken <= 0) return 0;
    return (
      COST_OF_CHOOSING + taken * COST_OF_TAKEN + (kind === REVOKE_KINDS.frames ? this.#frames.costOfLetting(taken) : 0)
    );
  }

  /** Takes up to `count` of a kind at once, and tells. Returns how many, or E_NONE. */
  take(cpu: NativeCpu, env: number, kind: Kind, count: number): number {
    const { frames } = REVOKE_KINDS;
    const taken =
      kind === frames ? this.#repossession.takeFrames(cpu, env, count) : this.#repossession.takeSlices(cpu, env, count);
    if (taken === 0) return ERRORS.E_NONE;
    this.#tell(env);
    this.settle(env);
    return taken;
  }

  /** What `need` costs at most. */
  costOfNeeding(env: number): number {
    const family = this.#families.of(env);
    if (this.#families.beyond('frames', family) >= 0) return 0;
    return COST_OF_CHOOSING + COST_OF_COMING + Math.max(0, this.#lacking() - this.#frames.free) * COST_OF_EVICTING;
  }

  /**
   * `env` found no free frame. If its family has less than its guaranteed minimum, another is asked for what it lacks. Returns
   * whether there is something to wait for.
   */
  need(cpu: NativeCpu, env: number): boolean {
    const family = this.#families.of(env);
    if (this.#families.beyond('frames', family) >= 0) return false;
    this.#state.set(env, REVOCATION.needy, 1);
    this.#state.set(env, REVOCATION.until, this.#now + 2 * PATIENCE);
    const short = this.#short();
    // What transfers still have is on its way, too: no bystander is asked for as much.
    const coming = this.#registry.evict(cpu, env, short);
    const left = short - coming - this.#disk.leaving;
    if (left <= 0) return true;
    const most = this.#richest(family);
    if (most < 0) {
      if (left === short) this.#state.set(env, REVOCATION.needy, 0);
      return left < short;
    }
    // Asking again does not ask for more.
    if (this.#state.get(most, REVOCATION.forced) === 0) {
      this.#state.set(most, REVOCATION.forced, 1);
      const have = this.#have(most, REVOKE_KINDS.frames);
      const asked = Math.min(left, this.#families.beyond('frames', this.#families.of(most)));
      this.#ask(most, ENV.frameTarget, Math.max(0, Math.min(have, this.#memory.env(most, ENV.frameTarget)) - asked));
    }
    return true;
  }

  /** Of the other families the one with most beyond its minimum that has anything to take; of its members the one with most. Or −1. */
  #richest(family: number): number {
    let most = -1;
    let best = [0, 0];
    for (let env = 0; env < ENV_LIMIT; env += 1) {
      if (this.#memory.env(env, ENV.frames) === 0 || this.#families.of(env) === family) continue;
      const one = [this.#families.beyond('frames', this.#families.of(env)), this.#repossession.seizable(env)];
      const [beyond = 0, seizable = 0] = one;
      if (beyond <= 0 || seizable <= 0) continue;
      const isMore = beyond > (best[0] ?? 0) || (beyond === best[0] && seizable > (best[1] ?? 0));
      if (!isMore) continue;
      most = env;
      best = one;
    }
    return most;
  }

  /** Whether what is free is kept for others, who are below their guaranteed minimum and wait. */
  #isReserved(env: number): boolean {
    const kept = this.#lacking();
    const mine = this.#families.of(env);
    const waits = this.#needy().some((needy) => this.#families.of(needy) === mine);
    return kept > 0 && this.#frames.free <= kept && !waits;
  }

  /** How many frames the families that wait lack. Those that have waited too long, or lack none, wait no longer. */
  #lacking(): number {
    const lacks = new Map<number, number>();
    for (const needy of this.#needy()) {
      const family = this.#families.of(needy);
      const lack = -this.#families.beyond('frames', family);
      const isOver = lack <= 0 || this.#ticksTo(this.#state.get(needy, REVOCATION.until)) <= 0;
      if (isOver) this.#state.set(needy, REVOCATION.needy, 0);
      else lacks.set(family, lack);
    }
    return [...lacks.values()].reduce((sum, lack) => sum + lack, 0);
  }

  /** How many of these frames are not free. */
  #short(): number {
    return Math.max(0, this.#lacking() - this.#frames.free);
  }

  /** Looks what `env` has given up; a request that it has answered is over. */
  settle(env: number): void {
    if (!this.#isAsked(env)) return;
    const owes = this.#owes(env, REVOKE_KINDS.frames) + this.#owes(env, REVOKE_KINDS.slices);
    const isForced = this.#state.get(env, REVOCATION.forced) === 1;
    if (owes === 0 && !(isForced && this.#short() > 0)) this.#close(env);
    this.#publish(env);
  }

  /** A slice of `env` begins that has something to be told. Returns where: its handler, or its prologue, or 0. */
  begin(env: number): number {
    const prologue = this.#memory.env(env, ENV.prologue);
    this.#memory.setEnv(env, ENV.begin, prologue);
    // A yield may leave it an instant only: then it has its time in its own slice.
    const yielded = this.#memory.kernelPage(KP.slice) === this.#memory.kernelPage(KP.noSlice);
    const patient = this.#ticksTo(this.#memory.env(env, ENV.revokeDeadline)) > DEADLINE;
    if (this.#isAsked(env) && patient && !yielded) {
      const deadline = this.#now + DEADLINE;
      this.#memory.setEnv(env, ENV.revokeDeadline, deadline);
      // It is earlier than it was, so the others need no look: this is on the way to a slice, which may need an ASID, too.
      const next = this.#memory.kernelPage(KP.revokeTick);
      if (next === 0 || this.#ticksTo(deadline) < this.#ticksTo(next)) {
        this.#memory.setKernelPage(KP.revokeTick, deadline);
      }
    }
    this.#publish(env);
    const handler = this.#memory.env(env, ENV.exceptionPc);
    return handler === 0 ? prologue : handler;
  }

  /**
   * A deadline has come: who owes something then loses it, one environment a tick. Returns which, for it pays for that, or NO_ENV.
   */
  due(cpu: NativeCpu): number {
    if (this.#memory.payRest(KP.revokeRest)) {
      this.#arm();
      return this.#memory.kernelPage(KP.revokePayer);
    }
    let aborted = NO_ENV;
    for (const env of this.#inOrder()) {
      const isOver = !this.#isAsked(env);
      if (isOver || this.#ticksTo(this.#memory.env(env, ENV.revokeDeadline)) > 0) continue;
      if (aborted !== NO_ENV) {
        this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + 1);
        continue;
      }
      aborted = env;
      if (!this.#memory.affords(env, this.#costOfAbort(env))) {
        this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + 1);
        continue;
      }
      const isForced = this.#state.get(env, REVOCATION.forced) === 1;
      // What others lacked has come from elsewhere: nothing is taken for it.
      const kinds =
        isForced && this.#short() === 0 ? [REVOKE_KINDS.slices] : [REVOKE_KINDS.frames, REVOKE_KINDS.slices];
      if (isForced) this.#seize(cpu, env);
      for (const kind of kinds) {
        const owes = this.#owes(env, kind);
        if (owes > 0) this.take(cpu, env, kind, owes);
      }
      this.#close(env);
      this.#publish(env);
    }
    // Its record may be another's when the rest is paid.
    const payer = aborted === NO_ENV ? NO_ENV : familyAsPayer(this.#families.of(aborted));
    this.#memory.setKernelPage(KP.revokePayer, payer);
    this.#arm();
    return aborted;
  }

  /** What a deadline has taken beyond its estimate is paid by the same environment, a piece a tick. */
  rests(cycles: number): void {
    if (cycles === 0) return;
    this.#memory.setKernelPage(KP.revokeRest, cycles);
    this.#arm();
  }

  /** What it costs at most to take by force what an environment has not given up. It pays one piece a tick. */
  #costOfAbort(env: number): number {
    const costOf = (kind: Kind): number => this.costOfTaking(env, kind, this.#owes(env, kind));
    const owed = costOf(REVOKE_KINDS.frames) + costOf(REVOKE_KINDS.slices);
    const isForced = this.#state.get(env, REVOCATION.forced) === 1;
    return owed + (isForced ? COST_OF_CHOOSING + this.#short() * COST_OF_SEIZED : 0);
  }

  /** Takes what other families lack from those that hold the frames of `env`, and tells them. */
  #seize(cpu: NativeCpu, env: number): void {
    const losers = this.#repossession.seize(cpu, env, this.#short());
    for (const loser of losers) {
      this.#tell(loser);
      if (loser !== env) this.settle(loser);
    }
  }

  /** An environment ends. */
  release(env: number): void {
    this.#close(env);
    this.#state.set(env, REVOCATION.needy, 0);
  }

  #isAsked(env: number): boolean {
    return this.#state.get(env, REVOCATION.asked) !== 0;
  }

  /** Of whom something is asked. */
  #asked(): number[] {
    return this.#state.filter((env) => this.#isAsked(env));
  }

  /** The same, the oldest request first. */
  #inOrder(): number[] {
    const number = (env: number): number => this.#state.get(env, REVOCATION.asked);
    return this.#asked().sort((a, b) => (number(a) - number(b)) | 0);
  }

  /** Who waits for frames that others were asked for. */
  #needy(): number[] {
    return this.#state.filter((env) => this.#state.get(env, REVOCATION.needy) === 1);
  }

  get #now(): number {
    return this.#memory.kernelPage(KP.tick);
  }

  #ticksTo(tick: number): number {
    return (tick - this.#now) | 0;
  }

  #have(env: number, kind: Kind): number {
    return kind === REVOKE_KINDS.frames ? this.#memory.env(env, ENV.frames) : this.#slices.of(env).length;
  }

  #owes(env: number, kind: Kind): number {
    return Math.max(0, this.#have(env, kind) - this.#memory.env(env, targetOf(kind)));
  }

  /** It hears of it at the begin of its next slice. */
  #tell(env: number): void {
    if (this.#memory.env(env, ENV.status) === ENV_STATUS.runnable) this.#memory.setEnv(env, ENV.begin, 0);
    this.#memory.setEnv(env, ENV.pending, 1);
    this.#publish(env);
  }

  /** What stands in its u-page. */
  #publish(env: number): void {
    const uPage = uPagePhysical(this.#memory, env);
    if (uPage === 0) return;
    this.#memory.set(uPage + U.revokeFrames, this.#owes(env, REVOKE_KINDS.frames));
    this.#memory.set(uPage + U.revokeSlices, this.#owes(env, REVOKE_KINDS.slices));
    this.#memory.set(uPage + U.revokeDeadline, this.#memory.env(env, ENV.revokeDeadline));
    this.#memory.set(uPage + U.lost, this.#memory.env(env, ENV.lost));
  }

  #close(env: number): void {
    this.#memory.setEnv(env, ENV.frameTarget, NO_TARGET);
    this.#memory.setEnv(env, ENV.sliceTarget, NO_TARGET);
    this.#memory.setEnv(env, ENV.revokeDeadline, 0);
    if (!this.#isAsked(env)) return;
    this.#state.set(env, REVOCATION.asked, 0);
    this.#state.set(env, REVOCATION.forced, 0);
    this.#arm();
    for (const needy of this.#needy()) this.#memory.setEnv(needy, ENV.pending, 1);
  }

  /** The clock looks for the earliest deadline. Tick 0 is past and stands for none. */
  #arm(): void {
    let next = this.#memory.kernelPage(KP.revokeRest) === 0 ? 0 : this.#now + 1;
    for (const env of this.#asked()) {
      const deadline = this.#memory.env(env, ENV.revokeDeadline);
      if (next === 0 || this.#ticksTo(deadline) < this.#ticksTo(next)) next = deadline;
    }
    this.#memory.setKernelPage(KP.revokeTick, next);
  }
}

/** The word of a record that holds the target of a kind. */
function targetOf(kind: Kind): number {
  return kind === REVOKE_KINDS.frames ? ENV.frameTarget : ENV.sliceTarget;
}

function minimumOf(kind: Kind): number {
  return kind === REVOKE_KINDS.frames ? FRAME_MINIMUM : SLICE_MINIMUM;
}
