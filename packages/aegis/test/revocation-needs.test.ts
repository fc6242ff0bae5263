/** Who is asked for frames when a family lacks them, for how many, and for whom those are kept that are free. [SOSP95 §3.4] */
import { ENV, ERRORS, FRAME_MINIMUM, NO_ENV, NO_TARGET, REVOKE_KINDS, SLICE_LIMIT, U } from '@exokernel/abi';
import { KSEG0 } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { checkInvariants } from '../../testkit/src/index.ts';
import { uPagePhysical } from '../src/environments.ts';
import { KP, PHYSICAL } from '../src/layout.ts';
import { COMPLETIONS } from '../src/tables.ts';
import { CPU, World } from './world.ts';

const { frames: FRAMES, slices: SLICES } = REVOKE_KINDS;
/** Ticks until one that is never told loses what it owes. */
const PATIENCE = SLICE_LIMIT + 2;

/** A kernel with so many frames. */
class Memory extends World {
  /** An environment of a maker, or of the loader, that has so many frames. */
  holder(count: number, parent = NO_ENV): number {
    const env = this.born(parent);
    for (let n = 1; n < count; n += 1) expect(this.parts.frames.allocate(env, -1)).toBeGreaterThanOrEqual(0);
    return env;
  }

  need(env: number): boolean {
    this.parts.memory.spent();
    return this.parts.revocation.need(CPU, env);
  }

  /** What an environment is asked for: frames and slices. */
  owes(env: number): readonly [frames: number, slices: number] {
    const { memory } = this.parts;
    const uPage = uPagePhysical(memory, env);
    return [memory.get(uPage + U.revokeFrames), memory.get(uPage + U.revokeSlices)];
  }

  /** An environment gives up this many of its frames. */
  giveUp(env: number, count: number): void {
    const { frames, revocation } = this.parts;
    const given = frames.heldBy(env).filter((ppn) => ppn !== this.frame(env));
    for (const ppn of given.slice(0, count)) expect(frames.drop(env, ppn)).toBe(0);
    revocation.settle(env);
  }

  get tick(): number {
    return this.parts.memory.kernelPage(KP.tick);
  }

  set tick(tick: number) {
    this.parts.memory.setKernelPage(KP.tick, tick);
  }

  /** When the clock looks for those that are late; 0: never. */
  get alarm(): number {
    return this.parts.memory.kernelPage(KP.revokeTick);
  }

  deadline(env: number): number {
    return this.parts.memory.env(env, ENV.revokeDeadline);
  }

  check(): void {
    expect(checkInvariants(this.aegis)).toEqual([]);
  }
}

describe('a request', () => {
  test('sinks to the minimum when it is repeated, keeps its deadline, and is over when it is answered', () => {
    const world = new Memory(40);
    const { memory, revocation } = world.parts;
    const env = world.holder(12);
    world.tick = 100;
    expect(revocation.ask(env, FRAMES, 1)).toBe(1);
    expect([world.owes(env), world.deadline(env), world.alarm]).toEqual([[1, 0], 100 + PATIENCE, 100 + PATIENCE]);
    expect([memory.env(env, ENV.begin), memory.env(env, ENV.pending)]).toEqual([0, 1]);
    world.tick = 110;
    expect(revocation.ask(env, FRAMES, 2)).toBe(3);
    expect(revocation.ask(env, FRAMES, 50)).toBe(12 - FRAME_MINIMUM);
    expect([world.owes(env), world.deadline(env)]).toEqual([[4, 0], 100 + PATIENCE]);
    world.giveUp(env, 3);
    expect([world.owes(env), world.alarm]).toEqual([[1, 0], 100 + PATIENCE]);
    world.giveUp(env, 1);
    expect([world.owes(env), world.deadline(env), world.alarm]).toEqual([[0, 0], 0, 0]);
    expect(memory.env(env, ENV.frameTarget)).toBe(NO_TARGET);
    expect(revocation.ask(env, FRAMES, 1)).toBe(ERRORS.E_NONE);
    expect([world.deadline(env), world.alarm]).toEqual([0, 0]);
    world.check();
  });

  test('for slices leaves one; the clock looks for the earliest deadline of all', () => {
    const world = new Memory(40);
    const { memory, revocation, slices } = world.parts;
    const [env, other] = [world.holder(10), world.holder(1)];
    for (let n = 0; n < 3; n += 1) slices.allocate(other, -1);
    world.tick = 100;
    expect(revocation.ask(other, SLICES, 9)).toBe(2);
    world.tick = 105;
    expect(revocation.ask(env, FRAMES, 1)).toBe(1);
    expect([world.owes(other), world.owes(env)]).toEqual([
      [0, 2],
      [1, 0],
    ]);
    expect(world.alarm).toBe(100 + PATIENCE);
    for (const position of slices.of(other).slice(1)) slices.free(position);
    revocation.settle(other);
    expect([world.alarm, memory.env(other, ENV.sliceTarget)]).toEqual([105 + PATIENCE, NO_TARGET]);
    // Both kinds at once.
    for (let n = 0; n < 2; n += 1) slices.allocate(env, -1);
    expect(revocation.ask(env, SLICES, 1)).toBe(1);
    revocation.settle(env);
    expect([world.owes(env), world.deadline(env)]).toEqual([[1, 1], 105 + PATIENCE]);
    world.check();
  });

  test('by force takes at once, tells, and answers what was asked before', () => {
    const world = new Memory(40);
    const { memory, revocation, slices } = world.parts;
    const env = world.holder(12);
    for (let n = 0; n < 3; n += 1) slices.allocate(env, -1);
    expect(revocation.ask(env, SLICES, 2)).toBe(2);
    for (const field of [ENV.begin, ENV.pending]) memory.setEnv(env, field, field === ENV.begin ? 0x2000 : 0);
    expect(revocation.take(CPU, env, SLICES, 5)).toBe(2);
    expect([slices.of(env).length, memory.env(env, ENV.frames)]).toEqual([1, 12]);
    expect([world.owes(env), world.deadline(env)]).toEqual([[0, 0], 0]);
    expect([memory.env(env, ENV.begin), memory.env(env, ENV.pending)]).toEqual([0, 1]);
    memory.setEnv(env, ENV.pending, 0);
    expect(revocation.take(CPU, env, SLICES, 1)).toBe(ERRORS.E_NONE);
    expect(memory.env(env, ENV.pending)).toBe(0);
    expect(revocation.take(CPU, env, FRAMES, 2)).toBe(2);
    expect(memory.env(env, ENV.frames)).toBe(10);
    world.check();
  });
});

