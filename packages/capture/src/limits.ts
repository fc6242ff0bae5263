/** What a reader may be asked to hold: a hostile capture costs no more. */

/** Bounds on what one capture may make a reader hold. All are counted in whole units; a capture beyond one is refused with `limit`. */
export interface CaptureLimits {
  /** Bytes of a block or of a record, headers included. Default 16 MiB, as in libpcap. */
  readonly block?: number;
  /** Interfaces in a file, over all its sections. Default 65,536. */
  readonly interfaces?: number;
}

export const DEFAULT_LIMITS: Required<CaptureLimits> = { block: 16 * 1024 * 1024, interfaces: 65_536 };
