/**
 * The code of one region under construction: guest registers in locals, and the ways out.
 *
 * At the start of a block its whole length is taken from the countdown; an exit in the middle gives the rest back. A
 * region is left by way of one epilogue, which stores what it changed and says why.
 */
import { I32, I64, type FunctionBuilder, type OpcodeName, type ValueType } from '@exokernel/wasm';
import * as S from '../memory/cpu-state.ts';
import { everyStatement, everyValue, type MultiplierUse } from '../semantics/language.ts';
import { goToRegion } from './jump-cache.ts';
import { END, IS_OVER, LEFT, REASON } from './layout.ts';
import { stepsOf, type Block, type Region, type Step } from './region.ts';
import { StallEmission, type TimedRegion } from './stalls.ts';

/** Instructions that only take from the stack and give to it. */
export type Plain = Exclude<Extract<OpcodeName, `i32${string}` | `i64${string}`>, Access | 'i32Const' | 'i64Const'>;
/** Loads and stores. */
export type Access = Extract<
  OpcodeName,
  `i32Load${string}` | `i32Store${string}` | `i64Load${string}` | `i64Store${string}`
>;

/** A device's register is loaded by: size in bytes, address. Returns where the value lies, or a negative number if it is none. */
export const DEVICE_LOAD_PARAMETERS: readonly ValueType[] = [I32, I32];

/** What a region imports besides memory and table: the stalls of a machine with caches; the function that loads from devices. */
export interface Imported {
  readonly timed: TimedRegion | undefined;
  readonly device: number;
}

/** Where a region's accesses look up their pages: byte offsets of the banks; and 1 for user mode. */
export interface Banks {
  readonly read: number;
  readonly write: number;
  readonly mode: number;
}

/** General registers that a region names, and those that it changes. */
interface Usage {
  readonly named: readonly number[];
  readonly changed: readonly number[];
}

function usageOf(region: Region): Usage {
  let named = 0;
  let changed = 0;
  for (const step of stepsOf(region)) {
    const { writes, reads } = step.effects;
    changed |= writes;
    named |= writes | reads;
  }
  const list = (bits: number): number[] => Array.from({ length: 31 }, (_, i) => i + 1).filter((r) => (bits >>> r) & 1);
  return { named: list(named), changed: list(changed) };
}

function namesHiLo({ statements }: Step): boolean {
  const isHiLo = (word: number): boolean => word === S.HI || word === S.LO;
  for (const value of everyValue(statements)) if (value.kind === 'state' && isHiLo(value.word)) return true;
  for (const statement of everyStatement(statements)) {
    if (statement.kind === 'setHiLo' || (statement.kind === 'setState' && isHiLo(statement.word))) return true;
  }
  return false;
}

/** Emits instructions of a region. The order of calls is the order of the code. */
export class Emission {
  readonly code: FunctionBuilder;
  /** The function's parameter: the number of the entry, 0 once it has been reached. */
  readonly entry: number = 0;
  readonly #banks: Banks;
  readonly #usage: Usage;
  readonly #register: number[] = [];
  readonly #hi: number;
  readonly #lo: number;
  readonly #left: number;
  readonly #pc: number;
  readonly #reason: number;
  readonly #address: number;
  readonly #temporary: number;
  readonly #condition: number;
  readonly #wide: number;
  readonly #usesHiLo: boolean;
  readonly #stalls: StallEmission | undefined;
  readonly #device: number;
  #out = 0;
  #block: Block | undefined;
  #done = 0;
  #inSlot = 0;
  #at = 0;
  #readsDevice = false;

