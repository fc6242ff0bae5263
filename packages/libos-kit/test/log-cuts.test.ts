/**
 * Losses of power: a program appends, syncs, writes its log anew; the power is cut at a random cycle; the next life looks what is there, and goes on.
 *
 * All lives have one disk, so each finds what those before have left half written. LOG_CUTS says how many there are; `npm run test:cuts` has a thousand.
 */
import { describe, expect, test } from 'vitest';
import { exitOf, type Booted } from '../../testkit/src/index.ts';
import { CutDisk, image, KIT, machine, poke, random, store, TELL } from './log-support.ts';

const CUTS = Number(process.env['LOG_CUTS'] ?? 100);
/** Records that a rewrite keeps. */
const KEPT = 6;
const WORDS = {
  count: TELL,
  last: TELL + 4,
  acknowledged: TELL + 8,
  appended: TELL + 12,
  bad: TELL + 16,
  rewrites: TELL + 20,
  damage: TELL + 24,
  life: TELL + 28,
};

const PROGRAM = (most: number): string => `
  import { load32, store32 } from '${KIT}/kit';
  import { EXTENT, extentBlocks } from '${KIT}/disk';
  import { append, beginRewrite, commitRewrite, formatLog, logDamage, openLog, readRecord, sync } from '${KIT}/log';
  const KEPT = ${KEPT};
  const record: usize = memory.data(8192);
  const again: usize = memory.data(8192);
  const kept: StaticArray<i32> = new StaticArray<i32>(KEPT);
  let count = 0;
  let last = 0;
  let rewrites = 0;

  function hash(id: i32): u32 {
    let x: u32 = id * 0x9e3779b1;
    x ^= x >>> 15;
    x *= 0x85ebca6b;
    return x ^ (x >>> 13);
  }
  /** A record's length follows from its number, its bytes from that and from the life that has written it. */
  function make(id: i32, life: i32): i32 {
    const length = 8 + <i32>(hash(id) % ${most});
    store<i32>(record, id);
    store<i32>(record, life, 4);
    for (let i = 8; i < length; i++) store<u8>(record + i, id * 7 + life * 31 + i * 13);
    return length;
  }
  function found(position: i32, first: usize, length: i32): void {
    const id = load<i32>(first);
    if (length != make(id, load<i32>(first, 4)) || (count > 0 && id != last + 1)) store32(${WORDS.bad}, 1);
    // The rest of it is looked at when it is read.
    for (let i = 0; i < min(length, 400); i++) if (load<u8>(first + i) != load<u8>(record + i)) store32(${WORDS.bad}, 2);
    count++;
    last = id;
    kept[id % KEPT] = position;
  }
  function rewrite(from: i32): i32 {
    if (sync() < 0) return -1;
    store32(${WORDS.acknowledged}, from);
    if (beginRewrite() < 0) return -2;
    for (let id = max(1, from - KEPT + 1); id <= from; id++) {
      const length = readRecord(kept[id % KEPT], 0, again, 8192);
      if (length != make(id, load<i32>(again, 4))) return -3;
      for (let i = 0; i < length; i++) if (load<u8>(again + i) != load<u8>(record + i)) return -4;
      const position = append(again, length);
      if (position < 0) return -5;
      kept[id % KEPT] = position;
    }
    store32(${WORDS.rewrites}, ++rewrites);
    return commitRewrite();
  }
  export function main(): i32 {
    let code = openLog(EXTENT, extentBlocks(), found);
    if (code == -5) {
      if (formatLog(EXTENT, extentBlocks()) < 0) return 101;
      code = openLog(EXTENT, extentBlocks(), found);
    }
    if (code < 0) return -code;
    for (let id = max(1, last - KEPT + 1); id <= last; id++) {
      const length = readRecord(kept[id % KEPT], 0, again, 8192);
      if (length != make(id, load<i32>(again, 4))) return 102;
      for (let i = 0; i < length; i++) if (load<u8>(again + i) != load<u8>(record + i)) return 103;
    }
    store32(${WORDS.damage}, logDamage());
    store32(${WORDS.acknowledged}, last);
    store32(${WORDS.appended}, last);
    store32(${WORDS.last}, last);
    store32(${WORDS.count}, count + 1);
    const life: i32 = load32(${WORDS.life});
    for (let id = last + 1; id > 0; id++) {
      store32(${WORDS.appended}, id);
      let position = append(record, make(id, life));
      if (position == -5) {
        if (rewrite(id - 1) < 0) return 104;
        position = append(record, make(id, life));
      }
      if (position < 0) return 105;
      kept[id % KEPT] = position;
      if (hash(id) % 7 < 4) {
        if (sync() < 0) return 106;
        store32(${WORDS.acknowledged}, id);
      }
    }
    return 0;
  }
`;

