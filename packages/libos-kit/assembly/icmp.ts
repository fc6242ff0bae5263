/**
 * ICMP: answers to echo requests, and to datagrams for ports without a socket. Of both so many a second, the rest are counted. [RFC792], [RFC1122 §3.2.2]
 *
 *     0      1      2          4                  8
 *     | type | code | checksum | rest of header   | data
 *
 * An answer goes to the station from which the question came, so that nothing waits for ARP.
 */
import { TICKS_PER_SECOND } from './abi';
import { clock_ticks } from './clock';
import { Count, ETHERNET_HEADER, TRANSMIT, count } from './ethernet';
import { DATA, DATA_MOST, SOURCE, dataEnd, writeIpv4To } from './ipv4';
import { checksum, copy, setHalf, sumOf, word } from './packet';

const ICMP: u32 = 1;
const HEADER: u32 = 8;
/** Types, with code 0 or 3 (port), as they lie in memory. */
const ECHO_REQUEST: u32 = 0x0008;
const ECHO_REPLY: u32 = 0;
const PORT_UNREACHABLE: u32 = 0x0303;
/** Assumption: [RFC1122 §3.2.2] leaves the limits open. */
const ECHOES_PER_SECOND: i32 = 64;
const UNREACHABLES_PER_SECOND: i32 = 10;

/** So many a second. */
@unmanaged
class Limit {
  until: i32;
  left: i32;

  allows(most: i32): bool {
    const now = clock_ticks();
    if (now - this.until >= 0) {
      this.until = now + TICKS_PER_SECOND;
      this.left = most;
    }
    if (this.left == 0) {
      count(Count.icmpLimited);
      return false;
    }
    this.left--;
    return true;
  }
}
const ECHOES: Limit = changetype<Limit>(memory.data(8));
const UNREACHABLES: Limit = changetype<Limit>(memory.data(8));

/** A message has arrived, whose bytes lie from an offset of the frame up to `dataEnd`. */
export function receiveIcmp(frame: usize, from: u32): void {
  const bytes = dataEnd - from;
  if (bytes < HEADER || checksum(sumOf(frame + from, bytes, 0)) != 0) {
    count(Count.icmpMalformed);
    return;
  }
  if (<u32>load<u16>(frame + from) != ECHO_REQUEST || bytes > DATA_MOST) {
    count(Count.icmpIgnored);
    return;
  }
  if (!ECHOES.allows(ECHOES_PER_SECOND)) return;
  count(Count.icmpEchoes);
  answer(frame, ECHO_REPLY, load<u32>(frame + from, 4, 2), frame + from + HEADER, bytes - HEADER);
}

/** A packet has arrived for a port without a socket: its header and first eight bytes go back. */
export function sendUnreachable(frame: usize, from: u32): void {
  if (!UNREACHABLES.allows(UNREACHABLES_PER_SECOND)) return;
  count(Count.icmpUnreachablesOut);
  answer(frame, PORT_UNREACHABLE, 0, frame + ETHERNET_HEADER, min(from + 8, dataEnd) - ETHERNET_HEADER);
}

/** To the sender of `frame`. Nothing is sent where the controller has no room, or to a group of stations. */
function answer(frame: usize, type: u32, rest: u32, data: usize, bytes: u32): void {
  const reply = TRANSMIT.room();
  const macStart = <u32>load<u16>(frame, 6);
  if (reply == 0 || (macStart & 1) != 0) return;
  const macRest = load<u32>(frame, 8);
  const message = reply + DATA;
  // prettier-ignore
  writeIpv4To(reply, macStart | (macRest << 16), macRest >>> 16, word(frame + SOURCE), ICMP, HEADER + bytes);
  setHalf(message, type);
  setHalf(message + 2, 0);
  store<u32>(message, rest, 4, 2);
  copy(message + HEADER, data, bytes);
  setHalf(message + 2, checksum(sumOf(message, HEADER + bytes, 0)));
  TRANSMIT.send(DATA + HEADER + bytes);
}
