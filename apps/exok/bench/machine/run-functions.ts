/**
 * One run of many hot functions, in a process of its own: `run-functions.ts <functions> <loops>`. A driver calls them at random;
 * each adds twelve times, and does so `loops` times. Prints instructions a second of host CPU time, when everything has been translated.
 */
import { Machine } from '@exokernel/hardware';
import { A0, A1, RA, S0, S1, T0, T1, V0, V1, ZERO, createAssembler } from '@exokernel/isa';

const DRIVER = 0x80010000;
const FUNCTIONS = 0x80200000;
/** Bytes from one function to the next. */
const STRIDE = 128;
/** So many calls of each function: enough for the translator, and for the host's own optimizing compiler. */
const CALLS = 10_000;
const MOST_WARM_UP = 2_000_000_000;
const MEASURED = 100_000_000;

const [functions = 512, loops = 1] = process.argv.slice(2).map(Number);
const machine = new Machine({ ramBytes: 8 << 20 });
machine.cpu.cp0.status = 0;
const driver = createAssembler(DRIVER);
driver.li(S0, 1664525);
driver.lui(S1, FUNCTIONS >>> 16);
driver.label('next');
driver.mult(T0, S0);
driver.mflo(T0);
driver.nop();
driver.nop();
driver.addiu(T0, T0, 12345);
driver.srl(T1, T0, 10);
driver.andi(T1, T1, functions - 1);
driver.sll(T1, T1, Math.log2(STRIDE));
driver.addu(T1, T1, S1);
driver.jalr(RA, T1);
driver.nop();
driver.b('next');
driver.nop();
machine.memory.storeWords(DRIVER & 0x1fffffff, driver.assemble().words);
for (let f = 0; f < functions; f += 1) {
  const a = createAssembler(FUNCTIONS + STRIDE * f);
  a.li(A0, loops);
  a.label('loop');
  for (let k = 0; k < 12; k += 1) a.addiu(k % 2 === 0 ? V0 : A1, V0, k + (f % 100));
  a.addiu(A0, A0, -1);
  a.bne(A0, ZERO, 'loop');
  a.xor(V1, V1, A1);
  a.jr(RA);
  a.addiu(V1, V1, 1);
  machine.memory.storeWords((FUNCTIONS + STRIDE * f) & 0x1fffffff, a.assemble().words);
}
machine.cpu.pc = DRIVER;
machine.run(Math.min(MOST_WARM_UP, CALLS * functions * (15 * loops + 15)));
const before = process.cpuUsage();
machine.run(MEASURED);
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ rate: MEASURED / ((user + system) / 1e6) / 1e6 }));
