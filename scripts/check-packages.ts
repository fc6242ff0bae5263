/**
 * Checks every publishable package as npm users will get it: packs it, runs publint and Are-the-types-wrong on the tarball.
 * Needs a build first. Progress on stderr, findings on stdout, exit code 1 if there are any.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
}

const folders = readdirSync(join(ROOT, 'packages')).map((name) => join(ROOT, 'packages', name));
let failed = 0;
for (const folder of folders) {
  const { name, private: isPrivate } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  if (isPrivate === true) continue;
  process.stderr.write(`${name}\n`);
  const target = mkdtempSync(join(tmpdir(), 'exokernel-pack-'));
  try {
    execFileSync('npx', ['-y', 'pnpm@12.20.0', 'pack', '--pack-destination', target], { cwd: folder, stdio: 'pipe' });
    const [tarball = ''] = readdirSync(target);
    for (const [command, args] of [
      ['publint', ['run', join(target, tarball), '--strict']],
      ['attw', [join(target, tarball), '--profile', 'esm-only', '--format', 'ascii']],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules', '.bin', command), args, {
        encoding: 'utf8',
      });
      if (status === 0) continue;
      failed += 1;
      process.stdout.write(`${name}: ${command}\n${stdout}${stderr}\n`);
    }
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
process.stderr.write(failed === 0 ? 'all packages are sound\n' : `${failed} findings\n`);
process.exitCode = failed === 0 ? 0 : 1;
