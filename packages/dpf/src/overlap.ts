/**
 * Whether two filters can accept one packet. Exact for filters without shifts and for shifts by a known amount; where a shift
 * depends on the packet it says "they can" unless the fields that both place alike contradict each other.
 *
 * Every bit that a filter tests is a demand on a byte, named by its place: an offset from the packet's start, or from where a
 * shift of unknown length led. Shifts of one field by one rule lead both filters to one place. Two filters exclude each other
 * when they demand different values of one bit.
 */
import type { NormalAtom } from './atoms.ts';

/** What is demanded of bytes: per place, the bits that are tested and their values. */
type Demands = Map<string, { mask: number; value: number }>;

/** A place in the packet: where the last unknown shift led (empty: the start), and the offset from there. */
interface Place {
  readonly base: string;
  readonly offset: number;
}

const START: Place = { base: '', offset: 0 };

/** Whether a packet can be accepted by both. */
export function canOverlap(a: readonly NormalAtom[], b: readonly NormalAtom[]): boolean {
  const demands: Demands = new Map();
  // What one filter demands may tell how far the other shifts: again until nothing new is known.
  for (;;) {
    const before = size(demands);
    if (!collect(a, demands) || !collect(b, demands)) return false;
    if (size(demands) === before) return true;
  }
}

/** Whether every packet that `a` accepts is accepted by `b`: yes only if it is plain, because `b` demands nothing that `a` does not. */
export function isWithin(a: readonly NormalAtom[], b: readonly NormalAtom[]): boolean {
  const demands: Demands = new Map();
  if (!collect(a, demands)) return false;
  const before = size(demands);
  return collect(b, demands) && size(demands) === before;
}

/** On how many bits of a packet it depends whether a filter accepts it; a bit that is tested twice counts once. */
export function demandedBits(atoms: readonly NormalAtom[]): number {
  const demands: Demands = new Map();
  collect(atoms, demands);
  return size(demands);
}

/** How many bits are demanded. */
function size(demands: Demands): number {
  let bits = 0;
  for (const { mask } of demands.values()) for (let rest = mask; rest !== 0; rest >>>= 1) bits += rest & 1;
  return bits;
}

/** Adds what a filter demands. Returns whether it agrees with what was demanded before. */
function collect(atoms: readonly NormalAtom[], demands: Demands): boolean {
  let place = START;
  for (const atom of atoms) {
    if (atom.kind === 'shift') place = shifted(place, atom, demands);
    else if (!demand(place, atom, demands)) return false;
  }
  return true;
}

/** A field's byte `i`, the most significant first: its key, and its bits of a value. */
function byteOf(place: Place, atom: NormalAtom, i: number): { key: string; shift: number } {
  return { key: `${place.base}@${place.offset + atom.offset + i}`, shift: 8 * (atom.size - 1 - i) };
}

function demand(place: Place, atom: Extract<NormalAtom, { kind: 'meq' }>, demands: Demands): boolean {
  for (let i = 0; i < atom.size; i += 1) {
    const { key, shift } = byteOf(place, atom, i);
    const mask = (atom.mask >>> shift) & 0xff;
    const value = (atom.value >>> shift) & 0xff;
    const known = demands.get(key) ?? { mask: 0, value: 0 };
    if (((known.value ^ value) & known.mask & mask) !== 0) return false;
    demands.set(key, { mask: known.mask | mask, value: known.value | value });
  }
  return true;
}

/** Where a shift leads: on by so many bytes if all its bits are demanded, else to a place of its own. */
function shifted(place: Place, atom: Extract<NormalAtom, { kind: 'shift' }>, demands: Demands): Place {
  let field = 0;
  let isKnown = true;
  for (let i = 0; i < atom.size; i += 1) {
    const { key, shift } = byteOf(place, atom, i);
    const mask = (atom.mask >>> shift) & 0xff;
    const known = demands.get(key) ?? { mask: 0, value: 0 };
    if ((mask & ~known.mask) !== 0) isKnown = false;
    field += (known.value & mask) * 2 ** shift;
  }
  if (isKnown) return { base: place.base, offset: place.offset + field * 2 ** atom.shift };
  const { offset, size: bytes, mask, shift } = atom;
  return { base: `${place.base}[${place.offset + offset}:${bytes}&${mask}<<${shift}]`, offset: place.offset };
}
