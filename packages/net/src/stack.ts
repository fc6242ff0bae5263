/**
 * The stack: frames in, frames out, and the time of the caller's clock. It does no I/O, owns no timer and never blocks.
 *
 * The caller gives every frame from its device to `receive`, calls `poll` when `nextDeadline` has come, and calls
 * `transmit` after either and after using a socket. A frame given to `receive` may be reused at once; a frame given to
 * the sink must be copied out before the sink returns true. No frame can make the stack throw, hang, or grow beyond
 * its bounds.
 *
 * Source: [RFC1122].
 */
import { BROADCAST_MAC, type Ipv4Address, isGroupMac, isHostIpv4, type MacAddress } from './addresses.ts';
import { ArpCache } from './arp-cache.ts';
import { ARP_LENGTH, ARP_REPLY, ARP_REQUEST, type ArpPacket, readArp, writeArp } from './arp.ts';
import { getU16, getU32, putU48 } from './bytes.ts';
import { sumBytes } from './checksum.ts';
import { type Counters, createCounters } from './counters.ts';
import { NetError } from './error.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, readEthernet, writeEthernet } from './ethernet.ts';
import {
  ICMP_CODE_PORT,
  ICMP_CODE_TOO_LONG,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER,
  ICMP_UNREACHABLE,
  type IcmpMessage,
  readIcmp,
  writeIcmp,
} from './icmp.ts';
import { type Interface, IpOutput, newHeader, TRANSPORT } from './ip-output.ts';
import {
  IPV4_HEADER,
  type Ipv4Header,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readIpv4,
  readQuoted,
} from './ipv4.ts';
import { checkOptions, type StackOptions } from './options.ts';
import { bytesPayload, type OutgoingFrame } from './payload.ts';
import { createRandom } from './random.ts';
import { RateLimit } from './rate-limit.ts';
import { readTcp } from './tcp-segment.ts';
import { Tcp, type TcpHost } from './tcp.ts';
import { Timers } from './timers.ts';
import type { TcpService } from './tcp-types.ts';
import { Udp, type UdpHost, type UdpService } from './udp-socket.ts';
import { readUdp } from './udp.ts';

/** Assumption: frames that wait for the device; TCP waits by itself and does not fill this queue. */
const MAX_QUEUED = 256;
/** Assumption: unreachable messages per second; [RFC1122 §3.2.2] leaves the limit open. */
const UNREACHABLES_PER_SECOND = 10;

/** One host on one Ethernet. */
export class NetworkStack {
  readonly ip: Ipv4Address;
  readonly mac: MacAddress;
  readonly mtu: number;
  readonly #counters = createCounters();
  readonly #timers = new Timers();
  readonly #arp: ArpCache;
  readonly #output: IpOutput;
  readonly #tcp: Tcp;
  readonly #udp: Udp;
  readonly #unreachables = new RateLimit(UNREACHABLES_PER_SECOND);
  readonly #queue: OutgoingFrame[] = [];
  #now = 0;

  /** Throws `NetError` `option` or `address`. */
  constructor(options: StackOptions) {
    const { self, mtu, seed, tcp } = checkOptions(options);
    this.ip = self.ip;
    this.mac = self.mac;
    this.mtu = mtu;
    this.#arp = this.#createArp(self);
    this.#output = new IpOutput(self, this.#arp, this.#counters);
    const host: TcpHost & UdpHost = {
      ip: self.ip,
      mtu,
      timers: this.#timers,
      counters: this.#counters,
      output: this.#output,
      random: createRandom(seed),
      now: () => this.#now,
      queue: (frame) => {
        this.#enqueue(frame);
      },
    };
    this.#tcp = new Tcp(host, tcp);
    this.#udp = new Udp(host);
    this.announce();
  }

  get tcp(): TcpService {
    return this.#tcp;
  }

  get udp(): UdpService {
    return this.#udp;
  }

  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  /** The latest time the stack was told, in milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Neighbours in the ARP cache. */
  get neighbours(): number {
    return this.#arp.size;
  }

  /** `transmit` may have something to send. */
  get hasOutput(): boolean {
    return this.#queue.length > 0 || this.#tcp.isAwake;
  }

  /** When `poll` should be called next, in milliseconds of the caller's clock; it may be past. */
  get nextDeadline(): number | undefined {
    return this.#timers.next;
  }

