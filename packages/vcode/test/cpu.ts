/**
 * A MIPS processor for compiled modules: functions call each other, and memory is flat from address 0.
 *
 * Stricter than the machine: it throws on a branch in a delay slot, on the use or the overwriting of a register whose load is not finished,
 * on a multiply within two instructions after `mflo`, on writes below sp, and if a function does not keep what the convention says.
 */
import { decode, encode, REGISTER_NAMES, type Instruction, type Mnemonic } from '@exokernel/isa';

const RETURN = 0xfffffffc;
const [V0, V1, A0, T0, GP, SP, FP, RA] = [2, 3, 4, 8, 28, 29, 30, 31];
const KEPT = [16, 17, 18, 19, 20, 21, 22, 23, GP, FP, SP];

/** Ends a run: an access that is not aligned or outside the memory, or a `break` with its code. */
export class Exception extends Error {
  readonly code: number | 'alignment' | 'address';

  constructor(code: Exception['code'], message: string) {
    super(message);
    this.code = code;
  }
}

type Operation = (a: number, b: number) => number;
const THREE: Partial<Record<Mnemonic, Operation>> = {
  addu: (a, b) => a + b,
  subu: (a, b) => a - b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  nor: (a, b) => ~(a | b),
  slt: (a, b) => (a < b ? 1 : 0),
  sltu: (a, b) => (a >>> 0 < b >>> 0 ? 1 : 0),
  sllv: (a, b) => a << b,
  srlv: (a, b) => a >>> b,
  srav: (a, b) => a >> b,
};
const IMMEDIATE: Partial<Record<Mnemonic, Operation>> = {
  addiu: (a, b) => a + b,
  slti: (a, b) => (a < b ? 1 : 0),
  sltiu: (a, b) => (a >>> 0 < b >>> 0 ? 1 : 0),
  andi: (a, b) => a & b,
  ori: (a, b) => a | b,
  xori: (a, b) => a ^ b,
  sll: (a, b) => a << b,
  srl: (a, b) => a >>> b,
  sra: (a, b) => a >> b,
};
const BRANCHES: Partial<Record<Mnemonic, (a: number, b: number) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blez: (a) => a <= 0,
  bgtz: (a) => a > 0,
  bltz: (a) => a < 0,
  bgez: (a) => a >= 0,
};

/** What a call gave. */
export interface CpuRun {
  readonly v0: number;
  readonly v1: number;
  readonly executed: number;
  /** Words of results: in registers, then those above sp. */
  readonly results: readonly number[];
  /** Bytes of stack. */
  readonly stack: number;
}

export class Cpu {
  readonly memory: DataView;
  readonly #registers = new Int32Array(32);
  readonly #decoded = new Map<number, Instruction>();
  #hi = 0;
  #lo = 0;
  /** The register that the present instruction loads, and what it will be. */
  #loading = -1;
  #loaded = 0;
  /** The same of the instruction before: it may not be named yet. */
  #late = -1;
  #lateValue = 0;
  #sinceMove = 3;
  #pc = 0;
  /** The least that sp was. */
  #lowest = 0;
  #mnemonic: Mnemonic | undefined;

  constructor(bytes: number) {
    this.memory = new DataView(new ArrayBuffer(bytes));
  }

  /** Puts code into memory. */
  load(words: Uint32Array, origin: number): void {
    this.#decoded.clear();
    words.forEach((word, i) => {
      this.memory.setUint32(origin + 4 * i, word, true);
    });
  }

