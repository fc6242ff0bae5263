/**
 * Writes the tables of calls and structures into the documents that ask for them: `npm run docs:tables`.
 *
 * A document asks with a comment `<!-- calls: slices -->`, `<!-- structure: slice -->` or `<!-- secret: tables -->`; what lies
 * between it and `<!-- end -->` is replaced. test/docs.test.ts fails on a table that is not up to date.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALLS, EXPOSED, STRUCTURES, type CallRow } from '../packages/abi/src/index.ts';
import { TABLES } from '../packages/aegis/src/tables.ts';

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

/** The document with every table that it asks for. */
export function withTables(text: string): string {
  return text.replace(
    /(<!-- (calls|structure|secret): (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, open: string, kind: string, name: string, end: string) => {
      const table = kind === 'calls' ? callTable(name) : kind === 'structure' ? structureTable(name) : secretTables();
      return `${open}\n${table}\n\n${end}`;
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
