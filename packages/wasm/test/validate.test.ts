/** The decoder and the validator: every rule, and the host's verdict on modules that are changed at random. */
import { describe, expect, test } from 'vitest';
import { I32, I64, ModuleBuilder, validateModule, WasmError, type WasmErrorCode } from '@exokernel/wasm';

/** Bytes from numbers and texts (a text is a name, with its length). */
function bytesOf(parts: readonly (number | string)[]): number[] {
  return parts.flatMap((part) => (typeof part === 'number' ? [part] : [part.length, ...Buffer.from(part)]));
}

type Sections = readonly (readonly [id: number, ...content: (number | string)[]])[];

function moduleOf(sections: Sections): Uint8Array<ArrayBuffer> {
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (const [id, ...content] of sections) {
    const inner = bytesOf(content);
    bytes.push(id, inner.length, ...inner);
  }
  return Uint8Array.from(bytes);
}

/** Types: 0 takes nothing and gives nothing, 1 takes and gives an i32, 2 gives an i64. */
const TYPES = [1, 3, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7e] as const;
/** A function of type 1, with a memory, a table, two globals and a segment of data; `code` is its body. */
function withCode(code: readonly number[], locals: readonly number[] = [0]): Uint8Array<ArrayBuffer> {
  const body = [...locals, ...code, 0x0b];
  return moduleOf([
    TYPES,
    [3, 1, 1],
    [4, 1, 0x70, 0, 4],
    [5, 1, 0, 1],
    [6, 2, 0x7f, 1, 0x41, 0, 0x0b, 0x7e, 0, 0x42, 0, 0x0b],
    [12, 1],
    [10, 1, body.length, ...body],
    [11, 1, 1, 2, 65, 66],
  ]);
}

/** `valid`, or the code of the error; the host must agree on what is valid, but for what is not supported. */
function verdict(bytes: Uint8Array<ArrayBuffer>): WasmErrorCode | 'valid' {
  try {
    validateModule(bytes);
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
    if (error.code === 'malformed' || error.code === 'invalid') {
      expect(WebAssembly.validate(bytes), error.message).toBe(false);
    }
    return error.code;
  }
  expect(WebAssembly.validate(bytes)).toBe(true);
  return 'valid';
}

