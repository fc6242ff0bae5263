/**
 * A MIPS executor for tests: little-endian user instructions with delay slots and load delays, counting what executes.
 *
 * Stricter than the machine: it throws on an unaligned access, an access outside the memory it was given, a branch in a
 * delay slot, the use or the overwriting of a register whose load is not finished, a multiply within two instructions
 * after `mflo`, and the use of a register that was never written.
 */
import { decode, REGISTER_NAMES } from '@exokernel/isa';

const RETURN_ADDRESS = 0x80000000;
export const ORIGIN = 0x80010000;
/** Where the test memory lies. */
export const MEMORY_BASE = 0x80100000;

export interface MipsRun {
  readonly v0: number;
  readonly v1: number;
  readonly executed: number;
}

/** Addresses from the first to before the second that the code may touch. */
export type Range = readonly [from: number, to: number];

/** Calls the code with `a0`; `memory` lies at `MEMORY_BASE`, but only the allowed ranges of it may be touched. */
export function executeMips(
  words: Uint32Array,
  memory: Uint8Array,
  a0: number,
  allowed: readonly Range[],
  limit = 5_000_000,
): MipsRun {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const registers = new Int32Array(32).fill(0x5a5a5a5a);
  const saved = [16, 17, 18, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30, 31];
  const known = new Set([0, 4, ...saved]);
  registers[0] = 0;
  registers[4] = a0;
  registers[31] = RETURN_ADDRESS;
  const before = saved.map((n) => registers[n]);
  let [hi, lo] = [0, 0];
  let pending: { register: number; value: number } | undefined;
  let sinceMove = 3;
  let executed = 0;
  let pc = ORIGIN;
  let next = pc + 4;
  const fail = (why: string): never => {
    throw new Error(`${why} at 0x${pc.toString(16)}`);
  };
  const index = (address: number, size: number): number => {
    const at = (address >>> 0) - MEMORY_BASE;
    if (at % size !== 0) fail(`unaligned access to 0x${(address >>> 0).toString(16)}`);
    touch(address >>> 0, size);
    return at;
  };
  const touch = (address: number, size: number): void => {
    const isAllowed = allowed.some(([from, to]) => address >= from && address + size <= to);
    if (!isAllowed) fail(`access to 0x${address.toString(16)}, which is nobody's`);
  };
  while (pc !== RETURN_ADDRESS) {
    if (executed >= limit) fail('too many instructions');
    const word = words[(pc - ORIGIN) / 4];
    if (word === undefined) fail('execution outside the code');
    const instruction = decode(word ?? 0);
    if (instruction === undefined) throw new Error(`no instruction 0x${(word ?? 0).toString(16)}`);
    const { mnemonic, operands } = instruction;
    const [a = 0, b = 0, c = 0] = operands;
    executed += 1;
    sinceMove += 1;
    const loading = pending;
    pending = undefined;
    const get = (n: number): number => {
      if (loading?.register === n && mnemonic !== 'lwl' && mnemonic !== 'lwr')
        fail(`${REGISTER_NAMES[n]} is not loaded yet`);
      if (!known.has(n)) fail(`${REGISTER_NAMES[n]} was never written`);
      return registers[n] ?? 0;
    };
    let written: { register: number; value: number } | undefined;
    const set = (register: number, value: number): void => {
      if (loading?.register === register) fail(`${REGISTER_NAMES[register]} is overwritten while it is loaded`);
      written = { register, value };
    };
    let target = next + 4;
    const branch = (taken: boolean, offset: number): void => {
      if (next !== pc + 4) fail('a branch in a delay slot');
      if (taken) target = pc + 4 + 4 * offset;
    };
    switch (mnemonic) {
      case 'addu':
        set(a, get(b) + get(c));
        break;
      case 'subu':
        set(a, get(b) - get(c));
        break;
      case 'and':
        set(a, get(b) & get(c));
        break;
      case 'or':
        set(a, get(b) | get(c));
        break;
      case 'xor':
        set(a, get(b) ^ get(c));
        break;
      case 'nor':
        set(a, ~(get(b) | get(c)));
        break;
      case 'slt':
        set(a, get(b) < get(c) ? 1 : 0);
        break;
      case 'sltu':
        set(a, get(b) >>> 0 < get(c) >>> 0 ? 1 : 0);
        break;
      case 'sllv':
        set(a, get(b) << get(c));
        break;
      case 'srlv':
        set(a, get(b) >>> get(c));
        break;
      case 'srav':
        set(a, get(b) >> get(c));
        break;
      case 'sll':
        if (word !== 0) set(a, get(b) << c);
        break;
      case 'srl':
        set(a, get(b) >>> c);
        break;
      case 'sra':
        set(a, get(b) >> c);
        break;
      case 'addiu':
        set(a, get(b) + c);
        break;
      case 'slti':
        set(a, get(b) < c ? 1 : 0);
        break;
      case 'sltiu':
        set(a, get(b) >>> 0 < c >>> 0 ? 1 : 0);
        break;
      case 'andi':
        set(a, get(b) & c);
        break;
      case 'ori':
        set(a, get(b) | c);
        break;
      case 'xori':
        set(a, get(b) ^ c);
        break;
      case 'lui':
        set(a, b << 16);
        break;
      case 'lw':
        pending = { register: a, value: view.getInt32(index(get(c) + b, 4), true) };
        break;
      case 'lhu':
        pending = { register: a, value: view.getUint16(index(get(c) + b, 2), true) };
        break;
      case 'lbu':
        pending = { register: a, value: view.getUint8(index(get(c) + b, 1)) };
        break;
      case 'lwr':
      case 'lwl': {
        const address = get(c) + b;
        touch(address >>> 0, 1);
        const whole = view.getInt32(((address & ~3) >>> 0) - MEMORY_BASE, true);
        const old = loading?.register === a ? loading.value : (registers[a] ?? 0);
        const at = address & 3;
        const right = mnemonic === 'lwr';
        const merged = right
          ? (whole >>> (8 * at)) | (at === 0 ? 0 : old & (~0 << (32 - 8 * at)))
          : (whole << (24 - 8 * at)) | (at === 3 ? 0 : old & (~0 >>> (8 + 8 * at)));
        pending = { register: a, value: merged };
        break;
      }
      case 'sw':
        view.setInt32(index(get(c) + b, 4), get(a), true);
        break;
      case 'sh':
        view.setInt16(index(get(c) + b, 2), get(a), true);
        break;
      case 'sb':
        view.setInt8(index(get(c) + b, 1), get(a));
        break;
      case 'swr':
      case 'swl': {
        const address = (get(c) + b) >>> 0;
        const value = get(a);
        if (mnemonic === 'swr')
          for (let i = 0; i < 4 - (address & 3); i += 1) view.setUint8(index(address + i, 1), value >>> (8 * i));
        else for (let i = 0; i <= (address & 3); i += 1) view.setUint8(index(address - i, 1), value >>> (24 - 8 * i));
        break;
      }
      case 'multu':
      case 'divu': {
        if (sinceMove <= 2) fail('a multiply too soon after mflo');
        const [x, y] = [get(a) >>> 0, get(b) >>> 0];
        if (mnemonic === 'multu') [lo, hi] = [Math.imul(x, y), Number((BigInt(x) * BigInt(y)) >> 32n) | 0];
        else [lo, hi] = y === 0 ? [0x1111, 0x2222] : [Math.floor(x / y) | 0, (x % y) | 0];
        break;
      }
      case 'mflo':
        set(a, lo);
        sinceMove = 0;
        break;
      case 'mfhi':
        set(a, hi);
        sinceMove = 0;
        break;
      case 'beq':
        branch(get(a) === get(b), c);
        break;
      case 'bne':
        branch(get(a) !== get(b), c);
        break;
      case 'blez':
        branch(get(a) <= 0, b);
        break;
      case 'bgtz':
        branch(get(a) > 0, b);
        break;
      case 'bltz':
        branch(get(a) < 0, b);
        break;
      case 'bgez':
        branch(get(a) >= 0, b);
        break;
      case 'jr':
        branch(false, 0);
        target = get(a) >>> 0;
        break;
      default:
        fail(`unexpected ${mnemonic}`);
    }
    if (loading !== undefined && loading.register !== 0) {
      registers[loading.register] = loading.value;
      known.add(loading.register);
    }
    if (written !== undefined && written.register !== 0) {
      registers[written.register] = written.value;
      known.add(written.register);
    }
    pc = next >>> 0;
    next = target >>> 0;
  }
  if (pending !== undefined) throw new Error('a load in the delay slot of the return');
  saved.forEach((n, i) => {
    if (registers[n] !== before[i]) throw new Error(`${REGISTER_NAMES[n]} is not preserved`);
  });
  return { v0: (registers[2] ?? 0) >>> 0, v1: (registers[3] ?? 0) >>> 0, executed };
}
