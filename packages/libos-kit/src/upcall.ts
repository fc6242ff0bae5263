/**
 * Upcalls into a library operating system that was compiled: functions of its own, called on a stack of its own, that may fault, call the
 * kernel and sleep like any other code.
 *
 *     exception   what the kit's page table does not answer, and all other causes: fault, exception
 *     slice       begins, or ends: begin, end; and revoke, when the kernel has told of revocation
 *
 * An upcall pushes all registers of what it interrupts on the upcall stack, calls the function, puts the registers back into the context, and
 * begins it as a slice does. So there is one way to go on, and one place that an end of slice must not split.
 *
 * The upcall stack is the page at BOOT_STACK, which never faults; what is interrupted on that page goes on below its stack pointer. An
 * upcall that begins with a slice waits as long as the context is in a handler of the kit, whose words it would share. A slice that begins or
 * ends while one of its kind is under way has none: slices may be short, and the stack would fill. What the kernel has told of is looked at in
 * between, too.
 */
import { CALLS, EXCEPTIONS, PAGE_BYTES } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  AT,
  FP,
  GP,
  RA,
  SP,
  T0,
  T1,
  T2,
  T3,
  T9,
  V0,
  V1,
  ZERO,
  register,
  withSlots,
  type Assembler,
  type Register,
  type SlotAssembler,
} from '@exokernel/isa';
import { emitFloatUse } from './float.ts';
import {
  BOOT_STACK,
  BOOT_STACK_TOP,
  KIT_TEXT,
  PAGED_BASE,
  UKIT,
  UPCALLS,
  UPCALL_FLOAT,
  exceptionSave,
} from './layout.ts';

/** A frame on the upcall stack: registers by number, then HI, LO, the PC, and which upcall it is. */
const FRAME = { hi: 128, lo: 132, pc: 136, which: 140, bytes: 144 } as const;
/** Assumption: stack that the functions of an upcall need at most; with less an upcall is refused. */
const STACK_LEFT = 1536;
/** Words of a module's record. */
const RECORD_TABLE = 4;
/** What the kit ends an environment with whose upcall has no answer, or no room. */
const BAD_UPCALL = -1;

/** Saved by an upcall beside t0, t1, t2, sp: the function keeps s0 to s7 and fp. */
const LOST: readonly Register[] = [AT, V0, V1, A0, A1, A2, A3, ...range(11, 15), ...range(24, 25), GP, RA];
const KEPT: readonly Register[] = [...range(16, 23), FP];

function range(from: number, to: number): Register[] {
  return Array.from({ length: to - from + 1 }, (_, i) => register(from + i));
}

/** The exceptions that become the upcall `exception`: all that the kit has no other handler for. */
export const OTHER_EXCEPTIONS: readonly (keyof typeof EXCEPTIONS)[] = [
  'adel',
  'ades',
  'ibe',
  'dbe',
  'breakpoint',
  'reserved',
  'overflow',
  'floatingPoint',
];

/**
 * Emits the label `upcall.CODE` for each cause of OTHER_EXCEPTIONS, `upcall.mod`, and for the policy of the fault handlers `upcall.CODE.outside`
 * and, where registers are saved (`emitFaultSave`), `upcall.CODE.absent`, of tlbl and tlbs.
 */
export function emitUpcalls(plain: Assembler): void {
  const a = withSlots(plain);
  emitExceptions(a);
  emitPush(a);
  emitReturn(a);
  emitFloatUse(a);
}

