/**
 * Wakeup predicates as an environment writes them: sums of products of comparisons, encoded for `wake_set`. [XOK]
 *
 * A word that another may change is named by its physical address and a capability to read its frame; words of the
 * kernel's exposed tables need none. All words compare unsigned.
 */
import {
  EXPOSED,
  PREDICATE,
  PREDICATE_OPERATORS,
  WELL_KNOWN_READ,
  type CapabilityWords,
  type PredicateOperator,
} from '@exokernel/abi';
import { LibosError } from './error.ts';

/** One side of a comparison: a constant, or a word of memory. */
export type PredicateSide = number | { readonly physical: number; readonly capability: CapabilityWords };

/** `left operator right`. */
export interface PredicateTerm {
  readonly left: PredicateSide;
  readonly operator: PredicateOperator;
  readonly right: PredicateSide;
}

/** All terms hold: the environment wakes, and finds `tag` (1 to 2³² − 1) in its record (ENV.wakeTag). */
export interface PredicateProduct {
  readonly tag: number;
  readonly terms: readonly PredicateTerm[];
}

/** A word of an exposed table: `offset` bytes into it. */
export function exposedWord(table: keyof typeof EXPOSED, offset: number): PredicateSide {
  const physical = EXPOSED[table] + offset;
  return { physical, capability: [0, physical >>> 12, WELL_KNOWN_READ[0], WELL_KNOWN_READ[1]] };
}

/**
 * The bytes for `wake_set`: wake up when any product holds, the first that does. Throws `LibosError` `predicate` for what
 * the kernel would refuse from anyone: too many products or terms, a tag of 0, an address that is not a word's.
 */
export function encodePredicate(products: readonly PredicateProduct[]): Uint8Array<ArrayBuffer> {
  const words: number[] = [count(products, PREDICATE.products, 'products')];
  for (const { tag, terms } of products) {
    if (!Number.isInteger(tag) || tag < 1 || tag > 0xffffffff) {
      throw new LibosError('predicate', `a tag of ${tag}: use 1 to 2^32 - 1`, { tag });
    }
    words.push(tag, count(terms, PREDICATE.terms, 'terms'));
    for (const { operator, left, right } of terms) {
      words.push(PREDICATE_OPERATORS[operator], ...side(left), ...side(right));
    }
  }
  const bytes = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    bytes.setUint32(4 * i, word, true);
  });
  return new Uint8Array(bytes.buffer);
}

function count(list: readonly unknown[], limit: number, what: string): number {
  if (list.length < 1 || list.length > limit) {
    throw new LibosError('predicate', `${list.length} ${what}: use 1 to ${limit}`, { [what]: list.length });
  }
  return list.length;
}

function side(given: PredicateSide): readonly number[] {
  if (typeof given === 'number') return [PREDICATE.constant, given, 0, 0, 0];
  const { physical, capability } = given;
  if (!Number.isInteger(physical) || physical < 0 || physical % 4 !== 0) {
    throw new LibosError('predicate', `no word lies at ${physical}`, { physical });
  }
  return [PREDICATE.variable, physical, capability[0], capability[2], capability[3]];
}
