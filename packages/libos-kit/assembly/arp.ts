/**
 * ARP for IPv4 over Ethernet: a cache, answers to those who ask for this environment's address, and questions with retries. [RFC826], [RFC1122 §2.3.2]
 *
 *     0       2          4      5      6     8           14         18          24         28
 *     | htype | ptype    | hlen | plen | op  | sender mac | sender ip | target mac | target ip |
 *
 * An entry is made by a request to us, which we answer, and by the answer to our question. What else arrives changes only an entry that is there. What
 * is old is asked for again.
 */
import { E, TICKS_PER_SECOND } from './abi';
import { clock_ticks } from './clock';
import {
  ALL,
  ALL_END,
  ARP_TYPE,
  Count,
  ETHERNET_HEADER,
  SELF,
  TRANSMIT,
  count,
  isNeighbour,
  writeEthernet,
} from './ethernet';
import { pause } from './pause';
import { setHalf, setWord, word } from './packet';

const ARP_BYTES: u32 = 28;
/** Operations, as they lie in memory. */
const REQUEST: u32 = 0x0100;
const REPLY: u32 = 0x0200;
/** Assumption: one minute, the order of magnitude that [RFC1122 §2.3.2.1] names. */
const LIFETIME: i32 = 60 * TICKS_PER_SECOND;
/** Once a second is the most that [RFC1122 §2.3.2.1] allows; three times. */
const RETRY: i32 = TICKS_PER_SECOND;
const REQUESTS: i32 = 3;
/** Neighbours that are remembered: a power of two. */
const ENTRIES: usize = 16;

/** A neighbour. */
@unmanaged
class Neighbour {
  /** 0: there is none. */
  ip: u32;
  mac: u32;
  macEnd: u32;
  expires: i32;
}

const CACHE = memory.data(16 * 16);
const CACHE_END: usize = CACHE + 16 * ENTRIES;
/** Whom a question is under way for, or 0. */
let asked: u32 = 0;

/** Forgets all. */
export function forgetNeighbours(): void {
  for (let at = CACHE; at < CACHE_END; at += 16) store<u32>(at, 0);
}

/** The entry of a neighbour, or null. It may be old. */
function find(ip: u32): Neighbour | null {
  if (ip == 0) return null;
  // Neighbours differ in the last byte of their addresses.
  let at = CACHE + 16 * (((<usize>ip) >>> 24) & (ENTRIES - 1));
  for (let i: usize = 0; i < ENTRIES; i++) {
    if (load<u32>(at) == ip) return changetype<Neighbour>(at);
    at += 16;
    if (at == CACHE_END) at = CACHE;
  }
  return null;
}

/** A place for a neighbour: a free one, or that of the one which was confirmed longest ago. */
function place(ip: u32): Neighbour {
  let at = CACHE + 16 * (((<usize>ip) >>> 24) & (ENTRIES - 1));
  let oldest = changetype<Neighbour>(at);
  for (let i: usize = 0; i < ENTRIES; i++) {
    const entry = changetype<Neighbour>(at);
    if (entry.ip == 0) return entry;
    if (entry.expires - oldest.expires < 0) oldest = entry;
    at += 16;
    if (at == CACHE_END) at = CACHE;
  }
  return oldest;
}

/** Whether the address of a neighbour is known, and then it is in `found`. */
export let found: u32 = 0;
export let foundEnd: u32 = 0;
export function isKnown(ip: u32, now: i32): bool {
  const entry = find(ip);
  if (entry === null || entry.expires - now <= 0) return false;
  found = entry.mac;
  foundEnd = entry.macEnd;
  return true;
}

/**
 * Asks for a neighbour until its address is known, and lets `arrived` take packets meanwhile. Sleeps. Gives E.NONE if there is no answer, or the error of
 * xmit.
 */
export function resolve(ip: u32, arrived: () => void): i32 {
  const before = asked;
  let code: i32 = E.NONE;
  let now = clock_ticks();
  for (let i = 0; i < REQUESTS; i++) {
    const sent = request(ip);
    if (sent < 0 && sent != E.AGAIN) {
      code = sent;
      break;
    }
    for (const until = now + RETRY; ;) {
      asked = ip;
      arrived();
      now = clock_ticks();
      if (isKnown(ip, now)) {
        asked = before;
        return 0;
      }
      if (now - until >= 0) break;
      pause(until);
    }
  }
  asked = before;
  count(Count.arpFailed);
  return code;
}

function request(ip: u32): i32 {
  count(Count.arpRequestsOut);
  return send(ALL, ALL_END, REQUEST, 0, 0, ip);
}

/** Without an answer where the controller has no room: the question comes again. */
function send(to: u32, toEnd: u32, operation: u32, mac: u32, macEnd: u32, ip: u32): i32 {
  const frame = TRANSMIT.room();
  if (frame == 0) return E.AGAIN;
  writeEthernet(frame, to, toEnd, ARP_TYPE);
  setWord(frame + 14, 0x00080100);
  setHalf(frame + 18, 0x0406);
  setHalf(frame + 20, operation);
  setWord(frame + 22, SELF.mac);
  setHalf(frame + 26, SELF.macEnd);
  setWord(frame + 28, SELF.ip);
  setWord(frame + 32, mac);
  setHalf(frame + 36, macEnd);
  setWord(frame + 38, ip);
  return TRANSMIT.send(ETHERNET_HEADER + ARP_BYTES);
}

/** An ARP packet has arrived, in a frame of so many bytes. */
export function receiveArp(frame: usize, length: u32): void {
  const operation = <u32>load<u16>(frame, 20);
  const isWhole =
    length >= ETHERNET_HEADER + ARP_BYTES && word(frame + 14) == 0x00080100 && load<u16>(frame, 18) == 0x0406;
  const mac = word(frame + 22);
  const macEnd = <u32>load<u16>(frame, 26);
  if (!isWhole || (operation != REQUEST && operation != REPLY) || (mac & 1) != 0 || (mac | macEnd) == 0) {
    count(Count.arpMalformed);
    return;
  }
  const ip = word(frame + 28);
  const isForUs = word(frame + 38) == SELF.ip;
  if (isNeighbour(ip)) learn(ip, mac, macEnd, isForUs && (operation == REQUEST || ip == asked));
  if (operation != REQUEST || !isForUs || ip == SELF.ip) return;
  count(Count.arpRepliesOut);
  send(mac, macEnd, REPLY, mac, macEnd, ip);
}

function learn(ip: u32, mac: u32, macEnd: u32, isNews: bool): void {
  let entry = find(ip);
  if (entry === null) {
    if (!isNews) return;
    entry = place(ip);
  }
  entry.ip = ip;
  entry.mac = mac;
  entry.macEnd = macEnd;
  entry.expires = clock_ticks() + LIFETIME;
}