function emitExceptions(a: SlotAssembler): void {
  for (const name of OTHER_EXCEPTIONS) {
    a.label(`upcall.${name}`);
    emitRaised(a, UPCALLS.exception, EXCEPTIONS[name]);
  }
  a.label('upcall.coprocessor');
  a.note('t2 = Cause, whose bits 28 and 29 say which; the floating-point unit is the first');
  a.srl(T2, T2, 28);
  a.andi(T2, T2, 3);
  a.addiu(T2, T2, -1);
  a.bne(T2, ZERO, 'upcall.coprocessor.other');
  emitRaised(a, UPCALL_FLOAT, EXCEPTIONS.coprocessor);
  a.label('upcall.coprocessor.other');
  emitRaised(a, UPCALLS.exception, EXCEPTIONS.coprocessor);
  a.label('upcall.mod');
  emitRaised(a, UPCALLS.fault, EXCEPTIONS.mod);
  for (const name of ['tlbl', 'tlbs'] as const) {
    const code = EXCEPTIONS[name];
    a.label(`upcall.${name}.absent`);
    a.note('as they were before the handler took them');
    [V0, V1, A0, A1, A2, A3].forEach((r, i) => {
      a.lw(r, UKIT.faultSave + 4 * i, ZERO);
    });
    a.label(`upcall.${name}.outside`);
    a.note('the handler uses t0; the PC it has stored');
    a.lw(T0, UKIT.epc + 4 * code, ZERO);
    if (name === 'tlbl') a.j('upcall.access', (slot) => slot.addiu(T2, ZERO, raised(UPCALLS.fault, code)));
    else a.li(T2, raised(UPCALLS.fault, code));
  }
  a.label('upcall.access');
  a.note(
    'an access of the kit to a page of its own, which the kernel has taken: there is nothing left that could answer',
  );
  a.srl(T0, T0, Math.log2(PAGE_BYTES));
  a.addiu(T0, T0, -(KIT_TEXT / PAGE_BYTES));
  a.bne(T0, ZERO, 'upcall.access.other', (slot) => slot.srl(T0, T1, Math.log2(PAGED_BASE)));
  a.beq(T0, ZERO, 'upcall.fail');
  a.label('upcall.access.other');
  a.andi(T0, T2, 0xff);
  a.sll(T0, T0, 2);
  a.lw(T0, UKIT.epc, T0);
  a.label('upcall.raised');
  a.note(
    't0 = PC, t1 = the first argument, t2 = which upcall and the cause, which is the second; t0, t1, t2 are in its save area',
  );
  a.sw(T1, UKIT.upcallArguments, ZERO);
  a.sw(T0, UKIT.upcallPc, ZERO);
  a.srl(T0, T2, 8);
  a.sw(T0, UKIT.upcallWhich, ZERO);
  a.andi(T1, T2, 0xff);
  a.sw(T1, UKIT.upcallArguments + 4, ZERO);
  a.sll(T1, T1, 4);
  a.lw(T0, exceptionSave(0), T1);
  a.lw(T2, exceptionSave(0) + 4, T1);
  a.sw(T0, UKIT.upcallSave, ZERO);
  a.lw(T0, exceptionSave(0) + 8, T1);
  a.sw(T2, UKIT.upcallSave + 4, ZERO);
  a.j('upcall.push.known', (slot) => slot.sw(T0, UKIT.upcallSave + 8, ZERO));
}

/**
 * Emits where slices begin: `upcall.told`, the handler of revocation, and `upcall.begin`, the prologue of a library operating system with upcalls.
 * Until the context is taken it waits, so an end of slice in here begins anew.
 */
