/** The last step: words at addresses. */
import { encode, type Mnemonic } from '@exokernel/isa';
import { VcodeError } from '../program/error.ts';
import { TABLE_HIGH, TABLE_LOW } from './branches.ts';
import type { MachineBlock } from './code.ts';
import type { Scheduled } from './schedule.ts';

/** A function that is ready but for the addresses of others. */
export interface Piece {
  readonly name: string;
  readonly scheduled: Scheduled;
}

/** The symbol of a function. */
export const functionSymbol = (index: number): string => `f${index}`;

/** The symbol of an export's entry, in the checked profile. */
export const enterSymbol = (name: string): string => `enter ${name}`;

/** Branches reach so many words. */
export const REACH = 0x8000;

/** What the pieces are at their places. */
export interface Linked {
  readonly origin: number;
  readonly words: Uint32Array;
  readonly symbols: ReadonlyMap<string, number>;
  /** Where the table is: pairs of words, the address of a function and its signature. */
  readonly table: number;
  /** By word: a position in the source, or -1. */
  readonly positions: Int32Array;
}

/** What links need besides the pieces. */
export interface LinkOptions {
  /** The table. */
  readonly slots?: readonly { readonly symbol: string; readonly signature: number }[];
  /** What sections cost. */
  readonly costs?: readonly number[];
  /** Words left free before the first piece. */
  readonly reserve?: number;
  /** Symbols of other code. */
  readonly known?: ReadonlyMap<string, number>;
}

/** The immediate of an instruction that takes a cost from the fuel, or makes a half of a large one. */
function costOperand(mnemonic: Mnemonic, cost: number): number {
  if (mnemonic === 'lui') return cost >>> 16;
  return mnemonic === 'ori' ? cost & 0xffff : -cost;
}

/** Places pieces one behind the other. `costs` gives what a charge takes. Throws `VcodeError` `limit` for a function that branches too far. */
export function link(pieces: readonly Piece[], origin: number, options: LinkOptions = {}): Linked {
  const { slots = [], costs = [], known, reserve = 0 } = options;
  const symbols = new Map<string, number>(known);
  const starts: number[] = [];
  let size = reserve;
  for (const piece of pieces) {
    starts.push(size);
    symbols.set(piece.name, origin + 4 * size);
    size += piece.scheduled.lines.length;
    for (const block of piece.scheduled.starts.keys()) size += block.table.length;
  }
  const table = origin + 4 * size;
  const words = new Uint32Array(size + 2 * slots.length);
  const positions = new Int32Array(words.length).fill(-1);
  pieces.forEach((piece, i) => {
    const start = starts[i] ?? 0;
    const { lines, starts: blocks, skips, owners } = piece.scheduled;
    const tables = new Map<MachineBlock, number>();
    let next = start + lines.length;
    for (const block of blocks.keys()) {
      if (block.table.length === 0) continue;
      tables.set(block, origin + 4 * next);
      for (const target of block.table) {
        words[next] = origin + 4 * (start + (blocks.get(target) ?? 0));
        next += 1;
      }
    }
    lines.forEach(({ line }, k) => {
      positions[start + k] = line.at;
      const { mnemonic, operands, target, symbol, charge } = line;
      let encoded = operands;
      if (symbol === TABLE_HIGH || symbol === TABLE_LOW) {
        const address = tables.get(owners.get(k) as MachineBlock) ?? 0;
        const low = (address << 16) >> 16;
        encoded =
          symbol === TABLE_HIGH
            ? [operands[0] ?? 0, (address - low) >>> 16]
            : [operands[0] ?? 0, low, operands[2] ?? 0];
      } else if (symbol !== undefined) {
        const address = symbols.get(symbol);
        if (address === undefined)
          throw new VcodeError('malformed', `${piece.name} calls ${symbol}, which is not there`);
        encoded = [(address >>> 2) & 0x3ffffff];
      } else if (target !== undefined) {
        const offset = (blocks.get(target) ?? 0) + (skips.get(k) ?? 0) - (k + 1);
        if (offset < -REACH || offset >= REACH) {
          throw new VcodeError('limit', `${piece.name} is too large: a branch reaches 32,768 instructions`);
        }
        encoded = [...operands, offset];
      } else if (charge > 0) encoded = [...operands.slice(0, -1), costOperand(mnemonic, costs[charge] ?? 0)];
      words[start + k] = encode({ mnemonic, operands: encoded });
    });
  });
  slots.forEach(({ symbol, signature }, i) => {
    words[size + 2 * i] = symbols.get(symbol) ?? 0;
    words[size + 2 * i + 1] = signature;
  });
  return { origin, words, symbols, table, positions };
}
