import { readFileSync } from 'node:fs';
import { loadElf } from '@exokernel/isa';
import { Machine } from '@exokernel/hardware';
const elf = loadElf(readFileSync('/tmp/mix8.elf'));
const after = Number(process.argv[2] ?? 512);
const m = new Machine({ ramBytes: 16 << 20, engine: 'translator', translation: { after } });
for (const { vaddr, bytes } of elf.segments) m.memory.bytes.set(bytes, vaddr & 0x1fffffff);
m.cpu.cp0.status = 0;
m.cpu.pc = elf.entry;
let t = performance.now();
const out: string[] = [];
const t0 = t;
for (let i = 0; i < 20; i++) {
  for (let k = 0; k < 50; k++) m.run(1_000_000);
  const n = performance.now();
  out.push((50e3 / (n - t)).toFixed(0));
  t = n;
}
console.log(after, out.join(' '), ((t - t0) / 1000).toFixed(3));
