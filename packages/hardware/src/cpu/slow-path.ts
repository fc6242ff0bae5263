/**
 * The instructions that the inner loop does not finish itself: accesses that miss the flat page tables, traps, overflow, and
 * what it does not know at all, as their rows say (`semantics/`); and the coprocessors, which have their own ways.
 *
 * There is no coprocessor 3: its instructions find it unusable with any value of Status.CU3.
 *
 * Called with PC and NEXT_PC already advanced. It completes the instruction or takes its exception; it never does both.
 *
 * Source: [KANE92 app. A].
 */
import { EVENT_KINDS } from '../bus/events.ts';
import { identify } from '../semantics/identify.ts';
import type { Cpu } from './cpu.ts';
import { execute } from './execute.ts';
import { executeFpu } from './slow-path-fpu.ts';
import * as S from '../memory/cpu-state.ts';
import { TWO_ENTRIES } from './tlb.ts';

/** Runs native function `n`; completes it or takes its exception. */
export type NativeCall = (n: number) => void;

/** In kseg1, 0xa0000000 to 0xbfffffff, nothing is mapped and nothing cached. */
const KSEG1 = 5;

/** Executes `word`, the instruction at `at`. */
export function executeSlow(cpu: Cpu, native: NativeCall, word: number, at: number, inSlot: boolean): void {
  cpu.at = at;
  cpu.atInSlot = inSlot;
  switch (word >>> 26) {
    case 0x10:
      if (cpu.userMode && (cpu.get(S.STATUS) & S.STATUS_CU0) === 0) cpu.raise(S.EXC_CPU, false, 0);
      else coprocessor0(cpu, word);
      return;
    case 0x12:
    case 0x32:
    case 0x3a:
      if ((cpu.get(S.STATUS) & S.STATUS_CU2) === 0) cpu.raise(S.EXC_CPU, false, 2);
      else if (word >>> 25 === 0x25) native(word & 0x1ffffff);
      else cpu.raise(S.EXC_RI);
      return;
    case 0x11:
    case 0x31:
    case 0x39:
      executeFpu(cpu, word);
      return;
    case 0x13:
    case 0x33:
    case 0x3b:
      cpu.raise(S.EXC_CPU, false, 3);
      return;
    default: {
      const mnemonic = identify(word, cpu.extensions);
      if (mnemonic === undefined || !execute(cpu, word, mnemonic)) cpu.raise(S.EXC_RI);
    }
  }
}

/**
 * Loads from a device's register as the load `word` does, into `registerValue`. Returns whether `va` is an aligned address of
 * one in kseg1; if not, nothing has happened.
 */
export function readRegister(cpu: Cpu, word: number, va: number): boolean {
  const opcode = word >>> 26;
  const size = opcode === 0x23 ? 4 : (opcode & 1) + 1;
  if (!readDevice(cpu, size, va)) return false;
  const shift = 32 - 8 * size;
  const value = (cpu.registerValue >>> (8 * (va & 3))) << shift;
  cpu.registerValue = opcode < 0x24 ? value >> shift : value >>> shift;
  return true;
}

/** Reads the whole word of a device's register at `va`, of which `size` bytes are wanted, likewise. */
export function readDevice(cpu: Cpu, size: number, va: number): boolean {
  if (va >>> 29 !== KSEG1 || (va & (size - 1)) !== 0) return false;
  const physical = va & 0x1fffffff;
  const device = cpu.memory.hostAddress(physical) >= 0 ? undefined : cpu.bus.find(physical);
  if (device === undefined) return false;
  cpu.registerValue = device.read((physical - device.base) & ~3);
  return true;
}

/** `lwl` at byte `shift / 8` of a little-endian word: its low bytes become the register's high ones. */
export function mergeLeft(memory: number, register: number, shift: number): number {
  return (register & (0x00ffffff >>> shift)) | (memory << (24 - shift));
}

/** `lwr`: the word's bytes from `shift / 8` up become the register's low ones. */
export function mergeRight(memory: number, register: number, shift: number): number {
  return (register & (0xffffff00 << (24 - shift))) | (memory >>> shift);
}

function coprocessor0(cpu: Cpu, word: number): void {
  const rt = (word >>> 16) & 31;
  const rd = (word >>> 11) & 31;
  switch ((word >>> 21) & 31) {
    case 0x00:
      cpu.completeLoad(rt, cpu.readCp0(rd));
      return;
    case 0x04:
      cpu.writeCp0(rd, cpu.registers[rt] ?? 0);
      return;
    case 0x08:
      if (rt > 1) cpu.raise(S.EXC_RI);
      else cpu.branchBy((rt === 1) === cpu.isWriteBufferEmpty, word);
      return;
    default:
      if ((word & 0x2000000) === 0) cpu.raise(S.EXC_RI);
      else operation0(cpu, word & 0x3f);
  }
}

function operation0(cpu: Cpu, operation: number): void {
  const { state, tlb } = cpu;
  const entryHi = cpu.get(S.CP0 + S.CP0_ENTRYHI);
  const entryLo = cpu.get(S.CP0 + S.CP0_ENTRYLO);
  const index = (cpu.get(S.CP0 + S.CP0_INDEX) >>> 8) & 63;
  switch (operation) {
    case 0x01: // tlbr
      cpu.writeCp0(S.CP0_ENTRYHI, tlb.hi(index));
      cpu.writeCp0(S.CP0_ENTRYLO, tlb.lo(index));
      return;
    case 0x02: // tlbwi
      tlb.write(index, entryHi, entryLo);
      return;
    case 0x06: // tlbwr
      tlb.write(cpu.readCp0(S.CP0_RANDOM) >>> 8, entryHi, entryLo);
      return;
    case 0x08: {
      const found = tlb.lookup(entryHi);
      if (found === TWO_ENTRIES) tlb.shutDown();
      state[S.CP0 + S.CP0_INDEX] = found < 0 ? 0x80000000 : found << 8;
      return;
    }
    case 0x10: {
      const status = cpu.get(S.STATUS);
      state[S.LINK] = 0;
      cpu.setStatus((status & ~0x0f) | ((status >>> 2) & 0x0f));
      cpu.events.emit(EVENT_KINDS.return.kind, cpu.clock.now, cpu.get(S.STATUS) >>> 0, 0, 0);
      return;
    }
    default:
      cpu.raise(S.EXC_RI);
  }
}
