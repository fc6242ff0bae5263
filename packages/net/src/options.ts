/** The options of a stack, their defaults, and the check of both. */
import { checkIpv4, type Ipv4Address, isGroupMac, isHostIpv4, type MacAddress, macFromBytes } from './addresses.ts';
import { NetError } from './error.ts';
import type { Interface } from './ip-output.ts';
import { IPV4_HEADER } from './ipv4.ts';
import { TCP_HEADER } from './tcp-segment.ts';
import type { TcpOptions } from './tcp.ts';

/** Who the host is. */
export interface StackOptions {
  readonly mac: MacAddress | Uint8Array;
  readonly ip: Ipv4Address;
  readonly netmask: Ipv4Address;
  /** The neighbour that knows other networks; without one there are none. */
  readonly gateway?: Ipv4Address;
  /** Seed of sequence numbers and ephemeral ports: equal seeds and inputs give equal frames. */
  readonly seed: number;
  /** The largest IP packet, 576 to 9000 bytes; 1500 is Ethernet's. */
  readonly mtu?: number;
  readonly tcp?: TcpTuning;
}

/** Bounds and times of TCP. */
export interface TcpTuning {
  /** Bytes that arrived and may wait in a connection, and so the largest window: 256 to 65535 · 2^14; 32768. */
  readonly receiveBuffer?: number;
  /** Bytes queued after which `write` refuses; 65536. */
  readonly sendBuffer?: number;
  /** How long an acknowledgment waits for data to ride on, in ms, at most 500; 40. */
  readonly delayedAck?: number;
  /** The shortest retransmission timeout in ms; 200. */
  readonly minRto?: number;
  /** Connections that are not over; 1024. */
  readonly maxConnections?: number;
  /** TIME-WAIT entries, of 51 bytes each: up to 2^20; 16384. */
  readonly maxTimeWaits?: number;
  /** How long TIME-WAIT lasts in ms, twice the maximum segment lifetime; 60000. */
  readonly timeWait?: number;
}

/** The options, checked. Throws `NetError` `option` or `address`. */
export function checkOptions(options: StackOptions): { self: Interface; mtu: number; seed: number; tcp: TcpOptions } {
  const { ip, netmask, gateway, mtu = 1500, seed, tcp = {} } = options;
  const mac = typeof options.mac === 'number' ? options.mac : macFromBytes(options.mac);
  const isMac = Number.isInteger(mac) && mac > 0 && mac <= 0xffffffffffff && !isGroupMac(mac);
  if (!isMac) throw new NetError('address', `${mac} is no Ethernet address of one station`, { mac });
  checkIpv4(ip);
  checkIpv4(netmask);
  const hostBits = ~netmask >>> 0;
  if ((hostBits & (hostBits + 1)) !== 0) throw new NetError('address', 'the netmask is not contiguous', { netmask });
  if (hostBits < 3)
    throw new NetError('address', 'the network has no room for hosts: use 30 bits or fewer', { netmask });
  const isHost = isHostIpv4(ip) && (ip & hostBits) !== 0 && (ip & hostBits) >>> 0 !== hostBits;
  if (!isHost) throw new NetError('address', 'the IPv4 address is not that of a host', { ip });
  if (gateway !== undefined) {
    checkIpv4(gateway);
    const isNeighbour = ((gateway ^ ip) & netmask) === 0 && gateway !== ip;
    if (!isNeighbour) throw new NetError('address', 'the gateway is no neighbour', { gateway });
  }
  if (!Number.isInteger(seed)) throw new NetError('option', `seed ${seed}: use an integer`, { seed });
  check('mtu', mtu, 576, 9000);
  // Assumption: all the defaults. Deviation: [RFC6298 §2.4] would have a minimum timeout of one second; systems in use
  // take 200 ms, and a local wire answers within one.
  return {
    self: { mac, ip, netmask, gateway },
    mtu,
    seed,
    tcp: {
      mss: mtu - IPV4_HEADER - TCP_HEADER,
      receiveBuffer: check('receiveBuffer', tcp.receiveBuffer ?? 32768, 256, 65535 * 2 ** 14),
      sendBuffer: check('sendBuffer', tcp.sendBuffer ?? 65536, 1, 2 ** 30),
      delayedAck: check('delayedAck', tcp.delayedAck ?? 40, 1, 500),
      minRto: check('minRto', tcp.minRto ?? 200, 1, 60_000),
      maxConnections: check('maxConnections', tcp.maxConnections ?? 1024, 1, 2 ** 20),
      maxTimeWaits: check('maxTimeWaits', tcp.maxTimeWaits ?? 16_384, 1, 2 ** 20),
      timeWait: check('timeWait', tcp.timeWait ?? 60_000, 1, 240_000),
    },
  };
}

function check(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new NetError('option', `${name} is ${value}: use an integer from ${low} to ${high}`, { name, value });
}
