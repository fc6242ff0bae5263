import { readFileSync } from 'node:fs';
import { REVOKE_KINDS } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { batch } from '@exokernel/batch';
import { Machine, Wire, memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { conformance, type Boot } from '../src/index.ts';

test('the README snippet', () => {
  const boot: Boot = (images, { disk, mac }) => {
    const lines = ['', '', '', ''];
    const wire = new Wire();
    const machine = new Machine({
      serial: (line, byte) => {
        lines[line] = (lines[line] ?? '') + String.fromCharCode(byte);
      },
      ...(disk && { disk: { store: memoryStore(disk) } }),
      ...(mac && { lance: { mac, wire } }),
    });
    const aegis = new Aegis(machine);
    for (const image of images) aegis.load(image);
    return {
      run: (ticks) => machine.run(Math.ceil((ticks * machine.hz) / 64)),
      environment: (id) => {
        const { exit, cause } = aegis.environment(id);
        return { exit: cause?.kind === 'exit' ? exit : undefined, ending: cause?.text };
      },
      serial: (line) => lines[line] ?? '',
      framesFree: () => aegis.framesFree,
      revoke: (id, frames) => aegis.parts.revocation.ask(id, REVOKE_KINDS.frames, frames),
      revokeSlices: (id, slices) => aegis.parts.revocation.ask(id, REVOKE_KINDS.slices, slices),
      wire,
      powerCut: () => machine.powerCut(),
    };
  };

  // With a test runner: for (const { name, run } of conformance(batch, boot)) test(name, run);
  const failures: string[] = [];
  for (const { run } of conformance(batch, boot)) {
    try {
      run();
    } catch (error) {
      failures.push(String(error));
    }
  }
  expect(failures).toEqual([]);
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const boot')).trim();
  expect(here).toContain(squeeze(body));
});
