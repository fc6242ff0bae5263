/** Expressions and accesses to memory, as nodes: what may trap or read stands in the block where the walk is. */
import { ABORT_BOUNDS, ABORT_DIVIDE } from '../ir/abort.ts';
import { BINARY, UNARY, type Expression, type Module, type Place, type Statement } from '../ir/ir.ts';
import type { Flow } from './flow.ts';
import { resolve, type Node, type Operator } from './graph.ts';
import { Longs, type Long } from './longs.ts';
import { swapBytes } from './swap.ts';
import type { Surroundings } from './surroundings.ts';
import type { Values } from './values.ts';

/** Where the words of locals are, and which locals have two. */
export interface Slots {
  readonly first: readonly number[];
  readonly isLong: readonly boolean[];
}

export class Expressions {
  readonly #flow: Flow;
  readonly #values: Values;
  readonly #longs: Longs;
  readonly #module: Module;
  readonly #to: Surroundings;
  readonly #slots: readonly number[];
  readonly #isLong: readonly boolean[];

  constructor(flow: Flow, module: Module, surroundings: Surroundings, slots: Slots) {
    this.#flow = flow;
    this.#values = flow.values;
    this.#longs = new Longs(flow.values);
    this.#module = module;
    this.#to = surroundings;
    this.#slots = slots.first;
    this.#isLong = slots.isLong;
  }

  /** A load that needs no test. */
  access(address: Node, displacement: number, size: number, align = 2): Node {
    const at = this.#values.binary('add', address, this.#values.constant(displacement));
    const load = this.#flow.graph.node('load', [at]);
    load.size = size;
    load.align = align;
    return this.#flow.pin(load);
  }

  /* Memory. */

