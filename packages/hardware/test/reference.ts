/**
 * A deliberately naive MIPS I with its extensions, for comparison: one instruction at a time, decoded by mnemonic, arithmetic in BigInt, the
 * load delay as a queue of one. No TLB, no devices: addresses below `memory.length` at kseg0, everything else unsupported.
 * `timing` counts the cycles.
 */
import { decode, type Extension } from '@exokernel/isa';
import type { TimingReference } from './timing-reference.ts';

const U32 = 0xffffffffn;

function signed(value: bigint): bigint {
  return BigInt.asIntN(32, value);
}

export interface Trap {
  readonly code: number;
  readonly epc: number;
  readonly inSlot: boolean;
  readonly badVaddr?: number;
}

export class Reference {
  readonly registers: bigint[] = Array.from({ length: 32 }, () => 0n);
  readonly memory: Uint8Array;
  hi = 0n;
  lo = 0n;
  pc: number;
  trap: Trap | undefined;
  #target: number | undefined;
  #late: { register: number; value: bigint } | undefined;
  readonly #timing: TimingReference | undefined;
  readonly #extensions: readonly Extension[];
  /** The address that `ll` has linked. */
  #linked: number | undefined;

  constructor(memory: Uint8Array, pc: number, timing?: TimingReference, extensions: readonly Extension[] = []) {
    this.memory = memory;
    this.pc = pc;
    this.#timing = timing;
    this.#extensions = extensions;
  }

  /** Executes one instruction; a trap stops it for good, with the load before it done. */
  step(): void {
    const at = this.pc;
    const inSlot = this.#target !== undefined;
    const next = this.#target ?? at + 4;
    this.#target = undefined;
    const late = this.#late;
    this.#late = undefined;
    const before = [...this.registers];
    const written = new Set<number>();
    const trap = (code: number, badVaddr?: number): void => {
      const epc = inSlot ? at - 4 : at;
      this.trap = badVaddr === undefined ? { code, epc, inSlot } : { code, epc, inSlot, badVaddr };
    };
    this.#timing?.fetch(at - 0x80000000);
    this.#execute(this.#word(at), at, before, late, written, trap);
    if (late !== undefined && (!written.has(late.register) || this.trap !== undefined)) {
      this.registers[late.register] = late.value;
    }
    this.registers[0] = 0n;
    if (this.trap === undefined) this.pc = next;
  }

