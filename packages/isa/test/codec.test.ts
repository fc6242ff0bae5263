import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decode,
  encode,
  INSTRUCTIONS,
  IsaError,
  type Mnemonic,
  OPERAND_FIELDS,
  operandKinds,
  type OperandKind,
} from '../src/index.ts';
import { KNOWN } from './known.ts';

const MNEMONICS = Object.keys(INSTRUCTIONS) as Mnemonic[];
const SIGNED = new Set<OperandKind>(['imm', 'offset', 'branch']);

function limits(kind: OperandKind): [number, number] {
  const { bits } = OPERAND_FIELDS[kind];
  return SIGNED.has(kind) ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

const instructionArbitrary = fc
  .constantFrom(...MNEMONICS)
  .chain((mnemonic) =>
    fc
      .tuple(...operandKinds(mnemonic).map((kind) => fc.integer({ min: limits(kind)[0], max: limits(kind)[1] })))
      .map((operands) => ({ mnemonic, operands })),
  );

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
    const good = kinds.map(() => 0);
    kinds.forEach((kind, i) => {
      const [low, high] = limits(kind);
      for (const bad of [low - 1, high + 1, 0.5, NaN, Infinity, -Infinity]) {
        expect(codeOf(() => encode({ mnemonic, operands: good.with(i, bad) }))).toBe('operand-range');
      }
    });
    expect(codeOf(() => encode({ mnemonic, operands: [...good, 0] }))).toBe('operand-count');
  });

  test('a mnemonic that does not exist is refused, also a name from Object.prototype', () => {
    for (const mnemonic of ['movz', '', 'constructor', '__proto__']) {
      expect(codeOf(() => encode({ mnemonic: mnemonic as Mnemonic, operands: [] }))).toBe('unknown-instruction');
      expect(codeOf(() => operandKinds(mnemonic as Mnemonic))).toBe('unknown-instruction');
    }
  });
});

describe('the instruction table', () => {
  test.each(MNEMONICS)('mask and operands of %s partition the word', (mnemonic) => {
    const [, match, mask] = INSTRUCTIONS[mnemonic];
    let covered = mask >>> 0;
    for (const kind of operandKinds(mnemonic)) {
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
        const [, matchA, maskA] = INSTRUCTIONS[a];
        const [, matchB, maskB] = INSTRUCTIONS[b];
        const common = maskA & maskB;
        expect((matchA & common) !== (matchB & common), `${a} and ${b}`).toBe(true);
      }
    }
  });

  test('every row has a known encoding', () => {
    const seen = new Set(KNOWN.map(([, word]) => decode(word)?.mnemonic));
    expect(MNEMONICS.filter((mnemonic) => !seen.has(mnemonic))).toEqual([]);
  });
});

describe('properties', () => {
  test('decode(encode(x)) is x', () => {
    fc.assert(
      fc.property(instructionArbitrary, (instruction) => {
        const word = encode(instruction);
        expect(word).toBe(word >>> 0);
        expect(decode(word)).toEqual(instruction);
      }),
      { numRuns: 3000 },
    );
  });

  test('encode(decode(w)) is w for every word that decodes', () => {
    const near = fc
      .tuple(fc.constantFrom(...MNEMONICS), fc.integer(), fc.integer({ min: -1, max: 31 }))
      .map(([mnemonic, bits, flip]) => {
        const [, match, mask] = INSTRUCTIONS[mnemonic];
        return ((bits & ~mask) | match) ^ (flip < 0 ? 0 : 1 << flip);
      });
    let decoded = 0;
    fc.assert(
      fc.property(fc.oneof(fc.integer(), near), (word) => {
        const instruction = decode(word);
        if (instruction === undefined) return;
        decoded += 1;
        expect(encode(instruction)).toBe(word >>> 0);
      }),
      { numRuns: 5000 },
    );
    expect(decoded).toBeGreaterThan(1000);
  });
});
