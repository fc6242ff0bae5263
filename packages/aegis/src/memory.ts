/**
 * The kernel's view of physical memory: words by physical address, records of tables, sets of bits, and the kernel page.
 *
 * For the kernel's own tables and for frames whose capability has been checked; addresses are physical and trusted. Everything
 * goes through the machine's port, so that the machine learns of every write. What the kernel knows it keeps here and nowhere
 * else: a part of the kernel holds no table of its own in TypeScript (docs/kernel.md, "State").
 */
import {
  FRAME_LIMIT,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  FRAME,
  FRAME_BYTES,
  NO_ENV,
  PAGE_BYTES,
  SLICE,
  SLICE_BYTES,
} from '@exokernel/abi';
import type { MemoryPort } from '@exokernel/hardware';
import { COSTS, LONGEST, LONGEST_CALL, PIECE } from './costs.ts';
import { KP, KSEG0, PHYSICAL, kernelPageAddress } from './layout.ts';
import { TABLES, frameHoldsAt, tablesAt, type SecretTable, type VARIABLES } from './tables.ts';

/** What the high one of two words counts. */
const HIGH = 2 ** 32;

export class KernelMemory {
  readonly port: MemoryPort;
  /** Physical address of the secret tables, the last things in memory. */
  readonly #tables: number;

  constructor(port: MemoryPort) {
    this.port = port;
    this.#tables = tablesAt(port.ramBytes);
  }

  /** Physical address of a secret table, one of TABLES. */
  table({ at }: SecretTable): number {
    return this.#tables + at;
  }

  /** Physical address of the table frameHolds. */
  get frameHolds(): number {
    const frames = Math.min(this.port.ramBytes / PAGE_BYTES, FRAME_LIMIT);
    return this.#tables + frameHoldsAt(frames);
  }

