/**
 * Visible revocation: an environment is asked to give up frames or slices, chooses which, and has a deadline; what it has not
 * given up by then is taken from it (repossession.ts). [SOSP95 §3.3]
 *
 * The kernel itself asks when a family lacks frames of its guaranteed minimum: the family that has most beyond its own, and the next if that
 * is not enough; of each the environment that has most. The request and its deadline are the family's: another member is asked in the
 * place of one that ends, and has no more time than that had. It is answered when the frames are free, not when the environment has
 * given up as many: what an accomplice still holds no other family can have. At the deadline what is short is taken from all that hold
 * it, before anything else that is due; if the family has too little that can be taken, the next is asked. Dirty blocks of the registry
 * that no environment holds are written back for the same end.
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
import type { KernelMemory } from './memory.ts';
import type { Registry } from './registry.ts';
import type { Repossession } from './repossession.ts';
import { Rests } from './revocation-rests.ts';
import { familyAsPayer, type Slices } from './slices.ts';
import { Requests, TAKEN } from './revocation-requests.ts';
import { FAMILY_ASK, REVOCATION, VARIABLES } from './tables.ts';

type Kind = (typeof REVOKE_KINDS)[keyof typeof REVOKE_KINDS];
/** Ticks from telling to taking. Assumption: two quanta; the paper's imperative request says "within 50 microseconds". */
const DEADLINE = 2;
/** Ticks from the request to taking, of one that is never told. Assumption: a round of the slice vector, and the deadline. */
const PATIENCE: number = SLICE_LIMIT + DEADLINE;

/**
 * What it costs at most: to look at all that an environment holds; at all that transfers have; to note one taken thing in its vector and
 * begin to save it; to begin to write a block back.
 */
const COST_OF_CHOOSING = 12_000;
const COST_OF_COMING = 14_000;
const COST_OF_TAKEN = 4000;
const COST_OF_EVICTING = 20_000;

