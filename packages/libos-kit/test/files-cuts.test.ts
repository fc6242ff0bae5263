/**
 * Losses of power between files: a program creates files, appends, removes; the power is cut at a random write. The next life finds the files as they
 * were after the last call that was acknowledged, or after the one behind it. LOG_CUTS says how many lives there are.
 */
import { expect, test } from 'vitest';
import { exitOf } from '../../testkit/src/index.ts';
import { CutDisk, image, KIT, machine, poke, random, TELL } from './log-support.ts';

const LIVES = Number(process.env['LOG_CUTS'] ?? 100) / 2;
const BLOCKS = 14;
const NAMES = 5;
/** A file longer than this is removed by the next call that meets it. */
const LONG = 1800;
const WORDS = { ready: TELL, go: TELL + 4, done: TELL + 8, digests: TELL + 16 };

const PROGRAM = `
  import { load32, sleep, store32 } from '${KIT}/kit';
  import { clock_ticks } from '${KIT}/clock';
  import { file_append, file_create, file_find, file_read, file_remove, file_size } from '${KIT}/files';
  const name: usize = memory.data(8);
  const bytes: usize = memory.data(4096);
  function hash(n: i32): u32 {
    let x: u32 = n * 0x9e3779b1;
    x ^= x >>> 15;
    x *= 0x85ebca6b;
    return x ^ (x >>> 13);
  }
  function find(n: i32): i32 {
    store<u8>(name, 0x61 + n);
    return file_find(name, 1);
  }
  /** Of what is in a file; its length is part of it. */
  function digest(file: i32): u32 {
    if (file == 0) return 0;
    let x: u32 = 0x811c9dc5;
    let offset = 0;
    for (let n = file_read(file, 0, bytes, 700); n > 0; n = file_read(file, offset, bytes, 700)) {
      for (let i = 0; i < n; i++) x = (x ^ load<u8>(bytes + i)) * 0x01000193;
      offset += n;
    }
    return offset == file_size(file) ? x : 1;
  }
  /** What call number n does follows from the files that there are. */
  function call(n: i32): i32 {
    const x = hash(n);
    const file = find(x % ${NAMES});
    if (file <= 0) return file == 0 ? file_create(name, 1) : file;
    if (file_size(file) > ${LONG} || x >>> 28 == 0) return file_remove(file);
    const length = 1 + <i32>((x >>> 8) % 1100);
    for (let i = 0; i < length; i++) store<u8>(bytes + i, n + i);
    return file_append(file, bytes, length);
  }
  export function main(): i32 {
    for (let i = 0; i < ${NAMES}; i++) {
      const file = find(i);
      if (file < 0) return -file;
      store32(${WORDS.digests} + 4 * i, digest(file));
    }
    store32(${WORDS.ready}, 1);
    while (load32(${WORDS.go}) == 0) sleep(clock_ticks() + 1);
    for (let n: i32 = load32(${WORDS.go}); n > 0; n++) {
      const code = call(n);
      if (code < 0) return 100 - code;
      store32(${WORDS.done}, n);
    }
    return 99;
  }
`;

function hash(n: number): number {
  let x = Math.imul(n, 0x9e3779b1) >>> 0;
  x ^= x >>> 15;
  x = Math.imul(x, 0x85ebca6b);
  return (x ^ (x >>> 13)) >>> 0;
}

/** The files as they are to be: each the bytes of its calls. */
class Model {
  files: (readonly number[] | undefined)[] = Array.from({ length: NAMES }, () => undefined);

  after(n: number): Model {
    const next = new Model();
    const x = hash(n);
    const file = this.files[x % NAMES];
    const length = 1 + ((x >>> 8) % 1100);
    const added = Array.from({ length }, (_, i) => (n + i) & 0xff);
    const ends = file !== undefined && (file.length > LONG || x >>> 28 === 0);
    next.files = this.files.slice();
    next.files[x % NAMES] = file === undefined ? [] : ends ? undefined : [...file, ...added];
    return next;
  }

  get digests(): string {
    const of = (file: readonly number[] | undefined): number =>
      file === undefined ? 0 : file.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
    return this.files.map(of).join();
  }
}

test(
  `${LIVES} lives: every acknowledged call has happened, and any other did or did not`,
  { timeout: 3_600_000 },
  async () => {
    const disk = new CutDisk(BLOCKS);
    const own = machine([await image(PROGRAM, { extent: { start: 0, blocks: BLOCKS } })], disk);
    const snapshot = own.machine.snapshot();
    const next = random(7);
    let left: Uint8Array = disk.bytes.slice();
    let model = new Model();
    let calls = 0;
    let half = 0;
    for (let life = 0; life < LIVES; life += 1) {
      own.machine.restore(snapshot);
      let done = -1;
      disk.begin(left, 1 + next(next(3) === 0 ? 4 : 50), next, () => {
        done = own.uWord(0, WORDS.done);
      });
      while (disk.left === undefined) {
        own.machine.run(50_000);
        if (own.aegis.environment(0).status === 'dead')
          throw new Error(`it ended with ${exitOf(own.aegis.environment(0))}`);
        if (own.uWord(0, WORDS.ready) === 0 || own.uWord(0, WORDS.go) !== 0) continue;
        const found = Array.from({ length: NAMES }, (_, i) => own.uWord(0, WORDS.digests + 4 * i) >>> 0).join();
        const further = model.after(calls + 1);
        expect([model.digests, further.digests]).toContain(found);
        if (found !== model.digests) {
          model = further;
          calls += 1;
          half += 1;
        }
        poke(own, 0, WORDS.go, calls + 1);
      }
      for (; calls < done; calls += 1) model = model.after(calls + 1);
      left = disk.left;
    }
    expect(calls).toBeGreaterThan(4 * LIVES);
    expect(half).toBeGreaterThan(LIVES / 20);
  },
);
