/**
 * The assembler: a typed builder with one method per row of the instruction tables, labels and a few pseudo-instructions.
 *
 * The caller fills every delay slot itself (with an instruction or an explicit `nop()`), or takes the form of `slots.ts`, in which
 * a slot is an argument; the assembler only refuses what the R3000 leaves undefined: a branch in a delay slot, and a use of a loaded register in the slot after the load (also
 * when the load is in a branch's slot and the use is the first instruction at its target). A dot in a mnemonic is an
 * underscore in the method (`cvt_d_s`).
 *
 * Source: [KANE92 app. A, D].
 */
import { decode, encode, operandKinds } from './codec.ts';
import {
  EXTENSIONS,
  INSTRUCTIONS,
  type Extension,
  type ExtensionMnemonic,
  type Mnemonic,
  type OperandKind,
  type OperandsOf,
} from './instructions.ts';
import { IsaError } from './error.ts';
import { controlFlow, effects, type Effects } from './effects.ts';
import { RA, ZERO, type Cp0Register, type Register } from './registers.ts';

/** A place in the program: the name of a label (defined before or after its use) or an absolute address. */
export type Target = string | number;

type OperandType<K> = K extends 'rd' | 'rd2' | 'rs' | 'rt' | 'base'
  ? Register
  : K extends 'branch' | 'jump'
    ? Target
    : K extends 'c0'
      ? Cp0Register
      : number;

type OperandTypes<Kinds extends readonly unknown[]> = { [I in keyof Kinds]: OperandType<Kinds[I]> };

type MethodName<M extends string> = M extends `${infer Head}.${infer Tail}` ? `${Head}_${MethodName<Tail>}` : M;

type InstructionMethods<E extends Extension> = {
  [M in Mnemonic as M extends keyof typeof INSTRUCTIONS | ExtensionMnemonic<E> ? MethodName<M> : never]: (
    ...operands: OperandTypes<OperandsOf<M>>
  ) => void;
};

/** What `assemble` returns: words in memory order from `origin`, and the address of every label. */
export interface Assembly {
  readonly origin: number;
  readonly words: Uint32Array;
  readonly symbols: ReadonlyMap<string, number>;
  /** What the author says of the instruction at an address: for listings. */
  readonly notes: ReadonlyMap<number, readonly string[]>;
}

type Item =
  | { readonly kind: 'word'; readonly value: number }
  | { readonly kind: 'address'; readonly target: Target }
  | { readonly kind: 'upper' | 'lower'; readonly rt: Register; readonly target: Target }
  | { readonly kind: 'instruction'; readonly mnemonic: Mnemonic; readonly operands: readonly (number | string)[] };

/** What all assemblers can do. Not for users: they take `Assembler`. */
export class AssemblerCore {
  readonly origin: number;
  readonly #extensions: readonly Extension[];
  readonly #items: Item[] = [];
  readonly #labels = new Map<string, number>();
  readonly #notes = new Map<number, string[]>();
  #fresh = 0;

  constructor(origin: number, extensions: readonly Extension[]) {
    if (origin % 4 !== 0) throw new IsaError('alignment', `origin 0x${origin.toString(16)} is not word-aligned`);
    this.origin = origin >>> 0;
    this.#extensions = extensions;
  }

  /** The address of the next word. */
  get here(): number {
    return (this.origin + 4 * this.#items.length) >>> 0;
  }

  /** Names the next word. Throws `label-twice`. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new IsaError('label-twice', `label ${name} is defined twice`, { name });
    this.#labels.set(name, this.here);
  }

  /** Says something of the next instruction, for those who read a listing. */
  note(text: string): void {
    this.#notes.set(this.here, [...(this.#notes.get(this.here) ?? []), text]);
  }

  /** A label name that nothing else uses; `hint` is for the reader. */
  fresh(hint: string): string {
    this.#fresh += 1;
    return `${hint}.${this.#fresh}`;
  }

  /** Appends one instruction. The named methods are this, typed. */
  emit(mnemonic: Mnemonic, operands: readonly (number | string)[]): void {
    this.#items.push({ kind: 'instruction', mnemonic, operands });
  }

  nop(): void {
    this.word(0);
  }

  /** `rd = rs`. */
  move(rd: Register, rs: Register): void {
    this.emit('addu', [rd, rs, ZERO]);
  }

  /** Loads a 32-bit constant (signed or unsigned notation): one word where one is enough, else two. */
  li(rt: Register, value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
      throw new IsaError('operand-range', `li: ${value} is no 32-bit integer`, { value });
    }
    const v = value | 0;
    if (v >= -0x8000 && v <= 0x7fff) this.emit('addiu', [rt, ZERO, v]);
    else if (v >>> 16 === 0) this.emit('ori', [rt, ZERO, v]);
    else {
      this.emit('lui', [rt, v >>> 16]);
      if ((v & 0xffff) !== 0) this.emit('ori', [rt, rt, v & 0xffff]);
    }
  }

