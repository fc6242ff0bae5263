/** The last step: words at addresses. */
import { encode } from '@exokernel/isa';
import { VcodeError } from '../program/error.ts';
import type { Line, MachineBlock } from './code.ts';
import type { Scheduled } from './schedule.ts';

/** A function that is ready but for the addresses of others. */
export interface Piece {
  readonly name: string;
  readonly scheduled: Scheduled;
  /** Addresses of blocks that stand in memory as words, for jumps through tables. */
  readonly tables: readonly (readonly MachineBlock[])[];
}

/** Branches reach so many words. */
const REACH = 0x8000;

/** What the pieces are at their places. */
export interface Linked {
  readonly origin: number;
  readonly words: Uint32Array;
  readonly symbols: ReadonlyMap<string, number>;
  /** By word: a position in the source, or -1. */
  readonly positions: Int32Array;
}

/** Places pieces one behind the other. `costs` gives what a charge takes. Throws `VcodeError` `limit` for a function that branches too far. */
export function link(pieces: readonly Piece[], origin: number, costs: readonly number[] = []): Linked {
  const symbols = new Map<string, number>();
  const starts: number[] = [];
  let size = 0;
  for (const piece of pieces) {
    starts.push(size);
    symbols.set(piece.name, origin + 4 * size);
    size += piece.scheduled.lines.length + piece.tables.reduce((sum, table) => sum + table.length, 0);
  }
  const words = new Uint32Array(size);
  const positions = new Int32Array(size).fill(-1);
  pieces.forEach((piece, i) => {
    const start = starts[i] ?? 0;
    const { lines, starts: blocks, skips } = piece.scheduled;
    lines.forEach(({ line }, k) => {
      positions[start + k] = line.at;
      words[start + k] = encodeLine(line, piece.name, (target) => {
        const offset = (blocks.get(target) ?? 0) + (skips.get(k) ?? 0) - (k + 1);
        if (offset < -REACH || offset >= REACH) {
          throw new VcodeError('limit', `${piece.name} is too large: a branch reaches 32,768 instructions`);
        }
        return offset;
      });
    });
  });
  return { origin, words, symbols, positions };

  function encodeLine(line: Line, name: string, offsetTo: (target: MachineBlock) => number): number {
    const { mnemonic, operands, target, symbol, charge } = line;
    if (symbol !== undefined) {
      const address = symbols.get(symbol);
      if (address === undefined) throw new VcodeError('malformed', `${name} calls ${symbol}, which is not there`);
      return encode({ mnemonic: 'jal', operands: [(address >>> 2) & 0x3ffffff] });
    }
    if (target !== undefined) return encode({ mnemonic, operands: [...operands, offsetTo(target)] });
    if (charge > 0) {
      return encode({ mnemonic, operands: [operands[0] ?? 0, operands[1] ?? 0, -(costs[charge] ?? 0)] });
    }
    return encode({ mnemonic, operands });
  }
}
