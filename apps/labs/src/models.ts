/** The machines that the labs measure on: the timing profiles that stand for those of the papers. */
import { PROFILES, type Profile } from '@exokernel/hardware';

export type Model = Exclude<Profile, 'ideal'>;
export const MODELS: readonly Model[] = ['dec2100', 'dec3100', 'dec5000'];

/** What a section about a machine is called. */
export function title(model: Model): string {
  return `${model}, ${(PROFILES[model].hz / 1e6).toFixed(2)} MHz`;
}

/** Cycles as µs of this machine. */
export function microseconds(model: Model, cycles: number): number {
  return (1e6 * cycles) / PROFILES[model].hz;
}
