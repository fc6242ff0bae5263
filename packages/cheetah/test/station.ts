/** A host on a machine's wire, for tests: a network stack on the machine's time, with faults if wanted. */
import { NetworkStack, frameBytes, parseIpv4, parseMac, type StackOptions, type TcpConnection } from '@exokernel/net';
import type { Machine, Wire } from '../../hardware/src/index.ts';

export const NETMASK: number = parseIpv4('255.255.255.0');
export const MACHINE_MAC: Uint8Array = Uint8Array.of(0x08, 0, 0x2b, 0, 0, 2);
export const MACHINE_IP: number = parseIpv4('10.0.0.2');
export const STATION_IP: number = parseIpv4('10.0.0.3');

/** Whether a frame gets through, by its number in its direction. */
export type Passes = (frame: Uint8Array, direction: 'in' | 'out', number: number) => boolean;

export interface StationOptions extends Partial<StackOptions> {
  readonly passes?: Passes;
}

export class Station {
  readonly stack: NetworkStack;
  /** Every frame that was on the wire, of others and its own, in order. */
  readonly seen: Uint8Array[] = [];
  readonly #machine: Machine;
  readonly #passes: Passes;
  readonly #send: (frame: Uint8Array) => boolean;
  #in = 0;
  #out = 0;

  constructor(machine: Machine, wire: Wire, { passes = () => true, ...options }: StationOptions = {}) {
    this.#machine = machine;
    this.#passes = passes;
    const mac = parseMac('02:00:00:00:00:03');
    this.stack = new NetworkStack({ mac, ip: STATION_IP, netmask: NETMASK, seed: 3, ...options });
    const { send } = wire.attach({
      receive: (frame) => {
        this.seen.push(frame.slice());
        this.#in += 1;
        if (this.#passes(frame, 'in', this.#in)) this.stack.receive(frame, this.now);
        this.pump();
      },
    });
    this.#send = send;
  }

  /** Milliseconds of the machine. */
  get now(): number {
    return (this.#machine.cycles / this.#machine.hz) * 1000;
  }

  /** Sends what the stack has to send; call it between runs of the machine. */
  pump(): void {
    this.stack.poll(this.now);
    this.stack.transmit((frame) => {
      const bytes = frameBytes(frame);
      this.#out += 1;
      return !this.#passes(bytes, 'out', this.#out) || this.#send(bytes);
    }, this.now);
  }

  /** Puts a frame on the wire as it is. */
  inject(frame: Uint8Array): boolean {
    return this.#send(frame);
  }
}

/** One end of a connection that collects what it reads. */
export class Reader {
  readonly connection: TcpConnection;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(connection: TcpConnection) {
    this.connection = connection;
  }

  /** Takes what is there. Returns how many bytes came in all. */
  read(): number {
    if (this.connection.readable > 0) {
      const part = this.connection.read();
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this.#length;
  }

  get bytes(): Uint8Array {
    this.read();
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  get text(): string {
    return Array.from(this.bytes, (byte) => String.fromCharCode(byte)).join('');
  }
}
