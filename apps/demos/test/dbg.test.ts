import { readFileSync } from 'node:fs';
import { LIBRARY_MEMORY, compiledLibOs, compiledLibrary, functionAt, placeAt } from '@exokernel/libos-kit';
import { kitSource } from '@exokernel/libos-kit/node';
import { test } from 'vitest';
import { Wire, EVENT_KINDS } from '../../../packages/hardware/src/index.ts';
import { CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
import { boot } from '../../../packages/testkit/src/index.ts';
import { compileAssemblyScript } from '../../../packages/vcode/src/asc.ts';
const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
test('x', async () => {
  const text = readFileSync(new URL('../programs/kv.ts', import.meta.url), 'utf8');
  const { wasm, placeOf } = await compileAssemblyScript((file) => (file === 'kv.ts' ? text : kitSource(file)), 'kv.ts', { memoryBase: LIBRARY_MEMORY, exportTable: true });
  const lib = compiledLibrary('kv', wasm!, placeOf);
  const os = compiledLibOs([], lib);
  const disk = new CutDisk(128);
  const b = boot([os.alone({ station: OWN, extent: { start: 0, blocks: 128 } })], { lance: { mac: OWN.mac, wire: new Wire() }, disk: { store: disk } });
  const counts = new Map<number, number>();
  b.machine.listen((k, c, a, x) => { if (k === EVENT_KINDS.exception.kind) counts.set(a, (counts.get(a) ?? 0) + 1); });
  for (let i = 0; i < 8; i++) { b.runUntil(() => false, 0.5); const e = b.aegis.environment(0); console.log(i, e.status, e.cause?.text, disk.writes, e.slices, e.cycles, [...counts].join(' '), b.uWord(0, 0x1208).toString(16)); }
}, 120000);
