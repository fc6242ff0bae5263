/**
 * What a native function reaches: a copy of the registers, and memory through the TLB with the rights of the current
 * mode. The registers go back to the CPU only when the function returns, so a fault has nothing to undo but stores. An access
 * costs nothing and leaves the caches as they are: a function's cycles are those that it charges.
 */
import { HardwareError } from '../error.ts';
import type { Cpu } from './cpu.ts';
import * as S from '../memory/cpu-state.ts';

/** A native function's view of the machine. Addresses are virtual, as int32 or unsigned. Valid during the call only. */
export interface NativeCpu {
  /** r0 to r31, as int32. A write to r0 is dropped. */
  readonly registers: Int32Array;
  hi: number;
  lo: number;
  /** Zero-extended byte. */
  load8(va: number): number;
  /** Zero-extended halfword. */
  load16(va: number): number;
  /** Word as int32. */
  load32(va: number): number;
  store8(va: number, value: number): void;
  store16(va: number, value: number): void;
  store32(va: number, value: number): void;
  /** Fills `bytes` from memory at `va`. */
  read(va: number, bytes: Uint8Array): void;
  /** Stores `bytes` at `va`, in ascending order. */
  write(va: number, bytes: Uint8Array): void;
  /** Whether a byte access would succeed now, without doing it or raising anything. */
  probe(va: number, write: boolean): boolean;
  /** Charges cycles, a non-negative integer; at most 2^18 in one instruction of a user. Throws `native-charge`. */
  charge(cycles: number): void;
  /** Continues at `va` after this instruction, also out of a delay slot. */
  jump(va: number): void;
}

/** The object that leaves a function whose access failed; made once, so that a fault allocates nothing. */
class AccessFault extends Error {}
const ACCESS_FAULT = new AccessFault('an access of a native function failed; do not catch this');

const NO_JUMP = -1;
/**
 * Most cycles of one instruction. A user's is below a tick of a 64 Hz clock at 25 MHz, for an instruction cannot be interrupted;
 * the kernel's is only a backstop. Assumption: both.
 */
const MAX_USER_CHARGE = 2 ** 18;
const MAX_KERNEL_CHARGE = 2 ** 28;

/** The one `NativeCpu` of a machine. */
export class NativeAccess implements NativeCpu {
  readonly registers: Int32Array = new Int32Array(32);
  hi = 0;
  lo = 0;
  readonly #cpu: Cpu;
  #active = false;
  #charged = 0;
  #jump = NO_JUMP;

  /** `begin` and `end` are for the native unit: they go out through `control`, so that functions do not see them. */
  constructor(cpu: Cpu, control: (begin: () => void, end: () => void, commit: () => number) => void) {
    this.#cpu = cpu;
    control(
      () => {
        this.#begin();
      },
      () => {
        this.#active = false;
      },
      () => this.#commit(),
    );
  }

