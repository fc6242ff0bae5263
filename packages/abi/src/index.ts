/** The contract between Aegis and whoever runs on it. Tables and types, no logic. */
export { CALLS, CALL_LIMIT, type CallName, type CallRow } from './calls.ts';
export { ERRORS, type ErrorName } from './errors.ts';
export {
  CAPABILITY_KINDS,
  CAPABILITY_BYTES,
  RIGHTS,
  NODE_LIMIT,
  NODES_PER_ENV,
  NODE_DEPTH,
  WELL_KNOWN_READ,
  type CapabilityKind,
  type CapabilityWords,
} from './capability.ts';
export {
  EXCEPTIONS,
  PAGE_BYTES,
  TICKS_PER_SECOND,
  ENV_STATUS,
  ENV,
  ENV_BYTES,
  ENV_LIMIT,
  ENV_SETTABLE,
  GUARANTEED_LIMIT,
  DEATHS,
  U,
  COMPLETION_SLOTS,
  RING_SLOT,
  RING_SLOT_BYTES,
  RING_SLOT_LIMIT,
  RING_LIMIT,
  PACKET_BYTES_MAX,
  SLICE,
  SLICE_BYTES,
  SLICE_LIMIT,
  NO_ENV,
  FRAME,
  FRAME_BYTES,
  NODE,
  NODE_BYTES,
  ENTRYLO,
  MESSAGE,
  MESSAGE_BYTES,
  MESSAGE_WORDS,
  PREDICATE,
  PREDICATE_OPERATORS,
  type PredicateOperator,
  EXPOSED,
  type ExceptionName,
} from './layouts.ts';
export { STRUCTURES, type Field, type Offsets, type Structure } from './structures.ts';
export type { NativeCpu, NativeFunction, NativeFactory } from './native.ts';
export type { Grants, Image, ImageSegment } from './image.ts';
