/** Packets for tests and benchmarks: Ethernet II, IPv4, UDP or TCP, with lengths that are right. */
import { ipv4, type Ipv4 } from '../src/index.ts';

export interface PacketShape {
  readonly protocol?: number;
  readonly srcIp?: Ipv4;
  readonly dstIp?: Ipv4;
  readonly srcPort?: number;
  readonly dstPort?: number;
  /** Words of IP options, 0 to 10. */
  readonly optionWords?: number;
  readonly fragmentOffset?: number;
  readonly payload?: number;
}

export function packet({
  protocol = 17,
  srcIp = '10.0.0.2',
  dstIp = '10.0.0.1',
  srcPort = 1024,
  dstPort = 7,
  optionWords = 0,
  fragmentOffset = 0,
  payload = 18,
}: PacketShape = {}): Uint8Array {
  const header = 20 + 4 * optionWords;
  const transport = protocol === 6 ? 20 : 8;
  const bytes = new Uint8Array(14 + header + transport + payload);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
  view.setUint8(14, 0x45 + optionWords);
  view.setUint16(16, header + transport + payload);
  view.setUint16(20, fragmentOffset);
  view.setUint8(22, 64);
  view.setUint8(23, protocol);
  view.setUint32(26, ipv4(srcIp));
  view.setUint32(30, ipv4(dstIp));
  view.setUint16(14 + header, srcPort);
  view.setUint16(16 + header, dstPort);
  if (protocol === 17) view.setUint16(18 + header, transport + payload);
  for (let i = 0; i < payload; i += 1) bytes[14 + header + transport + i] = i + 1;
  return bytes;
}
