/**
 * Visible revocation: the kernel asks for frames, and the library chooses which. [SOSP95 §3.3]
 *
 *     giveUpBy(frames => …)    what to give up first, then what next; each gives back up to so many, and says how many
 *
 * What is not given up by the deadline, two ticks after this was called, the kernel takes, and it may take the library's own pages.
 */
import { PLACE, U } from './abi';
import { load32 } from './kit';
import { onRevocation } from './upcalls';

/** Policies that there can be. */
const POLICIES = 8;

const policies: usize = memory.data(4 * POLICIES);
let count = 0;
let before: () => void = () => {
  // Nothing is backed.
};

/**
 * Adds what is given up when those before it are not enough: called with a number of frames, it gives up to so many back (`frame_free`) and says how
 * many. It runs as an upcall. False: there are eight already.
 */
export function giveUpBy(policy: (frames: i32) => i32): bool {
  if (count == POLICIES) return false;
  store<u32>(policies + 4 * count, policy.index);
  count++;
  onRevocation(answer);
  return true;
}

/** How many frames are still to be given up. */
export function owed(): i32 {
  return <i32>load32(PLACE.uPage + U.revokeFrames);
}

/**
 * How many frames and slices the kernel has taken by force since boot. When it has grown, what was bound to frames may be gone: rings with their filters,
 * windows of handlers, predicates.
 */
export function lost(): u32 {
  return load32(PLACE.uPage + U.lost);
}

/** What is done before the policies are asked, and also when the kernel has taken frames: for backing.ts. */
export function beforePolicies(first: () => void): void {
  before = first;
  onRevocation(answer);
}

function answer(): void {
  before();
  for (let i = 0; i < count && owed() > 0; i++) call_indirect<i32>(load<u32>(policies + 4 * i), owed());
}
