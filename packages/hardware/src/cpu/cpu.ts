/**
 * The CPU outside its inner loop: exceptions, address translation, accesses that miss the flat page tables, and the
 * registers of CP0.
 *
 * Every access either completes or leaves `fault` set; the caller then calls `raiseFault`, exactly once per instruction.
 * `at` and `atInSlot` say which instruction is being executed; they are the interpreter's to keep.
 *
 * Deviation: a write to CP0 and a write to the TLB take effect at the next instruction; the R3000 needs one or two more.
 * What an access waits for is not counted here (`access.ts`).
 * Deviation: without caches (profile `ideal`) loads give 0 and stores go nowhere with Status.IsC set.
 *
 * Source: [KANE92 §6], [KN01] for the write timeout.
 */
import { KSEG0, type Extension } from '@exokernel/isa';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../bus/clock.ts';
import { EVENT_KINDS, type EventStream } from '../bus/events.ts';
import { CACHES_END_HOST, DATA_TAGS_HOST } from '../memory/places.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { MOST_CYCLES, type StateStream } from '../state/state-stream.ts';
import { PageTables } from '../memory/page-tables.ts';
import { IsolatedCache } from '../timing/isolated-cache.ts';
import { Pipeline } from '../timing/pipeline.ts';
import type { TimingProfile } from '../timing/profiles.ts';
import { Fpu } from './fpu.ts';
import { isPending } from './fpu-status.ts';
import { isHazard } from './hazards.ts';
import * as S from '../memory/cpu-state.ts';
import { Tlb, TWO_ENTRIES } from './tlb.ts';

const NO_FAULT = -1;
const STATE_BYTES = 4 * S.STATE_WORDS;

/** The CPU's state and everything slow about it. Only this package sees it; hosts get `CpuView`. */
export class Cpu {
  readonly memory: PhysicalMemory;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly tables: PageTables;
  readonly tlb: Tlb;
  readonly fpu: Fpu;
  /** What instructions wait for; undefined if they do not. */
  readonly pipeline: Pipeline | undefined;
  readonly #isolated: IsolatedCache | undefined;
  /** What it can do besides MIPS I. */
  readonly extensions: readonly Extension[];
  /** Implementation and revision of the floating-point unit (FCR0). */
  readonly fpuRevision: number;
  /** The words of `cpu-state.ts`; r0 to r31 are the first 32. */
  readonly state: Int32Array;
  readonly registers: Int32Array;
  /** The whole memory, as the hits of the page tables address it. */
  readonly words: Int32Array;
  readonly halfwords: Int16Array;
  readonly octets: Int8Array;
  /** Tags of both caches, and what isolated stores left in them. */
  readonly cacheWords: Int32Array;
  readonly #view: DataView;

  /** Banks of the flat page tables for the current mode. */
  readBank: number = 0;
  writeBank: number = 0;
  /** The bank for fetches: the isolation of the data cache does not touch them. */
  fetchBank: number = 0;
  /** The instruction being executed, for exceptions. */
  at: number = 0;
  atInSlot: boolean = false;
  /** ExcCode of the access that just failed, or -1. */
  fault: number = NO_FAULT;
  /** What `readRegister` has read. */
  registerValue: number = 0;
  #faultAddress = 0;
  #faultRefill = false;
  /** The access found two entries in the TLB. */
  #faultShutDown = false;
  /** A load that the next instruction must not see yet, as in DELAY_REGISTER, where the interpreter moves it. */
  lateRegister: number = 0;
  lateValue: number = 0;
  /** Cycles that are no instructions: stalls, and what native functions charged. */
  charged: number = 0;

