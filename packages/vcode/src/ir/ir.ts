/**
 * The IR of modules: typed functions with structured control flow, which call each other.
 *
 * All data is plain and immutable. Integers are 32 bits (`i32`, unsigned numbers) or 64 bits (`i64`, unsigned bigints); arithmetic
 * wraps. Evaluation is strict and left to right: operands before the operator, a store's index before its value, and the test of an
 * access after both. The interpreter is the meaning of every node.
 *
 * Source: [VCODE96] for the operations, [WASM §2] for blocks, labels and calls.
 */

/** The two types of value. */
export type ValueType = 'i32' | 'i64';

/** A parameter or a local of a function. */
export interface Variable {
  readonly name: string;
  readonly type: ValueType;
}

/** What a function takes and gives. */
export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** What a binary operator takes and gives: left, right, result. */
type BinaryRow = readonly [left: ValueType, right: ValueType, result: ValueType];
const WORDS: BinaryRow = ['i32', 'i32', 'i32'];
const LONGS: BinaryRow = ['i64', 'i64', 'i64'];
const SHIFTS: BinaryRow = ['i64', 'i32', 'i64'];
const COMPARES: BinaryRow = ['i64', 'i64', 'i32'];

/**
 * The binary operators. Division by zero aborts with `ABORT_DIVIDE`; so does `divs` of -2^31 by -1, in the checked profile. Shifts
 * and rotations use the low five (six) bits of the right operand. `pair` makes a long of its high and its low word.
 */
export const BINARY: Readonly<Record<BinaryOperator, BinaryRow>> = {
  add: WORDS,
  sub: WORDS,
  mul: WORDS,
  and: WORDS,
  or: WORDS,
  xor: WORDS,
  shl: WORDS,
  shr: WORDS,
  sar: WORDS,
  rotl: WORDS,
  divu: WORDS,
  divs: WORDS,
  remu: WORDS,
  rems: WORDS,
  eq: WORDS,
  ne: WORDS,
  ltu: WORDS,
  leu: WORDS,
  lts: WORDS,
  les: WORDS,
  pair: ['i32', 'i32', 'i64'],
  add64: LONGS,
  sub64: LONGS,
  mul64: LONGS,
  and64: LONGS,
  or64: LONGS,
  xor64: LONGS,
  shl64: SHIFTS,
  shr64: SHIFTS,
  sar64: SHIFTS,
  rotl64: SHIFTS,
  eq64: COMPARES,
  ne64: COMPARES,
  ltu64: COMPARES,
  leu64: COMPARES,
  lts64: COMPARES,
  les64: COMPARES,
};
export type BinaryOperator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'rotl'
  | 'divu'
  | 'divs'
  | 'remu'
  | 'rems'
  | 'eq'
  | 'ne'
  | 'ltu'
  | 'leu'
  | 'lts'
  | 'les'
  | 'pair'
  | 'add64'
  | 'sub64'
  | 'mul64'
  | 'and64'
  | 'or64'
  | 'xor64'
  | 'shl64'
  | 'shr64'
  | 'sar64'
  | 'rotl64'
  | 'eq64'
  | 'ne64'
  | 'ltu64'
  | 'leu64'
  | 'lts64'
  | 'les64';

/**
 * The unary operators: operand, result. `bswap16` exchanges the two low bytes and clears the others; `extend8` and `extend16` repeat
 * the sign of the low byte or half; `wrap` and `high` are the words of a long; `extendu` and `extends` make a long of a word.
 */
export const UNARY: Readonly<Record<UnaryOperator, readonly [operand: ValueType, result: ValueType]>> = {
  bswap16: ['i32', 'i32'],
  bswap32: ['i32', 'i32'],
  extend8: ['i32', 'i32'],
  extend16: ['i32', 'i32'],
  wrap: ['i64', 'i32'],
  high: ['i64', 'i32'],
  extendu: ['i32', 'i64'],
  extends: ['i32', 'i64'],
};
export type UnaryOperator = 'bswap16' | 'bswap32' | 'extend8' | 'extend16' | 'wrap' | 'high' | 'extendu' | 'extends';

/** Bytes of an access; 8 is a long. */
export type Size = 1 | 2 | 4 | 8;
type Endian = 'big' | 'little';

/**
 * Where an access goes: bytes `index + displacement` up to `+ size` of a region. In the checked profile the sum does not wrap: what
 * is not in the region aborts. In the own profile it is a virtual address, and wraps.
 */
export interface Place {
  readonly region: number;
  readonly size: Size;
  readonly index: Expression;
  /** 0 to 2^32 - 1. */
  readonly displacement: number;
  readonly endian: Endian;
  /** Log2 of what the address is certainly a multiple of. A broken promise is an address error on MIPS. */
  readonly align: 0 | 1 | 2 | 3;
  /** What must be tested first; made by `guardModule`, never by hand. */
  readonly guard?: Guard;
}

/**
 * What must be tested before an access, for `extent` bytes from the index: `floor`, that the region has `extent` bytes at all;
 * `span`, that the index is at most its length minus `extent` (which needs the floor, or an extent of 1, where it is `index < length`).
 */
export interface Guard {
  readonly extent: number;
  readonly floor: boolean;
  readonly span: boolean;
}

