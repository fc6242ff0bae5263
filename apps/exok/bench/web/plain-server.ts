/** What the page is compared with: node:http with the files of a folder in memory. Started by the benchmark, with the folder. */
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const [, , folder = '.'] = process.argv;
const files = new Map(readdirSync(folder).map((name) => [`/${name}`, readFileSync(join(folder, name))]));
const server = createServer((request, response) => {
  const body = files.get(request.url ?? '');
  response.writeHead(body === undefined ? 404 : 200, { 'Content-Length': body?.length ?? 0 });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`serving http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
process.once('SIGINT', () => process.exit());
