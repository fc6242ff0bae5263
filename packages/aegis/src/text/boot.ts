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
  type SlotAssembler,
} from '@exokernel/isa';
import { KERNEL_PAGE_VA, KERNEL_STATUS, KP, KSEG0, NATIVE, NET, PHYSICAL } from '../layout.ts';
import { CLOCK_REGISTERS } from './interrupt.ts';
import { routine } from './routine.ts';

/** EntryLo of the kernel page: writable, valid, in every address space (and kseg2 is the kernel's alone). */
const KERNEL_PAGE_ENTRYLO = PHYSICAL.kernelPage | 0x700;
/** MC146818 registers A and B: 32.768 kHz time base, 64 Hz; periodic interrupt, binary, 24 hours [MC146818]. */
const CLOCK_A = { offset: 0x28, value: 0x2a } as const;
const CLOCK_B = { offset: 0x2c, value: 0x46 } as const;
/** LANCE: register address port at +4; CSR0 bits [LANCE]. */
const RAP = 4;
const CSR0 = { init: 0x0001, idon: 0x0100, start: 0x0142 } as const;

export function emitBoot(a: SlotAssembler): void {
  routine(
    a,
    'boot',
    {
      does: 'The first instructions of the kernel.',
      uses: {
        status: T0,
        index: T0,
        unmapped: T1,
        page: T0,
        entryLo: T1,
        clock: T0,
        value: T1,
        due: T0,
        hasLance: T0,
        lance: T1,
        word: T2,
      },
    },
    ({ status, index, unmapped, page, entryLo, clock, value, due, hasLance, lance, word }) => {
      a.li(status, KERNEL_STATUS);
      a.mtc0(status, CP0_STATUS);
      a.note('the TLB holds what it happened to hold: every entry becomes one of an address that it never translates');
      a.li(index, 63 << 8);
      a.lui(unmapped, KSEG0 >>> 16);
      a.mtc0(ZERO, CP0_ENTRYLO);
      a.mtc0(unmapped, CP0_ENTRYHI);
      a.label('boot.tlb');
      a.mtc0(index, CP0_INDEX);
      a.addiu(index, index, -(1 << 8));
      a.tlbwi();
      a.bgez(index, 'boot.tlb');

      a.note('the kernel page, in entry 0, which Random never names');
      a.li(page, KERNEL_PAGE_VA);
      a.li(entryLo, KERNEL_PAGE_ENTRYLO);
      a.mtc0(page, CP0_ENTRYHI);
      a.mtc0(entryLo, CP0_ENTRYLO);
      a.mtc0(ZERO, CP0_INDEX);
      a.nop();
      a.tlbwi();

      a.note('tables and the first environments');
      a.cop2(NATIVE.boot);

      a.lui(clock, CLOCK_REGISTERS >>> 16);
      for (const { offset, value: bits } of [CLOCK_A, CLOCK_B]) {
        a.li(value, bits);
        a.sb(value, offset, clock);
      }
      a.note('the first tick is due a quantum from here');
      a.mfc0(due, CP0_COUNT);
      a.nop();
      a.sw(due, KP.due, ZERO);

      a.lw(hasLance, KP.lance, ZERO);
      a.lui(lance, NET.registers >>> 16);
      a.beq(hasLance, ZERO, 'schedule');
      for (const [csr, bits] of [
        [1, NET.init],
        [2, 0],
        [3, 0],
        [0, CSR0.init],
      ] as const) {
        a.li(word, csr);
        a.sh(word, RAP, lance);
        a.li(word, bits);
        a.sh(word, 0, lance);
      }
      a.label('boot.lance');
      a.lhu(word, 0, lance);
      a.nop();
      a.andi(word, word, CSR0.idon);
      a.beq(word, ZERO, 'boot.lance', (slot) => slot.li(word, CSR0.start));
      a.b('schedule', (slot) => slot.sh(word, 0, lance));
    },
  );
}
