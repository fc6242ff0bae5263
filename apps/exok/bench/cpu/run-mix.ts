/**
 * One run of the mix on the machine, in a process of its own: `run-mix.ts <program> <engine> <profile> <mapped>`. Prints the
 * result, host seconds from the first instruction on, instructions, and the memory that the machine came to use beyond its RAM.
 */
import { readFileSync } from 'node:fs';
import { Machine, type Engine, type Profile } from '@exokernel/hardware';
import { CP0_CONTEXT, CP0_ENTRYLO, CP0_EPC, K0, K1, createAssembler, loadElf } from '@exokernel/isa';

const RAM = 16 * 2 ** 20;
const DONE = 0x300004;
const RESULT = 0x300000;
/** Where the refill handler finds its page table, and how much of kuseg that shows, each page at its own address. */
const PAGE_TABLE = 0x800000;
const PAGES = 0x800;
const STEP = 1_000_000;

const [, , path = '', engine = 'translator', profile = 'ideal', mapped = ''] = process.argv;
const elf = loadElf(readFileSync(path));
const before = process.memoryUsage.rss();
const machine = new Machine({ ramBytes: RAM, engine: engine as Engine, profile: profile as Profile });
for (const { vaddr, bytes } of elf.segments) machine.memory.write(vaddr & 0x1fffffff, bytes);
machine.cpu.cp0.status = mapped === 'mapped' ? 0x02 : 0;
machine.cpu.pc = elf.entry;
if (mapped === 'mapped') {
  const a = createAssembler(0x80000000);
  a.mfc0(K0, CP0_CONTEXT);
  a.nop();
  a.lw(K0, 0, K0);
  a.nop();
  a.mtc0(K0, CP0_ENTRYLO);
  a.nop();
  a.tlbwr();
  a.mfc0(K1, CP0_EPC);
  a.nop();
  a.jr(K1);
  a.rfe();
  machine.memory.storeWords(0, a.assemble().words);
  for (let page = 0; page < PAGES; page += 1) machine.memory.store32(PAGE_TABLE + 4 * page, (page << 12) | 0x600);
  machine.cpu.cp0.context = 0x80000000 + PAGE_TABLE;
}
const started = performance.now();
while (machine.memory.load32(DONE) !== 1) machine.run(STEP);
const seconds = (performance.now() - started) / 1000;
const beyond = process.memoryUsage.rss() - before - RAM;
const result = machine.memory.load32(RESULT);
process.stdout.write(JSON.stringify({ result, seconds, instructions: machine.instructions, beyond }));
