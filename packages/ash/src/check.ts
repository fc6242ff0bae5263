/**
 * The check at installation: is this a handler, and what does it need at most?
 *
 * Nothing here runs the handler. After the check a runner knows how many words of code and how much activation record to
 * set aside, and that each run costs at most the fuel that it gives [ASH96: time is bounded before and while running].
 */
import { compileMips, maxCost, VcodeError, type MipsProgram, type Program } from '@exokernel/vcode';
import { AshError } from './error.ts';

/** What a runner grants. What is left out is not limited. */
export interface HandlerLimits {
  /** Fuel of each run, in MIPS instructions. */
  readonly fuel: number;
  /** Bytes of the activation record. */
  readonly activationBytes?: number;
  /** Words of MIPS code. */
  readonly words?: number;
  /** Refuse handlers that some message could make run out of fuel. */
  readonly mustFinish?: boolean;
}

/** What a handler needs. */
export interface HandlerMetrics {
  readonly words: number;
  readonly activationBytes: number;
  /** Fuel for the part outside loops: with less, the handler aborts at once. */
  readonly entryCost: number;
  /** Fuel that no run exceeds; `undefined` if there is a `while` loop. */
  readonly maxCost: number | undefined;
}

/** Checks a handler's program. Throws `AshError`: `signature`, `limit`, `malformed`. */
export function checkHandler(program: Program, limits: HandlerLimits): HandlerMetrics {
  checkSignature(program);
  const { words, costs, activationBytes } = compiled(program);
  const entryCost = costs[0] ?? 0;
  const most = maxCost(program);
  const within = (what: string, needed: number, granted: number | undefined): void => {
    if (granted === undefined || needed <= granted) return;
    throw new AshError('limit', `${program.name} needs ${needed} of ${what}, more than ${granted}`, {
      what,
      needed,
      granted,
    });
  };
  within('fuel', entryCost, limits.fuel);
  if (limits.mustFinish === true) within('fuel', most ?? Infinity, limits.fuel);
  within('activationBytes', activationBytes, limits.activationBytes);
  within('words', words.length, limits.words);
  return { words: words.length, activationBytes, entryCost, maxCost: most };
}

const SIGNATURE = ['r', 'rw', 'rw'] as const;

/** Throws `AshError` `signature` unless the program takes the three regions, word-aligned, and nothing else. */
export function checkSignature({ name, regions, parameters }: Program): void {
  const isRight = regions.length === 3 && SIGNATURE.every((access, i) => regions[i]?.access === access);
  // A region may not expect more than what every runner promises: an address that is 0 modulo 4.
  const isAligned = regions.every((region) => region.skew === 0);
  if (isRight && isAligned && parameters.length === 0) return;
  throw new AshError('signature', `${name} does not take a message, a window and a reply`, { name });
}

function compiled(program: Program): MipsProgram {
  try {
    return compileMips(program, 0);
  } catch (cause) {
    if (!(cause instanceof VcodeError)) throw cause;
    throw new AshError(cause.code === 'limit' ? 'limit' : 'malformed', cause.message, { cause, what: 'words' });
  }
}
