/**
 * The machine code under every library operating system that uses the kit: begin and end of a slice, yield, sleep, the
 * fiber loop, exit.
 *
 * The kernel saves nothing for us: at the end of a slice the epilogue stores every register in the u-page and yields; at
 * the start of the next one the prologue loads them. Both jump with `k1`, which the kernel preserves and compilers leave
 * alone. Sequences between loading k1 and jumping are *restartable*: they lie in aligned chunks, and the epilogue moves an
 * interrupted PC back to the start of its chunk. [SOSP95 §5.1.1]
 *
 * There is one context. From when its PC is stored, last of it, until it is resumed, `contextPc` is not zero and the context
 * *waits*: whatever runs meanwhile (the prologue, an entry that others jumped to) has nothing that an end of slice would save,
 * nor has what lies before `kit.restart`.
 */
import { CALLS, U } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  FP,
  GP,
  K0,
  K1,
  RA,
  SP,
  T0,
  T1,
  T2,
  T8,
  T9,
  V0,
  ZERO,
  createAssembler,
  register,
  withSlots,
  type Assembler,
  type Register,
  type SlotAssembler,
} from '@exokernel/isa';
import { emitCriticalEpilogue } from './critical.ts';
import { LibosError } from './error.ts';
import { emitFloatLoad, emitFloatLoadRoutine, emitFloatSave, emitFloatSaveRoutine } from './float.ts';
import { KIT_TEXT, KIT_TEXT_BYTES, UKIT, U_PAGE, exceptionSave } from './layout.ts';

/** Size of a restartable chunk in bytes. */
const CHUNK = 64;

/** Native functions of the kit; those of the library operating system follow. */
export const NATIVE_STEP = 0;
export const FIRST_LIBOS_NATIVE = 1;

/** What a fiber step asks the loop below to do, in t8. */
export const STEP = { done: 0, syscall: 1, call: 2 } as const;

const GENERAL: readonly Register[] = Array.from({ length: 31 }, (_, i) => register(i + 1)).filter(
  (r) => r !== K0 && r !== K1,
);
/** What survives a call. */
const CALLEE_SAVED: readonly Register[] = [...[16, 17, 18, 19, 20, 21, 22, 23].map(register), GP, SP, FP, RA];

function contextOf(r: Register): number {
  return UKIT.context + 4 * r;
}

/** The labels of an exception's resume sequence. */
export function resumeLabel(code: number): string {
  return `kit.resume.${code}`;
}

/** A resume sequence: its label, the address of three words for t0, t1, t2, and that of the PC. */
export interface ResumePoint {
  readonly label: string;
  readonly registers: number;
  readonly pc: number;
}

/** A restartable sequence: its label, and its instructions. */
export interface Restartable {
  readonly label: string;
  readonly emit: (a: Assembler) => void;
}

/** Which exceptions the library operating system handles, and what it emits after the kit's own text. */
export interface RuntimeParts {
  /** ExcCodes for which `resumeLabel(code)` is wanted. */
  readonly resumes: readonly number[];
  /** Further places where t0, t1, t2 and a PC are loaded from memory, and the program goes on. */
  readonly resumePoints?: readonly ResumePoint[];
  /** Text at whose end of slice nothing is to be saved, because it can be entered anew: entries that only look. */
  readonly entries?: (a: Assembler) => void;
  /**
   * Emits what is to be noted when an end of slice saves nothing, of the entries or because a context waits: t0 is where it was, t1 and
   * t2 are free, the others are as they were. Falls through.
   */
  readonly abandoned?: (a: Assembler) => void;
  /**
   * Sequences of at most 16 instructions that an end of slice begins again: what they look at first still holds at their last. Nothing that
   * they read may be changed by them.
   */
  readonly restartable?: readonly Restartable[];
  /** Emits what is done when an end of slice has saved the context, before the environment yields. Falls through, or yields itself. */
  readonly saved?: (a: Assembler) => void;
  /** Floating-point registers are saved for programs that use them (float.ts). */
  readonly float?: boolean;
  /** How much text there may be; KIT_TEXT_BYTES by default. */
  readonly most?: number;
  /** The library operating system's text. */
  readonly emit: (a: Assembler) => void;
}

