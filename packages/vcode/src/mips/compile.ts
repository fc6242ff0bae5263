/**
 * The MIPS back end: one program to position-dependent words that follow the calling convention of downloaded code.
 *
 * In: `a0` the activation record, `ra` the return address; base addresses are as the CPU shall use them, unmapped ones in a
 * kernel. The caller guarantees that the record is word-aligned and `activationBytes` long, that fuel and lengths are
 * below 2^31, that no region wraps around the address space, and what the regions promise about alignment. Out: `v0` the
 * value, `v1` the status, both also as the record says. `sp gp fp s0-s7 k0 k1` are untouched, other registers are lost. The code
 * is a leaf: it calls nothing, uses no stack, touches no memory but the record and the regions.
 */
import { createAssembler, IsaError, RA, V0, V1, ZERO, type Assembly } from '@exokernel/isa';
import { VcodeError } from '../program/error.ts';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL, type Program } from '../program/ir.ts';
import { lower } from '../lower/lower.ts';
import type { LoweredBody, LoweredProgram } from '../lower/lowered.ts';
import { MipsCode, type Instruction, type Label } from './code.ts';
import { ExpressionSelector } from './expressions.ts';
import { ACTIVATION, Frame, RECORD } from './frame.ts';
import { neverSet } from './initial.ts';
import { pathCosts, type Weigh } from './path-costs.ts';
import { schedule, type Scheduled } from './schedule.ts';
import { StatementSelector } from './statements.ts';

/** What `compileMips` gives: the instructions, to be placed at the origin, with their labels. */
export interface MipsProgram extends Assembly {
  /** Fuel by section: [0] at entry, then one iteration of each loop in the order of the text. */
  readonly costs: readonly number[];
  /** Size of the activation record, in bytes. */
  readonly activationBytes: number;
  /** By section: what the path weighs at most on which the instructions that are charged to it weigh most. */
  readonly heaviest: (weigh: Weigh) => readonly number[];
}

const COSTS = new WeakMap<Program, readonly number[]>();

/**
 * Fuel by section: [0] at entry, then one iteration of each loop in the order of the text. All back ends charge these
 * figures, so that a run aborts at the same point everywhere. Throws `VcodeError` `malformed` or `limit`.
 */
export function sectionCosts(program: Program): readonly number[] {
  return COSTS.get(program) ?? compileMips(program, 0).costs;
}

/** Branches reach 2^15 words; this leaves room for `nop`s. */
const MOST_ITEMS = 0x6000;
/** The largest cost that an immediate can hold. */
const SMALL_COST = 0x7fff;

/**
 * Compiles a program for execution at `origin` (word-aligned). Throws `VcodeError` `malformed`, or `limit` if the code
 * outgrows what branches can reach (about 24,000 instructions).
 */
export function compileMips(program: Program, origin: number): MipsProgram {
  const lowered = lower(program);
  const compiled = attempt(program, lowered, origin, false) ?? attempt(program, lowered, origin, true);
  if (compiled === undefined) return tooLarge(program.name);
  COSTS.set(program, compiled.costs);
  return compiled;
}

function tooLarge(name: string): never {
  throw new VcodeError('limit', `${name} is too large for the MIPS back end`, { name });
}

/** One compilation; `undefined` if costs turn out too large for the short form of charging. */
function attempt(program: Program, lowered: LoweredProgram, origin: number, large: boolean): MipsProgram | undefined {
  const code = new MipsCode(MOST_ITEMS, () => tooLarge(program.name));
  const frame = new Frame(program, lowered);
  const exits = { bounds: code.label('bounds'), divide: code.label('divide') };
  const fuelExit = code.label('fuel');
  const expressions = new ExpressionSelector(code, frame, program, lowered.alignments, exits);
  const statements = new StatementSelector(expressions, fuelExit, large);
  enter(program, lowered.body, expressions, statements);
  if (statements.body(lowered.body, undefined)) {
    code.move(V0, ZERO);
    statements.leave();
  }
  const aborts = [
    [ABORT_FUEL, fuelExit],
    [ABORT_BOUNDS, exits.bounds],
    [ABORT_DIVIDE, exits.divide],
    ...statements.ownExits,
  ] as const;
  leaveAborted(code, frame, aborts);
  const heads = statements.ranges.flatMap(({ head, end }) => [head, end]);
  const scheduled = schedule(code, new Set(heads));
  const costs = pathCosts(scheduled, statements.ranges, lowered.sections);
  if (!large && costs.some((cost) => cost > SMALL_COST)) return undefined;
  const assembly = assemble(scheduled, costs, origin, program.name);
  return {
    ...assembly,
    costs,
    activationBytes: frame.scratchOffset + 4 * expressions.mostWaiting,
    heaviest: (weigh) => pathCosts(scheduled, statements.ranges, lowered.sections, weigh),
  };
}