  /** Loads an address: always two words. */
  la(rt: Register, target: Target): void {
    this.upper(rt, target);
    this.lower(rt, target);
  }

  /** The first half of `la`, which may stand in a delay slot. */
  upper(rt: Register, target: Target): void {
    this.#items.push({ kind: 'upper', rt, target });
  }

  /** The second half of `la`. */
  lower(rt: Register, target: Target): void {
    this.#items.push({ kind: 'lower', rt, target });
  }

  /** Branches always; the next word is its delay slot. */
  b(target: Target): void {
    this.emit('beq', [ZERO, ZERO, target]);
  }

  /** Calls a routine in branch range; the next word is the delay slot. */
  bal(target: Target): void {
    this.emit('bgezal', [ZERO, target]);
  }

  beqz(rs: Register, target: Target): void {
    this.emit('beq', [rs, ZERO, target]);
  }

  bnez(rs: Register, target: Target): void {
    this.emit('bne', [rs, ZERO, target]);
  }

  /** Returns to `ra`; the next word is the delay slot. */
  ret(): void {
    this.emit('jr', [RA]);
  }

  /** One word of data. */
  word(value: number): void {
    this.#items.push({ kind: 'word', value: value >>> 0 });
  }

  /** One word that holds the address of a label. */
  address(target: Target): void {
    this.#items.push({ kind: 'address', target });
  }

  /** Bytes as data, little-endian, padded with zeros to a whole word. */
  bytes(data: Uint8Array): void {
    for (let i = 0; i < data.length; i += 4) {
      this.word((data[i] ?? 0) | ((data[i + 1] ?? 0) << 8) | ((data[i + 2] ?? 0) << 16) | ((data[i + 3] ?? 0) << 24));
    }
  }

  /** Zero words up to the next multiple of `bytes`, a power of two from 4 to 1 MB. Throws `alignment`. */
  align(bytes: number): void {
    if (!Number.isInteger(Math.log2(bytes)) || bytes < 4 || bytes > 0x100000) {
      throw new IsaError('alignment', `cannot align to ${bytes}: use a power of two from 4 to 0x100000`, { bytes });
    }
    while (this.here % bytes !== 0) this.word(0);
  }

