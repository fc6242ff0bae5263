/** Random modules of WebAssembly: valid by construction, with loops that end, calls, a table, globals, a memory, 64-bit values and traps. */
import { I32, I64, ModuleBuilder, type FunctionBuilder, type OpcodeName, type ValueType } from '@exokernel/wasm';

/** A source of numbers below a bound. */
export type Random = (below: number) => number;

/** Xorshift: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = (seed | 0) === 0 ? 1 : seed | 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const WORDS: readonly number[] = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 100, 255, 256, 4095, 32767, 32768, 65535, 65536, 0x7fffffff, -0x80000000, -1,
  -2, -5, -32768, -32769, 0x12345678,
];
const BINARY32: readonly OpcodeName[] = [
  'i32Add',
  'i32Sub',
  'i32Mul',
  'i32And',
  'i32Or',
  'i32Xor',
  'i32Shl',
  'i32ShrS',
  'i32ShrU',
  'i32Rotl',
  'i32Rotr',
  'i32DivS',
  'i32DivU',
  'i32RemS',
  'i32RemU',
  'i32Eq',
  'i32Ne',
  'i32LtS',
  'i32LtU',
  'i32GtS',
  'i32GtU',
  'i32LeS',
  'i32LeU',
  'i32GeS',
  'i32GeU',
];
const BINARY64: readonly OpcodeName[] = [
  'i64Add',
  'i64Sub',
  'i64Mul',
  'i64And',
  'i64Or',
  'i64Xor',
  'i64Shl',
  'i64ShrS',
  'i64ShrU',
  'i64Rotl',
  'i64Rotr',
  'i64DivS',
  'i64DivU',
  'i64RemS',
  'i64RemU',
];
const COMPARE64: readonly OpcodeName[] = [
  'i64Eq',
  'i64Ne',
  'i64LtS',
  'i64LtU',
  'i64GtS',
  'i64GtU',
  'i64LeS',
  'i64LeU',
  'i64GeS',
  'i64GeU',
];
const UNARY32: readonly OpcodeName[] = ['i32Eqz', 'i32Clz', 'i32Ctz', 'i32Popcnt', 'i32Extend8S', 'i32Extend16S'];
const UNARY64: readonly OpcodeName[] = ['i64Clz', 'i64Ctz', 'i64Popcnt', 'i64Extend8S', 'i64Extend16S', 'i64Extend32S'];
const LOADS32: readonly OpcodeName[] = ['i32Load', 'i32Load8U', 'i32Load8S', 'i32Load16U', 'i32Load16S'];
const LOADS64: readonly OpcodeName[] = ['i64Load', 'i64Load8S', 'i64Load8U', 'i64Load16S', 'i64Load32S', 'i64Load32U'];
const STORES32: readonly OpcodeName[] = ['i32Store', 'i32Store8', 'i32Store16'];
const STORES64: readonly OpcodeName[] = ['i64Store', 'i64Store8', 'i64Store16', 'i64Store32'];

interface Shape {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** What a random module has. */
export interface RandomModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The signature of the export `f`. */
  readonly shape: Shape;
}

/**
 * A module of some functions, of which `f` is exported. Addresses lie near the memory's end now and then. With `endsInCalls`, most functions have
 * the results of those that they call, and return what these give.
 */
export function randomModule(random: Random, endsInCalls = false): RandomModule {
  const builder = new ModuleBuilder();
  builder.importMemory('env', 'memory', { minimum: 1, maximum: 3 });
  const type = (): ValueType => (random(3) === 0 ? I64 : I32);
  const types = (most: number): ValueType[] => Array.from({ length: random(most + 1) }, type);
  const globals = Array.from({ length: 3 }, () => {
    const of = type();
    return { type: of, index: builder.global(of, true, random(1000)) };
  });
  const shapes: Shape[] = [];
  for (let left = 1 + random(4); left > 0; left -= 1) {
    const parameters = types(5);
    const alike = endsInCalls && random(4) > 0 ? shapes.at(-1)?.results : undefined;
    shapes.push({ parameters, results: alike ?? types(random(endsInCalls ? 2 : 4) === 0 ? 4 : 1) });
  }
  const functions = shapes.map(({ parameters, results }) => builder.function(parameters, results));
  builder.table(functions.map(({ index }) => index));
  functions.forEach((f, i) => {
    new Generator(f, i, shapes, functions, globals, builder, random, endsInCalls).run();
  });
  const shape = shapes[0]!;
  builder.export('f', 'function', functions[0]?.index ?? 0);
  globals.forEach(({ index }, i) => {
    builder.export(`g${i}`, 'global', index);
  });
  return { bytes: builder.build(), shape };
}

