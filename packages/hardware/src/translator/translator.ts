/**
 * The translator: which code is hot, the regions made of it, and running them.
 *
 * The interpreter counts the targets of jumps; one that was reached often enough becomes a region. A region is dropped when a
 * store, a device or the host between runs has changed a word that it was made of. Nothing of this can be told from outside,
 * for a region does exactly what the interpreter would have done.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { HotCode } from '../cpu/hot-code.ts';
import * as S from '../memory/cpu-state.ts';
import { PROM_BYTES, PROM_HOST, RAM_HOST } from '../memory.ts';
import { findRegion } from './blocks.ts';
import { compileRegion, type RegionTiming } from './compile.ts';
import {
  END,
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_ENTRY_BYTES,
  JUMP_MODE_SHIFT,
  LEFT,
  REASON,
  STALLS,
  jumpEntry,
} from './layout.ts';
import type { Region } from './region.ts';
import { Residency, type CachedBlock } from './residency.ts';
import { worstCase } from './stalls.ts';
import { compileTrampoline } from './trampoline.ts';
import { WebAssembly, type Table } from './webassembly.ts';

/** When the translator sets to work. */
export interface TranslationOptions {
  /** How often code is reached before it is translated, 1 to 2^20. Default 2048. Assumption: where the compiler's time is earned back. */
  readonly after?: number;
  /** Stretches of fewer cycles are interpreted, 1 to 2^20. Default 512. Assumption: as above. */
  readonly worthwhile?: number;
}

const DEFAULT_AFTER = 2048;
const DEFAULT_WORTHWHILE = 512;
const HEAT_ENTRIES = 0x10000;
/** What cannot be translated is not tried again soon. */
const COLD = 0x100000;
/** Most regions at a time; when there are more, all are dropped. */
const MAX_REGIONS = 1024;
/** Code of a frame that was dropped so often is left to the interpreter. */
const MAX_DROPS = 64;
/** Code in a page that takes so many stores, more often than once in so many instructions, is left to the interpreter too. */
const STORES = 1024;
const INSTRUCTIONS_PER_STORE = 50;
/** A load or store that was left to the interpreter so often is so for good: it talks to a device. */
const SLOW = 32;
const SLOW_ENTRIES = 4096;
/** So many of one frame; the others are tried each time. */
const MAX_SLOW = 64;

/** A page of memory that holds, or held, translated code. */
interface CodePage {
  /** Number of the page in the whole memory. */
  readonly number: number;
  readonly regions: Set<Translated>;
  /** Numbers of its words that are the interpreter's for good. */
  readonly slow: Set<number>;
  /** How often code was dropped because it had changed. */
  drops: number;
  /** Stores to it, and the instruction since which they are counted. */
  stores: number;
  since: number;
}

/** A region in use. */
interface Translated {
  /** Index of its first word in the whole memory, and the words that it was made of. */
  readonly from: number;
  readonly words: Int32Array;
  readonly page: CodePage;
  /** Where it can be entered: keys and addresses. */
  readonly entries: (readonly [key: number, pc: number])[];
  /** 1 for code of user mode. */
  readonly mode: number;
  readonly slot: number;
  /** Its blocks, where there is an instruction cache. */
  readonly blocks: readonly CachedBlock[];
}

/** An address at which a region can be entered. */
interface Entry {
  readonly region: Translated;
  readonly number: number;
}

/** The translator of one machine. */
export class Translator implements HotCode {
  readonly table: number = JUMP_CACHE >>> 2;
  readonly mask: number = JUMP_CACHE_ENTRIES - 1;
  readonly heat: Int32Array = new Int32Array(HEAT_ENTRIES);
  readonly #worthwhile: number;
  readonly #after: number;
  readonly #cpu: Cpu;
  readonly #words: Int32Array;
  readonly #pages: number;
  readonly #functions: Table = new WebAssembly.Table({ element: 'anyfunc', initial: MAX_REGIONS });
  readonly #residency: Residency | undefined;
  readonly #imports: object;
  readonly #enter: (bank: number, mode: number) => number;
  readonly #entries = new Map<number, Entry>();
  readonly #codePages = new Map<number, CodePage>();
  readonly #free: number[] = Array.from({ length: MAX_REGIONS }, (_, i) => MAX_REGIONS - 1 - i);
  readonly #slowness = new Uint8Array(SLOW_ENTRIES);
  /** Words of all regions. */
  #size = 0;
  /** Whether the regions have been held against memory in this run. */
  #isChecked = false;