export function emitSliceUpcalls(plain: Assembler): void {
  const a = withSlots(plain);
  a.label('upcall.told');
  a.li(T0, 1);
  a.sw(T0, UKIT.told, ZERO);
  a.label('upcall.begin');
  a.lw(T1, UKIT.told, ZERO);
  a.lw(T0, UKIT.upcalls + 4 * UPCALLS.revoke, ZERO);
  a.beq(T1, ZERO, 'upcall.begin.slice', (slot) => slot.addiu(T2, ZERO, UPCALLS.revoke));
  a.bne(T0, ZERO, 'upcall.take');
  a.label('upcall.begin.slice');
  a.lw(T1, UKIT.upcalls + 4 * UPCALLS.begin, ZERO);
  a.li(T2, UPCALLS.begin);
  a.beq(T1, ZERO, 'kit.prologue');

  a.note(
    't2 = which: not while one of a slice is under way, of which only revoke interrupts others; nor in a handler of the kit',
  );
  a.label('upcall.take');
  a.lw(T1, UKIT.sliceUpcalls, ZERO);
  a.addiu(T0, T2, -UPCALLS.revoke);
  a.bne(T0, ZERO, 'upcall.take.others');
  a.andi(T1, T1, 1 << UPCALLS.revoke);
  a.label('upcall.take.others');
  a.bne(T1, ZERO, 'upcall.put-off');
  a.lw(T0, UKIT.contextPc, ZERO);
  for (const range of ['kit.restart', 'upcall.unsafe']) {
    const outside = a.fresh('outside');
    a.la(T1, range);
    a.sltu(T1, T0, T1);
    a.bne(T1, ZERO, outside);
    a.la(T1, `${range}.end`);
    a.sltu(T1, T0, T1);
    a.bne(T1, ZERO, 'upcall.put-off');
    a.label(outside);
  }
  a.sw(T0, UKIT.upcallPc, ZERO);
  a.sw(T2, UKIT.upcallWhich, ZERO);
  [T0, T1, T2].forEach((r, i) => {
    a.lw(T3, UKIT.context + 4 * r, ZERO);
    a.nop();
    a.sw(T3, UKIT.upcallSave + 4 * i, ZERO);
  });
  a.lw(T0, UKIT.contextHi, ZERO);
  a.lw(T1, UKIT.contextLo, ZERO);
  a.mthi(T0);
  a.mtlo(T1);
  for (const r of [...LOST, ...KEPT, SP]) a.lw(r, UKIT.context + 4 * r, ZERO);
  a.note('from here on it runs, and an end of slice saves it');
  a.sw(ZERO, UKIT.contextPc, ZERO);
  a.li(T0, 1);
  a.sllv(T0, T0, T2);
  a.lw(T1, UKIT.sliceUpcalls, ZERO);
  a.nop();
  a.or(T1, T1, T0);
  a.sw(T1, UKIT.sliceUpcalls, ZERO);
  a.addiu(T0, T2, -UPCALLS.revoke);
  a.bne(T0, ZERO, 'upcall.push');
  a.j('upcall.push', (slot) => slot.sw(ZERO, UKIT.told, ZERO));

  a.label('upcall.put-off');
  a.addiu(T2, T2, -UPCALLS.end);
  a.bne(T2, ZERO, 'kit.prologue');
  a.j('kit.epilogue.yield');
}

/** Emits, for `RuntimeParts.saved`: the upcall `end`, before the environment yields. */
export function emitEndUpcall(plain: Assembler): void {
  const a = withSlots(plain);
  a.lw(T1, UKIT.upcalls + 4 * UPCALLS.end, ZERO);
  a.nop();
  a.bne(T1, ZERO, 'upcall.take', (slot) => slot.addiu(T2, ZERO, UPCALLS.end));
}

/** Which upcall, and the cause, in one word. */
function raised(which: number, code: number): number {
  return (which << 8) | code;
}

/** On to `upcall.raised`: t0 = PC, t1 = the first argument. */
function emitRaised(a: SlotAssembler, which: number, code: number): void {
  a.j('upcall.raised', (slot) => slot.addiu(T2, ZERO, raised(which, code)));
}

