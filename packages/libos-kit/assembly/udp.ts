/**
 * Interface `udp`: export these four functions to provide it. [RFC768], [RFC1122 §4.1]
 *
 *     0             2                  4        6          8
 *     | source port | destination port | length | checksum | data
 *
 * Each socket has a filter of its own, so that the kernel finds whose packets are whose: environments may share an address. All packets arrive in one ring. A
 * datagram for another socket than the one that waits goes to that one's queue, and a spare buffer takes its place in the ring: nothing is copied.
 * Packets are looked at only within these functions, which also bind rings and filters anew when the kernel has taken frames by force. No upcall may call one of them while another one runs.
 */
import { E, POLICY } from './abi';
import { forgetNeighbours, receiveArp } from './arp';
import { filterFree } from './calls';
import { Capability, capabilityAt } from './capability';
import { clock_ticks } from './clock';
import {
  ARP_TYPE,
  Count,
  FILTER_FRAME,
  IPV4_TYPE,
  RECEIVE,
  RECEIVE_SLOTS,
  SPARE,
  SELF,
  TRANSMIT,
  count,
  filterPage,
  isDeaf,
  isOpen,
  openNetwork,
  rebind,
  staysDeaf,
} from './ethernet';
import { Filter } from './filter';
import { receiveIcmp, sendUnreachable } from './icmp';
import { DATA, DATA_MOST, DESTINATION, SOURCE, checkIpv4, dataEnd, route, writeIpv4 } from './ipv4';
import { pause } from './pause';
import { add, be16, checksum, copy, half, setHalf, sumOf, word } from './packet';
import { bufferPlace } from './ring';

const UDP: u32 = 17;
const ICMP: u32 = 1;
const HEADER: u32 = 8;
/** Bytes of a datagram, at most. */
const MOST: u32 = DATA_MOST - HEADER;
const SOCKETS: i32 = 8;
/** Datagrams that wait in a socket: a power of two. */
const QUEUE: u32 = 4;
/** Ticks between two attempts to bind rings and filters anew. */
const DEAF_TICKS = 16;

/** Records of sockets. */
const SOCKET_BYTES: i32 = 64;
const TABLE = memory.data(512);
const TABLE_END: usize = TABLE + SOCKETS * SOCKET_BYTES;

@unmanaged
class Socket {
  /** As it lies in memory; 0: it is closed. */
  port: u32;
  filter: i32;
  head: u32;
  name: u32;
  mac0: u32;
  mac1: u32;
  /** Datagrams in its queue since it was opened: taken, and put. */
  taken: u32;
  put: u32;
  // Then the queue: of each the place of its buffer, and where its data lie there: `to << 16 | from`.

  get capability(): Capability {
    return capabilityAt(changetype<usize>(this) + offsetof<Socket>('head'));
  }
  entry(n: u32): usize {
    return changetype<usize>(this) + 32 + 8 * (n & (QUEUE - 1));
  }
}

/** By slot of the ring the place of its buffer, and a stack of the places that are in no slot and in no queue. */
const HELD = memory.data(4 * 16);
const STACK = memory.data(4 * 16);
let spare: i32 = 0;

/** Of the datagram that `accept` has found: its data lie from here to there in the frame. */
let from: u32 = 0;
let to: u32 = 0;

/**
 * A socket for a port, 1 to 65535. Gives its number. Errors: E.RANGE; E.BUSY, this environment has one; E.OVERLAP, another environment has one for the same
 * address; E.NONE, there are no more; E.DEVICE without address or controller; and those of ring_bind, ring_extend and filter_bind.
 */
export function udp_open(port: i32): i32 {
  if (port < 1 || port > 0xffff) return E.RANGE;
  if (!isOpen()) {
    const code = openNetwork();
    if (code < 0) return code;
    begin();
  }
  const renewed = renew();
  if (renewed < 0) return renewed;
  if (socketOf(half(port)) !== null) return E.BUSY;
  const socket = socketOf(0);
  if (socket === null) return E.NONE;
  const code = bindFilter(socket, port);
  if (code < 0) return code;
  socket.port = half(port);
  socket.taken = socket.put;
  return <i32>(changetype<usize>(socket) - TABLE) / SOCKET_BYTES;
}

function bindFilter(socket: Socket, port: i32): i32 {
  return Filter.at(filterPage)
    .eq(12, 2, 0x0800)
    .masked(20, 4, 0x3fff00ff, UDP)
    .eq(30, 4, bswap(SELF.ip))
    .skip(14, 1, 0x0f, 2)
    .eq(16, 2, port)
    .bind(FILTER_FRAME, RECEIVE.capability, POLICY.specific, changetype<usize>(socket) + offsetof<Socket>('filter'));
}

/**
 * Where the kernel has taken frames by force: rings and filters are bound anew. Sockets stay open, and what waited in them is lost; one whose port
 * another environment has got meanwhile is closed. Errors: those of ring_bind and filter_bind. It is tried again with the next call then.
 */
