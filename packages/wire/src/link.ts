/**
 * A link: a station on a wire whose other end is outside the simulation.
 *
 * What comes from outside enters through `enter`, between two runs, as any station's frames do: it is an input of the
 * machines, and `wire.listenInputs` sees it. What the other side cannot take at once is dropped and counted, as an Ethernet
 * does. A link that is closed stays closed.
 */
import type { WireError } from './error.ts';
import type { Attachment } from './station.ts';
import type { Wire } from './wire.ts';

/** Frames, by direction. */
export interface LinkCounters {
  readonly entered: number;
  readonly left: number;
  /** From outside: no frame, or more than the wire had room for. */
  readonly droppedIn: number;
  /** To outside: more than it took. */
  readonly droppedOut: number;
}

/** What carries a link's frames. */
export interface Transport {
  /** Sends a frame, which is only lent; returns whether there was room. */
  send(frame: Uint8Array): boolean;
  close(): void;
}

/** One link. */
export class Link {
  /** Resolves when the link is closed: to the error that closed it, to undefined if either side just did. */
  readonly closed: Promise<WireError | undefined>;
  /** Which frames of the wire go out; all, unless it is set. Some peers (passt) take the last sender for the only host. */
  passes: ((frame: Uint8Array) => boolean) | undefined;
  readonly #transport: Transport;
  readonly #attachment: Attachment;
  readonly #resolve: (error: WireError | undefined) => void;
  #open = true;
  #entered = 0;
  #left = 0;
  #droppedIn = 0;
  #droppedOut = 0;

  constructor(wire: Wire, transport: Transport) {
    this.#transport = transport;
    const { promise, resolve } = Promise.withResolvers<WireError | undefined>();
    this.closed = promise;
    this.#resolve = resolve;
    this.#attachment = wire.attach({
      receive: (frame) => {
        if (this.passes?.(frame) === false) return;
        if (transport.send(frame)) this.#left += 1;
        else this.#droppedOut += 1;
      },
    });
  }

  get open(): boolean {
    return this.#open;
  }

  get counters(): LinkCounters {
    return { entered: this.#entered, left: this.#left, droppedIn: this.#droppedIn, droppedOut: this.#droppedOut };
  }

  /** A frame has come from outside. */
  enter(frame: Uint8Array): void {
    if (this.#open && this.#attachment.send(frame)) this.#entered += 1;
    else this.#droppedIn += 1;
  }

  /** Something has come from outside that is no frame, or did not get through. */
  drop(direction: 'in' | 'out'): void {
    if (direction === 'in') this.#droppedIn += 1;
    else this.#droppedOut += 1;
  }

  /** Leaves the wire and closes the transport; with the error for which, if any. The first call counts. */
  close(error?: WireError): void {
    if (!this.#open) return;
    this.#open = false;
    this.#attachment.detach();
    this.#transport.close();
    this.#resolve(error);
  }
}