  #begin(): void {
    const cpu = this.#cpu;
    this.registers.set(cpu.registers);
    this.hi = cpu.get(S.HI);
    this.lo = cpu.get(S.LO);
    this.#charged = 0;
    this.#jump = NO_JUMP;
    this.#active = true;
  }

  /** Gives the registers, the charge and the jump to the CPU; returns the charge. */
  #commit(): number {
    const cpu = this.#cpu;
    cpu.registers.set(this.registers);
    cpu.registers[0] = 0;
    cpu.state[S.HI] = this.hi;
    cpu.state[S.LO] = this.lo;
    cpu.charged += this.#charged;
    cpu.pass(this.#charged);
    if (this.#jump !== NO_JUMP) cpu.jump(this.#jump);
    return this.#charged;
  }

  load8(va: number): number {
    const cpu = this.#live();
    const host = hit(cpu, cpu.readBank, va | 0, 0);
    return host >= 0 ? (cpu.octets[host] ?? 0) & 0xff : this.#loaded(cpu.load(va | 0, 1));
  }

  load16(va: number): number {
    const cpu = this.#live();
    const host = hit(cpu, cpu.readBank, va | 0, 1);
    return host >= 0 ? (cpu.halfwords[host >> 1] ?? 0) & 0xffff : this.#loaded(cpu.load(va | 0, 2));
  }

  load32(va: number): number {
    const cpu = this.#live();
    const host = hit(cpu, cpu.readBank, va | 0, 3);
    return host >= 0 ? (cpu.words[host >> 2] ?? 0) : this.#loaded(cpu.load(va | 0, 4));
  }

  store8(va: number, value: number): void {
    const cpu = this.#live();
    const host = hit(cpu, cpu.writeBank, va | 0, 0);
    if (host >= 0) cpu.octets[host] = value;
    else this.#slowStore(va | 0, 1, value);
  }

  store16(va: number, value: number): void {
    const cpu = this.#live();
    const host = hit(cpu, cpu.writeBank, va | 0, 1);
    if (host >= 0) cpu.halfwords[host >> 1] = value;
    else this.#slowStore(va | 0, 2, value);
  }

  store32(va: number, value: number): void {
    const cpu = this.#live();
    const host = hit(cpu, cpu.writeBank, va | 0, 3);
    if (host >= 0) cpu.words[host >> 2] = value;
    else this.#slowStore(va | 0, 4, value);
  }

  read(va: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length;) {
      const cpu = this.#live();
      const here = (va + i) | 0;
      const n = Math.min(bytes.length - i, 4096 - (here & 0xfff));
      const host = hit(cpu, cpu.readBank, here, 0);
      if (host >= 0) for (let k = 0; k < n; k += 1) bytes[i + k] = cpu.octets[host + k] ?? 0;
      else for (let k = 0; k < n; k += 1) bytes[i + k] = this.load8(here + k);
      i += n;
    }
  }

  write(va: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length;) {
      const cpu = this.#live();
      const here = (va + i) | 0;
      const n = Math.min(bytes.length - i, 4096 - (here & 0xfff));
      const host = hit(cpu, cpu.writeBank, here, 0);
      if (host >= 0) for (let k = 0; k < n; k += 1) cpu.octets[host + k] = bytes[i + k] ?? 0;
      else for (let k = 0; k < n; k += 1) this.store8(here + k, bytes[i + k] ?? 0);
      i += n;
    }
  }

  probe(va: number, write: boolean): boolean {
    const cpu = this.#live();
    const physical = cpu.translate(va | 0, write);
    cpu.clearFault();
    if (physical < 0) return false;
    const host = write ? cpu.memory.storeHostAddress(physical) : cpu.memory.hostAddress(physical);
    return host >= 0 || cpu.bus.find(physical) !== undefined;
  }

  charge(cycles: number): void {
    const most = this.#live().userMode ? MAX_USER_CHARGE : MAX_KERNEL_CHARGE;
    if (!Number.isInteger(cycles) || cycles < 0 || this.#charged + cycles > most) {
      throw new HardwareError(
        'native-charge',
        `cannot charge ${cycles} cycles: use an integer from 0, ${most} in all`,
        {
          cycles,
        },
      );
    }
    this.#charged += cycles;
  }

  jump(va: number): void {
    this.#live();
    this.#jump = va >>> 0;
  }

  /** The CPU, if a function is running and has not faulted: one that catches the fault cannot go on. */
  #live(): Cpu {
    if (!this.#active) {
      throw new HardwareError('native-inactive', 'a NativeCpu is valid only while its native function runs');
    }
    if (this.#cpu.fault >= 0) throw ACCESS_FAULT;
    return this.#cpu;
  }

  #slowStore(va: number, size: number, value: number): void {
    this.#cpu.store(va, size, value);
    if (this.#cpu.fault >= 0) throw ACCESS_FAULT;
  }

  #loaded(value: number): number {
    if (this.#cpu.fault >= 0) throw ACCESS_FAULT;
    return value;
  }
}

/** Place of the byte at `va` in the whole memory, or -1; `alignment` is the access size less one. */
function hit(cpu: Cpu, bank: number, va: number, alignment: number): number {
  const host = (va + (cpu.words[bank + (va >>> 12)] ?? 0)) | 0;
  return (host & (0x80000000 | alignment)) === 0 ? host : -1;
}
