/**
 * Initial sequence numbers: a clock that ticks every 4 µs, and a secret offset for each pair of ends.
 *
 * A new connection between the same ends starts beyond the old one's numbers, so a peer in TIME-WAIT takes its SYN at once. Other pairs'
 * numbers say nothing about it. Source: [RFC6528 §3], [RFC9293 §3.4.1].
 */
import type { Ipv4Address } from './addresses.ts';
import { sipHash } from './siphash.ts';
import type { Ends } from './tcp-connection.ts';
import { advance } from './tcp-sequence.ts';

const TICKS_PER_MS = 250;

/** Gives the initial sequence number of a connection of `ip` at `now`, in milliseconds. */
export function createInitialNumbers(ip: Ipv4Address, random: () => number): (ends: Ends, now: number) => number {
  const half = (): bigint => (BigInt(random()) << 32n) | BigInt(random());
  const key = [half(), half()] as const;
  return ({ localPort, remoteIp, remotePort }, now) => {
    const offset = sipHash(key, [ip, remoteIp, localPort * 65536 + remotePort]);
    return advance(Number(offset & 0xffffffffn), Math.floor(now * TICKS_PER_MS));
  };
}
