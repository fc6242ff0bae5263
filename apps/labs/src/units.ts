/** Models as text, and their cycles as time. */
import { PROFILES } from '@exokernel/hardware';
import type { Model } from './models.ts';

/** What a section about a machine is called. */
export function title(model: Model): string {
  return `${model}, ${(PROFILES[model].hz / 1e6).toFixed(2)} MHz`;
}

/** Cycles as µs of this machine. */
export function microseconds(model: Model, cycles: number): number {
  return (1e6 * cycles) / PROFILES[model].hz;
}
