/**
 * Boot: the first instructions of the kernel. They empty the TLB, wire the kernel page, start the clock, let TypeScript
 * make the tables and the first environments, start the network controller, and go to the scheduler.
 */
import {
  CP0_COUNT,
  CP0_ENTRYHI,
  CP0_ENTRYLO,
  CP0_INDEX,
  CP0_STATUS,
  T0,
  T1,
  T2,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { KERNEL_PAGE_VA, KERNEL_STATUS, KP, KSEG0, NATIVE, NET, PHYSICAL } from '../layout.ts';
import { CLOCK_REGISTERS } from './interrupt.ts';

/** EntryLo of the kernel page: writable, valid, in every address space (and kseg2 is the kernel's alone). */
const KERNEL_PAGE_ENTRYLO = PHYSICAL.kernelPage | 0x700;
/** MC146818 registers A and B: 32.768 kHz time base, 64 Hz; periodic interrupt, binary, 24 hours [MC146818]. */
const CLOCK_A = { offset: 0x28, value: 0x2a } as const;
const CLOCK_B = { offset: 0x2c, value: 0x46 } as const;
/** LANCE: register address port at +4; CSR0 bits [LANCE]. */
const RAP = 4;
const CSR0 = { init: 0x0001, idon: 0x0100, start: 0x0142 } as const;

export function emitBoot(a: Assembler): void {
  a.label('boot');
  a.li(T0, KERNEL_STATUS);
  a.mtc0(T0, CP0_STATUS);
  a.li(T0, 63 << 8);
  a.lui(T1, KSEG0 >>> 16);
  a.mtc0(ZERO, CP0_ENTRYLO);
  a.mtc0(T1, CP0_ENTRYHI);
  a.label('boot.tlb');
  a.mtc0(T0, CP0_INDEX);
  a.addiu(T0, T0, -(1 << 8));
  a.tlbwi();
  a.bgez(T0, 'boot.tlb');
  a.nop();
  a.li(T0, KERNEL_PAGE_VA);
  a.li(T1, KERNEL_PAGE_ENTRYLO);
  a.mtc0(T0, CP0_ENTRYHI);
  a.mtc0(T1, CP0_ENTRYLO);
  a.mtc0(ZERO, CP0_INDEX);
  a.nop();
  a.tlbwi();

  a.cop2(NATIVE.boot);

  a.lui(T0, CLOCK_REGISTERS >>> 16);
  for (const { offset, value } of [CLOCK_A, CLOCK_B]) {
    a.li(T1, value);
    a.sb(T1, offset, T0);
  }
  a.mfc0(T0, CP0_COUNT);
  a.nop();
  a.sw(T0, KP.due, ZERO);

  a.lw(T0, KP.lance, ZERO);
  a.lui(T1, NET.registers >>> 16);
  a.beq(T0, ZERO, 'schedule');
  a.nop();
  for (const [csr, value] of [
    [1, NET.init],
    [2, 0],
    [3, 0],
    [0, CSR0.init],
  ] as const) {
    a.li(T2, csr);
    a.sh(T2, RAP, T1);
    a.li(T2, value);
    a.sh(T2, 0, T1);
  }
  a.label('boot.lance');
  a.lhu(T2, 0, T1);
  a.nop();
  a.andi(T2, T2, CSR0.idon);
  a.beq(T2, ZERO, 'boot.lance');
  a.li(T2, CSR0.start);
  a.b('schedule');
  a.sh(T2, 0, T1);
}
