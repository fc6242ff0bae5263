/** Who owns a slice, who runs in it, and who owes what it took too much: as the vector, the records and the families say. */
import {
  CAPABILITY_KINDS,
  RIGHTS,
  DEATHS,
  ENV,
  ENV_STATUS,
  ERRORS,
  NO_ENV,
  SLICE,
  SLICE_BYTES,
  SLICE_LIMIT,
} from '@exokernel/abi';
import { KSEG0 } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { checkInvariants } from '../../testkit/src/index.ts';
import { KP, MOST_DEBT, PHYSICAL, PLEDGED } from '../src/layout.ts';
import { envAddress, envPhysical } from '../src/memory.ts';
import { familyAsPayer } from '../src/slices.ts';
import { TABLES } from '../src/tables.ts';
import { World } from './world.ts';

/** A kernel whose slices are looked at. */
class Vector extends World {
  constructor() {
    super(100);
  }

  /** A slice of `env` that has this credit. Returns its position. */
  slice(env: number, credit = 0, position = -1): number {
    const p = this.parts.slices.allocate(env, position);
    expect(p).toBeGreaterThanOrEqual(0);
    if (credit !== 0) this.setCredit(p, credit);
    return p;
  }

  setCredit(position: number, credit: number): void {
    this.parts.memory.set(PHYSICAL.slices + SLICE_BYTES * position + SLICE.credit, credit);
  }

  /** What a slice has, or owes by itself. */
  credit(position: number): number {
    const credit = this.parts.memory.slice(position, SLICE.credit) | 0;
    return this.pledged(position) ? credit - PLEDGED : credit;
  }

  pledged(position: number): boolean {
    return (this.parts.memory.slice(position, SLICE.credit) | 0) < -2 * MOST_DEBT;
  }

  /** The switch comes to a slice that has been lower than any debt: as the machine code leaves it. Returns whether it begins. */
  comeTo(position: number): boolean {
    const { memory, slices } = this.parts;
    const owner = this.owner(position);
    const more = memory.kernelPage(KP.quantum) + (memory.env(owner, ENV.credit) | 0);
    memory.setEnv(owner, ENV.credit, 0);
    this.setCredit(position, (memory.slice(position, SLICE.credit) | 0) + more);
    return slices.redeem(position);
  }

  owner(position: number): number {
    return this.parts.memory.slice(position, SLICE.owner);
  }

  /** Who runs in a slice, or NO_ENV. */
  runner(position: number): number {
    const running = this.parts.memory.slice(position, SLICE.running);
    return running === 0 ? NO_ENV : (running - envAddress(0)) / (envAddress(1) - envAddress(0));
  }

  /** A slice is lent to another environment, as a directed yield or `lend` does. */
  donate(position: number, env: number): void {
    this.parts.memory.setSlice(position, this.owner(position), envAddress(env));
  }

  /** What an environment owes by itself, as a credit. */
  own(env: number): number {
    return this.parts.memory.env(env, ENV.credit) | 0;
  }

  /** What waits for a slice of the family of an environment. */
  waiting(env: number): number {
    return this.parts.memory.get(this.parts.families.creditOf(this.family(env))) | 0;
  }

  setWaiting(env: number, credit: number): void {
    this.parts.memory.set(this.parts.families.creditOf(this.family(env)), credit);
  }

  /** Where the kernel takes what the interrupt costs that this one pays for. */
  claimant(payer: number): number {
    this.parts.memory.setKernelPage(KP.claimant, 0);
    this.parts.slices.charge(payer);
    return this.parts.memory.kernelPage(KP.claimant);
  }

  /** How many positions a round has. */
  get length(): number {
    return this.parts.memory.kernelPage(KP.vectorBytes) / SLICE_BYTES;
  }

  has(env: number): number {
    return this.parts.families.has('slices', this.family(env));
  }

  embryo(parent: number): number {
    return this.parts.environments.allocate(parent, undefined);
  }

