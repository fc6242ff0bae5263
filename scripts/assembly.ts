/**
 * What the kit's AssemblyScript sources know of the kernel's contract, made from `abi`: `npm run kit:sources`.
 *
 *     aegis.ts   system calls, a parameter for each word
 *     calls.ts   the same with capabilities as objects
 *     abi.ts     codes, and offsets of words
 *
 * A test of libos-kit fails on a file that is not up to date.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as abi from '../packages/abi/src/index.ts';
import * as kit from '../packages/libos-kit/src/index.ts';

const FOLDER = join(import.meta.dirname, '../packages/libos-kit/assembly');
/** These come back at the prologue, not to their caller: the kit has routines for them. */
const LEAVING = ['yield', 'sleep', 'scall', 'acall'];
/** And these do nothing. */
const NOTHING = ['null', 'null_stack'];

interface Word {
  readonly name: string;
  readonly isCapability: boolean;
}

/** `extent:4` is a capability, `words:8` an array of eight words. */
function words(fields: readonly string[]): Word[] {
  return fields.flatMap((field): Word[] => {
    const [name = '', count = '1'] = field.split(':');
    if (count === '1') return [{ name, isCapability: false }];
    if (count === '4') return [{ name, isCapability: true }];
    return Array.from({ length: Number(count) }, (_, i) => ({ name: `${name}${i}`, isCapability: false }));
  });
}

const typeOf = (name: string): string => (name === 'va' ? 'usize' : 'i32');
const callRows = (Object.entries(abi.CALLS) as [string, abi.CallRow][]).filter(
  ([name]) => !LEAVING.includes(name) && !NOTHING.includes(name),
);
const PARTS = ['Head', 'Name', 'Mac0', 'Mac1'];

function comment({ results, errors, what }: abi.CallRow): string[] {
  const given = words(results).map(({ name, isCapability }) => (isCapability ? `${name} (four words)` : name));
  return [
    '/**',
    ...fold(`${what.slice(0, 1).toUpperCase()}${what.slice(1)}.`),
    ...(given.length === 0 ? [] : [` * Results: ${given.join(', ')}.`]),
    ...(errors.length === 0 ? [] : [` * Errors: ${errors.join(', ')}.`]),
    ' */',
  ];
}

/** Lines of a comment, at most 150 columns wide. */
function fold(text: string): string[] {
  const lines = [' *'];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    if (`${lines[last] ?? ''} ${word}`.length <= 150) lines[last] = `${lines[last] ?? ''} ${word}`;
    else lines.push(` * ${word}`);
  }
  return lines;
}

function aegisSource(): string {
  const lines = callRows.flatMap(([name, row]) => {
    const parameters = words(row.args).flatMap(({ name: word, isCapability }) =>
      isCapability ? PARTS.map((part) => `${word}${part}: u32`) : [`${word}: ${typeOf(word)}`],
    );
    if (row.results.length > 0) parameters.push('results: usize');
    return [...comment(row), `export declare function ${name}(${parameters.join(', ')}): i32;`];
  });
  return [
    '/**',
    ' * System calls, in line. Each gives its error code: 0, or a negative one of `E`. What it gives besides is stored at `results`, word by word.',
    ' * Made from the table in `abi`: do not change it here.',
    ' */',
    ...lines,
    '',
  ].join('\n');
}

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function callsSource(): string {
  const lines = callRows.flatMap(([name, row]) => {
    const list = words(row.args);
    const parameters = list.map(
      ({ name: word, isCapability }) => `${word}: ${isCapability ? 'Capability' : typeOf(word)}`,
    );
    const passed = list.flatMap(({ name: word, isCapability }) =>
      isCapability ? ['head', 'name', 'mac0', 'mac1'].map((part) => `${word}.${part}`) : [word],
    );
    if (row.results.length > 0) {
      parameters.push('results: usize');
      passed.push('results');
    }
    return [
      ...comment(row),
      `export function ${camel(name)}(${parameters.join(', ')}): i32 {`,
      `  return aegis.${name}(${passed.join(', ')});`,
      '}',
    ];
  });
  return [
    '/**',
    ' * System calls with capabilities as objects. Each gives its error code: 0, or a negative one of `E`. What it gives besides is stored at',
    ' * `results`, word by word. Made from the table in `abi`: do not change it here.',
    ' */',
    "import * as aegis from './aegis';",
    "import { Capability } from './capability';",
    '',
    ...lines,
    '',
  ].join('\n');
}

/** Constants of one kind, as a namespace. `protected` is a reserved word. */
function namespace(name: string, what: string, constants: Readonly<Record<string, unknown>>, type = 'i32'): string[] {
  const rows = Object.entries(constants).filter((row): row is [string, number] => typeof row[1] === 'number');
  return [
    `/** ${what} */`,
    `export namespace ${name} {`,
    ...rows.map(
      ([key, value]) =>
        `  export const ${key === 'protected' ? 'guarded' : key}: ${type} = ${value > 9 ? `0x${value.toString(16)}` : value};`,
    ),
    '}',
  ];
}

