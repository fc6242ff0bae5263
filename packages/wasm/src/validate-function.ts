/**
 * Validates a function: a stack of types and a stack of open blocks, the algorithm of the specification's appendix.
 *
 * Source: [WASM §3.3, §7.3].
 */
import type { ByteReader } from './byte-reader.ts';
import { WasmError } from './error.ts';
import { BY_OPCODE } from './instruction-set.ts';
import type { FunctionType, WasmModule, WasmType } from './module.ts';
import { isFloat, RULES, type Rule } from './rules.ts';
import { readType } from './types.ts';

/** A function's instructions, one per index. Instructions that can never be executed are there too. */
export interface Code {
  readonly type: FunctionType;
  /** Parameters first. */
  readonly locals: readonly WasmType[];
  readonly opcodes: Uint16Array;
  /** An index, a label, a constant's low word, a displacement; of `br_table` the index of its labels; of a block that of its type. */
  readonly first: Uint32Array;
  /** An alignment, a constant's high word. */
  readonly second: Uint32Array;
  /** Where each instruction stands in the module. */
  readonly offsets: Uint32Array;
  /** Labels of each `br_table`; the last one is the default. */
  readonly labels: readonly (readonly number[])[];
  /** Types of blocks. */
  readonly blocks: readonly FunctionType[];
  /** Whether it has a floating-point value or instruction anywhere. */
  readonly usesFloat: boolean;
}

/** What functions of the module may name. */
export interface Space {
  readonly module: WasmModule;
  readonly functionTypes: readonly FunctionType[];
  readonly globalTypes: readonly { readonly type: WasmType; readonly mutable: boolean }[];
}

const NONE: readonly WasmType[] = [];
/** Blocks inside each other. The compiler of modules walks them by recursion: twice as many take all of the host's stack. */
const MOST_NESTED = 500;

/** Throws for a rule that is broken. */
export function fail(what: string, offset?: number): never {
  throw new WasmError(
    'invalid',
    offset === undefined ? what : `at ${offset}: ${what}`,
    offset === undefined ? {} : { offset },
  );
}

/** Validates the body of a function, from behind its locals. */
export function validateFunction(
  space: Space,
  type: FunctionType,
  locals: readonly WasmType[],
  reader: ByteReader,
): Code {
  return new Validator(space, type, locals, reader).run();
}

interface Frame {
  readonly opcode: number;
  readonly start: readonly WasmType[];
  readonly end: readonly WasmType[];
  readonly height: number;
  isUnreachable: boolean;
}

class Validator {
  readonly #space: Space;
  readonly #type: FunctionType;
  readonly #locals: readonly WasmType[];
  readonly #reader: ByteReader;
  /** `undefined` is a value of any type, in code that cannot be reached. */
  readonly #stack: (WasmType | undefined)[] = [];
  readonly #frames: Frame[] = [];
  readonly #opcodes: number[] = [];
  readonly #first: number[] = [];
  readonly #second: number[] = [];
  readonly #offsets: number[] = [];
  readonly #labels: (readonly number[])[] = [];
  readonly #blocks: FunctionType[] = [];
  #usesFloat: boolean;
  #at = 0;

  constructor(space: Space, type: FunctionType, locals: readonly WasmType[], reader: ByteReader) {
    this.#space = space;
    this.#type = type;
    this.#locals = [...type.parameters, ...locals];
    this.#reader = reader;
    this.#usesFloat = this.#locals.some(isFloat) || type.results.some(isFloat);
  }

