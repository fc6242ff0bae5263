/** What the tests share: loading a program, running to a given point, recording events. */
import { createAssembler, type Assembler } from '@exokernel/isa';
import { EVENT_KINDS, Machine, type MachineOptions } from '../src/index.ts';

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
  const words = new Int32Array(machine.memory.wasm.buffer, 0, 256);
  return { words: [...words], ram: checksum(machine.memory.words), cycles: machine.cycles, count: machine.instructions };
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
