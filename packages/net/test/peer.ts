/**
 * A scripted peer at 10.0.0.2: it sends exactly the segments a test names and shows what the stack answers, as text.
 *
 * Sequence numbers are relative: `seq` to the peer's initial number (its SYN is 0), `ack` to the stack's.
 */
import { frameBytes, type NetworkStack } from '../src/index.ts';
import { ARP_REPLY, ARP_REQUEST, writeArp } from '../src/arp.ts';
import { bytesPayload } from '../src/payload.ts';
import { ETHERTYPE_ARP, readEthernet, writeEthernet } from '../src/ethernet.ts';
import { PROTOCOL_TCP, readIpv4, writeIpv4 } from '../src/ipv4.ts';
import { readTcp, tcpHeaderLength, writeTcp } from '../src/tcp-segment.ts';
import { A_IP, A_MAC, B_IP, B_MAC } from './link.ts';

const PEER_PORT = 5000;
const LETTERS = 'FSRPA';

export interface Script {
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly mss?: number;
  readonly scale?: number | undefined;
  readonly data?: Uint8Array | string;
  readonly port?: number;
  readonly fromPort?: number;
}

export class Peer {
  readonly stack: NetworkStack;
  readonly iss: number;
  now = 1;
  /** The stack's initial sequence number, from its SYN. */
  stackIss = 0;
  stackPort: number;
  peerPort = PEER_PORT;
  answersArp = true;

  /** The stack already knows the peer's Ethernet address. */
  constructor(stack: NetworkStack, port: number, iss = 1000) {
    this.stack = stack;
    this.stackPort = port;
    this.iss = iss;
    this.#answerArp(ARP_REQUEST);
    this.stack.transmit(() => true, this.now);
  }

  frame({ flags, seq = 0, ack, window = 8192, mss = 0, scale, data = '', port, fromPort }: Script): Uint8Array {
    const bytes = typeof data === 'string' ? Uint8Array.from(data, (letter) => letter.charCodeAt(0)) : data;
    const header = {
      sourcePort: fromPort ?? this.peerPort,
      destinationPort: port ?? this.stackPort,
      seq: (this.iss + seq) >>> 0,
      ack: ack === undefined ? 0 : (this.stackIss + ack) >>> 0,
      flags: [...flags].reduce((set, letter) => set | (1 << LETTERS.indexOf(letter)), 0),
      window,
      mss,
      scale,
    };
    const length = tcpHeaderLength(header);
    const frame = new Uint8Array(34 + length + bytes.length);
    writeEthernet(frame, { destination: A_MAC, source: B_MAC, etherType: 0x0800 });
    writeIpv4(frame, 14, B_IP, A_IP, PROTOCOL_TCP, length + bytes.length);
    writeTcp(frame, 34, B_IP, A_IP, header, bytes.length, bytesPayload(bytes).sum(0, bytes.length));
    frame.set(bytes, 34 + length);
    return frame;
  }

  /** Sends a segment and shows the answer. */
  send(script: Script): string[] {
    this.stack.receive(this.frame(script), this.now);
    return this.answer();
  }

  /** Lets time pass, running every timer at its own time, and shows what the stack sends, with the times. */
  wait(ms: number): string[] {
    const until = this.now + ms;
    const lines = this.answer();
    for (let next = this.stack.nextDeadline; next !== undefined && next <= until; next = this.stack.nextDeadline) {
      const elapsed = next - this.now;
      this.now = Math.max(this.now, next);
      this.stack.poll(this.now);
      lines.push(...this.answer().map((line) => `+${Math.round(elapsed)} ${line}`));
    }
    this.now = until;
    this.stack.poll(until);
    return [...lines, ...this.answer()];
  }

  /** What the stack sends now, but for ARP requests: those are answered, as a live host would. */
  frames(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let asked = 0;
    do {
      if (asked > 0) this.#answerArp();
      asked = 0;
      this.stack.transmit((frame) => {
        const isArp = readEthernet(frame.header)?.etherType === ETHERTYPE_ARP;
        if (isArp && this.answersArp) asked += 1;
        else frames.push(frameBytes(frame));
        return true;
      }, this.now);
    } while (asked > 0);
    return frames;
  }

  /** What the stack sends now: one line per segment, like `PA 1:11 ack 1 win 4096`. */
  answer(): string[] {
    return this.frames().map((frame) => this.#describe(frame));
  }

  /** The handshake of a connection that the stack accepts. */
  open(script: Partial<Script> = {}): void {
    this.send({ flags: 'S', mss: 1460, ...script });
    this.send({ flags: 'A', seq: 1, ack: 1, ...script, mss: 0, scale: undefined });
  }

  #answerArp(operation: typeof ARP_REQUEST | typeof ARP_REPLY = ARP_REPLY): void {
    const frame = new Uint8Array(60);
    writeEthernet(frame, { destination: A_MAC, source: B_MAC, etherType: ETHERTYPE_ARP });
    writeArp(frame, 14, { operation, senderMac: B_MAC, senderIp: B_IP, targetMac: A_MAC, targetIp: A_IP });
    this.stack.receive(frame, this.now);
  }

  #describe(frame: Uint8Array): string {
    if (readEthernet(frame)?.etherType !== 0x0800) return 'ARP';
    const ip = readIpv4(frame, 14);
    if (typeof ip === 'string') return ip;
    const segment = readTcp(frame, ip.from, ip.to, ip.source, ip.destination);
    if (segment === undefined) return 'not TCP';
    const flags = [...LETTERS].filter((_, bit) => (segment.flags >>> bit) & 1).join('');
    if (flags.includes('S')) {
      this.stackIss = segment.seq;
      this.stackPort = segment.sourcePort;
    }
    const seq = (segment.seq - this.stackIss) | 0;
    const length = segment.to - segment.from;
    const data = length === 0 ? `${seq}` : `${seq}:${seq + length}`;
    const ack = flags.includes('A') ? ` ack ${(segment.ack - this.iss) | 0}` : '';
    const window = flags.includes('R') ? '' : ` win ${segment.window}`;
    const mss = segment.mss === 0 ? '' : ` mss ${segment.mss}`;
    const scale = segment.scale === undefined ? '' : ` scale ${segment.scale}`;
    return `${flags} ${data}${ack}${window}${mss}${scale}`;
  }
}
