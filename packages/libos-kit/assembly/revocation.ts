/**
 * Visible revocation: the kernel asks for frames, and the library chooses which. [SOSP95 §3.3]
 *
 *     giveUpBy(frames => …)    what to give up first, then what next; each gives back up to so many, and says how many
 *     takenBy((frame, block) => …)   what was taken by force, and where the kernel has saved it
 *
 * What is not given up by the deadline, two ticks later, the kernel takes. It saves what it takes in the blocks that a repossession vector offers.
 */
import { PLACE, REPOSSESSION, REPOSSESSION_BYTES, REPOSSESSION_ENTRIES, REPOSSESSION_STATE, U } from './abi';
import { envMap } from './calls';
import { Capability, capabilityAt, NONE } from './capability';
import { load32, store32 } from './kit';
import { onRevocation } from './upcalls';

/** Policies that there can be. */
const POLICIES = 8;
/** Bit 3 of the address of env_map: the page is the vector; bit 0: it may be written. */
const VECTOR = 9;

const policies: usize = memory.data(4 * POLICIES);
let count = 0;
let vector: usize = 0;
let taken: ((frame: i32, block: i32) => void) | null = null;

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

/** Is told of each frame that was taken by force, and of the block of the vector that has its contents: −1: they are lost. */
export function takenBy(handler: (frame: i32, block: i32) => void): void {
  taken = handler;
  onRevocation(answer);
}

/** How many frames are still to be given up. */
export function owed(): i32 {
  return <i32>load32(PLACE.uPage + U.revokeFrames);
}

function answer(): void {
  for (let i = 0; i < count && owed() > 0; i++) call_indirect<i32>(load<u32>(policies + 4 * i), owed());
  look();
}

/**
 * Makes a frame the repossession vector, at a page of its own that is mapped for good. It is the environment's for the rest of its life. An error code.
 */
export function useVector(frame: Capability, address: usize): i32 {
  const code = envMap(NONE, frame, address | VECTOR);
  if (code == 0) vector = address;
  return code;
}

/** Offers a block of an extent for what is taken. False: the vector is full, or there is none. */
export function offer(extent: Capability, block: i32): bool {
  if (vector == 0) return false;
  for (let i = 0; i < REPOSSESSION_ENTRIES; i++) {
    const entry = vector + i * REPOSSESSION_BYTES;
    if (load32(entry + REPOSSESSION.state) != REPOSSESSION_STATE.empty) continue;
    capabilityAt(entry + REPOSSESSION.extent).set(extent);
    store32(entry + REPOSSESSION.block, block);
    store32(entry + REPOSSESSION.state, REPOSSESSION_STATE.preloaded);
    return true;
  }
  return false;
}

/** Tells of what the kernel has taken and saved meanwhile. What is being saved is told of later, by an event. */
export function look(): void {
  if (vector == 0) return;
  for (let i = 0; i < REPOSSESSION_ENTRIES; i++) {
    const entry = vector + i * REPOSSESSION_BYTES;
    const state = load32(entry + REPOSSESSION.state);
    const isSaved = state == REPOSSESSION_STATE.saved;
    if (!isSaved && state != REPOSSESSION_STATE.lost) continue;
    const frame = <i32>load32(entry + REPOSSESSION.name);
    const block = isSaved ? <i32>load32(entry + REPOSSESSION.block) : -1;
    store32(entry + REPOSSESSION.state, REPOSSESSION_STATE.empty);
    const handler = taken;
    if (handler !== null) handler(frame, block);
  }
}
