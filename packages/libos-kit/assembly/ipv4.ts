/**
 * IPv4: headers checked and made. Options are skipped on arrival and never sent; fragments are refused. [RFC791 §3.1], [RFC1122 §3.2.1]
 *
 *     0                   8                  16     19                 31
 *     | version | ihl      | type of service | total length             |
 *     | identification                       | flags | fragment offset  |
 *     | time to live       | protocol        | header checksum          |
 *     | source address                                                  |
 *     | destination address                                             |
 *     | options, up to 40 bytes                                         |
 */
import { E } from './abi';
import { found, foundEnd, isKnown, resolve } from './arp';
import { clock_ticks } from './clock';
import { Count, ETHERNET_HEADER, SELF, count, isForStation, isOtherHost, writeEthernet } from './ethernet';
import { add, be16, checksum, half, setHalf, sumOf, word } from './packet';

export const IPV4_HEADER: u32 = 20;
/** Where the data begin in a frame that is sent. */
export const DATA: u32 = ETHERNET_HEADER + IPV4_HEADER;
/** Where the addresses are in a frame. */
export const SOURCE: u32 = ETHERNET_HEADER + 12;
export const DESTINATION: u32 = ETHERNET_HEADER + 16;
/** Data of a packet that Ethernet carries in one frame, at most. */
export const DATA_MOST: u32 = 1500 - IPV4_HEADER;
/** Time to live 64, the customary default: in the half with the protocol. */
const TTL: u32 = 64;
/** More fragments, or an offset: as they lie in memory. */
const FRAGMENT: u32 = 0xff3f;

/** Of the packet that `checkIpv4` has accepted: where its data end in the frame. */
export let dataEnd: u32 = 0;
/** Of the next packet: they may be fragmented. */
let identification: u32 = 0;

/** Where the data of a packet in a frame of so many bytes begin; 0: it is dropped, and counted. Lengths are consistent then. */
export function checkIpv4(frame: usize, length: u32): u32 {
  const first = <u32>load<u8>(frame, 14);
  const header = (first & 15) << 2;
  const total = be16(frame + 16);
  const available = length - ETHERNET_HEADER;
  if (
    <i32>available < <i32>IPV4_HEADER ||
    first >>> 4 != 4 ||
    header < IPV4_HEADER ||
    total < header ||
    total > available
  ) {
    count(Count.ipMalformed);
    return 0;
  }
  if (checksum(sumOfHeader(frame, header)) != 0) {
    count(Count.ipChecksum);
    return 0;
  }
  if (!isOtherHost(word(frame + SOURCE)) || word(frame + DESTINATION) != SELF.ip || !isForStation(frame)) {
    count(Count.ipMisaddressed);
    return 0;
  }
  if (((<u32>load<u16>(frame, 20)) & FRAGMENT) != 0) {
    count(Count.ipFragments);
    return 0;
  }
  dataEnd = ETHERNET_HEADER + total;
  return ETHERNET_HEADER + header;
}

/** The sum of a header: nearly all have no options. */
function sumOfHeader(frame: usize, header: u32): u32 {
  const first = add(add(load<u32>(frame, 16), load<u32>(frame, 20)), add(load<u32>(frame, 24), load<u32>(frame, 28)));
  const sum = add(first, <u32>load<u16>(frame, 14) + load<u16>(frame, 32));
  return header == IPV4_HEADER ? sum : sumOf(frame + DATA, header - IPV4_HEADER, sum);
}

/**
 * Finds the Ethernet address for a destination, in `found` of arp.ts, and sleeps while it is asked for. Errors: E.RANGE for no host, or one on a
 * network without a route; E.NONE without an answer.
 */
export function route(ip: u32, arrived: () => void): i32 {
  const now = clock_ticks();
  // What the cache knows is a host on this network.
  if (isKnown(ip, now)) return 0;
  if (!isOtherHost(ip)) return E.RANGE;
  const hop = ((ip ^ SELF.ip) & SELF.mask) == 0 ? ip : SELF.gateway;
  if (hop == 0) return E.RANGE;
  return isKnown(hop, now) ? 0 : resolve(hop, arrived);
}

/** Writes the headers of a frame with so many bytes of data, to the station that `route` has found. */
export function writeIpv4(frame: usize, destination: u32, protocol: u32, bytes: u32): void {
  writeIpv4To(frame, found, foundEnd, destination, protocol, bytes);
}

export function writeIpv4To(frame: usize, mac: u32, macEnd: u32, destination: u32, protocol: u32, bytes: u32): void {
  const length = half(IPV4_HEADER + bytes);
  const id = half(++identification);
  const how = TTL | (protocol << 8);
  const source = SELF.ip;
  const sum = add(add(0x0045 + length + id + how, source), destination);
  writeEthernet(frame, mac, macEnd, 0);
  store<u32>(frame, 0x00450008, 12);
  store<u32>(frame, length | (id << 16), 16);
  store<u32>(frame, how << 16, 20);
  store<u32>(frame, checksum(sum) | (source << 16), 24);
  store<u32>(frame, (source >>> 16) | (destination << 16), 28);
  setHalf(frame + 32, destination >>> 16);
}
