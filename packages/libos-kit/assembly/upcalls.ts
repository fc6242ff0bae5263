/**
 * Upcalls: functions of the library operating system that the kernel's events call. They run on a stack of their own, on which 1.5 KiB are free at
 * least, and may fault, call the kernel and sleep. What they interrupt goes on afterwards.
 */
import { UKIT, UPCALL } from './abi';
import { store32 } from './kit';

/**
 * A page that the kit's table does not answer for, or a store to one that is mapped read-only: `address` is what was accessed, `cause` one of
 * EXCEPTION. True: the access is tried again. False: the environment ends there.
 */
export function onFault(handler: (address: usize, cause: i32) => bool): void {
  store32(UKIT.upcalls + 4 * UPCALL.fault, handler.index);
}

/** Any other exception. `address` is 0 if the cause has none; `registers` are as in `Registers`. True: the instruction is tried again. */
export function onException(handler: (address: usize, cause: i32, registers: Registers) => bool): void {
  store32(UKIT.upcalls + 4 * UPCALL.exception, handler.index);
}

/** The kernel wants frames or slices back: U.revokeFrames, U.revokeSlices until U.revokeDeadline; or it has taken some: U.lost. */
export function onRevocation(handler: () => void): void {
  store32(UKIT.upcalls + 4 * UPCALL.revoke, handler.index);
}

/** A slice begins: after a packet, too. */
export function onSliceBegin(handler: () => void): void {
  store32(UKIT.upcalls + 4 * UPCALL.begin, handler.index);
}

/** A slice ends: what it does here is excess time. */
export function onSliceEnd(handler: () => void): void {
  store32(UKIT.upcalls + 4 * UPCALL.end, handler.index);
}

/** The registers of what an upcall interrupts, which may be changed: by number; `s0` to `s7` and `fp` are not among them. */
@unmanaged
export class Registers {
  /** The word of a register; 32, 33 and 34 are HI, LO and the PC. */
  get(register: i32): u32 {
    return load<u32>(changetype<usize>(this) + 4 * register);
  }
  set(register: i32, value: u32): void {
    store<u32>(changetype<usize>(this) + 4 * register, value);
  }
  get pc(): u32 {
    return this.get(34);
  }
}
