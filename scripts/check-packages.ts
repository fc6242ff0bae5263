/**
 * Checks the publishable packages as npm users get them. Needs a build first.
 *
 * Packs each, and runs publint and Are-the-types-wrong on the tarball. Then installs all tarballs in a strict project, compiles every
 * README's example there with the oldest and the newest TypeScript that we promise, for Node and for bundlers, and runs it and the command line
 * on the oldest and the newest Node; creates a project for a library operating system on each, and has it test itself. Progress on stderr, findings on stdout, exit code 1 if there are any.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pack, publicPackages } from './pack.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');
/** The oldest that the READMEs promise. */
const OLDEST = { typescript: '5.7.3', node: '20.20.2' };
/** Package of Node's binary for this host, as in the root's package.json. */
const NODE_PACKAGE = `node-${process.platform}-${process.arch}`;

/** What the installed command must do. */
const COMMANDS: readonly (readonly string[])[] = [
  ['--help'],
  ['--version'],
  ['lab', 'pct', '--short', '--profile', 'dec5000'],
  ['demo', '--offline'],
  ['kernel', '--disassemble', 'scall'],
  ['linux', '--help'],
  ['completion', 'bash'],
];

/** From `create` to a test that passes, with its installation; the bar is for people who wait. */
const CREATED_SECONDS = 60;

const failures: string[] = [];
const work = mkdtempSync(join(tmpdir(), 'exokernel-packages-'));
try {
  const packages = publicPackages();
  const tarballs = packages.map((one) => {
    const { name, bin } = one;
    const tarball = pack(one, work);
    check(`${name}: publint`, join(BIN, 'publint'), ['run', tarball, '--strict']);
    if (bin === undefined)
      check(`${name}: attw`, join(BIN, 'attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii']);
    return [name, `file:${tarball}`] as const;
  });
  checkInstalled(
    tarballs,
    packages
      .filter(({ bin }) => bin === undefined)
      .map(({ folder, name }) => [name, readFileSync(join(folder, 'README.md'), 'utf8')]),
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.stdout.write(failures.join('\n'));
process.stderr.write(failures.length === 0 ? 'all packages are sound\n' : `${failures.length} findings\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

function check(what: string, command: string, args: readonly string[], cwd: string = ROOT, env = process.env): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd, env });
  if (status !== 0) failures.push(`${what}\n${stdout}${stderr}${error?.message ?? ''}\n`);
}

function checkInstalled(
  tarballs: readonly (readonly [name: string, file: string])[],
  readmes: readonly (readonly [name: string, readme: string])[],
): void {
  const project = join(work, 'project');
  mkdirSync(project);
  const all = Object.fromEntries(tarballs);
  const manifest = {
    private: true,
    type: 'module',
    dependencies: all,
    devDependencies: { typescript: OLDEST.typescript, [NODE_PACKAGE]: OLDEST.node },
    overrides: all,
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  process.stderr.write('installing the tarballs\n');
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });
  const names = readmes.map(([name, readme]) => {
    const file = name.replace('@exokernel/', '');
    const example = /```ts\n(.*?)```/s.exec(readme)?.[1];
    if (example === undefined) failures.push(`${name}: its README has no example\n`);
    writeFileSync(join(project, `${file}.ts`), example ?? '');
    return file;
  });
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    const outDir = join(project, moduleResolution);
    const options = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
    };
    const compilerOptions = {
      ...options,
      target: 'es2022',
      lib: ['es2023', 'dom'],
      types: [],
      module,
      moduleResolution,
      outDir,
    };
    const config = join(project, `tsconfig.${moduleResolution}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    check(
      `TypeScript ${OLDEST.typescript}, ${moduleResolution}`,
      join(project, 'node_modules', '.bin', 'tsc'),
      ['-p', config],
      project,
    );
    check(`the newest TypeScript, ${moduleResolution}`, join(BIN, 'tsc'), ['-p', config, '--noEmit'], project);
  }
  const oldNode = join(project, 'node_modules', NODE_PACKAGE, 'bin', 'node');
  for (const [what, node] of [
    [`Node ${OLDEST.node}`, oldNode],
    [`Node ${process.versions.node}`, process.execPath],
  ] as const) {
    process.stderr.write(`examples on ${what}\n`);
    for (const name of names) check(`${name} on ${what}`, node, [join('nodenext', `${name}.js`)], project);
    const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` };
    for (const args of COMMANDS) {
      check(`exok ${args.join(' ')} on ${what}`, 'npx', ['--no-install', 'exok', ...args], project, env);
    }
    checkCreated(what, project, env);
  }
}

/** Does what the README of create-libos tells, with the packages of the project. */
function checkCreated(what: string, project: string, env: NodeJS.ProcessEnv): void {
  const started = performance.now();
  const name = `libos-${what.replace(/\W/g, '-').toLowerCase()}`;
  const created = join(project, name);
  check(`create on ${what}`, 'npx', ['--no-install', 'create-libos', name, '--packages', work], project, env);
  check(`its installation on ${what}`, 'npm', ['install', '--no-audit', '--no-fund'], created, env);
  check(`its test on ${what}`, 'npm', ['test'], created, env);
  const seconds = (performance.now() - started) / 1000;
  process.stderr.write(`a project that passes its test on ${what}: ${seconds.toFixed(1)} s\n`);
  if (seconds > CREATED_SECONDS)
    failures.push(`create on ${what} took ${seconds.toFixed(0)} s, not ${CREATED_SECONDS}\n`);
  check(`its program on ${what}`, 'npm', ['start'], created, env);
  check(`its lab on ${what}`, 'npm', ['run', 'lab', '--', '--json'], created, env);
  check(`its types on ${what}`, 'npm', ['run', 'typecheck'], created, env);
}