  /**
   * Resolves every label and encodes. Throws `IsaError`: `label-undefined`, `target-range`, `operand-range`,
   * `branch-in-delay-slot`, `load-delay`; `extension` for an instruction of one that this assembler was not made with.
   */
  assemble(): Assembly {
    const words = Uint32Array.from(this.#items, (item, i) => this.#encode(item, (this.origin + 4 * i) >>> 0));
    this.#checkHazards(words);
    return { origin: this.origin, words, symbols: new Map(this.#labels), notes: new Map(this.#notes) };
  }

  #resolve(target: Target): number {
    if (typeof target === 'number') return target >>> 0;
    const address = this.#labels.get(target);
    if (address === undefined) throw new IsaError('label-undefined', `label ${target} is not defined`, { target });
    return address;
  }

  #encode(item: Item, pc: number): number {
    switch (item.kind) {
      case 'word':
        return item.value;
      case 'address':
        return this.#resolve(item.target);
      case 'upper':
        return encode({ mnemonic: 'lui', operands: [item.rt, (this.#resolve(item.target) + 0x8000) >>> 16] });
      case 'lower': {
        const low = (this.#resolve(item.target) << 16) >> 16;
        return encode({ mnemonic: 'addiu', operands: [item.rt, item.rt, low] });
      }
      case 'instruction': {
        const kinds = operandKinds(item.mnemonic);
        const operands = item.operands.map((value, i) => this.#field(kinds[i], value, pc));
        return encode({ mnemonic: item.mnemonic, operands }, this.#extensions);
      }
    }
  }

  #field(kind: OperandKind | undefined, value: number | string, pc: number): number {
    if (kind === 'branch') {
      const target = this.#resolve(value);
      const offset = (target - (pc + 4)) / 4;
      if (!Number.isInteger(offset) || offset < -0x8000 || offset > 0x7fff) {
        throw new IsaError('target-range', `branch at 0x${pc.toString(16)} cannot reach 0x${target.toString(16)}`, {
          pc,
          target,
        });
      }
      return offset;
    }
    if (kind === 'jump') {
      const target = this.#resolve(value);
      if (target % 4 !== 0 || target >>> 28 !== (pc + 4) >>> 28) {
        throw new IsaError('target-range', `jump at 0x${pc.toString(16)} cannot reach 0x${target.toString(16)}`, {
          pc,
          target,
        });
      }
      return (target >>> 2) & 0x3ffffff;
    }
    if (typeof value === 'string') {
      throw new IsaError('operand-range', `label ${value} where ${kind ?? 'nothing'} belongs`, { value });
    }
    return value;
  }

  #isCode(i: number): boolean {
    const item = this.#items[i];
    return item !== undefined && (item.kind !== 'word' || item.value === 0) && item.kind !== 'address';
  }

  #checkHazards(words: Uint32Array): void {
    const at = (i: number): string => `0x${(this.origin + 4 * i).toString(16)}`;
    const effectsAt = (i: number): Effects => effects(words[i] ?? 0, this.#extensions);
    words.forEach((_, i) => {
      if (!this.#isCode(i)) return;
      const here = effectsAt(i);
      const isSlot = this.#isCode(i - 1) && effectsAt(i - 1).branches;
      if (isSlot && here.branches) {
        throw new IsaError('branch-in-delay-slot', `branch in the delay slot at ${at(i)}`, { address: at(i) });
      }
      if (here.loads === 0) return;
      for (const next of isSlot ? this.#successors(words, i - 1) : [i + 1]) {
        if (!this.#isCode(next) || (effectsAt(next).reads & here.loads) === 0) continue;
        throw new IsaError('load-delay', `the instruction at ${at(next)} uses the register that ${at(i)} loads`, {
          address: at(next),
          instruction: decode(words[next] ?? 0, this.#extensions)?.mnemonic,
        });
      }
    });
  }

  /** Where control can be after branch `i` and its slot, as indices of this program; the target of `jr` is unknown. */
  #successors(words: Uint32Array, i: number): number[] {
    const item = this.#items[i];
    if (item?.kind !== 'instruction') return [];
    const { target, always } = controlFlow(words[i] ?? 0, (this.origin + 4 * i) >>> 0, this.#extensions);
    const next = target === undefined ? [] : [(target - this.origin) / 4];
    return always ? next : [...next, i + 2];
  }
}

/**
 * The assembler: `AssemblerCore` and one method per instruction of MIPS I and of the extensions `E`. Make one with
 * `createAssembler`.
 */
export type Assembler<E extends Extension = never> = AssemblerCore & InstructionMethods<E>;

for (const table of [INSTRUCTIONS, ...Object.values(EXTENSIONS)]) {
  for (const mnemonic of Object.keys(table) as Mnemonic[]) {
    Object.defineProperty(AssemblerCore.prototype, mnemonic.replaceAll('.', '_'), {
      value(this: AssemblerCore, ...operands: (number | string)[]): void {
        this.emit(mnemonic, operands);
      },
    });
  }
}

/**
 * An empty program that will be loaded at `origin` (word-aligned), for a CPU with these extensions. Throws `IsaError`
 * `alignment`.
 */
export function createAssembler<E extends Extension = never>(
  origin: number,
  extensions: readonly E[] = [],
): Assembler<E> {
  return new AssemblerCore(origin, extensions) as Assembler<E>;
}
