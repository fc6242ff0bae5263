import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { A0, createAssembler, disassemble, V0, ZERO } from '../src/index.ts';

test('the README snippet', () => {
  const a = createAssembler(0x80001000);
  a.move(V0, ZERO);
  a.label('loop');
  a.addu(V0, V0, A0);
  a.addiu(A0, A0, -1);
  a.bnez(A0, 'loop');
  a.nop(); // the delay slot: the caller fills every one
  a.ret();
  a.nop();

  const { origin, words, symbols } = a.assemble();
  const listing = [...words].map((word, i) => disassemble(word, origin + 4 * i, symbols));
  expect(listing).toEqual([
    'move v0,zero',
    'addu v0,v0,a0',
    'addiu a0,a0,-1',
    'bnez a0,0x80001004 <loop>',
    'nop',
    'jr ra',
    'nop',
  ]);
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const a =')).trim();
  expect(here).toContain(squeeze(body));
});
