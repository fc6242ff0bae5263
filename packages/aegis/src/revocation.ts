/**
 * Visible revocation: an environment is asked to give up frames or slices, chooses which, and has a deadline; what it has not
 * given up by then is taken from it (repossession.ts). [SOSP95 §3.3]
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
import { uPagePhysical } from './environments.ts';
import { KP } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import type { Repossession } from './repossession.ts';
import type { Slices } from './slices.ts';
import { REVOCATION, TABLES, VARIABLES } from './tables.ts';

type Kind = (typeof REVOKE_KINDS)[keyof typeof REVOKE_KINDS];
/** Ticks from telling to taking. Assumption: two quanta; the paper's imperative request says "within 50 microseconds". */
const DEADLINE = 2;
/** Ticks from the request to taking, of one that is never told. Assumption: a round of the slice vector, and the deadline. */
const PATIENCE: number = SLICE_LIMIT + DEADLINE;

export class Revocation {
  readonly #memory: KernelMemory;
  readonly #slices: Slices;
  readonly #repossession: Repossession;
  /** By environment: what is asked of it, and what it waits for. */
  readonly #state: Records;

  constructor(memory: KernelMemory, slices: Slices, repossession: Repossession) {
    this.#memory = memory;
    this.#state = new Records(memory, TABLES.revocation);
    this.#slices = slices;
    this.#repossession = repossession;
  }

  /** Asks `env` for `count` more of a kind. Returns how many it is asked for now, or E_NONE: it has no more than its minimum. */
  ask(env: number, kind: Kind, count: number): number {
    const field = targetOf(kind);
    const have = this.#have(env, kind);
    const target = Math.max(minimumOf(kind), Math.min(have, this.#memory.env(env, field)) - count);
    if (target >= have) return ERRORS.E_NONE;
    this.#memory.setEnv(env, field, target);
    if (!this.#isAsked(env)) {
      this.#state.set(env, REVOCATION.asked, this.#memory.next(VARIABLES.asks));
      this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + PATIENCE);
    }
    this.#tell(env);
    this.#arm();
    return have - target;
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

  /**
   * `env` found no free frame. If it has less than its guaranteed minimum, who holds most is asked for what it lacks. Returns
   * whether there is something to wait for.
   */
  need(env: number): boolean {
    const lacks = FRAME_MINIMUM - this.#have(env, REVOKE_KINDS.frames);
    if (lacks <= 0) return false;
    let most = -1;
    let richest = FRAME_MINIMUM;
    for (let other = 0; other < ENV_LIMIT; other += 1) {
      const have = this.#have(other, REVOKE_KINDS.frames);
      if (other === env || have <= richest) continue;
      most = other;
      richest = have;
    }
    if (most < 0) return false;
    // Asking again does not ask for more.
    if (this.#memory.env(most, ENV.frameTarget) === NO_TARGET) this.ask(most, REVOKE_KINDS.frames, lacks);
    this.#state.set(env, REVOCATION.needy, 1);
    this.#state.set(env, REVOCATION.until, this.#now + 2 * PATIENCE);
    return true;
  }

  /** Whether what is free is kept for others, who are below their guaranteed minimum and wait. */
  isReserved(env: number, free: number): boolean {
    let kept = 0;
    for (const needy of this.#needy()) {
      const lacks = FRAME_MINIMUM - this.#have(needy, REVOKE_KINDS.frames);
      const until = this.#state.get(needy, REVOCATION.until);
      if (lacks <= 0 || this.#ticksTo(until) <= 0) this.#state.set(needy, REVOCATION.needy, 0);
      else kept += lacks;
    }
    return kept > 0 && free <= kept && this.#state.get(env, REVOCATION.needy) === 0;
  }

  /** Looks what `env` has given up; a request that it has answered is over. */
  settle(env: number): void {
    if (!this.#isAsked(env)) return;
    if (this.#owes(env, REVOKE_KINDS.frames) === 0 && this.#owes(env, REVOKE_KINDS.slices) === 0) this.#close(env);
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
      this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + DEADLINE);
      this.#arm();
    }
    this.#publish(env);
    const handler = this.#memory.env(env, ENV.exceptionPc);
    return handler === 0 ? prologue : handler;
  }

  /**
   * A deadline has come: who owes something then loses it, one environment a tick. Returns which, for it pays for that, or NO_ENV.
   */
  due(cpu: NativeCpu): number {
    let aborted = NO_ENV;
    for (const env of this.#asked()) {
      if (this.#ticksTo(this.#memory.env(env, ENV.revokeDeadline)) > 0) continue;
      if (aborted !== NO_ENV) {
        this.#memory.setEnv(env, ENV.revokeDeadline, this.#now + 1);
        continue;
      }
      aborted = env;
      for (const kind of [REVOKE_KINDS.frames, REVOKE_KINDS.slices]) {
        const owes = this.#owes(env, kind);
        if (owes > 0) this.take(cpu, env, kind, owes);
      }
      this.#close(env);
      this.#publish(env);
    }
    this.#arm();
    return aborted;
  }

  /** An environment ends. */
  release(env: number): void {
    this.#close(env);
    this.#state.set(env, REVOCATION.needy, 0);
  }

  #isAsked(env: number): boolean {
    return this.#state.get(env, REVOCATION.asked) !== 0;
  }

  /** Of whom something is asked, the oldest request first. */
  #asked(): number[] {
    const number = (env: number): number => this.#state.get(env, REVOCATION.asked);
    return this.#state.filter((env) => this.#isAsked(env)).sort((a, b) => (number(a) - number(b)) | 0);
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
    this.#arm();
    for (const needy of this.#needy()) this.#memory.setEnv(needy, ENV.pending, 1);
  }

  /** The clock looks for the earliest deadline. Tick 0 is past and stands for none. */
  #arm(): void {
    let next = 0;
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
