/** The import map of docs/architecture.md, held against the manifests and against every import in the code. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAP } from '../scripts/map.js';

const ROOT = join(import.meta.dirname, '..');
const SCOPE = '@exokernel/';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;
}

function folders(parent: string): string[] {
  return readdirSync(join(ROOT, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(ROOT, parent, entry.name, 'package.json')))
    .map((entry) => entry.name);
}

function sources(folder: string): string[] {
  const path = join(ROOT, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|tsx)$/.test(file) && !/(^|\/)(node_modules|dist)\//.test(file))
    .map((file) => join(path, file));
}

/** Every module that a file imports, statically, dynamically, for types, or re-exports. */
function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...text.matchAll(/(?<!')\b(?:from|import)\s*\(?\s*'([^'\n]+)'/g)].map((match) => match[1] ?? '');
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

test('the map names every package', () => {
  expect(
    folders('packages')
      .filter((name) => name !== 'testkit')
      .sort(),
  ).toEqual(Object.keys(MAP).sort());
});

test('the map has no cycle: imports go down its order', () => {
  const order = Object.keys(MAP);
  for (const [name, allowed] of Object.entries(MAP)) {
    for (const other of allowed) expect(order.indexOf(other), `${name} → ${other}`).toBeLessThan(order.indexOf(name));
  }
});

describe.each(Object.entries(MAP))('%s', (name, allowed) => {
  const folder = `packages/${name}`;
  const { dependencies = {} } = manifest(folder);

  test('its manifest depends on nothing that the map forbids', () => {
    const inner = Object.keys(dependencies).filter((dependency) => dependency.startsWith(SCOPE));
    expect(inner.filter((dependency) => !allowed.includes(dependency.slice(SCOPE.length)))).toEqual([]);
  });

  test('its code imports only what its manifest declares', () => {
    // Itself too: what stands in a ./node subpath imports the package by its name.
    const declared = [`${SCOPE}${name}`, ...Object.keys(dependencies)];
    for (const file of sources(`${folder}/src`)) {
      for (const specifier of imports(file)) {
        if (specifier.startsWith('.')) {
          expect(join(file, '..', specifier).startsWith(join(ROOT, folder, 'src')), `${file}: ${specifier}`).toBe(true);
        } else if (specifier.startsWith('node:')) {
          expect(file, specifier).toMatch(/\/src\/node\//);
        } else {
          expect(declared, `${file}: ${specifier}`).toContain(packageOf(specifier));
        }
      }
    }
  });
});

test('the test kit uses what packages export, and nothing else', () => {
  const own = join(ROOT, 'packages/testkit/src');
  const reaching = sources('packages/testkit/src').flatMap((file) =>
    imports(file)
      .filter((specifier) => specifier.startsWith('.') && !join(file, '..', specifier).startsWith(own))
      .map((specifier) => `${file}: ${specifier}`),
  );
  expect(reaching).toEqual([]);
  expect(sources('packages/testkit/src').length).toBeGreaterThan(5);
});

test('only tests import the test kit', () => {
  const users = [...folders('packages'), ...folders('apps').map((app) => `../apps/${app}`)]
    .flatMap((name) => sources(`packages/${name}/src`))
    .filter((file) => !file.includes('/packages/testkit/'))
    .filter((file) => imports(file).some((specifier) => packageOf(specifier) === `${SCOPE}testkit`));
  expect(users).toEqual([]);
});

test('a forbidden import is found', () => {
  const file = join(ROOT, 'test', 'map.test.ts');
  expect(imports(file)).toContain('vitest');
  expect(packageOf('@exokernel/hardware/node')).toBe('@exokernel/hardware');
});
