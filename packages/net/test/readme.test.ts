import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { frameBytes, NetworkStack, parseIpv4, parseMac } from '../src/index.ts';

test('the README snippet', () => {
  const netmask = parseIpv4('255.255.255.0');
  const a = new NetworkStack({ mac: parseMac('02:00:00:00:00:0a'), ip: parseIpv4('10.0.0.1'), netmask, seed: 1 });
  const b = new NetworkStack({ mac: parseMac('02:00:00:00:00:0b'), ip: parseIpv4('10.0.0.2'), netmask, seed: 2 });

  const listener = b.tcp.listen(7);
  const client = a.tcp.connect(b.ip, 7);
  client.write(Uint8Array.of(1, 2, 3));
  client.close(); // FIN after the data; reading goes on

  for (let now = 0; now < 10; now += 1) {
    // The wire: what one sends, the other receives.
    a.transmit((frame) => (b.receive(frameBytes(frame), now), true), now);
    b.transmit((frame) => (a.receive(frameBytes(frame), now), true), now);
    const server = listener.accept();
    if (server !== undefined) {
      server.write(server.read()); // an echo: the acknowledgment rides on it
      server.close();
    }
    a.poll(now);
    b.poll(now);
  }

  expect([client.read(), client.state]).toEqual([Uint8Array.of(1, 2, 3), 'time-wait']);
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const netmask'), snippet.indexOf('console.log'));
  expect(here).toContain(squeeze(body.trim()));
});