  run(): Code {
    const reader = this.#reader;
    this.#frames.push({ opcode: 0x02, start: NONE, end: this.#type.results, height: 0, isUnreachable: false });
    while (this.#frames.length > 0) {
      this.#at = reader.position;
      if (reader.isAtEnd) reader.fail('unexpected end of section or function');
      this.#instruction();
    }
    if (!reader.isAtEnd) reader.fail('section size mismatch');
    return {
      type: this.#type,
      locals: this.#locals,
      opcodes: Uint16Array.from(this.#opcodes),
      first: Uint32Array.from(this.#first),
      second: Uint32Array.from(this.#second),
      offsets: Uint32Array.from(this.#offsets),
      labels: this.#labels,
      blocks: this.#blocks,
      usesFloat: this.#usesFloat,
    };
  }

  #fail(what: string): never {
    return fail(what, this.#at);
  }

  #unsupported(what: string): never {
    throw new WasmError('unsupported', `at ${this.#at}: ${what}`, { offset: this.#at });
  }

  #write(opcode: number, first = 0, second = 0): void {
    this.#opcodes.push(opcode);
    this.#first.push(first);
    this.#second.push(second);
    this.#offsets.push(this.#at);
  }

  /* The stack. */

  #push(type: WasmType | undefined): void {
    this.#stack.push(type);
  }

  #pushAll(types: readonly WasmType[]): void {
    for (const type of types) this.#stack.push(type);
  }

  #pop(): WasmType | undefined {
    const frame = this.#top();
    if (this.#stack.length === frame.height) {
      if (frame.isUnreachable) return undefined;
      this.#fail('type mismatch: nothing on the stack');
    }
    return this.#stack.pop();
  }

  #take(type: WasmType): void {
    const found = this.#pop();
    if (found !== undefined && found !== type) this.#fail(`type mismatch: ${found} instead of ${type}`);
  }

