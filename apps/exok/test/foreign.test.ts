/**
 * Cheetah behind other networks' programs: passt and QEMU carry the host's connections to it, curl fetches, and every byte is compared. Where
 * one of them is not installed its test is skipped.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { makeSite } from '../src/site.ts';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const SIZES = [0, 1, 1000, 100_000, 1_000_000];

const installed = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
const skipped = (programs: string): string => (programs === '' ? '' : ` (skipped: without ${programs})`);
const missing = (...programs: string[]): string => programs.filter((program) => !installed(program)).join(', ');

let folder = '';
let children: Child[] = [];

interface Child {
  readonly process: ChildProcess;
  /** What it has said on stderr. */
  text: string;
}

function start(command: string, args: readonly string[]): Child {
  const child: Child = { process: spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] }), text: '' };
  child.process.stderr?.on('data', (piece: Buffer) => (child.text += piece.toString()));
  children.push(child);
  return child;
}

/** Resolves when it is so. Throws when the child has ended before. */
async function until(child: Child, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    if (child.process.exitCode !== null) throw new Error(`it has ended: ${child.text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const said = (child: Child, what: string): Promise<void> => until(child, () => child.text.includes(what));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

afterEach(async () => {
  for (const { process: child } of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill();
    await once(child, 'exit');
  }
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

/** A disk with files of all sizes, and a folder that programs may use which give up their rights. */
function site(): { readonly image: string; readonly socket: string } {
  folder = mkdtempSync(join(tmpdir(), 'foreign-'));
  chmodSync(folder, 0o777);
  const root = join(folder, 'w');
  mkdirSync(root);
  for (const size of SIZES) {
    writeFileSync(
      join(root, `${size}`),
      Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8) * 7) & 0xff),
    );
  }
  makeSite(root, join(folder, 'img'), { dotFiles: false, say: () => undefined });
  return { image: join(folder, 'img'), socket: join(folder, 'socket') };
}

/** The demo, with its wire led out. */
function serve(image: string, net: string): Child {
  return start(process.execPath, [MAIN, 'demo', '--serve', '--disk', image, '--net', net]);
}

/** Fetches every file, three of them on one connection too, and compares. */
async function fetchAll(port: number): Promise<void> {
  const url = (size: number): string => `http://127.0.0.1:${port}/${size}`;
  for (const sizes of [...SIZES.map((size) => [size]), [1000, 0, 100_000]]) {
    const into = join(folder, 'got');
    rmSync(into, { force: true });
    const curl = start('curl', ['-sS', '-m', '60', '-o', into, ...sizes.map(url).join(' -o /dev/null ').split(' ')]);
    const [code] = (await once(curl.process, 'exit')) as [number];
    expect([sizes, code, curl.text]).toEqual([sizes, 0, '']);
    const wanted = readFileSync(join(folder, 'w', `${sizes[0] ?? 0}`));
    expect(Buffer.compare(existsSync(into) ? readFileSync(into) : new Uint8Array(0), wanted)).toBe(0);
  }
}

describe('Cheetah', { timeout: 180_000 }, () => {
  const withoutPasst = missing('passt', 'curl');
  test.skipIf(withoutPasst !== '')(`behind passt${skipped(withoutPasst)}`, async () => {
    const { image, socket } = site();
    const port = await freePort();
    // Its host's addresses mean nothing to the machine, so they are given. It gives up root's rights by itself.
    const passt = start('passt', [
      '-f',
      '-a',
      '10.0.0.2',
      '-n',
      '24',
      '-g',
      '10.0.0.4',
      '-t',
      `127.0.0.1/${port}:80`,
      '-s',
      socket,
    ]);
    await until(passt, () => existsSync(socket));
    await new Promise((resolve) => setTimeout(resolve, 200)); // it is there a moment before passt listens on it
    await said(serve(image, `stream:unix:${socket}`), 'serving');
    await fetchAll(port);
  });

  const withoutQemu = missing('qemu-system-mipsel', 'curl');
  test.skipIf(withoutQemu !== '')(`behind QEMU's stream network${skipped(withoutQemu)}`, async () => {
    const { image, socket } = site();
    const port = await freePort();
    const demo = serve(image, `listen:unix:${socket}`);
    await said(demo, 'waiting for a peer');
    start(
      'qemu-system-mipsel',
      [
        ['-M', 'none', '-display', 'none', '-monitor', 'none', '-serial', 'none'],
        [
          '-netdev',
          `stream,id=s,server=off,addr.type=unix,addr.path=${socket}`,
          '-netdev',
          'hubport,id=h1,hubid=0,netdev=s',
        ],
        ['-netdev', `user,id=u,net=10.0.0.0/24,host=10.0.0.4,hostfwd=tcp:127.0.0.1:${port}-10.0.0.2:80`],
        ['-netdev', 'hubport,id=h2,hubid=0,netdev=u'],
      ].flat(),
    );
    await said(demo, 'serving');
    await fetchAll(port);
  });
});
