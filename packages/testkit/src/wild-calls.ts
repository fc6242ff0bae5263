/**
 * What the wild environment does with each system call: a table of sixteen bytes a call, made of the call table of `abi`.
 */
import { CALLS, ENV, type CallName } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { encodePredicate, exposedWord } from '@exokernel/libos-kit';
import { WINDOW } from './raw.ts';

/** The pages that it has for good: code of a filter, of a handler, of a predicate, a list of blocks, a transmit ring. */
export const PAGES = ['filter', 'handler', 'predicate', 'list', 'ring'] as const;
/** The type of the packets that it sends to itself. */
export const TYPE = 0x9000;

/** How an argument is made. */
const POOLED = 0x10;
export const PAGE = 0x20;
export const NUMBER = 0x40;
export const ANY_KIND = 15;
/** The kind of capability that an argument of this name is, by the first word of the argument. */
export const KINDS: Readonly<Record<string, number>> = {
  frame: 1,
  code: 1,
  list: 1,
  env: 2,
  extent: 3,
  line: 4,
  slice: 5,
  other: 5,
  ring: 6,
  filter: 7,
  net: 8,
  capability: ANY_KIND,
};
/** The call that gives a capability of each kind back. */
export const CALL_OF_KIND: readonly (CallName | undefined)[] = [
  undefined,
  'frame_free',
  'env_free',
  'extent_free',
  undefined,
  'slice_free',
  'ring_free',
  'filter_free',
];

export const FILTER: Uint8Array = encodeFilter(etherType(TYPE));
export const HANDLER: Uint8Array = encodeHandler(
  defineHandler('wild', { windowBytes: 64 }, (h) => {
    h.code.store(h.window, 4, 'little', 16, h.message.le32(16));
    h.consume();
  }),
);
export const PREDICATE: Uint8Array = encodePredicate([
  { tag: 3, terms: [{ left: exposedWord('system', 0), operator: 'ge', right: 0x20000000 }] },
  { tag: 5, terms: [{ left: exposedWord('system', 0), operator: 'ne', right: 0 }] },
]);

/** Numbers by the name of the argument: base + (random & mask). */
export const NUMBERS: Readonly<Record<string, readonly [base: number, mask: number]>> = {
  none: [0, 0],
  any: [-1, 0],
  flag: [0, 1],
  position: [40, 7],
  count: [1, 3],
  slots: [1, 1],
  block: [0, 7],
  slot: [0, 15],
  policy: [0, 3],
  node: [1, 31],
  rights: [1, 6],
  field: [ENV.prologue, 0],
  value: [0x2000, 0xffc],
  va: [WINDOW, 0x7001],
  pages: [0, 7],
  byte: [0, 0x7f],
  environment: [0, 3],
  filterBytes: [FILTER.length, 0],
  handlerBytes: [HANDLER.length, 0],
  predicateBytes: [PREDICATE.length, 0],
};
const NUMBER_OF: Readonly<Record<string, string>> = {
  ppn: 'any',
  start: 'any',
  tick: 'none',
  entrylo: 'none',
  mac0: 'none',
  mac1: 'none',
  head: 'none',
  ring: 'none',
  branch: 'flag',
  which: 'flag',
  kind: 'flag',
  mode: 'flag',
  direction: 'flag',
  append: 'flag',
  dirty: 'flag',
  write: 'flag',
  on: 'flag',
  blocks: 'count',
  code: 'byte',
  word0: 'byte',
  word1: 'byte',
  words: 'byte',
  bytes: 'byte',
  length: 'slot',
  env: 'environment',
};

/** What it does with a call: its number, whether it gives a capability, and how its twelve arguments are made. */
function record(name: CallName, predicate = true): number[] {
  const { number, args, results } = CALLS[name] as {
    number: number;
    args: readonly string[];
    results: readonly string[];
  };
  const made: number[] = [];
  let words = 0;
  for (const argument of args) {
    const [what = '', count = '1'] = argument.split(':');
    const isCapability = count === '4' && what !== 'code' && what !== 'list';
    if (what === 'code' && count === '4') made.push(PAGE | PAGES.indexOf('handler'));
    else if (what === 'list') made.push(PAGE | PAGES.indexOf('list'));
    else if (name === 'filter_bind' && what === 'frame') made.push(PAGE | PAGES.indexOf('filter'));
    else if (name === 'wake_set' && what === 'frame') made.push(PAGE | PAGES.indexOf('predicate'));
    else if (isCapability) made.push(POOLED | (KINDS[what] ?? ANY_KIND));
    else {
      const length = {
        filter_bind: 'filterBytes',
        ash_attach: 'handlerBytes',
        wake_set: predicate ? 'predicateBytes' : 'none',
      };
      const own = what === 'length' ? (length as Partial<Record<CallName, string>>)[name] : undefined;
      const number = Object.keys(NUMBERS).indexOf(own ?? NUMBER_OF[what] ?? what);
      if (number < 0) throw new Error(`no numbers for ${what} of ${name}`);
      for (let i = Number(count); i > 0; i -= 1) made.push(NUMBER | number);
    }
    words += Number(count);
  }
  while (words < 12) {
    made.push(NUMBER);
    words += 1;
  }
  const gives = results.includes('capability:4') ? 1 : 0;
  return [number, gives, ...made, ...Array.from({ length: 14 - made.length }, () => 0)];
}

/** Sixty-four records: what it does most often stands there several times. */
export function callTable(): Uint8Array {
  const names = (Object.keys(CALLS) as CallName[]).filter((name) => name !== 'scall' && name !== 'acall');
  const more: readonly CallName[] = [
    'frame_alloc',
    'env_map',
    'bc_read',
    'bc_map',
    'xmit',
    'ash_attach',
    'filter_bind',
  ];
  const records = [...names.map((name) => record(name)), record('wake_set', false)];
  for (let i = 0; records.length < 64; i += 1) records.push(record(more[i % more.length] ?? 'frame_alloc'));
  return Uint8Array.from(records.flat());
}
