/** What the tests of the extension `mips32` share. */
import { A0, createAssembler, type Assembler, type Extension } from '@exokernel/isa';
import type { Machine, MachineOptions } from '../src/index.ts';
import { boot, CODE } from './support.ts';

export const MIPS32: readonly Extension[] = ['mips32'];
export const ENGINES = ['interpreter', 'translator'] as const;
/** Everything is translated as soon as it can be. */
export const EAGER = { after: 1, worthwhile: 1 };
export const DATA = 0x80002000;

/** A machine with the extension and a program at CODE; a0 holds DATA. */
export function extended(build: (a: Assembler<'mips32'>) => void, options: MachineOptions = {}): Machine {
  const machine = boot(() => undefined, { extensions: MIPS32, translation: EAGER, ...options });
  place(machine, CODE, build);
  machine.cpu.registers[A0] = DATA | 0;
  machine.cpu.pc = CODE;
  return machine;
}

/** Assembles at a kseg0 address and stores it. */
export function place(machine: Machine, origin: number, build: (a: Assembler<'mips32'>) => void): void {
  const a = createAssembler(origin, ['mips32']);
  build(a);
  machine.memory.storeWords(origin & 0x1fffffff, a.assemble().words);
}
