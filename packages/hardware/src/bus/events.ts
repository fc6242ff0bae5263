/**
 * The event stream: what the machine did, as numbers, in cycle order.
 *
 * A listener is called with numbers only and nothing is allocated; without listeners an event costs one comparison. A
 * listener must neither throw nor touch the machine: it is called in the middle of an instruction or a device's step.
 */

/** The version of the table below: raised when a kind, or what its numbers mean, changes. New kinds do not change it. */
export const EVENTS_VERSION = 1;

/** Every kind of event: its number, and what `a`, `b` and `c` are. Unused values are 0. */
export const EVENT_KINDS = {
  /** The CPU took an exception. */
  exception: { kind: 0, a: 'ExcCode', b: 'EPC', c: 'vector address' },
  /** An `rfe` was executed. */
  return: { kind: 1, a: 'new Status', b: '', c: '' },
  /** EntryHi's address space identifier changed. */
  asid: { kind: 2, a: 'new ASID', b: '', c: '' },
  /** A native function completed. */
  native: { kind: 3, a: 'function index', b: 'ASID, or -1 for the kernel', c: 'cycles charged, without the 1 of cop2' },
  /** An interrupt line of a device changed. */
  'interrupt-line': { kind: 4, a: 'line (bit of Cause.IP, 2 to 7)', b: 'new level, 0 or 1', c: '' },
  /** The LANCE handed a frame to the wire. */
  'frame-out': { kind: 5, a: 'length in bytes without FCS', b: '', c: '' },
  /** The LANCE stored a frame for the guest. */
  'frame-in': { kind: 6, a: 'length in bytes without FCS', b: '', c: '' },
  /** The disk completed a request. */
  disk: { kind: 7, a: 'virtio-blk request type', b: 'first sector', c: 'sectors' },
  /** A user's native function threw; `machine.native.lastError` holds the message. */
  'native-error': { kind: 8, a: 'function index', b: 'ASID', c: '' },
  /** The kernel says that an environment which had begun has ended. */
  'environment-end': { kind: 9, a: 'environment', b: 'its death, as in its record', c: 'the word it exited with' },
} as const;

export type EventName = keyof typeof EVENT_KINDS;

/** `kind` is a number of `EVENT_KINDS`; `cycle` is the machine's clock. Addresses are unsigned. */
export type EventListener = (kind: number, cycle: number, a: number, b: number, c: number) => void;

/** The machine's event stream. */
export class EventStream {
  #listeners: readonly EventListener[] = [];

  /** Adds a listener; the function returned removes it. */
  listen(listener: EventListener): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((l) => l !== listener);
    };
  }

  emit(kind: number, cycle: number, a: number, b: number, c: number): void {
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i += 1) listeners[i]?.(kind, cycle, a, b, c);
  }
}
