/**
 * What the suite runs on: a machine with Aegis, made by the caller, because the suite imports neither the machine nor the kernel.
 *
 * The package's README has one of `@exokernel/hardware` and `@exokernel/aegis`, in twenty lines.
 */
import type { Image } from '@exokernel/abi';

/** What is known of an environment. */
export interface EnvironmentState {
  /** What it gave as its exit code when it ended by itself; nothing while it lives, and of one that the kernel ended. */
  readonly exit: number | undefined;
  /** How it ended, for people; nothing while it lives. */
  readonly ending: string | undefined;
}

/** A machine that runs Aegis. Its environments are numbered from 0, in the order of the images. */
export interface ConformanceMachine {
  /** Runs for this many ticks of the machine's clock, 1/64 s each. */
  readonly run: (ticks: number) => void;
  /** What is known of an environment, by its number. */
  readonly environment: (id: number) => EnvironmentState;
  /** What has come out of a serial line, a character for each byte. */
  readonly serial: (line: number) => string;
  /** How many frames have no holder. */
  readonly framesFree: () => number;
  /** Asks an environment for frames, as an environment that controls it may: it chooses which, and loses some when it is late. */
  readonly revoke: (id: number, frames: number) => void;
  /** Asks an environment for slices, in the same way. */
  readonly revokeSlices: (id: number, slices: number) => void;
  /** The wire that the network controller is plugged into, where `Devices` asks for one. */
  readonly wire?: ConformanceWire | undefined;
  /** Power is lost: of what the disk was writing any part has happened. The machine does not run again. */
  readonly powerCut?: () => void;
}

/** A wire, as the suite uses it: that of `@exokernel/hardware` is one. */
export interface ConformanceWire {
  /** Plugs a host in. It gets each frame that others send, with the time in nanoseconds; `send` gives the others one. */
  readonly attach: (station: { readonly receive: (frame: Uint8Array, time: number) => void }) => {
    readonly send: (frame: Uint8Array) => unknown;
  };
}

/** What a machine is to have besides processor, memory and serial lines. */
export interface Devices {
  /** A disk whose bytes are these: the machine reads and writes them, and another machine may be made with them later. */
  readonly disk?: Uint8Array | undefined;
  /** A network controller with this address, six bytes, on a wire of its own. */
  readonly mac?: Uint8Array | undefined;
}

/** Makes a machine that has not run yet, with these devices, and an environment for each image. */
export type Boot = (images: readonly Image[], devices: Devices) => ConformanceMachine;