/** Assembles kit and library operating system. Labels `kit.*` are the kit's. Throws `LibosError` `image` if it does not fit. */
export function assembleRuntime(parts: RuntimeParts): ReturnType<Assembler['assemble']> {
  const plain = createAssembler(KIT_TEXT);
  const a = withSlots(plain);
  const float = parts.float ?? false;
  emitPrologue(a, float);
  parts.entries?.(plain);
  a.align(CHUNK);
  a.label('kit.restart');
  emitResumeContext(a);
  for (const code of parts.resumes) {
    emitResume(a, { label: resumeLabel(code), registers: exceptionSave(code), pc: UKIT.epc + 4 * code });
  }
  for (const point of parts.resumePoints ?? []) emitResume(a, point);
  for (const { label, emit } of parts.restartable ?? []) {
    a.align(CHUNK);
    const start = a.here;
    a.label(label);
    emit(plain);
    if (a.here > start + CHUNK) {
      throw new LibosError('image', `${label} has ${a.here - start} bytes: at most ${CHUNK} can be restarted`);
    }
  }
  a.align(CHUNK);
  a.label('kit.restart.end');
  emitYield(a, float);
  emitSleep(a, float);
  emitEpilogue(plain, parts);
  if (float) {
    emitFloatSaveRoutine(a);
    emitFloatLoadRoutine(a);
  }
  emitFiberLoop(a);
  emitExit(a);
  parts.emit(plain);
  const { most = KIT_TEXT_BYTES } = parts;
  if (a.here > KIT_TEXT + most) {
    const bytes = a.here - KIT_TEXT;
    throw new LibosError('image', `runtime text of ${bytes} bytes: at most ${most} fit`, { bytes });
  }
  return plain.assemble();
}

/** Loads the context, which waits until the chunk below resumes it: an end of slice in here starts it again. */
function emitPrologue(a: SlotAssembler, float: boolean): void {
  a.label('kit.prologue');
  if (float) emitFloatLoad(a);
  a.lw(T0, UKIT.contextPc, ZERO);
  a.la(T1, 'kit.resume.context');
  // Interrupted in that chunk, it has the PC to go on at already.
  a.beq(T0, T1, 'kit.prologue.registers', (slot) => slot.lw(T2, UKIT.contextHi, ZERO));
  a.sw(T0, UKIT.resumePc, ZERO);
  a.label('kit.prologue.registers');
  a.lw(T1, UKIT.contextLo, ZERO);
  a.mthi(T2);
  a.mtlo(T1);
  for (const r of GENERAL) a.lw(r, contextOf(r), ZERO);
  a.j('kit.resume.context');
}

/** The context waits no longer; its registers are loaded. */
function emitResumeContext(a: SlotAssembler): void {
  a.label('kit.resume.context');
  a.sw(ZERO, UKIT.contextPc, ZERO);
  a.lw(K1, UKIT.resumePc, ZERO);
  a.nop();
  a.jr(K1);
}

/** Resumes, after an exception for which the handler put the PC into `pc`. */
function emitResume(a: SlotAssembler, { label, registers, pc }: ResumePoint): void {
  a.align(CHUNK);
  a.label(label);
  a.lw(T0, registers, ZERO);
  a.lw(T1, registers + 4, ZERO);
  a.lw(T2, registers + 8, ZERO);
  a.lw(K1, pc, ZERO);
  a.nop();
  a.jr(K1);
}

function emitSaveForCall(a: SlotAssembler, float: boolean): void {
  if (float) emitFloatSave(a);
  for (const r of CALLEE_SAVED) a.sw(r, contextOf(r), ZERO);
  a.sw(ZERO, contextOf(V0), ZERO);
  a.sw(RA, UKIT.contextPc, ZERO);
}

/**
 * kit.yield: a0 = environment or −1; returns when this environment runs again. A routine: keeps s0–s7, gp, sp, fp. An end of
 * slice once the PC is stored is the yield.
 */
function emitYield(a: SlotAssembler, float: boolean): void {
  a.label('kit.yield');
  emitSaveForCall(a, float);
  a.li(V0, CALLS.yield.number);
  a.syscall(0);
}

