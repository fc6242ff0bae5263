/** Frames: physical pages, allocated by number. */
import { E } from './abi';
import { frameAlloc } from './calls';
import { Capability, capabilityAt } from './capability';
import { pause } from './pause';
import { clock_ticks } from './clock';

/** The frame that `allocateFrame` has just given, and its capability. */
export const NEW_FRAME: Capability = capabilityAt(memory.data(20) + 4);

/**
 * Allocates any frame; its contents are zero, and NEW_FRAME is its capability. Waits for one below the guaranteed minimum, which the kernel then
 * takes from others. Gives its number, or the error: E.NONE beyond the limit of the environment, or if there is none.
 */
export function allocateFrame(): i32 {
  const results = changetype<usize>(NEW_FRAME) - 4;
  let code = frameAlloc(-1, results);
  while (code == E.AGAIN) {
    pause(clock_ticks() + 1);
    code = frameAlloc(-1, results);
  }
  return code == 0 ? load<i32>(results) : code;
}
