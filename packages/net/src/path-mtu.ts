/**
 * Path MTU: which hosts lie behind a network with smaller packets than ours, as routers on the way have said. [RFC1191]
 *
 * What is known of a host is forgotten after ten minutes, so that a path that became wider is found. A path that takes less than
 * `LEAST` bytes gets packets of that length which may be fragmented. Smaller packets would help an attacker more than other hosts.
 */
import type { Ipv4Address } from './addresses.ts';

/** What every host must take [RFC791 §3.1]; what Linux takes for its own bound is near. */
const LEAST = 576;
/** [RFC1191 §6.3]. */
const LIFETIME_MS = 600_000;
/** Assumption: hosts behind smaller networks that a stack talks to at a time. */
const MAX_PATHS = 64;
/** The packets of usual networks, for routers that do not say theirs [RFC1191 §7.1]. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 576];

interface Path {
  readonly mtu: number;
  readonly mayFragment: boolean;
  readonly until: number;
}

export class PathMtu {
  readonly #paths = new Map<Ipv4Address, Path>();

  /** The longest packet to `ip`, if it is known to be shorter than those of the own network. */
  of(ip: Ipv4Address, now: number): number | undefined {
    return this.#path(ip, now)?.mtu;
  }

  /** Packets to `ip` are to be fragmented on the way where they must. */
  mayFragment(ip: Ipv4Address, now: number): boolean {
    return this.#path(ip, now)?.mayFragment === true;
  }

  /**
   * A router did not pass on a packet of `length` bytes to `ip`; the next network takes `mtu` bytes, 0 if the router did not say.
   * Returns what packets may have from now on; `undefined` for a complaint that makes no sense.
   */
  lower(ip: Ipv4Address, length: number, mtu: number, now: number): number | undefined {
    const said = mtu === 0 ? (PLATEAUS.find((plateau) => plateau < length) ?? LEAST) : mtu;
    if (said >= length) return undefined;
    const before = this.of(ip, now) ?? Infinity;
    if (said >= before) return before;
    const path: Path = { mtu: Math.max(said, LEAST), mayFragment: said < LEAST, until: now + LIFETIME_MS };
    const [oldest] = this.#paths.keys();
    if (this.#paths.size >= MAX_PATHS && oldest !== undefined) this.#paths.delete(oldest);
    this.#paths.delete(ip);
    this.#paths.set(ip, path);
    return path.mtu;
  }

  #path(ip: Ipv4Address, now: number): Path | undefined {
    if (this.#paths.size === 0) return undefined;
    const path = this.#paths.get(ip);
    if (path === undefined || now < path.until) return path;
    this.#paths.delete(ip);
    return undefined;
  }
}