  #takeAll(types: readonly WasmType[]): void {
    for (let i = types.length - 1; i >= 0; i -= 1) this.#take(types[i] as WasmType);
  }

  #top(): Frame {
    return this.#frames.at(-1) ?? this.#fail('unexpected end');
  }

  #unreachable(): void {
    const frame = this.#top();
    this.#stack.length = frame.height;
    frame.isUnreachable = true;
  }

  #open(opcode: number, type: FunctionType): void {
    if (this.#frames.length > MOST_NESTED) {
      throw new WasmError('limit', `at ${this.#at}: more than ${MOST_NESTED} blocks inside each other`, {
        offset: this.#at,
      });
    }
    const { parameters: start, results: end } = type;
    this.#frames.push({ opcode, start, end, height: this.#stack.length, isUnreachable: false });
    this.#pushAll(start);
  }

  #close(): Frame {
    const frame = this.#top();
    this.#takeAll(frame.end);
    if (this.#stack.length !== frame.height) this.#fail('type mismatch: values remain on the stack');
    this.#frames.pop();
    return frame;
  }

  #label(depth: number): readonly WasmType[] {
    const frame = this.#frames[this.#frames.length - 1 - depth];
    if (frame === undefined) return this.#fail(`unknown label ${depth}`);
    return frame.opcode === 0x03 ? frame.start : frame.end;
  }

  #noteFloats({ parameters, results }: FunctionType): void {
    if (parameters.some(isFloat) || results.some(isFloat)) this.#usesFloat = true;
  }

  /* Instructions. */

  #instruction(): void {
    const r = this.#reader;
    let opcode = r.byte();
    if (opcode === 0xfc) {
      const sub = r.unsigned();
      opcode = sub > 0x11 ? 0xffff : 0x100 + sub;
    } else if (opcode === 0xfd || opcode === 0xfe) this.#unsupported(opcode === 0xfd ? 'vectors' : 'atomic operations');
    const entry = BY_OPCODE[opcode];
    const rule = RULES[opcode];
    if (entry === undefined || rule === undefined) {
      if (opcode >= 0x06 && opcode <= 0x1f) this.#unsupported(`instruction 0x${opcode.toString(16)}`);
      r.position = this.#at;
      return r.fail('illegal opcode');
    }
    if (rule.isFloat) this.#usesFloat = true;
    const [, immediates] = entry.row;
    switch (immediates) {
      case '':
        if (entry.row[2] === '*') this.#polymorphic(opcode);
        else this.#write(opcode);
        break;
      case 'access':
        this.#access(opcode, rule);
        break;
      case 'i32':
        this.#write(opcode, r.signed() >>> 0);
        break;
      case 'i64': {
        const value = BigInt.asUintN(64, r.signed64());
        this.#write(opcode, Number(value & 0xffffffffn), Number(value >> 32n));
        break;
      }
      case 'f32':
        r.take(4);
        this.#write(opcode);
        break;
      case 'f64':
        r.take(8);
        this.#write(opcode);
        break;
      case 'table':
        this.#unsupported(entry.name);
        break;
      default:
        this.#withImmediates(opcode, immediates);
    }
    if (entry.row[2] === '*') return;
    this.#takeAll(rule.operands);
    this.#pushAll(rule.results);
  }

  #access(opcode: number, rule: Rule): void {
    const r = this.#reader;
    const alignment = r.unsigned();
    if (alignment >= 64) this.#unsupported('a second memory');
    if (alignment >= 32) r.fail('malformed memop flags');
    const displacement = r.unsigned();
    this.#needMemory();
    if (alignment > rule.natural) this.#fail('alignment must not be larger than natural');
    this.#write(opcode, displacement, alignment);
  }

  #needMemory(): void {
    if (this.#space.module.memory === undefined) this.#fail('unknown memory 0');
  }

  #zero(): void {
    const r = this.#reader;
    const offset = r.position;
    if (r.byte() !== 0) {
      r.position = offset;
      if (r.unsigned() === 0) r.fail('zero byte expected');
      this.#unsupported('a second memory');
    }
  }

  #withImmediates(opcode: number, immediates: string): void {
    const r = this.#reader;
    const { module } = this.#space;
    switch (immediates) {
      case 'zero':
        this.#zero();
        this.#needMemory();
        this.#write(opcode);
        return;
      case 'zeros':
        this.#zero();
        this.#zero();
        this.#needMemory();
        this.#write(opcode);
        return;
      case 'data':
      case 'segment': {
        const segment = r.unsigned();
        if (immediates === 'data') {
          this.#zero();
          this.#needMemory();
        }
        if (module.dataCount === undefined) r.fail('data count section required');
        else if (segment >= module.dataCount) this.#fail(`unknown data segment ${segment}`);
        this.#write(opcode, segment);
        return;
      }
      case 'index':
        this.#index(opcode, r.unsigned());
        return;
      case 'indirect':
        this.#indirect(opcode);
        return;
      case 'block':
        this.#block(opcode);
        return;
      case 'label':
        this.#branch(opcode, r.unsigned());
        return;
      case 'labels':
        this.#branchTable(opcode);
        return;
      default:
        this.#typedSelect(opcode);
    }
  }

  #polymorphic(opcode: number): void {
    switch (opcode) {
      case 0x05: {
        const frame = this.#close();
        if (frame.opcode !== 0x04) this.#fail('else without if');
        this.#write(opcode);
        this.#frames.push({ ...frame, opcode: 0x05, isUnreachable: false });
        this.#pushAll(frame.start);
        return;
      }
      case 0x0b: {
        const frame = this.#close();
        if (frame.opcode === 0x04 && !same(frame.start, frame.end)) this.#fail('type mismatch: if without else');
        this.#write(opcode);
        this.#pushAll(frame.end);
        return;
      }
      case 0x0f:
        this.#takeAll(this.#type.results);
        this.#write(opcode);
        this.#unreachable();
        return;
      case 0x1a: {
        this.#pop();
        this.#write(opcode);
        return;
      }
      case 0x1b: {
        this.#take('i32');
        const [a, b] = [this.#pop(), this.#pop()];
        if (a !== undefined && b !== undefined && a !== b) this.#fail('type mismatch in select');
        this.#write(opcode, TYPE_NUMBERS[a ?? b ?? 'i32']);
        this.#push(a ?? b);
        return;
      }
      default:
        this.#write(opcode);
        this.#unreachable();
    }
  }

  #index(opcode: number, index: number): void {
    const { functionTypes, globalTypes } = this.#space;
    this.#write(opcode, index);
    if (opcode === 0x10) {
      const type = functionTypes[index];
      if (type === undefined) return this.#fail(`unknown function ${index}`);
      this.#noteFloats(type);
      this.#takeAll(type.parameters);
      this.#pushAll(type.results);
      return;
    }
    if (opcode === 0x23 || opcode === 0x24) {
      const global = globalTypes[index];
      if (global === undefined) return this.#fail(`unknown global ${index}`);
      if (isFloat(global.type)) this.#usesFloat = true;
      if (opcode === 0x23) this.#push(global.type);
      else {
        if (!global.mutable) this.#fail('immutable global');
        this.#take(global.type);
      }
      return;
    }
    const type = this.#locals[index];
    if (type === undefined) return this.#fail(`unknown local ${index}`);
    if (opcode !== 0x20) this.#take(type);
    if (opcode !== 0x21) this.#push(type);
  }

  #indirect(opcode: number): void {
    const r = this.#reader;
    const { module } = this.#space;
    const index = r.unsigned();
    const table = r.unsigned();
    if (module.table === undefined || table > 0) this.#fail(`unknown table ${table}`);
    const type = module.types[index];
    if (type === undefined) return this.#fail(`unknown type ${index}`);
    this.#noteFloats(type);
    this.#write(opcode, index);
    this.#take('i32');
    this.#takeAll(type.parameters);
    this.#pushAll(type.results);
  }

  #block(opcode: number): void {
    const type = this.#blockType();
    this.#noteFloats(type);
    if (opcode === 0x04) this.#take('i32');
    this.#takeAll(type.parameters);
    this.#write(opcode, this.#blocks.length);
    this.#blocks.push(type);
    this.#open(opcode, type);
  }

  #blockType(): FunctionType {
    const r = this.#reader;
    const byte = r.bytes[r.position] ?? 0;
    if (byte === 0x40) {
      r.position += 1;
      return EMPTY;
    }
    if (byte >= 0x60 && byte < 0x80) return { parameters: NONE, results: [readType(r)] };
    const index = r.signed33();
    const type = index < 0 ? undefined : this.#space.module.types[index];
    if (type === undefined) return this.#fail(`unknown type ${index}`);
    return type;
  }

  #branch(opcode: number, depth: number): void {
    if (opcode === 0x0d) this.#take('i32');
    const types = this.#label(depth);
    this.#takeAll(types);
    this.#write(opcode, depth);
    if (opcode === 0x0d) this.#pushAll(types);
    else this.#unreachable();
  }

  #branchTable(opcode: number): void {
    const r = this.#reader;
    const count = r.count();
    const labels: number[] = [];
    for (let i = 0; i <= count; i += 1) labels.push(r.unsigned());
    this.#take('i32');
    const otherwise = this.#label(labels.at(-1) ?? 0);
    for (const depth of new Set(labels)) {
      const types = this.#label(depth);
      if (types.length !== otherwise.length) this.#fail('type mismatch: labels of different arity');
      const popped: (WasmType | undefined)[] = [];
      for (let i = types.length - 1; i >= 0; i -= 1) {
        const found = this.#pop();
        if (found !== undefined && found !== types[i])
          this.#fail(`type mismatch: ${found} instead of ${types[i] ?? ''}`);
        popped.push(found);
      }
      for (let i = popped.length - 1; i >= 0; i -= 1) this.#push(popped[i]);
    }
    this.#takeAll(otherwise);
    this.#write(opcode, this.#labels.length);
    this.#labels.push(labels);
    this.#unreachable();
  }

  #typedSelect(opcode: number): void {
    const r = this.#reader;
    const count = r.count();
    if (count !== 1) this.#fail('invalid result arity');
    const type = readType(r);
    if (isFloat(type)) this.#usesFloat = true;
    this.#take('i32');
    this.#take(type);
    this.#take(type);
    this.#write(opcode, TYPE_NUMBERS[type]);
    this.#push(type);
  }
}

const EMPTY: FunctionType = { parameters: NONE, results: NONE };
/** How `first` of a select tells the type of its values. */
export const TYPE_NUMBERS: Readonly<Record<WasmType, number>> = { i32: 0, i64: 1, f32: 2, f64: 3 };

function same(a: readonly WasmType[], b: readonly WasmType[]): boolean {
  return a.length === b.length && a.every((type, i) => type === b[i]);
}
