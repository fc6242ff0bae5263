/**
 * The BPF machine, interpreted: the meaning of a program. Registers and memory are unsigned words and begin as 0. A load that is not
 * wholly inside the packet ends the program with 0, whatever the program made of the value; so does a division by 0.
 *
 * A program that `validateBpf` takes ends by itself. Any other is safe to run too: a jump out of it ends with 0, and so do more
 * steps backwards than there can be headers in a packet (libpcap writes loops for `protochain`).
 */
import { BPF, BPF_ANCILLARY, BPF_MEMORY_WORDS, type BpfInstruction } from './instruction.ts';

/** What is known of a packet beside its bytes, by its offset from `BPF_ANCILLARY`; undefined ends the program with 0. */
export type Ancillary = (offset: number) => number | undefined;

/** Jumps backwards that a program without a bound may make. */
const MOST_JUMPS_BACK = 16_384;

const none: Ancillary = () => undefined;

/**
 * Runs a program on a packet: 0 if it is refused, else how many bytes of it the program wants. `wireLength` is the packet's length on
 * the wire, which a capture may have cut; `ancillary` gives what Linux's extensions read.
 */
export function runBpf(
  program: readonly BpfInstruction[],
  packet: Uint8Array,
  wireLength: number = packet.length,
  ancillary: Ancillary = none,
): number {
  const memory = new Uint32Array(BPF_MEMORY_WORDS);
  const length = packet.length;
  const byte = (at: number): number => packet[at] ?? 0;
  const half = (at: number): number => (byte(at) << 8) | byte(at + 1);
  const word = (at: number): number => ((half(at) << 16) | half(at + 2)) >>> 0;
  let a = 0;
  let x = 0;
  let back = 0;
  for (let pc = 0; ; pc += 1) {
    const instruction = program[pc];
    if (instruction === undefined) return 0;
    const { code, jt, jf, k } = instruction;
    switch (code) {
      case BPF.RET_K:
        return k;
      case BPF.RET_A:
        return a;
      case BPF.LD_ABS:
      case BPF.LDH_ABS:
      case BPF.LDB_ABS: {
        if (k >= BPF_ANCILLARY) {
          const value = ancillary(k - BPF_ANCILLARY);
          if (value === undefined) return 0;
          a = value >>> 0;
          break;
        }
        const size = code === BPF.LD_ABS ? 4 : code === BPF.LDH_ABS ? 2 : 1;
        if (k + size > length) return 0;
        a = size === 4 ? word(k) : size === 2 ? half(k) : byte(k);
        break;
      }
      case BPF.LD_IND:
        if (x + k + 4 > length) return 0;
        a = word(x + k);
        break;
      case BPF.LDH_IND:
        if (x + k + 2 > length) return 0;
        a = half(x + k);
        break;
      case BPF.LDB_IND:
        if (x + k + 1 > length) return 0;
        a = byte(x + k);
        break;
      case BPF.LDX_MSH:
        if (k >= length) return 0;
        x = (byte(k) & 15) << 2;
        break;
      case BPF.LD_IMM:
        a = k;
        break;
      case BPF.LDX_IMM:
        x = k;
        break;
      case BPF.LD_LEN:
        a = wireLength;
        break;
      case BPF.LDX_LEN:
        x = wireLength;
        break;
      case BPF.LD_MEM:
      case BPF.LDX_MEM: {
        const value = memory[k];
        if (value === undefined) return 0;
        if (code === BPF.LD_MEM) a = value;
        else x = value;
        break;
      }
      case BPF.ST:
      case BPF.STX:
        if (k >= BPF_MEMORY_WORDS) return 0;
        memory[k] = code === BPF.ST ? a : x;
        break;
      case BPF.JA:
        if ((k | 0) < 0 && ++back > MOST_JUMPS_BACK) return 0;
        pc += k | 0;
        break;
      case BPF.JEQ_K:
        pc += a === k ? jt : jf;
        break;
      case BPF.JEQ_X:
        pc += a === x ? jt : jf;
        break;
      case BPF.JGT_K:
        pc += a > k ? jt : jf;
        break;
      case BPF.JGT_X:
        pc += a > x ? jt : jf;
        break;
      case BPF.JGE_K:
        pc += a >= k ? jt : jf;
        break;
      case BPF.JGE_X:
        pc += a >= x ? jt : jf;
        break;
      case BPF.JSET_K:
        pc += (a & k) !== 0 ? jt : jf;
        break;
      case BPF.JSET_X:
        pc += (a & x) !== 0 ? jt : jf;
        break;
      case BPF.TAX:
        x = a;
        break;
      case BPF.TXA:
        a = x;
        break;
      default: {
        const value = calculate(code, a, (code & 8) !== 0 ? x : k);
        if (value === undefined) return 0;
        a = value;
      }
    }
  }
}

/** One operation of arithmetic, on unsigned words; undefined for a division by 0 and for what is no operation. */
function calculate(code: number, left: number, right: number): number | undefined {
  // The bit that tells x from k is not part of the operation.
  switch (code & ~8) {
    case BPF.ADD_K:
      return (left + right) >>> 0;
    case BPF.SUB_K:
      return (left - right) >>> 0;
    case BPF.MUL_K:
      return Math.imul(left, right) >>> 0;
    case BPF.DIV_K:
      return right === 0 ? undefined : Math.floor(left / right);
    case BPF.MOD_K:
      return right === 0 ? undefined : left % right;
    case BPF.OR_K:
      return (left | right) >>> 0;
    case BPF.AND_K:
      return (left & right) >>> 0;
    case BPF.XOR_K:
      return (left ^ right) >>> 0;
    case BPF.LSH_K:
      return right > 31 ? 0 : (left << right) >>> 0;
    case BPF.RSH_K:
      return right > 31 ? 0 : left >>> right;
    case BPF.NEG:
      return -left >>> 0;
    default:
      return undefined;
  }
}