  constructor(cpu: Cpu, { after = DEFAULT_AFTER, worthwhile = DEFAULT_WORTHWHILE }: TranslationOptions = {}) {
    this.#cpu = cpu;
    this.#after = clamp(after);
    this.#worthwhile = clamp(worthwhile);
    this.#words = cpu.words;
    this.#pages = cpu.memory.wasm.buffer.byteLength / 0x10000;
    const timing = cpu.pipeline?.timing;
    const module = new WebAssembly.Module(compileTrampoline(this.#pages, timing));
    const own = { m: cpu.memory.wasm, t: this.#functions };
    const { f, r } = new WebAssembly.Instance(module, { m: own }).exports;
    this.#enter = f as (bank: number, mode: number) => number;
    this.#imports = { m: { ...own, r } };
    if (cpu.pipeline !== undefined) this.#residency = new Residency(cpu.words, cpu.pipeline);
    this.heat.fill(this.#after);
    cpu.memory.codeWritten = (physical, bytes) => {
      this.#written(physical, bytes);
    };
  }

  get exchange(): number {
    return this.#mode << JUMP_MODE_SHIFT;
  }

  /** 1 in user mode, in which addresses are noted apart. */
  get #mode(): number {
    return this.#cpu.userMode ? 1 : 0;
  }

  /** Between runs the host may have written anything anywhere: each region is held against memory before its next use. */
  beginRun(): void {
    this.#isChecked = false;
  }

  /** Stretches of fewer cycles are interpreted: before the regions have been checked, those that this would not pay for. */
  get worthwhile(): number {
    return this.#isChecked ? this.#worthwhile : Math.max(this.#worthwhile, this.#size >>> 2);
  }

  /** Holds all regions against memory. */
  #check(): void {
    this.#isChecked = true;
    const memory = this.#words;
    for (const page of this.#codePages.values()) {
      for (const region of [...page.regions]) {
        const { words, from } = region;
        let i = 0;
        while (i < words.length && words[i] === memory[from + i]) i += 1;
        if (i === words.length) continue;
        this.#hasChanged(page);
        this.#drop(region);
      }
    }
  }

  /** Makes the jump cache know `pc`, of which the heat is used up: by a new region if there is none. */
  compile(pc: number): void {
    const known = this.#lookUp(pc);
    if (known === undefined) this.#translate(pc);
    const entry = known ?? this.#lookUp(pc);
    if (entry !== undefined) this.#note(pc, entry);
    // Code that exists is to be found again at once when the jump cache has forgotten it.
    this.heat[(pc >>> 2) & (HEAT_ENTRIES - 1)] = entry === undefined ? COLD : 1;
  }

  #translate(pc: number): void {
    const cpu = this.#cpu;
    const host = this.#host(pc);
    if ((host & 0x80000003) !== 0 || !this.#mayHoldCode(host)) return;
    const page = this.#codePage(host);
    if (page.drops > MAX_DROPS) return;
    const start = page.number << 10;
    const facts = { isKernel: !cpu.userMode, isTimed: this.#residency !== undefined, slow: page.slow };
    const region = findRegion(pc, this.#words.subarray(start, start + 1024), facts);
    if (region === undefined) return;
    if (this.#free.length === 0 || this.#residency?.hasRoom(region.blocks.length) === false) this.#dropAll();
    const slot = this.#free.pop() ?? 0;
    const banks = { read: 4 * cpu.readBank, write: 4 * cpu.writeBank, mode: this.#mode };
    const [timing, blocks] = this.#cacheBlocks(region, host - pc);
    const bytes = compileRegion(region, banks, this.#pages, timing);
    if (!this.#install(bytes, slot)) {
      for (const block of blocks) this.#residency?.remove(block);
      this.#free.push(slot);
      return;
    }
    const translated: Translated = {
      from: start + region.first,
      words: this.#words.slice(start + region.first, start + region.end),
      page,
      entries: [],
      mode: banks.mode,
      slot,
      blocks,
    };
    region.blocks.forEach((block, i) => {
      if (block.length === 0) return;
      const key = this.#key(block.pc, host - pc + block.pc);
      translated.entries.push([key, block.pc]);
      this.#entries.set(key, { region: translated, number: i + 1 });
    });
    this.#codePages.set(page.number, page);
    page.regions.add(translated);
    this.#size += translated.words.length;
    if (page.regions.size === 1) this.#guard(page, 1);
  }

  /** Puts a region's function into the table; false if the host has no more room for code, or compiles none so large. */
  #install(bytes: Uint8Array, slot: number): boolean {
    try {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
      this.#functions.set(slot, instance.exports.f);
      return true;
    } catch {
      return false;
    }
  }

  /** Flags for the blocks of a region whose addresses are `delta` below their places in memory. */
  #cacheBlocks(region: Region, delta: number): [RegionTiming | undefined, readonly CachedBlock[]] {
    const residency = this.#residency;
    const timing = this.#cpu.pipeline?.timing;
    if (residency === undefined || timing === undefined) return [undefined, []];
    const flags = new Map(region.blocks.map((block) => [block, residency.claim()]));
    const blocks = region.blocks.map((block) => {
      const host = (block.pc + delta) | 0;
      return { flag: flags.get(block) ?? 0, host, end: host + 4 * block.length, worst: worstCase(block, timing) };
    });
    for (const block of blocks) residency.add(block);
    return [{ timing, flags }, blocks];
  }

  /**
   * Runs translated code from PC to cycle `end` or until something is the interpreter's. Returns whether the interpreter
   * should look out for translated code again in this stretch.
   */
  run(end: number): boolean {
    const cpu = this.#cpu;
    const { clock, state } = cpu;
    const words = this.#words;
    if (!this.#isChecked) this.#check();
    words[LEFT >>> 2] = end - clock.now;
    words[STALLS >>> 2] = 0;
    words[END >>> 2] = end | 0;
    const bank = 4 * cpu.fetchBank;
    const mode = this.#mode;
    let reason = this.#enter(bank, mode);
    while (this.#canGoOn(reason)) reason = this.#enter(bank, mode);
    const stalls = words[STALLS >>> 2] ?? 0;
    clock.now = end - (words[LEFT >>> 2] ?? 0);
    cpu.charged += stalls;
    state[S.NEXT_PC] = (state[S.PC] ?? 0) + 4;
    if (reason === REASON.slow) this.#wasSlow(state[S.PC] ?? 0);
    return reason !== REASON.budget || this.#residency?.isCold(this.#host(state[S.PC] ?? 0)) === true;
  }

  /** Whether translated code is there for what it stopped at. */
  #canGoOn(reason: number): boolean {
    const pc = this.#cpu.state[S.PC] ?? 0;
    if (reason === REASON.jump) return this.#find(pc);
    return reason === REASON.budget && this.#residency?.warm(this.#host(pc)) === true;
  }

  /** Notes that the instruction at `pc` was the interpreter's. If it always is, the code around it is made anew. */
  #wasSlow(pc: number): void {
    const place = (pc >>> 2) & (SLOW_ENTRIES - 1);
    const count = (this.#slowness[place] ?? 0) + 1;
    this.#slowness[place] = count;
    if (count < SLOW) return;
    this.#slowness[place] = 0;
    const host = this.#host(pc);
    const page = this.#codePage(host);
    const number = (pc & 0xfff) >>> 2;
    const opcode = (this.#words[host >>> 2] ?? 0) >>> 26;
    if (opcode < 0x20 || page.slow.has(number) || page.slow.size >= MAX_SLOW) return;
    page.slow.add(number);
    this.#dropRange(page, host >>> 2, (host >>> 2) + 1, false);
  }

  /** Makes the jump cache know `pc`: whether there is code for it, perhaps only now. */
  #find(pc: number): boolean {
    const entry = this.#lookUp(pc);
    if (entry !== undefined) {
      this.#note(pc, entry);
      return true;
    }
    const place = (pc >>> 2) & (HEAT_ENTRIES - 1);
    const heat = (this.heat[place] ?? 0) - 1;
    this.heat[place] = heat;
    if (heat > 0) return false;
    this.compile(pc);
    return this.#lookUp(pc) !== undefined;
  }

  /** The code for `pc`. */
  #lookUp(pc: number): Entry | undefined {
    const host = this.#host(pc);
    if ((host & 0x80000003) !== 0) return undefined;
    return this.#entries.get(this.#key(pc, host));
  }

  /** Place of the instruction at `pc` in memory; negative if the page tables do not show it. */
  #host(pc: number): number {
    return (pc + this.#pageEntry(pc)) | 0;
  }

  #pageEntry(pc: number): number {
    return this.#words[this.#cpu.fetchBank + (pc >>> 12)] ?? 0;
  }

  /** One number for a place in memory, the page at which it is seen, and the mode. */
  #key(pc: number, host: number): number {
    return ((host >>> 2) * 0x100000 + (pc >>> 12)) * 2 + this.#mode;
  }

  #note(pc: number, { region, number }: Entry): void {
    const at = jumpEntry(pc, region.mode) >>> 2;
    this.#words[at] = pc;
    this.#words[at + 1] = this.#pageEntry(pc);
    this.#words[at + 2] = region.slot;
    this.#words[at + 3] = number;
  }

  // ---- Code that changes

  #mayHoldCode(host: number): boolean {
    return host >= RAM_HOST
      ? host < RAM_HOST + this.#cpu.memory.ramBytes
      : host >= PROM_HOST && host < PROM_HOST + PROM_BYTES;
  }

  #codePage(host: number): CodePage {
    const number = host >>> 12;
    let page = this.#codePages.get(number);
    if (page === undefined) {
      page = { number, regions: new Set(), slow: new Set(), drops: 0, stores: 0, since: this.#cpu.instructions };
      this.#codePages.set(number, page);
    }
    return page;
  }

  /** Makes stores to a page of RAM take the slow path, or no longer. */
  #guard({ number }: CodePage, isCode: 0 | 1): void {
    const frame = number - (RAM_HOST >>> 12);
    if (frame < 0) return;
    this.#cpu.memory.codeFrames[frame] = isCode;
    this.#cpu.tlb.refreshFrame(frame);
  }

