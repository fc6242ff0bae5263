/**
 * Moves that happen at once, one after the other: none may overwrite what another still reads.
 *
 * Places are registers (0 to 31) and words of the stack (`stack` and above, by offset in words).
 */
import { AT, SP } from '@exokernel/isa';
import { line, load32, type Line } from './code.ts';

/** The first number of a word of the stack: `STACK + n` is the word `n` words above sp. */
export const STACK = 0x100;

/** A place; or a constant, or a word of the module's record, that is made where it goes. */
type Origin = number | { readonly constant: number } | { readonly field: number };

export interface Move {
  readonly to: number;
  readonly from: Origin;
}

const isPlace = (what: Origin): what is number => typeof what === 'number';

/** The lines that do all moves at once. `spare` is a word of the stack for the rare case that words of the stack change places. */
export function movesInOrder(moves: readonly Move[], spare: () => number, at: number): Line[] {
  const lines: Line[] = [];
  let left = moves.filter(({ from, to }) => from !== to);
  while (left.length > 0) {
    const needed = new Set(left.map(({ from }) => from).filter(isPlace));
    const ready = left.filter(({ to }) => !needed.has(to));
    if (ready.length === 0) {
      // A circle: one value waits elsewhere.
      const [first] = left;
      if (first === undefined || !isPlace(first.from)) break;
      const { from } = first;
      const isMemory = left.some((one) => one.to >= STACK || (isPlace(one.from) && one.from >= STACK));
      const place = isMemory ? STACK + spare() : AT;
      lines.push(...transfer({ to: place, from }, at));
      left = left.map((one) => (one.from === from ? { to: one.to, from: place } : one));
      continue;
    }
    // Constants last: they read nothing, and what they overwrite may be read.
    for (const move of ready) lines.push(...transfer(move, at));
    left = left.filter((one) => !ready.includes(one));
  }
  return lines;
}

function transfer({ to, from }: Move, at: number): Line[] {
  const isMemory = to >= STACK;
  const register = isMemory ? AT : to;
  let lines: Line[];
  let holder = register;
  if (!isPlace(from)) {
    if ('field' in from) lines = [line('lw', [register, from.field, 28], { at })];
    else if (from.constant === 0 && isMemory) {
      lines = [];
      holder = 0;
    } else lines = load32(register, from.constant, at);
  } else if (from >= STACK) lines = [line('lw', [register, 4 * (from - STACK), SP], { at })];
  else if (isMemory) {
    lines = [];
    holder = from;
  } else lines = [line('addu', [to, from, 0], { at })];
  if (isMemory) lines.push(line('sw', [holder, 4 * (to - STACK), SP], { at }));
  return lines;
}