export type Expression =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'const64'; readonly value: bigint }
  | { readonly kind: 'local'; readonly local: number }
  | { readonly kind: 'global'; readonly global: number }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** `then` if the condition is not 0, else `otherwise`; all three are evaluated, in this order: then, otherwise, condition. */
  | {
      readonly kind: 'select';
      readonly then: Expression;
      readonly otherwise: Expression;
      readonly condition: Expression;
      readonly type: ValueType;
    }
  /** `signed`: bytes and halves repeat their sign. */
  | ({ readonly kind: 'load'; readonly signed: boolean } & Place)
  /** The length of a region in bytes. */
  | { readonly kind: 'length'; readonly region: number }
  /** 1 if `bytes` bytes from `index` on lie in the region, else 0. `guard`: the tests that decide it. */
  | {
      readonly kind: 'fits';
      readonly region: number;
      readonly index: Expression;
      readonly bytes: number;
      readonly guard?: Guard;
    };

export type Body = readonly Statement[];

/** A statement. `at`, where it is given, is a position in the source: for listings. */
export type Statement = StatementKind & { readonly at?: number };

type StatementKind =
  | { readonly kind: 'set'; readonly local: number; readonly value: Expression }
  | { readonly kind: 'setGlobal'; readonly global: number; readonly value: Expression }
  | ({ readonly kind: 'store'; readonly value: Expression } & Place)
  | { readonly kind: 'if'; readonly condition: Expression; readonly then: Body; readonly otherwise: Body }
  /** Runs the body with `counter` 0, 1, …, `count` - 1, which the body may not set; afterwards, `counter` is `count`. */
  | { readonly kind: 'for'; readonly counter: number; readonly count: number; readonly body: Body }
  /** A branch to the label goes behind the block. Labels are different in the whole function. */
  | { readonly kind: 'block'; readonly label: number; readonly body: Body }
  /** A branch to the label goes back to the head; falling off the end leaves the loop. */
  | { readonly kind: 'loop'; readonly label: number; readonly body: Body }
  | { readonly kind: 'branch'; readonly label: number }
  /** The body of the one case with this value, else `otherwise`. No fall-through. */
  | { readonly kind: 'switch'; readonly value: Expression; readonly cases: readonly Case[]; readonly otherwise: Body }
  | { readonly kind: 'return'; readonly values: readonly Expression[] }
  | { readonly kind: 'abort'; readonly code: number }
  /** Results go to locals, in order. */
  | {
      readonly kind: 'call';
      readonly function: number;
      readonly values: readonly Expression[];
      readonly results: readonly number[];
    }
  /** Aborts with `ABORT_TABLE` if the slot does not exist, is empty or holds a function of another signature. */
  | {
      readonly kind: 'callIndirect';
      /** Which functions may be called: those of the same number. */
      readonly signature: number;
      readonly slot: Expression;
      readonly values: readonly Expression[];
      readonly results: readonly number[];
    }
  /** What the profile's environment does: a system call, or a routine of the kit. */
  | {
      readonly kind: 'callImport';
      readonly import: number;
      readonly values: readonly Expression[];
      readonly results: readonly number[];
    }
  /** Makes region 0 longer by so many pages of 64 KiB; `result` becomes its length before in pages, or 2^32 - 1 if it cannot. */
  | { readonly kind: 'grow'; readonly pages: Expression; readonly result: number };

/** One case: the values that lead to it, and what to do. */
interface Case {
  readonly values: readonly number[];
  readonly body: Body;
}

/** A function. Locals 0 to `parameters.length - 1` are the parameters; the others start as 0. Falling off the end returns zeros. */
export interface Func extends Omit<Signature, 'parameters'> {
  readonly name: string;
  readonly parameters: readonly Variable[];
  readonly locals: readonly Variable[];
  readonly body: Body;
  /** Functions of equal signatures have equal numbers, from 1 on. */
  readonly signature: number;
}

/** A word or long of the module's own. */
export interface Global extends Variable {
  readonly initial: number | bigint;
}

/** A function that the module does not define. */
export interface Import extends Signature {
  readonly module: string;
  readonly name: string;
}

/** Bytes that stand in memory when a run begins. */
export interface Data {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A window of memory: a base address and a length that are bound at each run. */
export interface Region {
  readonly name: string;
  readonly access: 'r' | 'rw';
  /**
   * What the binder promises about the base: `base % align === skew`. MIPS uses whole-word accesses on the strength of it; a broken promise is
   * an address error there.
   */
  readonly align: 1 | 2 | 4;
  readonly skew: number;
}

/** A module: what is compiled and run together. */
export interface Module {
  readonly name: string;
  /** Windows of memory. If the module has a memory, it is region 0. */
  readonly regions: readonly Region[];
  readonly functions: readonly Func[];
  readonly imports: readonly Import[];
  readonly globals: readonly Global[];
  /** Indices of functions, imports not counted; -1 is an empty slot. */
  readonly table: readonly number[];
  /** Names by which functions are called from outside. */
  readonly exports: ReadonlyMap<string, number>;
  /** Runs before anything else. */
  readonly start: number | undefined;
  readonly memory: { readonly pages: number; readonly most: number } | undefined;
  readonly data: readonly Data[];
}
