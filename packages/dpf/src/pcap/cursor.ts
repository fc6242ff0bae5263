/** A place in the tokens of an expression. */
import { refuse } from './refusal.ts';
import type { Token } from './tokens.ts';

/** Reads tokens one after the other; the last, `end`, is never passed. */
export class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next token, or the one after that many more. */
  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new RangeError('no tokens');
    return token;
  }

  /** The next token, which is passed. */
  take(): Token {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  /** Whether the next token is this symbol. */
  peekSymbol(symbol: string): boolean {
    const { kind, meaning } = this.peek();
    return kind === 'symbol' && meaning === symbol;
  }

  /** Whether the next token is one of these reserved words. */
  peekWord(words: readonly string[], ahead = 0): boolean {
    const { kind, meaning } = this.peek(ahead);
    return kind === 'word' && words.includes(meaning);
  }

  /** Passes this symbol, or refuses what stands in its place. */
  expectSymbol(symbol: string): void {
    const token = this.take();
    if (token.kind !== 'symbol' || token.meaning !== symbol)
      refuse('syntax', token, 'this cannot stand here', { expected: [symbol] });
  }

  /** Passes a number, or refuses what stands in its place. */
  expectNumber(): Token {
    const token = this.take();
    if (token.kind !== 'number') refuse('syntax', token, 'this cannot stand here', { expected: ['a number'] });
    return token;
  }
}