/** t2 = which upcall; its words are in UKIT.upcallSave and after it, all other registers are those of what it interrupts. */
function emitPush(a: SlotAssembler): void {
  a.label('upcall.push');
  a.sw(T2, UKIT.upcallWhich, ZERO);
  a.label('upcall.push.known');
  a.li(T0, BOOT_STACK);
  a.subu(T1, SP, T0);
  a.sltiu(T1, T1, PAGE_BYTES);
  a.bne(T1, ZERO, 'upcall.push.on', (slot) => slot.move(T0, SP));
  a.note('in the page below: an upcall has used up its stack');
  a.li(T1, BOOT_STACK - PAGE_BYTES);
  a.subu(T1, SP, T1);
  a.sltiu(T1, T1, PAGE_BYTES);
  a.bne(T1, ZERO, 'upcall.fail');
  a.li(T0, BOOT_STACK_TOP - 32);
  a.label('upcall.push.on');
  a.addiu(T0, T0, -FRAME.bytes);
  a.note('eight bytes are the alignment of stacks');
  a.srl(T0, T0, 3);
  a.sll(T0, T0, 3);
  a.li(T1, BOOT_STACK + STACK_LEFT);
  a.sltu(T1, T0, T1);
  a.bne(T1, ZERO, 'upcall.fail');
  for (const r of LOST) a.sw(r, 4 * r, T0);
  a.sw(SP, 4 * SP, T0);
  a.move(SP, T0);
  [T0, T1, T2].forEach((r, i) => {
    a.lw(T3, UKIT.upcallSave + 4 * i, ZERO);
    a.nop();
    a.sw(T3, 4 * r, SP);
  });
  a.mfhi(T0);
  a.mflo(T1);
  a.sw(T0, FRAME.hi, SP);
  a.sw(T1, FRAME.lo, SP);
  a.lw(T0, UKIT.upcallPc, ZERO);
  a.lw(T1, UKIT.upcallWhich, ZERO);
  a.sw(T0, FRAME.pc, SP);
  a.sw(T1, FRAME.which, SP);
  a.addiu(T2, T1, -UPCALL_FLOAT);
  a.beq(T2, ZERO, 'float.use', (slot) => slot.sll(T1, T1, 2));
  a.lw(A0, UKIT.upcallArguments, ZERO);
  a.lw(A1, UKIT.upcallArguments + 4, ZERO);
  a.lw(T1, UKIT.upcalls, T1);
  a.move(A2, SP);
  a.note('its function by its number in the table of the library, whose entries are two words');
  a.lw(GP, UKIT.library, ZERO);
  a.beq(T1, ZERO, 'upcall.fail', (slot) => slot.sll(T1, T1, 3));
  a.lw(T9, RECORD_TABLE, GP);
  a.nop();
  a.addu(T9, T9, T1);
  a.lw(T9, 0, T9);
  a.nop();
  a.note('from here on the words above may be those of another upcall');
  a.label('upcall.unsafe.end');
  a.jalr(RA, T9);
}

/** v0 = 0: what the program did has no answer, and it ends; of what slices bring, it is not looked at. */
function emitReturn(a: SlotAssembler): void {
  a.lw(T0, FRAME.which, SP);
  a.nop();
  a.sltiu(T1, T0, UPCALLS.revoke);
  a.beq(T1, ZERO, 'upcall.return');
  a.beq(V0, ZERO, 'upcall.fail');
  a.label('upcall.return');
  a.note('a critical section: the context is being written');
  a.lw(T1, UKIT.criticalDepth, ZERO);
  a.nop();
  a.addiu(T1, T1, 1);
  a.sw(T1, UKIT.criticalDepth, ZERO);
  for (const r of [...LOST, SP, T0, T1, T2]) {
    a.lw(T3, 4 * r, SP);
    a.nop();
    a.sw(T3, UKIT.context + 4 * r, ZERO);
  }
  for (const r of KEPT) a.sw(r, UKIT.context + 4 * r, ZERO);
  for (const [from, to] of [
    [FRAME.hi, UKIT.contextHi],
    [FRAME.lo, UKIT.contextLo],
    [FRAME.pc, UKIT.contextPc],
  ] as const) {
    a.lw(T3, from, SP);
    a.nop();
    a.sw(T3, to, ZERO);
  }
  a.sltiu(T1, T0, UPCALLS.revoke);
  a.bne(T1, ZERO, 'upcall.return.raised');
  a.li(T1, 1);
  a.sllv(T1, T1, T0);
  a.lw(T2, UKIT.sliceUpcalls, ZERO);
  a.nop();
  a.xor(T2, T2, T1);
  a.sw(T2, UKIT.sliceUpcalls, ZERO);
  a.label('upcall.return.raised');
  a.note('now it waits: an end of slice has nothing to save, and need not be put off');
  a.lw(T1, UKIT.criticalDepth, ZERO);
  a.nop();
  a.addiu(T1, T1, -1);
  a.sw(T1, UKIT.criticalDepth, ZERO);
  a.lw(T2, UKIT.criticalInterrupted, ZERO);
  a.bne(T1, ZERO, 'kit.prologue');
  a.addiu(T0, T0, -UPCALLS.end);
  a.beq(T0, ZERO, 'upcall.return.yield');
  a.beq(T2, ZERO, 'kit.prologue');
  a.label('upcall.return.yield');
  a.sw(ZERO, UKIT.criticalInterrupted, ZERO);
  a.li(V0, CALLS.yield.number);
  a.li(A0, -1);
  a.syscall(0);

  a.label('upcall.fail');
  a.li(A0, BAD_UPCALL);
  a.j('kit.exit', (slot) => slot.sw(A0, UKIT.failed, ZERO));
}
