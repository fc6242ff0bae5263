/**
 * Arithmetic of the pcap language, into postfix order, by a stack of waiting operators: no depth of brackets makes the parser
 * recurse.
 *
 * From the weakest: `|`, `&`, `<< >>`, `+ -`, `* /`, the minus sign. `%` and `^` have no place in that order. As in libpcap, what
 * follows one of them is its right side as far as it goes, and one of them takes the operand before it from any other operator:
 * `a % b + c` is `a % (b + c)`, and `a * b % c` is `a * (b % c)`.
 */
import { PROTOCOL_WORDS } from './keywords-table.ts';
import { refuse } from './refusal.ts';
import type { Arithmetic, Operator, Step } from './syntax.ts';
import type { Cursor } from './cursor.ts';
import type { Token } from './tokens.ts';

const STRENGTH: Readonly<Record<string, number>> = {
  '|': 1,
  '&': 2,
  '<<': 3,
  '>>': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': Infinity,
  '^': Infinity,
};
const SIGN_STRENGTH = 6;

/** Whether the token is an operator between two values. */
export const isOperator = (token: Token): boolean => token.kind === 'symbol' && token.meaning in STRENGTH;

type Waiting =
  { readonly kind: 'operator' | 'sign' | 'paren'; readonly at: Token } | { readonly kind: 'index'; readonly at: Token };

const VALUE = ['a number', 'len', 'protocol[', '(', '-'];

/** Parses arithmetic from the cursor; `first` is an operand that the caller has read already. */
export class ArithmeticParser {
  readonly #cursor: Cursor;
  readonly #output: Step[];
  readonly #waiting: Waiting[] = [];

  constructor(cursor: Cursor, first: Arithmetic = []) {
    this.#cursor = cursor;
    this.#output = [...first];
  }

  /** As much as is arithmetic: ends before the first token that cannot go on with it. */
  parse(): Arithmetic {
    let isValueNext = this.#output.length === 0;
    for (;;) {
      if (isValueNext) isValueNext = this.#value();
      else {
        const more = this.#afterValue();
        if (more === undefined) return this.#output;
        isValueNext = more;
      }
    }
  }

  /** Reads the beginning of a value; true if the value is yet to come. */
  #value(): boolean {
    const at = this.#cursor.take();
    if (at.kind === 'number') {
      this.#output.push({ at, kind: 'number', value: at.value });
      return false;
    }
    if (at.kind === 'word' && at.meaning === 'len') {
      this.#output.push({ at, kind: 'length' });
      return false;
    }
    if (at.kind === 'symbol' && (at.meaning === '(' || at.meaning === '-')) {
      this.#waiting.push({ kind: at.meaning === '(' ? 'paren' : 'sign', at });
      return true;
    }
    if (at.kind === 'word' && PROTOCOL_WORDS.includes(at.meaning)) {
      this.#cursor.expectSymbol('[');
      this.#waiting.push({ kind: 'index', at });
      return true;
    }
    return refuse('syntax', at, 'arithmetic needs a value here', {
      expected: VALUE,
      among: ['len', ...PROTOCOL_WORDS],
    });
  }

  /** Reads what follows a value: true if another value is to come, undefined at the end. */
  #afterValue(): boolean | undefined {
    const token = this.#cursor.peek();
    if (isOperator(token)) {
      this.#reduce(STRENGTH[token.meaning] ?? 0);
      this.#waiting.push({ kind: 'operator', at: this.#cursor.take() });
      return true;
    }
    this.#reduce(0);
    const open = this.#waiting.pop();
    if (open === undefined) return undefined;
    if (open.kind === 'paren') this.#cursor.expectSymbol(')');
    else this.#closeIndex(open.at);
    return false;
  }

  #closeIndex(protocol: Token): void {
    let size = 1;
    if (this.#cursor.peekSymbol(':')) {
      this.#cursor.take();
      const token = this.#cursor.expectNumber();
      size = token.value;
      if (size !== 1 && size !== 2 && size !== 4)
        refuse('range', token, 'a field has this many bytes', { expected: ['1', '2', '4'] });
    }
    this.#cursor.expectSymbol(']');
    this.#output.push({ at: protocol, kind: 'load', protocol: protocol.meaning, size });
  }

  /** Moves waiting operators to the output that bind at least as strongly as the next. */
  #reduce(strength: number): void {
    for (;;) {
      const top = this.#waiting.at(-1);
      if (top === undefined || top.kind === 'paren' || top.kind === 'index') return;
      const own = top.kind === 'sign' ? SIGN_STRENGTH : (STRENGTH[top.at.meaning] ?? 0);
      // An operator without a place yields to nothing but the end.
      const isFirst = strength === 0 || (own !== Infinity && own >= strength);
      if (!isFirst) return;
      this.#waiting.pop();
      this.#output.push(
        top.kind === 'sign'
          ? { at: top.at, kind: 'negate' }
          : { at: top.at, kind: 'operator', operator: top.at.meaning as Operator },
      );
    }
  }
}