function abiSource(): string {
  const { ERRORS } = abi;
  const errors = Object.fromEntries(Object.entries(ERRORS).map(([name, value]) => [name.slice(2), value]));
  const plain = (name: string, value: number, what: string): string[] => [
    `/** ${what} */`,
    `export const ${name}: i32 = ${value};`,
  ];
  return [
    '/** The contract between kernel and applications, and where the kit keeps its words. Made from `abi` and `layout.ts`: do not change it here. */',
    ...plain('PAGE_BYTES', abi.PAGE_BYTES, 'Bytes of a page.'),
    ...plain('TICKS_PER_SECOND', abi.TICKS_PER_SECOND, 'Ticks of a second.'),
    ...plain('ENV_BYTES', abi.ENV_BYTES, 'Bytes of the record of an environment.'),
    ...plain('RING_SLOT_BYTES', abi.RING_SLOT_BYTES, 'Bytes of a slot of a packet ring.'),
    ...plain('RING_SLOT_LIMIT', abi.RING_SLOT_LIMIT, 'Slots of a packet ring, at most.'),
    ...plain('MESSAGE_BYTES', abi.MESSAGE_BYTES, 'Bytes of a slot of a message ring.'),
    ...plain('REPOSSESSION_BYTES', abi.REPOSSESSION_BYTES, 'Bytes of an entry of a repossession vector.'),
    ...plain('REPOSSESSION_ENTRIES', abi.REPOSSESSION_ENTRIES, 'Entries of a repossession vector.'),
    ...plain('COMPLETION_SLOTS', abi.COMPLETION_SLOTS, 'Completion words of the u-page.'),
    ...plain('REQUEST_BYTES', abi.REQUEST_BYTES, "Bytes of a record of the disk's queue."),
    ...plain('REQUEST_LIMIT', abi.REQUEST_LIMIT, "Records of the disk's queue."),
    ...plain('TRANSFER_BYTES', abi.TRANSFER_BYTES, 'Bytes of an entry of the list of disk_request.'),
    ...plain('TRANSFER_LIMIT', abi.TRANSFER_LIMIT, 'Entries of the list of disk_request, at most.'),
    ...plain('PTE_BYTES', kit.PTE_BYTES, 'Bytes of a page-table entry.'),
    ...plain('PAGED_PAGES', kit.PAGED_PAGES, "Pages of the kit's region."),
    ...namespace('E', 'Error codes, which calls give.', errors),
    ...namespace('EXCEPTION', 'Causes of exceptions.', abi.EXCEPTIONS),
    ...namespace('ENTRYLO', 'Bits of EntryLo.', abi.ENTRYLO),
    ...namespace('PTE_SOFT', 'Bits of the first word of a page-table entry that the hardware ignores.', kit.PTE_SOFT),
    ...namespace('PTE', 'Words of a page-table entry: EntryLo, then those of a capability but for the name.', kit.PTE),
    ...namespace('U', 'Words of the u-page: offsets from its beginning.', abi.U),
    ...namespace('UKIT', "The kit's words in the u-page: addresses.", kit.UKIT),
    ...namespace('UPCALL', 'Numbers of upcalls.', kit.UPCALLS),
    ...namespace('PLACE', "Addresses of the kit's regions.", {
      uPage: kit.U_PAGE,
      pageTable: kit.PAGE_TABLE,
      upcallStack: kit.BOOT_STACK,
      paged: kit.PAGED_BASE,
      pagedEnd: kit.PAGED_END,
      libraryText: kit.LIBRARY_TEXT,
      libraryMemory: kit.LIBRARY_MEMORY,
      windows: kit.LIBOS_END,
      vector: kit.VECTOR,
    }),
    ...namespace('ENV', 'Words of the record of an environment: offsets.', abi.ENV),
    ...namespace('ENV_STATUS', 'States of an environment.', abi.ENV_STATUS),
    ...namespace('FRAME', 'Words of the record of a frame: offsets.', abi.FRAME),
    ...namespace('SLICE', 'Words of an entry of the slice vector: offsets.', abi.SLICE),
    ...namespace('RING_SLOT', 'Words of a slot of a packet ring: offsets.', abi.RING_SLOT),
    ...namespace('MESSAGE', 'Words of a slot of a message ring: offsets.', abi.MESSAGE),
    ...namespace('POLICY', 'What becomes of packets that several filters accept.', abi.POLICIES),
    ...namespace('SYSTEM', 'Words of the record of the machine: offsets.', abi.SYSTEM),
    ...namespace('DISK', 'Words of the record of the disk: offsets.', abi.DISK),
    ...namespace('REQUEST', "Words of a record of the disk's queue: offsets.", abi.REQUEST),
    ...namespace('TRANSFER', 'Words of an entry of the list of disk_request: offsets.', abi.TRANSFER),
    ...namespace('EXTENT', 'Words of the record of an extent: offsets.', abi.EXTENT),
    ...namespace('REPOSSESSION', 'Words of an entry of a repossession vector: offsets.', abi.REPOSSESSION),
    ...namespace('REPOSSESSION_STATE', 'States of an entry of a repossession vector.', abi.REPOSSESSION_STATES),
    ...namespace('REVOKE', 'What is revoked.', abi.REVOKE_KINDS),
    ...namespace('PREDICATE_OPERATOR', 'Comparisons of a wakeup predicate.', abi.PREDICATE_OPERATORS),
    ...namespace('RIGHT', 'Rights of a capability.', abi.RIGHTS),
    ...namespace('EXPOSED', "The kernel's exposed tables: physical addresses.", abi.EXPOSED),
    '/** The guard by which everyone may read what is exposed. */',
    `export const WELL_KNOWN_READ0: u32 = 0x${abi.WELL_KNOWN_READ[0].toString(16)};`,
    `export const WELL_KNOWN_READ1: u32 = 0x${abi.WELL_KNOWN_READ[1].toString(16)};`,
    '',
  ].join('\n');
}

/** What the files are to hold, by path; not formatted. */
export function kitSources(): ReadonlyMap<string, string> {
  return new Map([
    [join(FOLDER, 'aegis.ts'), aegisSource()],
    [join(FOLDER, 'calls.ts'), callsSource()],
    [join(FOLDER, 'abi.ts'), abiSource()],
  ]);
}

if (import.meta.main) {
  for (const [file, text] of kitSources()) writeFileSync(file, text);
}