export class Revocation {
  readonly #memory: KernelMemory;
  readonly #slices: Slices;
  readonly #frames: Frames;
  readonly #families: Families;
  readonly #registry: Registry;
  readonly #disk: Disk;
  readonly #repossession: Repossession;
  readonly #requests: Requests;
  readonly #rests: Rests;

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
    this.#requests = new Requests(memory);
    this.#rests = new Rests(memory, parts.slices);
    this.#slices = parts.slices;
    this.#frames = parts.frames;
    this.#families = parts.families;
    this.#registry = parts.registry;
    this.#disk = parts.disk;
    this.#repossession = parts.repossession;
    parts.frames.isReserved = (env) => this.#isReserved(env);
    parts.frames.arrived = () => {
      this.#arrived();
    };
  }

  /**
   * Asks `env` for `count` more of a kind. Returns how many it is asked for now, E_NONE: it has no more than its minimum, or E_BUSY: it owes so
   * much that it could not pay for the taking (`Slices.isDebtor`).
   */
  ask(env: number, kind: Kind, count: number): number {
    const field = targetOf(kind);
    const have = this.#have(env, kind);
    const target = Math.max(minimumOf(kind), Math.min(have, this.#memory.env(env, field)) - count);
    if (target >= have) return ERRORS.E_NONE;
    if (this.#slices.isDebtor(env)) return ERRORS.E_BUSY;
    this.#ask(env, field, target);
    return have - target;
  }

  #ask(env: number, field: number, target: number): void {
    this.#memory.setEnv(env, field, target);
    if (!this.#requests.isAsked(env)) {
      this.#requests.state.set(env, REVOCATION.asked, this.#memory.next(VARIABLES.asks));
      this.#memory.setEnv(env, ENV.revokeDeadline, this.#requests.now + PATIENCE);
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
   * `env` found no free frame. If its family has less than its guaranteed minimum, others are asked for what it lacks. Returns
   * whether there is something to wait for; then an event comes.
   */
  need(cpu: NativeCpu, env: number): boolean {
    const family = this.#families.of(env);
    if (this.#families.beyond('frames', family) >= 0 || this.#slices.neverPays(env)) return false;
    this.#requests.state.set(env, REVOCATION.needy, 1);
    this.#requests.state.set(env, REVOCATION.until, this.#requests.now + 2 * PATIENCE);
    const short = this.#short();
    // What transfers still have is on its way, too: no bystander is asked for as much.
    const coming = this.#registry.evict(cpu, env, short);
    const left = short - coming - this.#disk.leaving;
    const waits = left <= 0 || this.#askFor(left) || left < short;
    if (waits) this.#memory.setVariable(VARIABLES.wanting, 1);
    else this.#requests.state.set(env, REVOCATION.needy, 0);
    // Now that it waits, what is free may be kept for it.
    if (waits && short === 0) this.#memory.setEnv(env, ENV.pending, 1);
    this.#look();
    return waits;
  }

  /**
   * Asks the families with most beyond their minimum, as many as it takes, but for those that have lost already what could be taken.
   * Returns whether one is asked. Asking again does not ask for more.
   */
  #askFor(count: number): boolean {
    let left = count;
    for (const family of this.#families.richest('frames')) {
      if (left <= 0) break;
      if (this.#askFamily(family, left)) left -= this.#families.beyond('frames', family);
    }
    return left < count;
  }

  /** Asks the member of a family that can give most, unless one is asked. Returns whether one is. */
  #askFamily(family: number, count: number): boolean {
    const deadline = this.#requests.asks.get(family, FAMILY_ASK.deadline);
    if (deadline === TAKEN) return false;
    let most = -1;
    let best = 0;
    for (let env = 0; env < ENV_LIMIT; env += 1) {
      if (this.#memory.env(env, ENV.frames) === 0 || this.#families.of(env) !== family) continue;
      if (deadline !== 0 && this.#requests.isForced(env)) return true;
      const givable = this.#repossession.givable(env);
      if (givable <= best) continue;
      most = env;
      best = givable;
    }
    if (most < 0) return deadline !== 0;
    const have = this.#have(most, REVOKE_KINDS.frames);
    const asked = Math.min(count, this.#families.beyond('frames', family));
    this.#requests.state.set(most, REVOCATION.forced, 1);
    this.#ask(most, ENV.frameTarget, Math.max(0, Math.min(have, this.#memory.env(most, ENV.frameTarget)) - asked));
    // In the place of one that has ended it has what is left of its time.
    const earliest = this.#requests.first([this.#memory.env(most, ENV.revokeDeadline), deadline]);
    const next = this.#requests.ticksTo(earliest) > 0 ? earliest : this.#requests.now + 1;
    this.#memory.setEnv(most, ENV.revokeDeadline, next);
    this.#requests.asks.set(family, FAMILY_ASK.deadline, next);
    this.#publish(most);
    return true;
  }

  /**
   * Takes from the families whose deadlines have come what others lack, and asks the next ones for what could not be had. Returns who pays, or
   * NO_ENV: nothing was taken.
   */
  #takeForOthers(cpu: NativeCpu): number {
    const families = this.#requests.asks.filter((family) =>
      this.#requests.isDue(this.#requests.asks.get(family, FAMILY_ASK.deadline)),
    );
    for (const family of families) this.#requests.asks.set(family, FAMILY_ASK.deadline, TAKEN);
    const lacking = (): number => this.#short() - this.#disk.leaving - this.#registry.leaving;
    let payer = NO_ENV;
    for (const family of families.length === 0 ? [] : this.#families.richest('frames')) {
      if (this.#requests.asks.get(family, FAMILY_ASK.deadline) !== TAKEN || lacking() <= 0) continue;
      if (payer === NO_ENV) payer = familyAsPayer(family);
      const losers = this.#repossession.seize(cpu, family, lacking());
      for (const loser of losers) this.#tell(loser);
      for (const loser of losers) this.settle(loser);
      if (losers.size > 0) this.#wake();
    }
    for (const env of this.#requests.asked()) {
      if (
        !this.#requests.isForced(env) ||
        this.#requests.asks.get(this.#families.of(env), FAMILY_ASK.deadline) !== TAKEN
      )
        continue;
      this.#requests.state.set(env, REVOCATION.forced, 0);
      this.#memory.setEnv(env, ENV.frameTarget, NO_TARGET);
      this.settle(env);
    }
    const left = lacking();
    if (left > 0 && this.#askFor(left)) {
      // The next ones have as much time as the first.
      for (const needy of this.#requests.needy())
        this.#requests.state.set(needy, REVOCATION.until, this.#requests.now + 2 * PATIENCE);
    } else {
      // If something is lacking still it begins again.
      for (const family of this.#familiesTaken()) this.#requests.asks.set(family, FAMILY_ASK.deadline, 0);
    }
    this.#look();
    return payer;
  }

  #familiesTaken(): number[] {
    return this.#requests.asks.filter((family) => this.#requests.asks.get(family, FAMILY_ASK.deadline) === TAKEN);
  }

  /** A frame is free that only a device or the registry had: who waits is told. */
  #arrived(): void {
    if (this.#memory.variable(VARIABLES.wanting) === 0) return;
    this.#memory.setVariable(VARIABLES.wanting, 0);
    this.#wake();
  }

  /** Who waits for frames has an event. */
  #wake(): void {
    for (const needy of this.#requests.needy()) this.#memory.setEnv(needy, ENV.pending, 1);
  }

  /** Whether what is free is kept for others, who are below their guaranteed minimum and wait. */
  #isReserved(env: number): boolean {
    const kept = this.#lacking();
    const mine = this.#families.of(env);
    const waits = this.#requests.needy().some((needy) => this.#families.of(needy) === mine);
    return kept > 0 && this.#frames.free <= kept && !waits;
  }

  /** How many frames the families that wait lack. Those that have waited too long, or lack none, wait no longer. */
  #lacking(): number {
    const lacks = new Map<number, number>();
    for (const needy of this.#requests.needy()) {
      const family = this.#families.of(needy);
      const lack = -this.#families.beyond('frames', family);
      const isOver = lack <= 0 || this.#requests.ticksTo(this.#requests.state.get(needy, REVOCATION.until)) <= 0;
      if (!isOver) lacks.set(family, lack);
      else {
        this.#requests.state.set(needy, REVOCATION.needy, 0);
        this.#memory.setEnv(needy, ENV.pending, 1);
      }
    }
    return [...lacks.values()].reduce((sum, lack) => sum + lack, 0);
  }

  /** How many of these frames are not free. */
  #short(): number {
    return Math.max(0, this.#lacking() - this.#frames.free);
  }

  /** Looks what `env` has given up; a request that it has answered is over. */
  settle(env: number): void {
    if (!this.#requests.isAsked(env)) return;
    const owes = this.#owes(env, REVOKE_KINDS.frames) + this.#owes(env, REVOKE_KINDS.slices);
    const isForced = this.#requests.isForced(env);
    if (owes === 0 && !(isForced && this.#short() > 0)) {
      if (isForced) this.#requests.asks.set(this.#families.of(env), FAMILY_ASK.deadline, 0);
      this.#close(env);
      if (isForced) this.#look();
    }
    this.#publish(env);
  }

  /**
   * A slice of `env` begins that has something to be told. Returns where: its handler, or its prologue, or 0. One that is over before it could do
   * anything (`short`) is not told now, but when its next slice begins: others can see to it that its slices are short.
   */
  begin(env: number, short = false): number {
    const prologue = this.#memory.env(env, ENV.prologue);
    if (short) return prologue;
    this.#memory.setEnv(env, ENV.begin, prologue);
    // What another has yielded is no slice of its own.
    const yielded = this.#memory.kernelPage(KP.slice) === this.#memory.kernelPage(KP.noSlice);
    const patient = this.#requests.ticksTo(this.#memory.env(env, ENV.revokeDeadline)) > DEADLINE;
    if (this.#requests.isAsked(env) && patient && !yielded) {
      const deadline = this.#requests.now + DEADLINE;
      this.#memory.setEnv(env, ENV.revokeDeadline, deadline);
      if (this.#requests.isForced(env)) {
        this.#requests.asks.set(this.#families.of(env), FAMILY_ASK.deadline, deadline);
        const first = this.#requests.first([deadline, this.#memory.variable(VARIABLES.wantTick)]);
        this.#memory.setVariable(VARIABLES.wantTick, first);
      }
      // It is earlier than it was, so the others need no look: this is on the way to a slice, which may need an ASID, too.
      const next = this.#memory.kernelPage(KP.revokeTick);
      if (next === 0 || this.#requests.ticksTo(deadline) < this.#requests.ticksTo(next)) {
        this.#memory.setKernelPage(KP.revokeTick, deadline);
      }
    }
    this.#publish(env);
    const handler = this.#memory.env(env, ENV.exceptionPc);
    return handler === 0 ? prologue : handler;
  }

  /**
   * A deadline has come. What families lack is taken first; else a piece is paid of what that has cost; else one environment a tick loses what it
   * owes. Returns who pays for that, or NO_ENV.
   */
  due(cpu: NativeCpu): number {
    const payer = this.#requests.isDue(this.#memory.variable(VARIABLES.wantTick)) ? this.#takeForOthers(cpu) : NO_ENV;
    if (payer === NO_ENV) {
      const pays = this.#rests.pay(this.#requests.now);
      if (pays === undefined) return this.#abort(cpu);
      this.#defer();
      return pays;
    }
    this.#memory.setKernelPage(KP.revokePayer, payer);
    this.#defer();
    return payer;
  }

  /** This tick has no time for those that are due: they have one more. */
  #defer(): void {
    for (const env of this.#requests.asked()) {
      const isDue = this.#requests.ticksTo(this.#memory.env(env, ENV.revokeDeadline)) <= 0;
      if (isDue) this.#memory.setEnv(env, ENV.revokeDeadline, this.#requests.now + 1);
    }
    this.#arm();
  }

  /** The oldest request that is due: what the environment owes it loses, as soon as it has paid for that. Returns which, or NO_ENV. */
  #abort(cpu: NativeCpu): number {
    let aborted = NO_ENV;
    for (const env of this.#requests.inOrder()) {
      const isOver = !this.#requests.isAsked(env) || this.#requests.isForced(env);
      if (isOver || this.#requests.ticksTo(this.#memory.env(env, ENV.revokeDeadline)) > 0) continue;
      if (aborted !== NO_ENV) {
        this.#memory.setEnv(env, ENV.revokeDeadline, this.#requests.now + 1);
        continue;
      }
      aborted = env;
      if (this.#slices.isDebtor(env)) {
        // It may have no slice that ever pays: then all others would.
        this.#close(env);
        this.#publish(env);
        continue;
      }
      if (!this.#memory.affords(env, this.#costOfAbort(env))) {
        this.#memory.setEnv(env, ENV.revokeDeadline, this.#requests.now + 1);
        continue;
      }
      for (const kind of [REVOKE_KINDS.frames, REVOKE_KINDS.slices]) {
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

  /** What a deadline has taken beyond its estimate is paid by the same family, a piece a tick. */
  rests(cycles: number): void {
    if (cycles === 0) return;
    this.#rests.add(this.#memory.kernelPage(KP.revokePayer), cycles);
    this.#arm();
  }

  /** What it costs at most to take by force what an environment has not given up. It pays one piece a tick. */
  #costOfAbort(env: number): number {
    const costOf = (kind: Kind): number => this.costOfTaking(env, kind, this.#owes(env, kind));
    return costOf(REVOKE_KINDS.frames) + costOf(REVOKE_KINDS.slices);
  }

  /** An environment ends. */
  release(env: number): void {
    this.#close(env);
    this.#requests.state.set(env, REVOCATION.needy, 0);
    const family = this.#families.of(env);
    // The last of a family: the number may be another's.
    if (this.#families.has('environments', family) === 1) this.#requests.asks.set(family, FAMILY_ASK.deadline, 0);
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
    if (!this.#requests.isAsked(env)) return;
    this.#requests.state.set(env, REVOCATION.asked, 0);
    this.#requests.state.set(env, REVOCATION.forced, 0);
    this.#arm();
    this.#wake();
  }

  /** The clock looks for the earliest deadline. */
  #arm(): void {
    const rest = this.#rests.next(this.#requests.now);
    const deadlines = this.#requests.asked().map((env) => this.#memory.env(env, ENV.revokeDeadline));
    this.#memory.setKernelPage(
      KP.revokeTick,
      this.#requests.first([rest, this.#memory.variable(VARIABLES.wantTick), ...deadlines]),
    );
  }

  /** The same, when another family is asked or lacks frames: the deadlines of the ones, and until when the others wait. */
  #look(): void {
    const untils = this.#requests.needy().map((env) => this.#requests.state.get(env, REVOCATION.until));
    const deadlines = Array.from({ length: ENV_LIMIT }, (_, family) =>
      this.#requests.asks.get(family, FAMILY_ASK.deadline),
    );
    const next = this.#requests.first([...untils, ...deadlines.filter((deadline) => deadline !== TAKEN)]);
    this.#memory.setVariable(VARIABLES.wantTick, next);
    this.#arm();
  }
}

/** The word of a record that holds the target of a kind. */
function targetOf(kind: Kind): number {
  return kind === REVOKE_KINDS.frames ? ENV.frameTarget : ENV.sliceTarget;
}

function minimumOf(kind: Kind): number {
  return kind === REVOKE_KINDS.frames ? FRAME_MINIMUM : SLICE_MINIMUM;
}