  #word(va: number): number {
    const at = va - 0x80000000;
    return new DataView(this.memory.buffer, this.memory.byteOffset).getUint32(at, true);
  }

  #execute(
    word: number,
    at: number,
    r: readonly bigint[],
    late: { register: number; value: bigint } | undefined,
    written: Set<number>,
    trap: (code: number, badVaddr?: number) => void,
  ): void {
    const instruction = decode(word, this.#extensions);
    if (instruction === undefined) {
      trap(10);
      return;
    }
    const { mnemonic, operands } = instruction;
    const [x = 0, y = 0, z = 0, size = 0] = operands;
    const reg = (n: number): bigint => r[n] ?? 0n;
    const set = (n: number, value: bigint): void => {
      this.registers[n] = value & U32;
      written.add(n);
    };
    const overflow = (n: number, value: bigint): void => {
      if (signed(value) === value) set(n, value);
      else trap(12);
    };
    const branch = (condition: boolean, offset: number): void => {
      this.#target = condition ? at + 4 + 4 * offset : at + 8;
    };
    const address = Number((reg(z) + BigInt(y)) & U32);
    const bytes = (count: number): number => address - 0x80000000 + count;
    const load = (size: number, sign: boolean): void => {
      if (address % size !== 0) {
        trap(4, address);
        return;
      }
      this.#timing?.load(bytes(0));
      let value = 0n;
      for (let i = size - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(this.memory[bytes(i)] ?? 0);
      this.#late = { register: x, value: (sign ? BigInt.asIntN(8 * size, value) : value) & U32 };
      if (x === 0) this.#late = undefined;
    };
    const store = (size: number): void => {
      if (address % size !== 0) {
        trap(5, address);
        return;
      }
      this.#timing?.store(bytes(0), size === 4);
      for (let i = 0; i < size; i += 1) this.memory[bytes(i)] = Number((reg(x) >> BigInt(8 * i)) & 0xffn);
    };
    /** Byte i of register x, in which `lwl` and `lwr` see a load under way. */
    const old = late?.register === x ? late.value : reg(x);
    const place = address % 4;
    const unaligned = (from: (byte: number) => number | undefined): void => {
      this.#timing?.load(bytes(0));
      let value = 0n;
      for (let i = 3; i >= 0; i -= 1) {
        const source = from(i);
        const byte = source === undefined ? (old >> BigInt(8 * i)) & 0xffn : BigInt(this.memory[bytes(source)] ?? 0);
        value = (value << 8n) | byte;
      }
      this.#late = x === 0 ? undefined : { register: x, value };
    };
    switch (mnemonic) {
      case 'add':
        overflow(x, signed(reg(y)) + signed(reg(z)));
        break;
      case 'addu':
        set(x, reg(y) + reg(z));
        break;
      case 'sub':
        overflow(x, signed(reg(y)) - signed(reg(z)));
        break;
      case 'subu':
        set(x, reg(y) - reg(z));
        break;
      case 'and':
        set(x, reg(y) & reg(z));
        break;
      case 'or':
        set(x, reg(y) | reg(z));
        break;
      case 'xor':
        set(x, reg(y) ^ reg(z));
        break;
      case 'nor':
        set(x, ~(reg(y) | reg(z)));
        break;
      case 'slt':
        set(x, signed(reg(y)) < signed(reg(z)) ? 1n : 0n);
        break;
      case 'sltu':
        set(x, reg(y) < reg(z) ? 1n : 0n);
        break;
      case 'sll':
        set(x, reg(y) << BigInt(z));
        break;
      case 'srl':
        set(x, reg(y) >> BigInt(z));
        break;
      case 'sra':
        set(x, signed(reg(y)) >> BigInt(z));
        break;
      case 'sllv':
        set(x, reg(y) << (reg(z) % 32n));
        break;
      case 'srlv':
        set(x, reg(y) >> (reg(z) % 32n));
        break;
      case 'srav':
        set(x, signed(reg(y)) >> (reg(z) % 32n));
        break;
      case 'mfhi':
        this.#timing?.hiLo(0);
        set(x, this.hi);
        break;
      case 'mflo':
        this.#timing?.hiLo(0);
        set(x, this.lo);
        break;
      case 'mthi':
        this.#timing?.hiLo(0);
        this.hi = reg(x);
        break;
      case 'mtlo':
        this.#timing?.hiLo(0);
        this.lo = reg(x);
        break;
      case 'mult':
      case 'multu': {
        this.#timing?.hiLo(12);
        const product = mnemonic === 'mult' ? signed(reg(x)) * signed(reg(y)) : reg(x) * reg(y);
        this.lo = product & U32;
        this.hi = (product >> 32n) & U32;
        break;
      }
      case 'div':
      case 'divu': {
        this.#timing?.hiLo(35);
        const a = mnemonic === 'div' ? signed(reg(x)) : reg(x);
        const b = mnemonic === 'div' ? signed(reg(y)) : reg(y);
        this.lo = (b === 0n ? (a < 0n ? 1n : -1n) : a / b) & U32;
        this.hi = (b === 0n ? a : a % b) & U32;
        break;
      }
      case 'jr':
        this.#target = Number(reg(x));
        break;
      case 'jalr':
        set(x, BigInt(at + 8));
        this.#target = Number(reg(y));
        break;
      case 'jal':
        set(31, BigInt(at + 8));
        this.#target = 0x80000000 + x * 4;
        break;
      case 'j':
        this.#target = 0x80000000 + x * 4;
        break;
      case 'beq':
        branch(reg(x) === reg(y), z);
        break;
      case 'bne':
        branch(reg(x) !== reg(y), z);
        break;
      case 'blez':
        branch(signed(reg(x)) <= 0n, y);
        break;
      case 'bgtz':
        branch(signed(reg(x)) > 0n, y);
        break;
      case 'bltz':
        branch(signed(reg(x)) < 0n, y);
        break;
      case 'bgez':
        branch(signed(reg(x)) >= 0n, y);
        break;
      case 'bltzal':
        set(31, BigInt(at + 8));
        branch(signed(reg(x)) < 0n, y);
        break;
      case 'bgezal':
        set(31, BigInt(at + 8));
        branch(signed(reg(x)) >= 0n, y);
        break;
      case 'addi':
        overflow(x, signed(reg(y)) + BigInt(z));
        break;
      case 'addiu':
        set(x, reg(y) + BigInt(z));
        break;
      case 'slti':
        set(x, signed(reg(y)) < BigInt(z) ? 1n : 0n);
        break;
      case 'sltiu':
        set(x, reg(y) < BigInt.asUintN(32, BigInt(z)) ? 1n : 0n);
        break;
      case 'andi':
        set(x, reg(y) & BigInt(z));
        break;
      case 'ori':
        set(x, reg(y) | BigInt(z));
        break;
      case 'xori':
        set(x, reg(y) ^ BigInt(z));
        break;
      case 'lui':
        set(x, BigInt(y) << 16n);
        break;
      case 'lb':
        load(1, true);
        break;
      case 'lbu':
        load(1, false);
        break;
      case 'lh':
        load(2, true);
        break;
      case 'lhu':
        load(2, false);
        break;
      case 'lw':
        load(4, false);
        break;
      case 'lwl': // memory up to the addressed byte becomes the register's upper end
        unaligned((i) => (i + place - 3 >= 0 ? i - 3 : undefined));
        break;
      case 'lwr': // memory from the addressed byte on becomes its lower end
        unaligned((i) => (i + place <= 3 ? i : undefined));
        break;
      case 'sb':
        store(1);
        break;
      case 'sh':
        store(2);
        break;
      case 'sw':
        store(4);
        break;
      case 'swl':
        this.#timing?.store(bytes(0), false);
        for (let i = 0; i <= place; i += 1) {
          this.memory[bytes(-i)] = Number((reg(x) >> BigInt(8 * (3 - i))) & 0xffn);
        }
        break;
      case 'swr':
        this.#timing?.store(bytes(0), false);
        for (let i = 0; i + place <= 3; i += 1) this.memory[bytes(i)] = Number((reg(x) >> BigInt(8 * i)) & 0xffn);
        break;
      case 'movz':
        set(x, reg(z) === 0n ? reg(y) : reg(x));
        break;
      case 'movn':
        set(x, reg(z) === 0n ? reg(x) : reg(y));
        break;
      case 'teq':
        if (reg(x) === reg(y)) trap(13);
        break;
      case 'mul':
        this.#timing?.product(12);
        set(x, signed(reg(y)) * signed(reg(z)));
        break;
      case 'clz':
        set(x, BigInt(32 - (reg(y) === 0n ? 0 : reg(y).toString(2).length)));
        break;
      case 'ext':
        set(x, (reg(y) >> BigInt(z)) % 2n ** BigInt(size));
        break;
      case 'ins': {
        // Below the field, in it, above it.
        const [low, high] = [2n ** BigInt(z), 2n ** BigInt(z + size)];
        set(x, (reg(x) % low) + (reg(y) % 2n ** BigInt(size)) * low + (reg(x) / high) * high);
        break;
      }
      case 'seb':
        set(x, BigInt.asIntN(8, reg(y)));
        break;
      case 'seh':
        set(x, BigInt.asIntN(16, reg(y)));
        break;
      case 'll':
        load(4, false);
        if (this.trap === undefined) this.#linked = address;
        break;
      case 'sc': {
        const isLinked = this.#linked === address;
        if (isLinked || address % 4 !== 0) store(4);
        if (this.trap !== undefined) break;
        set(x, isLinked ? 1n : 0n);
        this.#linked = undefined;
        break;
      }
      case 'syscall':
        trap(8);
        break;
      case 'break':
        trap(9);
        break;
      default:
        throw new Error(`the reference has no ${mnemonic}`);
    }
  }
}
