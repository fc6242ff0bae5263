/** The documents, held against the code: sources, errors, decisions, the README's snippet. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LABS } from '../apps/labs/src/labs.ts';
import { CALLS, STRUCTURES } from '../packages/abi/src/index.ts';
import { withTables } from '../scripts/docs-tables.ts';

const ROOT = join(import.meta.dirname, '..');

function read(...path: string[]): string {
  return readFileSync(join(ROOT, ...path), 'utf8');
}

/** Every source file of packages and apps, without tests. */
const SOURCES = ['packages', 'apps'].flatMap((parent) =>
  readdirSync(join(ROOT, parent), { recursive: true, encoding: 'utf8' })
    .filter((file) => /(^|\/)src\/.*\.ts$/.test(file) && !/(node_modules|dist)\//.test(file))
    .map((file) => join(parent, file)),
);
const DOCUMENTS = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md'))
  .map((file) => join('docs', file));

/** The comments of a source file, or a document whole. */
function prose(file: string): string {
  const text = read(file);
  return file.endsWith('.md') ? text : (text.match(/\/\*[\s\S]*?\*\/|\/\/.*$/gm) ?? []).join('\n');
}

test('every source key in code and documents is resolved', () => {
  const known = new Set([...read('docs/sources.md').matchAll(/^\| ([A-Z][A-Z0-9]+) *\|/gm)].map((match) => match[1]));
  expect(known.size).toBeGreaterThan(20);
  const unknown = [...SOURCES, ...DOCUMENTS].flatMap((file) =>
    [...prose(file).matchAll(/\[([A-Z][A-Z]+[0-9]*)(?: (?:§|app|T|fig|ch|p)[^\]]*)?\](?!\()/g)]
      .map((match) => match[1] ?? '')
      .filter((key) => !known.has(key))
      .map((key) => `${file}: ${key}`),
  );
  expect(unknown).toEqual([]);
});

test('every source file opens by saying what it is', () => {
  const silent = SOURCES.filter((file) => !/^(#![^\n]*\n)?\/\*\*/.test(read(file)));
  expect(silent).toEqual([]);
});

test('prose names the actor', () => {
  const readmes = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .map((name) => join(parent, name, 'README.md'))
      .filter((file) => existsSync(join(ROOT, file))),
  );
  const vague = ['README.md', 'CONTRIBUTING.md', ...readmes, ...DOCUMENTS, ...SOURCES].flatMap((file) =>
    [...prose(file).matchAll(/\b(whoever|whomever|whosever|nobody|somebody|anybody)\b/gi)].map(
      ([word]) => `${file}: ${word}`,
    ),
  );
  expect(vague).toEqual([]);
});

test('every class, function and interface that a package exports says what it is', () => {
  const undocumented = SOURCES.filter((file) => /^packages\/[^/]+\/src\/index\.ts$/.test(file)).flatMap((index) => {
    const exports = [...read(index).matchAll(/export (?:type )?\{([^}]*)\} from '\.\/([^']+)'/g)];
    return exports.flatMap(([, names = '', from = '']) => {
      const text = read(index, '..', from);
      return names
        .split(',')
        .map((name) => name.replace('type ', '').trim())
        .filter((name) => name !== '')
        .filter((name) =>
          new RegExp(`(?<!\\*/\\n)export (abstract )?(class|function\\*?|interface) ${name}\\b`).test(text),
        )
        .map((name) => `${index}: ${name}`);
    });
  });
  expect(undocumented).toEqual([]);
});

test('every error code is on the page of errors, and no other', () => {
  const page = read('docs/errors.md');
  const listed = new Set(
    [...page.matchAll(/^\| (`[^|]*)\|/gm)].flatMap((row) =>
      [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((m) => m[1]),
    ),
  );
  const declared = new Set(
    SOURCES.filter((file) => file.endsWith('/error.ts')).flatMap((file) => {
      const union = /ErrorCode =([^;]*);/.exec(read(file))?.[1] ?? '';
      return [...union.matchAll(/'([^']+)'/g)].map((match) => match[1]);
    }),
  );
  expect([...declared].filter((code) => !listed.has(code))).toEqual([]);
  expect([...listed].filter((code) => !declared.has(code))).toEqual([]);
});

test('links between the documents lead somewhere', () => {
  const broken = ['README.md', 'CONTRIBUTING.md', ...DOCUMENTS].flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(ROOT, file, '..', target)))
      .map((target) => `${file}: ${target}`),
  );
  expect(broken).toEqual([]);
});

/** What links to a heading of a page end in. */
function anchors(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('links to a heading lead to one', () => {
  const broken = ['README.md', 'CONTRIBUTING.md', ...DOCUMENTS].flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)]
      .filter(([, page = '', heading = '']) => {
        const target = page === '' ? file : join(file, '..', page);
        return !anchors(read(target)).has(heading);
      })
      .map(([link]) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});

describe('the glossary', () => {
  const rows = [...read('docs/glossary.md').matchAll(/^\| (?!term |-)(.*) \|$/gm)].map(([, row = '']) =>
    row.split(' | '),
  );

  test('has each term once, in order, with one sentence, a file, a page and a lab', () => {
    expect(rows.length).toBeGreaterThan(100);
    const terms = rows.map(([term = '']) => term.trim());
    expect(terms.filter((term, i) => terms.indexOf(term) !== i)).toEqual([]);
    for (const row of rows) {
      const [term = '', meaning = '', file = '', page = '', lab = ''] = row.map((cell) => cell.trim());
      expect(row, term).toHaveLength(5);
      expect(meaning, term).toMatch(/^[A-Z0-9][^\n]*[^.]\.( \[[A-Z][^\]]*\])?$/);
      expect(file, term).toMatch(/^(not built|—|\[`[^`]+`\]\([^)]+\)(, \[`[^`]+`\]\([^)]+\))*)$/);
      expect(page, term).toMatch(/^(—|\[[a-z-]+\]\([^)]+\.md(#[^)]+)?\))$/);
      expect(lab, term).toMatch(/^(—|`[a-z-]+`(, `[a-z-]+`)*)$/);
    }
  });

  test('names labs that exist, and each lab', () => {
    const named = new Set(
      rows.flatMap((row) => [...(row[4] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')),
    );
    expect([...named].sort()).toEqual(LABS.map(({ name }) => name).sort());
  });

  test('calls nothing unbuilt that the page of what is missing does not name', () => {
    const page = read('docs/not-implemented.md').replace(/\s+/g, ' ').toLowerCase();
    const unbuilt = rows.filter((row) => row[2]?.trim() === 'not built').map((row) => (row[0] ?? '').trim());
    expect(unbuilt.length).toBeGreaterThan(5);
    expect(unbuilt.filter((term) => !page.includes(term.replace(/ \(.*$/, '').toLowerCase()))).toEqual([]);
  });
});

test('the page of the kernel names files that exist', () => {
  const files = [...read('docs/kernel.md').matchAll(/`((?:text\/)?[a-z-]+\.ts)`/g)].map((match) => match[1] ?? '');
  expect(files.length).toBeGreaterThan(15);
  expect(files.filter((file) => !existsSync(join(ROOT, 'packages/aegis/src', file)))).toEqual([]);
});

test('the rows that the page of the machine shows are those of the tables', () => {
  const page = read('docs/machine.md');
  const section = page.slice(page.indexOf('### A new instruction'));
  const blocks = [...section.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  expect(blocks.length).toBeGreaterThan(2);
  for (const [, file = '', rows = ''] of blocks) expect(read(file)).toContain(rows);
});

test("the README's library operating system does what the README says", () => {
  const snippet = read('apps/exok/test/readme/libos.ts');
  const readme = read('README.md');
  expect(readme).toContain(snippet);
  const printed = execFileSync(process.execPath, [join(ROOT, 'apps/exok/test/readme/libos.ts')], { encoding: 'utf8' });
  expect(readme).toContain(`\`${printed.trim()}\``);
});

/** A table however it is laid out. */
function cells(text: string): string {
  return text.replace(/ +/g, ' ').replace(/-{3,}/g, '---');
}

test('the tables of calls and structures in the documents are those of abi: npm run docs:tables', () => {
  for (const file of DOCUMENTS) expect(cells(withTables(read(file))), file).toBe(cells(read(file)));
});

test("the reference of the kit has each of the kit's sources", () => {
  const page = read('docs/kit-reference.md');
  const sources = readdirSync(join(ROOT, 'packages/libos-kit/assembly')).filter((file) => file.endsWith('.ts'));
  expect(sources.length).toBeGreaterThan(20);
  // These are the words of `calls`.
  const wanted = sources.map((file) => file.slice(0, -3)).filter((name) => name !== 'aegis');
  expect(wanted.filter((name) => !page.includes(`<!-- kit: ${name} -->`))).toEqual([]);
});

test('every call and every exposed structure stands in a document', () => {
  const text = DOCUMENTS.map((file) => read(file)).join('\n');
  const pages = new Set(Object.values(CALLS).map((call) => call.page));
  expect([...pages].filter((page) => !text.includes(`<!-- calls: ${page} -->`))).toEqual([]);
  expect(Object.keys(STRUCTURES).filter((name) => !text.includes(`<!-- structure: ${name} -->`))).toEqual([]);
});