describe('modules', () => {
  test.each<[string, Sections, WasmErrorCode | 'valid']>([
    ['nothing', [], 'valid'],
    ['an unknown section', [[14]], 'malformed'],
    ['tags', [[13, 0]], 'unsupported'],
    [
      'sections in the wrong order',
      [
        [3, 0],
        [1, 0],
      ],
      'malformed',
    ],
    [
      'a section twice',
      [
        [1, 0],
        [1, 0],
      ],
      'malformed',
    ],
    ['a section that is too long', [[1, 0, 0]], 'malformed'],
    ['a count beyond the end', [[1, 5]], 'malformed'],
    ['a number that is too long', [[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0]], 'malformed'],
    ['a form of type that is none', [[1, 1, 0x41]], 'malformed'],
    ['a value type that is none', [[1, 1, 0x60, 1, 0x01, 0]], 'malformed'],
    ['vectors', [[1, 1, 0x60, 1, 0x7b, 0]], 'unsupported'],
    ['references', [[1, 1, 0x60, 1, 0x6f, 0]], 'unsupported'],
    ['a function of an unknown type', [TYPES, [3, 1, 9], [10, 1, 2, 0, 0x0b]], 'invalid'],
    ['functions without code', [TYPES, [3, 1, 0]], 'malformed'],
    ['code without functions', [TYPES, [10, 1, 2, 0, 0x0b]], 'malformed'],
    ['a body beyond the section', [TYPES, [3, 1, 0], [10, 1, 9, 0, 0x0b]], 'malformed'],
    ['a name that is not UTF-8', [TYPES, [2, 1, 1, 0xff, 1, 0x61, 0, 0]], 'malformed'],
    ['an import of an unknown kind', [TYPES, [2, 1, 'a', 'b', 9]], 'malformed'],
    ['a second memory', [[5, 2, 0, 1, 0, 1]], 'unsupported'],
    ['a second table', [[4, 2, 0x70, 0, 1, 0x70, 0, 1]], 'unsupported'],
    ['a table of other references', [[4, 1, 0x6f, 0, 1]], 'unsupported'],
    ['a table of values', [[4, 1, 0x7f, 0, 1]], 'malformed'],
    ['a memory without end', [[5, 1, 0, 0x81, 0x80, 4]], 'invalid'],
    ['a memory that ends before it begins', [[5, 1, 1, 2, 1]], 'invalid'],
    ['a memory of strange limits', [[5, 1, 9, 2, 1]], 'malformed'],
    ['a shared memory', [[5, 1, 3, 1, 1]], 'unsupported'],
    ['a global that is neither', [[6, 1, 0x7f, 2, 0x41, 0, 0x0b]], 'malformed'],
    ['an initial value of another type', [[6, 1, 0x7f, 0, 0x42, 0, 0x0b]], 'invalid'],
    ['an initial value that is no constant', [[6, 1, 0x7f, 0, 0x41, 0, 0x41, 0, 0x6d, 0x0b]], 'invalid'],
    ['no initial value', [[6, 1, 0x7f, 0, 0x0b]], 'invalid'],
    ['two initial values', [[6, 1, 0x7f, 0, 0x41, 0, 0x41, 0, 0x0b]], 'invalid'],
    ['a sum as initial value', [[6, 1, 0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b]], 'valid'],
    ['the value of a global that is not there', [[6, 1, 0x7f, 0, 0x23, 5, 0x0b]], 'invalid'],
    [
      'the value of a global that changes',
      [
        [2, 1, 'a', 'b', 3, 0x7f, 1],
        [6, 1, 0x7f, 0, 0x23, 0, 0x0b],
      ],
      'invalid',
    ],
    [
      'the value of an imported global',
      [
        [2, 1, 'a', 'b', 3, 0x7f, 0],
        [6, 1, 0x7f, 0, 0x23, 0, 0x0b],
      ],
      'valid',
    ],
    ['an export of what is not there', [[7, 1, 'a', 2, 0]], 'invalid'],
    ['an export of no kind', [[7, 1, 'a', 8, 0]], 'malformed'],
    [
      'an export twice',
      [
        [5, 1, 0, 1],
        [7, 2, 'a', 2, 0, 'a', 2, 0],
      ],
      'invalid',
    ],
    ['a start that is not there', [[8, 3]], 'invalid'],
    ['a start that takes something', [TYPES, [3, 1, 1], [8, 0], [10, 1, 4, 0, 0x20, 0, 0x0b]], 'invalid'],
    ['elements without table', [TYPES, [9, 1, 0, 0x41, 0, 0x0b, 0]], 'invalid'],
    [
      'elements that are not there',
      [
        [4, 1, 0x70, 0, 1],
        [9, 1, 0, 0x41, 0, 0x0b, 1, 7],
      ],
      'invalid',
    ],
    [
      'elements as expressions',
      [
        [4, 1, 0x70, 0, 1],
        [9, 1, 4, 0x41, 0, 0x0b, 0],
      ],
      'unsupported',
    ],
    [
      'elements of a kind that is none',
      [
        [4, 1, 0x70, 0, 1],
        [9, 1, 9],
      ],
      'malformed',
    ],
    ['data without memory', [[11, 1, 0, 0x41, 0, 0x0b, 0]], 'invalid'],
    [
      'data of a kind that is none',
      [
        [5, 1, 0, 1],
        [11, 1, 3],
      ],
      'malformed',
    ],
    [
      'more data than was said',
      [
        [5, 1, 0, 1],
        [12, 2],
        [11, 1, 1, 0],
      ],
      'malformed',
    ],
  ])('%s: %#', (_, sections, expected) => {
    expect(verdict(moduleOf(sections))).toBe(expected);
  });

  test('no module at all', () => {
    expect(verdict(Uint8Array.of())).toBe('malformed');
    expect(verdict(Uint8Array.of(0, 0x61, 0x73, 0x6e, 1, 0, 0, 0))).toBe('malformed');
    expect(verdict(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0))).toBe('malformed');
  });

  test('a broken section of names breaks nothing', () => {
    expect(verdict(moduleOf([[0, 'name', 1, 9, 9, 9]]))).toBe('valid');
  });
});

