/**
 * The grammar of the pcap language. `and` and `or` bind equally, from the left; `not` binds stronger. An identifier without
 * qualifiers takes those of the test before it: `port 80 or 443`. Inside parentheses that begin with an identifier there are
 * identifiers only.
 *
 * The parser recurses once for each level of parentheses, and refuses more than `DEEPEST_NESTING` of them.
 */
import { ArithmeticParser, isOperator } from './arithmetic-parser.ts';
import { Cursor } from './cursor.ts';
import { FOREIGN_WORDS, KEYWORDS, PROTOCOL_WORDS } from './keywords-table.ts';
import { refuse } from './refusal.ts';
import type {
  Arithmetic,
  Direction,
  Identifier,
  Kind,
  Link,
  Node,
  NumberedWord,
  Qualifier,
  Relation,
} from './syntax.ts';
import { tokenize, type Token } from './tokens.ts';

/** How deep parentheses may be nested. */
const DEEPEST_NESTING = 500;

const RELATIONS: readonly string[] = ['=', '!=', '>', '>=', '<', '<='];
const JOINS = ['and', 'or'];
const KINDS = ['host', 'net', 'port', 'portrange'];
const UNDIRECTED_KINDS = ['proto', 'protochain', 'gateway'];
const DIRECTIONS = ['src', 'dst'];
const NAMES: readonly Token['kind'][] = ['name', 'ipv4', 'ipv6', 'ethernet', 'arcnet'];
const ENCAPSULATIONS = ['vlan', 'mpls', 'pppoes', 'geneve', 'vxlan'];
const TEST = ['a protocol', 'src', 'dst', 'host', 'net', 'port', 'not', '(', 'a comparison'];

/**
 * A test, and the qualifiers that an identifier after it takes: null if there are none to take. Whether it is one or more
 * identifiers without a word of their own, which parentheses do not mix with tests.
 */
interface Parsed {
  readonly node: Node;
  readonly qualifier: Qualifier | null;
  readonly isIdentifier?: boolean;
}

/** What parentheses contain. */
type Content =
  | { readonly kind: 'test'; readonly parsed: Parsed }
  | { readonly kind: 'number'; readonly token: Token }
  | { readonly kind: 'arithmetic'; readonly value: Arithmetic };

const negated = (node: Node, times: number): Node => (times % 2 === 0 ? node : { kind: 'not', node });
const numberStep = (at: Token): Arithmetic => [{ at, kind: 'number', value: at.value }];

class Parser {
  readonly #cursor: Cursor;
  #depth = 0;

  constructor(text: string) {
    this.#cursor = new Cursor(tokenize(text));
  }

  /** The whole expression; null if there is none. */
  whole(): Node | null {
    if (this.#cursor.peek().kind === 'end') return null;
    const { node } = this.#expression(this.#term(null, false));
    const rest = this.#cursor.peek();
    return rest.kind === 'end' ? node : this.#unexpected(rest, ['and', 'or', 'the end']);
  }

  #unexpected(token: Token, expected: readonly string[]): never {
    // A name that stands where a word is needed is perhaps a misspelt word.
    return refuse('syntax', token, 'this cannot stand here', {
      expected,
      ...(token.kind === 'name' ? { among: KEYWORDS.keys() } : {}),
    });
  }

  #enter(at: Token): void {
    this.#depth += 1;
    if (this.#depth > DEEPEST_NESTING) refuse('limit', at, `parentheses are nested more than ${DEEPEST_NESTING} deep`);
  }

