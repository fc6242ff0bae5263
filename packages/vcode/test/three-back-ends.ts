/** Runs one program on all three back ends and gives what each did, for comparison. */
import { compileMips, createMemory, instantiate, interpret, type MipsProgram, type Program } from '../src/index.ts';
import { executeMips, MEMORY_BASE, ORIGIN, type Range } from './mips-executor.ts';

export interface Bindings {
  /** Contents of each region; its base gets the alignment that the region promises. */
  readonly regions: readonly Uint8Array[];
  readonly parameters: readonly number[];
  readonly fuel: number;
}

export interface Outcome {
  readonly value: number;
  readonly status: number;
  readonly fuel: number;
  readonly regions: readonly (readonly number[])[];
}

const MEMORY_BYTES = 65536;

export function onInterpreter(program: Program, bindings: Bindings): Outcome {
  const regions = bindings.regions.map((bytes) => bytes.slice());
  const result = interpret(program, { ...bindings, regions });
  return { ...result, regions: regions.map((bytes) => [...bytes]) };
}

/** Places regions in memory with a gap between them, and keeps a copy to see that nothing else changed. */
function bind(program: Program, bindings: Bindings, memory: Uint8Array, from: number): number[] {
  let at = from;
  return bindings.regions.map((bytes, i) => {
    const { align = 1, skew = 0 } = program.regions[i] ?? {};
    // A base that keeps the promise and nothing more: odd unless even is promised.
    const base = at + (align === 1 ? 1 : align === 2 ? 2 + skew : skew);
    memory.fill(0xee, at, base + bytes.length + 16);
    memory.set(bytes, base);
    at = (base + bytes.length + 32) & ~15;
    return base;
  });
}

function intact(
  program: Program,
  bindings: Bindings,
  memory: Uint8Array,
  bases: readonly number[],
): readonly (readonly number[])[] {
  return bindings.regions.map((bytes, i) => {
    const base = bases[i] ?? 0;
    if (memory[base - 1] !== 0xee && program.regions[i]?.skew !== 0)
      throw new Error('a byte before the region changed');
    for (let at = base + bytes.length; at < base + bytes.length + 16; at += 1) {
      if (memory[at] !== 0xee) throw new Error(`byte ${at - base - bytes.length} behind region ${i} changed`);
    }
    return [...memory.subarray(base, base + bytes.length)];
  });
}

export function onWasm(program: Program, bindings: Bindings): Outcome {
  const memory = createMemory(MEMORY_BYTES);
  const bytes = new Uint8Array(memory.buffer);
  const bases = bind(program, bindings, bytes, 256);
  const instance = instantiate(program, memory);
  const places = bases.flatMap((base, i) => [base, bindings.regions[i]?.length ?? 0]);
  const value = instance.run(bindings.fuel, ...places, ...bindings.parameters) >>> 0;
  return { value, status: instance.status(), fuel: instance.fuel(), regions: intact(program, bindings, bytes, bases) };
}

export function onMips(program: Program, bindings: Bindings): Outcome & { executed: number; compiled: MipsProgram } {
  const memory = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(memory.buffer);
  const compiled = compileMips(program, ORIGIN);
  const record = 64;
  memory.fill(0xdd, record, record + compiled.activationBytes + 16);
  const bases = bind(program, bindings, memory, (record + compiled.activationBytes + 64) & ~15);
  view.setUint32(record, bindings.fuel, true);
  view.setUint32(record + 4, 0xdddddddd, true);
  let at = record + 8;
  const word = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  bases.forEach((base, i) => {
    word(MEMORY_BASE + base);
    word(bindings.regions[i]?.length ?? 0);
  });
  bindings.parameters.forEach(word);
  const ranges = [
    [record, compiled.activationBytes],
    ...bases.map((base, i) => [base, bindings.regions[i]?.length ?? 0]),
  ];
  const allowed = ranges.map(([from = 0, bytes = 0]): Range => [MEMORY_BASE + from, MEMORY_BASE + from + bytes]);
  const { v0, v1, executed } = executeMips(compiled.words, memory, MEMORY_BASE + record, allowed);
  for (let i = 0; i < 16; i += 1) {
    if (memory[record + compiled.activationBytes + i] !== 0xdd)
      throw new Error('a byte behind the activation record changed');
  }
  if (view.getUint32(record + 4, true) !== v1) throw new Error('the status in the record is not v1');
  const fuel = view.getUint32(record, true);
  return { value: v0, status: v1, fuel, regions: intact(program, bindings, memory, bases), executed, compiled };
}
