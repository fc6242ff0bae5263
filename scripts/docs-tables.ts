/**
 * Writes tables and listings into the documents that ask for them: `npm run docs:tables`.
 *
 * A document asks with a comment, and what lies between it and `<!-- end -->` is replaced:
 *
 * - `<!-- calls: slices -->`, `<!-- structure: slice -->`, `<!-- secret: tables -->`: a table of the contract or the kernel;
 * - `<!-- listing: refill refill.miss -->`: these routines of the kernel's text, up to the next one, without addresses;
 * - `<!-- path: general syscall call.null -->`: what these routines do, how many instructions each has, and their sum.
 * - `<!-- file: apps/demos/programs/hello.ts -->`: a file of the checkout;
 * - `<!-- kit: udp -->`: what a source of the kit exports.
 *
 * test/docs.test.ts fails on a part that is not up to date.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALLS, EXPOSED, STRUCTURES, type CallRow } from '../packages/abi/src/index.ts';
import { kernelImage } from '../packages/aegis/src/kernel-image.ts';
import { kernelListing } from '../packages/aegis/src/listing.ts';
import { TABLES } from '../packages/aegis/src/tables.ts';
import { readHead, type HeadNotes } from '../packages/aegis/src/text/routine.ts';
import { kitReference } from './docs-kit.ts';

const DOCS = join(import.meta.dirname, '..', 'docs');

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(words: readonly string[]): string {
  return words.length === 0 ? '—' : words.map((word) => `\`${word}\``).join(' ');
}

function callTable(page: string): string {
  const calls = (Object.entries(CALLS) as [string, CallRow][]).filter(([, call]) => call.page === page);
  if (calls.length === 0) throw new Error(`no calls of ${page}`);
  return [
    row(['call', 'no.', 'executed by', 'arguments', 'results', 'errors', 'what it does']),
    row(['---', '---', '---', '---', '---', '---', '---']),
    ...calls.map(([name, { number, path, args, results, errors, what }]) =>
      row([`\`${name}\``, String(number), path, code(args), code(results), code(errors), what]),
    ),
  ].join('\n');
}

function structureTable(name: string): string {
  const structure = STRUCTURES[name];
  if (structure === undefined) throw new Error(`no structure ${name}`);
  const at = EXPOSED[structure.table as keyof typeof EXPOSED];
  return [
    `${structure.count} records of ${structure.bytes} bytes at physical 0x${at.toString(16)}: ${structure.what}.`,
    '',
    row(['offset', 'word', 'what it holds']),
    row(['---', '---', '---']),
    ...Object.entries(structure.fields).map(([field, { at: offset, what }]) =>
      row([`0x${offset.toString(16)}`, `\`${field}\``, what]),
    ),
  ].join('\n');
}

function secretTables(): string {
  return [
    row(['table', 'records × bytes', 'what it holds', 'fields']),
    row(['---', '---', '---', '---']),
    ...Object.entries(TABLES).map(([name, { count, bytes, what, fields }]) =>
      row([`\`${name}\``, `${count} × ${bytes}`, what, code(Object.keys(fields))]),
    ),
  ].join('\n');
}

const image = kernelImage();

/** The head of a routine. */
function head(label: string): HeadNotes {
  const found = readHead(image.notes.get(image.symbols.get(label) ?? -1) ?? []);
  if (found === undefined) throw new Error(`the kernel has no routine ${label}`);
  return found;
}

/** The lines of the kernel, from one routine's label to the next one's. */
const LINES = kernelListing();

function routineLines(label: string): readonly string[] {
  head(label);
  const start = LINES.indexOf(`${label}:`);
  const isRoutine = (line: string, i: number): boolean =>
    i > start + 1 && /^\S+:$/.test(line) && image.symbols.has(line.slice(0, -1)) && isHeaded(line.slice(0, -1));
  const end = LINES.findIndex(isRoutine);
  return LINES.slice(start, end < 0 ? undefined : end);
}

function isHeaded(label: string): boolean {
  return readHead(image.notes.get(image.symbols.get(label) ?? -1) ?? []) !== undefined;
}

/** Addresses change with whatever stands before: labels say enough. */
function listings(labels: readonly string[]): string {
  const lines = labels.flatMap((label) => routineLines(label));
  const text = lines.map((line) =>
    line
      .replace(/^ {2}[0-9a-f]{8}/, ' ')
      .replace(/^ {10}( +#)/, '$1')
      .replace(/0x8[0-9a-f]{7} </, '<'),
  );
  return ['```text', ...text, '```'].join('\n');
}

function pathTable(labels: readonly string[]): string {
  const rows = labels.map((label) => [label, head(label)] as const);
  const sum = rows.reduce((total, [label, { fast }]) => {
    if (fast === undefined) throw new Error(`${label} does not say how many instructions it has`);
    return total + fast.instructions;
  }, 0);
  return [
    row(['routine', 'what it does', 'instructions']),
    row(['---', '---', '---:']),
    ...rows.map(([label, { does, fast }]) =>
      row([`\`${label}\``, does, [fast?.instructions, fast?.when].filter((part) => part !== '').join(' ')]),
    ),
    row(['', 'together', String(sum)]),
  ].join('\n');
}

function fileListing(file: string): string {
  const text = readFileSync(join(DOCS, '..', file), 'utf8');
  return [`\`\`\`${file.slice(file.lastIndexOf('.') + 1)}`, text.trimEnd(), '```'].join('\n');
}

const PARTS: Readonly<Record<string, (names: string) => string>> = {
  calls: callTable,
  structure: structureTable,
  secret: secretTables,
  listing: (names) => listings(names.split(' ')),
  file: fileListing,
  kit: kitReference,
  path: (names) => pathTable(names.split(' ')),
};

/** The document with every table and listing that it asks for. */
export function withTables(text: string): string {
  return text.replace(
    /(<!-- (\w+): ([\w./ -]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, open: string, kind: string, names: string, end: string) => {
      const part = Object.hasOwn(PARTS, kind) ? PARTS[kind] : undefined;
      return part === undefined ? whole : `${open}\n${part(names)}\n\n${end}`;
    },
  );
}

if (import.meta.main) {
  for (const file of readdirSync(DOCS, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.md')) continue;
    const text = readFileSync(join(DOCS, file), 'utf8');
    const changed = withTables(text);
    if (changed !== text) writeFileSync(join(DOCS, file), changed);
  }
}
