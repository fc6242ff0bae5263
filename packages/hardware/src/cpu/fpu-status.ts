/**
 * The floating-point unit's control and status register (FCR31), and the exceptions that an operation signals.
 *
 *     23 condition | 17 E 16 V 15 Z 14 O 13 U 12 I: cause | 11..7 V Z O U I: enables | 6..2: flags | 1..0 rounding mode
 *
 * An operation's exceptions are a set of the six bits below, in the order of the fields. Each operation writes the cause
 * field. An exception that is enabled is a trap, and so is every E: the result is not written and the flags stay; one that
 * is not enabled sets its flag.
 *
 * Source: [KANE92 §8].
 */

/** Inexact. (0x02, underflow, is never set by hardware: the R3010 leaves every underflow to software, as E.) */
export const FP_I = 0x01;
/** Overflow. */
export const FP_O = 0x04;
/** Division by zero. */
export const FP_Z = 0x08;
/** Invalid operation. */
export const FP_V = 0x10;
/** Unimplemented operation: software is to do it. It cannot be disabled. */
export const FP_E = 0x20;

export const CONDITION = 0x800000;
/** The bits that `ctc1` writes. */
export const FCR31_WRITABLE = 0x0083ffff;

/** Rounding modes. */
export const NEAREST = 0;
export const ZEROWARDS = 1;
export const UPWARDS = 2;
export const DOWNWARDS = 3;

/** Those of `exceptions` that trap with this FCR31. */
export function trapping(fcr31: number, exceptions: number): number {
  return exceptions & (((fcr31 >>> 7) & 0x1f) | FP_E);
}

/** FCR31 after an operation that signalled `exceptions`, none of which traps. */
export function accrue(fcr31: number, exceptions: number): number {
  return (fcr31 & ~0x3f000) | (exceptions << 12) | (exceptions << 2);
}

/** Whether FCR31 holds a cause that traps: the unit then drives its interrupt line. */
export function isPending(fcr31: number): boolean {
  return trapping(fcr31, (fcr31 >>> 12) & 0x3f) !== 0;
}