  bytes(from: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, from, length);
  }

  /** Calls a function with words, as the compiler's convention has them. Throws `Exception` for what is the guest's fault. */
  call(entry: number, words: readonly number[], { gp = 0, sp = 0, limit = 30_000_000 } = {}): CpuRun {
    const r = this.#registers;
    r.fill(0x5a5a5a5a);
    r[0] = 0;
    r[GP] = gp;
    r[SP] = sp;
    this.#lowest = sp;
    r[RA] = RETURN;
    words.forEach((word, i) => {
      if (i < 4) r[A0 + i] = word;
      else if (i < 8) r[T0 + i - 4] = word;
      else this.memory.setInt32(sp + 4 * (i - 8), word, true);
    });
    const before = KEPT.map((register) => r[register]);
    this.#loading = -1;
    this.#sinceMove = 3;
    this.#pc = entry;
    let next = entry + 4;
    let executed = 0;
    let inSlot = false;
    while (this.#pc !== RETURN) {
      executed += 1;
      this.#sinceMove += 1;
      if (executed > limit) this.#fail('too many instructions');
      const instruction = this.#fetch();
      [this.#late, this.#lateValue] = [this.#loading, this.#loaded];
      this.#loading = -1;
      this.#mnemonic = instruction.mnemonic;
      const target = this.#execute(instruction);
      if (target !== -2 && inSlot) this.#fail('a branch in a delay slot');
      if (this.#late > 0) r[this.#late] = this.#lateValue;
      r[0] = 0;
      inSlot = target !== -2;
      this.#pc = next;
      next = target >= 0 ? target : next + 4;
    }
    if (this.#loading > 0) r[this.#loading] = this.#loaded;
    KEPT.forEach((register, i) => {
      if (r[register] !== before[i]) this.#fail(`${REGISTER_NAMES[register] ?? ''} is lost`);
    });
    const registers = [V0, V1, A0, A0 + 1, A0 + 2, A0 + 3].map((register) => r[register] ?? 0);
    const results = [...registers, ...[0, 4, 8, 12].map((offset) => this.memory.getInt32(sp + offset, true))];
    return { v0: r[V0] ?? 0, v1: r[V1] ?? 0, executed, results, stack: sp - this.#lowest };
  }

  #fail(why: string): never {
    throw new Error(`${why} at 0x${this.#pc.toString(16)}: ${this.#mnemonic ?? ''}`);
  }

  #fetch(): Instruction {
    let instruction = this.#decoded.get(this.#pc);
    if (instruction === undefined) {
      if (this.#pc % 4 !== 0 || this.#pc >= this.memory.byteLength) this.#fail('execution outside the code');
      instruction = decode(this.memory.getUint32(this.#pc, true)) ?? this.#fail('no instruction');
      this.#decoded.set(this.#pc, instruction);
    }
    return instruction;
  }

  #get(register: number): number {
    if (register === this.#late && register > 0) this.#fail(`${REGISTER_NAMES[register] ?? ''} is not loaded yet`);
    return this.#registers[register] ?? 0;
  }

  #set(register: number, value: number): void {
    if (register === this.#late && register > 0) this.#fail(`${REGISTER_NAMES[register] ?? ''} is overwritten`);
    this.#registers[register] = value;
    if (register === SP && value < this.#lowest) this.#lowest = value;
  }

  /** -2 for what is no branch, -1 for one that is not taken, else where it goes. */
  #execute({ mnemonic, operands }: Instruction): number {
    const [a = 0, b = 0, c = 0] = operands;
    const three = THREE[mnemonic];
    if (three !== undefined) this.#set(a, three(this.#get(b), this.#get(c)));
    else {
      const immediate = IMMEDIATE[mnemonic];
      if (immediate === undefined) return this.#other(mnemonic, a, b, c);
      // The nop is a shift of register 0.
      if (a !== 0) this.#set(a, immediate(this.#get(b), c));
    }
    return -2;
  }

  #other(mnemonic: Mnemonic, a: number, b: number, c: number): number {
    const branch = BRANCHES[mnemonic];
    if (branch !== undefined) {
      const two = mnemonic === 'beq' || mnemonic === 'bne';
      const taken = branch(this.#get(a), two ? this.#get(b) : 0);
      return taken ? this.#pc + 4 + 4 * (two ? c : b) : -1;
    }
    switch (mnemonic) {
      case 'j':
      case 'jal':
        if (mnemonic === 'jal') this.#set(RA, this.#pc + 8);
        return ((this.#pc & 0xf0000000) | (a << 2)) >>> 0;
      case 'jr':
        return this.#get(a) >>> 0;
      case 'jalr': {
        const to = this.#get(b) >>> 0;
        this.#set(a, this.#pc + 8);
        return to;
      }
      case 'break':
        throw new Exception(a, `break ${a} at 0x${this.#pc.toString(16)}`);
      default:
        this.#moveOrAccess(mnemonic, a, b, c);
        return -2;
    }
  }

  #moveOrAccess(mnemonic: Mnemonic, a: number, b: number, c: number): void {
    switch (mnemonic) {
      case 'lui':
        this.#set(a, b << 16);
        break;
      case 'mflo':
      case 'mfhi':
        this.#set(a, mnemonic === 'mflo' ? this.#lo : this.#hi);
        this.#sinceMove = 0;
        break;
      case 'mult':
      case 'multu':
      case 'div':
      case 'divu':
        this.#multiply(mnemonic, this.#get(a), this.#get(b));
        break;
      case 'sw':
        this.memory.setInt32(this.#address(c, b, 4, a), this.#get(a), true);
        break;
      case 'sh':
        this.memory.setInt16(this.#address(c, b, 2, a), this.#get(a), true);
        break;
      case 'sb':
        this.memory.setInt8(this.#address(c, b, 1, a), this.#get(a));
        break;
      case 'swl':
      case 'swr': {
        const address = this.#address(c, b, 1, a);
        const value = this.#get(a);
        const at = address & 3;
        if (mnemonic === 'swr') {
          for (let i = 0; i < 4 - at; i += 1) this.memory.setUint8(address + i, value >>> (8 * i));
        } else for (let i = 0; i <= at; i += 1) this.memory.setUint8(address - i, value >>> (24 - 8 * i));
        break;
      }
      default:
        this.#load(mnemonic, a, this.#address(c, b, { lw: 4, lh: 2, lhu: 2 }[mnemonic as string] ?? 1));
        return;
    }
  }

  #load(mnemonic: Mnemonic, register: number, address: number): void {
    const before = register === this.#late ? this.#lateValue : (this.#registers[register] ?? 0);
    const merges = mnemonic === 'lwl' || mnemonic === 'lwr';
    if (register === this.#late && register > 0 && !merges) this.#fail('a register is loaded twice');
    this.#loading = register;
    switch (mnemonic) {
      case 'lw':
        this.#loaded = this.memory.getInt32(address, true);
        return;
      case 'lh':
        this.#loaded = this.memory.getInt16(address, true);
        return;
      case 'lhu':
        this.#loaded = this.memory.getUint16(address, true);
        return;
      case 'lb':
        this.#loaded = this.memory.getInt8(address);
        return;
      case 'lbu':
        this.#loaded = this.memory.getUint8(address);
        return;
      case 'lwr':
      case 'lwl': {
        const whole = this.memory.getInt32(address & ~3, true);
        const at = address & 3;
        this.#loaded =
          mnemonic === 'lwr'
            ? (whole >>> (8 * at)) | (at === 0 ? 0 : before & (~0 << (32 - 8 * at)))
            : (whole << (24 - 8 * at)) | (at === 3 ? 0 : before & (~0 >>> (8 + 8 * at)));
        return;
      }
      default:
        this.#fail('an instruction that is not for compilers');
    }
  }

  /** An address, checked. `-1` is no store. */
  #address(base: number, displacement: number, size: number, stored = -1): number {
    const address = (this.#get(base) + displacement) >>> 0;
    const what = `an access of ${size} bytes to 0x${address.toString(16)}`;
    if (address % size !== 0) throw new Exception('alignment', what);
    if (address + size > this.memory.byteLength) throw new Exception('address', what);
    if (stored >= 0 && base === SP && displacement < 0) this.#fail('a write below sp');
    return address;
  }

  #multiply(mnemonic: 'mult' | 'multu' | 'div' | 'divu', x: number, y: number): void {
    if (this.#sinceMove <= 2) this.#fail('a multiply too soon after mflo');
    const isSigned = mnemonic === 'mult' || mnemonic === 'div';
    const [a, b] = isSigned ? [BigInt(x), BigInt(y)] : [BigInt(x >>> 0), BigInt(y >>> 0)];
    const word = (value: bigint): number => Number(BigInt.asIntN(32, value));
    if (mnemonic === 'mult' || mnemonic === 'multu') [this.#lo, this.#hi] = [word(a * b), word((a * b) >> 32n)];
    else [this.#lo, this.#hi] = b === 0n ? [0x1111, 0x2222] : [word(a / b), word(a % b)];
  }
}

/** Two routines of two words for what a module imports: one gives 0; the other one is for a memory that does not grow. */
export const ROUTINES: Uint32Array = Uint32Array.from(
  [0, -1].flatMap((result) => [
    encode({ mnemonic: 'jr', operands: [RA] }),
    encode({ mnemonic: 'addiu', operands: [V0, 0, result] }),
  ]),
);
