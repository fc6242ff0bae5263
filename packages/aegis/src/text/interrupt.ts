/**
 * Interrupts: the clock that ends slices, and the devices.
 *
 * The clock's tick is the quantum. When a slice is over and the next position belongs to another environment, the one that runs
 * gets its end-of-slice upcall (epilogue): t0 = PC, t2 = Cause, their old values and t1's in U.interruptSave; it saves itself and
 * yields. The slice pays for every cycle until then: it forfeits as many later slices, and beyond EXCESS_LIMIT of them the
 * environment is destroyed. Contiguous slices of one owner in which one environment runs go on without an upcall. [SOSP95 §5.1.1]
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
  type SlotAssembler,
  type Register,
} from '@exokernel/isa';
import { DEATHS, ENV, SLICE, SYSTEM, U } from '@exokernel/abi';
import {
  AROUND_CYCLES,
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
import { routine } from './routine.ts';
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

export function emitInterrupt(a: SlotAssembler): void {
  routine(
    a,
    'interrupt',
    {
      does: 'An interrupt: the clock, or a device.',
      out: { causes: T0, wanted: T1 },
      scratch: [T2],
      fast: {
        instructions: 97,
        when: 'if the clock ends the slice',
        by: ['clock', 'clock.counted', 'clock.kept', 'position', 'clock.end'],
      },
    },
    () => {
      a.sw(T0, KP.t0, ZERO);
      a.mfc0(T0, CP0_CAUSE);
      a.sw(T1, KP.t1, ZERO);
      a.andi(T1, T0, INTERRUPT.clock);
      a.bne(T1, ZERO, 'clock', (slot) => slot.sw(T2, KP.t2, ZERO));
      a.andi(T1, T0, DEVICES);
      a.li(T2, INTERRUPT.lance);
      a.bne(T1, T2, 'interrupt.other', (slot) => slot.upper(T2, 'receive'));
      a.lower(T2, 'receive');
    },
  );
  routine(
    a,
    'interrupt.device',
    {
      does: 'Runs the routine of a device with all registers saved that it may use. The slice that runs does not pay for it.',
      in: { routine: T2 },
      scratch: [...DEVICE_REGISTERS, T0, T1, T2],
      fast: { instructions: 80, when: 'around the routine', by: ['unclaimed'] },
    },
    () => {
      a.mfc0(T1, CP0_COUNT);
      a.sw(ZERO, KP.claimant, ZERO);
      a.note('with the way here and back: at 14,000 packets a second that was 3 % of the slice that runs');
      a.addiu(T1, T1, -AROUND_CYCLES);
      a.sw(T1, KP.interrupted, ZERO);
      a.sw(T1, KP.charged, ZERO);
      for (const r of DEVICE_REGISTERS) a.sw(r, KP.saved + 4 * r, ZERO);
      a.mfhi(T0);
      a.mflo(T1);
      a.sw(T0, KP.savedHi, ZERO);
      a.sw(T1, KP.savedLo, ZERO);
      a.jalr(RA, T2);
      a.lw(T0, KP.savedHi, ZERO);
      a.lw(T1, KP.savedLo, ZERO);
      a.mthi(T0);
      a.mtlo(T1);
      for (const r of DEVICE_REGISTERS) a.lw(r, KP.saved + 4 * r, ZERO);
      a.lw(T0, KP.interrupted, ZERO);
      emitNotPaid(a, T0, T1, T2, true);
    },
  );
  routine(
    a,
    'interrupt.return',
    {
      does: 'Back to what was interrupted, or on from where the kernel had let interrupts in.',
      out: { t0: T0, t1: T1, t2: T2, pc: K0, restored: K1 },
      fast: { instructions: 10 },
    },
    () => {
      a.mfc0(T0, CP0_STATUS);
      a.lw(T1, KP.t1, ZERO);
      a.andi(T0, T0, STATUS.kup);
      a.beq(T0, ZERO, 'interrupt.window', (slot) => slot.lw(T0, KP.t0, ZERO));
      a.lw(T2, KP.t2, ZERO);
      a.mfc0(K0, CP0_EPC);
      a.lw(K1, KP.k1, ZERO);
      a.jr(K0, (slot) => slot.rfe());
    },
  );
  routine(
    a,
    'interrupt.kernel',
    { does: 'The kernel itself was interrupted, where it had let interrupts in.', out: { resume: T0 } },
    () => {
      a.lw(T0, KP.resume, ZERO);
      a.nop();
      a.jr(T0);
    },
  );
  routine(
    a,
    'interrupt.other',
    {
      does: 'More than the network: packets come last, because there can always be more of them.',
      in: { causes: T0, wanted: T1 },
      out: { routine: T2 },
      scratch: [T1],
    },
    () => {
      a.beq(T1, ZERO, 'interrupt.unit', (slot) => slot.andi(T1, T0, INTERRUPT.disk | INTERRUPT.blocks));
      a.la(T2, 'interrupt.disk');
      a.bne(T1, ZERO, 'interrupt.device', (slot) => slot.andi(T1, T0, INTERRUPT.serial));
      a.la(T2, 'interrupt.serial');
      a.bne(T1, ZERO, 'interrupt.device');
      a.la(T2, 'receive');
      a.b('interrupt.device');
    },
  );
  routine(
    a,
    'interrupt.unit',
    { does: 'The floating-point unit, or nothing.', in: { causes: T0 }, scratch: [T1] },
    () => {
      a.mfc0(T1, CP0_STATUS);
      a.nop();
      a.and(T1, T1, T0);
      a.andi(T1, T1, INTERRUPT.fpu);
      a.beq(T1, ZERO, 'interrupt.return');
      a.j('interrupt.fpu');
    },
  );
  routine(a, 'interrupt.disk', { does: 'The disk, by TypeScript of the kernel.', in: { back: RA } }, () => {
    a.cop2(NATIVE.diskInterrupt);
    a.ret();
  });
  routine(a, 'interrupt.serial', { does: 'The serial lines, by TypeScript of the kernel.', in: { back: RA } }, () => {
    a.cop2(NATIVE.serialInterrupt);
    a.ret();

    emitClock(a);
  });
}

function emitClock(a: SlotAssembler): void {
  routine(a, 'clock', { does: 'The clock ticks: how many ticks have passed?', scratch: [T0, T1, T2, K1, K0] }, () => {
    a.lui(T0, CLOCK_REGISTERS >>> 16);
    a.lbu(ZERO, CLOCK_REGISTER_C, T0);
    a.mfc0(T1, CP0_COUNT);
    a.lw(T0, KP.due, ZERO);
    a.lw(T2, KP.quantum, ZERO);
    a.lw(K1, KP.tick, ZERO);
    a.label('clock.count');
    a.note('ticks that came while interrupts were off are one interrupt');
    a.addu(T0, T0, T2);
    a.subu(K0, T1, T0);
    a.slt(K0, K0, T2);
    a.beq(K0, ZERO, 'clock.count', (slot) => slot.addiu(K1, K1, 1));
    a.note('no tick comes after its interrupt: the quantum is rounded up');
    a.subu(K0, T1, T0);
    a.bgez(K0, 'clock.counted');
    a.move(T0, T1);
  });
  routine(
    a,
    'clock.counted',
    {
      does: 'What a tick begins anew: the part for packets that no environment pays for, and the deadline of a revocation.',
      in: { due: T0, tick: K1 },
      scratch: [K0, T2, K1],
    },
    () => {
      a.lw(K0, KP.inea, ZERO);
      a.lw(T2, KP.unpayableLimit, ZERO);
      a.nop();
      a.sw(T2, KP.unpayable, ZERO);
      a.beq(K0, ZERO, 'clock.listen');
      a.label('clock.listening');
      a.li(T2, SYSTEM_TABLE);
      a.sw(T0, KP.due, ZERO);
      a.sw(K1, SYSTEM.tick, T2);
      a.lw(T2, KP.revokeTick, ZERO);
      a.sw(K1, KP.tick, ZERO);
      a.subu(K1, K1, T2);
      a.beq(T2, ZERO, 'clock.kept');
      a.bgez(K1, 'clock.revoke');
    },
  );
  routine(a, 'clock.kept', { does: 'Is the slice over? [SOSP95 §5.1.1]', scratch: [T1, T0, T2, K0, K1] }, () => {
    a.mfc0(T1, CP0_STATUS);
    a.nop();
    a.andi(T1, T1, STATUS.kup);
    a.beq(T1, ZERO, 'interrupt.window');
    emitPay(a, T0, T1, T2);
    a.lw(T2, KP.ending, ZERO);
    a.lw(K0, KP.env, ZERO);
    a.bne(T2, ZERO, 'clock.overrun', (slot) => slot.lw(T2, KP.quantum, ZERO));
    a.note('it began late, and has half of its slice or more: it runs on');
    a.nop();
    a.srl(K1, T2, 1);
    a.slt(K1, T1, K1);
    a.beq(K1, ZERO, 'interrupt.return', (slot) => slot.lw(T0, KP.position, ZERO));
    a.lw(T1, KP.vectorBytes, ZERO);
    a.nop();
    emitNextPosition(a, T0, T1, K1);
    a.li(K1, KSEG0 + PHYSICAL.slices);
    a.addu(K1, K1, T0);
    a.lw(T1, SLICE.running, K1);
    a.nop();
    a.bne(T1, K0, 'clock.end');
    a.note('told if it leaves what another owns, or comes to it: what it gives back must be that slice, not this one');
    a.lw(T0, KP.position, ZERO);
    a.li(T1, KSEG0 + PHYSICAL.slices);
    a.addu(T1, T1, T0);
    a.lw(T0, KP.slice, ZERO);
    a.nop();
    a.bne(T0, T1, 'clock.end', (slot) => slot.lw(T0, SLICE.owner, T1));
    a.lw(T1, SLICE.owner, K1);
    a.nop();
    a.bne(T0, T1, 'clock.end');
    emitOwner(a, T0, K1, T1);
    a.lw(T1, SLICE.credit, K1);
    a.lw(K0, ENV.credit, T0);
    a.addu(T1, T1, T2);
    a.addu(T1, T1, K0);
    a.srl(T2, T2, 1);
    a.slt(T2, T2, T1);
    a.beq(T2, ZERO, 'clock.end', (slot) => slot.lw(K0, KP.env, ZERO));
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
    a.b('interrupt.return', (slot) => slot.sw(K1, KP.slice, ZERO));
  });
  routine(
    a,
    'clock.listen',
    { does: 'The controller was quiet for the rest of the tick.', in: { due: T0, tick: K1 }, scratch: [K0, T2] },
    () => {
      a.li(K0, CSR0_INEA);
      a.lui(T2, NET.registers >>> 16);
      a.sw(K0, KP.inea, ZERO);
      a.b('clock.listening', (slot) => slot.sh(K0, 0, T2));
    },
  );
  routine(
    a,
    'clock.revoke',
    {
      does: 'A deadline of a revocation has come. The slice that runs does not pay for it. [SOSP95 §3.3]',
      scratch: [T0, T1, T2],
    },
    () => {
      a.sw(ZERO, KP.claimant, ZERO);
      a.mfc0(T0, CP0_COUNT);
      a.cop2(NATIVE.revoke);
      emitNotPaid(a, T0, T1, T2);
      a.b('clock.kept');
    },
  );
  routine(
    a,
    'clock.end',
    {
      does: 'The slice is over: the environment is told at its epilogue. [SOSP95 §5.1.1]',
      in: { env: K0 },
      out: { pc: T0, zero: T1, cause: T2 },
      scratch: [K1, K0],
    },
    () => {
      a.nop();
      a.lw(K1, ENV.uPage, K0);
      a.lw(T0, KP.t0, ZERO);
      a.lw(T1, KP.t1, ZERO);
      a.lw(T2, KP.t2, ZERO);
      a.sw(T0, U.interruptSave, K1);
      a.sw(T1, U.interruptSave + 4, K1);
      a.sw(T2, U.interruptSave + 8, K1);
      a.lw(T0, KP.tick, ZERO);
      a.lw(K0, ENV.epilogue, K0);
      a.sw(T0, KP.ending, ZERO);
      emitTransfersPossible(a, false, T0);
      a.li(T1, DEATHS.noEntry);
      a.beq(K0, ZERO, 'kill', (slot) => slot.sw(T1, KP.death, ZERO));
      a.mfc0(T0, CP0_EPC);
      a.mfc0(T2, CP0_CAUSE);
      a.move(T1, ZERO);
      a.lw(K1, KP.k1, ZERO);
      a.jr(K0, (slot) => slot.rfe());
    },
  );
  routine(
    a,
    'clock.overrun',
    {
      does: 'The epilogue takes too long: more than EXCESS_LIMIT slices, rounded, are the end. [SOSP95 §5.1.1]',
      in: { credit: T1, quantum: T2 },
      scratch: [T0, T2, T1],
    },
    () => {
      a.nop();
      a.sll(T0, T2, Math.log2(EXCESS_LIMIT));
      a.srl(T2, T2, 1);
      a.addu(T0, T0, T2);
      a.addu(T0, T0, T1);
      a.bgez(T0, 'interrupt.return', (slot) => slot.li(T1, DEATHS.excess));
      a.b('clock.excess', (slot) => slot.sw(T1, KP.death, ZERO));
    },
  );
}
