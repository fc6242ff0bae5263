/**
 * Random programs for properties: a stream of numbers decides at every fork, so that a shorter stream is a simpler program.
 *
 * Everything the IR has occurs; constants and displacements are drawn near the interesting edges.
 */
import fc from 'fast-check';
import {
  BINARY_OPERATORS,
  type Body,
  type Expression,
  type Place,
  type Program,
  type Statement,
} from '../src/index.ts';

class Source {
  readonly #numbers: readonly number[];
  #at = 0;
  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }
  get isEmpty(): boolean {
    return this.#at >= this.#numbers.length;
  }
  /** 0 to n - 1; 0 when the stream has ended. */
  pick(n: number): number {
    const number = this.#numbers[this.#at] ?? 0;
    this.#at += 1;
    return number % n;
  }
  from<T>(list: readonly T[]): T {
    return list[this.pick(list.length)] as T;
  }
}

const CONSTANTS = [
  0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 33, 40, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
  0xffff8000, 0xfffffffe, 0xffffffff,
];

class Generator {
  readonly #source: Source;
  readonly #locals: number;
  readonly #counters = new Set<number>();
  constructor(source: Source, locals: number) {
    this.#source = source;
    this.#locals = locals;
  }

  expression(depth: number): Expression {
    const s = this.#source;
    if (depth <= 0 || s.isEmpty) return s.pick(2) === 0 ? { kind: 'const', value: s.from(CONSTANTS) } : this.#local();
    switch (s.pick(9)) {
      case 0:
        return { kind: 'const', value: s.from(CONSTANTS) };
      case 1:
      case 2:
        return this.#local();
      case 3:
        return {
          kind: 'unary',
          operator: s.pick(2) === 0 ? 'bswap16' : 'bswap32',
          operand: this.expression(depth - 1),
        };
      case 4:
        return { kind: 'load', ...this.#place(depth) };
      case 5:
        return s.pick(2) === 0
          ? { kind: 'length', region: s.pick(2) }
          : { kind: 'fits', region: s.pick(2), index: this.#index(depth), bytes: s.from([0, 1, 2, 4, 8, 20, 24, 40]) };
      default:
        return {
          kind: 'binary',
          operator: s.from(BINARY_OPERATORS),
          left: this.expression(depth - 1),
          right: this.expression(depth - 1),
        };
    }
  }

  /** Mostly a small number, as offsets in packets are. */
  #position(kind: number): Expression {
    const s = this.#source;
    if (kind === 0) return this.expression(4);
    const mask: Expression = { kind: 'const', value: s.from([3, 4, 7, 15, 28, 31]) };
    const small: Expression = { kind: 'binary', operator: 'and', left: this.expression(3), right: mask };
    if (kind === 1) return small;
    const scaled: Expression = {
      kind: 'binary',
      operator: 'shl',
      left: small,
      right: { kind: 'const', value: s.pick(3) },
    };
    return kind === 2 ? scaled : { kind: 'binary', operator: 'add', left: this.#local(), right: small };
  }

  /** Whether bytes from some local or from the start on are there. */
  #test(): Expression {
    const s = this.#source;
    if (s.pick(2) === 0) return this.expression(3);
    const index = s.pick(3) === 0 ? ({ kind: 'const', value: 0 } as const) : this.#local();
    return { kind: 'fits', region: s.pick(2), index, bytes: s.from([1, 2, 4, 6, 8, 12, 14, 20, 24, 32]) };
  }

  #local(): Expression {
    return { kind: 'local', local: this.#source.pick(this.#locals) };
  }

  #index(depth: number): Expression {
    switch (this.#source.pick(5)) {
      case 0:
      case 1:
        return { kind: 'const', value: 0 };
      case 2:
      case 3:
        return this.#local();
      default:
        return this.expression(depth - 1);
    }
  }

