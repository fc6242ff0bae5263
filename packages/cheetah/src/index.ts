/** Cheetah, the web server. */
export { CHEETAH_EXIT, CHEETAH_STATE, CHEETAH_STATUS, cheetah, type CheetahOptions } from './cheetah.ts';
export { formatSite, type SiteFile } from './site.ts';
export { CheetahError, type CheetahErrorCode } from './error.ts';
