/**
 * Error codes that a system call returns in `v0`. 0 is success; all others are negative.
 */

export const ERRORS = {
  E_OK: 0,
  /** No such call. */
  E_CALL: -1,
  /** The capability is forged, stale, foreign, or lacks the right. */
  E_CAP: -2,
  /** An argument is out of range. */
  E_RANGE: -3,
  /** The resource is taken. */
  E_BUSY: -4,
  /** None left. */
  E_NONE: -5,
  /** The named environment does not exist, is dead, or has no entry for this. */
  E_ENV: -6,
  /** Nothing there now; try again after an event. */
  E_AGAIN: -7,
  /** The slice is over: only yield is possible. */
  E_SLICE: -8,
  /** The downloaded bytes are no filter or handler, or exceed its bounds. */
  E_CODE: -9,
  /** An identical filter exists, or one that may not share packets with it. */
  E_OVERLAP: -10,
  /** The device is absent or failed. */
  E_DEVICE: -11,
} as const;

export type ErrorName = keyof typeof ERRORS;

/** What each says, for people. */
export const ERROR_TEXTS: Readonly<Record<ErrorName, string>> = {
  E_OK: 'no error',
  E_CALL: 'no such call',
  E_CAP: 'the capability is missing, has ended, or lacks the right',
  E_RANGE: 'an argument is out of range',
  E_BUSY: 'it is taken',
  E_NONE: 'none is left',
  E_ENV: 'there is no such environment',
  E_AGAIN: 'nothing is there now',
  E_SLICE: 'the slice is over',
  E_CODE: 'the bytes are no filter, handler or format',
  E_OVERLAP: 'there is a filter that it may not share packets with',
  E_DEVICE: 'the device is absent or failed',
};
