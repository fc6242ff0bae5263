/**
 * The network of one environment: who it is, two rings, what happened, and the header of a frame. [RFC894]
 *
 *     0            6            12          14
 *     | destination | source    | ethertype | data
 *
 * Buffers begin at multiples of four, so words at multiples of four in a frame are aligned. Addresses are kept as they lie in memory; an Ethernet
 * address is a word and a half.
 */
import { E, PAGE_BYTES, POLICY, PTE, UKIT } from './abi';
import { tlbwr } from './aegis';
import { filterFree, ringFree, xmit } from './calls';
import { Capability, capabilityAt } from './capability';
import { Filter } from './filter';
import { load32, page_entry } from './kit';
import { setHalf } from './packet';
import { lost } from './revocation';
import { RING_RECORD, Ring, forgetPages, frameOf, ringAt } from './ring';

export const ETHERNET_HEADER: u32 = 14;
/** Ethertypes, as they lie in memory. */
export const IPV4_TYPE: u32 = 0x0008;
export const ARP_TYPE: u32 = 0x0608;
/** All stations: word and half. */
export const ALL: u32 = 0xffffffff;
export const ALL_END: u32 = 0xffff;

/** Who an environment is: addresses as they lie in memory. */
@unmanaged
export class Station {
  /** 0: it has none. */
  ip: u32;
  mask: u32;
  gateway: u32;
  mac: u32;
  macEnd: u32;
}
/**
 * Who this one is: its image says so, and it is there from the first instruction on, also before `openNetwork`. Its words are bytes in the order of the
 * wire: `bswap(SELF.ip)` is the number that `udp_send` takes.
 */
export const SELF: Station = changetype<Station>(UKIT.station);

/** What happened, in packets: words from `COUNTERS` on. The names are those of @exokernel/net. */
export const COUNTERS: usize = memory.data(96);
export namespace Count {
  export const framesIn: i32 = 0;
  export const framesIgnored: i32 = 1;
  export const arpMalformed: i32 = 2;
  export const arpRepliesOut: i32 = 3;
  export const arpRequestsOut: i32 = 4;
  export const arpFailed: i32 = 5;
  export const ipMalformed: i32 = 6;
  export const ipChecksum: i32 = 7;
  export const ipFragments: i32 = 8;
  export const ipMisaddressed: i32 = 9;
  export const ipUnknownProtocol: i32 = 10;
  export const icmpMalformed: i32 = 11;
  export const icmpIgnored: i32 = 12;
  export const icmpEchoes: i32 = 13;
  export const icmpUnreachablesOut: i32 = 14;
  export const icmpLimited: i32 = 15;
  export const udpMalformed: i32 = 16;
  export const udpIn: i32 = 17;
  export const udpOut: i32 = 18;
  export const udpClosedPort: i32 = 19;
  export const udpOverflow: i32 = 20;
}

export function count(which: i32): void {
  const at = COUNTERS + 4 * which;
  store<u32>(at, load<u32>(at) + 1);
}

/** Slots and buffers of the receive ring beside those of its slots, which wait in queues; slots of the transmit ring. */
export const RECEIVE_SLOTS: i32 = 16;
export const SPARE: i32 = 16;
const TRANSMIT_SLOTS: i32 = 4;
const RECEIVE_PAGES: i32 = (RECEIVE_SLOTS + SPARE) >> 1;
/** The rings', and one for filters on their way to the kernel. */
const PAGES: i32 = RECEIVE_PAGES + (TRANSMIT_SLOTS >> 1) + 1;

export const RECEIVE: Ring = ringAt(memory.data(RING_RECORD));
export const TRANSMIT: Ring = ringAt(memory.data(RING_RECORD));
/** Page and capability of filters on their way. */
export let filterPage: usize = 0;
export const FILTER_FRAME: Capability = capabilityAt(memory.data(16));
const RESULTS = memory.data(32);
/** What filter_bind has given: number and capability. */
const ARP_FILTER = memory.data(20);
const REST_FILTER = memory.data(20);

let pages: usize = 0;
/** Number + 1 of the environment that has opened the network; 0: none has. A child has its parent's memory, but not its rings. */
let opened: u32 = 0;

/** Frames that had been taken by force when the rings were looked at last; the pages' frames when they were bound, of each its number and a word of its MAC. */
let known: u32 = 0;
const BOUND = memory.data(256);

/** Frames of the rings were taken by force since they were bound: then nothing is received any more. */
export function isDeaf(): bool {
  const now = lost();
  if (now == known) return false;
  for (let i = 0; i < PAGES; i++) if (!isBound(i)) return true;
  known = now;
  return false;
}

/** A page has the frame that was bound: one of the same number that came later has another capability. */
function isBound(i: i32): bool {
  const page = pages + i * PAGE_BYTES;
  const entry = page_entry(page);
  const lo = load32(entry + PTE.entryLo);
  const mac0 = load32(entry + PTE.mac0);
  if (lo >>> 12 != load<u32>(BOUND + 8 * i) || mac0 != load<u32>(BOUND + 8 * i, 4)) return false;
  return tlbwr(page, lo, mac0, load32(entry + PTE.mac1), load32(entry + PTE.head)) == 0;
}

