/** The conformance suite for library operating systems. */
export { conformance, type ConformanceCase, type ConformanceOptions } from './conformance.ts';
export {
  ConformanceError,
  type ConformanceDetails,
  type ConformanceErrorCode,
  type Place,
  type Subject,
  type Value,
} from './error.ts';
export type { Boot, ConformanceMachine, ConformanceWire, Devices, EnvironmentState } from './machine.ts';
export type { ProgramForm } from './case.ts';
