/** Step 1: a trap. Prints by a system call, and is refused where it has no capability. */
import { E, UKIT } from '@exokernel/libos-kit/assembly/abi';
import { serialWrite } from '@exokernel/libos-kit/assembly/calls';
import { capabilityAt, NONE } from '@exokernel/libos-kit/assembly/capability';

/** The serial line that the environment was given at boot. */
const line = capabilityAt(UKIT.serial);
const accepted: usize = memory.data(4);

export function main(): i32 {
  // Three bytes in a word: 'h', 'i', and the end of the line.
  const code = serialWrite(line, 3, 0x0a6968, 0, 0, 0, 0, 0, 0, accepted);
  if (code < 0) return code;
  return serialWrite(NONE, 3, 0x0a6968, 0, 0, 0, 0, 0, 0, accepted) == E.CAP ? 0 : 1;
}
