/**
 * A deliberately naive model of what instructions wait for: caches as maps of words, the write buffer as a queue of the
 * cycles at which its stores reach memory. Its numbers are written down here once more.
 */
import type { Profile } from '../src/index.ts';

interface Numbers {
  readonly block: number;
  readonly miss: number;
  readonly depth: number;
  readonly write: number;
}

const NUMBERS: Readonly<Record<Profile, Numbers | undefined>> = {
  ideal: undefined,
  dec2100: { block: 1, miss: 6, depth: 4, write: 6 },
  dec3100: { block: 1, miss: 6, depth: 4, write: 6 },
  dec5000: { block: 4, miss: 15, depth: 6, write: 2 },
};

const LINES = 16384;

/** The cycles of one machine whose accesses it is told of, in the order in which an instruction makes them. */
export class TimingReference {
  cycles: number;
  readonly #numbers: Numbers | undefined;
  readonly #instructions: Map<number, number> = new Map();
  readonly #data: Map<number, number> = new Map();
  #queue: number[] = [];
  #hiLo = 0;

  constructor(profile: Profile, cycles: number) {
    this.#numbers = NUMBERS[profile];
    this.cycles = cycles;
  }

  /** The fetch of an instruction, and its own cycle. */
  fetch(physical: number): void {
    this.#read(this.#instructions, physical);
    this.cycles += 1;
  }

  load(physical: number): void {
    this.#read(this.#data, physical);
  }

  store(physical: number, isWhole: boolean): void {
    if (this.#numbers === undefined) return;
    const word = Math.floor(physical / 4);
    const hits = this.#data.get(word % LINES) === word;
    if (isWhole) this.#data.set(word % LINES, word);
    else if (hits) this.cycles += 1;
    this.#drain();
    const { depth, write } = this.#numbers;
    this.#queue.push(Math.max(this.cycles, ...this.#queue) + write);
    while (this.#queue.length > depth) {
      this.cycles = this.#queue[0] ?? 0;
      this.#drain();
    }
  }

  /** An instruction of the multiplier: `busy` is what it begins, 0 for a move. */
  hiLo(busy: number): void {
    if (this.#numbers === undefined) return;
    this.cycles = Math.max(this.cycles, this.#hiLo);
    if (busy > 0) this.#hiLo = this.cycles + busy;
  }

  /** One that waits for its product, which takes so long. */
  product(busy: number): void {
    this.hiLo(0);
    if (this.#numbers !== undefined) this.cycles += busy;
  }

  #read(cache: Map<number, number>, physical: number): void {
    if (this.#numbers === undefined) return;
    const word = Math.floor(physical / 4);
    if (cache.get(word % LINES) === word) return;
    const { block, miss } = this.#numbers;
    const first = Math.floor(word / block) * block;
    for (let i = first; i < first + block; i += 1) cache.set(i % LINES, i);
    this.cycles = Math.max(this.cycles, ...this.#queue) + miss;
  }

  /** Forgets stores that have reached memory. */
  #drain(): void {
    this.#queue = this.#queue.filter((done) => done > this.cycles);
  }
}