  /** How many frames there are before the secret tables, those of the kernel included. */
  get frames(): number {
    return Math.min(this.#tables / PAGE_BYTES, FRAME_LIMIT);
  }

  /** Cycles of the work that was counted since the last `spent`; of these, how many `affords` has found paid, and by whom. */
  #work = 0;
  #due = 0;
  #payer = NO_ENV;

  /** Counts work that is not a word of memory: so many units at a price, one of COSTS. */
  charge(units: number, price: number): void {
    this.#work += units * price;
  }

  /** The cycles of the work since the last `spent`, so far. */
  get work(): number {
    return this.#work;
  }

  /** The cycles of the work since the last call that have not been paid before, a whole number. */
  spent(): number {
    const left = Math.ceil(this.#work) - this.#due;
    const cycles = Math.max(left, Math.min(COSTS.call, Math.ceil(this.#work)));
    // What was paid too much stays its payer's.
    if (cycles > left) this.setEnv(this.#payer, ENV.prepaid, this.env(this.#payer, ENV.prepaid) + cycles - left);
    this.#work = 0;
    this.#due = 0;
    return cycles;
  }

  /**
   * Whether `env` has paid for work that takes so many cycles at most, but for what fits a stretch; if so the rest is to be done now.
   * If not, it pays a piece, the kernel does nothing more, and asks again. [docs/mechanisms/calls.md]
   */
  affords(env: number, cycles: number): boolean {
    const paid = this.env(env, ENV.prepaid);
    // What has been done so far, the estimate with it, is a part of this stretch; so is that it is noted here as paid.
    const due = Math.max(0, Math.ceil(this.#work + cycles) + COSTS.word - LONGEST);
    if (paid < due) {
      // The estimate itself may take a piece. Something has to be paid each time, or there were no end.
      const left = Math.floor(PIECE - this.#work);
      const piece = left > PIECE / 8 ? left : PIECE;
      this.setEnv(env, ENV.prepaid, paid + piece);
      this.#work = piece === left ? PIECE : this.#work + piece;
      return false;
    }
    if (due > 0) this.setEnv(env, ENV.prepaid, paid - due);
    this.#payer = env;
    this.#due = due;
    return true;
  }

  /** Cycles of the work so far that do not fit a stretch, because it was more than estimated: the caller has them paid later, or 0. */
  cut(): number {
    const left = Math.ceil(this.#work) - this.#due;
    if (left <= LONGEST_CALL) return 0;
    this.#work -= left - LONGEST;
    return left - LONGEST;
  }

  /** Pays a piece of what was cut of a call. Returns whether there was any. */
  payRest(): boolean {
    const rest = this.kernelPage(KP.rest);
    if (rest === 0) return false;
    this.setKernelPage(KP.rest, Math.max(0, rest - PIECE));
    this.charge(Math.min(rest, PIECE), 1);
    return true;
  }

  /** The word at a physical address, unsigned. */
  get(physical: number): number {
    this.#work += COSTS.word;
    return this.port.load32(physical);
  }

  set(physical: number, value: number): void {
    this.#work += COSTS.word;
    this.port.store32(physical, value);
  }

  add(physical: number, delta: number): number {
    const value = (this.get(physical) + delta) >>> 0;
    this.set(physical, value);
    return value;
  }

  /** A number of two words, 0 to 2^53 − 1; the words need not lie side by side. */
  wide(low: number, high: number = low + 4): number {
    return this.get(low) + HIGH * this.get(high);
  }

  setWide(value: number, low: number, high: number = low + 4): void {
    this.set(low, value >>> 0);
    this.set(high, Math.floor(value / HIGH));
  }

  /** A copy of `bytes` bytes. */
  bytes(physical: number, bytes: number): Uint8Array {
    this.charge(bytes / 4, COSTS.copiedWord);
    return this.port.read(physical, new Uint8Array(bytes));
  }

  /** Writes bytes; `physical` may be any address. */
  write(physical: number, bytes: Uint8Array): void {
    this.charge(bytes.length / 4, COSTS.copiedWord);
    this.port.write(physical, bytes);
  }

  /** Writes instructions. */
  installCode(physical: number, words: ArrayLike<number>): void {
    this.charge(words.length, COSTS.copiedWord);
    this.port.installCode(physical, words);
  }

  zero(physical: number, bytes: number): void {
    this.charge(bytes / 4, COSTS.clearedWord);
    this.port.zero(physical, bytes);
  }

  /** A copy of `count` words, unsigned: for a look at a whole table. What is done with each the caller counts. */
  words(physical: number, count: number): Uint32Array {
    const words = new Uint32Array(count);
    this.port.read(physical, new Uint8Array(words.buffer));
    return words;
  }

  zeroFrame(ppn: number): void {
    this.zero(ppn * PAGE_BYTES, PAGE_BYTES);
  }

  copyFrame(to: number, from: number): void {
    this.charge(PAGE_BYTES / 4, COSTS.copiedWord);
    this.port.copy(to * PAGE_BYTES, from * PAGE_BYTES, PAGE_BYTES);
  }

  /** A field of the kernel page, one of KP. */
  kernelPage(field: number): number {
    return this.get(kernelPageAddress(field) - KSEG0);
  }

  setKernelPage(field: number, value: number): void {
    this.set(kernelPageAddress(field) - KSEG0, value);
  }

  /** A number that the kernel's TypeScript keeps, one of VARIABLES. */
  variable(field: number): number {
    return this.get(this.table(TABLES.variables) + field);
  }

  setVariable(field: number, value: number): void {
    this.set(this.table(TABLES.variables) + field, value);
  }

  /** The next number of a counter among the variables: 1, 2, … 2^32 − 1, and again 1. */
  next(field: (typeof VARIABLES)[keyof typeof VARIABLES]): number {
    const at = this.table(TABLES.variables) + field;
    const value = this.add(at, 1);
    return value === 0 ? this.add(at, 1) : value;
  }

  /** A word of an environment's record. */
  env(id: number, field: number): number {
    return this.get(envPhysical(id) + field);
  }

  setEnv(id: number, field: number, value: number): void {
    this.set(envPhysical(id) + field, value);
  }

  /** The generation of an environment's record. */
  life(id: number): number {
    return this.wide(envPhysical(id) + ENV.generation);
  }

  /** The environment that runs now; NO_ENV before the kernel has booted. */
  get current(): number {
    const record = this.kernelPage(KP.env);
    return record === 0 ? NO_ENV : this.get(record - KSEG0 + ENV.id);
  }

  /** A word of a frame's record, one of FRAME. */
  frame(ppn: number, field: number): number {
    return this.get(PHYSICAL.frames + ppn * FRAME_BYTES + field);
  }

  setFrame(ppn: number, field: number, value: number): void {
    this.set(PHYSICAL.frames + ppn * FRAME_BYTES + field, value);
  }

  pin(ppn: number): void {
    this.add(PHYSICAL.frames + ppn * FRAME_BYTES + FRAME.pins, 1);
  }

  /** A word of a slice, one of SLICE. */
  slice(position: number, field: number): number {
    return this.get(PHYSICAL.slices + position * SLICE_BYTES + field);
  }

  setSlice(position: number, owner: number, running: number): void {
    this.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.owner, owner);
    this.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.running, running);
  }
}

/** A table of records: their words by number and offset. */
export class Records {
  readonly #memory: KernelMemory;
  readonly #at: number;
  readonly #bytes: number;
  readonly count: number;

  /** Of a table at a physical address, or of a secret table. */
  constructor(memory: KernelMemory, at: number | SecretTable, bytes = 0, count = 0) {
    this.#memory = memory;
    this.#at = typeof at === 'number' ? at : memory.table(at);
    this.#bytes = typeof at === 'number' ? bytes : at.bytes;
    this.count = typeof at === 'number' ? count : at.count;
  }

  /** Physical address of a record. Throws `RangeError` if there is none of this number. */
  address(record: number): number {
    if (record >>> 0 !== record || record >= this.count) throw new RangeError(`no record ${record}`);
    return this.#at + this.#bytes * record;
  }

  get(record: number, field: number): number {
    return this.#memory.get(this.address(record) + field);
  }

  set(record: number, field: number, value: number): void {
    this.#memory.set(this.address(record) + field, value);
  }

  /** A number of two words, side by side. */
  wide(record: number, field: number): number {
    return this.#memory.wide(this.address(record) + field);
  }

  setWide(record: number, field: number, value: number): void {
    this.#memory.setWide(value, this.address(record) + field);
  }

  /** Sets several words of a record. */
  fill(record: number, words: readonly (readonly [field: number, value: number])[]): void {
    for (const [field, value] of words) this.set(record, field, value);
  }

  zero(record: number): void {
    this.#memory.zero(this.address(record), this.#bytes);
  }

  /** The first record, from `first` on, one of whose words is `value`, or −1. */
  find(field: number, value: number, first = 0): number {
    for (let record = first; record < this.count; record += 1) if (this.get(record, field) === value) return record;
    return -1;
  }

  /** The records for which `is` holds, in order. */
  filter(is: (record: number) => boolean): number[] {
    const records: number[] = [];
    for (let record = 0; record < this.count; record += 1) if (is(record)) records.push(record);
    return records;
  }
}

/** Sets of small numbers, such as environments, one per row: a bit for each member. A row or member that is none throws. */
export class BitSets {
  readonly #memory: KernelMemory;
  readonly #at: number;
  readonly #size: number;
  readonly #rows: number;
  readonly #stride: number;

  /** `size`, a multiple of 32, is how many members there can be; `stride` how far the rows are apart in bytes. */
  constructor(memory: KernelMemory, at: number, size: number, rows: number, stride: number = size / 8) {
    this.#memory = memory;
    this.#at = at;
    this.#size = size;
    this.#rows = rows;
    this.#stride = stride;
  }

  has(row: number, member: number): boolean {
    return ((this.#memory.get(this.#word(row, member)) >>> (member & 31)) & 1) !== 0;
  }

  add(row: number, member: number): void {
    const at = this.#word(row, member);
    this.#memory.set(at, this.#memory.get(at) | (1 << (member & 31)));
  }

  /** Adds `count` members from `first` on. */
  addRange(row: number, first: number, count: number): void {
    const end = first + count;
    let member = first;
    for (; member < end && member % 32 !== 0; member += 1) this.add(row, member);
    for (; member + 32 <= end; member += 32) this.#memory.set(this.#word(row, member), 0xffffffff);
    for (; member < end; member += 1) this.add(row, member);
  }

  delete(row: number, member: number): void {
    const at = this.#word(row, member);
    const word = this.#memory.get(at);
    const without = word & ~(1 << (member & 31));
    if (word !== without >>> 0) this.#memory.set(at, without);
  }

  /** The first member from `first` on, or −1. */
  next(row: number, first: number): number {
    for (let from = first; from < this.#size; from = (from | 31) + 1) {
      const word = this.#memory.get(this.#word(row, from)) >>> (from & 31);
      if (word !== 0) return from + Math.clz32(0) - 1 - Math.clz32(word & -word);
    }
    return -1;
  }

  clear(row: number): void {
    this.#memory.zero(this.#word(row, 0), this.#size / 8);
  }

  /** The members of a set, in order. */
  members(row: number): number[] {
    return this.union([row]);
  }

  /** The members of some sets, each once, in order. */
  union(rows: readonly number[]): number[] {
    const members: number[] = [];
    for (let first = 0; first < this.#size; first += 32) {
      let word = 0;
      for (const row of rows) word |= this.#memory.get(this.#word(row, first));
      for (let member = first; word !== 0; member += 1, word >>>= 1) if ((word & 1) !== 0) members.push(member);
    }
    return members;
  }

  #word(row: number, member: number): number {
    const exists = row >>> 0 === row && row < this.#rows && member >>> 0 === member && member < this.#size;
    if (!exists) throw new RangeError(`no bit ${member} in row ${row}`);
    return this.#at + this.#stride * row + 4 * (member >>> 5);
  }
}

/** Physical address of an environment's record. */
export function envPhysical(id: number): number {
  if (id < 0 || id >= ENV_LIMIT) throw new RangeError(`no environment record ${id}`);
  return PHYSICAL.environments + id * ENV_BYTES;
}

/** The environment of a record by its kseg0 address. */
export function envOf(address: number): number {
  return ((address >>> 0) - KSEG0 - PHYSICAL.environments) / ENV_BYTES;
}

/** kseg0 address of an environment's record, as the kernel's machine code and the slice vector hold it. */
export function envAddress(id: number): number {
  return KSEG0 + envPhysical(id);
}