  /**
   * Tells all neighbours this host's addresses with the next frames (a gratuitous ARP request [RFC5227 §3]). A new stack does so by
   * itself; do it again when the network has become another one.
   */
  announce(): void {
    const { mac, ip } = this;
    this.#sendArp(BROADCAST_MAC, { operation: ARP_REQUEST, senderMac: mac, senderIp: ip, targetMac: 0, targetIp: ip });
  }

  /** A frame arrived, without its FCS. Throws `NetError` `time` for a time that is no number. */
  receive(frame: Uint8Array, now: number): void {
    this.#advance(now);
    this.#counters.framesIn += 1;
    const header = readEthernet(frame);
    if (header === undefined || (header.destination !== this.mac && header.destination !== BROADCAST_MAC)) {
      this.#counters.framesIgnored += 1;
    } else if (header.etherType === ETHERTYPE_IPV4) this.#receiveIpv4(frame, header.destination === this.mac);
    else if (header.etherType === ETHERTYPE_ARP) this.#receiveArp(frame);
    else this.#counters.framesIgnored += 1;
  }

  /** Does what is due at `now`. Throws `NetError` `time`. */
  poll(now: number): void {
    this.#advance(now);
    this.#timers.fire(this.#now);
  }

  /**
   * Gives the sink frames until there are none or it returns false, which means that it had no room: that frame is kept
   * and comes first the next time. Throws `NetError` `time`.
   */
  transmit(sink: (frame: OutgoingFrame) => boolean, now: number): void {
    this.#advance(now);
    if (!this.#drain(sink)) return;
    const hasRoom = this.#tcp.transmit(this.#now, (frame) => {
      const isTaken = sink(frame);
      if (isTaken) this.#counters.framesOut += 1;
      else this.#queue.unshift(frame);
      return isTaken;
    });
    // Segments may have made ARP ask for their neighbour.
    if (hasRoom) this.#drain(sink);
  }

  #advance(now: number): void {
    if (!Number.isFinite(now)) throw new NetError('time', `the time ${now} is no number of milliseconds`, { now });
    if (now > this.#now) this.#now = now;
  }

  #enqueue(frame: OutgoingFrame | undefined): void {
    if (frame === undefined) return;
    if (this.#queue.length < MAX_QUEUED) this.#queue.push(frame);
    else this.#counters.outputOverflow += 1;
  }

  #drain(sink: (frame: OutgoingFrame) => boolean): boolean {
    for (let frame = this.#queue[0]; frame !== undefined; frame = this.#queue[0]) {
      if (!sink(frame)) return false;
      this.#queue.shift();
      this.#counters.framesOut += 1;
    }
    return true;
  }

  #createArp({ ip, mac }: Interface): ArpCache {
    return new ArpCache({
      timers: this.#timers,
      counters: this.#counters,
      request: (targetIp) => {
        this.#counters.arpRequestsOut += 1;
        const request = { operation: ARP_REQUEST, senderMac: mac, senderIp: ip, targetMac: 0, targetIp } as const;
        this.#sendArp(BROADCAST_MAC, request);
      },
      resolved: (frame, neighbour) => {
        putU48(frame.header, 0, neighbour);
        this.#enqueue(frame);
      },
      failed: (neighbour) => {
        this.#tcp.unreachable(neighbour);
      },
    });
  }

  #sendArp(destination: MacAddress, packet: ArpPacket): void {
    const frame = new Uint8Array(ETHERNET_HEADER + ARP_LENGTH);
    writeEthernet(frame, { destination, source: this.mac, etherType: ETHERTYPE_ARP });
    writeArp(frame, ETHERNET_HEADER, packet);
    this.#enqueue({ header: frame, payload: undefined, from: 0, to: 0 });
  }

  #receiveArp(frame: Uint8Array): void {
    const packet = readArp(frame, ETHERNET_HEADER);
    if (packet === undefined || isGroupMac(packet.senderMac) || packet.senderMac === 0) {
      this.#counters.arpMalformed += 1;
      return;
    }
    const { operation, senderIp, senderMac, targetIp } = packet;
    const isForUs = targetIp === this.ip;
    const isNeighbour = isHostIpv4(senderIp) && this.#output.nextHop(senderIp) === senderIp;
    if (isNeighbour) this.#arp.learn(senderIp, senderMac, isForUs, operation === ARP_REPLY, this.#now);
    if (operation !== ARP_REQUEST || !isForUs || senderIp === this.ip) return;
    this.#counters.arpRepliesOut += 1;
    this.#sendArp(senderMac, {
      operation: ARP_REPLY,
      senderMac: this.mac,
      senderIp: this.ip,
      targetMac: senderMac,
      targetIp: senderIp,
    });
  }

  #receiveIpv4(frame: Uint8Array, isForUs: boolean): void {
    const header = readIpv4(frame, ETHERNET_HEADER);
    if (header === 'malformed') this.#counters.ipMalformed += 1;
    else if (header === 'checksum') this.#counters.ipChecksum += 1;
    else if (!this.#isWellAddressed(header, isForUs)) this.#counters.ipMisaddressed += 1;
    else if (header.isFragment) this.#counters.ipFragments += 1;
    else this.#dispatch(frame, header);
  }

  /** From another host; to this one, or to all of them. An own address as the source is forged. */
  #isWellAddressed({ source, destination }: Ipv4Header, isForUs: boolean): boolean {
    if (!isHostIpv4(source) || source === this.ip || this.#output.isBroadcast(source)) return false;
    return (destination === this.ip && isForUs) || this.#output.isBroadcast(destination);
  }

  #dispatch(frame: Uint8Array, header: Ipv4Header): void {
    const { source, destination, protocol, from, to } = header;
    const isUnicast = destination === this.ip;
    if (protocol === PROTOCOL_UDP) {
      const datagram = readUdp(frame, from, to, source, destination);
      if (datagram === undefined) this.#counters.udpMalformed += 1;
      else if (!this.#udp.receive(datagram, frame, source) && isUnicast) this.#sendUnreachable(frame, header);
    } else if (!isUnicast) {
      // Only UDP has broadcasts: an echo or a connection to all hosts is an attack.
      this.#counters.ipMisaddressed += 1;
    } else if (protocol === PROTOCOL_TCP) {
      const segment = readTcp(frame, from, to, source, destination);
      if (segment === undefined) this.#counters.tcpMalformed += 1;
      else this.#tcp.receive(segment, source, this.#now);
    } else if (protocol === PROTOCOL_ICMP) this.#receiveIcmp(frame, header);
    else this.#counters.ipUnknownProtocol += 1;
  }

  #receiveIcmp(frame: Uint8Array, { source, from, to }: Ipv4Header): void {
    const message = readIcmp(frame, from, to);
    if (message === undefined) {
      this.#counters.icmpMalformed += 1;
      return;
    }
    if (message.type === ICMP_UNREACHABLE && message.code === ICMP_CODE_TOO_LONG) {
      this.#packetTooLong(frame, message);
      return;
    }
    if (message.type !== ICMP_ECHO_REQUEST || message.code !== 0 || to - from > this.mtu - IPV4_HEADER) {
      this.#counters.icmpIgnored += 1;
      return;
    }
    this.#counters.icmpEchoes += 1;
    this.#sendIcmp(source, ICMP_ECHO_REPLY, 0, message.rest, frame.slice(message.from, message.to));
  }

  /** A router says that a packet of ours was too long for the network behind it [RFC1191]. Only TCP's are not fragmented there. */
  #packetTooLong(frame: Uint8Array, { from, to, rest }: IcmpMessage): void {
    const quoted = readQuoted(frame, from, to);
    if (quoted?.source !== this.ip || quoted.protocol !== PROTOCOL_TCP) return;
    const ends = {
      localPort: getU16(frame, quoted.from),
      remoteIp: quoted.destination,
      remotePort: getU16(frame, quoted.from + 2),
    };
    this.#tcp.tooLong(ends, getU32(frame, quoted.from + 4), quoted.totalLength, rest & 0xffff, this.#now);
  }

  /** Sends back the header of a packet to a closed port, and its first eight bytes [RFC792]. */
  #sendUnreachable(frame: Uint8Array, { source, from, to }: Ipv4Header): void {
    if (!this.#unreachables.allow(this.#now)) {
      this.#counters.icmpLimited += 1;
      return;
    }
    this.#counters.icmpUnreachablesOut += 1;
    const original = frame.slice(ETHERNET_HEADER, Math.min(from + 8, to));
    this.#sendIcmp(source, ICMP_UNREACHABLE, ICMP_CODE_PORT, 0, original);
  }

  #sendIcmp(destination: Ipv4Address, type: number, code: number, rest: number, data: Uint8Array): void {
    const header = newHeader(ICMP_HEADER);
    writeIcmp(header, TRANSPORT, type, code, rest, sumBytes(data, 0, data.length));
    const payload = bytesPayload(data);
    this.#enqueue(this.#output.send(header, PROTOCOL_ICMP, destination, this.#now, payload, 0, data.length));
  }
}
