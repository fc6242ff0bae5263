/** What the tests share: loading a program, running to a given point, recording events. */
import { createAssembler, type Assembler } from '@exokernel/isa';
import { EVENT_KINDS, Machine, type MachineOptions, type NativeFunction } from '../src/index.ts';

export const CODE = 0x80001000;

/** A small machine with `build`'s program at CODE, in kernel mode with the RAM vectors. */
export function boot(build: (a: Assembler) => void, options: MachineOptions = {}): Machine {
  const machine = new Machine({ ramBytes: 0x40000, ...options });
  machine.cpu.cp0.status = 0;
  load(machine, CODE, build);
  machine.cpu.pc = CODE;
  return machine;
}

/** Assembles at a kseg0 address and stores it. */
export function load(machine: Machine, origin: number, build: (a: Assembler) => void): ReadonlyMap<string, number> {
  const a = createAssembler(origin);
  build(a);
  const { words, symbols } = a.assemble();
  machine.memory.storeWords(origin & 0x1fffffff, words);
  return symbols;
}

export type Recorded = readonly [kind: string, cycle: number, a: number, b: number, c: number];

const NAMES = new Map(Object.entries(EVENT_KINDS).map(([name, { kind }]) => [kind as number, name]));

/** Records every event from now on. */
export function record(machine: Machine): Recorded[] {
  const events: Recorded[] = [];
  machine.listen((kind, cycle, a, b, c) => {
    events.push([NAMES.get(kind) ?? String(kind), cycle, a, b, c]);
  });
  return events;
}

/** Everything a guest or host can observe of the machine, for comparisons. */
export function state(machine: Machine): unknown {
  return {
    words: [...machine.cpu.words()],
    caches: checksum(machine.cpu.caches()),
    ram: checksum(wordsOf(machine)),
    cycles: machine.cycles,
    count: machine.instructions,
  };
}

/** A copy of words of RAM: all, or so many from `physical` on. */
export function wordsOf(
  machine: Machine,
  physical = 0,
  count = machine.memory.ramBytes / 4 - physical / 4,
): Int32Array {
  return new Int32Array(machine.memory.read(physical, new Uint8Array(4 * count)).buffer);
}

function checksum(words: Int32Array): number {
  let sum = 0;
  for (const word of words) sum = (Math.imul(sum, 31) + word) | 0;
  return sum;
}

/** A seeded generator of 32-bit words (xorshift). */
export function random(seed: number): () => number {
  let x = (seed | 0) ^ 0x9e3779b9 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Executes `body` as a native function of the kernel, in one cycle, and goes back to where the machine was. */
export function inKernel(machine: Machine, body: NativeFunction): void {
  const { cp0, inDelaySlot } = machine.cpu;
  const pc = machine.cpu.pc - (inDelaySlot ? 4 : 0); // a branch in progress is executed again
  const { status } = cp0;
  machine.native.install('kernel', [body]);
  machine.memory.store32(0x800, 0x4a000000);
  cp0.status = 0x40000000;
  machine.cpu.pc = 0x80000800;
  machine.run(1);
  machine.cpu.pc = pc;
  cp0.status = status;
}

/** The word at a physical address, as the CPU loads it uncached. */
export function peek(machine: Machine, physical: number): number {
  let value = 0;
  inKernel(machine, (cpu) => {
    value = cpu.load32(0xa0000000 + physical) >>> 0;
  });
  return value;
}

export function poke(machine: Machine, physical: number, value: number): void {
  inKernel(machine, (cpu) => {
    cpu.store32(0xa0000000 + physical, value);
  });
}

/** Runs an idle machine until cycle `cycle`. */
export function idleUntil(machine: Machine, cycle: number): void {
  machine.run(cycle - machine.cycles);
}

/** A machine that does nothing, with interrupts masked but enabled. */
export function idle(options: MachineOptions = {}): Machine {
  const machine = boot((a) => {
    a.b(CODE);
    a.nop();
  }, options);
  machine.cpu.cp0.status = 1;
  return machine;
}

/** The interrupt lines that are asserted, as bits of Cause.IP. */
export function lines(machine: Machine): number[] {
  return [2, 3, 4, 5, 6, 7].filter((line) => (machine.cpu.cp0.cause & (0x100 << line)) !== 0);
}
