/** `npm create @exokernel/libos`: what it makes, that it works in this workspace, and what it refuses. `npm run packages` does it with what npm users get. */
import { execFile, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { create } from '../src/create.ts';

const HOME = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'create-libos-'));
const packages = join(work, 'packages');
const PARTS = ['aegis', 'conformance', 'exok', 'hardware', 'libos-kit', 'net'];
const run = promisify(execFile);

beforeAll(() => {
  mkdirSync(packages);
  for (const name of [...PARTS, 'abi']) writeFileSync(join(packages, `exokernel-${name}-1.2.3.tgz`), '');
});
afterAll(() => {
  rmSync(work, { recursive: true });
});

interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

describe('a project', () => {
  const folder = join(work, 'outer', 'a-libos');
  beforeAll(() => {
    create(folder, packages);
    // What npm would install.
    symlinkSync(join(HOME, 'node_modules'), join(folder, 'node_modules'));
  });

  test('has its name, and the packages of the tarballs', () => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    expect(manifest.name).toBe('a-libos');
    expect(manifest.dependencies).toEqual({
      ...Object.fromEntries(
        PARTS.map((name) => [`@exokernel/${name}`, `file:${join(packages, `exokernel-${name}-1.2.3.tgz`)}`]),
      ),
      assemblyscript: '0.28.20',
    });
    expect(Object.keys(manifest.devDependencies)).toEqual(['@types/node', 'typescript']);
    // Also for what these depend on.
    expect(manifest.overrides).toMatchObject({ '@exokernel/abi': `file:${join(packages, 'exokernel-abi-1.2.3.tgz')}` });
    expect(Object.keys(manifest.scripts)).toEqual(['start', 'watch', 'test', 'typecheck', 'lab']);
    expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toContain('node_modules');
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toMatch(/^# a-libos\n/);
  });

  test('tests itself, with what is in test alone', async () => {
    writeFileSync(join(folder, 'host/other.test.js'), 'throw new Error();\n');
    const { stdout } = await run('npm', ['test'], { cwd: folder });
    rmSync(join(folder, 'host/other.test.js'));
    expect(stdout).toMatch(/^. pass [1-9]/m);
  });

  test('starts', () => {
    const { status, stdout } = spawnSync('npm', ['start'], { cwd: folder, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining('a-libos: hello\na-libos: no network, so that is all\n') as string,
    });
  });

  test('measures: a fault that allocates costs more than a call', async () => {
    const { stdout } = await run('npm', ['run', '-s', 'lab', '--', '--json'], { cwd: folder });
    const { rows } = JSON.parse(stdout) as {
      readonly rows: readonly { readonly what: string; readonly cycles: number }[];
    };
    const [call, fault] = ['call', 'fault'].map((name) => rows.find(({ what }) => what === name)?.cycles ?? 0);
    expect(call).toBeGreaterThan(10);
    expect(fault).toBeGreaterThan(call ?? 0);
  });

  test('has types for an editor, and a command that checks them', () => {
    const check = (): { status: number | null; stdout: string } => {
      const { status, stdout } = spawnSync('npm', ['run', '-s', 'typecheck'], { cwd: folder, encoding: 'utf8' });
      return { status, stdout };
    };
    expect(check()).toEqual({ status: 0, stdout: '' });
    for (const file of ['src/wrong.ts', 'lab/programs/wrong.ts', 'test/wrong.js']) {
      writeFileSync(join(folder, file), file.endsWith('js') ? 'Math.nothing();\n' : "const wrong: i32 = 'text';\n");
      const { status, stdout } = check();
      rmSync(join(folder, file));
      expect({ file, status: status !== 0, said: stdout.includes('wrong') }).toEqual({
        file,
        status: true,
        said: true,
      });
    }
  });
});

describe('it refuses, and makes nothing', () => {
  test.each(['Upper', '.hidden', '_x', 'a b', 'node_modules', 'ä', 'x'.repeat(215), 'a:b'])('the name %s', (name) => {
    const folder = join(work, name);
    expect(() => create(folder, packages)).toThrow('no name for a package');
    expect(existsSync(folder)).toBe(false);
  });

  test('a folder with something in it, which stays; an empty one will do', () => {
    const folder = join(work, 'full');
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine'), 'mine');
    expect(() => create(folder, packages)).toThrow('exists and is not empty');
    expect(readdirSync(folder)).toEqual(['mine']);
    rmSync(join(folder, 'mine'));
    expect(create(folder, packages).files).toBeGreaterThan(10);
  });

  test('a file in its place, or above it', () => {
    const file = join(work, 'file');
    writeFileSync(file, 'mine');
    expect(() => create(file, packages)).toThrow('cannot use');
    expect(() => create(join(file, 'below'), packages)).toThrow('cannot use');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be written', () => {
    const folder = join(work, 'closed');
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    expect(() => create(join(folder, 'a-libos'), packages)).toThrow('cannot make');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a path that cannot be made: nothing of it is left', () => {
    const folder = join(work, 'half', 'y'.repeat(300), 'a-libos');
    expect(() => create(folder, packages)).toThrow('cannot');
    expect(existsSync(join(work, 'half'))).toBe(false);
  });

  test('packages that are not there, or not all, or twice; and a checkout without any', () => {
    const folder = join(work, 'b-libos');
    expect(() => create(folder, join(work, 'nothing'))).toThrow('cannot read the packages');
    const some = join(work, 'some');
    mkdirSync(some);
    expect(() => create(folder, some)).toThrow('no tarball of @exokernel/aegis');
    for (const version of ['1.0.0', '1.1.0']) writeFileSync(join(some, `exokernel-aegis-${version}.tgz`), '');
    expect(() => create(folder, some)).toThrow('more than one tarball of @exokernel/aegis');
    expect(() => create(folder)).toThrow('--packages');
    expect(existsSync(folder)).toBe(false);
  });
});

describe('the command', () => {
  const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(HOME, 'src/main.ts'), ...args], {
      cwd: work,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };

  test('says what comes next, on stderr', () => {
    const { status, stdout, stderr } = command('c-libos', '--packages', packages);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(/^\d+ files in c-libos\n\nNext:\n {2}cd c-libos\n {2}npm install\n {2}npm test\n/);
  });

  test('has help, which is data', () => {
    expect(command('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Usage: /) as string,
      stderr: '',
    });
  });

  test.each([[[]], [['a', 'b']], [['--nothing']], [['d-libos', '--packages']], [['']], [['full-not-here/..']]])(
    'refuses %j in one line, with exit code 2',
    (args) => {
      const { status, stdout, stderr } = command(...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^create-libos: [^\n]+\n$/);
    },
  );
});