class Generator {
  readonly #f: FunctionBuilder;
  readonly #self: number;
  readonly #shapes: readonly Shape[];
  readonly #functions: readonly FunctionBuilder[];
  readonly #globals: readonly { readonly type: ValueType; readonly index: number }[];
  readonly #builder: ModuleBuilder;
  readonly #random: Random;
  readonly #endsInCalls: boolean;
  readonly #locals: ValueType[];
  /** Locals that count loops: nothing else sets them. */
  readonly #counters = new Set<number>();
  /** Blocks that a branch may leave, by depth; loops are not among them. */
  readonly #blocks: number[] = [];
  #size = 0;

  constructor(
    f: FunctionBuilder,
    self: number,
    shapes: readonly Shape[],
    functions: readonly FunctionBuilder[],
    globals: readonly { readonly type: ValueType; readonly index: number }[],
    builder: ModuleBuilder,
    random: Random,
    endsInCalls: boolean,
  ) {
    this.#f = f;
    this.#self = self;
    this.#shapes = shapes;
    this.#functions = functions;
    this.#globals = globals;
    this.#builder = builder;
    this.#random = random;
    this.#endsInCalls = endsInCalls;
    this.#locals = [...(shapes[self]?.parameters ?? [])];
    for (let i = 0; i < 4; i += 1) this.#local(random(3) === 0 ? I64 : I32);
  }