/** Loads what lives in registers and pays for section 0. */
function enter(program: Program, body: LoweredBody, to: ExpressionSelector, statements: StatementSelector): void {
  const { code, frame } = to;
  const fuel = frame.fuel ?? to.claim(V0).register;
  code.emit('lw', [fuel, ACTIVATION.fuel, RECORD]);
  program.regions.forEach((_, region) => {
    const [base, length] = [frame.base(region), frame.length(region)];
    if (length !== undefined) to.reload(frame.lengthOffset(region), length);
    if (base !== undefined) to.reload(frame.baseOffset(region), base);
  });
  program.parameters.forEach((_, parameter) => {
    const home = frame.local(parameter);
    if (home !== undefined) to.reload(frame.localOffset(parameter), home);
  });
  // A program without loops pays once: its fuel needs no register afterwards. On the way to the exit the word is
  // overwritten with 0.
  if (frame.fuel === undefined)
    statements.charge(fuel, { slot: code.instruction('sw', [fuel, ACTIVATION.fuel, RECORD]) });
  else statements.charge(fuel);
  if (frame.fuel === undefined) to.release({ register: fuel, temporary: true });
  for (const local of neverSet(body, program.parameters.length)) {
    const home = frame.local(local);
    if (home !== undefined) code.move(home, ZERO);
    else if (frame.isUsed(local)) code.emit('sw', [ZERO, frame.localOffset(local), RECORD]);
  }
}

/** The ends of aborted runs, behind everything else. */
function leaveAborted(code: MipsCode, frame: Frame, aborts: readonly (readonly [code: number, exit: Label])[]): void {
  const used = new Set(code.items.map((item) => (item.kind === 'instruction' ? item.target : undefined)));
  const last = code.label('aborted');
  for (const [abort, exit] of aborts) {
    if (!used.has(exit)) continue;
    code.place(exit);
    if (abort === ABORT_FUEL && frame.fuel !== undefined) code.move(frame.fuel, ZERO);
    else if (abort === ABORT_FUEL) code.emit('sw', [ZERO, ACTIVATION.fuel, RECORD]);
    code.li(V1, abort);
    code.jump(last);
  }
  code.place(last);
  if (frame.fuel !== undefined) code.emit('sw', [frame.fuel, ACTIVATION.fuel, RECORD]);
  code.move(V0, ZERO);
  code.emit('jr', [RA], { slot: code.instruction('sw', [V1, ACTIVATION.status, RECORD]) });
}

function assemble(
  { instructions, labels }: Scheduled,
  costs: readonly number[],
  origin: number,
  name: string,
): Assembly {
  const assembler = createAssembler(origin);
  const names = new Map<number, Label[]>();
  for (const [label, at] of labels) names.set(at, [...(names.get(at) ?? []), label]);
  instructions.forEach((instruction, i) => {
    for (const label of names.get(i) ?? []) assembler.label(label.name);
    assembler.emit(instruction.mnemonic, operandsOf(instruction, costs));
  });
  for (const label of names.get(instructions.length) ?? []) assembler.label(label.name);
  try {
    return assembler.assemble();
  } catch (error) {
    if (error instanceof IsaError && error.code === 'target-range') return tooLarge(name);
    throw error;
  }
}

function operandsOf(instruction: Instruction, costs: readonly number[]): readonly (number | string)[] {
  const { operands, target, charge, section } = instruction;
  if (target !== undefined) return [...operands, target.name];
  if (charge === 'none') return operands;
  const cost = costs[section] ?? 0;
  const immediate = { whole: -cost, high: cost >>> 16, low: cost & 0xffff }[charge];
  return [...operands.slice(0, -1), immediate];
}
