/** The machines that the labs measure on: the timing profiles that stand for those of the papers. */
import type { Profile } from '@exokernel/hardware';

export type Model = Exclude<Profile, 'ideal'>;
export const MODELS: readonly Model[] = ['dec2100', 'dec3100', 'dec5000'];
