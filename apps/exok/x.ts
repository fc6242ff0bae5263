import { boot, wildImage, bystander, memoryFor } from '/tmp/wt/packets/packages/testkit/src/index.ts';
import { memoryStore, Wire } from '/tmp/wt/packets/packages/hardware/src/index.ts';
import { kernelImage } from '/tmp/wt/packets/packages/aegis/src/kernel-image.ts';
import { KP } from '/tmp/wt/packets/packages/aegis/src/layout.ts';
import { MAC } from '/tmp/wt/packets/packages/aegis/test/network.ts';
const b = boot([wildImage(20261129, MAC), wildImage(20261130, MAC), bystander()], { engine: 'interpreter', ramBytes: memoryFor(600), lance: { mac: MAC, wire: new Wire({ capacity: 64 }) }, disk: { store: memoryStore(64 * 4096) } });
const syms = [...kernelImage().symbols].sort((a, c) => (a[1]>>>0) - (c[1]>>>0));
const name = (x: number) => { let best: any; for (const [n, v] of syms) if ((v>>>0) <= (x>>>0)) best = [n, (x>>>0) - (v>>>0)]; return best; };
const ev: any[] = [];
b.machine.listen((k, c, a, x, y) => { ev.push([k, c, a, (x>>>0).toString(16), (y>>>0).toString(16)]); if (ev.length > 30) ev.shift(); });
try { b.machine.run(9088270 - 5); const tr: string[] = []; for (let i = 0; i < 400; i++) { tr.push(name(b.machine.cpu.pc).join('+') + ' ' + b.machine.cpu.cp0.status.toString(16)); if (i > 0 && i < 80) console.log(tr.at(-1)); b.machine.run(1); } } catch (e: any) { console.log(e.message, ev.slice(-12)); const cpu = b.machine.cpu; console.log(name(cpu.cp0.epc), cpu.cp0.cause.toString(16), cpu.cp0.status.toString(16), (cpu.cp0.badVaddr>>>0).toString(16), [...cpu.registers].map((r, i) => `${i}:${(r >>> 0).toString(16)}`).join(' ')); 
for (const k of ['packetResume','packetS0','packetS3','packetS4','packetS5','ownPacket','ownLength','ownTap','sender','resume'] as const) console.log(k, (b.aegis.parts.memory.kernelPage(KP[k])).toString(16)); }
