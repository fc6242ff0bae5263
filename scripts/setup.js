// Installs what the lock file says, once: `npm run setup`, and before every command that needs it.
//
// Runs on whatever Node is there (20 or later), without dependencies. Everything it says goes to stderr, so that stdout
// stays the command's own. Exit code: that of the installation.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const STAMP = join(ROOT, 'node_modules', '.setup');
const PNPM = 'pnpm@12.20.0';

const wanted = createHash('sha256');
for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
  wanted.update(readFileSync(join(ROOT, file)));
const hash = wanted.digest('hex');
const installed = existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash;

if (!installed || process.argv.includes('--force')) {
  process.stderr.write('installing dependencies, once (about 20 seconds)\n');
  const args = ['-y', PNPM, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn'];
  const { status, error } = spawnSync('npx', args, {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    // The project silences npm; here its errors are wanted.
    env: { ...process.env, npm_config_loglevel: 'error' },
    shell: process.platform === 'win32',
  });
  if (error) process.stderr.write(`cannot run npx: ${error.message}\n`);
  if (status === 0) writeFileSync(STAMP, hash);
  process.exitCode = status ?? 1;
}
