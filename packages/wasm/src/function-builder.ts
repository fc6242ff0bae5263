/**
 * One function under construction: typed locals and the emitter, which has one method per row of the opcode table.
 *
 * The caller emits instructions in the order of the binary format and closes every block with `end()`; the function's own
 * last `end` is added when the module is built. Only nesting is checked here: whether the code is well typed is the
 * engine's judgement when it compiles the module.
 *
 * Source: [WASM §5.4].
 */
import { ByteWriter } from './byte-writer.ts';
import { OPCODES, type ImmediateKind, type OpcodeName } from './opcodes.ts';
import { WasmError } from './error.ts';

/** A value type, as its byte in the binary format. */
export type ValueType = typeof I32 | typeof I64;
export const I32 = 0x7f;
export const I64 = 0x7e;

const NO_RESULT = 0x40;

type Immediates<K extends ImmediateKind> = {
  '': [];
  zero: [];
  copy: [];
  fill: [];
  index: [index: number];
  label: [depth: number];
  /** Constant offset in bytes, 0 to 2^32 - 1. */
  memory: [offset?: number];
  i32: [value: number];
  i64: [value: bigint];
  block: [result?: ValueType];
  labels: [depths: readonly number[], otherwise: number];
  indirect: [type: number, table?: number];
}[K];

type EmitMethods = {
  [N in OpcodeName]: (...immediates: Immediates<(typeof OPCODES)[N][1]>) => void;
};

class FunctionCore {
  /** How the immediates of each kind are written. */
  static readonly #writers: { readonly [K in ImmediateKind]: (f: FunctionCore, ...of: Immediates<K>) => void } = {
    '': () => undefined,
    zero: (f) => {
      f.#code.byte(0);
    },
    copy: (f) => {
      for (const byte of [10, 0, 0]) f.#code.byte(byte);
    },
    fill: (f) => {
      for (const byte of [11, 0]) f.#code.byte(byte);
    },
    index: (f, index) => {
      f.#code.unsigned(index);
    },
    label: (f, depth) => {
      f.#label(depth);
    },
    memory: (f, offset = 0) => {
      f.#code.byte(0);
      f.#code.unsigned(offset);
    },
    i32: (f, value) => {
      f.#code.signed32(value);
    },
    i64: (f, value) => {
      f.#code.signed64(value);
    },
    block: (f, result) => {
      f.#code.byte(result ?? NO_RESULT);
    },
    labels: (f, depths, otherwise) => {
      f.#code.unsigned(depths.length);
      for (const depth of depths) f.#label(depth);
      f.#label(otherwise);
    },
    indirect: (f, type, table = 0) => {
      f.#code.unsigned(type);
      f.#code.unsigned(table);
    },
  };

  /** The function's index in the module; imports come first. */
  readonly index: number;
  /** The index of its type. */
  readonly type: number;
  readonly #parameters: number;
  readonly #locals: ValueType[] = [];
  readonly #code = new ByteWriter();
  #depth = 1;

  static {
    // One method a row, made for its kind of immediates: generators spend their time here.
    for (const name of Object.keys(OPCODES) as OpcodeName[]) {
      const write = this.#writers[OPCODES[name][1]] as (f: FunctionCore, a: unknown, b: unknown) => void;
      const opcode = OPCODES[name][0];
      const nests = name === 'block' || name === 'loop' || name === 'if' || name === 'end';
      Object.defineProperty(FunctionCore.prototype, name, {
        value(this: FunctionCore, a: unknown, b: unknown): void {
          if (nests) this.#nest(name);
          this.#code.byte(opcode);
          write(this, a, b);
        },
      });
    }
  }

  constructor(index: number, type: number, parameters: number) {
    this.index = index;
    this.type = type;
    this.#parameters = parameters;
  }

  /** How many blocks are open, the function's own included: `br(depth - 1)` leaves the function. */
  get depth(): number {
    return this.#depth;
  }

  /** Bytes of code so far. */
  get size(): number {
    return this.#code.length;
  }

  /** A new local, zero at entry. Returns its index; parameters have the first ones. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }

  /** Appends one instruction. The named methods are this, typed. */
  emit(name: OpcodeName, immediates: readonly unknown[]): void {
    (this as unknown as Record<OpcodeName, (...immediates: readonly unknown[]) => void>)[name](...immediates);
  }

  /** The body as the code section has it, without its size. Throws `WasmError` `nesting` when a block is still open. */
  body(): ByteWriter {
    if (this.#depth !== 1) {
      throw new WasmError('nesting', `function ${this.index} has ${this.#depth - 1} open blocks`, {
        index: this.index,
      });
    }
    const body = new ByteWriter();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count += 1;
      else runs.push({ type, count: 1 });
    }
    body.unsigned(runs.length);
    for (const { type, count } of runs) {
      body.unsigned(count);
      body.byte(type);
    }
    body.append(this.#code.bytes());
    body.byte(OPCODES.end[0]);
    return body;
  }

  #nest(name: OpcodeName): void {
    if (name === 'block' || name === 'loop' || name === 'if') this.#depth += 1;
    else if (name === 'end') {
      if (this.#depth === 1) throw new WasmError('nesting', 'end without an open block', { index: this.index });
      this.#depth -= 1;
    }
  }

  #label(depth: number): void {
    if (!Number.isInteger(depth) || depth < 0 || depth >= this.#depth) {
      throw new WasmError('nesting', `branch ${depth} blocks outward, but ${this.#depth} are open`, { depth });
    }
    this.#code.unsigned(depth);
  }
}

/** A function under construction. Made by `ModuleBuilder.function`. */
export type FunctionBuilder = FunctionCore & EmitMethods;

/** For `ModuleBuilder` alone. */
export function createFunction(index: number, type: number, parameters: number): FunctionBuilder {
  return new FunctionCore(index, type, parameters) as FunctionBuilder;
}