function renew(): i32 {
  if (!isDeaf()) return 0;
  // A filter outlives its ring.
  for (let at = TABLE; at < TABLE_END; at += SOCKET_BYTES) {
    const socket = changetype<Socket>(at);
    if (socket.port != 0) filterFree(socket.capability);
  }
  let code = rebind();
  if (code < 0) return code;
  spareBuffers();
  for (let at = TABLE; at < TABLE_END; at += SOCKET_BYTES) {
    const socket = changetype<Socket>(at);
    if (socket.port == 0) continue;
    code = bindFilter(socket, half(socket.port));
    if (code == E.OVERLAP) socket.port = 0;
    else if (code < 0) {
      staysDeaf();
      return code;
    }
  }
  return 0;
}

/** Gives a socket back, and what waits in it. Errors: E.CAP, there is no such socket. */
export function udp_close(number: i32): i32 {
  const socket = socketAt(number);
  if (socket === null) return E.CAP;
  while (socket.taken != socket.put) push(load<u32>(socket.entry(socket.taken++)));
  socket.port = 0;
  return filterFree(socket.capability);
}

/**
 * Sends up to 1472 bytes to a port of a host; its address is a number (10.0.0.1 is 0x0a000001). Sleeps while the neighbour's address is asked for. Gives 0.
 * Errors: E.CAP, no such socket; E.RANGE, no such port or host, no route, or too many bytes; E.NONE, no neighbour answers; E.AGAIN, the controller
 * has no room.
 */
export function udp_send(number: i32, host: u32, port: i32, address: usize, bytes: i32): i32 {
  const socket = socketAt(number);
  if (socket === null) return E.CAP;
  if (port < 1 || port > 0xffff || <u32>bytes > MOST) return E.RANGE;
  const ip = bswap(host);
  const renewed = renew();
  if (renewed < 0) return renewed;
  const code = route(ip, () => {
    take(null);
  });
  if (code < 0) return code;
  const frame = TRANSMIT.room();
  if (frame == 0) return E.AGAIN;
  const length = HEADER + bytes;
  writeIpv4(frame, ip, UDP, length);
  const ports = socket.port | (half(port) << 16);
  const field = half(length);
  setHalf(frame + DATA, ports);
  store<u32>(frame, (ports >>> 16) | (field << 16), DATA + 2);
  copy(frame + DATA + HEADER, address, bytes);
  const sum = sumOf(frame + DATA + HEADER, bytes, pseudo(SELF.ip, ip, field));
  const made = checksum(add(sum + field, ports));
  setHalf(frame + DATA + 6, made == 0 ? 0xffff : made);
  const sent = TRANSMIT.send(DATA + length);
  if (sent == 0) count(Count.udpOut);
  return sent;
}

/**
 * The next datagram of a socket: stores up to `most` bytes of it, and where `sender` is not 0 the sender's address and port there, two words. Gives the
 * datagram's length: what is beyond `most` is lost. Waits for one so many ticks (0: not at all, negative: without end). Errors: E.CAP, no such
 * socket; E.RANGE; E.AGAIN, none has come.
 */
export function udp_receive(number: i32, address: usize, most: i32, sender: usize, ticks: i32): i32 {
  const socket = socketAt(number);
  if (socket === null) return E.CAP;
  if (most < 0) return E.RANGE;
  let until = 0;
  let isWaiting = false;
  for (;;) {
    if (socket.taken != socket.put) {
      const entry = socket.entry(socket.taken++);
      const place = load<u32>(entry);
      const range = load<u32>(entry, 4);
      push(place);
      return deliver(RECEIVE.pages + place, range & 0xffff, range >>> 16, address, most, sender);
    }
    const frame = take(socket);
    if (frame != 0) {
      const length = deliver(frame, from, to, address, most, sender);
      RECEIVE.release();
      return length;
    }
    // Its port has become another environment's.
    if (socket.port == 0) return E.CAP;
    if (ticks == 0) break;
    if (ticks > 0) {
      const now = clock_ticks();
      if (!isWaiting) until = now + ticks;
      else if (now - until >= 0) break;
      isWaiting = true;
    }
    pause(isDeaf() ? soonerOf(until) : until);
  }
  return E.AGAIN;
}

/** What is waited for comes with no event: a tick, or `until` if that is sooner. */
function soonerOf(until: i32): i32 {
  const soon = clock_ticks() + DEAF_TICKS;
  return until != 0 && until - soon < 0 ? until : soon;
}

/** The network has been opened anew: no sockets, and the buffers behind those of the slots are spare. */
function begin(): void {
  for (let at = TABLE; at < TABLE_END; at += SOCKET_BYTES) {
    const socket = changetype<Socket>(at);
    socket.port = 0;
  }
  spareBuffers();
  forgetNeighbours();
}