  constructor(
    memory: PhysicalMemory,
    bus: Bus,
    clock: Clock,
    events: EventStream,
    profile: TimingProfile,
    extensions: readonly Extension[] = [],
  ) {
    this.extensions = extensions;
    this.memory = memory;
    this.bus = bus;
    this.clock = clock;
    this.events = events;
    const { timing } = profile;
    this.tables = new PageTables(memory, timing !== undefined);
    const { buffer } = memory.wasm;
    this.words = this.tables.entries;
    this.halfwords = new Int16Array(buffer);
    this.octets = new Int8Array(buffer);
    this.cacheWords = this.words.subarray(DATA_TAGS_HOST >>> 2, CACHES_END_HOST >>> 2);
    this.state = this.words.subarray(0, S.STATE_WORDS);
    this.registers = this.state.subarray(0, 32);
    this.fpu = new Fpu(this.state);
    this.tlb = new Tlb(this.state, this.tables);
    this.#view = new DataView(buffer);
    this.pipeline = timing === undefined ? undefined : new Pipeline(timing, this.words);
    const evict = (tag: number): void => this.pipeline?.evict(tag);
    this.#isolated = timing === undefined ? undefined : new IsolatedCache(this.words, timing.refillWords, evict);
    this.fpuRevision = profile.fpu;
    this.jump(0xbfc00000);
    this.#set(S.CP0 + S.CP0_PRID, profile.processor);
    this.setStatus(S.STATUS_BEV);
  }

  /** Its words, caches and TLB. The page tables follow. */
  cpuState(s: StateStream): void {
    const { buffer } = this.memory.wasm;
    const words = new Uint8Array(buffer, 0, STATE_BYTES);
    if (s.reads) this.tlb.hideAll();
    s.bytes(words);
    const { byteOffset, byteLength } = this.cacheWords;
    if (this.pipeline !== undefined) s.bytes(new Uint8Array(buffer, byteOffset, byteLength));
    this.clock.now = s.integer(this.clock.now, 0, MOST_CYCLES);
    this.charged = s.integer(this.charged, 0, this.clock.now);
    if (!s.reads) return;
    this.pipeline?.check(s, this.clock.now);
    this.setStatus(this.get(S.STATUS));
    this.tlb.rebuild(this.get(S.CP0 + S.CP0_ENTRYHI) & S.HI_ASID);
    this.pipeline?.pass(this.clock.now, 0);
  }

  get(word: number): number {
    return this.state[word] ?? 0;
  }

