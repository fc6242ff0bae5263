/**
 * The translator: which code is hot, the regions made of it, and running them.
 *
 * The interpreter counts the targets of jumps; one that was reached often enough becomes a region. Every write to memory from
 * outside translated code is announced (`memory/ports.ts`), and translated code cannot store to pages that hold code; so a region
 * is dropped at the very write that changes one of its words. Nothing of this can be told from outside, for a region does
 * exactly what the interpreter would have done.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { HotCode } from '../cpu/hot-code.ts';
import { readDevice } from '../cpu/slow-path.ts';
import * as S from '../memory/cpu-state.ts';
import { PROM_BYTES, PROM_HOST, RAM_HOST } from '../memory/places.ts';
import { findRegion } from './blocks.ts';
import { CodePage, type Translated } from './code-page.ts';
import { compileRegions, exportName, type RegionSource, type RegionTiming } from './compile.ts';
import type { Banks } from './emission.ts';
import { DEVICE_WORD, END, IS_OVER, JUMP_CACHE, JUMP_FACTOR, JUMP_SHIFT, LEFT, REASON, STALLS } from './layout.ts';
import type { Region } from './region.ts';
import { RegionTable, type Entry } from './region-table.ts';
import { Residency, type CachedBlock } from './residency.ts';
import { worstCase } from './stalls.ts';
import { compileTrampoline } from './trampoline.ts';
import { WebAssembly } from '../memory/webassembly.ts';

/** When the translator sets to work. */
export interface TranslationOptions {
  /** How often code is reached before it is translated, 1 to 2^20. Default 2048. Assumption: where the compiler's time is earned back. */
  readonly after?: number;
  /** Stretches of fewer cycles are interpreted, 1 to 2^20. Default 512. Assumption: as above. */
  readonly worthwhile?: number;
}

const DEFAULT_AFTER = 2048;
const DEFAULT_WORTHWHILE = 512;
/**
 * Code that gets hot at about the same time is compiled together: a WebAssembly module costs the host 20 KB and a tenth of a
 * millisecond, and functions of one module lie together in the host's caches. Most regions of a module; for how many
 * instructions the first one waits, in multiples of `after`; into how many parts `after` is divided to look whether it has.
 */
const MAX_BATCH = 128;
const WAIT = 16;
const LOOKS = 8;
const HEAT_ENTRIES = 0x10000;
/** What cannot be translated is not tried again soon. */
const COLD = 0x100000;
/** A load or store that was left to the interpreter so often is so as long as its page stays: it talks to a device. */
const SLOW = 32;
const SLOW_ENTRIES = 4096;
/** So many of one frame; the others are tried each time. */
const MAX_SLOW = 64;

/** Code that is to be translated: its address, its place in memory, its mode. */
interface Asked {
  readonly pc: number;
  readonly host: number;
  readonly mode: number;
}

/** A region on its way to use. */
interface Draft {
  readonly region: Region;
  readonly banks: Banks;
  readonly page: CodePage;
  /** From its addresses to their places in memory. */
  readonly delta: number;
  readonly entries: readonly (readonly [key: number, pc: number])[];
  readonly numbers: readonly number[];
}

/** The translator of one machine. */
export class Translator implements HotCode {
  readonly table: number = JUMP_CACHE >>> 2;
  readonly factor: number = JUMP_FACTOR | 0;
  readonly shift: number = JUMP_SHIFT;
  readonly worthwhile: number;
  readonly heat: Int32Array = new Int32Array(HEAT_ENTRIES);
  readonly #after: number;
  readonly #cpu: Cpu;
  readonly #words: Int32Array;
  readonly #pages: number;
  readonly #regions: RegionTable;
  readonly #residency: Residency | undefined;
  readonly #imports: object;
  readonly #enter: (bank: number, mode: number) => number;
  readonly #codePages = new Map<number, CodePage>();
  readonly #slowness = new Uint8Array(SLOW_ENTRIES);
  readonly #asked = new Map<number, Asked>();
  /** The instruction at which what was asked for is translated. */
  #due = 0;
  /** Where the stretch that runs ends. */
  #end = 0;