  /** A chain of tests, of which the first is read. */
  #expression(first: Parsed): Parsed {
    const rest: Link[] = [];
    let { qualifier } = first;
    while (this.#cursor.peekWord(JOINS)) {
      const join = this.#cursor.take().meaning === 'and' ? 'and' : 'or';
      const next = this.#term(qualifier, true);
      rest.push({ join, node: next.node });
      qualifier = next.qualifier;
    }
    return { node: rest.length === 0 ? first.node : { kind: 'chain', first: first.node, rest }, qualifier };
  }

  #nots(): number {
    let times = 0;
    for (; this.#cursor.peekSymbol('!'); times += 1) this.#cursor.take();
    return times;
  }

  /** A test; after another one (`isLater`) also an identifier, which takes `context` as its qualifiers. */
  #term(context: Qualifier | null, isLater: boolean): Parsed {
    const times = this.#nots();
    const { node, ...rest } = this.#plainTerm(context, isLater);
    return { node: negated(node, times), ...rest };
  }

  #plainTerm(context: Qualifier | null, isLater: boolean): Parsed {
    const token = this.#cursor.peek();
    if (NAMES.includes(token.kind)) {
      if (!isLater) return this.#unexpected(token, TEST);
      return { node: this.#identifier(context), qualifier: context, isIdentifier: true };
    }
    if (token.kind === 'number') {
      this.#cursor.take();
      return this.#afterContent({ kind: 'number', token }, context, isLater);
    }
    if (this.#cursor.peekSymbol('(')) return this.#afterContent(this.#parentheses(context, isLater), context, isLater);
    if (this.#cursor.peekSymbol('-')) return this.#comparison();
    if (token.kind !== 'word') return this.#unexpected(token, TEST);
    return this.#wordTerm(token);
  }

  /** What a number, or parentheses, at the place of a test turn out to be. */
  #afterContent(content: Content, context: Qualifier | null, isLater: boolean): Parsed {
    if (content.kind === 'test') return content.parsed;
    const next = this.#cursor.peek();
    const goesOn = isOperator(next) || (next.kind === 'symbol' && RELATIONS.includes(next.meaning));
    if (content.kind === 'arithmetic') return this.#comparison(content.value);
    if (goesOn) return this.#comparison(numberStep(content.token));
    if (!isLater) return this.#unexpected(next, ['a comparison']);
    const node: Node = { kind: 'identifier', qualifier: context, identifier: { token: content.token } };
    return { node, qualifier: context, isIdentifier: true };
  }

  /** Parentheses that may contain tests, identifiers if those may stand here, a number or arithmetic. */
  #parentheses(context: Qualifier | null, mayIdentify: boolean): Content {
    this.#enter(this.#cursor.take());
    const content = this.#content(context, mayIdentify);
    this.#cursor.expectSymbol(')');
    this.#depth -= 1;
    return content;
  }

  #content(context: Qualifier | null, mayIdentify: boolean): Content {
    const token = this.#cursor.peek();
    if (NAMES.includes(token.kind)) {
      if (!mayIdentify) return this.#unexpected(token, TEST);
      return this.#identifierGroup(this.#identifier(context), context);
    }
    if (this.#cursor.peekSymbol('!')) {
      const first = this.#term(context, mayIdentify);
      if (first.isIdentifier === true) return this.#identifierGroup(first.node, context);
      return this.#group(this.#inside(this.#expression(first), context));
    }
    let inner: Content | null = null;
    if (token.kind === 'number') inner = { kind: 'number', token: this.#cursor.take() };
    else if (this.#cursor.peekSymbol('(')) inner = this.#parentheses(context, false);
    else if (this.#startsArithmetic())
      inner = { kind: 'arithmetic', value: new ArithmeticParser(this.#cursor).parse() };
    if (inner === null) return this.#group(this.#inside(this.#expression(this.#term(context, false)), context));
    if (inner.kind === 'test') return this.#group(this.#inside(this.#expression(inner.parsed), context));
    const next = this.#cursor.peek();
    if (inner.kind === 'number' && this.#cursor.peekWord(JOINS) && mayIdentify) {
      const first: Node = { kind: 'identifier', qualifier: context, identifier: { token: inner.token } };
      return this.#identifierGroup(first, context);
    }
    if (isOperator(next)) {
      const first = inner.kind === 'number' ? numberStep(inner.token) : inner.value;
      inner = { kind: 'arithmetic', value: new ArithmeticParser(this.#cursor, first).parse() };
    }
    if (this.#cursor.peekSymbol(')')) return inner;
    const left = inner.kind === 'number' ? numberStep(inner.token) : inner.value;
    return this.#group(this.#inside(this.#expression(this.#comparison(left)), context));
  }

  /** Identifiers after the parentheses take the qualifiers from before them. */
  #inside({ node }: Parsed, context: Qualifier | null): Parsed {
    return { node, qualifier: context };
  }

  #group({ node, ...rest }: Parsed): Content {
    return { kind: 'test', parsed: { node: { kind: 'group', node }, ...rest } };
  }

  /** Parentheses that contain identifiers only, of which the first is read. */
  #identifierGroup(first: Node, context: Qualifier | null): Content {
    return this.#group({ node: this.#identifiers(first, context), qualifier: context, isIdentifier: true });
  }

  #startsArithmetic(): boolean {
    const token = this.#cursor.peek();
    if (this.#cursor.peekSymbol('-') || this.#cursor.peekWord(['len'])) return true;
    const next = this.#cursor.peek(1);
    return (
      token.kind === 'word' && PROTOCOL_WORDS.includes(token.meaning) && next.kind === 'symbol' && next.meaning === '['
    );
  }

  /** A comparison, from its beginning or after its first operand. */
  #comparison(first: Arithmetic = []): Parsed {
    const left = new ArithmeticParser(this.#cursor, first).parse();
    const token = this.#cursor.take();
    if (token.kind !== 'symbol' || !RELATIONS.includes(token.meaning))
      return this.#unexpected(token, [...RELATIONS, 'an operator']);
    const right = new ArithmeticParser(this.#cursor).parse();
    return { node: { kind: 'relation', relation: token.meaning as Relation, left, right }, qualifier: null };
  }

  /** The rest of a chain of identifiers that share their qualifiers. */
  #identifiers(first: Node, qualifier: Qualifier | null): Node {
    const rest: Link[] = [];
    while (this.#cursor.peekWord(JOINS)) {
      const join = this.#cursor.take().meaning === 'and' ? 'and' : 'or';
      rest.push({ join, node: this.#identifierTerm(qualifier) });
    }
    return rest.length === 0 ? first : { kind: 'chain', first, rest };
  }

  /** An identifier, `not` before it, or identifiers in parentheses. */
  #identifierTerm(qualifier: Qualifier | null): Node {
    const times = this.#nots();
    if (!this.#cursor.peekSymbol('(')) return negated(this.#identifier(qualifier), times);
    this.#enter(this.#cursor.take());
    // Parentheses directly inside can only be those around a number.
    const first: Node = this.#cursor.peekSymbol('(')
      ? { kind: 'identifier', qualifier, identifier: { token: this.#number() } }
      : this.#identifierTerm(qualifier);
    const node = this.#identifiers(first, qualifier);
    this.#cursor.expectSymbol(')');
    this.#depth -= 1;
    return negated(node, times);
  }

  #identifier(qualifier: Qualifier | null): Node {
    const token = this.#cursor.take();
    if (token.kind !== 'number' && !NAMES.includes(token.kind))
      this.#unexpected(token, ['a name', 'a number', 'an address']);
    let identifier: Identifier = { token };
    if ((token.kind === 'ipv4' || token.kind === 'ipv6') && this.#cursor.peekSymbol('/')) {
      this.#cursor.take();
      identifier = { token, prefix: this.#cursor.expectNumber() };
    } else if (token.kind === 'ipv4' && this.#cursor.peekWord(['mask'])) {
      this.#cursor.take();
      const mask = this.#cursor.take();
      if (mask.kind !== 'ipv4') this.#unexpected(mask, ['a mask such as 255.255.255.0']);
      identifier = { token, mask };
    }
    return { kind: 'identifier', qualifier, identifier };
  }

  /** A number, in parentheses or not. */
  #number(): Token {
    let depth = 0;
    for (; this.#cursor.peekSymbol('('); depth += 1) this.#cursor.take();
    const token = this.#cursor.expectNumber();
    for (; depth > 0; depth -= 1) this.#cursor.expectSymbol(')');
    return token;
  }

  /** A test that begins with a reserved word. */
  #wordTerm(token: Token): Parsed {
    if (this.#startsArithmetic()) return this.#comparison();
    const word = token.meaning;
    const foreign = FOREIGN_WORDS.get(word);
    if (foreign !== undefined) refuse('unsupported', token, `this word is for ${foreign} only`);
    const isProtocol = PROTOCOL_WORDS.includes(word);
    if (isProtocol) this.#cursor.take();
    const protocol = isProtocol ? word : null;
    if (this.#cursor.peekWord([...DIRECTIONS, ...KINDS, ...UNDIRECTED_KINDS])) return this.#qualified(protocol);
    const next = this.#cursor.peek();
    if (next.kind === 'word' && FOREIGN_WORDS.has(next.meaning))
      refuse('unsupported', next, `this word is for ${FOREIGN_WORDS.get(next.meaning) ?? ''} only`);
    if (this.#cursor.peekWord(['broadcast', 'multicast'])) {
      const at = this.#cursor.take();
      const cast = at.meaning === 'broadcast' ? 'broadcast' : 'multicast';
      return { node: { kind: 'cast', at, cast, protocol }, qualifier: null };
    }
    if (isProtocol) return { node: { kind: 'protocol', at: token }, qualifier: null };
    this.#cursor.take();
    return { node: this.#primitive(token), qualifier: null };
  }

  #primitive(at: Token): Node {
    const word = at.meaning;
    switch (word) {
      case 'less':
      case 'greater':
      case 'ifindex':
        return { kind: 'word', at, word, value: this.#cursor.expectNumber() };
      case 'inbound':
      case 'outbound':
      case 'pppoed':
        return { kind: 'word', at, word, value: null };
      case 'byte': {
        const index = this.#cursor.expectNumber().value;
        const operator = this.#cursor.take();
        if (operator.kind !== 'symbol' || !['=', '<', '>', '&', '|'].includes(operator.meaning))
          this.#unexpected(operator, ['=', '<', '>', '&', '|']);
        return { kind: 'byte', index, operator: operator.meaning, value: this.#cursor.expectNumber() };
      }
      case 'llc': {
        const isNamed = this.#cursor.peek().kind === 'name' || this.#cursor.peekWord(['rnr']);
        return { kind: 'llc', at, type: isNamed ? this.#cursor.take() : null };
      }
      default: {
        if (!ENCAPSULATIONS.includes(word)) return this.#unexpected(at, TEST);
        const isNumbered = this.#cursor.peek().kind === 'number' || this.#cursor.peekSymbol('(');
        return { kind: 'word', at, word: word as NumberedWord, value: isNumbered ? this.#number() : null };
      }
    }
  }

  /** Qualifiers and what they qualify. */
  #qualified(protocol: string | null): Parsed {
    let direction: Direction = 'either';
    let kind: Kind = 'none';
    if (this.#cursor.peekWord(UNDIRECTED_KINDS)) kind = this.#cursor.take().meaning as Kind;
    else {
      if (this.#cursor.peekWord(DIRECTIONS)) direction = this.#direction();
      if (this.#cursor.peekWord(KINDS)) kind = this.#cursor.take().meaning as Kind;
    }
    const next = this.#cursor.peek();
    if (next.kind === 'word' && FOREIGN_WORDS.has(next.meaning))
      refuse('unsupported', next, `this word is for ${FOREIGN_WORDS.get(next.meaning) ?? ''} only`);
    const qualifier: Qualifier = { protocol, direction, kind };
    return { node: this.#identifierTerm(qualifier), qualifier };
  }

  #direction(): Direction {
    const first = this.#cursor.take().meaning === 'src' ? 'src' : 'dst';
    if (!this.#cursor.peekWord(JOINS)) return first;
    const join = this.#cursor.take().meaning;
    const second = this.#cursor.take();
    const other = first === 'src' ? 'dst' : 'src';
    if (second.kind !== 'word' || second.meaning !== other) this.#unexpected(second, [other]);
    return join === 'and' ? 'both' : 'either';
  }
}

/** The tree of an expression; null for the empty one, which accepts every packet. */
export function parse(text: string): Node | null {
  return new Parser(text).whole();
}