  #set(word: number, value: number): void {
    this.state[word] = value;
  }

  /** Continues at `va`: the instruction there is in no delay slot. */
  jump(va: number): void {
    this.#set(S.PC, va);
    this.#set(S.NEXT_PC, va + 4);
    this.#set(S.IN_SLOT, 0);
  }

  /** The interpreter's loop gives back what it keeps in variables of its own. */
  leaveLoop(now: number, pc: number, nextPc: number, inSlot: boolean): void {
    this.clock.now = now;
    this.state[S.PC] = pc;
    this.state[S.NEXT_PC] = nextPc;
    this.state[S.IN_SLOT] = inSlot ? 1 : 0;
  }

  /** Whether the next instruction must wait: a device has moved an event into the stretch that ends at `end`, or interrupts. */
  isOver(end: number): boolean {
    const status = this.get(S.STATUS);
    return this.clock.next < end || ((this.get(S.CAUSE) & status & 0xff00) !== 0 && (status & 1) !== 0);
  }

  /** Ends the branch at `at`: the next instruction is its slot, taken or not. */
  branch(taken: boolean, target: number): void {
    if (taken) this.#set(S.NEXT_PC, target);
    this.#set(S.IN_SLOT, 1);
  }

  /** The same for a branch whose target stands in its word. */
  branchBy(taken: boolean, word: number): void {
    this.branch(taken, this.at + 4 + ((word << 16) >> 14));
  }

  /** Instructions begun since power-on. */
  get instructions(): number {
    return this.clock.now - this.charged;
  }

  /** The instruction being executed waits for `cycles`. */
  stall(cycles: number): void {
    this.clock.now += cycles;
    this.charged += cycles;
  }

  /** Time goes on without instructions. */
  pass(cycles: number): void {
    this.pipeline?.pass(this.clock.now, cycles);
    this.clock.now += cycles;
  }

  get asid(): number {
    return (this.get(S.CP0 + S.CP0_ENTRYHI) & S.HI_ASID) >>> 6;
  }

  get userMode(): boolean {
    return (this.get(S.STATUS) & S.STATUS_KUC) !== 0;
  }

  /** A device drives its interrupt line (bit of Cause.IP, 2 to 7). */
  setLine(line: number, level: boolean): void {
    const bit = 0x100 << line;
    const cause = this.get(S.CAUSE);
    if (((cause & bit) !== 0) === level) return;
    this.#set(S.CAUSE, cause ^ bit);
    this.events.emit(EVENT_KINDS['interrupt-line'].kind, this.clock.now, line, level ? 1 : 0, 0);
  }

  /** Drives the interrupt line of the floating-point unit as FCR31 says. */
  setFpuLine(): void {
    this.setLine(S.LINE_FPU, isPending(this.fpu.status));
  }

  /** Writes Status as it is given, without a mask. */
  setStatus(status: number): void {
    this.#set(S.STATUS, status);
    const { tables } = this;
    const user = (status & S.STATUS_KUC) !== 0;
    const swapped = (status & S.STATUS_SWC) !== 0 && this.pipeline !== undefined;
    this.pipeline?.swap(swapped);
    const slow = (status & S.STATUS_ISC) !== 0 || swapped;
    this.fetchBank = user ? tables.userRead : tables.kernelRead;
    this.readBank = slow ? tables.nothing : this.fetchBank;
    this.writeBank = slow ? tables.nothing : user ? tables.userWrite : tables.kernelWrite;
  }

  // ---- Exceptions

  /** Ends a load delay: the register gets its value. */
  commitLoad(): void {
    const register = this.get(S.DELAY_REGISTER);
    if (register === 0) return;
    this.#load(register, this.get(S.DELAY_VALUE));
    this.#set(S.DELAY_REGISTER, 0);
  }

  /** Takes an exception at the instruction `at`. `ce` is the coprocessor of Coprocessor Unusable. */
  raise(code: number, refill = false, ce = 0): void {
    this.commitLoad();
    this.lateRegister = 0;
    this.#set(S.LINK, 0);
    const epc = this.atInSlot ? this.at - 4 : this.at;
    const branchDelay = this.atInSlot ? 0x80000000 : 0;
    this.#set(S.CP0 + S.CP0_EPC, epc);
    this.#set(S.CAUSE, (this.get(S.CAUSE) & 0xff00) | (code << 2) | (ce << 28) | branchDelay);
    const status = this.get(S.STATUS);
    this.setStatus((status & ~0x3f) | ((status & 0x0f) << 2));
    const vector = ((status & S.STATUS_BEV) === 0 ? KSEG0 : 0xbfc00100) + (refill ? 0 : 0x80);
    this.jump(vector);
    this.events.emit(EVENT_KINDS.exception.kind, this.clock.now, code, epc >>> 0, vector);
  }

  /** Takes an interrupt before the instruction at PC. */
  raiseInterrupt(): void {
    this.at = this.get(S.PC);
    this.atInSlot = this.get(S.IN_SLOT) !== 0;
    this.raise(S.EXC_INT);
  }

  /** Records a failed access; returns -1. */
  #fail(code: number, va: number, refill: boolean): number {
    this.fault = code;
    this.#faultAddress = va;
    this.#faultRefill = refill;
    return -1;
  }

  /** Forgets a failed access that was only tried. */
  clearFault(): void {
    this.fault = NO_FAULT;
    this.#faultShutDown = false;
  }

  /** Takes the exception of the access that failed. */
  raiseFault(): void {
    const code = this.fault;
    const va = this.#faultAddress;
    if (this.#faultShutDown) this.tlb.shutDown();
    this.clearFault();
    if (code !== S.EXC_IBE && code !== S.EXC_DBE) this.#set(S.CP0 + S.CP0_BADVADDR, va);
    if (code === S.EXC_MOD || code === S.EXC_TLBL || code === S.EXC_TLBS) {
      const context = S.CP0 + S.CP0_CONTEXT;
      const entryHi = S.CP0 + S.CP0_ENTRYHI;
      this.#set(context, (this.get(context) & 0xffe00000) | ((va >>> 10) & 0x1ffffc));
      this.#set(entryHi, (va & 0xfffff000) | (this.get(entryHi) & S.HI_ASID));
    }
    this.raise(code, this.#faultRefill);
  }

  // ---- Accesses

  /** What `bc0t` and `bc0f` test on a KN01 [KN01]: memory has all stores. */
  get isWriteBufferEmpty(): boolean {
    return this.pipeline === undefined || this.pipeline.isWriteBufferEmpty(this.clock.now | 0);
  }

  /** Physical address (unsigned) of an access in the current mode, or -1 with `fault` set. `va` is an int32. */
  translate(va: number, write: boolean): number {
    if (va < 0) {
      if (this.userMode) return this.#fail(write ? S.EXC_ADES : S.EXC_ADEL, va, false);
      if (va >>> 30 === 2) return va & 0x1fffffff;
    }
    const index = this.tlb.find(va);
    if (index < 0) {
      this.#faultShutDown = index === TWO_ENTRIES;
      return this.#fail(write ? S.EXC_TLBS : S.EXC_TLBL, va, va >= 0);
    }
    const lo = this.tlb.lo(index);
    if ((lo & S.LO_V) === 0) return this.#fail(write ? S.EXC_TLBS : S.EXC_TLBL, va, false);
    if (write && (lo & S.LO_D) === 0) return this.#fail(S.EXC_MOD, va, false);
    return ((lo & 0xfffff000) | (va & 0xfff)) >>> 0;
  }

  /** Whether an access to `va`, which can be translated, goes past the caches. */
  isUncached(va: number): boolean {
    if (va >>> 30 === 2) return (va & 0x20000000) !== 0;
    return (this.tlb.lo(this.tlb.find(va)) & S.LO_N) !== 0;
  }

  /** Place in memory of an instruction that goes past the caches; -1 if the page tables show it, or it is none. */
  uncachedFetchHost(va: number): number {
    if (this.pipeline === undefined || (va & 3) !== 0) return -1;
    const physical = this.translate(va, false);
    this.clearFault();
    return physical >= 0 && this.isUncached(va) ? this.memory.hostAddress(physical) : -1;
  }

  /** Takes the exception of the instruction at `va`, which cannot be fetched; that takes its cycle. */
  raiseFetchFault(va: number, inSlot: boolean): void {
    this.clock.now += 1;
    this.at = va;
    this.atInSlot = inSlot;
    if ((va & 3) !== 0) this.#fail(S.EXC_ADEL, va, false);
    else if (this.translate(va, false) >= 0) this.#fail(S.EXC_IBE, va, false);
    this.raiseFault();
  }

  /** The word of the instruction at `va`, or 0 if it cannot be fetched (its fetch will raise an exception then). */
  peek(va: number): number {
    const host = this.#fetchHost(va);
    return host < 0 ? 0 : this.#view.getInt32(host, true);
  }

  /** Whether a `nop` can be fetched at `va`. */
  isNop(va: number): boolean {
    const host = this.#fetchHost(va);
    return host >= 0 && this.#view.getInt32(host, true) === 0;
  }

  /** Whether the instruction at `va` can be fetched without a stall. */
  isFetchedAtOnce(va: number): boolean {
    const { pipeline } = this;
    return pipeline === undefined || (this.uncachedFetchHost(va) < 0 && pipeline.has(this.#fetchHost(va)));
  }

  #fetchHost(va: number): number {
    const host = (va + (this.words[this.fetchBank + (va >>> 12)] ?? 0)) | 0;
    return (host & 0x80000003) === 0 ? host : this.uncachedFetchHost(va);
  }

  /** Physical address of an access to 1, 2 or 4 bytes at `va`, aligned and permitted; or -1 with `fault` set. */
  reach(va: number, size: number, write: boolean): number {
    if ((va & (size - 1)) !== 0) return this.#fail(write ? S.EXC_ADES : S.EXC_ADEL, va, false);
    return this.translate(va, write);
  }

  /** Loads 1, 2 or 4 bytes, zero-extended to an int32. With `fault` set the result means nothing. */
  load(va: number, size: number): number {
    const physical = this.reach(va, size, false);
    return physical < 0 ? 0 : this.loadReached(physical, va, size);
  }

  /** The same from where `va` was found to be; still, no memory and no device may be there. */
  loadReached(physical: number, va: number, size: number): number {
    const host = this.memory.hostAddress(physical);
    if ((this.get(S.STATUS) & S.STATUS_ISC) !== 0) return part(this.#loadIsolated(physical, host), physical, size);
    if (host >= 0) {
      if (size === 4) return this.#view.getInt32(host, true);
      return size === 2 ? this.#view.getUint16(host, true) : this.#view.getUint8(host);
    }
    const device = this.bus.find(physical);
    if (device === undefined) return this.#fail(S.EXC_DBE, va, false);
    return part(device.read((physical - device.base) & ~3), physical, size);
  }

  /** A load while the data cache is isolated: the word around `physical`. Status.CM says whether it is that one. */
  #loadIsolated(physical: number, host: number): number {
    const isolated = this.#isolated;
    if (isolated === undefined) return 0;
    const status = this.get(S.STATUS);
    const word = isolated.load(physical, host, (status & S.STATUS_SWC) !== 0);
    this.#set(S.STATUS, isolated.missed ? status | S.STATUS_CM : status & ~S.STATUS_CM);
    return word;
  }

  #storeIsolated(physical: number, value: number, mask: number): void {
    const swapped = (this.get(S.STATUS) & S.STATUS_SWC) !== 0;
    if (mask !== -1) this.#isolated?.invalidate(physical, swapped);
    else this.#isolated?.storeWord(physical, this.memory.hostAddress(physical), swapped, value);
  }

  /** Stores the low 1, 2 or 4 bytes of `value`. */
  store(va: number, size: number, value: number): void {
    const physical = this.reach(va, size, true);
    const shift = 8 * (va & 3);
    const lanes = size === 4 ? -1 : (1 << (8 * size)) - 1;
    if (physical >= 0) this.storeReached(physical, value << shift, lanes << shift);
  }

  /** Stores those bits of `value` that `mask` selects into the word around `physical`. */
  storeReached(physical: number, value: number, mask: number): void {
    if ((this.get(S.STATUS) & S.STATUS_ISC) !== 0) {
      this.#storeIsolated(physical, value, mask | 0);
      return;
    }
    const word = (physical & ~3) >>> 0;
    const host = this.memory.storeHostAddress(word);
    if (host >= 0) {
      this.#view.setInt32(host, (this.#view.getInt32(host, true) & ~mask) | (value & mask), true);
      this.memory.wrote(word, 4);
      return;
    }
    const device = this.bus.find(word);
    if (device === undefined) this.bus.writeTimeout(word);
    else device.write(word - device.base, value & mask, mask);
  }

  /** Gives a loaded value to `register` (32 + n: floating-point register n), late if the next instruction names it. */
  completeLoad(register: number, value: number): void {
    if (register === 0) return;
    if (isHazard(this.peek(this.get(S.PC)), register)) {
      this.lateRegister = register;
      this.lateValue = value;
    } else this.#load(register, value);
  }

  #load(register: number, value: number): void {
    if (register < 32) this.registers[register] = value;
    else this.fpu.words[register - 32] = value;
  }

  // ---- CP0

  /**
   * The register as `mfc0` reads it, an int32; 0 for those that do not exist. Assumption: Random, from 63 down to 8 [KANE92 §6],
   * counts instructions and not stalls, so that it does not depend on the profile. Deviation: Count, which the R3000 does not have,
   * is the low word of the cycle in which it is read.
   */
  readCp0(register: number): number {
    if (register === S.CP0_RANDOM) return (63 - (this.instructions % 56)) << 8;
    if (register === S.CP0_COUNT) return this.clock.now | 0;
    return this.get(S.CP0 + register);
  }

  /** Writes it as `mtc0` does: read-only bits stay. */
  writeCp0(register: number, value: number): void {
    const word = S.CP0 + register;
    const old = this.get(word);
    switch (register) {
      case S.CP0_INDEX:
        this.#set(word, value & 0x80003f00);
        break;
      case S.CP0_ENTRYLO:
        this.#set(word, value & 0xffffff00);
        break;
      case S.CP0_CONTEXT:
        this.#set(word, (value & 0xffe00000) | (old & 0x1ffffc));
        break;
      case S.CP0_ENTRYHI:
        this.#set(word, value & 0xffffffc0);
        if (((old ^ value) & S.HI_ASID) !== 0) {
          this.tlb.switchTo(value & S.HI_ASID);
          this.events.emit(EVENT_KINDS.asid.kind, this.clock.now, (value & S.HI_ASID) >>> 6, 0, 0);
        }
        break;
      case S.CP0_STATUS:
        this.setStatus((value & S.STATUS_WRITABLE) | (old & (S.STATUS_TS | S.STATUS_CM)));
        break;
      case S.CP0_CAUSE:
        this.#set(word, (old & ~0x300) | (value & 0x300));
        break;
      case S.CP0_EPC:
        this.#set(word, value);
        break;
    }
  }
}

/** The 1, 2 or 4 bytes at `physical` of the word around it, zero-extended to an int32. */
function part(word: number, physical: number, size: number): number {
  return size === 4 ? word | 0 : (word >>> (8 * (physical & 3))) & (0xffffffff >>> (32 - 8 * size));
}
