/** Servers in processes of their own: the demo of a build, and node:http with the same files. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Server {
  readonly url: string;
  readonly stop: () => Promise<void>;
  /** Bytes of heap and buffers that it uses after a collection. Only of `measured`. */
  readonly heap: () => Promise<number>;
}

/** Host time for the demo's other programs to end: they share the processor until then. */
const SETTLE_MS = 8000;

/** Serves a disk with the demo of the build at `root`. */
export async function demo(root: string, disk: string): Promise<Server> {
  const main = join(root, 'apps/exok/src/main.ts');
  return settled(await started([main, 'demo', '--serve', '--disk', disk]));
}

/** The same of this build, with its heap. */
export async function measured(disk: string): Promise<Server> {
  return settled(await started(['--expose-gc', join(import.meta.dirname, 'heap-server.ts'), disk]));
}

/** Serves a folder with node:http, out of memory. */
export function plain(folder: string): Promise<Server> {
  return started([join(import.meta.dirname, 'plain-server.ts'), folder]);
}

async function settled(server: Server): Promise<Server> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return server;
}

/** Runs a program of Node until it has named its URL. */
function started(args: readonly string[]): Promise<Server> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let text = '';
    child.on('error', reject);
    child.on('exit', () => {
      reject(new Error(`${args.join(' ')} ended: ${text}`));
    });
    child.stderr?.on('data', (data: Buffer) => {
      text += data.toString();
      const url = /serving (http:\S+)\//.exec(text)?.[1];
      if (url !== undefined) resolve({ url, stop: () => stopped(child), heap: () => heapOf(child) });
    });
  });
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGINT');
  await once(child, 'exit');
}

async function heapOf(child: ChildProcess): Promise<number> {
  child.send('heap');
  const [bytes] = (await once(child, 'message')) as [number];
  return bytes;
}
