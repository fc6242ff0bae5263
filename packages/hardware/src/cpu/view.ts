/**
 * The CPU as a host program sees it between runs: registers, program counter, CP0, TLB, floating-point unit.
 *
 * Native functions of the kernel may use CP0 and the TLB during a run; their general registers are those of their
 * `NativeCpu`. Writes behave as the instruction that makes them: read-only bits stay, the page tables follow.
 */
import type { Cpu } from './cpu.ts';
import * as S from '../memory/cpu-state.ts';

const CACHE_WORDS = 0x4000;

/** CP0's registers, as unsigned 32-bit numbers [KANE92 §6]. */
export class Cp0View {
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** Register `register` (0 to 31) as `mfc0` reads it, unsigned. */
  read(register: number): number {
    return this.#cpu.readCp0(register & 31) >>> 0;
  }

  /** Writes it as `mtc0` does. */
  write(register: number, value: number): void {
    this.#cpu.writeCp0(register & 31, value | 0);
  }

  get index(): number {
    return this.read(S.CP0_INDEX);
  }
  set index(value: number) {
    this.write(S.CP0_INDEX, value);
  }
  get random(): number {
    return this.read(S.CP0_RANDOM);
  }
  get entryLo(): number {
    return this.read(S.CP0_ENTRYLO);
  }
  set entryLo(value: number) {
    this.write(S.CP0_ENTRYLO, value);
  }
  get context(): number {
    return this.read(S.CP0_CONTEXT);
  }
  set context(value: number) {
    this.write(S.CP0_CONTEXT, value);
  }
  get badVaddr(): number {
    return this.read(S.CP0_BADVADDR);
  }
  get entryHi(): number {
    return this.read(S.CP0_ENTRYHI);
  }
  set entryHi(value: number) {
    this.write(S.CP0_ENTRYHI, value);
  }
  get status(): number {
    return this.read(S.CP0_STATUS);
  }
  set status(value: number) {
    this.write(S.CP0_STATUS, value);
  }
  get cause(): number {
    return this.read(S.CP0_CAUSE);
  }
  set cause(value: number) {
    this.write(S.CP0_CAUSE, value);
  }
  get epc(): number {
    return this.read(S.CP0_EPC);
  }
  set epc(value: number) {
    this.write(S.CP0_EPC, value);
  }
  get prId(): number {
    return this.read(S.CP0_PRID);
  }
}

/** The TLB: 64 entries of EntryHi and EntryLo, unsigned. */
export class TlbView {
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** EntryHi of entry 0 to 63. Throws `tlb-index`. */
  hi(index: number): number {
    return this.#cpu.tlb.hi(index);
  }

  /** EntryLo of entry 0 to 63. Throws `tlb-index`. */
  lo(index: number): number {
    return this.#cpu.tlb.lo(index);
  }

  /** Writes entry 0 to 63, as `tlbwi` does with EntryHi and EntryLo; those registers stay. Throws `tlb-index`. */
  write(index: number, hi: number, lo: number): void {
    this.#cpu.tlb.write(index, hi | 0, lo | 0);
  }

  /** Index of the entry that matches this EntryHi; -1 if none does, -2 if several do. */
  probe(hi: number): number {
    return this.#cpu.tlb.lookup(hi | 0);
  }
}

/** The floating-point unit's registers. */
export class FpuView {
  /** f0 to f31 as bits. */
  readonly words: Int32Array;
  /** As singles, which are in the even ones. A NaN may change on its way through these: use `words`. */
  readonly singles: Float32Array;
  /** As doubles: f0, f2, … f30. */
  readonly doubles: Float64Array;
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.words = cpu.fpu.words;
    this.singles = cpu.fpu.singles;
    this.doubles = cpu.fpu.doubles;
  }

  /** FCR31, the control and status register. Writing a cause that is enabled interrupts, as with `ctc1`. */
  get status(): number {
    return this.#cpu.fpu.status;
  }
  set status(value: number) {
    this.#cpu.fpu.status = value;
    this.#cpu.setFpuLine();
  }
}

/** The CPU's state. */
export class CpuView {
  /** r0 to r31 as int32. The guest reads r0 as 0, also when something else is written here. */
  readonly registers: Int32Array;
  readonly cp0: Cp0View;
  readonly tlb: TlbView;
  readonly fpu: FpuView;
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.registers = cpu.registers;
    this.cp0 = new Cp0View(cpu);
    this.tlb = new TlbView(cpu);
    this.fpu = new FpuView(cpu);
  }

  /** Address of the next instruction, unsigned. Writing it leaves any delay slot and ends a load delay. */
  get pc(): number {
    return this.#cpu.get(S.PC) >>> 0;
  }
  set pc(va: number) {
    this.#cpu.commitLoad();
    this.#cpu.jump(va);
  }

  /** Whether the next instruction is in a branch delay slot. */
  get inDelaySlot(): boolean {
    return this.#cpu.get(S.IN_SLOT) !== 0;
  }

  get hi(): number {
    return this.#cpu.get(S.HI);
  }
  set hi(value: number) {
    this.#cpu.state[S.HI] = value;
  }
  get lo(): number {
    return this.#cpu.get(S.LO);
  }
  set lo(value: number) {
    this.#cpu.state[S.LO] = value;
  }

  /** The current address space, 0 to 63. */
  get asid(): number {
    return this.#cpu.asid;
  }

  get userMode(): boolean {
    return this.#cpu.userMode;
  }

  /** A copy of all words that the CPU keeps (`memory/cpu-state.ts`), for comparisons. */
  words(): Int32Array {
    return this.#cpu.state.slice();
  }

  /** A copy of the caches' words: tags, then what isolated stores left. Without caches there are none, and all are 0. */
  caches(): Int32Array {
    return this.#cpu.cacheWords.slice();
  }

  /** Empties the data cache, as if every line had been used for other memory. */
  emptyDataCache(): void {
    this.#cpu.cacheWords.fill(0, 0, CACHE_WORDS);
  }
}
