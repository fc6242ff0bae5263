/**
 * Cheetah through the gateway, beside an earlier build and beside node:http, in the same run: one keep-alive client, a page over six
 * connections, the time to load a site, the heap of a connection.
 */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSite } from '../../src/site.ts';
import { median, type Bar, type Report, type Row } from '../report.ts';
import { HERE, buildOf } from './builds.ts';
import { idlers, page, wrk } from './client.ts';
import { loadTime } from './load-time.ts';
import { demo, measured, plain, type Server } from './servers.ts';

const ROUNDS = 5;
const WRK_SECONDS = 3;
/** The build whose gateway slept 5 ms whenever the processor idled. */
const BEFORE = '288b6fe';
const PAGES_A_ROUND = 5;
const IDLERS = 400;
const SITE_BYTES = 2_000_000;
/** A document, then styles, scripts and pictures. */
const PAGE: readonly { readonly name: string; readonly bytes: number }[] = [
  12_000, 30_000, 4000, 60_000, 25_000, 8000, 2000, 15_000, 40_000, 1000, 3000, 20_000, 10_000, 500,
].map((bytes, i) => ({ name: `page-${i}`, bytes }));
const FILES = [{ name: '1k', bytes: 1000 }, { name: '100k', bytes: 100_000 }, ...PAGE];

export async function web(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'exok-web-'));
  const root = join(folder, 'site');
  const disk = join(folder, 'img');
  mkdirSync(root);
  for (const { name, bytes } of FILES) writeFileSync(join(root, name), new Uint8Array(bytes).fill(bytes));
  makeSite(root, disk, { dotFiles: false, say: () => undefined });
  const before = buildOf(BEFORE);
  if (before === undefined)
    process.stderr.write(`web: this checkout has no ${BEFORE}, so nothing is compared with it\n`);
  const servers = new Map<string, Server>();
  try {
    servers.set('Cheetah', await demo(HERE, disk));
    if (before !== undefined) servers.set(BEFORE, await demo(before.root, disk));
    servers.set('node:http', await plain(root));
    const rows = await rounds(servers);
    for (const server of servers.values()) await server.stop();
    rows.push(await heap(disk));
    const seconds = loadTime(SITE_BYTES);
    rows.push({
      name: `load a site of ${SITE_BYTES / 1e6} MB`,
      unit: 's of machine time',
      median: seconds,
      rounds: [seconds],
    });
    return { rows, bars: bars(rows) };
  } finally {
    for (const server of servers.values()) await server.stop();
    before?.remove();
    rmSync(folder, { recursive: true });
  }
}

/** All servers take their turn in each round. */
async function rounds(servers: ReadonlyMap<string, Server>): Promise<Row[]> {
  const all = new Map<string, { unit: string; rounds: number[] }>();
  const add = (name: string, unit: string, value: number): void => {
    const row = all.get(name) ?? { unit, rounds: [] };
    row.rounds.push(value);
    all.set(name, row);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    process.stderr.write(`web: round ${round + 1} of ${ROUNDS}\n`);
    for (const [name, { url }] of servers) {
      for (const file of ['1k', '100k']) {
        const rate = await wrk(`${url}/${file}`, WRK_SECONDS);
        if (rate !== undefined) add(`${name}: ${file}, one keep-alive client`, 'requests/s', rate);
      }
      if (name === BEFORE) continue;
      for (let i = 0; i < PAGES_A_ROUND; i += 1) {
        add(`${name}: a page of ${PAGE.length} resources over six connections`, 'ms', await page(url, PAGE));
      }
    }
  }
  if (![...all.keys()].some((name) => name.includes('client'))) {
    process.stderr.write('web: wrk is not installed, so there are no such rows\n');
  }
  return [...all].map(([name, row]) => ({ name, ...row, median: median(row.rounds) }));
}

/** What one more connection costs the whole process: gateway, both stacks, server, socket of the host. */
async function heap(disk: string): Promise<Row> {
  const server = await measured(disk);
  try {
    // What is made once is there before it is counted.
    (await idlers(server.url, '/1k', 20))();
    const before = await server.heap();
    const close = await idlers(server.url, '/1k', IDLERS);
    const bytes = ((await server.heap()) - before) / IDLERS;
    close();
    return { name: `heap of a connection, of ${IDLERS}`, unit: 'bytes', median: bytes, rounds: [bytes] };
  } finally {
    await server.stop();
  }
}

function bars(rows: readonly Row[]): Bar[] {
  const of = (start: string): number | undefined => rows.find(({ name }) => name.startsWith(start))?.median;
  const found: Bar[] = [];
  const bar = (text: string, value: number | undefined, holds: (value: number) => boolean): void => {
    if (value !== undefined) found.push({ text, value, holds: holds(value) });
  };
  const ratio = (a: string, b: string): number | undefined => {
    const [x, y] = [of(a), of(b)];
    return x === undefined || y === undefined ? undefined : x / y;
  };
  bar(`times the requests of ${BEFORE} at 1 KB (at least 10)`, ratio('Cheetah: 1k', `${BEFORE}: 1k`), (n) => n >= 10);
  bar(`times those at 100 KB (at least 50)`, ratio('Cheetah: 100k', `${BEFORE}: 100k`), (n) => n >= 50);
  bar("times node:http's time for a page (at most 3)", ratio('Cheetah: a page', 'node:http: a page'), (n) => n <= 3);
  bar('s of machine time to load a site of 2 MB (at most 1.1)', of('load a site'), (n) => n <= 1.1);
  bar('KB of heap for a connection (at most 16)', (of('heap of') ?? NaN) / 1024, (n) => n <= 16);
  return found;
}
