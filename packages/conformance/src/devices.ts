/**
 * What the machine of a case has besides: for `files` a disk, of which the program has the middle, and for `udp` a controller on a wire.
 *
 * What is on the disk before and behind the program's extent belongs to others, and must stay as it is.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import type { InterfaceName, NetworkStation, Placement } from '@exokernel/libos-kit';
import type { Devices } from './machine.ts';

/** Who a program is that needs `udp`. */
export const STATION: NetworkStation = {
  mac: Uint8Array.of(0x08, 0, 0x2b, 0, 0, 1),
  ip: 0x0a000001,
  netmask: 0xffffff00,
};

/** Blocks of others, before the extent and behind it. */
const OTHERS = 4;
/** The blocks that a program has that needs `files`. */
const EXTENT = { start: OTHERS, blocks: 16 };
/** What is in the blocks of others. */
const THEIRS = 0xa5;

const [FROM, TO] = [EXTENT.start * PAGE_BYTES, (EXTENT.start + EXTENT.blocks) * PAGE_BYTES];

/** A disk whose extent is blank. */
export function newDisk(): Uint8Array {
  return new Uint8Array(TO + OTHERS * PAGE_BYTES).fill(THEIRS).fill(0, FROM, TO);
}

/** The first byte of others that is not as it was; −1: there is none. */
export function changedByte(disk: Uint8Array): number {
  return disk.findIndex((byte, at) => byte !== THEIRS && (at < FROM || at >= TO));
}

/** What programs with these needs find. */
export function devicesFor(needs: readonly InterfaceName[]): Devices {
  return {
    disk: needs.includes('files') ? newDisk() : undefined,
    mac: needs.includes('udp') ? STATION.mac : undefined,
  };
}

/** What a program with these needs is given. */
export function placementFor(needs: readonly InterfaceName[]): Placement {
  return {
    ...(needs.includes('files') ? { extent: EXTENT } : {}),
    ...(needs.includes('udp') ? { station: STATION } : {}),
  };
}
