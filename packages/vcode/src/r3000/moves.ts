/**
 * Moves that happen at once, one after the other: none may overwrite what another still reads.
 *
 * Places are registers (0 to 31) and words of the frame (`STACK` and above, by offset in words).
 */
import { AT } from '@exokernel/isa';
import { line, load32, type Line } from './code.ts';
import type { Convention } from './convention.ts';

/** The first number of a word of the frame: `STACK + n` is the word `n` words above its beginning. */
export const STACK = 0x100;

/** Where the frame and the record are. */
export type Places = Pick<Convention, 'record' | 'spills'>;

/** The operands of an access to a word of the frame. */
export function frameWord(register: number, place: number, { spills }: Places): number[] {
  return [register, 4 * (place - STACK) + spills.offset, spills.base];
}

/** A place; or a constant, or a word of the module's record, that is made where it goes. */
type Origin = number | { readonly constant: number } | { readonly field: number };

export interface Move {
  readonly to: number;
  readonly from: Origin;
}

const isPlace = (what: Origin): what is number => typeof what === 'number';

const isInMemory = ({ to, from }: Move): boolean => to >= STACK || (isPlace(from) && from >= STACK);

/** The lines that do all moves at once. `spare` is a word of the stack for the rare case that words of the stack change places. */
export function movesInOrder(moves: readonly Move[], spare: () => number, at: number, places: Places): Line[] {
  const lines: Line[] = [];
  /** By target: what goes there and is not done. */
  const left = new Map<number, Move>();
  /** By place: how many of those read it. */
  const readers = new Map<number, number>();
  let inMemory = 0;
  for (const move of moves) {
    if (move.from === move.to) continue;
    left.set(move.to, move);
    if (isPlace(move.from)) readers.set(move.from, (readers.get(move.from) ?? 0) + 1);
    if (isInMemory(move)) inMemory += 1;
  }
  const ready: Move[] = [];
  for (const move of left.values()) if ((readers.get(move.to) ?? 0) === 0) ready.push(move);
  /** What waited for the place may go there. */
  const release = (place: number): void => {
    readers.delete(place);
    const waiting = left.get(place);
    if (waiting !== undefined) ready.push(waiting);
  };
  let next = 0;
  while (left.size > 0) {
    for (; next < ready.length; next += 1) {
      const move = ready[next] as Move;
      const { from, to } = move;
      lines.push(...transfer(move, at, places));
      left.delete(to);
      if (isInMemory(move)) inMemory -= 1;
      if (!isPlace(from)) continue;
      const others = (readers.get(from) ?? 0) - 1;
      if (others > 0) readers.set(from, others);
      else release(from);
    }
    // What is left goes in circles, in which every place has one reader: one value of each waits elsewhere.
    for (const { from, to } of left.values()) {
      if (!isPlace(from)) break;
      const place = inMemory > 0 ? STACK + spare() : AT;
      lines.push(...transfer({ to: place, from }, at, places));
      const before = { to, from };
      const move = { to, from: place };
      left.set(to, move);
      inMemory += (isInMemory(move) ? 1 : 0) - (isInMemory(before) ? 1 : 0);
      release(from);
      break;
    }
  }
  return lines;
}

function transfer({ to, from }: Move, at: number, places: Places): Line[] {
  const isMemory = to >= STACK;
  const register = isMemory ? AT : to;
  let lines: Line[];
  let holder = register;
  if (!isPlace(from)) {
    if ('field' in from) lines = [line('lw', [register, from.field, places.record], { at, mayRead: true })];
    else if (from.constant === 0 && isMemory) {
      lines = [];
      holder = 0;
    } else lines = load32(register, from.constant, at);
  } else if (from >= STACK) lines = [line('lw', frameWord(register, from, places), { at, mayRead: true })];
  else if (isMemory) {
    lines = [];
    holder = from;
  } else lines = [line('addu', [to, from, 0], { at })];
  if (isMemory) lines.push(line('sw', frameWord(holder, to, places), { at }));
  return lines;
}