  /** The address of an access, whose test has passed. */
  #address(place: Place): Node {
    const v = this.#values;
    const index = this.word(place.index);
    const at = v.binary('add', index, v.constant(place.displacement));
    if (this.#to.profile === 'own') return at;
    if (place.guard !== undefined) this.#guard(place, index);
    return v.binary('add', this.field(this.#to.record.base(place.region)), at);
  }

  #guard({ region, guard }: Place, index: Node): void {
    const v = this.#values;
    const { extent, floor, span } = guard ?? { extent: 0, floor: false, span: false };
    const length = this.length(region);
    if (extent > 0xffffffff) {
      this.#flow.trapIf(v.constant(1), ABORT_BOUNDS);
      return;
    }
    if (floor) this.#flow.trapIf(v.binary('ltu', length, v.constant(extent)), ABORT_BOUNDS);
    if (!span) return;
    if (extent === 1) this.#flow.trapIf(v.not(v.binary('ltu', index, length)), ABORT_BOUNDS);
    else this.#flow.trapIf(v.binary('ltu', v.binary('sub', length, v.constant(extent)), index), ABORT_BOUNDS);
  }

  /** A word of the record that does not change. */
  field(offset: number): Node {
    return this.#values.field(offset);
  }

  /** The length of a region in bytes, now. */
  length(region: number): Node {
    const offset = this.#to.record.length(region);
    if (region !== 0 || this.#module.memory === undefined) return this.field(offset);
    return this.#flow.pin(this.#flow.graph.node('read', [], offset));
  }

  #load(place: Extract<Expression, { kind: 'load' }>): Node {
    const address = this.#address(place);
    const size = place.size === 8 ? 4 : place.size;
    if (place.endian === 'big' && (size === 2 || (size === 4 && place.align < 2)))
      return this.#loadBytes(address, size);
    const load = this.access(address, 0, place.signed && place.endian === 'little' ? -size : size, place.align);
    if (place.endian === 'little' || size === 1) return load;
    return swapBytes(this.#values, load, size);
  }

  /** A word or half whose bytes are in the opposite order: byte by byte, unless a whole word is taken at once and swapped. */
  #loadBytes(address: Node, size: number): Node {
    const v = this.#values;
    let sum = this.access(address, 0, 1, 0);
    for (let i = 1; i < size; i += 1) {
      const next = this.access(address, i, 1, 0);
      sum = v.binary('or', v.binary('shl', sum, v.constant(8)), next);
    }
    return sum;
  }

  store(place: Extract<Statement, { kind: 'store' }>, value: Expression): void {
    const v = this.#values;
    const index = this.word(place.index);
    const words = place.size === 8 ? this.long(value) : { low: this.word(value), high: undefined };
    let address = v.binary('add', index, v.constant(place.displacement));
    if (this.#to.profile === 'checked') {
      if (place.guard !== undefined) this.#guard(place, index);
      address = v.binary('add', this.field(this.#to.record.base(place.region)), address);
    }
    if (place.endian === 'big' && place.size !== 8) {
      // The least significant byte is the last one.
      for (let i = 0; i < place.size; i += 1) {
        const part = v.binary('shr', words.low, v.constant(8 * i));
        this.#put(v.binary('add', address, v.constant(place.size - 1 - i)), part, 1, 0);
      }
      return;
    }
    const parts = words.high === undefined ? [words.low] : [words.low, words.high];
    const ordered = place.endian === 'little' ? parts : parts.reverse();
    ordered.forEach((word, i) => {
      const size = place.size === 8 ? 4 : place.size;
      const swapped = place.endian === 'little' ? word : swapBytes(v, word, size);
      this.#put(v.binary('add', address, v.constant(4 * i)), swapped, size, place.align);
    });
  }

  #put(address: Node, value: Node, size: number, align: number): void {
    const store = this.#flow.graph.node('store', [address, value]);
    store.size = size;
    store.align = align;
    this.#flow.pin(store);
  }

  /* Expressions. */

  wordsOf(expression: Expression): Node[] {
    if (!this.#isLongExpression(expression)) return [this.word(expression)];
    const { low, high } = this.long(expression);
    return [low, high];
  }

  #isLongExpression(expression: Expression): boolean {
    switch (expression.kind) {
      case 'const64':
        return true;
      case 'local':
        return this.#isLong[expression.local] === true;
      case 'global':
        return this.#module.globals[expression.global]?.type === 'i64';
      case 'unary':
        return UNARY[expression.operator][1] === 'i64';
      case 'binary':
        return BINARY[expression.operator][2] === 'i64';
      case 'select':
        return expression.type === 'i64';
      case 'load':
        return expression.size === 8;
      default:
        return false;
    }
  }

  word(expression: Expression): Node {
    const v = this.#values;
    switch (expression.kind) {
      case 'const':
        return v.constant(expression.value);
      case 'local':
        return resolve(this.#flow.locals[this.#slots[expression.local] ?? 0] as Node);
      case 'global':
        return this.#global(expression.global, 0);
      case 'unary':
        return this.#unary(expression);
      case 'binary':
        return this.#binary(expression);
      case 'select': {
        const [then, otherwise] = [this.word(expression.then), this.word(expression.otherwise)];
        return this.#select(this.word(expression.condition), [then], [otherwise])[0] as Node;
      }
      case 'load':
        return this.#load(expression);
      case 'length':
        return this.length(expression.region);
      case 'fits':
        return this.#fits(expression);
      case 'const64':
        return v.constant(Number(BigInt.asUintN(32, expression.value)));
    }
  }

  /** A word of a global. */
  #global(global: number, within: 0 | 4): Node {
    const offset = (this.#to.record.globals[global] ?? 0) + within;
    return this.#to.settled.has(global)
      ? this.field(offset)
      : this.#flow.pin(this.#flow.graph.node('read', [], offset));
  }

  #unary({ operator, operand }: Extract<Expression, { kind: 'unary' }>): Node {
    const v = this.#values;
    if (operator === 'wrap') return this.long(operand).low;
    if (operator === 'high') return this.long(operand).high;
    const x = this.word(operand);
    if (operator === 'bswap16' || operator === 'bswap32') return swapBytes(v, x, operator === 'bswap16' ? 2 : 4);
    const count = v.constant(operator === 'extend8' ? 24 : 16);
    return v.binary('sar', v.binary('shl', x, count), count);
  }

  #binary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): Node {
    const v = this.#values;
    if (BINARY[operator][0] === 'i64') {
      const a = this.long(left);
      return this.#longs.compare(operator, a, this.long(right));
    }
    const a = this.word(left);
    const b = this.word(right);
    switch (operator) {
      case 'leu':
        return v.not(v.binary('ltu', b, a));
      case 'les':
        return v.not(v.binary('lts', b, a));
      case 'rotl': {
        const back = v.binary('sub', v.constant(0), b);
        return v.binary('or', v.binary('shl', a, b), v.binary('shr', a, back));
      }
      case 'divu':
      case 'remu':
      case 'divs':
      case 'rems':
        return this.#divide(operator, a, b);
      default:
        return v.binary(operator as Operator, a, b);
    }
  }

  #divide(operator: 'divu' | 'remu' | 'divs' | 'rems', a: Node, b: Node): Node {
    const v = this.#values;
    const zero = v.constant(0);
    this.#flow.trapIf(v.binary('eq', b, zero), ABORT_DIVIDE);
    if (operator === 'divs' && this.#to.profile === 'checked') {
      const overflow = v.binary('or', v.binary('xor', a, v.constant(0x80000000)), v.binary('xor', b, v.constant(-1)));
      this.#flow.trapIf(v.binary('eq', overflow, zero), ABORT_DIVIDE);
    }
    return v.binary(operator, a, b);
  }