  check(): void {
    expect(checkInvariants(this.aegis)).toEqual([]);
  }
}

/** A kernel with two environments, of a family each. */
function setting(): { vector: Vector; parts: Vector['parts']; env: number; other: number } {
  const vector = new Vector();
  return { vector, parts: vector.parts, env: vector.born(NO_ENV), other: vector.born(NO_ENV) };
}

const at = (position: number): number => KSEG0 + PHYSICAL.slices + SLICE_BYTES * position;

describe('who has a slice', () => {
  test('at first it is of none; who takes one that is its own has no second', () => {
    const { vector, parts, env, other } = setting();
    for (let p = 0; p < SLICE_LIMIT; p += 1) expect([vector.owner(p), vector.runner(p)]).toEqual([NO_ENV, NO_ENV]);
    expect(parts.slices.allocate(env, -1)).toBe(0);
    expect(parts.slices.allocate(env, 5)).toBe(5);
    expect(parts.slices.allocate(env, 5)).toBe(5);
    expect(vector.has(env)).toBe(2);
    expect(parts.slices.allocate(other, 5)).toBe(ERRORS.E_BUSY);
    for (const position of [-2, SLICE_LIMIT]) expect(parts.slices.allocate(env, position)).toBe(ERRORS.E_RANGE);
    expect(parts.slices.allocate(other, SLICE_LIMIT - 1)).toBe(SLICE_LIMIT - 1);
    expect(parts.slices.of(env)).toEqual([0, 5]);
    vector.check();
  });

  test('the round ends after the last one that is taken', () => {
    const { vector, parts, env, other } = setting();
    expect(vector.length).toBe(0);
    for (const position of [3, 9]) vector.slice(env, 0, position);
    expect(vector.length).toBe(10);
    parts.slices.free(9);
    expect(vector.length).toBe(4);
    vector.slice(other, 0, 7);
    expect(vector.length).toBe(8);
    parts.environments.end(other, DEATHS.exit);
    expect(vector.length).toBe(4);
    vector.check();
  });

  test('neighbours are given all or none', () => {
    const { vector, parts, env, other } = setting();
    for (const position of [2, 5]) vector.slice(env, 0, position);
    expect(parts.slices.allocateRun(env, 0)).toBe(0);
    expect(parts.slices.allocateRun(env, 2)).toBe(0);
    expect(parts.slices.allocateRun(env, 2)).toBe(3);
    expect(parts.slices.allocateRun(env, 3)).toBe(6);
    expect(parts.slices.of(env)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const room = SLICE_LIMIT - 9;
    expect(parts.slices.allocateRun(env, room + 1)).toBe(ERRORS.E_NONE);
    expect(parts.slices.allocateRun(env, room)).toBe(ERRORS.E_NONE);
    expect(vector.has(env)).toBe(9);
    // What is kept for two families.
    expect(parts.slices.allocateRun(env, room - 2)).toBe(9);
    expect(parts.slices.allocate(env, -1)).toBe(ERRORS.E_NONE);
    expect(parts.slices.allocate(env, SLICE_LIMIT - 1)).toBe(ERRORS.E_NONE);
    expect(vector.owner(SLICE_LIMIT - 1)).toBe(NO_ENV);
    for (const one of [other, vector.born(NO_ENV)]) vector.slice(one);
    expect(parts.slices.allocate(other, -1)).toBe(ERRORS.E_NONE);
    vector.check();
  });

  test('neighbours that there are not are not given one by one', () => {
    const { vector, parts, env, other } = setting();
    for (let position = 3; position < SLICE_LIMIT; position += 4) vector.slice(other, 0, position);
    expect(parts.slices.allocateRun(env, 8)).toBe(ERRORS.E_NONE);
    expect(parts.slices.of(env)).toEqual([]);
    expect(parts.slices.allocateRun(env, 3)).toBe(0);
    vector.check();
  });

  test('an environment runs in its slices from its start on, in those that are lent to no other', () => {
    const { vector, parts, env } = setting();
    const child = vector.embryo(env);
    const [first, lent, parents] = [vector.slice(child), vector.slice(child), vector.slice(env)];
    expect([first, lent, parents].map((p) => vector.runner(p))).toEqual([NO_ENV, NO_ENV, env]);
    vector.donate(lent, env);
    parts.memory.setEnv(child, ENV.status, ENV_STATUS.runnable);
    parts.slices.start(child);
    expect([first, lent, parents].map((p) => vector.runner(p))).toEqual([child, env, env]);
    parts.slices.takeBack(child);
    expect([first, lent, parents].map((p) => vector.runner(p))).toEqual([child, child, env]);
  });

  test('when an environment ends, its slices are free, and what it was lent is its owner’s again', () => {
    const { vector, parts, env, other } = setting();
    const child = vector.embryo(other);
    const [mine, lent, idle, stranger] = [
      vector.slice(env),
      vector.slice(other),
      vector.slice(child),
      vector.slice(other),
    ];
    for (const position of [lent, idle]) vector.donate(position, env);
    parts.environments.end(env, DEATHS.exit);
    expect([mine, lent, idle, stranger].map((p) => vector.owner(p))).toEqual([NO_ENV, other, child, other]);
    expect([mine, lent, idle, stranger].map((p) => vector.runner(p))).toEqual([NO_ENV, other, NO_ENV, other]);
    vector.check();
  });

  test('a capability of a slice ends with its owner', () => {
    const { vector, parts, env, other } = setting();
    const [position, second] = [vector.slice(env), vector.slice(env)];
    const check = (words: ReturnType<typeof parts.slices.capability>): number =>
      parts.capabilities.check(words, 'slice', 0);
    const words = parts.slices.capability(position);
    expect(check(words)).toBe(position);
    parts.slices.give(position, other);
    expect(check(words)).toBe(ERRORS.E_CAP);
    const both = [position, second].map((p) => parts.slices.capability(p));
    parts.slices.swap(position, second);
    expect(both.map(check)).toEqual([ERRORS.E_CAP, ERRORS.E_CAP]);
    expect([position, second].map((p) => vector.owner(p))).toEqual([env, other]);
    const last = parts.slices.capability(position);
    parts.slices.free(position);
    expect(check(last)).toBe(ERRORS.E_CAP);
    // Also when the next owner has it.
    vector.slice(other, 0, position);
    expect(check(last)).toBe(ERRORS.E_CAP);
    expect([env, other].map((one) => vector.has(one))).toEqual([0, 2]);
    vector.check();
  });
});

test('the branches of its capability end with its owner, and of one without an owner there is no capability', () => {
  const { vector, parts, env, other } = setting();
  const { capabilities, memory, slices } = parts;
  const exists = (name: number): boolean => capabilities.exists({ kind: CAPABILITY_KINDS.slice, name });
  const position = vector.slice(env, 0, 2);
  expect(capabilities.branch(slices.capability(position), RIGHTS.write, env)).not.toBeTypeOf('number');
  slices.give(position, other);
  expect(capabilities.nodes.used).toBe(0);
  expect(exists(position)).toBe(true);
  // Its generation has a second word, which stands elsewhere.
  memory.set(PHYSICAL.slices + SLICE_BYTES * position + SLICE.generation, 0xffffffff);
  slices.free(position);
  expect(memory.get(memory.table(TABLES.sliceState) + TABLES.sliceState.bytes * position)).toBe(1);
  for (const none of [position, SLICE_LIMIT]) expect(exists(none)).toBe(false);
  vector.check();
});

describe('what a slice owes', () => {
  test('its family pays first: a slice that is taken is pledged for that, and an embryo’s too when it starts', () => {
    const { vector, parts, env } = setting();
    const quantum = parts.memory.kernelPage(KP.quantum);
    parts.memory.setEnv(env, ENV.credit, -1000);
    vector.setWaiting(env, -quantum - 500);
    const position = vector.slice(env);
    expect([vector.credit(position), vector.pledged(position), vector.own(env)]).toEqual([0, true, -1000]);
    // The first instance does not suffice, with what the owner owes.
    expect(vector.comeTo(position)).toBe(false);
    expect([vector.credit(position), vector.pledged(position), vector.waiting(env)]).toEqual([0, true, -1500]);
    expect(vector.comeTo(position)).toBe(true);
    expect([vector.credit(position), vector.pledged(position), vector.waiting(env)]).toEqual([
      quantum - 1500,
      false,
      0,
    ]);
    const child = vector.embryo(env);
    const early = vector.slice(child);
    expect(vector.pledged(early)).toBe(false);
    vector.setWaiting(env, -500);
    parts.memory.setEnv(child, ENV.status, ENV_STATUS.runnable);
    parts.slices.start(child);
    expect([vector.pledged(early), vector.waiting(env)]).toEqual([true, -500]);
  });

  test('all slices of a family pay, until it owes nothing: those that have something keep that till then', () => {
    const { vector, parts, env, other } = setting();
    const quantum = parts.memory.kernelPage(KP.quantum);
    const sibling = vector.born(env);
    const [bad, rich, poor, stranger] = [
      vector.slice(env, -3 * quantum),
      vector.slice(env, 900),
      vector.slice(sibling, -70),
      vector.slice(other, 30),
    ];
    // Also one that another family’s environment runs in.
    vector.donate(poor, other);
    parts.slices.free(bad);
    expect(vector.waiting(env)).toBe(-3 * quantum - 70);
    expect([rich, poor, stranger].map((p) => [vector.credit(p), vector.pledged(p)])).toEqual([
      [900, true],
      [0, true],
      [30, false],
    ]);
    vector.check();
    expect([rich, poor].map((p) => vector.comeTo(p))).toEqual([false, false]);
    expect(vector.waiting(env)).toBe(-quantum + 830);
    // One that is freed and taken again is no fresh one.
    parts.slices.free(rich);
    expect(vector.pledged(vector.slice(env, 0, rich))).toBe(true);
    // It has paid the rest, and too little is left to begin with.
    expect(vector.comeTo(poor)).toBe(false);
    expect([vector.credit(poor), vector.waiting(env)]).toEqual([830, 0]);
    // The other is looked at once more.
    expect(vector.comeTo(rich)).toBe(true);
    expect([vector.credit(rich), vector.pledged(rich)]).toEqual([quantum, false]);
    vector.check();
  });

  test('is paid by the others when its owner ends', () => {
    const { vector, parts, env } = setting();
    const child = vector.born(env);
    const position = vector.slice(env, 0, 8);
    for (const credit of [-700, 50, -30]) vector.slice(child, credit);
    parts.memory.setEnv(child, ENV.credit, -4);
    parts.environments.end(child, DEATHS.excess);
    expect([vector.waiting(env), vector.pledged(position), vector.length]).toEqual([-734, true, 9]);
    vector.check();
  });

  test('of half an instance or less nothing begins', () => {
    const { vector, parts, env } = setting();
    const half = parts.memory.kernelPage(KP.quantum) / 2;
    const position = vector.slice(env);
    for (const [left, begins] of [
      [Math.floor(half), false],
      [Math.floor(half) + 1, true],
    ] as const) {
      vector.setCredit(position, PLEDGED);
      vector.setWaiting(env, left - 2 * half);
      expect(vector.comeTo(position)).toBe(begins);
      expect([vector.credit(position), vector.waiting(env)]).toEqual([left, 0]);
    }
  });

  test('waits for the family when it is freed; what it has is lost', () => {
    const { vector, parts, env } = setting();
    const [debtor, rich] = [vector.slice(env, -700), vector.slice(env, 900)];
    parts.slices.free(rich);
    expect([vector.waiting(env), vector.credit(rich), vector.runner(rich)]).toEqual([0, 0, NO_ENV]);
    parts.slices.free(debtor);
    expect([vector.waiting(env), vector.credit(debtor), vector.owner(debtor)]).toEqual([-700, 0, NO_ENV]);
    expect(vector.has(env)).toBe(0);
    vector.check();
  });

  test('stays with the family of the owner that loses it', () => {
    const { vector, parts, env, other } = setting();
    const sibling = vector.born(env);
    const position = vector.slice(env, -700);
    vector.setWaiting(env, -9);
    parts.slices.give(position, sibling);
    expect([vector.credit(position), vector.waiting(env)]).toEqual([0, -709]);
    parts.slices.give(position, other);
    expect([vector.pledged(position), vector.waiting(env), vector.waiting(other)]).toEqual([false, -709, 0]);
    parts.slices.give(position, sibling);
    vector.setWaiting(other, -40);
    parts.slices.give(position, other);
    expect([vector.pledged(position), vector.waiting(env), vector.waiting(other)]).toEqual([true, -709, -40]);
    expect([vector.runner(position), vector.has(env), vector.has(other)]).toEqual([other, 0, 1]);
    vector.check();
  });

  test('stays so when slices are exchanged, also within the family; what they have goes with them', () => {
    const { vector, parts, env, other } = setting();
    const [mine, others] = [vector.slice(env, -700), vector.slice(other, 40)];
    parts.slices.swap(mine, others);
    expect([vector.owner(mine), vector.owner(others)]).toEqual([other, env]);
    expect([mine, others].map((p) => [vector.credit(p), vector.pledged(p)])).toEqual([
      [0, false],
      [40, true],
    ]);
    const sibling = vector.born(env);
    const third = vector.slice(sibling, -5);
    parts.memory.setEnv(sibling, ENV.credit, -3);
    parts.slices.swap(others, third);
    expect([vector.owner(others), vector.owner(third)]).toEqual([sibling, env]);
    expect([others, third].map((p) => [vector.credit(p), vector.pledged(p)])).toEqual([
      [40, true],
      [0, true],
    ]);
    expect([vector.waiting(env), vector.waiting(other), vector.own(sibling)]).toEqual([-705, 0, -3]);
    vector.check();
  });

  test('counts what is still to be paid of the instance in which it changes hands', () => {
    const { vector, parts, env, other } = setting();
    const { memory } = parts;
    const [position, second] = [vector.slice(env, 100, 2), vector.slice(env, 100, 5)];
    const sibling = vector.born(env);
    const noSlice = memory.kernelPage(KP.noSlice);
    const begin = (p: number): void => {
      memory.setKernelPage(KP.slice, at(p));
      memory.setKernelPage(KP.payer, at(p));
      memory.setKernelPage(KP.paid, -300);
    };
    begin(position);
    // Another slice changes hands.
    parts.slices.give(second, other);
    expect([memory.kernelPage(KP.slice), memory.kernelPage(KP.payer)]).toEqual([at(position), at(position)]);
    // The family pays for what runs on, and the slice is pledged, also if a sibling has it.
    const family = KSEG0 + parts.families.creditOf(vector.family(env));
    for (const heir of [sibling, other]) {
      parts.slices.give(position, heir);
      expect(memory.kernelPage(KP.slice)).toBe(noSlice);
      expect(memory.kernelPage(KP.payer) + SLICE.credit).toBe(family);
      expect([vector.waiting(env), vector.pledged(position)]).toEqual([100, heir === sibling]);
      if (heir === other) break;
      // It may owe something by the time when a sibling's slice begins.
      expect(vector.pledged(vector.slice(sibling))).toBe(true);
      vector.setWaiting(env, 0);
      vector.setCredit(position, 100);
      begin(position);
    }
  });

  test('never comes round', () => {
    const { vector, parts, env, other } = setting();
    const position = vector.slice(env, -MOST_DEBT);
    vector.setWaiting(env, -MOST_DEBT);
    parts.slices.free(position);
    expect(vector.waiting(env)).toBe(-MOST_DEBT);
    // The machine code of the switch has subtracted more meanwhile.
    vector.setWaiting(other, -MOST_DEBT - 1000);
    expect(vector.claimant(other)).toBe(KSEG0 + parts.families.creditOf(vector.family(other)));
    expect(vector.waiting(other)).toBe(-MOST_DEBT);
  });
});

describe('who pays for an environment', () => {
  const credit = (env: number): number => KSEG0 + envPhysical(env) + ENV.credit;

  test('itself, if slices of its own can; else who made it; else any of its family; else the family', () => {
    const { vector, parts, env, other } = setting();
    const child = vector.born(env);
    const sibling = vector.born(env);
    const family = KSEG0 + parts.families.creditOf(vector.family(env));
    vector.slice(other);
    expect(vector.claimant(NO_ENV)).toBe(0);
    expect(vector.claimant(child)).toBe(family);
    expect(vector.claimant(familyAsPayer(vector.family(env)))).toBe(family);
    const late = vector.slice(sibling, 0, 9);
    expect(vector.claimant(child)).toBe(credit(sibling));
    expect(vector.claimant(familyAsPayer(vector.family(env)))).toBe(credit(sibling));
    vector.slice(env, 0, 12);
    expect(vector.claimant(child)).toBe(credit(env));
    vector.slice(child, 0, 14);
    expect(vector.claimant(child)).toBe(credit(child));
    expect(vector.claimant(other)).toBe(credit(other));
    // The first slice of the family.
    expect(vector.claimant(familyAsPayer(vector.family(env)))).toBe(credit(sibling));
    parts.slices.free(late);
    expect(vector.claimant(familyAsPayer(vector.family(env)))).toBe(credit(env));
  });

  test('not one that is not started, nor one of another family that has the record of its maker', () => {
    const { vector, parts, env, other } = setting();
    const child = vector.born(env);
    const embryo = vector.embryo(env);
    for (const one of [embryo, child]) vector.slice(one);
    parts.memory.setEnv(child, ENV.status, ENV_STATUS.embryo);
    expect(vector.claimant(child)).toBe(KSEG0 + parts.families.creditOf(vector.family(env)));
    parts.memory.setEnv(child, ENV.status, ENV_STATUS.runnable);
    for (const position of parts.slices.of(child)) parts.slices.free(position);
    // As if its maker had ended, and its record were another's.
    parts.memory.setEnv(child, ENV.parent, other);
    vector.slice(other);
    expect(vector.claimant(child)).toBe(KSEG0 + parts.families.creditOf(vector.family(env)));
    vector.slice(env);
    expect(vector.claimant(child)).toBe(credit(env));
  });

  test('what an environment owes when it ends; what it has is lost', () => {
    const { vector, parts, env } = setting();
    const [poor, rich] = [vector.born(env), vector.born(env)];
    const position = vector.slice(env, 0, 4);
    parts.memory.setEnv(poor, ENV.credit, -1000);
    parts.memory.setEnv(rich, ENV.credit, 800);
    for (const one of [poor, rich]) parts.environments.end(one, DEATHS.exit);
    expect([vector.waiting(env), vector.pledged(position)]).toEqual([-1000, true]);
    vector.check();
  });

  test('one that has lost its last slice leaves what it owes to its family; the slice of the family that runs pays, if it can', () => {
    const { vector, parts, env, other } = setting();
    const { memory, slices } = parts;
    const child = vector.born(env);
    const runs = (p: number, passed: number): void => {
      memory.setKernelPage(KP.payer, at(p));
      memory.setKernelPage(KP.paid, -passed);
    };
    const loses = (how: 'free' | 'give'): void => {
      const [first, last] = [vector.slice(child), vector.slice(child)];
      memory.setEnv(child, ENV.credit, -1000);
      slices.free(first);
      expect(vector.own(child)).toBe(-1000);
      if (how === 'free') slices.free(last);
      else slices.give(last, env);
      expect(vector.own(child)).toBe(0);
    };
    const position = vector.slice(env, 1300, 20);
    runs(position, 300);
    loses('free');
    expect([vector.credit(position), vector.waiting(env), vector.pledged(position)]).toEqual([300, 0, false]);
    // Less than that is left.
    vector.setCredit(position, 1299);
    loses('give');
    expect([vector.waiting(env), vector.pledged(position)]).toEqual([299, true]);
    expect(memory.kernelPage(KP.payer) + SLICE.credit).toBe(KSEG0 + parts.families.creditOf(vector.family(env)));
    // That of another family does not.
    vector.setWaiting(env, 0);
    runs(vector.slice(other, 5000), 0);
    loses('free');
    expect(vector.waiting(env)).toBe(-1000);
    vector.check();
  });

  test('who owes more than a quantum is a debtor: slices that have something do not pay for those that owe', () => {
    const { vector, parts, env, other } = setting();
    const quantum = parts.memory.kernelPage(KP.quantum);
    const [position] = [vector.slice(env), vector.slice(env, 5 * quantum)];
    expect(parts.slices.isDebtor(env)).toBe(false);
    vector.setCredit(position, -quantum);
    expect(parts.slices.isDebtor(env)).toBe(false);
    parts.memory.setEnv(env, ENV.credit, -1);
    expect(parts.slices.isDebtor(env)).toBe(true);
    vector.setCredit(position, 0);
    expect(parts.slices.isDebtor(env)).toBe(false);
    parts.memory.setEnv(env, ENV.credit, 0);
    vector.slice(env, -quantum, position);
    vector.slice(env, -1);
    expect(parts.slices.isDebtor(env)).toBe(true);
    expect(parts.slices.isDebtor(vector.born(env))).toBe(true);
    expect(parts.slices.isDebtor(other)).toBe(false);
    vector.setWaiting(other, -quantum - 1);
    expect(parts.slices.isDebtor(other)).toBe(true);
    vector.slice(other);
    expect(parts.slices.isDebtor(other)).toBe(true);
    // Being pledged is no debt.
    vector.setWaiting(other, -quantum);
    expect(parts.slices.isDebtor(other)).toBe(false);
  });
});

describe('an environment that ends', () => {
  test('stops for now, if it goes on in a slice of its own, or in one that it has been lent', () => {
    const { vector, parts, env, other } = setting();
    vector.slice(env);
    expect(parts.slices.lend(env)).toBe(true);
    const position = vector.slice(other, 0, 5);
    const child = vector.born(other);
    expect(parts.slices.lend(child)).toBe(true);
    expect([vector.owner(position), vector.runner(position)]).toEqual([other, child]);
    // It has that one: no other is lent to it.
    const second = vector.slice(other, 0, 3);
    expect(parts.slices.lend(child)).toBe(true);
    expect([position, second].map((p) => vector.runner(p))).toEqual([child, other]);
  });

  test('goes on in what another has given it, until that is used up', () => {
    const { vector, parts, env, other } = setting();
    const { memory } = parts;
    const position = vector.slice(other, 1);
    memory.setKernelPage(KP.payer, at(position));
    expect(parts.slices.lend(env)).toBe(false);
    for (const credit of [0, -1]) {
      vector.setCredit(position, credit);
      expect(parts.slices.lend(env)).toBe(true);
    }
    // Its family has none, and the slice of another is not lent.
    expect(vector.runner(position)).toBe(other);
    vector.slice(env);
    vector.setCredit(position, 1);
    expect(parts.slices.lend(env)).toBe(true);
  });
});
