import { readFileSync } from 'node:fs';
import { A0, createAssembler, V0 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { EVENT_KINDS, Machine } from '../src/index.ts';

/** The snippet of the README. Its lines must be found there. */
test('README', () => {
  const machine = new Machine({ ramBytes: 1024 * 1024 });

  const a = createAssembler(0x80001000);
  a.li(V0, 0);
  a.label('next');
  a.addu(V0, V0, A0);
  a.addiu(A0, A0, -1);
  a.bnez(A0, 'next');
  a.nop();
  a.syscall(0);
  machine.memory.storeWords(0x1000, a.assemble().words);

  machine.cpu.cp0.status = 0; // vectors in RAM, kernel mode, interrupts off
  machine.cpu.registers[A0] = 100;
  machine.cpu.pc = 0x80001000;

  const seen: string[] = [];
  machine.listen((kind, cycle, code, epc) => {
    if (kind === EVENT_KINDS.exception.kind) seen.push(`exception ${code} at 0x${epc.toString(16)} in cycle ${cycle}`);
  });
  machine.run(402);

  expect(machine.cpu.registers[V0]).toBe(5050);
  expect(seen).toEqual(['exception 8 at 0x80001014 in cycle 402']);

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const test = readFileSync(new URL(import.meta.url), 'utf8');
  const lines = snippet.split('\n').filter((line) => line !== '' && !/^(import|console)/.test(line));
  expect(lines.length).toBeGreaterThan(15);
  for (const line of lines) expect(test).toContain(line);
});
