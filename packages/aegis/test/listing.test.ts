/** The kernel's text as a listing. */
import { expect, test } from 'vitest';
import { kernelListing } from '../src/index.ts';
import { kernelImage } from '../src/kernel-image.ts';
import { KSEG0, PHYSICAL } from '../src/layout.ts';

test('a protected control transfer: labels, notes, delay slots, fields by name', () => {
  // Without addresses, which change with every routine before it.
  const lines = kernelListing('scall').slice(1, 28);
  const text = lines.map((line) => line.replace(/^ {2}[0-9a-f]{8} /, ' ').replace(/0x8000[0-9a-f]+ /, ''));
  expect(`\n${text.join('\n')}\n`).toMatchInlineSnapshot(`
    "
    call.scall:
                          # scall: protected control transfer to the environment named v1, with the slice. [SOSP95 §5.2]
                          # in   v0 offset, v1 name
                          # out  v1 caller
                          # uses k0 table or gate or entry, k1 callee, v0 slice or asid
                          # 16 instructions
       1  1  1  lui k0,0x8002
                          # the dispatch has computed the offset
       1  1  1  addu k1,v0,k0
       1  1  1  lw k0,ENV.syncGate(k1)
       1  1  1  lw v0,KP.slice(zero)
                          # of this life of the callee, with an entry and an ASID?
       1  1  1  bne k0,v1,<scall.closed>
       1  1  1    lw k0,ENV.syncEntry(k1)
       1  1  1  lw v1,KP.env(zero)
                          # this and all future instances of the slice
       1  1  1  sw k1,SLICE.running(v0)
                          # what the callee decides by
       1  1  1  lw v1,ENV.name(v1)
       1  1  1  sw k1,KP.env(zero)
       1  1  1  lw v0,ENV.asid(k1)
       1  1  1  sw zero,ENV.asleep(k1)
                          # the address space of the callee is installed: that is the whole switch
       1  1  1  mtc0 v0,c0_entryhi
       1  1  1  lw k1,KP.k1(zero)
       1  1  1  jr k0
       1  1  1    rfe
    "
  `);
});

test('every label is there once, and every word of the text', () => {
  const { origin, words, symbols } = kernelImage();
  const lines = kernelListing();
  const labels = lines.filter((line) => line.endsWith(':'));
  expect(new Set(labels)).toEqual(new Set([...symbols.keys()].map((name) => `${name}:`)));
  expect(labels).toHaveLength(symbols.size);
  const addresses = new Set(lines.map((line) => /^ {2}([0-9a-f]{8}) /.exec(line)?.[1] ?? ''));
  for (let i = PHYSICAL.text / 4; i < words.length; i += 1) {
    expect(addresses).toContain(((origin + 4 * i) >>> 0).toString(16));
  }
  expect(addresses).toContain((KSEG0 + 0x80).toString(16));
});

test('what lies in the kernel page has its name, everywhere', () => {
  expect(kernelListing().filter((line) => /,-\d+\(zero\)/.test(line))).toEqual([]);
});

test('a base register that may be another since a label keeps its number', () => {
  expect(kernelListing('scall.closed').filter((line) => line.includes('ENV.'))).toEqual([]);
  expect(kernelListing('idle').some((line) => line.includes('KP.fpuOwner'))).toBe(true);
});

test('a symbol that there is not has no lines; a call is found by its name', () => {
  expect(kernelListing('nothing')).toEqual([]);
  expect(kernelListing('tlbwr')[1]).toBe('call.tlbwr:');
});