  #fits({ region, index, bytes, guard }: Extract<Expression, { kind: 'fits' }>): Node {
    const v = this.#values;
    const at = this.word(index);
    if (this.#to.profile === 'own') return v.constant(1);
    const { floor, span } = guard ?? { floor: true, span: true };
    const length = this.length(region);
    const short = v.binary('ltu', length, v.constant(floor ? bytes : 0));
    if (!span) return v.not(short);
    if (bytes === 1) return v.binary('ltu', at, length);
    const beyond = v.binary('ltu', v.binary('sub', length, v.constant(bytes)), at);
    return v.not(v.binary('or', short, beyond));
  }

  long(expression: Expression): Long {
    const v = this.#values;
    switch (expression.kind) {
      case 'const64':
        return this.#longs.constant(expression.value);
      case 'local': {
        const slot = this.#slots[expression.local] ?? 0;
        return { low: resolve(this.#flow.locals[slot] as Node), high: resolve(this.#flow.locals[slot + 1] as Node) };
      }
      case 'global': {
        const low = this.#global(expression.global, 0);
        return { low, high: this.#global(expression.global, 4) };
      }
      case 'unary':
        return this.#longs.extend(this.word(expression.operand), expression.operator === 'extends');
      case 'binary':
        return this.#longBinary(expression);
      case 'select': {
        const then = this.long(expression.then);
        const otherwise = this.long(expression.otherwise);
        const condition = this.word(expression.condition);
        const [low, high] = this.#select(condition, [then.low, then.high], [otherwise.low, otherwise.high]);
        return { low: low as Node, high: high as Node };
      }
      case 'load': {
        const address = this.#address(expression);
        const first = this.access(address, 0, 4, expression.align);
        const second = this.access(address, 4, 4, expression.align);
        if (expression.endian === 'little') return { low: first, high: second };
        return { low: swapBytes(v, second, 4), high: swapBytes(v, first, 4) };
      }
      default:
        return this.#longs.extend(this.word(expression), false);
    }
  }

  #longBinary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): Long {
    if (operator === 'pair') {
      const high = this.word(left);
      return { low: this.word(right), high };
    }
    const a = this.long(left);
    if (BINARY[operator][1] === 'i32') return this.#longs.shift(operator, a, this.word(right));
    return this.#longs.binary(operator, a, this.long(right));
  }

  /** Word by word: `then` where the condition is not 0. */
  #select(condition: Node, then: readonly Node[], otherwise: readonly Node[]): Node[] {
    const v = this.#values;
    const known = resolve(condition);
    if (known.op === 'const') return [...(known.value === 0 ? otherwise : then)];
    const pairs = then.map((one, i) => [resolve(one), resolve(otherwise[i] as Node)] as const);
    if (pairs.every(([a, b]) => a === b)) return pairs.map(([a]) => a);
    const [first] = pairs;
    if (pairs.length === 1 && first !== undefined) {
      const [a, b] = first;
      const truth = v.binary('ne', condition, v.constant(0));
      // 1 and 0, and the like, need no branch.
      if (
        a.op === 'const' &&
        b.op === 'const' &&
        ((a.value - b.value) >>> 0 === 1 || (b.value - a.value) >>> 0 === 1)
      ) {
        const up = (a.value - b.value) >>> 0 === 1;
        return [v.binary('add', up ? truth : v.not(truth), up ? b : a)];
      }
    }
    const locals = this.#flow.locals;
    const from = this.#flow.block;
    const ways = this.#flow.branch(condition);
    const meet = this.#flow.graph.block();
    for (const way of [ways.then, ways.otherwise]) {
      this.#flow.begin(way);
      this.#flow.goto(meet);
    }
    this.#flow.begin(from === undefined ? undefined : meet);
    this.#flow.locals = locals;
    return pairs.map(([a, b]) => (a === b ? a : this.#flow.phi(meet, [a, b])));
  }
}
