import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PcapngWriter } from '../src/index.ts';

/** The snippet of the README. Its lines must be found there. */
test('README', () => {
  const blocks: Uint8Array[] = [];
  const writer = new PcapngWriter((block) => blocks.push(block));
  const eth0 = writer.addInterface({ name: 'eth0', epoch: 1_700_000_000 }); // what time 0 is, in seconds since 1970
  const eth1 = writer.addInterface({ name: 'eth1' });

  const frame = new Uint8Array(60);
  writer.addFrame(eth0, frame, 57_600); // 57.6 us after its epoch
  writer.addFrame(eth1, frame, 125_000, true); // its FCS did not match

  const types = blocks.map((block) => new DataView(block.buffer).getUint32(0, true));
  expect(types).toEqual([168627466, 1, 1, 6, 6]);

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const test = readFileSync(new URL(import.meta.url), 'utf8');
  const lines = snippet.split('\n').filter((line) => line !== '' && !/^(import|console)/.test(line));
  expect(lines.length).toBeGreaterThan(7);
  for (const line of lines) expect(test).toContain(line);
});
