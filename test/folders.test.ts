/** Inside the packages: no import circles between files or folders, also not of types, and imports only go down. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FOLDERS, MAP } from '../scripts/map.js';

const ROOT = join(import.meta.dirname, '..');

/** Which file imports which, by their paths in `src`. */
type Graph = ReadonlyMap<string, readonly string[]>;

/** The relative imports of a text, static, dynamic, for types, or re-exports. */
function relativeImports(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...code.matchAll(/(?:from|import)\s*\(?\s*'(\.[^'\n]+)'/g)].map((match) => match[1] ?? '');
}

function graphOf(name: string): Graph {
  const folder = join(ROOT, 'packages', name, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return [file, relativeImports(text).map((specifier) => normalize(join(dirname(file), specifier)))];
    }),
  );
}

/** One circle of the graph, its first member again at the end; none if there is none. */
function circle(graph: Graph): string[] {
  const done = new Set<string>();
  const walk = (node: string, path: readonly string[]): string[] => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return [];
    for (const next of graph.get(node) ?? []) {
      const found = walk(next, [...path, node]);
      if (found.length > 0) return found;
    }
    done.add(node);
    return [];
  };
  for (const node of graph.keys()) {
    const found = walk(node, []);
    if (found.length > 0) return found;
  }
  return [];
}

/** The folder that a file of `src` is in; a file that is in none stands for itself. */
function folderOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** Which folder imports which. */
function folderGraph(graph: Graph): Graph {
  const folders = new Map<string, string[]>();
  for (const [file, imported] of graph) {
    const from = folderOf(file);
    const others = imported.map(folderOf).filter((to) => to !== from);
    folders.set(from, [...(folders.get(from) ?? []), ...others]);
  }
  return folders;
}

/** The imports that go up in an order of folders, or to a folder that it does not name. */
function upward(graph: Graph, order: readonly string[]): string[] {
  const place = (file: string): number => order.indexOf(folderOf(file));
  return [...graph].flatMap(([file, imported]) =>
    imported.filter((to) => place(to) < 0 || place(to) > place(file)).map((to) => `${file} → ${to}`),
  );
}

describe.each(Object.keys(MAP))('%s', (name) => {
  const graph = graphOf(name);

  test('its imports are of files that exist', () => {
    const missing = [...graph.values()].flat().filter((file) => !existsSync(join(ROOT, 'packages', name, 'src', file)));
    expect(missing).toEqual([]);
  });

  test('no circle of files', () => expect(circle(graph)).toEqual([]));

  test('no circle of folders', () => expect(circle(folderGraph(graph))).toEqual([]));
});

describe.each(Object.entries(FOLDERS))('%s', (name, order) => {
  const graph = graphOf(name);

  test('every folder has its place in the order', () => {
    expect([...new Set([...graph.keys()].map(folderOf))].sort()).toEqual([...order].sort());
  });

  test('imports go down', () => expect(upward(graph, order)).toEqual([]));
});

test('a circle and an import that goes up are found, also of types', () => {
  expect(relativeImports("import type { A } from './a.ts';\nexport { b } from '../b.ts';")).toEqual([
    './a.ts',
    '../b.ts',
  ]);
  const graph: Graph = new Map([
    ['low/a.ts', ['low/b.ts']],
    ['low/b.ts', ['high/c.ts']],
    ['high/c.ts', ['low/a.ts']],
    ['top.ts', ['low/a.ts']],
  ]);
  expect(circle(graph)).toEqual(['low/a.ts', 'low/b.ts', 'high/c.ts', 'low/a.ts']);
  expect(circle(folderGraph(graph))).toEqual(['low', 'high', 'low']);
  expect(circle(folderGraph(new Map([['top.ts', ['low/a.ts']]])))).toEqual([]);
  expect(upward(graph, ['low', 'high', 'top.ts'])).toEqual(['low/b.ts → high/c.ts']);
});
