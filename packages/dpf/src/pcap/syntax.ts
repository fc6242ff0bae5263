/** What the parser makes of an expression: a tree whose depth is that of the parentheses, no more. */
import type { Token } from './tokens.ts';

/** Which of source and destination: `either` unless said. */
export type Direction = 'either' | 'src' | 'dst' | 'both';

/** What an identifier is taken for; `none` when nothing was said. */
export type Kind = 'none' | 'host' | 'net' | 'port' | 'portrange' | 'proto' | 'protochain' | 'gateway';

/** The qualifiers before an identifier: a protocol's word if one was given, a direction, a kind. */
export interface Qualifier {
  readonly protocol: string | null;
  readonly direction: Direction;
  readonly kind: Kind;
}

/** An identifier: its token, and the prefix length or the mask behind it. */
export interface Identifier {
  readonly token: Token;
  readonly prefix?: Token;
  readonly mask?: Token;
}

/** Operators of arithmetic. */
export type Operator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';

/** Arithmetic in postfix order: operands before their operators. */
export type Step = { readonly at: Token } & (
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'length' }
  | { readonly kind: 'load'; readonly protocol: string; readonly size: number }
  | { readonly kind: 'negate' }
  | { readonly kind: 'operator'; readonly operator: Operator }
);

/** Arithmetic. */
export type Arithmetic = readonly Step[];

/** How two values compare. */
export type Relation = '=' | '!=' | '>' | '>=' | '<' | '<=';

/** Tests that are a word with at most one number, or none. */
export type NumberedWord =
  'less' | 'greater' | 'ifindex' | 'inbound' | 'outbound' | 'vlan' | 'mpls' | 'pppoed' | 'pppoes' | 'geneve' | 'vxlan';

/** A node of the tree. */
export type Node =
  | { readonly kind: 'chain'; readonly first: Node; readonly rest: readonly Link[] }
  | { readonly kind: 'not'; readonly node: Node }
  | { readonly kind: 'group'; readonly node: Node }
  | { readonly kind: 'identifier'; readonly qualifier: Qualifier | null; readonly identifier: Identifier }
  | { readonly kind: 'protocol'; readonly at: Token }
  | {
      readonly kind: 'cast';
      readonly at: Token;
      readonly cast: 'broadcast' | 'multicast';
      readonly protocol: string | null;
    }
  | { readonly kind: 'relation'; readonly relation: Relation; readonly left: Arithmetic; readonly right: Arithmetic }
  | { readonly kind: 'byte'; readonly index: number; readonly operator: string; readonly value: Token }
  | { readonly kind: 'llc'; readonly at: Token; readonly type: Token | null }
  | { readonly kind: 'word'; readonly at: Token; readonly word: NumberedWord; readonly value: Token | null };

/** What follows `and` or `or`, which bind equally and from the left. */
export interface Link {
  readonly join: 'and' | 'or';
  readonly node: Node;
}