/** kit.sleep: a0 = tick or 0; returns v0 = 0 after an event or at the tick, or sooner: at an end of slice before the call. */
function emitSleep(a: SlotAssembler, float: boolean): void {
  a.label('kit.sleep');
  emitSaveForCall(a, float);
  a.li(V0, CALLS.sleep.number);
  a.syscall(0);
  a.note('there was an event, and no sleep');
  a.ret((slot) => slot.sw(ZERO, UKIT.contextPc, ZERO));
}

/** The end of a slice: t0 = PC; t0, t1, t2 are in U.interruptSave. Saves nothing if there is nothing to save. */
function emitEpilogue(plain: Assembler, { abandoned, saved, float = false }: RuntimeParts): void {
  const a = withSlots(plain);
  a.label('kit.epilogue');
  emitBranch(a, 'below', 'kit.restart', 'kit.epilogue.whole');
  emitBranch(a, 'not below', 'kit.restart.end', 'kit.epilogue.whole');
  a.srl(T0, T0, Math.log2(CHUNK));
  a.sll(T0, T0, Math.log2(CHUNK));
  a.label('kit.epilogue.whole');
  emitCriticalEpilogue(a, K1);
  a.lw(T1, UKIT.contextPc, ZERO);
  a.nop();
  a.bne(T1, ZERO, 'kit.epilogue.abandoned');
  emitBranch(a, 'below', 'kit.restart', 'kit.epilogue.abandoned');
  for (const r of GENERAL) if (r !== T0 && r !== T1 && r !== T2) a.sw(r, contextOf(r), ZERO);
  [T0, T1, T2].forEach((r, i) => {
    a.lw(V0, U_PAGE + U.interruptSave + 4 * i, ZERO);
    a.nop();
    a.sw(V0, contextOf(r), ZERO);
  });
  a.mfhi(T1);
  a.mflo(T2);
  a.sw(T1, UKIT.contextHi, ZERO);
  a.sw(T2, UKIT.contextLo, ZERO);
  a.sw(T0, UKIT.contextPc, ZERO);
  if (float) emitFloatSave(a);
  saved?.(plain);
  if (abandoned !== undefined) a.b('kit.epilogue.yield');
  a.label('kit.epilogue.abandoned');
  abandoned?.(plain);
  a.label('kit.epilogue.yield');
  a.li(V0, CALLS.yield.number);
  a.li(A0, -1);
  a.syscall(0);
}

/** Branches to `to` if t0 is below the label, or is not; uses t1. */
function emitBranch(a: SlotAssembler, when: 'below' | 'not below', label: string, to: string): void {
  a.la(T1, label);
  a.sltu(T1, T0, T1);
  if (when === 'below') a.bne(T1, ZERO, to);
  else a.beq(T1, ZERO, to);
}

/**
 * kit.fiber: runs the fiber that a native function has just started until it ends; v0 = its result. Each step is one
 * `cop2`; a real `syscall` or call is made here for it. See fiber.ts.
 */
function emitFiberLoop(a: SlotAssembler): void {
  a.label('kit.fiber');
  a.addiu(SP, SP, -8);
  a.sw(RA, 4, SP);
  a.label('kit.fiber.step');
  a.cop2(NATIVE_STEP);
  a.beq(T8, ZERO, 'kit.fiber.done', (slot) => slot.addiu(T8, T8, -STEP.syscall));
  a.bne(T8, ZERO, 'kit.fiber.call');
  a.syscall(0);
  a.b('kit.fiber.step');
  a.label('kit.fiber.call');
  a.jalr(RA, T9);
  a.b('kit.fiber.step');
  a.label('kit.fiber.done');
  a.lw(RA, 4, SP);
  a.addiu(SP, SP, 8);
  a.ret();
}

/** Emits a routine at `label` that runs native function `index` as a fiber: arguments in a0 to a3, result in v0. */
export function emitFiberEntry(a: Assembler, label: string, index: number): void {
  const s = withSlots(a);
  s.label(label);
  s.cop2(index);
  s.j('kit.fiber');
}

/** kit.exit: a0 = code; ends the environment. */
function emitExit(a: SlotAssembler): void {
  a.label('kit.exit');
  a.move(T0, A0);
  for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
  // env_free's arguments: the null capability in a0 to a3, the code in t0.
  a.li(V0, CALLS.env_free.number);
  a.syscall(0);
  a.b('kit.exit');
}