  /** Physical memory was written to. */
  #written(physical: number, bytes: number): void {
    const host = RAM_HOST + physical;
    for (let number = host >>> 12; number << 12 < host + bytes; number += 1) {
      const page = this.#codePages.get(number);
      if (page === undefined) continue;
      this.#dropRange(page, host >>> 2, (host + bytes + 3) >>> 2, true);
      this.#wasStoredTo(page);
    }
  }

  /** A page that is stored to all the time is worth more as data: its code is left to the interpreter. */
  #wasStoredTo(page: CodePage): void {
    page.stores += 1;
    if (page.stores < STORES) return;
    const { instructions } = this.#cpu;
    if (instructions - page.since < STORES * INSTRUCTIONS_PER_STORE) {
      page.drops = MAX_DROPS + 1;
      for (const region of [...page.regions]) this.#drop(region);
    }
    page.stores = 0;
    page.since = instructions;
  }

  /** Drops what was made of words `first` to `end` (exclusive) of the whole memory. */
  #dropRange(page: CodePage, first: number, end: number, hasChanged: boolean): void {
    for (const region of [...page.regions]) {
      if (region.from >= end || first >= region.from + region.words.length) continue;
      if (hasChanged) this.#hasChanged(page);
      this.#drop(region);
    }
  }

  /** Its words are not what they were: what was learned of them is void. */
  #hasChanged(page: CodePage): void {
    page.drops += 1;
    page.slow.clear();
  }

  #drop(region: Translated): void {
    const { page, slot, entries, mode } = region;
    for (const [key, pc] of entries) {
      if (this.#entries.get(key)?.region === region) this.#entries.delete(key);
      const at = jumpEntry(pc, mode) >>> 2;
      if (this.#words[at + 2] === slot) this.#words.fill(0, at, at + (JUMP_ENTRY_BYTES >>> 2));
    }
    for (const block of region.blocks) this.#residency?.remove(block);
    this.#functions.set(slot, null);
    this.#free.push(slot);
    page.regions.delete(region);
    this.#size -= region.words.length;
    if (page.regions.size === 0) this.#guard(page, 0);
  }

  /** Memory and caches have been replaced. */
  forget(): void {
    this.#dropAll();
  }

  #dropAll(): void {
    for (const page of this.#codePages.values()) for (const region of [...page.regions]) this.#drop(region);
    this.#codePages.clear();
    this.#residency?.clear();
  }
}

function clamp(value: number): number {
  return Math.max(1, Math.min(2 ** 20, Math.floor(value) || 1));
}
