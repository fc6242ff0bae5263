/**
 * The kernel's text as a listing: labels, heads and notes, cycles, and the names of the fields that its loads and stores reach; and
 * listings of what the kernel compiles filters and handlers to.
 */
import { CALLS, ENV, FILTER, RING, SLICE, U } from '@exokernel/abi';
import { decodeHandler } from '@exokernel/ash';
import { decodeFilter, FilterSet } from '@exokernel/dpf';
import { cycleColumn } from '@exokernel/hardware';
import { listing, type RecordLayout } from '@exokernel/isa';
import { compileMips, mipsListing, type Program } from '@exokernel/vcode';
import { kernelImage } from './kernel-image.ts';
import { HANDLER, KP, KSEG0, NATIVE, PHYSICAL } from './layout.ts';

const ENVIRONMENT: RecordLayout = { name: 'ENV', fields: ENV };
const SLOT: RecordLayout = { name: 'SLICE', fields: SLICE };
const FILTER_RECORD: RecordLayout = { name: 'FILTER', fields: FILTER };
const RING_RECORD: RecordLayout = { name: 'RING', fields: RING };

const NAMES = {
  zero: { name: 'KP', fields: KP },
  pointers: new Map([
    ['KP.env', ENVIRONMENT],
    ['KP.slice', SLOT],
    ['KP.tap', RING_RECORD],
    ['ENV.uPage', { name: 'U', fields: U }],
    ['SLICE.running', ENVIRONMENT],
    ['FILTER.env', ENVIRONMENT],
    ['FILTER.ring', RING_RECORD],
    ['RING.env', ENVIRONMENT],
    ['RING.nextTap', RING_RECORD],
  ]),
  tables: new Map([
    [(KSEG0 + PHYSICAL.environments) >>> 16, ENVIRONMENT],
    [(KSEG0 + PHYSICAL.filters) >>> 16, FILTER_RECORD],
  ]),
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

/**
 * What the kernel compiles these filters to if no others are bound, each as it is downloaded (`encodeFilter` of dpf). The result is the
 * number of the filter that a packet belongs to, and one more; 0: of none. Throws `DpfError`, and `VcodeError` if they are too large.
 */
export function filterListing(filters: readonly Uint8Array[]): readonly string[] {
  const set = new FilterSet();
  for (const bytes of filters) set.insert(decodeFilter(bytes));
  // Packets lie at word boundaries in the controller's buffers.
  return compiledListing(set.program({ align: 4 }), KSEG0 + PHYSICAL.demux);
}

/** What the kernel compiles a handler to, as it is downloaded (`encodeHandler` of ash). Throws `AshError` or `VcodeError`. */
export function handlerListing(handler: Uint8Array): readonly string[] {
  return compiledListing(decodeHandler(handler).program, KSEG0 + PHYSICAL.handlers + HANDLER.code);
}

function compiledListing(program: Program, origin: number): readonly string[] {
  const compiled = compileMips(program, origin);
  const { heading, column } = cycleColumn(compiled);
  return [heading, ...mipsListing(program, compiled, column)];
}
