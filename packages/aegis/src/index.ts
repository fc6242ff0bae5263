/** Aegis, the exokernel. */
export { Aegis, type AegisOptions, type EnvironmentInfo } from './aegis.ts';
export type { Usage } from './accounting.ts';
export type { Cause, CauseKind } from './causes.ts';
export { filterListing, handlerListing, kernelListing } from './listing.ts';
export { AegisError, type AegisErrorCode } from './error.ts';
