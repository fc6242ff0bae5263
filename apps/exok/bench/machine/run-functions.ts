/**
 * One run of many hot functions, in a process of its own: `run-functions.ts <functions> <loops>`. Prints instructions a second of
 * host CPU time, when everything has been translated.
 */
import { Machine } from '@exokernel/hardware';
import { KSEG0 } from '@exokernel/isa';
import { DRIVER, functionsProgram, instructionsPerCall } from './functions.ts';

/** So many calls of each function: enough for the translator, and for the host's own optimizing compiler. */
const CALLS = 50_000;
const MOST_WARM_UP = 4_000_000_000;
const MEASURED = 100_000_000;

const [functions = 512, loops = 1] = process.argv.slice(2).map(Number);
const machine = new Machine({ ramBytes: 8 << 20 });
machine.cpu.cp0.status = 0;
for (const { address, words } of functionsProgram(functions, loops, 0x7fffffff, KSEG0)) {
  machine.memory.storeWords(address, words);
}
machine.cpu.pc = KSEG0 + DRIVER;
machine.run(Math.min(MOST_WARM_UP, CALLS * functions * instructionsPerCall(loops)));
const before = process.cpuUsage();
machine.run(MEASURED);
const { user, system } = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ rate: MEASURED / ((user + system) / 1e6) / 1e6 }));
