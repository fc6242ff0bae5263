/** Clients: wrk with one connection, a page as a browser loads it, and many connections that stay. */
import { spawn } from 'node:child_process';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';

/** Requests per second of one keep-alive client of wrk (Debian's package); `undefined` where it is not installed. */
export function wrk(url: string, seconds: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', '-c1', `-d${seconds}s`, url]);
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
    child.on('close', () => {
      const [, requests, time] = /(\d+) requests in ([\d.]+)s/.exec(output) ?? [];
      if (/Non-2xx/.test(output) || requests === undefined) reject(new Error(`wrk: ${output}`));
      else resolve(Number(requests) / Number(time));
    });
  });
}

const CONNECTIONS = 6;

/** Milliseconds to load the first file, then the others over six connections, opened anew. Throws if one has another length. */
export async function page(
  url: string,
  files: readonly { readonly name: string; readonly bytes: number }[],
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const started = performance.now();
  const [first, ...others] = files;
  if (first !== undefined) await load(agent, `${url}/${first.name}`, first.bytes);
  await Promise.all(others.map(({ name, bytes }) => load(agent, `${url}/${name}`, bytes)));
  const time = performance.now() - started;
  agent.destroy();
  return time;
}

function load(agent: Agent, url: string, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let got = 0;
      response.on('data', (data: Buffer) => (got += data.length));
      response.on('end', () => {
        if (response.statusCode === 200 && got === bytes) resolve();
        else reject(new Error(`${url}: status ${response.statusCode ?? 0}, ${got} of ${bytes} bytes`));
      });
    }).on('error', reject);
  });
}

/** Opens connections with one request each, and leaves them open. Returns what closes them. */
export async function idlers(url: string, path: string, count: number): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i += 1) {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await new Promise((resolve, reject) => {
      socket.once('data', resolve);
      socket.once('error', reject);
    });
    socket.resume();
  }
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
