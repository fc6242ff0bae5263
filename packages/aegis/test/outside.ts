/** For tests of the network: a wire with the test on it, and packets. */
import { Wire, type MachineOptions } from '@exokernel/hardware';

export const MAC: Uint8Array = Uint8Array.of(0x08, 0, 0x2b, 1, 2, 3);
const OUTSIDE = Uint8Array.of(2, 0, 0, 0, 0, 9);

export interface Outside {
  readonly machine: MachineOptions;
  /** What the machine has sent. */
  readonly received: Uint8Array[];
  readonly send: (packet: Uint8Array) => boolean;
}

export function outside(): Outside {
  const wire = new Wire({ capacity: 4096 });
  const received: Uint8Array[] = [];
  const station = wire.attach({
    receive: (frame) => {
      received.push(frame.slice());
    },
  });
  return { machine: { lance: { mac: MAC, wire } }, received, send: station.send };
}

/** A packet for the machine of this type, of `length` bytes, with a recognisable payload. */
export function packet(type: number, length = 64, seed = 0): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
  bytes.set(MAC);
  bytes.set(OUTSIDE, 6);
  bytes.set([type >> 8, type & 0xff], 12);
  return bytes;
}