describe('a deadline', () => {
  const PROLOGUE = 0x2000;
  const HANDLER = 0x3000;

  test('comes two ticks after the environment was told in a slice of its own, and never later than it was', () => {
    const world = new Memory(40);
    const { memory, revocation } = world.parts;
    const [env, other] = [world.holder(12), world.holder(10)];
    world.tick = 100;
    expect(revocation.ask(env, FRAMES, 2)).toBe(2);
    memory.setKernelPage(KP.slice, memory.kernelPage(KP.noSlice));
    // Too short to be told in; then another has yielded to it.
    const telling = memory.env(env, ENV.begin);
    expect(revocation.begin(env, true)).toBe(PROLOGUE);
    expect([memory.env(env, ENV.begin), world.deadline(env)]).toEqual([telling, 100 + PATIENCE]);
    expect(revocation.begin(env)).toBe(PROLOGUE);
    expect([memory.env(env, ENV.begin), world.deadline(env)]).toEqual([PROLOGUE, 100 + PATIENCE]);
    memory.setKernelPage(KP.slice, KSEG0 + PHYSICAL.slices);
    memory.setEnv(env, ENV.exceptionPc, HANDLER);
    // That of one that owes nothing does not come.
    expect(revocation.begin(other)).toBe(PROLOGUE);
    expect([world.deadline(other), world.alarm]).toEqual([0, 100 + PATIENCE]);
    expect(revocation.begin(env)).toBe(HANDLER);
    expect([memory.env(env, ENV.begin), world.deadline(env), world.alarm]).toEqual([PROLOGUE, 102, 102]);
    world.tick = 101;
    expect(revocation.begin(env)).toBe(HANDLER);
    expect([world.deadline(env), world.alarm]).toEqual([102, 102]);
    expect(revocation.ask(other, FRAMES, 1)).toBe(1);
    expect(revocation.begin(other)).toBe(PROLOGUE);
    expect([world.deadline(other), world.alarm]).toEqual([103, 102]);
  });

  test('takes what is owed, of one environment a tick, the oldest request first', () => {
    const world = new Memory(40);
    const { memory, revocation } = world.parts;
    const due = (): number => {
      memory.spent();
      return revocation.due(CPU);
    };
    const [env, other] = [world.holder(12), world.holder(10)];
    world.tick = 100;
    expect(revocation.ask(other, FRAMES, 1)).toBe(1);
    expect(revocation.ask(env, FRAMES, 2)).toBe(2);
    world.tick = 100 + PATIENCE - 1;
    expect(due()).toBe(NO_ENV);
    expect([env, other].map((one) => memory.env(one, ENV.frames))).toEqual([12, 10]);
    const lost: number[] = [];
    for (let n = 0; n < 20 && lost.length < 2; n += 1) {
      world.tick += 1;
      const [one, have] = [due(), [env, other].map((who) => memory.env(who, ENV.frames))];
      const owed = [env, other].filter((who) => world.owes(who)[0] === 0 && !lost.includes(who));
      expect(owed.length).toBeLessThanOrEqual(1);
      if (owed.length === 0) expect(world.alarm).toBe(world.tick + 1);
      else expect(owed).toEqual([one]);
      lost.push(...owed);
      expect(have).toEqual([lost.includes(env) ? 10 : 12, lost.includes(other) ? 9 : 10]);
    }
    expect(lost).toEqual([other, env]);
    expect([env, other].map((one) => world.deadline(one))).toEqual([0, 0]);
    expect(world.alarm).toBe(0);
    world.check();
  });
});