  #place(depth: number): Place {
    const s = this.#source;
    return {
      region: s.pick(2),
      size: s.from([1, 2, 4] as const),
      endian: s.pick(2) === 0 ? 'big' : 'little',
      index: this.#index(depth),
      displacement: s.from([0, 0, 1, 2, 4, 6, 12, 13, 20, 28, 30]),
    };
  }

  body(depth: number, inLoop: boolean): Body {
    const statements: Statement[] = [];
    for (let n = this.#source.pick(5); n >= 0 && !this.#source.isEmpty; n -= 1)
      statements.push(this.#statement(depth, inLoop));
    return statements;
  }

  #statement(depth: number, inLoop: boolean): Statement {
    const s = this.#source;
    const free = Array.from({ length: this.#locals }, (_, i) => i).filter((local) => !this.#counters.has(local));
    const kind = s.pick(depth > 0 ? 13 : 7);
    switch (kind) {
      case 0:
      case 1:
      case 2:
        if (free.length === 0) return { kind: 'return', value: this.expression(2) };
        return { kind: 'set', local: s.from(free), value: this.#position(s.pick(4)) };
      case 3:
      case 4:
        return { kind: 'store', ...this.#place(3), region: 1, value: this.expression(3) };
      case 5:
        if (s.pick(3) !== 0) return { kind: 'store', ...this.#place(1), region: 1, value: this.expression(1) };
        return s.pick(3) === 0
          ? { kind: 'abort', code: s.from([1, 16, 255]) }
          : { kind: 'return', value: this.expression(3) };
      case 6:
        if (!inLoop || s.pick(2) === 0)
          return { kind: 'if', condition: this.#test(), then: [], otherwise: [{ kind: 'abort', code: 17 }] };
        return { kind: s.pick(2) === 0 ? 'break' : 'continue' };
      case 7:
      case 8:
      case 9:
        return {
          kind: 'if',
          condition: this.#test(),
          then: this.body(depth - 1, inLoop),
          otherwise: s.pick(2) === 0 ? [] : this.body(depth - 1, inLoop),
        };
      case 10: {
        const values = new Set(Array.from({ length: s.pick(7) }, () => s.from(CONSTANTS)));
        const cases = [...values].map((value) => ({ value, body: this.body(depth - 1, inLoop) }));
        return { kind: 'switch', value: this.expression(3), cases, otherwise: this.body(depth - 1, inLoop) };
      }
      case 11: {
        if (free.length === 0) return { kind: 'while', condition: this.expression(2), body: [] };
        const counter = s.from(free);
        this.#counters.add(counter);
        const body = this.body(depth - 1, true);
        this.#counters.delete(counter);
        return { kind: 'for', counter, count: s.from([1, 2, 3, 5, 40000]), body };
      }
      default:
        return { kind: 'while', condition: this.expression(2), body: this.body(depth - 1, true) };
    }
  }
}

/** A program of two regions, the first read-only, with two parameters. */
export const randomProgram: fc.Arbitrary<Program> = fc
  .tuple(
    fc.array(fc.nat({ max: 0xffff }), { minLength: 4, maxLength: 220, size: 'max' }),
    fc.constantFrom(3, 4, 6, 20),
    fc.record({ align: fc.constantFrom<1 | 2 | 4>(1, 2, 4), skew: fc.nat(3) }),
    fc.record({ align: fc.constantFrom<1 | 2 | 4>(1, 2, 4), skew: fc.nat(3) }),
  )
  .map(([numbers, locals, first, second]): Program => ({
    name: 'random',
    regions: [
      { name: 'in', access: 'r', align: first.align, skew: first.skew % first.align },
      { name: 'out', access: 'rw', align: second.align, skew: second.skew % second.align },
    ],
    parameters: ['p', 'q'],
    locals: Array.from({ length: locals - 2 }, (_, i) => `l${i}`),
    body: new Generator(new Source(numbers), locals).body(4, false),
  }));

/** Memory and arguments for a run; the lengths are small so that accesses often miss. */
export const randomInput: fc.Arbitrary<{
  inLength: number;
  outLength: number;
  bytes: Uint8Array;
  parameters: [number, number];
  fuel: number;
}> = fc.record({
  inLength: fc.constantFrom(0, 1, 3, 14, 24, 34, 64, 64),
  outLength: fc.constantFrom(0, 2, 4, 16, 31, 32, 64, 64),
  bytes: fc.uint8Array({ minLength: 128, maxLength: 128 }),
  parameters: fc.tuple(fc.oneof(fc.constantFrom(...CONSTANTS), fc.nat(20)), fc.nat(20)),
  fuel: fc.constantFrom(0, 40, 80, 200, 1000, 20000, 20000),
});
