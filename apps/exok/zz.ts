import { createAssembler } from '@exokernel/isa';
import { Machine } from '@exokernel/hardware';
function program(functions: number): Uint32Array {
  const a = createAssembler(0x80010000);
  let n = 1;
  while (n < functions) n *= 2;
  a.li(16, 1664525);
  a.lui(17, 0x8020);
  a.label('x');
  a.mult(8, 16);
  a.mflo(8);
  a.nop();
  a.nop();
  a.addiu(8, 8, 12345);
  a.srl(9, 8, 10);
  a.andi(9, 9, functions - 1);
  a.sll(9, 9, 6);
  a.addu(9, 9, 17);
  a.jalr(31, 9);
  a.nop();
  a.b('x');
  a.nop();
  return a.assemble().words;
}
for (const functions of process.argv.slice(2).map(Number)) {
  const m = new Machine({ ramBytes: 4 << 20, engine: 'translator' });
  m.cpu.cp0.status = 0;
  m.memory.storeWords(0x10000, program(functions));
  for (let f = 0; f < functions; f++) {
    const a = createAssembler(0x80200000 + 64 * f);
    for (let k = 0; k < 12; k++) a.addiu(2, 2, k + (f % 100));
    a.jr(31);
    a.addiu(3, 3, 1);
    m.memory.storeWords(0x200000 + 64 * f, a.assemble().words);
  }
  m.cpu.pc = 0x80010000;
  for (let r = 0; r < 14; r++) {
    const c = process.cpuUsage();
    m.run(300_000_000);
    const d = process.cpuUsage(c);
    process.stdout.write(`${(300 / ((d.user + d.system) / 1e6)).toFixed(0)} `);
  }
  console.log(functions);
}
