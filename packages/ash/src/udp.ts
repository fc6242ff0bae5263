/**
 * Handlers for UDP over IPv4 over Ethernet II: recognising a datagram and answering it in kind.
 *
 * A datagram counts only if it is plain: no IP options, no fragment, lengths that agree and fit the frame. Its checksums
 * are not verified. Sources: [RFC894], [RFC791], [RFC768].
 */
import { add, and, eq, leu, shl, type Expression, type Local } from '@exokernel/vcode';
import { REPLY_BYTES } from './contract.ts';
import { defineHandler, type Handler, type HandlerBuilder } from './define.ts';
import { AshError } from './error.ts';

const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;
/** Where the payload begins. */
const PAYLOAD = ETHERNET_BYTES + IP_BYTES + UDP_BYTES;
const UDP = 17;

/** Which datagrams a handler answers. */
export interface UdpService {
  /** Destination port. */
  readonly port: number;
  /** Destination address as a number; any if left out. */
  readonly ip?: number;
  /** Where in the window the handler's words begin, a multiple of 4; 0 if left out. */
  readonly counterOffset?: number;
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
const swap32 = (value: number): number => (swap16(value & 0xffff) * 65536 + swap16(value >>> 16)) >>> 0;

/**
 * Passes everything that is not a plain datagram for the service. Returns the end of the datagram in the frame. Constants
 * have their bytes exchanged instead of the fields, where nothing but equality matters.
 */
function matchDatagram(h: HandlerBuilder, { port, ip }: UdpService): Local {
  const { message: m } = h;
  h.passUnless(m.fits(0, PAYLOAD));
  h.passUnless(eq(m.le16(12), swap16(0x0800)));
  h.passUnless(eq(m.u8(14), 0x45));
  h.passUnless(eq(and(m.le16(20), swap16(0x3fff)), 0));
  h.passUnless(eq(m.u8(23), UDP));
  if (ip !== undefined) h.passUnless(eq(m.le32(30), swap32(ip)));
  h.passUnless(eq(m.le16(36), swap16(port)));
  const total = h.code.local('total', m.be16(16));
  h.passUnless(eq(total, add(m.be16(38), IP_BYTES)));
  h.passUnless(leu(IP_BYTES + UDP_BYTES, total));
  const end = h.code.local('end', add(total, ETHERNET_BYTES));
  h.passUnless(leu(end, m.length));
  h.passUnless(leu(end, REPLY_BYTES));
  return end;
}

/**
 * Writes the headers of the answer: the message's, with addresses and ports exchanged. Both checksums stay right, because
 * a sum does not know the order of its terms. Leaves the UDP checksum and what follows to the caller.
 */
function exchangeHeaders(h: HandlerBuilder): void {
  h.code.require(h.reply, 0, PAYLOAD);
  h.copyFields([
    [2, 0, 6],
    [2, 2, 8],
    [2, 4, 10],
    [2, 6, 0],
    [2, 8, 2],
    [2, 10, 4],
    [4, 12, 12],
    [4, 16, 16],
    [4, 20, 20],
    [2, 24, 24],
    [2, 26, 30],
    [2, 28, 32],
    [2, 30, 26],
    [2, 32, 28],
    [2, 34, 36],
    [2, 36, 34],
    [2, 38, 38],
  ]);
}

function increment(h: HandlerBuilder, at: Expression | number, by: Expression | number): Local {
  const sum = h.code.local('sum', add(h.window.le32(at), by));
  h.code.store(h.window, 4, 'little', at, sum);
  return sum;
}

function checkService({ port, ip = 0, counterOffset = 0 }: UdpService): void {
  const isWord = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;
  if (isWord(port, 0xffff) && isWord(ip, 0xffffffff) && isWord(counterOffset, 0x7ff0) && counterOffset % 4 === 0)
    return;
  throw new AshError('range', 'a port, an address or an offset is out of range', { port, ip, counterOffset });
}

/**
 * Answers every datagram to a port with its own payload, and counts the answers in a word of the window. Everything else
 * passes. Throws `AshError` `range`.
 */
export function udpEcho(service: UdpService): Handler {
  checkService(service);
  const { counterOffset = 0 } = service;
  return defineHandler('udp-echo', { windowBytes: counterOffset + 4 }, (h) => {
    const end = matchDatagram(h, service);
    exchangeHeaders(h);
    // From the UDP checksum on: 40 is a multiple of 4, so the copy goes by whole words.
    const at = h.code.local('at', PAYLOAD - 2);
    h.copyToReply(at, end, REPLY_BYTES - PAYLOAD + 2);
    increment(h, counterOffset, 1);
    h.consume(end);
  });
}

/** Words of `remoteIncrement`'s payload: which counter, and by how much, each 32 bits in network byte order. */
const REQUEST_BYTES = 8;

/**
 * Adds to a counter in the window on behalf of a remote machine, without the application being scheduled: the payload is
 * the counter's number and an amount, the answer the number and the new value. A number of `counters` or more passes.
 * Source: [ASH96, remote increment]. Throws `AshError` `range`.
 */
export function remoteIncrement(service: UdpService & { readonly counters: number }): Handler {
  checkService(service);
  const { counterOffset = 0, counters } = service;
  if (!Number.isInteger(counters) || counters < 1 || counters > 0x10000) {
    throw new AshError('range', `${counters} counters cannot be`, { counters });
  }
  const windowBytes = counterOffset + 4 * counters;
  return defineHandler('remote-increment', { windowBytes }, (h) => {
    const { code, message: m, reply } = h;
    const end = matchDatagram(h, service);
    h.passUnless(eq(end, PAYLOAD + REQUEST_BYTES));
    const number = code.local('number', m.be32(PAYLOAD));
    h.passUnless(leu(number, counters - 1));
    exchangeHeaders(h);
    code.require(reply, 0, PAYLOAD + REQUEST_BYTES);
    // No checksum: 0 says so [RFC768].
    code.store(reply, 2, 'little', 40, 0);
    code.store(reply, 4, 'little', PAYLOAD, m.le32(PAYLOAD));
    const at = code.local('at', add(shl(number, 2), counterOffset));
    const sum = increment(h, at, m.be32(PAYLOAD + 4));
    code.store(reply, 4, 'big', PAYLOAD + 4, sum);
    h.consume(end);
  });
}
