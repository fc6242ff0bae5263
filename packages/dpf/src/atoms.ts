/**
 * Atoms: what a filter is made of. A filter is a list of atoms and matches a packet when all of them do, in order.
 *
 * Fields are in network byte order and lie at an offset from the current position, which is the packet's first byte until
 * a `shift` moves it. A field that reaches beyond the packet's end does not match. Source: [DPF96].
 */
import { DpfError } from './error.ts';

/** Bytes of a field. */
export type FieldSize = 1 | 2 | 4;

export type Atom =
  /** The field equals `value`. */
  | { readonly kind: 'eq'; readonly offset: number; readonly size: FieldSize; readonly value: number }
  /** The bits of the field that are in `mask` equal `value`. */
  | {
      readonly kind: 'meq';
      readonly offset: number;
      readonly size: FieldSize;
      readonly mask: number;
      readonly value: number;
    }
  /** The position moves forward by `(field & mask) << shift` bytes: how to step over a header of variable length. */
  | {
      readonly kind: 'shift';
      readonly offset: number;
      readonly size: FieldSize;
      readonly mask: number;
      readonly shift: number;
    };

/** An atom as the trie keeps it: `eq` is `meq` with a full mask. */
export type NormalAtom = Exclude<Atom, { readonly kind: 'eq' }>;
export type TestAtom = Extract<NormalAtom, { readonly kind: 'meq' }>;

/**
 * Bounds. `offset` fits what the IR can check at once; `step` keeps positions far from 2^32. Assumption: `shifts`, more
 * headers than any packet has.
 */
export const ATOM_LIMITS: { readonly offset: number; readonly step: number; readonly shifts: number } = {
  offset: 0x7ff0,
  /** What one shift can add at most: `mask << shift`. */
  step: 0xffff,
  /** Shifts in one filter. */
  shifts: 32,
};

/** All bits of a field. */
export function fullMask(size: FieldSize): number {
  return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
}

/**
 * Checks a filter's atoms and gives their normal form: masks everywhere, neighbours tested as one wider field. The normal
 * form matches the same packets. Throws `DpfError` `malformed`.
 */
export function normalize(atoms: readonly Atom[]): readonly NormalAtom[] {
  if (atoms.length === 0) throw new DpfError('malformed', 'a filter without atoms would match every packet');
  const normal: NormalAtom[] = [];
  let shifts = 0;
  for (const atom of atoms) {
    check(atom);
    if (atom.kind === 'shift') shifts += 1;
    normal.push(atom.kind === 'eq' ? { ...atom, kind: 'meq', mask: fullMask(atom.size) } : atom);
    coalesce(normal);
  }
  if (shifts > ATOM_LIMITS.shifts)
    throw new DpfError('malformed', `${shifts} shifts are more than ${ATOM_LIMITS.shifts}`);
  return normal;
}

/** Joins the last two tests as long as they are of adjacent fields of one size. */
function coalesce(atoms: NormalAtom[]): void {
  for (;;) {
    const second = atoms.at(-1);
    const first = atoms.at(-2);
    if (first?.kind !== 'meq' || second?.kind !== 'meq' || first.size !== second.size || first.size === 4) return;
    if (first.offset + first.size !== second.offset) return;
    const bits = 8 * first.size;
    atoms.splice(-2, 2, {
      kind: 'meq',
      offset: first.offset,
      size: first.size === 1 ? 2 : 4,
      mask: ((first.mask << bits) | second.mask) >>> 0,
      value: ((first.value << bits) | second.value) >>> 0,
    });
  }
}

function check(atom: Atom): void {
  const { kind, offset } = atom;
  const size: number = atom.size;
  const isWithin = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;
  const refuse = (what: string, value: unknown): never => {
    throw new DpfError('malformed', `${what} of the atom ${JSON.stringify(atom)} is not allowed`, { what, value });
  };
  if (size !== 1 && size !== 2 && size !== 4) refuse('the size', size);
  if (!isWithin(offset, ATOM_LIMITS.offset)) refuse('the offset', offset);
  const full = fullMask(atom.size);
  switch (kind) {
    case 'eq':
      if (!isWithin(atom.value, full)) refuse('the value', atom.value);
      return;
    case 'meq':
      if (!isWithin(atom.mask, full) || atom.mask === 0) refuse('the mask', atom.mask);
      if (!isWithin(atom.value, full) || (atom.value & ~atom.mask) !== 0) refuse('the value', atom.value);
      return;
    case 'shift':
      if (!isWithin(atom.mask, full) || atom.mask === 0) refuse('the mask', atom.mask);
      if (!isWithin(atom.shift, 15) || atom.mask * 2 ** atom.shift > ATOM_LIMITS.step) refuse('the shift', atom.shift);
      return;
    default:
      refuse('the kind', kind);
  }
}

/** How many bits of the packet a filter tests: its length in "longest match wins". */
export function testedBits(atoms: readonly NormalAtom[]): number {
  let bits = 0;
  for (const atom of atoms) {
    if (atom.kind === 'shift') continue;
    for (let rest = atom.mask; rest !== 0; rest >>>= 1) bits += rest & 1;
  }
  return bits;
}

/** A field of a packet in network byte order; -1 if it reaches beyond the end. */
export function readField(packet: Uint8Array, at: number, size: FieldSize): number {
  if (at + size > packet.length) return -1;
  let value = 0;
  for (let i = 0; i < size; i += 1) value = value * 256 + (packet[at + i] ?? 0);
  return value;
}

/** Whether a filter matches a packet: the meaning of atoms. */
export function matches(atoms: readonly Atom[], packet: Uint8Array): boolean {
  let position = 0;
  for (const atom of atoms) {
    const field = readField(packet, position + atom.offset, atom.size);
    if (field < 0) return false;
    if (atom.kind === 'shift') position += ((field & atom.mask) >>> 0) * 2 ** atom.shift;
    else if (atom.kind === 'eq' ? field !== atom.value : (field & atom.mask) >>> 0 !== atom.value) return false;
  }
  return true;
}
