/** A station on the wire that sends UDP datagrams to the machine's echo port and compares what comes back. */
import { NetworkStack, frameBytes, type UdpSocket } from '@exokernel/net';
import { ECHO_PORT, NETWORK, type World } from './world.ts';

/** Datagrams to be sent, one at a time, and the time between two tries in ms of the machine. */
const DATAGRAMS = 4;
const RETRY_MS = 200;
const PORT = 4000;

export class EchoPeer {
  readonly #world: World;
  readonly #stack: NetworkStack;
  readonly #socket: UdpSocket;
  readonly #send: (frame: Uint8Array) => boolean;
  #answered = 0;
  #wrong = 0;
  #lastTry = -RETRY_MS;

  constructor(world: World) {
    this.#world = world;
    this.#stack = new NetworkStack({ ...NETWORK.peer, netmask: NETWORK.netmask, seed: 3 });
    this.#socket = this.#stack.udp.bind(PORT);
    const station = world.wire.attach({
      receive: (frame) => {
        this.#stack.receive(frame, this.#now());
      },
    });
    this.#send = (frame) => station.send(frame);
  }

  /** Datagrams that came back unchanged. */
  get answered(): number {
    return this.#answered;
  }

  get done(): boolean {
    return this.#answered === DATAGRAMS;
  }

  get ok(): boolean {
    return this.done && this.#wrong === 0;
  }

  /** Call it between runs of the machine, once the machine answers ARP. */
  pump(): void {
    const now = this.#now();
    this.#stack.poll(now);
    for (let d = this.#socket.receive(); d !== undefined; d = this.#socket.receive()) {
      const wanted = this.#datagram();
      if (d.data.length === wanted.length && d.data.every((byte, i) => byte === wanted[i])) this.#answered += 1;
      else this.#wrong += 1;
      this.#lastTry = -RETRY_MS;
    }
    if (!this.done && now - this.#lastTry >= RETRY_MS) {
      this.#lastTry = now;
      this.#socket.send(NETWORK.machine.ip, ECHO_PORT, this.#datagram());
    }
    this.#stack.transmit((frame) => this.#send(frameBytes(frame)), now);
  }

  /** The datagram whose answer is awaited; each has another length and contents. */
  #datagram(): Uint8Array {
    return Uint8Array.from({ length: 1 + 300 * this.#answered }, (_, i) => (i * 7 + this.#answered) & 0xff);
  }

  #now(): number {
    return (this.#world.machine.cycles / this.#world.machine.hz) * 1000;
  }
}