  run(): void {
    this.#statements(3 + this.#random(8), 0);
    if (this.#endsInCalls && this.#random(4) > 0) this.#tail();
    else this.#results();
  }

  #results(): void {
    for (const type of this.#shapes[this.#self]?.results ?? []) this.#value(type, 3);
  }

  /** What the function returns: from a call, or from one of two ways, of which one is a call at least. */
  #tail(): void {
    const f = this.#f;
    const results = this.#shapes[this.#self]?.results ?? [];
    if (results.length > 1 || this.#random(2) === 0) {
      if (!this.#lastCall()) this.#results();
      return;
    }
    this.#value(I32, 3);
    f.if(results[0]);
    if (!this.#lastCall()) this.#results();
    f.else();
    if (this.#random(2) === 0 || !this.#lastCall()) this.#results();
    f.end();
  }

  /** Calls a function that gives what this one returns, and more now and then; tells whether there is one. */
  #lastCall(): boolean {
    const results = this.#shapes[this.#self]?.results ?? [];
    const fits = this.#shapes.flatMap((shape, i) =>
      i > this.#self && results.every((type, k) => shape.results[k] === type) ? [i] : [],
    );
    if (fits.length === 0) return false;
    const index = this.#pick(fits);
    this.#passTo(index);
    for (let more = (this.#shapes[index]?.results.length ?? 0) - results.length; more > 0; more -= 1) this.#f.drop();
    return true;
  }

  #local(type: ValueType): number {
    this.#f.local(type);
    this.#locals.push(type);
    return this.#locals.length - 1;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)] as T;
  }

  #statements(count: number, depth: number): void {
    for (let i = 0; i < count && this.#size < 400; i += 1) this.#statement(depth);
  }

  #statement(depth: number): void {
    const f = this.#f;
    this.#size += 1;
    switch (this.#random(depth > 4 ? 7 : 15)) {
      case 0:
      case 1:
      case 2: {
        const local = this.#random(this.#locals.length);
        if (this.#counters.has(local)) return;
        this.#value(this.#locals[local] ?? I32, 4);
        f.localSet(local);
        return;
      }
      case 3: {
        const { type, index } = this.#pick(this.#globals);
        this.#value(type, 3);
        f.globalSet(index);
        return;
      }
      case 4:
      case 5:
        this.#store();
        return;
      case 6:
        this.#call();
        return;
      case 7:
      case 8:
        this.#value(I32, 3);
        f.if();
        this.#statements(1 + this.#random(3), depth + 1);
        if (this.#random(2) === 0) {
          f.else();
          this.#statements(1 + this.#random(3), depth + 1);
        }
        f.end();
        return;
      case 9:
        f.block();
        this.#blocks.push(f.depth);
        this.#statements(2 + this.#random(3), depth + 1);
        this.#leave();
        this.#statements(1, depth + 1);
        this.#blocks.pop();
        f.end();
        return;
      case 10:
      case 11:
        this.#loop(depth);
        return;
      case 12:
        this.#table(depth);
        return;
      case 13:
        this.#bulk();
        return;
      default:
        this.#grow();
    }
  }

  #leave(): void {
    const target = this.#pick(this.#blocks);
    this.#value(I32, 2);
    this.#f.brIf(this.#f.depth - target);
  }

  /** A loop that counts: with its test at the top or at the end. */
  #loop(depth: number): void {
    const f = this.#f;
    const counter = this.#local(I32);
    this.#counters.add(counter);
    const step = 1 + this.#random(3);
    const limit = 1 + this.#random(12);
    f.i32Const(0);
    f.localSet(counter);
    const next = (): void => {
      f.localGet(counter);
      f.i32Const(step);
      f.i32Add();
      f.localSet(counter);
    };
    f.block();
    this.#blocks.push(f.depth);
    f.loop();
    const atTop = this.#random(2) === 0;
    const test = (): void => {
      f.localGet(counter);
      f.i32Const(limit);
      f.emit(this.#pick(['i32LtS', 'i32LtU']), []);
    };
    if (atTop) {
      test();
      f.i32Eqz();
      f.brIf(1);
    }
    this.#statements(1 + this.#random(4), depth + 2);
    // Addresses that grow with the counter.
    if (this.#random(2) === 0) {
      f.localGet(counter);
      f.i32Const(this.#pick([1, 2, 3]));
      f.i32Shl();
      this.#value(I32, 1);
      f.i32Const(0xfff);
      f.i32And();
      f.i32Add();
      this.#value(I32, 2);
      f.emit(this.#pick(STORES32), [this.#random(64)]);
    }
    next();
    if (atTop) f.br(0);
    else {
      test();
      f.brIf(0);
    }
    f.end();
    this.#blocks.pop();
    f.end();
  }

  #table(depth: number): void {
    const f = this.#f;
    const cases = 2 + this.#random(5);
    for (let i = 0; i <= cases; i += 1) f.block();
    this.#value(I32, 2);
    f.i32Const(7);
    f.i32And();
    const labels = Array.from({ length: this.#random(8) }, () => this.#random(cases + 1));
    f.brTable(labels, this.#random(cases + 1));
    for (let i = 0; i <= cases; i += 1) {
      f.end();
      this.#statements(1, depth + 2);
    }
  }

  #address(): void {
    const f = this.#f;
    this.#value(I32, 2);
    // Inside, but for some.
    if (this.#random(12) > 0) {
      f.i32Const(0xfff);
      f.i32And();
    }
  }

  #store(): void {
    const f = this.#f;
    this.#address();
    const isLong = this.#random(3) === 0;
    this.#value(isLong ? I64 : I32, 3);
    f.emit(this.#pick(isLong ? STORES64 : STORES32), [this.#pick([0, 0, 1, 4, 100, 60000, 65530])]);
  }

  /** Fills or copies some bytes; ranges overlap, and reach the memory's end now and then. */
  #bulk(): void {
    const f = this.#f;
    const copies = this.#random(2) === 0;
    this.#address();
    if (copies) this.#address();
    else this.#word(1);
    this.#word(1);
    if (this.#random(8) > 0) {
      f.i32Const(0xff);
      f.i32And();
    }
    if (copies) f.memoryCopy();
    else f.memoryFill();
  }

  /** Grows the memory by a page or none. */
  #grow(): void {
    const f = this.#f;
    f.i32Const(this.#random(2));
    f.memoryGrow();
    f.drop();
  }

  /** Only functions behind this one are called, so everything ends; now and then itself, with little fuel. */
  #call(): void {
    const f = this.#f;
    const index = this.#self + 1 + this.#random(3);
    const shape = this.#shapes[index];
    if (shape === undefined) return;
    if (this.#endsInCalls && this.#random(3) === 0) {
      this.#value(I32, 2);
      f.if();
      if (!this.#lastCall()) this.#results();
      f.return();
      f.end();
    }
    this.#passTo(index);
    for (let i = shape.results.length - 1; i >= 0; i -= 1) {
      const local = this.#locals.findIndex((type, k) => type === shape.results[i] && !this.#counters.has(k));
      if (local < 0) f.drop();
      else f.localSet(local);
    }
  }

  /** A call with arguments, directly or through the table. */
  #passTo(index: number): void {
    const f = this.#f;
    const { parameters, results } = this.#shapes[index] as Shape;
    for (const type of parameters) this.#value(type, 2);
    if (this.#random(3) === 0) {
      f.i32Const(this.#random(8) === 0 ? this.#random(9) : index);
      f.callIndirect(this.#builder.type(parameters, results));
    } else f.call(this.#functions[index]?.index ?? 0);
  }

  #value(type: ValueType, depth: number): void {
    if (type === I64) this.#long(depth);
    else this.#word(depth);
  }

  #leaf(type: ValueType): void {
    const f = this.#f;
    const locals = this.#locals.flatMap((of, i) => (of === type ? [i] : []));
    if (locals.length > 0 && this.#random(3) > 0) f.localGet(this.#pick(locals));
    else if (type === I32) f.i32Const(this.#random(4) === 0 ? this.#random(0x10000) : this.#pick(WORDS));
    else f.i64Const(BigInt.asIntN(64, BigInt(this.#pick(WORDS)) * (this.#random(2) === 0 ? 1n : 0x100000001n)));
  }

  #word(depth: number): void {
    const f = this.#f;
    if (depth <= 0) {
      this.#leaf(I32);
      return;
    }
    switch (this.#random(11)) {
      case 0:
      case 1:
        this.#leaf(I32);
        return;
      case 2:
        this.#word(depth - 1);
        f.emit(this.#pick(UNARY32), []);
        return;
      case 3:
        this.#address();
        f.emit(this.#pick(LOADS32), [this.#pick([0, 0, 2, 4, 8, 60000])]);
        return;
      case 4:
        this.#long(depth - 1);
        f.i32WrapI64();
        return;
      case 5:
        this.#long(depth - 1);
        this.#long(depth - 1);
        f.emit(this.#pick(COMPARE64), []);
        return;
      case 6: {
        this.#word(depth - 1);
        this.#word(depth - 1);
        this.#word(depth - 2);
        f.select();
        return;
      }
      case 7: {
        const global = this.#globals.find(({ type }) => type === I32);
        if (global === undefined) this.#leaf(I32);
        else f.globalGet(global.index);
        return;
      }
      case 8:
        if (this.#random(4) === 0) f.memorySize();
        else {
          this.#word(depth - 1);
          f.localTee(this.#scratch(I32));
        }
        return;
      default:
        this.#word(depth - 1);
        this.#word(depth - 1);
        this.#operate(this.#pick(BINARY32));
    }
  }

  /** Divisors are seldom 0. */
  #operate(name: OpcodeName): void {
    const f = this.#f;
    if (/Div|Rem/.test(name) && this.#random(30) > 0) {
      if (name.startsWith('i32')) {
        f.i32Const(1);
        f.i32Or();
      } else {
        f.i64Const(1n);
        f.i64Or();
      }
    }
    f.emit(name, []);
  }

  #scratch(type: ValueType): number {
    const local = this.#locals.findIndex((of, i) => of === type && !this.#counters.has(i));
    return local < 0 ? this.#local(type) : local;
  }

  #long(depth: number): void {
    const f = this.#f;
    if (depth <= 0) {
      this.#leaf(I64);
      return;
    }
    switch (this.#random(9)) {
      case 0:
      case 1:
        this.#leaf(I64);
        return;
      case 2:
        this.#long(depth - 1);
        f.emit(this.#pick(UNARY64), []);
        return;
      case 3:
        this.#address();
        f.emit(this.#pick(LOADS64), [this.#pick([0, 0, 4, 8, 60000])]);
        return;
      case 4:
        this.#word(depth - 1);
        f.emit(this.#pick(['i64ExtendI32S', 'i64ExtendI32U']), []);
        return;
      case 5:
        this.#long(depth - 1);
        this.#long(depth - 1);
        this.#word(depth - 2);
        f.select();
        return;
      default:
        this.#long(depth - 1);
        this.#long(depth - 1);
        this.#operate(this.#pick(BINARY64));
    }
  }
}