/** All pages have been bound, with the frames that they have now. */
function noteBound(): void {
  for (let i = 0; i < PAGES; i++) {
    const entry = page_entry(pages + i * PAGE_BYTES);
    store<u32>(BOUND + 8 * i, load32(entry + PTE.entryLo) >>> 12);
    store<u32>(BOUND + 8 * i, load32(entry + PTE.mac0), 4);
  }
}

/** What `rebind` has bound is not all: it is to be called again. */
export function staysDeaf(): void {
  known = lost() - 1;
  store<u32>(BOUND, 0);
}

/**
 * Binds rings and filters anew, over the same pages. Whatever was in them is gone, and other filters of these rings have none any more. Errors: those of ring_bind
 * and filter_bind; then it stays deaf.
 */
export function rebind(): i32 {
  const before = lost();
  staysDeaf();
  unbind();
  // One that was taken gets a frame again.
  for (let i = 0; i < PAGES; i++) load32(pages + i * PAGE_BYTES);
  const code = bindAll();
  if (code < 0) return code;
  known = before;
  noteBound();
  return 0;
}

/** The network is open, and it was this environment that opened it. */
export function isOpen(): bool {
  return opened == load<u32>(UKIT.self, 4) + 1;
}

/**
 * Binds the rings, and the filters for ARP and for what is sent to this address without a socket. Where another environment has the latter for the same
 * address, it answers for both. Errors: E.DEVICE without an address or a controller; those of ring_bind and filter_bind.
 */
export function openNetwork(): i32 {
  if (SELF.ip == 0) return E.DEVICE;
  if (pages == 0) pages = (heap.alloc((PAGES + 1) * PAGE_BYTES) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
  else forgetPages(pages, PAGES);
  opened = 0;
  known = lost();
  RECEIVE.capability.clear();
  TRANSMIT.capability.clear();
  capabilityAt(ARP_FILTER + 4).clear();
  capabilityAt(REST_FILTER + 4).clear();
  filterPage = pages + (PAGES - 1) * PAGE_BYTES;
  const code = bindAll();
  if (code == 0) {
    noteBound();
    opened = load<u32>(UKIT.self, 4) + 1;
    return 0;
  }
  unbind();
  return code;
}

/** What there is of rings and filters ends. */
function unbind(): void {
  filterFree(capabilityAt(ARP_FILTER + 4));
  filterFree(capabilityAt(REST_FILTER + 4));
  ringFree(RECEIVE.capability);
  ringFree(TRANSMIT.capability);
}

function bindAll(): i32 {
  let code = RECEIVE.bind(false, RECEIVE_SLOTS, SPARE, pages);
  if (code == 0) code = TRANSMIT.bind(true, TRANSMIT_SLOTS, 0, pages + RECEIVE_PAGES * PAGE_BYTES);
  // Nothing to send yet, but without a controller this says so.
  if (code == 0) code = xmit(TRANSMIT.number, RESULTS);
  if (code == 0) code = frameOf(filterPage, FILTER_FRAME);
  if (code < 0) return code;
  const arp = Filter.at(filterPage)
    .eq(12, 2, bswap<u16>(<u16>ARP_TYPE))
    .eq(38, 4, bswap(SELF.ip));
  code = arp.bind(FILTER_FRAME, RECEIVE.capability, POLICY.all, ARP_FILTER);
  if (code < 0) return code;
  const rest = Filter.at(filterPage)
    .eq(12, 2, bswap<u16>(<u16>IPV4_TYPE))
    .eq(30, 4, bswap(SELF.ip));
  code = rest.bind(FILTER_FRAME, RECEIVE.capability, POLICY.specific, REST_FILTER);
  return code == E.OVERLAP ? 0 : code;
}

/** Writes the header of a frame to a station. */
export function writeEthernet(frame: usize, mac: u32, macEnd: u32, type: u32): void {
  store<u32>(frame, mac);
  store<u32>(frame, macEnd | (SELF.mac << 16), 4);
  store<u32>(frame, (SELF.mac >>> 16) | (SELF.macEnd << 16), 8);
  setHalf(frame + 12, type);
}

/** The frame is for this station alone. */
export function isForStation(frame: usize): bool {
  return load<u32>(frame) == SELF.mac && load<u16>(frame, 4) == SELF.macEnd;
}

/** A host that this one may talk to: not this one, nor a group or one of the addresses that no host has; and its network's broadcast is none. */
export function isOtherHost(ip: u32): bool {
  const first = ip & 0xff;
  return first != 0 && first != 127 && first < 224 && ip != SELF.ip && ip != (SELF.ip | ~SELF.mask);
}

/** A host on this network. */
export function isNeighbour(ip: u32): bool {
  return isOtherHost(ip) && ((ip ^ SELF.ip) & SELF.mask) == 0;
}
