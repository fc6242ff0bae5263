/**
 * The kernel from inside: where its things lie in memory. No part of the contract with environments, and no promise: for tests, tools and
 * documents of this workspace that look into a machine's memory.
 */
export { NO_ASID_TAG } from './asids.ts';
export { QUOTAS } from './families.ts';
export { roomOf } from './filters.ts';
export { EXCESS_LIMIT, FIRST_FREE_FRAME, KP, MOST_DEBT, PHYSICAL, kernelPageAddress } from './layout.ts';
export { ringPhysical } from './rings.ts';
export {
  BOUNCE_FRAMES,
  BUFFER_STATE,
  FILTER_STATE,
  QUOTA,
  QUOTA_KINDS,
  REQUEST_STATE,
  TABLES,
  VARIABLES,
  tablesAt,
  type QuotaKind,
  type SecretTable,
} from './tables.ts';
