/** What is attached to a wire, and what it hears of it. */

/** How a frame left. */
export interface Transmission {
  /** Time of its last bit, in nanoseconds of the wire. */
  readonly time: number;
  /** It had to wait for another's frame. */
  readonly deferred: boolean;
  /** The sender heard itself: the cable was plugged in. */
  readonly carrier: boolean;
}

/** What is attached to a wire. Must not keep or change a frame; a station of the host must not touch a machine. */
export interface Station {
  /** Frames of it that may wait to be sent, if not so many as the wire says. */
  readonly capacity?: number;
  /** `time` in nanoseconds of the wire. */
  receive(frame: Uint8Array, time: number): void;
  /** A frame with an FCS that does not match it. Without this method such frames are dropped, as controllers do. */
  damaged?(frame: Uint8Array, fcs: number, time: number): void;
  /** The oldest accepted frame of this station has left. */
  sent?(how: Transmission): void;
}

/** A station's connection. */
export interface Attachment {
  /**
   * Queues a copy of the frame. Returns whether the wire took it. With an `fcs` (unsigned; its low byte goes first) the
   * frame is sent as it is: not padded, damaged to receivers unless the FCS matches, and, below 60 bytes, received by none.
   */
  readonly send: (frame: Uint8Array, fcs?: number) => boolean;
  /** The station receives nothing from now on; what it sent is still delivered. */
  readonly detach: () => void;
}

/** A frame as a listener on the wire sees it: each once, also those that get lost behind it. */
export interface SeenFrame {
  readonly bytes: Uint8Array;
  /** Time of its last bit, in nanoseconds of the wire. */
  readonly time: number;
  /** Its FCS did not match. */
  readonly damaged: boolean;
}
