/**
 * Words of an expression. At each place the longest token wins, and of equally long ones the one that stands first here: a reserved
 * word, an Ethernet address, a number, an IPv4 address, an IPv6 address, a named number, a name. So `1-2` and `len-5` are names, and
 * twelve hexadecimal digits are an Ethernet address.
 */
import { isIpv6, isWord, numberOf } from './addresses.ts';
import { KEYWORDS, NUMBERS } from './keywords-table.ts';
import { refuse, type Place } from './refusal.ts';

/** `word`: reserved, `text` is the word meant. `ipv4` has two to four parts. `arcnet`: `$` and one or two digits. */
type TokenKind = 'word' | 'symbol' | 'number' | 'name' | 'ipv4' | 'ipv6' | 'ethernet' | 'arcnet' | 'end';

/** One token. `meaning` is the reserved word, the symbol, or the name without its backslash; `value` is a number's. */
export interface Token extends Place {
  readonly kind: TokenKind;
  readonly meaning: string;
  readonly value: number;
}

/** Characters that an expression may have at most. */
const LONGEST_EXPRESSION = 1_048_576;

const SPACE = /[ \r\n\t]*/y;
const SYMBOL = /&&|\|\||>=|<=|!=|==|<<|>>|[+\-*/%:[\]!<>()&|^=]/y;
const SYNONYMS: Readonly<Record<string, string>> = { '==': '=', '&&': 'and', '||': 'or' };
const ARCNET = /\$[0-9A-Fa-f]{1,2}/y;
const ESCAPED = /\\[^ !()\n\t]+/y;
const NAME = /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|[0-9]+/y;
const IPV4 = /(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:\.(?:0[xX][0-9A-Fa-f]+|[0-9]+)){1,3}/y;
const GROUP = /[0-9A-Fa-f]{1,4}/y;
const ETHERNET: readonly RegExp[] = [
  ...[':', '-', '\\.'].map((separator) => new RegExp(`[0-9A-Fa-f]{1,2}(?:${separator}[0-9A-Fa-f]{1,2}){5}`, 'y')),
  /[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}/y,
  /[0-9A-Fa-f]{12}/y,
];
/** What looks like an Ethernet address and is none. */
const NOT_ETHERNET = /[0-9A-Fa-f]{1,2}:+(?:[0-9A-Fa-f]{1,2}:+)+/y;

/** Length of what the pattern matches at this place, or 0. */
function lengthOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/**
 * Length of the longest IPv6 address at this place, or 0: eight groups, or up to seven with one `::` among them, where an
 * IPv4 address at the end counts as two.
 */
function ipv6Length(text: string, start: number): number {
  let at = start;
  let groups = 0;
  let isShort = false;
  let best = 0;
  if (text.startsWith('::', at)) {
    isShort = true;
    at += 2;
    best = 2;
  }
  for (;;) {
    const tail = lengthOf(IPV4, text, at);
    const isWhole = text.slice(at, at + tail).split('.').length === 4;
    if (isWhole && (isShort ? groups <= 5 : groups === 6)) best = Math.max(best, at + tail - start);
    const group = lengthOf(GROUP, text, at);
    if (group === 0 || groups === (isShort ? 7 : 8)) return best;
    groups += 1;
    at += group;
    if (isShort || groups === 8) best = Math.max(best, at - start);
    if (!isShort && groups <= 7 && text.startsWith('::', at)) {
      isShort = true;
      at += 2;
      best = Math.max(best, at - start);
    } else if (text[at] === ':') at += 1;
    else return best;
  }
}

interface Candidate {
  readonly kind: TokenKind | 'invalid';
  readonly length: number;
}

/** The longest token that begins with a letter, a digit or a colon. */
function candidateAt(text: string, at: number): Candidate {
  const name = lengthOf(NAME, text, at);
  const isReserved = KEYWORDS.has(text.slice(at, at + name));
  const candidates: readonly Candidate[] = [
    { kind: 'word', length: isReserved ? name : 0 },
    { kind: 'symbol', length: lengthOf(SYMBOL, text, at) },
    ...ETHERNET.map((pattern) => ({ kind: 'ethernet', length: lengthOf(pattern, text, at) }) as const),
    { kind: 'number', length: lengthOf(NUMBER, text, at) },
    { kind: 'ipv4', length: lengthOf(IPV4, text, at) },
    { kind: 'ipv6', length: ipv6Length(text, at) },
    { kind: 'invalid', length: lengthOf(NOT_ETHERNET, text, at) },
    { kind: 'name', length: name },
  ];
  return candidates.reduce((best, one) => (one.length > best.length ? one : best));
}

function numberToken(place: Place): Token {
  const value = numberOf(place.text);
  if (value === undefined) return refuse('range', place, 'it has a digit that is not octal, as the leading 0 asks');
  if (!isWord(value)) return refuse('range', place, 'the number has more than 32 bits');
  return { ...place, kind: 'number', meaning: '', value };
}

function tokenAt(text: string, at: number): Token {
  const column = at + 1;
  const make = (kind: TokenKind, length: number, meaning?: string): Token => {
    const own = text.slice(at, at + length);
    return { kind, column, text: own, meaning: meaning ?? own, value: 0 };
  };
  const character = text[at] ?? '';
  if (/[0-9A-Za-z:]/.test(character)) {
    const { kind, length } = candidateAt(text, at);
    const own = text.slice(at, at + length);
    switch (kind) {
      case 'invalid':
        return refuse('syntax', { column, text: own }, 'this is no Ethernet address', {
          expected: ['six pairs of hexadecimal digits'],
        });
      case 'number':
        return numberToken({ column, text: own });
      case 'ipv6':
        return isIpv6(own) ? make(kind, length) : refuse('syntax', { column, text: own }, 'this is no IPv6 address');
      case 'word': {
        const meaning = KEYWORDS.get(own) ?? own;
        return meaning === 'not' ? make('symbol', length, '!') : make(kind, length, meaning);
      }
      case 'name': {
        const value = NUMBERS.get(own);
        return value === undefined ? make(kind, length) : { ...make('number', length), value };
      }
      default:
        return make(kind, length);
    }
  }
  const symbol = lengthOf(SYMBOL, text, at);
  if (symbol > 0) {
    const own = text.slice(at, at + symbol);
    const meaning = SYNONYMS[own] ?? own;
    return make(meaning === 'and' || meaning === 'or' ? 'word' : 'symbol', symbol, meaning);
  }
  const arcnet = lengthOf(ARCNET, text, at);
  if (arcnet > 0) return make('arcnet', arcnet);
  const escaped = lengthOf(ESCAPED, text, at);
  if (escaped > 0) return make('name', escaped, text.slice(at + 1, at + escaped));
  return refuse('syntax', { column, text: character }, 'no word of the language begins with this character');
}

/** The tokens of an expression, with `end` as the last. */
export function tokenize(text: string): readonly Token[] {
  if (text.length > LONGEST_EXPRESSION)
    refuse(
      'limit',
      { column: LONGEST_EXPRESSION + 1, text: '' },
      `an expression has at most ${LONGEST_EXPRESSION} characters`,
    );
  const tokens: Token[] = [];
  for (let at = lengthOf(SPACE, text, 0); at < text.length;) {
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
    at += lengthOf(SPACE, text, at);
  }
  tokens.push({ kind: 'end', column: text.length + 1, text: '', meaning: '', value: 0 });
  return tokens;
}
