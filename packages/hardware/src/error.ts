/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

export type HardwareErrorCode =
  | 'profile'
  | 'clock'
  | 'extension'
  | 'engine'
  | 'snapshot'
  | 'recording'
  | 'ram-bytes'
  | 'prom'
  | 'address-range'
  | 'budget'
  | 'running'
  | 'power'
  | 'bus-slot'
  | 'device'
  | 'native-space'
  | 'native-inactive'
  | 'native-charge'
  | 'kernel-native'
  | 'tlb-index'
  | 'mac'
  | 'network'
  | 'serial-line'
  | 'block-store'
  | 'disk-geometry'
  | 'start-time';

/** Misuse of the machine by the program that hosts it. `details` holds the offending values. */
export class HardwareError extends Error {
  override readonly name: string = 'HardwareError';
  readonly code: HardwareErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: HardwareErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}
