/** Runs a function of a module on the three back ends of the checked profile. */
import { expect } from 'vitest';
import { ABORT_FUEL, instantiateModule, interpretModule, type Module, type Value } from '@exokernel/vcode';
import { CheckedMips } from './on-mips.ts';

/** Bytes of memory that a module gets at most. */
export const MOST_BYTES: number = 3 * 65536;

/** What all back ends of the checked profile give; throws if they differ. */
export function runChecked(
  module: Module,
  values: readonly Value[],
  fuel: number,
  name = 'f',
): { status: number; values: readonly Value[]; memory: Buffer } {
  const interpreter = interpretModule(module, { mostBytes: MOST_BYTES });
  const host = instantiateModule(module, { mostBytes: MOST_BYTES });
  const mips = new CheckedMips(module, MOST_BYTES);
  const meaning = interpreter.call(name, values, { fuel });
  expect(host.call(name, values, { fuel })).toEqual(meaning);
  const { executed, ...machine } = mips.call(name, values, fuel);
  expect(machine).toEqual(meaning);
  // All that is executed is paid for, but for the entry.
  if (meaning.status !== ABORT_FUEL) expect(executed).toBeLessThan(fuel - meaning.fuel + 200);
  module.globals.forEach((_, i) => {
    expect([host.global(i), mips.global(i)]).toEqual([interpreter.global(i), interpreter.global(i)]);
  });
  const memory = Buffer.from(interpreter.memory());
  expect([memory.equals(host.memory()), memory.equals(mips.memory())]).toEqual([true, true]);
  return { status: meaning.status, values: meaning.values, memory };
}
