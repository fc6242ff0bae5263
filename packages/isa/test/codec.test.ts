import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encode, EXTENSIONS, IsaError, type Mnemonic, OPERAND_FIELDS, operandKinds } from '../src/index.ts';
import { KNOWN, KNOWN_MIPS32 } from './known.ts';
import { ALL, limits, MNEMONICS, operandsFor, ROWS } from './tables.ts';

const instructionArbitrary = fc
  .constantFrom(...MNEMONICS)
  .chain((mnemonic) => operandsFor(mnemonic).map((operands) => ({ mnemonic, operands })));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof IsaError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('hostile operands', () => {
  test.each(MNEMONICS)('%s refuses every operand just outside its field, and a wrong count', (mnemonic) => {
    const kinds = operandKinds(mnemonic);
    const good = kinds.map((kind) => limits(kind)[0]);
    kinds.forEach((kind, i) => {
      const [low, high] = limits(kind);
      for (const bad of [low - 1, high + 1, 0.5, NaN, Infinity, -Infinity]) {
        expect(codeOf(() => encode({ mnemonic, operands: good.with(i, bad) }, ALL))).toBe('operand-range');
      }
    });
    expect(codeOf(() => encode({ mnemonic, operands: [...good, 0] }, ALL))).toBe('operand-count');
  });

  test('a mnemonic that does not exist is refused, also a name from Object.prototype', () => {
    for (const mnemonic of ['pref', '', 'constructor', '__proto__']) {
      expect(codeOf(() => encode({ mnemonic: mnemonic as Mnemonic, operands: [] }))).toBe('unknown-instruction');
      expect(codeOf(() => operandKinds(mnemonic as Mnemonic))).toBe('unknown-instruction');
    }
  });
});

describe('the instruction table', () => {
  test.each(MNEMONICS)('mask and operands of %s partition the word', (mnemonic) => {
    const [, match, mask] = ROWS[mnemonic];
    let covered = mask >>> 0;
    // rd2 has two fields.
    for (const kind of operandKinds(mnemonic).flatMap((k) => (k === 'rd2' ? (['rd', 'rt'] as const) : [k]))) {
      const { shift, bits } = OPERAND_FIELDS[kind];
      const field = ((2 ** bits - 1) << shift) >>> 0;
      expect(covered & field, `${kind} overlaps`).toBe(0);
      covered = (covered | field) >>> 0;
    }
    expect(covered).toBe(0xffffffff);
    expect((match & ~mask) >>> 0, 'match has bits outside mask').toBe(0);
  });

  test('no word matches two rows', () => {
    for (const a of MNEMONICS) {
      for (const b of MNEMONICS) {
        if (a === b) continue;
        const [, matchA, maskA] = ROWS[a];
        const [, matchB, maskB] = ROWS[b];
        const common = maskA & maskB;
        expect((matchA & common) !== (matchB & common), `${a} and ${b}`).toBe(true);
      }
    }
  });

  test('every row has a known encoding', () => {
    const seen = new Set([...KNOWN, ...KNOWN_MIPS32].map(([, word]) => decode(word, ALL)?.mnemonic));
    expect(MNEMONICS.filter((mnemonic) => !seen.has(mnemonic))).toEqual([]);
  });
});

describe('an extension that is not named', () => {
  test.each(ALL)('%s: its instructions are not encoded, and its words are no instructions', (extension) => {
    for (const mnemonic of Object.keys(EXTENSIONS[extension]) as Mnemonic[]) {
      fc.assert(
        fc.property(operandsFor(mnemonic), (operands) => {
          const others = ALL.filter((name: string) => name !== extension);
          expect(codeOf(() => encode({ mnemonic, operands }, others))).toBe('extension');
          expect(codeOf(() => encode({ mnemonic, operands }))).toBe('extension');
          expect(decode(encode({ mnemonic, operands }, ALL), others)).toBeUndefined();
        }),
        { numRuns: 50 },
      );
    }
  });
});

describe('operands that contradict each other [MIPS32]', () => {
  test.each([
    ['ext of bits 31 and 32', 0x7c000000 | (31 << 6) | (1 << 11)],
    ['ext of 32 bits from bit 1', 0x7c000000 | (1 << 6) | (31 << 11)],
    ['ins that ends before it begins', 0x7c000004 | (5 << 6) | (4 << 11)],
    ['clz with two destinations', 0x70000020 | (2 << 11) | (3 << 16)],
  ])('%s is no instruction', (_, word) => {
    expect(decode(word, ALL)).toBeUndefined();
  });

  test('a bit field reaches to the end of the word and not beyond', () => {
    for (let pos = 0; pos < 32; pos += 1) {
      for (const mnemonic of ['ext', 'ins'] as const) {
        const most = encode({ mnemonic, operands: [2, 3, pos, 32 - pos] }, ALL);
        expect(decode(most, ALL)?.operands).toEqual([2, 3, pos, 32 - pos]);
        expect(codeOf(() => encode({ mnemonic, operands: [2, 3, pos, 33 - pos] }, ALL))).toBe('operand-range');
      }
    }
  });
});

describe('properties', () => {
  test('decode(encode(x)) is x', () => {
    fc.assert(
      fc.property(instructionArbitrary, (instruction) => {
        const word = encode(instruction, ALL);
        expect(word).toBe(word >>> 0);
        expect(decode(word, ALL)).toEqual(instruction);
      }),
      { numRuns: 3000 },
    );
  });

  test('encode(decode(w)) is w for every word that decodes', () => {
    const near = fc
      .tuple(fc.constantFrom(...MNEMONICS), fc.integer(), fc.integer({ min: -1, max: 31 }))
      .map(([mnemonic, bits, flip]) => {
        const [, match, mask] = ROWS[mnemonic];
        return ((bits & ~mask) | match) ^ (flip < 0 ? 0 : 1 << flip);
      });
    let decoded = 0;
    fc.assert(
      fc.property(fc.oneof(fc.integer(), near), (word) => {
        const instruction = decode(word, ALL);
        if (instruction === undefined) return;
        decoded += 1;
        expect(encode(instruction, ALL)).toBe(word >>> 0);
      }),
      { numRuns: 5000 },
    );
    expect(decoded).toBeGreaterThan(1000);
  });
});