describe('a family that lacks frames', () => {
  test('has them asked of the family with most beyond its minimum, once, and no more than that has', () => {
    const world = new Memory(40);
    const [rich, richer] = [world.holder(10), world.holder(20)];
    const poor = world.holder(2);
    expect(world.need(rich)).toBe(false);
    const sibling = world.holder(8, richer);
    expect(world.parts.frames.free).toBe(0);
    for (let n = 0; n < 2; n += 1) expect(world.need(poor)).toBe(true);
    expect([rich, richer, sibling].map((env) => world.owes(env)[0])).toEqual([0, FRAME_MINIMUM - 2, 0]);
    world.check();
  });

  test('of a family asks the member with most; one that has all it is asked for is asked for what is beyond', () => {
    const world = new Memory(20);
    const founder = world.holder(3);
    const [one, other] = [world.holder(7, founder), world.holder(1, founder)];
    const poor = world.holder(1);
    const third = world.holder(FRAME_MINIMUM);
    expect(world.parts.frames.free).toBe(0);
    expect(world.need(poor)).toBe(true);
    // It has eleven, of which eight are guaranteed.
    expect([founder, one, other, third].map((env) => world.owes(env)[0])).toEqual([0, 3, 0, 0]);
    world.check();
  });

  test('has none asked while there are enough', () => {
    const world = new Memory(40);
    const [rich, poor] = [world.holder(20), world.holder(2)];
    expect(world.need(poor)).toBe(true);
    expect([world.owes(rich)[0], world.deadline(rich)]).toEqual([0, 0]);
    // One that has its minimum waits for nothing.
    expect(world.need(world.holder(FRAME_MINIMUM))).toBe(false);
    world.check();
  });

  test('does not wait for the answer of another to a request of its own', () => {
    const world = new Memory(40);
    const { revocation } = world.parts;
    const [rich, other, poor] = [world.holder(28), world.holder(10), world.holder(2)];
    expect(revocation.ask(other, FRAMES, 1)).toBe(1);
    expect(world.need(poor)).toBe(true);
    world.giveUp(other, 1);
    expect([world.deadline(other), world.owes(rich)[0]]).toEqual([0, FRAME_MINIMUM - 2]);
    world.check();
  });

  test('has the family asked that has most, not the environment; of equals the first', () => {
    const world = new Memory(38);
    const founder = world.holder(6);
    const sibling = world.holder(7, founder);
    const [one, other] = [world.holder(12), world.holder(12)];
    const poor = world.holder(1);
    expect(world.need(poor)).toBe(true);
    // Thirteen against twelve; of the seven that it lacks the next is asked for two.
    expect([founder, sibling, one, other].map((env) => world.owes(env)[0])).toEqual([0, 5, 2, 0]);
    const next = new Memory(25);
    const [first, second, last] = [next.holder(12), next.holder(12), next.holder(1)];
    expect(next.need(last)).toBe(true);
    expect([first, second].map((env) => next.owes(env)[0])).toEqual([4, 3]);
    for (const each of [world, next]) each.check();
  });

  test('waits for what comes if there is no other to ask, and has that kept', () => {
    const world = new Memory(16);
    const { frames, registry } = world.parts;
    const [one, poor, other] = [world.holder(FRAME_MINIMUM), world.holder(1), world.holder(4)];
    for (let block = 1; block <= 3; block += 1) {
      const ppn = frames.allocate(other, -1);
      expect(registry.insert(other, ppn, block, { dirty: true, through: { extent: 0, node: 0 } })).toBe(0);
      expect(frames.drop(other, ppn)).toBe(0);
    }
    expect(frames.free).toBe(0);
    expect(world.need(poor)).toBe(true);
    world.giveUp(one, 1);
    expect(frames.allocate(one, -1)).toBe(ERRORS.E_NONE);
    world.check();
  });

  test('counts the frames that transfers still have and no environment holds', () => {
    const world = new Memory(30);
    const { disk, frames, memory } = world.parts;
    const [rich, poor] = [world.holder(29), world.holder(1)];
    const ppn = frames.heldBy(rich).find((one) => one !== world.frame(rich)) ?? -1;
    const done = { kind: COMPLETIONS.word, operand: 0, slot: 0 };
    memory.spent();
    const request = { env: rich, node: 0, block: 9, frames: [{ ppn, node: 0 }], write: true, done };
    expect(disk.submit(CPU, [request])).toBe(0);
    expect(frames.drop(rich, ppn)).toBe(0);
    expect(frames.free).toBe(0);
    expect(world.need(poor)).toBe(true);
    expect(world.owes(rich)[0]).toBe(FRAME_MINIMUM - 1 - 1);
    world.check();
  });

  test('waits for nothing if no other has more than its minimum', () => {
    const world = new Memory(16);
    const [one, other, poor] = [world.holder(FRAME_MINIMUM), world.holder(7), world.holder(1)];
    expect(world.parts.frames.free).toBe(0);
    expect(world.need(poor)).toBe(false);
    expect([one, other].map((env) => world.owes(env)[0])).toEqual([0, 0]);
    // Nothing is kept for it either.
    world.giveUp(one, 1);
    expect(world.parts.frames.allocate(one, -1)).toBeGreaterThanOrEqual(0);
    world.check();
  });

  test('has what is free kept for it, until it lacks none or has waited too long', () => {
    const world = new Memory(30);
    const { frames, memory } = world.parts;
    const [rich, poor] = [world.holder(28), world.holder(2)];
    world.tick = 1000;
    expect(world.need(poor)).toBe(true);
    const lacks = FRAME_MINIMUM - 2;
    expect(world.owes(rich)[0]).toBe(lacks);
    world.giveUp(rich, 5);
    expect(world.owes(rich)[0]).toBe(1);
    expect(frames.allocate(rich, -1)).toBe(ERRORS.E_NONE);
    // Beyond what is kept all may have it.
    world.giveUp(rich, 2);
    // The clock looks again when it has waited too long.
    expect([frames.free, world.alarm]).toEqual([7, 1000 + 2 * PATIENCE]);
    expect(memory.env(poor, ENV.pending)).toBe(1);
    expect(frames.allocate(rich, -1)).toBeGreaterThanOrEqual(0);
    expect(frames.allocate(rich, -1)).toBe(ERRORS.E_NONE);
    expect(frames.allocate(poor, -1)).toBeGreaterThanOrEqual(0);
    world.tick = 1000 + 2 * PATIENCE - 1;
    expect(frames.allocate(rich, -1)).toBe(ERRORS.E_NONE);
    world.tick = 1000 + 2 * PATIENCE;
    expect(frames.allocate(rich, -1)).toBeGreaterThanOrEqual(0);
    world.check();
  });

  test('of two each has its own kept; what one gets does not count for the other', () => {
    const world = new Memory(40);
    const { frames } = world.parts;
    const [rich, poor, poorer] = [world.holder(37), world.holder(2), world.holder(1)];
    expect(world.need(poor)).toBe(true);
    expect(world.owes(rich)[0]).toBe(6);
    expect(world.need(poorer)).toBe(true);
    // Asking again does not ask for more.
    expect(world.owes(rich)[0]).toBe(6);
    world.giveUp(rich, 6);
    // What both lack is not there yet: it owes still, but no number.
    expect([world.owes(rich)[0], world.alarm > 0]).toEqual([0, true]);
    world.giveUp(rich, 7);
    expect([frames.free, world.alarm]).toEqual([13, 2 * PATIENCE]);
    expect(frames.allocate(rich, -1)).toBe(ERRORS.E_NONE);
    for (let n = 0; n < 7; n += 1) expect(frames.allocate(poorer, -1)).toBeGreaterThanOrEqual(0);
    expect(frames.allocate(rich, -1)).toBe(ERRORS.E_NONE);
    for (let n = 0; n < 6; n += 1) expect(frames.allocate(poor, -1)).toBeGreaterThanOrEqual(0);
    world.check();
  });

  test('gets those of dirty blocks that no environment holds before any is asked', () => {
    const world = new Memory(40);
    const { frames, registry } = world.parts;
    const [rich, poor] = [world.holder(12), world.holder(1)];
    for (let block = 1; frames.free > 0; block += 1) {
      const ppn = frames.allocate(rich, -1);
      expect(registry.insert(rich, ppn, block, { dirty: block <= 4, through: { extent: 0, node: 0 } })).toBe(0);
      if (block <= 4) expect(frames.drop(rich, ppn)).toBe(0);
    }
    expect(world.need(poor)).toBe(true);
    expect(world.owes(rich)[0]).toBe(FRAME_MINIMUM - 1 - 4);
    world.check();
  });
});
