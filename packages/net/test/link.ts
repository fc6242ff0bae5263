/**
 * Two stacks and the wire between them, in simulated time: a discrete-event loop with a seeded fault injector.
 */
import { frameBytes, NetworkStack, parseIpv4, parseMac, type StackOptions, type TcpTuning } from '../src/index.ts';
import { createRandom } from '../src/random.ts';

export const A_IP = parseIpv4('10.0.0.1');
export const B_IP = parseIpv4('10.0.0.2');
export const A_MAC = parseMac('02:00:00:00:00:0a');
export const B_MAC = parseMac('02:00:00:00:00:0b');
export const NETMASK = parseIpv4('255.255.255.0');

/** A stack that has said its addresses. */
export function stackA(options: Partial<StackOptions> = {}): NetworkStack {
  return announced(new NetworkStack({ mac: A_MAC, ip: A_IP, netmask: NETMASK, seed: 1, ...options }));
}

function stackB(options: Partial<StackOptions> = {}): NetworkStack {
  return announced(new NetworkStack({ mac: B_MAC, ip: B_IP, netmask: NETMASK, seed: 2, ...options }));
}

function announced(stack: NetworkStack): NetworkStack {
  stack.transmit(() => true, 0);
  return stack;
}

/** Probabilities per frame, and milliseconds. */
export interface Faults {
  readonly drop?: number;
  readonly duplicate?: number;
  readonly corrupt?: number;
  /** A frame is held back by up to `jitter`, so that later ones overtake it. */
  readonly reorder?: number;
  readonly jitter?: number;
  readonly delay?: number;
}

interface Delivery {
  readonly at: number;
  readonly to: NetworkStack;
  readonly frame: Uint8Array;
}

export class Link {
  readonly a: NetworkStack;
  readonly b: NetworkStack;
  now = 0;
  /** Every frame that was put on the wire, as sent. */
  readonly sent: { readonly at: number; readonly from: 'a' | 'b'; readonly frame: Uint8Array }[] = [];
  keepsSent = false;
  readonly #faults: Faults;
  readonly #random: () => number;
  readonly #deliveries: Delivery[] = [];

  constructor(options: { faults?: Faults; seed?: number; a?: TcpTuning; b?: TcpTuning } = {}) {
    this.#faults = options.faults ?? {};
    this.#random = createRandom(options.seed ?? 1);
    this.a = stackA({ seed: (options.seed ?? 1) * 2 + 1, ...(options.a === undefined ? {} : { tcp: options.a }) });
    this.b = stackB({ seed: (options.seed ?? 1) * 2 + 2, ...(options.b === undefined ? {} : { tcp: options.b }) });
  }

  /** Sends what both stacks have to send. */
  transmit(): void {
    for (const [from, stack, to] of [
      ['a', this.a, this.b],
      ['b', this.b, this.a],
    ] as const) {
      stack.transmit((outgoing) => {
        const frame = frameBytes(outgoing);
        if (this.keepsSent) this.sent.push({ at: this.now, from, frame });
        this.#put(frame, to);
        return true;
      }, this.now);
    }
  }

  /** Goes to the next event; false if there is none before `until`. */
  step(until: number): boolean {
    this.transmit();
    const first = this.#deliveries[0];
    const next = Math.min(first?.at ?? Infinity, this.a.nextDeadline ?? Infinity, this.b.nextDeadline ?? Infinity);
    if (next > until) {
      this.now = Math.max(this.now, until);
      return false;
    }
    this.now = Math.max(this.now, next);
    if (first !== undefined && first.at <= this.now) {
      this.#deliveries.shift();
      first.to.receive(first.frame, this.now);
    }
    this.a.poll(this.now);
    this.b.poll(this.now);
    return true;
  }

  /** Runs for `ms`, calling `between` after every event; stops when it returns true. */
  run(ms: number, between: () => boolean = () => false): boolean {
    const until = this.now + ms;
    do if (between()) return true;
    while (this.step(until));
    return between();
  }

  #chance(probability = 0): boolean {
    return probability > 0 && this.#random() < probability * 2 ** 32;
  }

  #put(frame: Uint8Array, to: NetworkStack): void {
    const { drop, duplicate, corrupt, reorder, jitter = 0, delay = 0.1 } = this.#faults;
    if (this.#chance(drop)) return;
    if (this.#chance(duplicate)) this.#deliver(frame.slice(), to, delay + (this.#random() / 2 ** 32) * jitter);
    if (this.#chance(corrupt)) {
      const at = this.#random() % frame.length;
      frame[at] = (frame[at] ?? 0) ^ (1 << (this.#random() % 8));
    }
    this.#deliver(frame, to, delay + (this.#chance(reorder) ? (this.#random() / 2 ** 32) * jitter : 0));
  }

  #deliver(frame: Uint8Array, to: NetworkStack, delay: number): void {
    const at = this.now + delay;
    let i = this.#deliveries.length;
    while (i > 0 && (this.#deliveries[i - 1] as Delivery).at > at) i -= 1;
    this.#deliveries.splice(i, 0, { at, to, frame });
  }
}

/** `length` bytes that differ from one another's neighbours at every offset. */
export function pattern(length: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random() >>> 24;
  return bytes;
}
