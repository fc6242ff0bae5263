/**
 * The kernel's text as a listing: labels, heads and notes, cycles, and the names of the fields that its loads and stores reach.
 */
import { CALLS, ENV, SLICE } from '@exokernel/abi';
import { cycleColumn } from '@exokernel/hardware';
import { listing, type RecordLayout } from '@exokernel/isa';
import { kernelImage } from './kernel-image.ts';
import { KP, KSEG0, NATIVE, PHYSICAL } from './layout.ts';

const ENVIRONMENT: RecordLayout = { name: 'ENV', fields: ENV };
const SLOT: RecordLayout = { name: 'SLICE', fields: SLICE };

const NAMES = {
  zero: { name: 'KP', fields: KP },
  pointers: new Map([
    ['KP.env', ENVIRONMENT],
    ['KP.slice', SLOT],
    ['SLICE.running', ENVIRONMENT],
  ]),
  tables: new Map([[(KSEG0 + PHYSICAL.environments) >>> 16, ENVIRONMENT]]),
  natives: new Map([
    ...Object.entries(CALLS).map(([name, { number }]) => [number, `CALLS.${name}`] as const),
    ...Object.entries(NATIVE).map(([name, number]) => [number, `NATIVE.${name}`] as const),
  ]),
} as const;

/**
 * The kernel's text, one line an instruction, after a line that says what the columns of cycles are. With `symbol` the parts of it that
 * belong to it: labels that are the symbol, begin with it and a dot, or end with a dot and it. Empty if there are none.
 */
export function kernelListing(symbol?: string): readonly string[] {
  const image = kernelImage();
  const { heading, column } = cycleColumn(image);
  const lines = listing(image, { ...NAMES, column, ...(symbol === undefined ? {} : { symbol }) });
  return lines.length === 0 ? [] : [heading, ...lines];
}
