/**
 * The IR: what a program for downloading is made of. All values are unsigned 32-bit numbers; arithmetic wraps.
 *
 * Programs are plain immutable data: build them with `defineProgram` or `decodeProgram`, never change one afterwards
 * (compilers remember what they found out about it). `interpret` is the meaning of every node.
 *
 * Evaluation is strict and left to right: operands before the operator, a store's index before its value, and the test
 * of an access after both. Source: [VCODE96] for the shape (typed RISC-like operations that compile in one pass).
 */

/** `divu`, `remu` by zero abort with `ABORT_DIVIDE`. Shifts use the low five bits of the right operand. */
export type BinaryOperator = (typeof BINARY_OPERATORS)[number];
/* prettier-ignore */
export const BINARY_OPERATORS = [
  'add', 'sub', 'mul', 'and', 'or', 'xor', 'shl', 'shr', 'sar', 'divu', 'remu', 'eq', 'ne', 'ltu', 'leu', 'lts', 'les',
] as const;

/** `bswap16` exchanges the two low bytes and clears the others. */
export type UnaryOperator = (typeof UNARY_OPERATORS)[number];
export const UNARY_OPERATORS = ['bswap16', 'bswap32'] as const;

/** Bytes of an access. */
export type Size = 1 | 2 | 4;
export type Endian = 'big' | 'little';

/**
 * Where an access goes: bytes `index + displacement` up to `+ size` of a region. The sum does not wrap: an index near
 * 2^32 is outside, whatever the displacement.
 */
export interface Place {
  readonly region: number;
  readonly size: Size;
  readonly index: Expression;
  /** 0 to `LIMITS.displacement`. */
  readonly displacement: number;
  readonly endian: Endian;
}

export type Expression =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'local'; readonly local: number }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | ({ readonly kind: 'load' } & Place)
  /** The length of a region in bytes. */
  | { readonly kind: 'length'; readonly region: number }
  /** 1 if `bytes` bytes from `index` on lie in the region, else 0; `bytes` is 0 to `LIMITS.extent`. */
  | { readonly kind: 'fits'; readonly region: number; readonly index: Expression; readonly bytes: number };

export type Body = readonly Statement[];

export type Statement =
  | { readonly kind: 'set'; readonly local: number; readonly value: Expression }
  | ({ readonly kind: 'store'; readonly value: Expression } & Place)
  | { readonly kind: 'if'; readonly condition: Expression; readonly then: Body; readonly otherwise: Body }
  /** Runs the body with `counter` 0, 1, …, `count` - 1, which the body may not set; afterwards, `counter` is `count`. */
  | { readonly kind: 'for'; readonly counter: number; readonly count: number; readonly body: Body }
  /** Runs as long as `condition` is not 0 and the fuel lasts. */
  | { readonly kind: 'while'; readonly condition: Expression; readonly body: Body }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }
  /** The body of the one case with this value, else `otherwise`. No fall-through. */
  | {
      readonly kind: 'switch';
      readonly value: Expression;
      readonly cases: readonly SwitchCase[];
      readonly otherwise: Body;
    }
  | { readonly kind: 'return'; readonly value: Expression }
  | { readonly kind: 'abort'; readonly code: number };

/** One case: a constant and what to do. */
export interface SwitchCase {
  readonly value: number;
  readonly body: Body;
}

/** The two kinds of loop; each is a fuel section of its own. */
export type Loop = Extract<Statement, { readonly kind: 'for' | 'while' }>;

/** A window of memory that is bound to a base address and a length at each run. */
export interface Region {
  readonly name: string;
  readonly access: 'r' | 'rw';
  /**
   * What the caller that binds the region promises about its base: `base % align === skew`. The MIPS back end uses whole-word
   * accesses on the strength of it; a broken promise is an address error there.
   */
  readonly align: 1 | 2 | 4;
  readonly skew: number;
}

/** Locals 0 to `parameters.length - 1` are the parameters; the others start as 0. Falling off the end returns 0. */
export interface Program {
  readonly name: string;
  readonly regions: readonly Region[];
  readonly parameters: readonly string[];
  readonly locals: readonly string[];
  readonly body: Body;
}

/**
 * What a program may not exceed. `displacement` and `extent` keep every offset and every length test inside a signed
 * 16-bit immediate. Assumption: the other figures are ours, large enough for 1,000 merged filters, small enough that a
 * hostile program compiles in well under a second.
 */
export const LIMITS: {
  readonly regions: number;
  readonly parameters: number;
  readonly locals: number;
  readonly name: number;
  readonly depth: number;
  readonly builtDepth: number;
  readonly nodes: number;
  readonly count: number;
  readonly displacement: number;
  readonly extent: number;
  readonly bytes: number;
  readonly length: number;
  readonly fuel: number;
} = {
  regions: 8,
  parameters: 16,
  locals: 256,
  name: 64,
  /** Statements and expressions inside each other, in a program that is encoded. */
  depth: 64,
  /** The same in a program that the host itself builds, such as many filters merged. */
  builtDepth: 1024,
  nodes: 1 << 18,
  /** Iterations of one `for`. */
  count: 0xffff,
  displacement: 0x7ff0,
  extent: 0x7fff,
  /** Of one encoded program. */
  bytes: 1 << 16,
  /** Of one bound region. */
  length: 0x7fffffff,
  fuel: 0x7fffffff,
};

/** How a run ended. 0 is a return; other values are abort codes, of which a program's own start at 16. */
export const RETURNED = 0;
/** An access outside its region. */
export const ABORT_BOUNDS = 1;
/** The fuel did not suffice for the next section; none is left. */
export const ABORT_FUEL = 2;
/** Division by zero. */
export const ABORT_DIVIDE = 3;
/** The least code for a program's own `abort`. `ABORT_BOUNDS` may be used too; the largest code is 255. */
export const ABORT_OWN = 16;