const CASES = [
  { blocks: 8, most: 60, what: 'small records in an extent that is soon full' },
  { blocks: 16, most: 3000, what: 'records of several sectors' },
];

/** What all lives of a disk have come to. */
class History {
  acknowledged = 0;
  appended = 0;
  rewrites = 0;
  lives = 0;

  /** A life is over; the words are as they were when the power was cut. */
  look(word: (at: number) => number): void {
    const life = (this.lives += 1);
    const isOpen = word(WORDS.count) > 0;
    expect({ life, bad: word(WORDS.bad), damage: word(WORDS.damage) }).toEqual({ life, bad: 0, damage: 0 });
    if (!isOpen) return;
    const last = word(WORDS.last);
    expect({ life, last }).toEqual({ life, last: Math.min(Math.max(last, this.acknowledged), this.appended) });
    expect(word(WORDS.count) - 1).toBeGreaterThanOrEqual(Math.min(KEPT, last));
    this.acknowledged = word(WORDS.acknowledged);
    this.appended = word(WORDS.appended);
    this.rewrites += word(WORDS.rewrites);
  }
}

describe.each(CASES)('a loss of power: $what', ({ blocks, most }) => {
  const built = image(PROGRAM(most), { extent: { start: 0, blocks } });
  const isAlive = (booted: Booted): void => {
    const env = booted.aegis.environment(0);
    if (env.status === 'dead') throw new Error(`it ended with ${exitOf(env)}`);
  };

  test('of whole machines', { timeout: 600_000 }, async () => {
    const [disk, next, history] = [store(blocks), random(blocks), new History()];
    for (let life = 0; life < 6; life += 1) {
      const booted = machine([await built], disk);
      poke(booted, 0, WORDS.life, life);
      booted.machine.run(next(4) === 0 ? next(3_000_000) : next(20_000_000));
      isAlive(booted);
      history.look((at) => booted.uWord(0, at));
      booted.machine.powerCut(life);
    }
    expect(history.acknowledged).toBeGreaterThan(10);
  });

  test('whose pieces would make one record: they are not put together', { timeout: 600_000 }, async () => {
    const disk = new CutDisk(blocks);
    const empty = disk.bytes.slice();
    const booted = machine([await built], disk);
    const snapshot = booted.machine.snapshot();
    for (let pattern = 1; pattern < 31; pattern += 1) {
      let left: Uint8Array = empty;
      // The first write behind those of formatLog, and then the same one again, by another life, with the sectors that the first did not write.
      for (const [life, at] of [5, 1, 1000].entries()) {
        booted.machine.restore(snapshot);
        let sector = 0;
        const choose = (): number => ((pattern >>> (sector++ % 5)) & 1) ^ (life & 1);
        disk.begin(left, at, choose, () => undefined);
        poke(booted, 0, WORDS.life, 1000 + life);
        while (disk.left === undefined && !(life === 2 && booted.uWord(0, WORDS.count) > 0)) {
          booted.machine.run(20_000);
          isAlive(booted);
        }
        left = disk.left ?? left;
      }
      expect({ pattern, bad: booted.uWord(0, WORDS.bad) }).toEqual({ pattern, bad: 0 });
    }
  });

  const lives = CUTS / CASES.length;
  test(`${lives} times: nothing acknowledged is lost, and all there is is whole`, { timeout: 3_600_000 }, async () => {
    const [disk, next, history] = [new CutDisk(blocks), random(blocks), new History()];
    const booted = machine([await built], disk);
    const snapshot = booted.machine.snapshot();
    let left: Uint8Array = disk.bytes.slice();
    for (let life = 0; life < lives; life += 1) {
      booted.machine.restore(snapshot);
      disk.begin(left, 1 + next(next(3) === 0 ? 4 : 60), next, () => {
        history.look((at) => booted.uWord(0, at));
      });
      poke(booted, 0, WORDS.life, life);
      while (disk.left === undefined) {
        booted.machine.run(50_000);
        isAlive(booted);
      }
      left = disk.left;
    }
    expect(history.lives).toBe(lives);
    expect(history.acknowledged).toBeGreaterThan(4 * lives);
    expect(history.rewrites).toBeGreaterThan(lives / 10);
  });
});
