/**
 * One run of a program in a frame whose code was replaced before, in a process of its own: `run-replaced.ts <times>`. Prints
 * instructions a second of host CPU time in the steady state.
 */
import { Machine } from '@exokernel/hardware';
import { A0, A1, A2, RA, V0, V1, ZERO, createAssembler } from '@exokernel/isa';

const CODE = 0x80004000;
const FUNCTIONS = 16;
const EACH = 20_000;
const WARM_UP = 100_000_000;
const MEASURED = 400_000_000;

/** A program of a few functions with loops. */
function program(n: number): Uint32Array {
  const a = createAssembler(CODE);
  a.li(A0, n);
  a.label('next');
  for (let f = 0; f < FUNCTIONS; f += 1) {
    a.jal(`f${f}`);
    a.nop();
  }
  a.b('next');
  a.nop();
  for (let f = 0; f < FUNCTIONS; f += 1) {
    a.label(`f${f}`);
    a.li(A1, 20);
    a.label(`loop${f}`);
    a.addiu(A1, A1, -1);
    a.addiu(V0, V0, n & 1023);
    a.bne(A1, ZERO, `loop${f}`);
    a.xor(V1, V1, V0);
    a.jr(RA);
    a.addiu(A2, A2, f);
  }
  return a.assemble().words;
}

const [times = 0] = process.argv.slice(2).map(Number);
const machine = new Machine({ ramBytes: 1 << 20 });
machine.cpu.cp0.status = 0;
for (let n = 0; n <= times; n += 1) {
  machine.memory.storeWords(CODE & 0x1fffffff, program(n));
  machine.cpu.pc = CODE;
  machine.run(n === times ? WARM_UP : EACH);
}
const before = process.cpuUsage();
machine.run(MEASURED);
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ rate: MEASURED / ((user + system) / 1e6) / 1e6 }));
