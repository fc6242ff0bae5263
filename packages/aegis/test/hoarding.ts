/** A family that has all frames there are, each held by many members, and accomplices of it. */
import { RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { expect } from 'vitest';
import { rawImage, type Fiber, type Raw, type RawFrame, type RawImage } from '../../testkit/src/index.ts';

/** How many accomplices there are. */
export const ACCOMPLICES = 4;
/** Frames that one lets go of, and lacks then. */
const LACKED = 4;
const BRANCHES = 60;

/** How far they are. */
export interface Hoard {
  readonly frames: RawFrame[];
  /** All frames are held by all members. */
  hoarded: boolean;
  /** Accomplices that have hung their branches on frames, and those that have got the frames that they lacked. */
  noded: number;
  served: number;
}

export function hoard(): Hoard {
  return { frames: [], hoarded: false, noded: 0, served: 0 };
}

/** Gives `children` members and itself all frames, also those that others let go of later. `slices`: how many it has. */
export function hoarder(state: Hoard, children: number, slices = 1): RawImage {
  return rawImage({
    name: 'hoarder',
    placement: { slices },
    main: function* (raw) {
      const members: CapabilityWords[] = [];
      for (let i = 0; i < children; i += 1) {
        const child = yield* raw.call('env_alloc');
        if (child.code !== 0) break;
        members.push(child.capability);
      }
      for (;;) {
        const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
        if (code !== 0) break;
        state.frames.push({ ppn, capability });
      }
      state.frames.sort((a, b) => a.ppn - b.ppn);
      for (const { capability } of state.frames) {
        for (const member of members) expect(yield* raw.code('frame_hold', ...member, ...capability)).toBe(0);
      }
      state.hoarded = true;
      for (;;) {
        const { code, capability } = yield* raw.call('frame_alloc', -1);
        if (code !== 0) yield* raw.sleep(1);
        else for (const member of members) yield* raw.code('frame_hold', ...member, ...capability);
      }
    },
  });
}

/** Lets go of some of the frames that it has had from the start. */
export function* letGo(raw: Raw): Fiber<void> {
  for (let i = 2; i < 2 + LACKED; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
}

/** Wants so many again, as soon as none is free. */
export function* wantAgain(raw: Raw, free: () => number): Fiber<void> {
  while (free() > 0) yield* raw.sleep(1);
  for (let got = 0; got < LACKED;) {
    if ((yield* raw.code('frame_alloc', -1)) === 0) got += 1;
    else yield* raw.sleep(1);
  }
}

/** Hangs branches on a frame of the hoarder's. One that `lacks` lets go of frames of its own, and wants them again. */
export function accomplice(
  state: Hoard,
  n: number,
  {
    free,
    lacks = true,
    slices = 1,
  }: { readonly free: () => number; readonly lacks?: boolean; readonly slices?: number },
): RawImage {
  return rawImage({
    name: `accomplice ${n}`,
    placement: { slices },
    main: function* (raw) {
      while (!state.hoarded) yield* raw.sleep(1);
      const frame = state.frames[n]?.capability ?? [];
      for (let i = 0; i < BRANCHES; i += 1) yield* raw.code('cap_derive', ...frame, RIGHTS.read, 1);
      if (lacks) yield* letGo(raw);
      state.noded += 1;
      if (lacks) {
        while (state.noded < ACCOMPLICES) yield* raw.sleep(1);
        yield* wantAgain(raw, free);
        state.served += 1;
      }
      for (;;) yield* raw.sleep(1000);
    },
  });
}
