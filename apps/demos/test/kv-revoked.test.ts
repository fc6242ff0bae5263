/**
 * Frames of the key-value log revoked at every instruction of a PUT: a tick of the clock comes there, and the kernel has asked for frames just before. So
 * the log begins its answer between these two instructions, on another stack. Or it has been asked before and has refused: then the tick is the
 * deadline, and the kernel takes the frames there.
 *
 * The client sends so long before the tick that it comes at the instruction. What lies behind the write of the disk comes in time only if the platter is
 * at its sector then, and the log need not sleep: a revolution is no fraction of a tick, so of eight ticks one has it there. KV_EVERY says at each
 * how many cycles there is a trial; 1 is all of them, for an hour.
 */
import { ENV, EXPOSED, SLICE } from '@exokernel/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import { KP } from '../../../packages/aegis/src/layout.ts';
import { CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
import { checkInvariants, memoryFor } from '../../../packages/testkit/src/index.ts';
import { GET, kvLibOs, PUT, sleeperImage, valueOf, world, type World } from './kv-support.ts';

const EVERY = Number(process.env['KV_EVERY'] ?? 1500);
const KEYS = 24;
const VALUE = 'after '.repeat(60);
const NUMBER = 20;
const KEY = `key ${NUMBER}`;
/** Frames that are asked for, and those of them that the log has not. */
const FRAMES = 6;
const TOO_MANY = 8;
/** As fast as a drive is: a revolution takes 25,000 cycles, of which a tick has 15 and five eighths. */
const GEOMETRY = { rpm: 60_000, sectorsPerTrack: 255 };
const REVOLUTION = 25_000;
/** Longer than from the request to the write of the disk. */
const LONG = 20_000;
/** Before a tick is counted, so that what is asked for then is told in the next slice. */
const JUST_BEFORE = 300;
const KSEG0 = 0x80000000;

let w: World;
let snapshot: Uint8Array;
let disk: CutDisk;
let bytes: Uint8Array;
let held = 0;
/** The cycle of a tick after the snapshot, and cycles between two. */
let tick = 0;
let period = 0;
/** Cycles from the moment at which the client sends until the log begins and until it has answered, if it does not sleep meanwhile. */
let begins = 0;
let ends = 0;
/** Of the moments of a revolution at which a client must send for that, the one in the middle, after a tick. */
let lucky = 0;

const isAsleep = (): boolean => w.aegis.parts.memory.env(0, ENV.asleep) !== 0;

function nextTick(): number {
  const { memory } = w.aegis.parts;
  const now = memory.kernelPage(KP.tick);
  while (memory.kernelPage(KP.tick) === now) w.machine.run(1);
  return w.machine.cycles;
}

function back(): void {
  disk.bytes.set(bytes);
  w.machine.restore(snapshot);
}

/** Runs until the log is asleep, or is not. */
function until(asleep: boolean): number {
  const limit = w.machine.cycles + period;
  while (isAsleep() !== asleep) {
    if (w.machine.cycles > limit) throw new Error(`the log is ${asleep ? 'awake' : 'asleep'} for a tick`);
    w.machine.run(1);
  }
  return w.machine.cycles;
}

/** A PUT that is sent at a cycle: how long after that the log begins, and sleeps again. */
function put(cycle: number): { readonly begun: number; readonly slept: number } {
  w.machine.runTo(cycle);
  w.send(PUT, KEY, VALUE);
  const begun = until(false) - cycle;
  return { begun, slept: until(true) - cycle };
}

beforeAll(async () => {
  disk = new CutDisk(64);
  const [os, sleeper] = [await kvLibOs(), await sleeperImage()];
  w = world(os, disk, { sleeper, ramBytes: memoryFor(240), blocks: 64, geometry: GEOMETRY });
  for (let i = 0; i < KEYS; i += 1) w.ask(PUT, `key ${i}`, valueOf(i));
  for (let i = 0; i < KEYS; i += 1) w.ask(GET, `key ${i}`);
  w.runUntil(() => false, 0.1);
  held = w.aegis.parts.frames.heldBy(0).length;
  snapshot = w.machine.snapshot();
  bytes = disk.bytes.slice();
  const first = nextTick();
  tick = nextTick();
  period = tick - first;
  tick += 6 * period;
  const moments: number[] = [];
  for (let late = 0; late < 2 * REVOLUTION && (moments.length === 0 || moments.at(-1) === late - 250); late += 250) {
    back();
    const { begun, slept } = put(tick + late);
    // If it has slept, the disk has not written yet.
    if (slept - begun < LONG) continue;
    moments.push(late);
    [begins, ends] = [begun, slept];
  }
  lucky = moments[moments.length >>> 1] ?? 0;
}, 60_000);

/** The log has been asked at an instruction of a PUT: it answers, gives what it was asked for, and has what it had. */
function expectAnswer(number: number, where: string): void {
  const before = disk.writes;
  expect(w.reply(number), where).toEqual({ status: VALUE.length, value: '' });
  w.runUntil(() => false, 0.05);
  const lost = w.aegis.parts.memory.env(0, ENV.lost);
  expect({ where, lost, writes: disk.writes - before <= 1 }).toEqual({ where, lost: 0, writes: true });
  expect(w.aegis.parts.frames.heldBy(0).length, where).toBeLessThanOrEqual(held - FRAMES);
  expect(w.ask(GET, KEY), where).toEqual({ status: VALUE.length, value: VALUE });
  for (let i = 0; i < KEYS; i += 1) {
    if (i !== NUMBER) expect(w.ask(GET, `key ${i}`), where).toEqual({ status: valueOf(i).length, value: valueOf(i) });
  }
  // It has forgotten none: all values are in frames again.
  expect(w.aegis.parts.frames.heldBy(0).length, where).toBe(held);
  expectUnharmed(where);
}

function expectUnharmed(where: string): void {
  expect(w.neighbour.damage(), where).toEqual([]);
  expect(checkInvariants(w.aegis), where).toEqual([]);
}

/** The slice that runs ends with the next tick, however late it has begun: as if it had used its time. */
function endSlice(): void {
  w.machine.memory.store32(EXPOSED.slices + SLICE.credit, JUST_BEFORE);
}

/** Of eight ticks the one at which the log does not sleep, if a client sends `behind` cycles before. */
function tickFor(behind: number): number {
  const away = (at: number): number => {
    const late = (((at - behind - tick - lucky) % REVOLUTION) + REVOLUTION) % REVOLUTION;
    return Math.min(late, REVOLUTION - late);
  };
  const ticks = Array.from({ length: 8 }, (_, i) => tick + i * period);
  return ticks.reduce((best, at) => (away(at) < away(best) ? at : best));
}

/** Cycles between a client's sending and the tick. */
function places(): number[] {
  const list: number[] = [];
  for (let behind = begins - 3 * JUST_BEFORE; behind < ends + JUST_BEFORE; behind += EVERY) list.push(behind);
  return list;
}

/** Where it gives up a frame itself, in more detail: of the page with the old value. */
function around(): number[] {
  back();
  const at = tickFor(0);
  w.machine.runTo(at);
  w.send(PUT, KEY, VALUE);
  const before = w.aegis.parts.memory.env(0, ENV.frames);
  let last = 0;
  while (w.aegis.parts.memory.env(0, ENV.frames) === before) {
    last = w.machine.cycles;
    w.machine.run(1);
  }
  // With the way into the kernel.
  return Array.from({ length: 30 }, (_, i) => last - at - 24 + 4 * i);
}

describe('frames revoked at every instruction of a PUT', () => {
  test('asked for: the log answers, and gives them', { timeout: 3_600_000 }, () => {
    let awake = 0;
    // The last is asked just before it sleeps.
    for (const behind of [...places(), ...around(), ends + JUST_BEFORE / 3]) {
      const at = tickFor(behind);
      back();
      w.machine.runTo(at - behind);
      const number = w.send(PUT, KEY, VALUE);
      w.machine.runTo(at - JUST_BEFORE);
      // Another environment asks, or the clock: not in the middle of a system call.
      while (w.machine.cpu.pc >>> 0 >= KSEG0 && w.machine.quietUntil === w.machine.cycles) w.machine.run(1);
      w.aegis.parts.revocation.ask(0, 0, FRAMES);
      endSlice();
      w.machine.runTo(at - JUST_BEFORE / 3);
      if (!isAsleep()) awake += 1;
      expectAnswer(number, `${behind} cycles after it was sent`);
    }
    // It was at work at nearly all of these places.
    expect(awake).toBeGreaterThanOrEqual(Math.floor((0.98 * (ends - begins)) / EVERY));
  });

  test('refused, and taken by force: the log answers, or ends and says why', { timeout: 3_600_000 }, () => {
    const outcomes = new Map<string, number>();
    const lost = (): number => w.aegis.parts.memory.env(0, ENV.lost);
    let there = 0;
    // It is told at once, owes frames still at the deadline, and pays for their being taken.
    back();
    const asked = Math.floor(tick - 4.2 * period);
    w.machine.runTo(asked);
    w.aegis.parts.revocation.ask(0, 0, KEYS + TOO_MANY);
    while (lost() === 0) w.machine.run(1000);
    const patience = Math.ceil((w.machine.cycles - asked) / period) * period - Math.round(0.8 * period);
    for (const behind of places()) {
      const where = `${behind} cycles after it was sent`;
      const at = tickFor(behind);
      back();
      w.machine.runTo(at - patience);
      w.aegis.parts.revocation.ask(0, 0, KEYS + TOO_MANY);
      w.machine.runTo(at - behind);
      const number = w.send(PUT, KEY, VALUE);
      w.machine.runTo(at - JUST_BEFORE);
      const before = lost();
      w.machine.runTo(at + JUST_BEFORE);
      there += before === 0 && lost() === TOO_MANY ? 1 : 0;
      let outcome = 'answers';
      try {
        const reply = w.reply(number);
        w.runUntil(() => false, 0.1);
        if (reply === undefined) outcome = 'does not answer';
        else expect(reply, where).toEqual({ status: VALUE.length, value: '' });
        expect(w.ask(GET, 'key 1'), where).toEqual({ status: valueOf(1).length, value: valueOf(1) });
      } catch (error) {
        const { status, cause } = w.aegis.environment(0);
        if (status !== 'dead') throw error;
        outcome = cause?.text ?? 'ends without a cause';
      }
      expect({ where, lost: lost(), hears: outcome !== 'does not answer' }).toEqual({
        where,
        lost: TOO_MANY,
        hears: true,
      });
      expect(outcome, where).not.toBe('ends without a cause');
      expectUnharmed(where);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    if (process.env['KV_EVERY'] !== undefined) console.info(outcomes, there);
    // A tick that has more to do takes them with the next.
    expect(there).toBeGreaterThan(places().length / 2);
  });
});