/** The rings are new: each slot has its buffer, the others are spare, and no socket has one. */
function spareBuffers(): void {
  for (let at = TABLE; at < TABLE_END; at += SOCKET_BYTES) {
    const socket = changetype<Socket>(at);
    socket.taken = socket.put;
  }
  for (let i = 0; i < RECEIVE_SLOTS; i++) store<u32>(HELD + 4 * i, bufferPlace(i));
  spare = 0;
  for (let i = 0; i < SPARE; i++) push(bufferPlace(RECEIVE_SLOTS + i));
}

function push(place: usize): void {
  store<u32>(STACK + 4 * spare++, place);
}

function socketAt(number: i32): Socket | null {
  const socket = changetype<Socket>(TABLE + number * SOCKET_BYTES);
  return <u32>number < <u32>SOCKETS && isOpen() && socket.port != 0 ? socket : null;
}

/** The socket of a port, as it lies in memory, or with 0 one that is closed. */
function socketOf(port: u32): Socket | null {
  for (let at = TABLE; at < TABLE_END; at += SOCKET_BYTES) {
    const socket = changetype<Socket>(at);
    if (socket.port == port) return socket;
  }
  return null;
}

/**
 * Looks at what has arrived, at most a ring of it, and stops at a datagram for `wanted`: it lies in the frame at the address that is given, in the slot that is
 * next. 0: there is none.
 */
function take(wanted: Socket | null): usize {
  if (renew() < 0) return 0;
  for (let i = 0; i < RECEIVE_SLOTS; i++) {
    const length = RECEIVE.received();
    if (length == 0) return 0;
    const held = HELD + ((RECEIVE.slot - RECEIVE.pages) >> 4);
    const frame = RECEIVE.pages + load<u32>(held);
    const socket = accept(frame, length, wanted);
    if (socket !== null) {
      count(Count.udpIn);
      if (socket === wanted) return frame;
      keep(socket, held);
    }
    RECEIVE.release();
  }
  return 0;
}

/** The buffer of the next slot goes to a socket's queue, and another one takes its place. */
function keep(socket: Socket, held: usize): void {
  if (socket.put - socket.taken == QUEUE || spare == 0) {
    count(Count.udpOverflow);
    return;
  }
  const entry = socket.entry(socket.put++);
  store<u32>(entry, load<u32>(held));
  store<u32>(entry, from | (to << 16), 4);
  const place = load<u32>(STACK + 4 * --spare);
  store<u32>(held, place);
  RECEIVE.setBuffer(RECEIVE.slot, place);
}

/** The socket that a packet is a datagram for; null: it is something else, and done with. */
function accept(frame: usize, length: u32, wanted: Socket | null): Socket | null {
  count(Count.framesIn);
  const type = <u32>load<u16>(frame, 12);
  if (type != IPV4_TYPE) {
    if (type == ARP_TYPE) receiveArp(frame, length);
    else count(Count.framesIgnored);
    return null;
  }
  const data = checkIpv4(frame, length);
  if (data == 0) return null;
  const protocol = <u32>load<u8>(frame, 23);
  if (protocol != UDP) {
    if (protocol == ICMP) receiveIcmp(frame, data);
    else count(Count.ipUnknownProtocol);
    return null;
  }
  if (!checkUdp(frame, data)) {
    count(Count.udpMalformed);
    return null;
  }
  const port = <u32>load<u16>(frame + data, 2);
  if (wanted !== null && wanted.port == port) return wanted;
  const socket = socketOf(port);
  if (socket === null || port == 0) {
    count(Count.udpClosedPort);
    sendUnreachable(frame, data);
    return null;
  }
  return socket;
}

/** The datagram at an offset of the frame is whole; then `from` and `to` say where its data lie. */
function checkUdp(frame: usize, data: u32): bool {
  const available = dataEnd - data;
  if (available < HEADER) return false;
  const field = <u32>load<u16>(frame + data, 4);
  const length = half(field);
  if (length < HEADER || length > available) return false;
  if (load<u16>(frame + data, 6) != 0) {
    const sum = pseudo(word(frame + SOURCE), word(frame + DESTINATION), field);
    if (checksum(sumOf(frame + data, length, sum)) != 0) return false;
  }
  from = data + HEADER;
  to = data + length;
  return true;
}

/** The sum of the pseudo header; the length as it lies in memory. */
function pseudo(source: u32, destination: u32, length: u32): u32 {
  return add(add((UDP << 8) + length, source), destination);
}

function deliver(frame: usize, start: u32, end: u32, address: usize, most: u32, sender: usize): i32 {
  const length = end - start;
  copy(address, frame + start, min(length, most));
  if (sender != 0) {
    store<u32>(sender, bswap(word(frame + SOURCE)));
    store<u32>(sender, be16(frame + start - HEADER), 4);
  }
  return length;
}