  constructor(code: FunctionBuilder, region: Region, banks: Banks, { timed, device }: Imported) {
    this.code = code;
    this.#banks = banks;
    this.#usage = usageOf(region);
    this.#usesHiLo = [...stepsOf(region)].some(namesHiLo);
    for (const register of this.#usage.named) this.#register[register] = code.local(I32);
    [this.#left, this.#pc, this.#reason, this.#address, this.#temporary, this.#condition, this.#hi, this.#lo] =
      Array.from({ length: 8 }, () => code.local(I32)) as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
    this.#wide = code.local(I64);
    this.#device = device;
    if (timed !== undefined) this.#stalls = new StallEmission(code, this.#left, timed);
  }

  // ---- The frame of the function

  /** Loads the state, and opens the block that ends before the epilogue. */
  begin(): void {
    const { code } = this;
    this.#fetch(LEFT, this.#left);
    for (const register of this.#usage.named) this.#fetch(4 * register, this.#register[register] ?? 0);
    if (this.#usesHiLo) {
      this.#fetch(4 * S.HI, this.#hi);
      this.#fetch(4 * S.LO, this.#lo);
    }
    this.#stalls?.begin();
    code.block();
    this.#out = code.depth;
  }

  #fetch(offset: number, local: number): void {
    this.code.i32Const(0);
    this.code.i32Load(offset);
    this.code.localSet(local);
  }

  #keep(offset: number, local: number): void {
    this.code.i32Const(0);
    this.code.localGet(local);
    this.code.i32Store(offset);
  }

  /** The epilogue: stores the state, and goes on to the next region or returns the reason. `type` is that of regions. */
  end(type: number): void {
    const { code } = this;
    code.end();
    for (const register of this.#usage.changed) this.#keep(4 * register, this.#register[register] ?? 0);
    if (this.#usesHiLo) {
      this.#keep(4 * S.HI, this.#hi);
      this.#keep(4 * S.LO, this.#lo);
    }
    this.#keep(4 * S.PC, this.#pc);
    this.#keep(LEFT, this.#left);
    this.#stalls?.end();
    code.localGet(this.#reason);
    code.i32Eqz();
    code.if();
    const locals = { pc: this.#pc, entry: this.#temporary };
    const { read, mode } = this.#banks;
    goToRegion(
      code,
      type,
      locals,
      () => code.i32Const(read),
      () => code.i32Const(mode),
    );
    code.end();
    code.localGet(this.#reason);
  }

  /** Begins a block: takes its length from the countdown, or leaves if there is not so much. */
  beginBlock(block: Block): void {
    const { code } = this;
    this.#block = block;
    this.#done = 0;
    this.#inSlot = 0;
    if (this.#stalls !== undefined) {
      code.localGet(this.#left);
      this.#stalls.needed(block);
      code.i32LtS();
      code.if();
      this.#goOut(block.pc, REASON.budget);
      code.end();
      code.localGet(this.#left);
      code.i32Const(block.length);
      code.i32Sub();
      code.localSet(this.#left);
      return;
    }
    code.localGet(this.#left);
    code.i32Const(block.length);
    code.i32Sub();
    code.localTee(this.#left);
    code.i32Const(0);
    code.i32LtS();
    code.if();
    this.#leave(block.pc, REASON.budget);
    code.end();
  }

  /** What follows is this instruction, or this branch. */
  beginStep({ pc, readsDevice }: Step): void {
    this.#at = pc;
    this.#readsDevice = readsDevice;
  }

  /** The instruction is over, and the next one follows, unless a device has ended the stretch. */
  endStep({ pc, readsDevice }: Step): void {
    this.#done += 1;
    if (!readsDevice) return;
    this.code.i32Const(0);
    this.code.i32Load(IS_OVER);
    this.code.if();
    this.#leave((pc + 4) | 0, REASON.over);
    this.code.end();
  }

  /** The slot of the branch follows, the last instruction of the block. If it is the interpreter's, so is the branch. */
  beginSlot(): void {
    this.#inSlot = 1;
  }

  // ---- Ways out

  /** Leaves before the instruction at `pc`, giving back what is not done. */
  #leave(pc: number, reason: number): void {
    const { code } = this;
    const rest = (this.#block?.length ?? 0) - this.#done;
    if (rest > 0) {
      code.localGet(this.#left);
      code.i32Const(rest);
      code.i32Add();
      code.localSet(this.#left);
    }
    this.#goOut(pc, reason);
  }

  #goOut(pc: number, reason: number): void {
    this.code.i32Const(pc);
    this.code.localSet(this.#pc);
    this.#branchOut(reason);
  }

  #branchOut(reason: number): void {
    const { code } = this;
    if (reason !== REASON.jump) {
      code.i32Const(reason);
      code.localSet(this.#reason);
    }
    code.br(code.depth - this.#out);
  }

  /** Goes on at an address outside of the region. */
  jump(pc: number): void {
    this.#goOut(pc, REASON.jump);
  }

  /** The instruction at `pc`, the next one, is the interpreter's. */
  slow(pc: number): void {
    this.#goOut(pc, REASON.slow);
  }

  /** Goes on at the address that `branch` put away. */
  jumpToTarget(): void {
    this.code.localGet(this.#condition);
    this.code.localSet(this.#pc);
    this.#branchOut(REASON.jump);
  }

  /** Puts away the condition of a branch, or the target of a jump through a register. */
  setCondition(): void {
    this.code.localSet(this.#condition);
  }

  getCondition(): void {
    this.code.localGet(this.#condition);
  }

  /** Leaves the instruction to the interpreter if the word on the stack is not 0. */
  slowIf(): void {
    this.code.if();
    this.#leave(this.#at, REASON.slow);
    this.code.end();
  }

  // ---- Values

  op(name: Plain): void {
    this.code[name]();
  }

  constant(value: number): void {
    this.code.i32Const(value);
  }

  get(register: number): void {
    if (register === 0) this.code.i32Const(0);
    else this.code.localGet(this.#register[register] ?? 0);
  }

  set(register: number): void {
    if (register === 0) this.code.drop();
    else this.code.localSet(this.#register[register] ?? 0);
  }

  /** The address of the instruction being emitted. */
  get at(): number {
    return this.#at;
  }

  getCp0(register: number): void {
    if (register !== S.CP0_COUNT) {
      this.getState(S.CP0 + register);
      return;
    }
    // The cycle of this instruction: the end of the stretch less what is left of it, the instructions behind given back.
    const { code } = this;
    code.i32Const(0);
    code.i32Load(END);
    code.localGet(this.#left);
    code.i32Sub();
    code.i32Const(this.#behind);
    code.i32Sub();
  }

  /** A word of `memory/cpu-state.ts`. */
  getState(word: number): void {
    if (word === S.HI) this.getHi();
    else if (word === S.LO) this.getLo();
    else {
      this.code.i32Const(0);
      this.code.i32Load(4 * word);
    }
  }

  setState(word: number, value: () => void): void {
    const local = word === S.HI ? this.#hi : word === S.LO ? this.#lo : undefined;
    if (local === undefined) this.code.i32Const(0);
    value();
    if (local === undefined) this.code.i32Store(4 * word);
    else this.code.localSet(local);
  }

  setTemporary(): void {
    this.code.localSet(this.#temporary);
  }
  getTemporary(): void {
    this.code.localGet(this.#temporary);
  }
  getHi(): void {
    this.code.localGet(this.#hi);
  }
  setHi(): void {
    this.code.localSet(this.#hi);
  }
  getLo(): void {
    this.code.localGet(this.#lo);
  }
  setLo(): void {
    this.code.localSet(this.#lo);
  }

  /** The 64 bits on the stack become HI and LO. */
  setProduct(): void {
    const { code } = this;
    code.localTee(this.#wide);
    code.i32WrapI64();
    this.setLo();
    code.localGet(this.#wide);
    code.i64Const(32n);
    code.i64ShrU();
    code.i32WrapI64();
    this.setHi();
  }

  useMultiplier(use: MultiplierUse): void {
    this.#stalls?.multiplier(this.#behind, use);
  }

  /** Instructions of the block behind the one being emitted. */
  get #behind(): number {
    return (this.#block?.length ?? 0) - this.#done - this.#inSlot - 1;
  }

  // ---- Memory

  /** Begins an access of `size` bytes at a register plus `offset`: a load waits for it here. */
  reach(base: number, offset: number, size: number, isStore: boolean): void {
    this.#translate(base, offset, size - 1, isStore ? this.#banks.write : this.#banks.read);
    if (!isStore) this.#stalls?.load(this.#behind, this.#address);
  }

  /** The place in memory of an address, or the instruction is the interpreter's. `alignment` is the size less 1. */
  #translate(base: number, offset: number, alignment: number, bank: number): void {
    const { code } = this;
    this.#effective(base, offset);
    code.localTee(this.#address);
    code.localGet(this.#address);
    code.i32Const(12);
    code.i32ShrU();
    code.i32Const(2);
    code.i32Shl();
    code.i32Load(bank);
    code.i32Add();
    code.localTee(this.#address);
    if (alignment === 0) {
      code.i32Const(0);
      code.i32LtS();
    } else {
      code.i32Const(0x80000000 | alignment);
      code.i32And();
    }
    if (this.#readsDevice) this.#deviceIf(base, offset, alignment + 1);
    else this.slowIf();
  }

  #effective(base: number, offset: number): void {
    this.get(base);
    if (offset === 0) return;
    this.code.i32Const(offset);
    this.code.i32Add();
  }

  /** If the word on the stack is not 0, a device is asked in this very cycle; if there is none, the interpreter. */
  #deviceIf(base: number, offset: number, size: number): void {
    const { code } = this;
    code.if();
    code.i32Const(0);
    code.localGet(this.#left);
    code.i32Const(this.#behind);
    code.i32Add();
    code.i32Store(LEFT);
    code.i32Const(0);
    code.i32Const((this.#at + 4) | 0);
    code.i32Store(4 * S.PC);
    code.i32Const(size);
    this.#effective(base, offset);
    code.call(this.#device);
    code.localTee(this.#address);
    code.i32Const(0);
    code.i32LtS();
    this.slowIf();
    code.end();
  }

  getAddress(): void {
    this.code.localGet(this.#address);
  }

  load(opcode: Access): void {
    this.getAddress();
    this.code[opcode](0);
  }

  store(opcode: Access, value: () => void): void {
    if (opcode === 'i32Store') this.#stalls?.storeWord(this.#behind, this.#address);
    else this.#stalls?.storePart(this.#behind, this.#address);
    this.getAddress();
    value();
    this.code[opcode](0);
  }

  /** Pushes the address of the word around the address. */
  #wordAround(): void {
    this.getAddress();
    this.constant(-4);
    this.op('i32And');
  }

  loadWordAround(): void {
    this.#wordAround();
    this.code.i32Load(0);
  }

  storeWordAround(value: () => void): void {
    this.#stalls?.storePart(this.#behind, this.#address);
    this.#wordAround();
    value();
    this.code.i32Store(0);
  }
}
