import { readFileSync } from 'node:fs';
import { decodeUtf8, encodeUtf8 } from '@exokernel/libos-kit';
import { frameBytes, NetworkStack, parseIpv4, parseMac } from '@exokernel/net';
import { expect, test } from 'vitest';
import { Aegis } from '../../aegis/src/index.ts';
import { Machine, memoryStore, Wire } from '../../hardware/src/index.ts';
import { cheetah, CHEETAH_EXIT, formatSite } from '../src/index.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The snippet of the README. Its lines must be found here. */
test('README', () => {
  // A machine with a site on its disk, and the server on it.
  const site = formatSite([{ path: '/index.html', type: 'text/html', body: encodeUtf8('<h1>hello</h1>') }]);
  const [mac, ip, netmask] = [Uint8Array.of(8, 0, 0x2b, 0, 0, 2), parseIpv4('10.0.0.2'), parseIpv4('255.255.255.0')];
  const wire = new Wire();
  const machine = new Machine({ lance: { mac, wire }, disk: { store: memoryStore(site) } });
  const extent = { start: 0, blocks: site.length / 4096 };
  new Aegis(machine).load(cheetah({ mac, ip, netmask, port: 80, seed: 1, extent }));

  // Another host on the wire.
  const milliseconds = (): number => (machine.cycles / machine.hz) * 1000;
  const host = new NetworkStack({ mac: parseMac('02:00:00:00:00:01'), ip: parseIpv4('10.0.0.1'), netmask, seed: 2 });
  const station = wire.attach({ receive: (frame) => host.receive(frame, milliseconds()) });
  const client = host.tcp.connect(ip, 80);
  client.write(encodeUtf8('GET / HTTP/1.1\r\nHost: 10.0.0.2\r\nConnection: close\r\n\r\n'));
  while (!client.ended && client.readable === 0) {
    machine.run(25_000);
    host.poll(milliseconds());
    host.transmit((frame) => station.send(frameBytes(frame)), milliseconds());
  }

  expect(decodeUtf8(client.read())).toMatch(/^HTTP\/1.1 200 OK\r\n.*<h1>hello<\/h1>$/s);

  const snippet = /```ts\n([\s\S]*?)```/.exec(README)?.[1] ?? '';
  const here = readFileSync(new URL(import.meta.url), 'utf8');
  const lines = snippet.split('\n').filter((line) => line !== '' && !/^(import|console)/.test(line));
  expect(lines.length).toBeGreaterThan(15);
  for (const line of lines) expect(here).toContain(line);
});

test('README names every exit word', () => {
  for (const word of Object.keys(CHEETAH_EXIT)) expect(README).toContain(`| \`${word}\``);
});
