import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { makeSite } from '../src/site.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'site-'));
  mkdirSync(join(folder, 'w'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function put(path: string, text = path): void {
  const parts = path.split('/');
  mkdirSync(join(folder, 'w', ...parts.slice(0, -1)), { recursive: true });
  writeFileSync(join(folder, 'w', path), text);
}

/** Formats the folder; the media types that the site gives by path, and what was said. */
function format(dotFiles = false): { types: Record<string, string>; said: string[] } {
  const said: string[] = [];
  const image = join(folder, 'img');
  const count = makeSite(join(folder, 'w'), image, { dotFiles, say: (text) => said.push(text) });
  const bytes = readFileSync(image);
  const types: Record<string, string> = {};
  // The directory as site.ts of the package describes it.
  for (let at = 16, i = 0; i < count; i += 1) {
    const [block, pathBytes] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 12)];
    const path = bytes.toString('utf8', at + 16, at + 16 + pathBytes);
    types[path] = /Content-Type: ([^\r]*)/.exec(bytes.toString('latin1', block * 4096, block * 4096 + 400))?.[1] ?? '';
    at += 16 + Math.ceil(pathBytes / 4) * 4;
  }
  return { types, said };
}

describe('what begins with a dot', () => {
  beforeEach(() => {
    for (const path of ['index.html', '.env', '.git/config', 'a/.htpasswd', 'a/b.txt', '.well-known/x.txt']) put(path);
  });

  test('is left out, and that is said', () => {
    const { types, said } = format();
    expect(Object.keys(types)).toEqual(['/.well-known/x.txt', '/a/b.txt', '/index.html']);
    expect(said.toSorted()).toEqual([
      '/ has .env, .git, left out: publish such files with --dot-files',
      '/a/ has .htpasswd, left out: publish such files with --dot-files',
    ]);
  });

  test('is published when asked for', () => {
    const { types, said } = format(true);
    expect(Object.keys(types)).toContain('/.env');
    expect(Object.keys(types)).toContain('/.git/config');
    expect([Object.keys(types).length, said]).toEqual([6, []]);
  });

  test('is not published by a link either', () => {
    symlinkSync('.env', join(folder, 'w', 'env.txt'));
    symlinkSync('.git', join(folder, 'w', 'git'));
    const { types, said } = format();
    expect(Object.keys(types)).toEqual(['/.well-known/x.txt', '/a/b.txt', '/index.html']);
    expect(said).toContain('/env.txt is left out: it leads to what begins with a dot');
    expect(said).toContain('/git is left out: it leads to what begins with a dot');
  });
});

describe('symbolic links', () => {
  test('within the folder are followed, to files and folders', () => {
    put('a/b.txt');
    symlinkSync('a/b.txt', join(folder, 'w', 'link.txt'));
    symlinkSync('a', join(folder, 'w', 'c'));
    const { types, said } = format();
    expect([Object.keys(types), said]).toEqual([['/a/b.txt', '/c/b.txt', '/link.txt'], []]);
  });

  test.each([
    ['out of the folder', '/etc/hostname', /leads out of the folder, to \/etc\/hostname/],
    ['to what is not there', 'missing', /leads nowhere/],
    ['to themselves', 'link.txt', /leads nowhere/],
    ['to the folder', '.', /leads back/],
  ])('%s are left out, and that is said', (_, target, message) => {
    put('index.html');
    symlinkSync(target, join(folder, 'w', 'link.txt'));
    const { types, said } = format();
    expect(Object.keys(types)).toEqual(['/index.html']);
    expect(said.join()).toMatch(message);
  });

  test('in a circle end', () => {
    put('a/x.txt');
    put('b/y.txt');
    symlinkSync('../b', join(folder, 'w', 'a', 'b'));
    symlinkSync('../a', join(folder, 'w', 'b', 'a'));
    const { types, said } = format();
    expect(Object.keys(types)).toEqual(['/a/b/y.txt', '/a/x.txt', '/b/a/x.txt', '/b/y.txt']);
    expect(said.length).toBe(2);
  });
});

test('a pipe is left out, and that is said', () => {
  put('index.html');
  execFileSync('mkfifo', [join(folder, 'w', 'pipe')]);
  expect(format().said).toEqual(['/pipe is left out: it is no file and no folder']);
});

test.each([
  ['a.html', 'text/html; charset=utf-8'],
  ['a.HTM', 'text/html; charset=utf-8'],
  ['a.js', 'text/javascript; charset=utf-8'],
  ['a.mjs', 'text/javascript; charset=utf-8'],
  ['a.css', 'text/css; charset=utf-8'],
  ['a.wasm', 'application/wasm'],
  ['a.avif', 'image/avif'],
  ['a.webp', 'image/webp'],
  ['a.jpeg', 'image/jpeg'],
  ['a.ico', 'image/vnd.microsoft.icon'],
  ['a.woff2', 'font/woff2'],
  ['a.json', 'application/json'],
  ['a.xyz', 'application/octet-stream'],
  ['a', 'application/octet-stream'],
])('the media type of %s', (name, type) => {
  put(name);
  expect(format().types).toEqual({ [`/${name}`]: type });
});

test('a folder that is none', () => {
  expect(() =>
    makeSite(join(folder, 'missing'), join(folder, 'img'), { dotFiles: false, say: () => undefined }),
  ).toThrow(UsageError);
});
