/**
 * Interrupts: the clock that ends slices, and the devices.
 *
 * The clock's tick is the quantum. When a slice is over and the next position belongs to another environment, the one that runs
 * gets its end-of-slice upcall (epilogue): t0 = PC, t2 = Cause, their old values and t1's in U.interruptSave; it saves itself and
 * yields. The slice pays for every cycle until then: it forfeits as many later slices, and beyond EXCESS_LIMIT of them the
 * environment is destroyed. Contiguous slices of one environment run through without an upcall. [SOSP95 §5.1.1]
 *
 * The slice that runs does not pay for a device's interrupt, which is not its doing: the environment that caused it owes that.
 */
import {
  CP0_CAUSE,
  CP0_COUNT,
  CP0_EPC,
  CP0_STATUS,
  K0,
  K1,
  RA,
  T0,
  T1,
  T2,
  ZERO,
  register,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { DEATHS, ENV, SLICE, SYSTEM, U } from '@exokernel/abi';
import {
  CSR0_INEA,
  EXCESS_LIMIT,
  INTERRUPT,
  KP,
  KSEG0,
  NATIVE,
  NET,
  PHYSICAL,
  STATUS,
  SYSTEM_TABLE,
} from '../layout.ts';
import { emitNotPaid, emitPay } from './pay.ts';
import { emitCountBorrowed, emitNextPosition, emitOwner } from './schedule.ts';
import { emitTransfersPossible } from './transfer.ts';

/** MC146818 at 0x1d000000 in kseg1, a register every 4 bytes. */
export const CLOCK_REGISTERS = 0xbd000000;
const CLOCK_REGISTER_C = 0x30;

/** What a device routine may use beside t0 to t2: caller-saved registers, ra, and the s registers of the packet path. */
const DEVICE_REGISTERS: readonly Register[] = [
  1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 31,
].map(register);

/** The causes that are devices, or work on what they brought. */
const DEVICES = INTERRUPT.lance | INTERRUPT.disk | INTERRUPT.serial | INTERRUPT.packets | INTERRUPT.blocks;

export function emitInterrupt(a: Assembler): void {
  a.label('interrupt');
  a.sw(T0, KP.t0, ZERO);
  a.mfc0(T0, CP0_CAUSE);
  a.sw(T1, KP.t1, ZERO);
  a.andi(T1, T0, INTERRUPT.clock);
  a.bne(T1, ZERO, 'clock');
  a.sw(T2, KP.t2, ZERO);
  a.andi(T1, T0, DEVICES);
  a.li(T2, INTERRUPT.lance);
  a.bne(T1, T2, 'interrupt.other');
  a.la(T2, 'receive');

  // Runs the routine at t2 with every register that it may use saved.
  a.label('interrupt.device');
  a.mfc0(T1, CP0_COUNT);
  a.sw(ZERO, KP.claimant, ZERO);
  a.sw(T1, KP.interrupted, ZERO);
  for (const r of DEVICE_REGISTERS) a.sw(r, KP.saved + 4 * r, ZERO);
  a.mfhi(T0);
  a.mflo(T1);
  a.sw(T0, KP.savedHi, ZERO);
  a.sw(T1, KP.savedLo, ZERO);
  a.jalr(RA, T2);
  a.nop();
  a.lw(T0, KP.savedHi, ZERO);
  a.lw(T1, KP.savedLo, ZERO);
  a.mthi(T0);
  a.mtlo(T1);
  for (const r of DEVICE_REGISTERS) a.lw(r, KP.saved + 4 * r, ZERO);
  a.lw(T0, KP.interrupted, ZERO);
  emitNotPaid(a, T0, T1, T2);

  // Back to what was interrupted, or on from the idle loop or from the scheduler's search.
  a.label('interrupt.return');
  a.mfc0(T0, CP0_STATUS);
  a.lw(T1, KP.t1, ZERO);
  a.andi(T0, T0, STATUS.kup);
  a.beq(T0, ZERO, 'interrupt.kernel');
  a.lw(T0, KP.t0, ZERO);
  a.lw(T2, KP.t2, ZERO);
  a.mfc0(K0, CP0_EPC);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  // The kernel itself was interrupted, where it had let interrupts in.
  a.label('interrupt.kernel');
  a.lw(T0, KP.resume, ZERO);
  a.nop();
  a.jr(T0);
  a.nop();

  // Packets come last: there can always be more of them, and the other devices are soon done.
  a.label('interrupt.other');
  a.beq(T1, ZERO, 'interrupt.unit');
  a.andi(T1, T0, INTERRUPT.disk | INTERRUPT.blocks);
  a.la(T2, 'interrupt.disk');
  a.bne(T1, ZERO, 'interrupt.device');
  a.andi(T1, T0, INTERRUPT.serial);
  a.la(T2, 'interrupt.serial');
  a.bne(T1, ZERO, 'interrupt.device');
  a.la(T2, 'receive');
  a.b('interrupt.device');
  a.nop();

  // The unit's line stays up until whoever raised it is told, or another gets the unit: it counts only where it is unmasked.
  a.label('interrupt.unit');
  a.mfc0(T1, CP0_STATUS);
  a.nop();
  a.and(T1, T1, T0);
  a.andi(T1, T1, INTERRUPT.fpu);
  a.beq(T1, ZERO, 'interrupt.return');
  a.nop();
  a.j('interrupt.fpu');
  a.nop();

  a.label('interrupt.disk');
  a.cop2(NATIVE.diskInterrupt);
  a.ret();
  a.nop();
  a.label('interrupt.serial');
  a.cop2(NATIVE.serialInterrupt);
  a.ret();
  a.nop();

  emitClock(a);
}

function emitClock(a: Assembler): void {
  a.label('clock');
  a.lui(T0, CLOCK_REGISTERS >>> 16);
  a.lbu(ZERO, CLOCK_REGISTER_C, T0);
  a.mfc0(T1, CP0_COUNT);
  a.lw(T0, KP.due, ZERO);
  a.lw(T2, KP.quantum, ZERO);
  a.lw(K1, KP.tick, ZERO);
  // Ticks that came while interrupts were off are one interrupt.
  a.label('clock.count');
  a.addu(T0, T0, T2);
  a.subu(K0, T1, T0);
  a.slt(K0, K0, T2);
  a.beq(K0, ZERO, 'clock.count');
  a.addiu(K1, K1, 1);
  // No tick comes after its interrupt: the quantum is rounded up.
  a.subu(K0, T1, T0);
  a.bgez(K0, 'clock.counted');
  a.nop();
  a.move(T0, T1);
  a.label('clock.counted');
  a.lw(K0, KP.inea, ZERO);
  a.lw(T2, KP.unpayableLimit, ZERO);
  a.nop();
  a.sw(T2, KP.unpayable, ZERO);
  a.beq(K0, ZERO, 'clock.listen');
  a.nop();
  a.label('clock.listening');
  a.li(T2, SYSTEM_TABLE);
  a.sw(T0, KP.due, ZERO);
  a.sw(K1, SYSTEM.tick, T2);
  a.lw(T2, KP.revokeTick, ZERO);
  a.sw(K1, KP.tick, ZERO);
  a.subu(K1, K1, T2);
  a.beq(T2, ZERO, 'clock.kept');
  a.nop();
  a.bgez(K1, 'clock.revoke');
  a.nop();
  a.label('clock.kept');
  a.mfc0(T1, CP0_STATUS);
  a.nop();
  a.andi(T1, T1, STATUS.kup);
  a.beq(T1, ZERO, 'interrupt.kernel');
  a.nop();
  emitPay(a, T0, T1, T2);
  a.lw(T2, KP.ending, ZERO);
  a.lw(K0, KP.env, ZERO);
  a.bne(T2, ZERO, 'clock.overrun');
  a.lw(T2, KP.quantum, ZERO);
  // It began late, and has half of its slice or more: it runs on.
  a.nop();
  a.srl(K1, T2, 1);
  a.slt(K1, T1, K1);
  a.beq(K1, ZERO, 'interrupt.return');
  a.lw(T0, KP.position, ZERO);
  a.lw(T1, KP.vectorBytes, ZERO);
  a.nop();
  emitNextPosition(a, T0, T1, K1);
  a.li(K1, KSEG0 + PHYSICAL.slices);
  a.addu(K1, K1, T0);
  a.lw(T1, SLICE.running, K1);
  a.nop();
  a.bne(T1, K0, 'clock.end');
  a.nop();
  emitOwner(a, T0, K1, T1);
  a.lw(T1, SLICE.credit, K1);
  a.lw(K0, ENV.credit, T0);
  a.addu(T1, T1, T2);
  a.addu(T1, T1, K0);
  a.srl(T2, T2, 1);
  a.slt(T2, T2, T1);
  a.beq(T2, ZERO, 'clock.end');
  a.lw(K0, KP.env, ZERO);
  a.sw(ZERO, ENV.credit, T0);
  a.li(T0, KSEG0 + PHYSICAL.slices);
  a.subu(T0, K1, T0);
  a.sw(T1, SLICE.credit, K1);
  a.lw(T1, ENV.slices, K0);
  a.sw(T0, KP.position, ZERO);
  a.addiu(T1, T1, 1);
  a.sw(T1, ENV.slices, K0);
  emitCountBorrowed(a, K1, K0, T0, T1);
  a.sw(K1, KP.payer, ZERO);
  a.b('interrupt.return');
  a.sw(K1, KP.slice, ZERO);

  // The controller was quiet for the rest of the tick.
  a.label('clock.listen');
  a.li(K0, CSR0_INEA);
  a.lui(T2, NET.registers >>> 16);
  a.sw(K0, KP.inea, ZERO);
  a.b('clock.listening');
  a.sh(K0, 0, T2);

  // An environment did not give up what it was asked for. That is not the business of the one that runs.
  a.label('clock.revoke');
  a.sw(ZERO, KP.claimant, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.cop2(NATIVE.revoke);
  emitNotPaid(a, T0, T1, T2);
  a.b('clock.kept');
  a.nop();

  a.label('clock.end');
  a.nop();
  a.lw(K1, ENV.uPage, K0);
  a.lw(T0, KP.t0, ZERO);
  a.lw(T1, KP.t1, ZERO);
  a.lw(T2, KP.t2, ZERO);
  a.sw(T0, U.interruptSave, K1);
  a.sw(T1, U.interruptSave + 4, K1);
  a.sw(T2, U.interruptSave + 8, K1);
  a.lw(K0, ENV.epilogue, K0);
  a.li(T0, 1);
  a.sw(T0, KP.ending, ZERO);
  emitTransfersPossible(a, false, T0);
  a.li(T1, DEATHS.noEntry);
  a.beq(K0, ZERO, 'kill');
  a.sw(T1, KP.death, ZERO);
  a.mfc0(T0, CP0_EPC);
  a.mfc0(T2, CP0_CAUSE);
  a.move(T1, ZERO);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  // Rounded to slices, more than EXCESS_LIMIT of them are the end.
  a.label('clock.overrun');
  a.nop();
  a.sll(T0, T2, Math.log2(EXCESS_LIMIT));
  a.srl(T2, T2, 1);
  a.addu(T0, T0, T2);
  a.addu(T0, T0, T1);
  a.bgez(T0, 'interrupt.return');
  a.li(T1, DEATHS.excess);
  a.b('kill');
  a.sw(T1, KP.death, ZERO);
}