describe('functions', () => {
  test.each<[string, readonly number[], WasmErrorCode | 'valid']>([
    ['its parameter', [0x20, 0], 'valid'],
    ['an illegal opcode', [0x27], 'malformed'],
    ['an illegal opcode behind the prefix', [0xfc, 0x40], 'malformed'],
    ['a vector', [0xfd, 0x0c], 'unsupported'],
    ['an atomic', [0xfe, 0x00], 'unsupported'],
    ['a reference', [0xd0, 0x70, 0x1a, 0x20, 0], 'unsupported'],
    ['a table instruction', [0x41, 0, 0x25, 0, 0x1a, 0x20, 0], 'unsupported'],
    ['nothing on the stack', [], 'invalid'],
    ['too much on the stack', [0x20, 0, 0x20, 0], 'invalid'],
    ['a value of another type', [0x42, 0], 'invalid'],
    ['an operand of another type', [0x20, 0, 0x42, 0, 0x6a], 'invalid'],
    ['code behind a jump, of any type', [0x20, 0, 0x0f, 0x6a], 'valid'],
    ['code behind a jump, of a wrong type', [0x00, 0x42, 0, 0x6a], 'invalid'],
    ['a local that is not there', [0x20, 7], 'invalid'],
    ['a local of another type', [0x42, 0, 0x21, 0, 0x20, 0], 'invalid'],
    ['a global that is not there', [0x23, 7], 'invalid'],
    ['a global that does not change', [0x42, 0, 0x24, 1, 0x20, 0], 'invalid'],
    ['a function that is not there', [0x10, 7], 'invalid'],
    ['a call of itself', [0x20, 0, 0x10, 0], 'valid'],
    ['an indirect call of a type that is not there', [0x41, 0, 0x11, 9, 0], 'invalid'],
    ['an indirect call through another table', [0x20, 0, 0x41, 0, 0x11, 1, 1], 'invalid'],
    ['an indirect call', [0x20, 0, 0x41, 0, 0x11, 1, 0], 'valid'],
    ['a label that is not there', [0x0c, 5], 'invalid'],
    ['a branch without its value', [0x02, 0x7f, 0x0c, 0, 0x0b, 0x1a, 0x0c, 0], 'invalid'],
    ['a table of labels of different arity', [0x02, 0x40, 0x20, 0, 0x20, 0, 0x0e, 1, 0, 1, 0x0b, 0x20, 0], 'invalid'],
    ['a table of labels', [0x02, 0x40, 0x20, 0, 0x0e, 1, 0, 0, 0x0b, 0x20, 0], 'valid'],
    ['an if without else that gives something', [0x20, 0, 0x04, 0x7f, 0x20, 0, 0x0b], 'invalid'],
    ['an if of a type with parameters', [0x20, 0, 0x20, 0, 0x04, 1, 0x0b], 'valid'],
    ['an else without if', [0x20, 0, 0x05], 'invalid'],
    ['a block of a type that is not there', [0x02, 9, 0x0b], 'invalid'],
    ['a block that is not closed', [0x20, 0, 0x02, 0x40, 0x01], 'malformed'],
    ['more than the end', [0x20, 0, 0x0b, 0x01], 'malformed'],
    ['an alignment beyond nature', [0x20, 0, 0x28, 3, 0], 'invalid'],
    ['an alignment that is none', [0x20, 0, 0x28, 32, 0], 'malformed'],
    ['an access to a second memory', [0x20, 0, 0x28, 0x42, 1, 0], 'unsupported'],
    ['a size of a second memory', [0x3f, 1], 'unsupported'],
    ['a select of two types', [0x41, 0, 0x42, 0, 0x41, 0, 0x1b, 0x1a, 0x20, 0], 'invalid'],
    ['a select of two results', [0x41, 0, 0x41, 0, 0x41, 0, 0x1c, 2, 0x7f, 0x7f], 'invalid'],
    ['a select', [0x41, 0, 0x41, 0, 0x41, 0, 0x1c, 1, 0x7f], 'valid'],
    ['data that is not there', [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 5, 0, 0x20, 0], 'invalid'],
    ['data that is there', [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 0, 0, 0x20, 0], 'valid'],
    ['a constant that is too large', [0x41, 0xff, 0xff, 0xff, 0xff, 0x4f], 'malformed'],
    ['a constant that is too long', [0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 'malformed'],
    ['floating point', [0x43, 0, 0, 0, 0, 0x1a, 0x20, 0], 'valid'],
    ['a saturating conversion', [0x43, 0, 0, 0, 0, 0xfc, 0], 'valid'],
  ])('%s: %#', (_, code, expected) => {
    expect(verdict(withCode(code))).toBe(expected);
  });

  test('an error names the function and the offset', () => {
    const bytes = withCode([0x20, 7]);
    expect(() => validateModule(bytes)).toThrow(
      expect.objectContaining({ details: { function: 'function 0', offset: bytes.indexOf(0x20) } }),
    );
  });

  test('too many locals', () => {
    expect(verdict(withCode([0x20, 0], [1, 0xff, 0xff, 3, 0x7f]))).toBe('limit');
    expect(verdict(withCode([0x20, 0], [2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 1, 0x7f]))).not.toBe('valid');
  });

  test('blocks inside each other', () => {
    const nested = (depth: number): Uint8Array<ArrayBuffer> => {
      const builder = new ModuleBuilder();
      const f = builder.function([I32], [I64]);
      for (let i = 0; i < depth; i += 1) f.block();
      for (let i = 0; i < depth; i += 1) f.end();
      f.i64Const(1n);
      return builder.build();
    };
    expect(verdict(nested(500))).toBe('valid');
    expect(verdict(nested(501))).toBe('limit');
  });
});

/** A module with something of everything. */
function sample(): Uint8Array<ArrayBuffer> {
  const builder = new ModuleBuilder();
  builder.importMemory('env', 'memory', { minimum: 1, maximum: 3 });
  const host = builder.importFunction('env', 'host', [I32, I64], [I32]);
  const global = builder.global(I32, true, 5);
  const f = builder.function([I32, I64], [I32]);
  const other = builder.function([I32], [I32, I64]);
  builder.table([f.index, other.index]);
  const local = f.local(I64);
  f.block(I32);
  f.localGet(0);
  f.i64Load(8);
  f.localSet(local);
  f.loop();
  f.localGet(0);
  f.localGet(1);
  f.call(host);
  f.globalSet(global);
  f.localGet(0);
  f.i32Const(-5);
  f.i32DivS();
  f.localTee(0);
  f.brIf(0);
  f.end();
  f.localGet(0);
  f.if(I32);
  f.i32Const(1);
  f.else();
  f.globalGet(global);
  f.end();
  f.localGet(0);
  f.brTable([0, 0], 0);
  f.end();
  f.localGet(local);
  f.i32WrapI64();
  f.localGet(0);
  f.select();
  other.localGet(0);
  other.localGet(0);
  other.i64ExtendI32S();
  builder.export('f', 'function', f.index);
  return builder.build();
}

test('changed at random, a module is as valid as the host says, unless something is unsupported', () => {
  const original = sample();
  expect(verdict(original)).toBe('valid');
  let state = 2463534242;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const seen = new Map<string, number>();
  for (let i = 0; i < 20_000; i += 1) {
    const changed = Uint8Array.from(original);
    for (let times = 1 + random(3); times > 0; times -= 1) {
      const at = random(changed.length);
      changed[at] = random(2) === 0 ? random(256) : (changed[at] ?? 0) ^ (1 << random(8));
    }
    const found = verdict(random(10) === 0 ? changed.slice(0, random(changed.length)) : changed);
    seen.set(found, (seen.get(found) ?? 0) + 1);
  }
  for (const kind of ['valid', 'malformed', 'invalid', 'unsupported']) expect(seen.get(kind) ?? 0).toBeGreaterThan(100);
});
