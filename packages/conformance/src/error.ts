/** What a case throws that fails. Match `code`, never the message. */
import type { InterfaceName } from '@exokernel/libos-kit';

/**
 * `value`: an interface gave another value than it promises. `end`: the program ended otherwise than it should. `time`: it did not end, or what it
 * wrote did not come. `console`: another text came out. `frames`: it kept frames beyond its end. `neighbour`: an environment beside it was harmed, or a
 * block of the disk that is not its own.
 */
export type ConformanceErrorCode = 'value' | 'end' | 'time' | 'console' | 'frames' | 'neighbour';

/** What a case is about: an interface, or what is asked of every library operating system. */
export type Subject = InterfaceName | 'disk' | 'revocation' | 'neighbours';

/** Which case it is. */
export interface Place {
  readonly libos: string;
  readonly subject: Subject;
  readonly name: string;
}

/** A value as a case compares it. */
export type Value = number | string | boolean | undefined;

/** What went wrong. */
export interface ConformanceDetails extends Place {
  /** What was looked at: an expression of the program, an exit code. */
  readonly what: string;
  readonly expected: Value;
  readonly found: Value;
}

/** A library operating system does not do what it promises. */
export class ConformanceError extends Error {
  override readonly name: string = 'ConformanceError';
  readonly code: ConformanceErrorCode;
  readonly details: ConformanceDetails;

  constructor(code: ConformanceErrorCode, details: ConformanceDetails) {
    const { libos, subject, name, what, expected, found } = details;
    super(`${libos}, ${subject}: ${name}: ${what}: expected ${shown(expected)}, found ${shown(found)}`);
    this.code = code;
    this.details = details;
  }
}

/** Longest text of a message: the rest is in the details. */
const LONGEST = 120;

/** A text in quotes where its ends matter. */
function shown(value: Value): string {
  if (typeof value !== 'string') return String(value);
  return value.length <= LONGEST ? value : `${value.slice(0, LONGEST)}… (${value.length} characters)`;
}