  constructor(cpu: Cpu, { after = DEFAULT_AFTER, worthwhile = DEFAULT_WORTHWHILE }: TranslationOptions = {}) {
    this.#cpu = cpu;
    this.#after = clamp(after);
    this.worthwhile = clamp(worthwhile);
    this.#words = cpu.words;
    this.#pages = cpu.memory.wasm.buffer.byteLength / 0x10000;
    this.#regions = new RegionTable(cpu.words);
    const timing = cpu.pipeline?.timing;
    const module = new WebAssembly.Module(compileTrampoline(this.#pages, timing));
    const own = { m: cpu.memory.wasm, t: this.#regions.functions };
    const { f, r } = new WebAssembly.Instance(module, { m: own }).exports;
    this.#enter = f as (bank: number, mode: number) => number;
    const d = (size: number, va: number): number => this.#readDevice(size, va);
    this.#imports = { m: { ...own, r, d } };
    if (cpu.pipeline !== undefined) this.#residency = new Residency(cpu.words, cpu.pipeline);
    this.heat.fill(this.#after);
    cpu.memory.watch = {
      written: (physical, bytes, isProgram) => {
        this.#written(physical, bytes, isProgram);
      },
    };
  }

  /** 1 in user mode, in which addresses are noted apart. */
  get mode(): number {
    return this.#cpu.userMode ? 1 : 0;
  }

  /** Makes the jump cache know `pc`, of which the heat is used up, or has it translated soon. */
  compile(pc: number): void {
    if (this.#lookUp(pc) === undefined) this.#ask(pc);
    const entry = this.#lookUp(pc);
    if (entry === undefined) return;
    // Code that exists is to be found again at once when the jump cache has forgotten it.
    this.#setHeat(pc, 1);
    this.#regions.note(pc, this.#pageEntry(pc), entry);
  }

  #setHeat(pc: number, heat: number): void {
    this.heat[(pc >>> 2) & (HEAT_ENTRIES - 1)] = heat;
  }

  /** Has the code at `pc` translated with other code that gets hot at about this time; perhaps now. */
  #ask(pc: number): void {
    const host = this.#host(pc);
    const now = this.#cpu.instructions;
    if ((host & 0x80000003) !== 0 || !this.#mayHoldCode(host)) {
      this.#setHeat(pc, COLD);
      return;
    }
    if (!this.#codePage(host).mayTranslate(now)) {
      this.#setHeat(pc, this.#after);
      return;
    }
    const { mode } = this;
    if (this.#asked.size === 0) this.#due = now + this.#after * WAIT;
    this.#asked.set(this.#key(pc, host), { pc, host, mode });
    this.#setHeat(pc, Math.ceil(this.#after / LOOKS));
    if (now >= this.#due || this.#asked.size >= MAX_BATCH) this.#translate();
  }

  /** Makes regions of all code that was asked for. */
  #translate(): void {
    const asked = [...this.#asked];
    this.#asked.clear();
    const found = new Set<number>();
    const made: Draft[] = [];
    for (const [key, { pc, host, mode }] of asked) {
      if (found.has(key) || this.#regions.find(key) !== undefined) continue;
      const draft = this.#draft(pc, host, mode);
      if (draft === undefined) {
        this.#setHeat(pc, COLD);
        continue;
      }
      for (const [entry] of draft.entries) found.add(entry);
      made.push(draft);
    }
    this.#install(made);
  }

  /** A region of the code at `pc`, if that can be; its words lie at `host`. */
  #draft(pc: number, host: number, mode: number): Draft | undefined {
    const { extensions, tables } = this.#cpu;
    const page = this.#codePage(host);
    const start = page.number << 10;
    const facts = { isKernel: mode === 0, isTimed: this.#residency !== undefined, slow: page.slow, extensions };
    const region = findRegion(pc, this.#words.subarray(start, start + 1024), facts);
    if (region === undefined) return undefined;
    const entered = region.blocks.map(({ pc: at, length }, i) => ({ at, length, number: i + 1 }));
    const entries = entered.filter(({ length }) => length > 0);
    const banks =
      mode === 0
        ? { read: 4 * tables.kernelRead, write: 4 * tables.kernelWrite, mode }
        : { read: 4 * tables.userRead, write: 4 * tables.userWrite, mode };
    return {
      region,
      banks,
      page,
      delta: host - pc,
      entries: entries.map(({ at }) => [this.#keyOf(at, host - pc + at, mode), at]),
      numbers: entries.map(({ number }) => number),
    };
  }

  /** Compiles regions together and puts them to use. What the host refuses together is tried one by one. */
  #install(drafts: readonly Draft[]): void {
    if (drafts.length === 0) return;
    const blocks = drafts.reduce((sum, { region }) => sum + region.blocks.length, 0);
    while (!this.#regions.hasRoom(drafts.length) || this.#residency?.hasRoom(blocks) === false) this.#makeRoom();
    const timed = drafts.map(({ region, delta }) => this.#cacheBlocks(region, delta));
    const functions = this.#compiled(drafts.map(({ region, banks }, i) => ({ region, banks, timing: timed[i]?.[0] })));
    if (functions === undefined) {
      for (const [, flags] of timed) for (const block of flags) this.#residency?.remove(block);
      if (drafts.length > 1) for (const draft of drafts) this.#install([draft]);
      else for (const [, pc] of drafts[0]?.entries ?? []) this.#setHeat(pc, COLD);
      return;
    }
    drafts.forEach((draft, i) => {
      this.#add(draft, functions[i], timed[i]?.[1] ?? []);
    });
  }

  /** The functions of these regions; undefined if the host has no more room for code, or compiles none so large. */
  #compiled(sources: readonly RegionSource[]): unknown[] | undefined {
    try {
      const module = new WebAssembly.Module(compileRegions(sources, this.#pages));
      const { exports } = new WebAssembly.Instance(module, this.#imports);
      return sources.map((_, i) => exports[exportName(i)]);
    } catch {
      return undefined;
    }
  }

  #add({ region, page, banks, entries, numbers }: Draft, run: unknown, blocks: readonly CachedBlock[]): void {
    const start = page.number << 10;
    page.translated(this.#cpu.instructions);
    this.#regions.add(run, numbers, {
      from: start + region.first,
      words: this.#words.slice(start + region.first, start + region.end),
      page,
      entries,
      mode: banks.mode,
      blocks,
    });
    if (page.regions.size === 1) this.#guard(page, 1);
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
    words[LEFT >>> 2] = end - clock.now;
    words[END >>> 2] = end | 0;
    words[IS_OVER >>> 2] = 0;
    this.#end = end;
    const bank = 4 * cpu.fetchBank;
    const { mode } = this;
    let reason: number;
    do {
      words[STALLS >>> 2] = 0;
      reason = this.#enter(bank, mode);
      clock.now = end - (words[LEFT >>> 2] ?? 0);
      cpu.charged += words[STALLS >>> 2] ?? 0;
    } while (this.#canGoOn(reason));
    state[S.NEXT_PC] = (state[S.PC] ?? 0) + 4;
    if (reason === REASON.slow) this.#wasSlow(state[S.PC] ?? 0);
    return reason !== REASON.budget || this.#residency?.isCold(this.#host(state[S.PC] ?? 0)) === true;
  }

  /** A device is read in the midst of translated code (`Emission`): the place of its word, or -1 if nothing has happened. */
  #readDevice(size: number, va: number): number {
    const cpu = this.#cpu;
    const words = this.#words;
    const pc = cpu.state[S.PC] ?? 0;
    cpu.leaveLoop(this.#end - (words[LEFT >>> 2] ?? 0), pc, pc + 4, false);
    const { dropped } = this.#regions;
    if (!readDevice(cpu, size, va)) return -1;
    words[DEVICE_WORD >>> 2] = cpu.registerValue;
    words[IS_OVER >>> 2] = cpu.isOver(this.#end) || this.#regions.dropped !== dropped ? 1 : 0;
    return DEVICE_WORD + (va & 3);
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
    for (const region of [...page.regions]) if (reaches(region, host >>> 2, (host >>> 2) + 1)) this.#drop(region, 1);
  }

  /** Makes the jump cache know `pc`: whether there is code for it, perhaps only now. */
  #find(pc: number): boolean {
    const entry = this.#lookUp(pc);
    if (entry !== undefined) {
      this.#regions.note(pc, this.#pageEntry(pc), entry);
      return true;
    }
    const heat = (this.heat[(pc >>> 2) & (HEAT_ENTRIES - 1)] ?? 0) - 1;
    this.#setHeat(pc, heat);
    if (heat > 0) return false;
    this.compile(pc);
    return this.#lookUp(pc) !== undefined;
  }

  /** The code for `pc`. */
  #lookUp(pc: number): Entry | undefined {
    const host = this.#host(pc);
    if ((host & 0x80000003) !== 0) return undefined;
    return this.#regions.find(this.#key(pc, host));
  }

  /** Place of the instruction at `pc` in memory; negative if the page tables do not show it. */
  #host(pc: number): number {
    return (pc + this.#pageEntry(pc)) | 0;
  }

  #pageEntry(pc: number): number {
    return this.#words[this.#cpu.fetchBank + (pc >>> 12)] ?? 0;
  }

  #key(pc: number, host: number): number {
    return this.#keyOf(pc, host, this.mode);
  }

  /** One number for a place in memory, the page at which it is seen, and the mode. */
  #keyOf(pc: number, host: number, mode: number): number {
    return ((host >>> 2) * 0x100000 + (pc >>> 12)) * 2 + mode;
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
    if (page === undefined) this.#codePages.set(number, (page = new CodePage(number)));
    return page;
  }

  /** Makes stores to a page of RAM take the slow path, or no longer. */
  #guard({ number }: CodePage, isCode: 0 | 1): void {
    const frame = number - (RAM_HOST >>> 12);
    if (frame < 0) return;
    this.#cpu.memory.codeFrames[frame] = isCode;
    this.#cpu.tlb.refreshFrame(frame);
  }

  /** Physical memory was written to: what was made of words that are others now is dropped. */
  #written(physical: number, bytes: number, isProgram: boolean): void {
    const host = this.#cpu.memory.hostAddress(physical);
    const now = this.#cpu.instructions;
    for (let number = host >>> 12; number << 12 < host + bytes; number += 1) {
      const page = this.#codePages.get(number);
      if (page === undefined) continue;
      let isChanged = false;
      for (const region of [...page.regions]) {
        if (!reaches(region, host >>> 2, (host + bytes + 3) >>> 2) || this.#isUnchanged(region)) continue;
        isChanged = true;
        this.#drop(region, this.#after);
      }
      if (isProgram) page.installed();
      else if (isChanged) page.changed(now);
      if (page.regions.size > 0 && page.stored(now))
        for (const region of [...page.regions]) this.#drop(region, this.#after);
    }
  }

  #isUnchanged({ words, from }: Translated): boolean {
    const memory = this.#words;
    for (let i = 0; i < words.length; i += 1) if (words[i] !== memory[from + i]) return false;
    return true;
  }

  /** Drops a region. The code at its entries is translated again when it has been reached so often. */
  #drop(region: Translated, heat: number): void {
    this.#regions.remove(region);
    for (const [, pc] of region.entries) this.#setHeat(pc, heat);
    for (const block of region.blocks) this.#residency?.remove(block);
    if (region.page.regions.size === 0) this.#guard(region.page, 0);
  }

  #makeRoom(): void {
    for (const region of this.#regions.victims()) this.#drop(region, this.#after);
  }

  /** The caches have been replaced as a whole. */
  cachesReplaced(): void {
    this.#residency?.forget();
  }
}

/** Whether a region was made of a word from `first` up to `end` (exclusive). */
function reaches({ from, words }: Translated, first: number, end: number): boolean {
  return from < end && first < from + words.length;
}

function clamp(value: number): number {
  return Math.max(1, Math.min(2 ** 20, Math.floor(value) || 1));
}
