/** What colluders are made of, whatever they do: what each has, and calls that count. */
import { type CallName, type CapabilityWords } from '@exokernel/abi';
import type { Answer, Fiber, RawFrame } from '../../../testkit/src/index.ts';
import { fill, type Caller, type Random } from '../soaker.ts';
import type { Ledger } from './ledger.ts';

export const PAGE = 4096;
export const KIND = { frame: 1, env: 2, extent: 3, ring: 6, filter: 7 } as const;
/** Blocks that every image is granted, from 0 on. */
export const GRANTED = 8;
export const NONE: CapabilityWords = [0, 0, 0, 0];

interface Shared extends RawFrame {
  /** Nodes that others came by. */
  readonly nodes: number[];
  /** Everyone may read it by its guard. */
  readonly open: boolean;
  readonly readOnly: boolean;
}

interface Mine extends RawFrame {
  readonly place: number;
}

interface SharedExtent {
  readonly capability: CapabilityWords;
  readonly start: number;
  readonly blocks: number;
  readonly nodes: number[];
  /** A frame of another's was inserted: a block of it may lie there. */
  fed: boolean;
}

export interface Colluder extends Caller {
  readonly world: Ledger;
  readonly env: number;
  readonly shared: Shared[];
  readonly mine: Mine[];
  readonly extents: SharedExtent[];
  readonly quantum: number;
  /** The receive ring that it listens by, and the frame of its slots. */
  listening: { readonly slots: RawFrame; readonly ring: CapabilityWords } | undefined;
}

export type Move = (me: Colluder) => Fiber<void>;

export function pick<T>(random: Random, from: readonly T[]): T | undefined {
  return from[random(from.length)];
}

/** A system call that counts. */
export function* call(me: Colluder, name: CallName, ...args: readonly number[]): Fiber<Answer> {
  me.world.calls += 1;
  const answer = yield* me.raw.call(name, ...args);
  if (answer.code === 0) {
    me.world.answers.set(`${name} 0`, (me.world.answers.get(`${name} 0`) ?? 0) + 1);
    me.world.succeeded(name, args);
  }
  return answer;
}

export function* frame(me: Colluder, ppn = -1): Fiber<RawFrame | undefined> {
  const { code, value, capability } = yield* call(me, 'frame_alloc', ppn);
  return code === 0 ? { ppn: value, capability } : undefined;
}

export function* bytes(me: Colluder, of: Uint8Array, use: (code: RawFrame) => Fiber<void>): Fiber<void> {
  const code = yield* frame(me);
  if (code === undefined) return;
  yield* fill(me.raw, code, of);
  yield* use(code);
  yield* call(me, 'frame_free', ...code.capability);
}
