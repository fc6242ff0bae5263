/**
 * Times of captures: ticks of an interface and nanoseconds since 1970.
 *
 * A tick is `base ** -exponent` seconds. Ticks are exact. Nanoseconds are exact for powers of ten down to 10^-9, and
 * rounded down for everything else. Source: [PCAPNG §4.2] `if_tsresol`, `if_tsoffset`.
 */
import { CaptureError } from './error.ts';

/** How long a tick of an interface is: `base ** -exponent` seconds. */
export interface Resolution {
  readonly base: 2 | 10;
  /** An integer from 0 to 127. */
  readonly exponent: number;
}

/** 10^-6 s: classic pcap, and pcapng where an interface says nothing. */
export const MICROSECONDS: Resolution = { base: 10, exponent: 6 };

/** 10^-9 s. */
export const NANOSECONDS: Resolution = { base: 10, exponent: 9 };

const SECOND = 1_000_000_000n;

/** Ticks since `epoch` (in seconds since 1970), in nanoseconds since 1970, rounded down. */
export function ticksToNanoseconds(ticks: bigint, { base, exponent }: Resolution, epoch: bigint): bigint {
  const start = epoch * SECOND;
  if (base === 2) return start + ((ticks * SECOND) >> BigInt(exponent));
  if (exponent <= 9) return start + ticks * 10n ** BigInt(9 - exponent);
  return start + ticks / 10n ** BigInt(exponent - 9);
}

/**
 * Nanoseconds since 1970 in ticks since `epoch`, rounded down. Throws `value` for a time before the epoch and for one
 * that 64 bits of ticks cannot hold.
 */
export function nanosecondsToTicks(time: bigint, { base, exponent }: Resolution, epoch: bigint): bigint {
  const since = time - epoch * SECOND;
  let ticks: bigint;
  if (base === 2) ticks = (since << BigInt(exponent)) / SECOND;
  else if (exponent <= 9) ticks = since / 10n ** BigInt(9 - exponent);
  else ticks = since * 10n ** BigInt(exponent - 9);
  if (since < 0n || ticks >> 64n !== 0n) {
    throw new CaptureError('value', `time ${String(time)} ns does not fit the interface's clock`, { time, epoch });
  }
  return ticks;
}

export function sameResolution(a: Resolution, b: Resolution): boolean {
  return a.base === b.base && a.exponent === b.exponent;
}
