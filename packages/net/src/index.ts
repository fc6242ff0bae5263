/** User-level Ethernet, ARP, IPv4, ICMP, UDP and TCP, without I/O of its own. */
export { NetworkStack } from './stack.ts';
export { type StackOptions, type TcpTuning } from './options.ts';
export { type Counters } from './counters.ts';
export { NetError, type NetErrorCode } from './error.ts';
export { bytesPayload, copyFrame, frameBytes, frameLength, type OutgoingFrame, type Payload } from './payload.ts';
export { fold, sumBytes } from './checksum.ts';
export {
  formatIpv4,
  formatMac,
  type Ipv4Address,
  type MacAddress,
  macFromBytes,
  parseIpv4,
  parseMac,
} from './addresses.ts';
export { type TcpConnection, type TcpFailure, type TcpListener, type TcpService, type TcpState } from './tcp-types.ts';
export { type Datagram, type UdpService, type UdpSocket } from './udp-socket.ts';
